"""What a capture sounded like."""

import wave

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.trace import audio_track
from agent.trace.audio import listen, recordings
from agent.trace.audio_codecs import DamagedPayloadError, NoDecoderError, alaw_table, decoder, mulaw_table
from agent.trace.audio_track import MAX_SILENCE_S, Track, stretched
from agent.trace.model import Format
from tests.unit.agent.trace.keypad import dialled
from tests.unit.agent.trace.packets import EVENTS, FORMATS, PCMU, START_NS, arrivals, rows, stream, trace

RNG = np.random.default_rng(7)
NOISE = [RNG.integers(0, 256, 160, dtype=np.uint8).tobytes() for _ in range(200)]
SOUND = mulaw_table()[np.frombuffer(b"".join(NOISE), np.uint8)]


def ffmpeg(codec, payload):
    context = av.CodecContext.create(codec, "r")
    context.sample_rate, context.layout = 8000, "mono"
    return context.decode(av.Packet(payload))[0].to_ndarray().reshape(-1)


def encoded(codec, sound, rate_hz):
    """Packets of FFmpeg's encoder."""
    context = av.CodecContext.create(codec, "w")
    context.sample_rate, context.layout, context.format = rate_hz, "mono", "s16"
    context.open()
    size = context.frame_size or 320
    packets = []
    for at in range(0, len(sound) - size + 1, size):
        frame = av.AudioFrame.from_ndarray(sound[None, at : at + size], format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate_hz, at
        packets += [bytes(packet) for packet in context.encode(frame)]
    return packets


def filled(tmp_path, *chunks):
    track = Track(tmp_path / "track.raw")
    for chunk in chunks:
        track.add(chunk)
    track.finish()
    return track


def whole(track):
    return track.read(0, track.samples)


def read_wav(path):
    with wave.open(str(path)) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return file.getframerate(), sound.reshape(-1, file.getnchannels()).T


# Codecs


@pytest.mark.parametrize(("table", "codec"), [(mulaw_table(), "pcm_mulaw"), (alaw_table(), "pcm_alaw")])
def test_all_256_codes_are_those_of_ffmpeg(table, codec):
    assert np.array_equal(table, ffmpeg(codec, bytes(range(256))))


def test_l16_is_in_network_order_and_its_channels_are_averaged():
    payload = np.array([100, 300, -5, -7], ">i2").tobytes()
    assert decoder(Format(name="L16", clock_rate_hz=8000)).decode(payload).tolist() == [100, 300, -5, -7]
    assert decoder(Format(name="L16", clock_rate_hz=44100, channels=2)).decode(payload).tolist() == [200, -6]


@pytest.mark.parametrize(
    ("form", "payload"),
    [
        (Format(name="L16", clock_rate_hz=8000), b"abc"),
        (Format(name="L16", clock_rate_hz=8000, channels=2), b"abcdef"),
        (Format(name="GSM", clock_rate_hz=8000), b"\xd0" * 34),
        (Format(name="G729", clock_rate_hz=8000), b"\x00" * 13),
    ],
)
def test_a_payload_that_is_not_its_format_is_damage(form, payload):
    with pytest.raises(DamagedPayloadError):
        decoder(form).decode(payload)


@pytest.mark.parametrize(
    ("name", "payload", "samples"),
    [
        ("GSM", b"\xd2" + bytes(32), 160),
        ("gsm", (b"\xd2" + bytes(32)) * 2, 320),
        ("G729", bytes(20), 160),
        ("G729", bytes(22), 160),
        ("G729", bytes(2), 0),
        ("G729", b"", 0),
        ("G722", bytes(160), 320),
    ],
)
def test_frames_of_a_payload_are_decoded_and_comfort_noise_is_silence(name, payload, samples):
    assert len(decoder(Format(name=name, clock_rate_hz=8000)).decode(payload)) == samples


@pytest.mark.parametrize(
    ("name", "codec", "rate_hz", "clock_hz", "channels"),
    [("G722", "g722", 16000, 8000, 1), ("opus", "libopus", 48000, 48000, 2)],
)
def test_a_tone_comes_through_wide_band_codecs(tmp_path, name, codec, rate_hz, clock_hz, channels):
    tone = (8000 * np.sin(2 * np.pi * 1000 * np.arange(rate_hz) / rate_hz)).astype(np.int16)
    formats = {97: Format(name=name, clock_rate_hz=clock_hz, channels=channels)}
    packets = arrivals(encoded(codec, tone, rate_hz), payload_type=97, step=clock_hz // 50, formats=formats)
    track = filled(tmp_path, packets)
    spectrum = np.abs(np.fft.rfft(whole(track)[rate_hz // 5 : rate_hz // 5 + rate_hz // 2].astype(float)))
    assert (track.sample_rate_hz, 2 * int(spectrum.argmax())) == (rate_hz, 1000)


def test_without_pyav_the_codec_and_the_remedy_are_named(monkeypatch):
    def fails(name):
        raise ImportError(name)

    monkeypatch.setattr("agent.trace.audio_codecs.importlib.import_module", fails)
    with pytest.raises(NoDecoderError, match=r"G722 needs PyAV: install calltest\[audio\]"):
        decoder(Format(name="G722", clock_rate_hz=8000))
    assert decoder(PCMU).sample_rate_hz == 8000


@pytest.mark.parametrize(
    "form",
    [
        Format(name="PCMU", clock_rate_hz=0),
        Format(name="L16", clock_rate_hz=1),
        Format(name="L16", clock_rate_hz=10**9),
        Format(name="L16", clock_rate_hz=8000, channels=99),
    ],
)
def test_formats_that_make_no_sense_have_no_decoder(form):
    with pytest.raises(NoDecoderError, match="is no audio format"):
        decoder(form)


# The timeline


def test_a_stream_is_the_samples_of_its_packets(tmp_path):
    track = filled(tmp_path, arrivals(NOISE))
    assert (track.sample_rate_hz, track.start_ns) == (8000, START_NS)
    assert np.array_equal(whole(track), SOUND)


def test_lost_packets_are_silence_of_their_length(tmp_path):
    track = filled(tmp_path, rows(arrivals(NOISE), [*range(50), *range(60, 200)]))
    expected = SOUND.copy()
    expected[50 * 160 : 60 * 160] = 0
    assert np.array_equal(whole(track), expected)


def test_digits_are_silence(tmp_path):
    speech, after = (
        arrivals(NOISE[:50]),
        arrivals(NOISE[55:], first=1055, timestamp=5000 + 55 * 160, start_ns=START_NS + 1_100_000_000),
    )
    event = arrivals([b"\x05\x0a\x01\x40"] * 5, first=1050, timestamp=13000, step=0, payload_type=101, event=True)
    track = filled(tmp_path, speech, event, after)
    expected = SOUND.copy()
    expected[50 * 160 : 55 * 160] = 0
    assert np.array_equal(whole(track), expected)
    assert not track.faults.undecoded


@settings(max_examples=15, deadline=None)
@given(
    st.data(),
    st.integers(-(2**40), 2**40),
    st.integers(-(2**40), 2**40),
    st.lists(st.integers(1, 199), max_size=6, unique=True),
)
def test_order_copies_chunks_and_starts_of_the_numbers_change_nothing(tmp_path_factory, data, first, timestamp, cuts):
    order = list(range(200))
    for row in data.draw(st.lists(st.integers(1, 198), max_size=20)):
        order.insert(min(row + data.draw(st.integers(0, 40)), len(order)), order[row])  # a copy, or late
    moved = data.draw(st.integers(1, 150))
    order.insert(moved + 30, order.pop(moved))
    packets = arrivals(NOISE, first=first, timestamp=timestamp)
    chunks = [rows(packets, order[a:b]) for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), len(order)], strict=True)]
    track = filled(tmp_path_factory.mktemp("track"), *chunks)
    assert np.array_equal(whole(track), SOUND)
    assert not track.faults.late


def test_a_decoder_with_a_memory_gets_each_packet_once_and_in_order(tmp_path):
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(32000) / 16000)).astype(np.int16)
    formats = {9: Format(name="G722", clock_rate_hz=8000)}
    packets = arrivals(encoded("g722", tone, 16000), payload_type=9, formats=formats)
    (tmp_path / "a").mkdir()
    mixed = [1, 0, 2, 2, 5, 4, 3, 3, *range(6, 100), 40]
    assert np.array_equal(whole(filled(tmp_path, rows(packets, mixed))), whole(filled(tmp_path / "a", packets)))


