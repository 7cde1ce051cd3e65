"""What a capture sounded like."""

import numpy as np
import pytest

from agent.trace.audio.codecs import mulaw_table
from agent.trace.audio.listen import listen, recordings
from agent.trace.model import Format
from tests.unit.agent.trace.keypad import dialled
from tests.unit.agent.trace.packets import EVENTS, FORMATS, START_NS, arrivals, stream, trace
from tests.unit.agent.trace.sounds import NOISE, RNG, SOUND, encoded, read_wav


def test_both_directions_of_a_call_are_one_stereo_file(tmp_path):
    there = stream()
    back = stream(src=there.dst, dst=there.src, start=there.start + 0.5, packets=100)
    sound = listen(
        [arrivals(NOISE), arrivals(NOISE[:100], stream=1, start_ns=START_NS + 500_000_000)],
        trace(there, back), {0, 1}, wav=tmp_path / "new" / "wav",
    )  # fmt: skip
    assert sound.wavs[0] == sound.wavs[1] == tmp_path / "new" / "wav" / "0001_10.0.0.1-4000_10.0.0.2-5000.wav"
    rate_hz, (left, right) = read_wav(sound.wavs[0])
    assert rate_hz == 8000
    assert np.array_equal(left, SOUND)
    assert np.array_equal(right, np.concatenate([np.zeros(4000, np.int16), SOUND[:16000], np.zeros(12000, np.int16)]))
    assert [path.name for path in sound.wavs[0].parent.iterdir()] == [sound.wavs[0].name]
    assert (sound.unheard, sound.warnings) == (frozenset(), [])


def test_directions_of_different_rates_are_one_file_at_the_higher(tmp_path):
    back = stream(src="10.0.0.2:5000", dst="10.0.0.1:4000")
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(16000 * 10) / 16000)).astype(np.int16)
    narrow = [np.full(160, 0x80, np.uint8).tobytes()] * 500  # the loudest code: a constant
    wide = arrivals(
        encoded("g722", tone, 16000), stream=1, payload_type=9, formats={9: Format(name="G722", clock_rate_hz=8000)}
    )
    sound = listen([arrivals(narrow), wide], trace(stream(), back), {0, 1}, wav=tmp_path)
    rate_hz, (left, right) = read_wav(sound.wavs[0])
    assert (rate_hz, len(left)) == (16000, 160_000)
    assert set(left[:-1].tolist()) == {32124}
    assert np.abs(right.astype(float)).mean() == pytest.approx(8000 * 2 / np.pi, rel=0.05)


def test_the_size_of_the_blocks_that_are_worked_on_changes_nothing(tmp_path, monkeypatch):
    wide = arrivals([RNG.bytes(160) for _ in range(50)], stream=1, payload_type=9, start_ns=START_NS + 123_456_789,
                    formats={9: Format(name="G722", clock_rate_hz=8000)})  # fmt: skip
    found = trace(stream(), stream(src="10.0.0.2:5000", dst="10.0.0.1:4000"))
    files = []
    for size in (1 << 16, 997):
        monkeypatch.setattr("agent.trace.audio.listen._BLOCK", size)
        files.append(listen([arrivals(NOISE), wide], found, {0, 1}, wav=tmp_path / str(size)).wavs[0].read_bytes())
    assert files[0] == files[1]
    assert len(files[0]) == 44 + 2 * 2 * 64_000


def test_silence_takes_no_room_on_the_disk_and_is_there_when_read(tmp_path):
    later = arrivals(NOISE[100:], first=1100, timestamp=21000 + 8000 * 500, start_ns=START_NS + 502_000_000_000)
    path = listen([arrivals(NOISE[:100]), later], trace(stream()), {0}, wav=tmp_path).wavs[0]
    _, (sound,) = read_wav(path)
    assert len(sound) == 32_000 + 8000 * 500
    assert np.array_equal(np.concatenate([sound[:16000], sound[-16000:]]), SOUND)
    assert not sound[16000:-16000].any()
    assert path.stat().st_blocks * 512 < path.stat().st_size / 4


