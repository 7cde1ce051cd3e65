"""RTP payloads to samples."""

from types import SimpleNamespace

import numpy as np
import pytest

from agent.trace.audio.codecs import DamagedPayloadError, NoDecoderError, _whole, alaw_table, decoder, mulaw_table
from agent.trace.model import Format
from tests.unit.agent.trace.packets import PCMU, arrivals
from tests.unit.agent.trace.sounds import encoded, ffmpeg, filled, whole


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

    monkeypatch.setattr("agent.trace.audio.codecs.importlib.import_module", fails)
    with pytest.raises(NoDecoderError, match="G722 needs PyAV: install av"):
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


def speex(*frames):
    """Frames of Speex's submodes 0 and 1 (nothing sent, 43 bits of a vocoder), as RFC 5574 §3.3 pads them."""
    bits = "".join(frames)
    padding = -len(bits) % 8
    bits += ("0" + "1" * (padding - 1)) * bool(padding)
    return int(bits, 2).to_bytes(len(bits) // 8)


@pytest.mark.parametrize(("rate_hz", "size"), [(8000, 160), (16_000, 320), (32_000, 640)])
def test_speex_is_decoded_at_its_rate_one_frame_or_several(rate_hz, size):
    made = decoder(Format(name="speex", clock_rate_hz=rate_hz))
    assert made.sample_rate_hz == rate_hz
    assert [len(made.decode(speex(*["0" + "0001" + "01" * 19] * count))) for count in (1, 2, 4)] == [
        size * count for count in (1, 2, 4)
    ]


def test_speex_of_another_rate_is_none():
    with pytest.raises(NoDecoderError, match="speex/48000 is no Speex of RFC 5574"):
        decoder(Format(name="speex", clock_rate_hz=48_000))


def test_samples_from_minus_one_to_one_fill_16_bits():
    assert _whole(np.array([-1.0, -0.5, 0.0, 0.5, 1.0, 3.0], np.float32)).tolist() == [
        -32768, -16384, 0, 16384, 32767, 32767,
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["AMR", "AMR-WB", "speex"])
def test_a_decoder_that_ffmpeg_was_built_without_is_said(monkeypatch, name):
    def unknown(*_):
        raise ValueError

    monkeypatch.setattr("av.CodecContext", SimpleNamespace(create=unknown))
    with pytest.raises(NoDecoderError, match=f"the FFmpeg of this PyAV has no decoder for {name}"):
        decoder(Format(name=name, clock_rate_hz=16_000))