def test_a_packet_that_comes_far_too_late_is_left_out_and_counted(tmp_path):
    packets = arrivals(NOISE)
    track = filled(tmp_path, rows(packets, [*range(5), *range(6, 150)]), rows(packets, [5, *range(150, 200)]))
    assert track.faults.late == 1
    assert not whole(track)[5 * 160 : 6 * 160].any()


@pytest.mark.parametrize("jump", [2**31, -(2**31), 2**40, -(2**40)])
def test_timestamps_that_jump_are_overruled_by_the_arrival_times(tmp_path, jump):
    before = arrivals(NOISE[:100])
    after = arrivals(NOISE[100:], first=1100, timestamp=5000 + 16000 + jump, start_ns=START_NS + 2_500_000_000)
    track = filled(tmp_path, before, after)
    assert np.array_equal(whole(track), np.concatenate([SOUND[:16000], np.zeros(4000, np.int16), SOUND[16000:]]))


def test_every_packet_with_a_wild_timestamp_and_a_wild_arrival_time_makes_a_file_of_bounded_size(tmp_path):
    packets = arrivals(NOISE[:20], step=2**33, every_ns=10**18 // 40)
    track = filled(tmp_path, packets)
    assert track.faults.shortened == 19
    assert track.samples <= 20 * (MAX_SILENCE_S * 8000 + 160)
    assert track.path.stat().st_blocks * 512 < 1_000_000


def test_arrival_times_that_go_back_do_not_overwrite_what_is_there(tmp_path):
    track = filled(tmp_path, arrivals(NOISE[:100]), arrivals(NOISE[100:], first=1100, timestamp=21000, start_ns=0))
    assert np.array_equal(whole(track), SOUND)


def test_what_a_wav_file_cannot_hold_is_left_out_and_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(audio_track, "MAX_SAMPLES", 160 * 150)
    track = filled(tmp_path, arrivals(NOISE))
    assert (track.samples, track.faults.beyond) == (160 * 150, 50)


def test_a_sender_that_begins_anew_is_heard_from_its_first_packet(tmp_path):
    before = arrivals(NOISE[:100], first=40_000)
    after = arrivals(NOISE[100:], first=20_000, timestamp=77, start_ns=START_NS + 2_000_000_000)
    assert np.array_equal(whole(filled(tmp_path, before, after)), SOUND)


def test_a_change_of_codec_is_followed(tmp_path):
    after = arrivals(NOISE[100:], first=1100, timestamp=21000, start_ns=START_NS + 2_000_000_000, payload_type=8)
    expected = np.concatenate([SOUND[:16000], alaw_table()[np.frombuffer(b"".join(NOISE[100:]), np.uint8)]])
    assert np.array_equal(whole(filled(tmp_path, arrivals(NOISE[:100]), after)), expected)


def test_a_change_to_another_rate_keeps_the_file_s(tmp_path):
    after = arrivals([bytes(160)] * 50, first=1100, timestamp=21000, start_ns=START_NS + 2_000_000_000, payload_type=9,
                     formats={9: Format(name="G722", clock_rate_hz=8000)})  # fmt: skip
    track = filled(tmp_path, arrivals(NOISE[:100]), after)
    assert (track.sample_rate_hz, track.samples) == (8000, 150 * 160)


@pytest.mark.parametrize("tag", [4, 10, 14, 16])
@pytest.mark.parametrize("kind", [(0, 160, 160), (18, 20, 160), (9, 160, 160)])
def test_srtp_is_never_decoded_as_noise(tmp_path, tag, kind):
    payload_type, size, step = kind
    formats = {**FORMATS, 18: Format(name="G729", clock_rate_hz=8000), 9: Format(name="G722", clock_rate_hz=8000)}
    secret = [RNG.bytes(size + tag) for _ in range(100)]
    track = filled(tmp_path, arrivals(secret, payload_type=payload_type, step=step, formats=formats))
    assert (track.faults.looks_encrypted, track.samples) == (True, 0)


@pytest.mark.parametrize("step", [160, 240, 80])
def test_plain_audio_whose_timestamps_are_wrong_is_still_decoded(tmp_path, step):
    assert filled(tmp_path, arrivals(NOISE, step=step)).samples


def test_a_rate_is_changed_along_straight_lines():
    assert stretched(np.array([0, 100, 200, 300], np.int16), 8000, 16000).tolist() == [
        0,
        50,
        100,
        150,
        200,
        250,
        300,
        300,
    ]


# Recordings


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


def test_encrypted_streams_are_said_and_not_decoded(tmp_path):
    sound = listen([arrivals(NOISE)], trace(stream(encrypted=True)), {0}, wav=tmp_path, tones=True)
    assert (sound.wavs, sound.digits, sound.unheard) == ({}, {}, {0})
    assert [warning.code for warning in sound.warnings] == ["Encrypted"]
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