def test_a_new_ssrc_goes_on_in_the_same_channel(tmp_path):
    again = stream(ssrc="0x00000002", start=START_NS / 1e9 + 3)
    packets = [arrivals(NOISE[:100]), arrivals(NOISE[100:], stream=1, first=7, start_ns=START_NS + 3_000_000_000)]
    sound = listen(packets, trace(stream(), again), {0, 1}, wav=tmp_path)
    _, (only,) = read_wav(sound.wavs[1])
    assert np.array_equal(only, np.concatenate([SOUND[:16000], np.zeros(8000, np.int16), SOUND[16000:]]))


def test_streams_of_a_call_belong_together_and_ports_used_again_do_not():
    there, back = stream(), stream(src="10.0.0.2:5000", dst="10.0.0.1:4000")
    other = stream(dst="10.0.0.3:5000")
    spans = {0: (0.0, 60.0), 1: (1.0, 60.0), 2: (2.0, 60.0), 3: (121.0, 130.0), 4: (130.5, 131.0)}
    assert recordings([there, back, other, there, back], spans) == [[0, 1], [2], [3, 4]]
    called = [stream(call_id="a"), stream(call_id="b"), stream(call_id="a"), stream(call_id="a")]
    assert recordings(called, {0: (0, 1), 1: (2, 3), 2: (500, 501), 3: (2000, 2001)}) == [[0, 2], [1], [3]]


def test_an_ipv6_address_is_a_file_s_name(tmp_path):
    sound = listen([arrivals(NOISE)], trace(stream(src="[2001:db8::1]:4000")), {0}, wav=tmp_path)
    assert sound.wavs[0].name == "0001_2001-db8--1--4000_10.0.0.2-5000.wav"


@pytest.mark.parametrize(("encrypted", "code"), [(True, "Encrypted"), (None, "EncryptionUnknown")])
def test_streams_that_are_or_may_be_encrypted_are_said_and_not_decoded(tmp_path, encrypted, code):
    sound = listen([arrivals(NOISE)], trace(stream(encrypted=encrypted)), {0}, wav=tmp_path, tones=True)
    assert (sound.wavs, sound.digits, sound.unheard) == ({}, {}, {0})
    assert [warning.code for warning in sound.warnings] == [code]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("packets", "said"),
    [
        (arrivals(NOISE, payload_type=97),
         ("NotDecoded", "200 packets not decoded: payload type 97 was never declared")),
        (arrivals(NOISE, payload_type=4, formats={4: Format(name="G723", clock_rate_hz=8000)}),
         ("NotDecoded", "there is no decoder for G723")),
        (arrivals([RNG.bytes(170)] * 9), ("LooksEncrypted", "looks like SRTP")),
        (arrivals([b"x"] * 9, payload_type=3, formats={3: Format(name="GSM", clock_rate_hz=8000)}),
         ("DamagedAudio", "9 packets are not what their codec says")),
    ],
)  # fmt: skip
def test_what_was_not_decoded_is_said_with_its_stream(tmp_path, packets, said):
    found = trace(stream(packets=len(packets.payloads)))
    sound = listen([packets], found, {0}, wav=tmp_path, tones=True)
    assert (sound.wavs, sound.unheard) == ({}, {0})
    (warning,) = sound.warnings
    assert warning.code == said[0]
    assert warning.message.startswith("10.0.0.1:4000 → 10.0.0.2:5000 0x00000001: ")
    assert said[1] in warning.message


def test_comfort_noise_is_silence_and_no_fault(tmp_path):
    formats = {**FORMATS, 13: Format(name="CN", clock_rate_hz=8000)}
    noise = arrivals([b"\x40"] * 3, first=1200, timestamp=5000 + 200 * 160, payload_type=13, formats=formats)
    sound = listen([arrivals(NOISE), noise], trace(stream(packets=203)), {0}, wav=tmp_path)
    assert (sound.unheard, sound.warnings) == (frozenset(), [])


