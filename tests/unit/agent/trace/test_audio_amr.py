"""AMR and AMR-WB as RFC 4867 packs them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.trace.audio.amr import NARROW_BITS, WIDE_BITS, Packing, UnreadablePayloadError, frames, packing
from agent.trace.audio.codecs import DamagedPayloadError, NoDecoderError, decoder
from agent.trace.model import Format
from tests.unit.agent.trace.packets import arrivals
from tests.unit.agent.trace.sounds import encoded, filled, whole

TONE = (8000 * np.sin(2 * np.pi * 1000 * np.arange(16_000) / 8000)).astype(np.int16)
EFFICIENT, ALIGNED, CHECKED = Packing(), Packing(octet_aligned=True), Packing(octet_aligned=True, crc=True)


def packed(stored: list[bytes], bits: dict[int, int], how: Packing) -> bytes:
    """A payload of frames as files have them, written bit by bit as §4.3 and §4.4 draw it."""
    kinds = [frame[0] >> 3 & 15 for frame in stored]
    more = [*(1,) * (len(stored) - 1), 0]
    table = [f"{m}{kind:04b}{frame[0] >> 2 & 1}" for m, kind, frame in zip(more, kinds, stored, strict=True)]
    speech = [
        f"{int.from_bytes(b'1' + frame[1:]):b}"[6:][: bits[kind]] for kind, frame in zip(kinds, stored, strict=True)
    ]
    if not how.octet_aligned:
        text = "1111" + "".join(table) + "".join(speech)
    else:
        checks = "".join("10101010" for kind in kinds if bits[kind] and how.crc)
        text = "11110000" + "".join(f"{one}00" for one in table) + checks
        text += "".join(one + "0" * (-len(one) % 8) for one in speech)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8)


@st.composite
def stored(draw: st.DrawFn, bits: dict[int, int]) -> list[bytes]:
    found = []
    for _ in range(draw(st.integers(1, 12))):
        kind = draw(st.sampled_from(list(bits)))
        size = bits[kind]
        speech = draw(st.integers(0, (1 << size) - 1)) << (-size % 8)
        found.append(bytes([kind << 3 | draw(st.booleans()) << 2]) + speech.to_bytes((size + 7) // 8))
    return found


@pytest.mark.parametrize("bits", [NARROW_BITS, WIDE_BITS], ids=["AMR", "AMR-WB"])
@pytest.mark.parametrize("how", [EFFICIENT, ALIGNED, CHECKED], ids=["efficient", "aligned", "with CRC"])
@given(data=st.data())
def test_every_frame_comes_out_as_files_have_it(bits: dict[int, int], how: Packing, data: st.DataObject) -> None:
    sent = data.draw(stored(bits))
    assert frames(packed(sent, bits, how), bits, how) == sent


@pytest.mark.parametrize("how", [EFFICIENT, ALIGNED])
@given(payload=st.binary(max_size=80))
def test_other_bytes_are_unreadable_or_frames_and_nothing_else(how: Packing, payload: bytes) -> None:
    try:
        found = frames(payload, NARROW_BITS, how)
    except UnreadablePayloadError:
        return
    assert all(len(frame) == 1 + (NARROW_BITS[frame[0] >> 3] + 7) // 8 for frame in found)


@pytest.mark.parametrize("how", [EFFICIENT, ALIGNED])
def test_what_srtp_adds_is_no_speech(how: Packing) -> None:
    payload = packed([bytes([7 << 3 | 4]) + bytes(31)], NARROW_BITS, how)
    with pytest.raises(UnreadablePayloadError):
        frames(payload + bytes(10), NARROW_BITS, how)


@pytest.mark.parametrize(
    ("fmtp", "expected"),
    [
        ("", EFFICIENT),
        ("mode-set=0,2,4,7; mode-change-period=2", EFFICIENT),
        ("octet-align=0", EFFICIENT),
        ("mode-set=7;octet-align=1", ALIGNED),
        ("Octet-Align = 1; max-red=0", ALIGNED),
        ("crc=1", CHECKED),
        ("octet-align=1; robust-sorting=1", Packing(octet_aligned=True, is_sorted=True)),
        ("interleaving=30", Packing(octet_aligned=True, is_sorted=True)),
    ],
)
def test_the_packing_is_what_sdp_says(fmtp: str, expected: Packing) -> None:
    assert packing(fmtp) == expected


@pytest.mark.parametrize(("fmtp", "how"), [("", EFFICIENT), ("octet-align=1", ALIGNED)])
@pytest.mark.parametrize("bit_rate", [4750, 12_200])
@pytest.mark.parametrize("together", [1, 3])
def test_a_tone_comes_through(tmp_path, fmtp: str, how: Packing, bit_rate: int, together: int) -> None:
    sent = encoded("libopencore_amrnb", TONE, 8000, bit_rate)
    payloads = [packed(sent[at : at + together], NARROW_BITS, how) for at in range(0, 90, together)]
    formats = {97: Format(name="AMR", clock_rate_hz=8000, fmtp=fmtp)}
    track = filled(tmp_path, arrivals(payloads, payload_type=97, step=160 * together, formats=formats))
    spectrum = np.abs(np.fft.rfft(whole(track)[1600:9600].astype(float)))
    assert (track.sample_rate_hz, int(spectrum.argmax())) == (8000, 1000)
    assert (track.samples, track.faults.damaged) == (90 * 160, 0)


def test_wide_band_has_16000_samples_a_second_and_lost_speech_has_its_time() -> None:
    form = Format(name="AMR-WB", clock_rate_hz=16_000, fmtp="octet-align=1")
    sent = [bytes([kind << 3 | 4]) + bytes((WIDE_BITS[kind] + 7) // 8) for kind in (0, 8, 9, 14, 15)]
    made = decoder(form)
    assert (made.sample_rate_hz, len(made.decode(packed(sent, WIDE_BITS, ALIGNED)))) == (16_000, 5 * 320)


def test_a_payload_of_the_other_packing_is_damage() -> None:
    payload = packed([bytes([7 << 3 | 4]) + b"\xff" * 30 + b"\xf0"], NARROW_BITS, ALIGNED)
    with pytest.raises(DamagedPayloadError):
        decoder(Format(name="AMR", clock_rate_hz=8000)).decode(payload)


@pytest.mark.parametrize(("fmtp", "channels"), [("interleaving=30", 1), ("robust-sorting=1", 1), ("octet-align=1", 2)])
def test_what_is_not_unpacked_is_said(fmtp: str, channels: int) -> None:
    with pytest.raises(NoDecoderError, match="is not decoded"):
        decoder(Format(name="AMR", clock_rate_hz=8000, channels=channels, fmtp=fmtp))