def test_a_file_that_changed_between_the_passes_is_noticed(tmp_path):
    sound = listen([arrivals(NOISE)], trace(stream(packets=201)), {0}, wav=tmp_path)
    assert sound.unheard == {0}
    assert [warning.code for warning in sound.warnings] == ["PacketsMissing"]


def test_streams_that_nobody_wants_are_not_written(tmp_path):
    packets = [arrivals(NOISE), arrivals(NOISE, stream=1)]
    assert set(listen(packets, trace(stream(), stream(dst="10.9.9.9:1")), {1}, wav=tmp_path).wavs) == {1}


# Digits in band


def test_tones_are_digits_of_their_stream():
    codes = np.argsort(mulaw_table(), kind="stable")
    table = mulaw_table()[codes]
    sound = dialled("15#", ms=80, gap_ms=80)
    nearest = codes[np.clip(np.searchsorted(table, sound), 0, 255)].astype(np.uint8)
    payloads = [nearest[at : at + 160].tobytes() for at in range(0, len(sound), 160)]
    first, *_, last = listen([arrivals(payloads)], trace(stream()), {0}, tones=True).digits[0]
    assert (first.digit, first.method, first.packets, first.complete) == ("1", "InBand", 0, True)
    assert first.start == pytest.approx(START_NS / 1e9 + 0.1, abs=0.006)
    assert first.duration_ms == pytest.approx(80, abs=5)
    assert last.digit == "#"


def test_a_tone_that_the_stream_ends_with_is_not_complete():
    sound = dialled("1", ms=100, gap_ms=0)
    formats = {97: Format(name="L16", clock_rate_hz=8000)}
    payloads = [sound[at : at + 160].astype(">i2").tobytes() for at in range(0, len(sound), 160)]
    (digit,) = listen([arrivals(payloads, payload_type=97, formats=formats)], trace(stream()), {0}, tones=True).digits[
        0
    ]
    assert not digit.complete


def test_a_stream_without_tones_was_listened_to():
    assert listen([arrivals(NOISE)], trace(stream()), {0}, tones=True).digits == {0: []}


def test_event_packets_alone_make_no_file(tmp_path):
    event = arrivals([b"\x05\x0a\x01\x40"] * 5, payload_type=101, event=True, formats={101: EVENTS})
    assert listen([event], trace(stream()), {0}, wav=tmp_path).wavs == {}


NAME = "0001_10.0.0.1-4000_10.0.0.2-5000.wav"


def test_an_older_file_is_replaced_and_that_is_said(tmp_path):
    (tmp_path / NAME).write_bytes(b"older")
    sound = listen([arrivals(NOISE)], trace(stream()), {0}, wav=tmp_path)
    (warning,) = sound.warnings
    assert (warning.code, str(tmp_path / NAME) in warning.message) == ("FileReplaced", True)
    assert len(read_wav(sound.wavs[0])[1]) == 1


@pytest.mark.parametrize("dangling", [False, True])
def test_a_link_is_neither_followed_nor_replaced(tmp_path, dangling):
    target = tmp_path / "elsewhere"
    if not dangling:
        target.write_bytes(b"precious")
    folder = tmp_path / "wav"
    folder.mkdir()
    (folder / NAME).symlink_to(target)
    with pytest.raises(OSError, match="is no plain file, and is not written over"):
        listen([arrivals(NOISE)], trace(stream()), {0}, wav=folder)
    assert target.read_bytes() == b"precious" if not dangling else not target.exists()
    assert [path.name for path in folder.iterdir()] == [NAME]
    assert (folder / NAME).is_symlink()


def test_a_hard_link_keeps_what_it_was(tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"precious")
    (tmp_path / NAME).hardlink_to(tmp_path / "elsewhere")
    listen([arrivals(NOISE)], trace(stream()), {0}, wav=tmp_path)
    assert (tmp_path / "elsewhere").read_bytes() == b"precious"
