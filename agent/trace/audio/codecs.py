"""RTP payloads to 16-bit samples. G.711 and L16 here; AMR, G722, G729, GSM, Opus, Speex by FFmpeg, where PyAV is."""

import importlib
import struct
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from agent.trace.audio.amr import NARROW_BITS, WIDE_BITS, UnreadablePayloadError, frames, packing
from agent.trace.model import Format

Samples = NDArray[np.int16]

MISSING: Final = "needs PyAV: install av"
"""Its own name on PyPI. What is there by the name of calltest is not ours."""


class NoDecoderError(Exception):
    """A format cannot be decoded; the text says why and, where something helps, what does."""


class DamagedPayloadError(Exception):
    """One payload is not what its format says."""


class Decoder(Protocol):
    """One stream's decoder: payloads in the order of their sequence numbers."""

    sample_rate_hz: int
    bytes_per_tick: Fraction | None
    """Payload bytes for one tick of the RTP clock; None where the codec decides for each packet."""

    def decode(self, payload: bytes) -> Samples:
        """Mono samples (channels are averaged); DamagedPayloadError."""


def mulaw_table() -> Samples:
    """The samples of the 256 PCMU codes (ITU-T G.711, 14 bits scaled to 16)."""
    code = ~np.arange(256, dtype=np.uint8)
    magnitude = (((code & 15).astype(np.int32) << 3) + 0x84 << ((code >> 4) & 7)) - 0x84
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def alaw_table() -> Samples:
    """The samples of the 256 PCMA codes (ITU-T G.711, 13 bits scaled to 16)."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    segment = ((code >> 4) & 7).astype(np.int32)
    step = ((code & 15).astype(np.int32) << 4) + 8
    magnitude = np.where(segment > 0, step + 0x100 << np.maximum(segment - 1, 0), step)
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


class Pcm:
    """PCMU and PCMA: one byte, one sample."""

    def __init__(self, table: Samples, form: Format) -> None:
        self.sample_rate_hz = form.clock_rate_hz
        self.bytes_per_tick: Fraction | None = Fraction(form.channels)
        self._table = table
        self._channels = form.channels

    def decode(self, payload: bytes) -> Samples:
        """Of any length."""
        return _mono(self._table[np.frombuffer(payload, np.uint8)], self._channels)


class Linear:
    """L16: network byte order (RFC 3551 §4.5.11)."""

    def __init__(self, form: Format) -> None:
        self.sample_rate_hz = form.clock_rate_hz
        self.bytes_per_tick: Fraction | None = Fraction(2 * form.channels)
        self._channels = form.channels

    def decode(self, payload: bytes) -> Samples:
        """An odd byte at the end is damage."""
        if len(payload) % 2:
            raise DamagedPayloadError("L16 with half a sample")
        return _mono(np.frombuffer(payload, ">i2").astype(np.int16), self._channels)


class Ffmpeg:
    """A codec of FFmpeg, one frame or several in a payload."""

    def __init__(
        self,
        av: Any,
        name: str,
        *,
        sample_rate_hz: int,
        bytes_per_tick: Fraction | None,
        frame: int,
        header: bytes | None = None,
    ) -> None:
        self.sample_rate_hz = sample_rate_hz
        self.bytes_per_tick = bytes_per_tick
        self._frame = frame
        self._av = av
        self._context = av.CodecContext.create(name, "r")
        self._context.sample_rate = sample_rate_hz
        self._context.layout = "mono"
        if header is not None:
            self._context.extradata = header

    def decode(self, payload: bytes) -> Samples:
        """The whole frames of a payload; of G729's a comfort-noise frame at the end is silence."""
        whole = payload[: len(payload) // self._frame * self._frame]
        rest = len(payload) - len(whole)
        if rest and (self._frame, rest) != (G729_FRAME, G729_NOISE_FRAME):
            raise DamagedPayloadError(f"{len(payload)} bytes, expected a multiple of {self._frame}")
        if not whole:  # FFmpeg takes an empty packet for the end of everything
            return np.zeros(0, np.int16)
        try:
            found = self._context.decode(self._av.Packet(whole))
        except self._av.error.FFmpegError as error:
            raise DamagedPayloadError(str(error)) from error
        sound = [_whole(np.asarray(frame.to_ndarray()).reshape(-1)) for frame in found]
        return np.concatenate(sound) if sound else np.zeros(0, np.int16)


class Amr:
    """AMR and AMR-WB: frames of 20 ms, packed as the SDP says."""

    bytes_per_tick: Fraction | None = None

    def __init__(self, av: Any, form: Format, name: str, bits: dict[int, int], sample_rate_hz: int) -> None:
        self.sample_rate_hz = sample_rate_hz
        self._packing, self._bits = packing(form.fmtp), bits
        if self._packing.is_sorted or form.channels > 1:
            raise NoDecoderError(f"{form.name} interleaved, sorted or of several channels is not decoded")
        self._frames = Ffmpeg(av, name, sample_rate_hz=sample_rate_hz, bytes_per_tick=None, frame=1)

    def decode(self, payload: bytes) -> Samples:
        """The decoder's own noise for frames that say there is nothing to hear."""
        try:
            found = frames(payload, self._bits, self._packing)
        except UnreadablePayloadError as error:
            raise DamagedPayloadError(str(error)) from error
        return np.concatenate([self._frames.decode(frame) for frame in found])


def _whole(sound: NDArray[Any]) -> Samples:
    """A decoder's samples of 16 bits; some have them from -1 to 1."""
    if sound.dtype.kind == "f":
        sound = np.clip(np.rint(sound * 32768), -32768, 32767)
    samples: Samples = sound.astype(np.int16)
    return samples


G729_FRAME, G729_NOISE_FRAME = 10, 2
_OPUS_RATE_HZ: Final = 48000

_BUILT_IN: Final[dict[str, Callable[[Format], Decoder]]] = {
    "PCMU": lambda form: Pcm(mulaw_table(), form),
    "PCMA": lambda form: Pcm(alaw_table(), form),
    "L16": Linear,
}
_FFMPEG: Final[dict[str, dict[str, Any]]] = {
    # Its clock rate is 8000 by mistake, and stays so (RFC 3551 §4.5.2).
    "G722": {"name": "g722", "sample_rate_hz": 16000, "bytes_per_tick": Fraction(1), "frame": 1},
    "GSM": {"name": "gsm", "sample_rate_hz": 8000, "bytes_per_tick": Fraction(33, 160), "frame": 33},
    "G729": {"name": "g729", "sample_rate_hz": 8000, "bytes_per_tick": Fraction(1, 8), "frame": G729_FRAME},
    # libopus turns whatever a packet holds into 48 kHz mono; FFmpeg's own decoder would need to be told.
    "OPUS": {"name": "libopus", "sample_rate_hz": _OPUS_RATE_HZ, "bytes_per_tick": None, "frame": 1},
}
_AMR: Final[dict[str, tuple[str, dict[int, int], int]]] = {
    # Not FFmpeg's own: these have no comfort noise.
    "AMR": ("libopencore_amrnb", NARROW_BITS, 8000),
    "AMR-WB": ("libopencore_amrwb", WIDE_BITS, 16000),
}
_SPEEX_MODES: Final = {8000: 0, 16000: 1, 32000: 2}
MIN_RATE_HZ, MAX_RATE_HZ, MAX_CHANNELS = 4000, 192_000, 8
"""Audio is within these: an SDP must not be able to make a packet into a minute."""


def decoder(form: Format) -> Decoder:
    """A new decoder for one stream; NoDecoderError."""
    name = form.name.upper()
    if not MIN_RATE_HZ <= form.clock_rate_hz <= MAX_RATE_HZ or not 0 < form.channels <= MAX_CHANNELS:
        raise NoDecoderError(f"{form.name}/{form.clock_rate_hz}/{form.channels} is no audio format")
    if make := _BUILT_IN.get(name):
        return make(form)
    if name not in {*_FFMPEG, *_AMR, "SPEEX"}:
        raise NoDecoderError(f"there is no decoder for {form.name}")
    try:
        av = importlib.import_module("av")  # an extra, and slow to import
    except ImportError as error:
        raise NoDecoderError(f"{form.name} {MISSING}") from error
    try:
        if name in _AMR:
            return Amr(av, form, *_AMR[name])
        return Ffmpeg(av, **(_speex(form) if name == "SPEEX" else _FFMPEG[name]))
    except (ValueError, av.error.FFmpegError) as error:
        raise NoDecoderError(f"the FFmpeg of this PyAV has no decoder for {form.name}") from error


def _speex(form: Format) -> dict[str, Any]:
    """FFmpeg's decoder wants the header of a file, which RTP has not (RFC 5574 §3): up to ten frames in a packet."""
    rate_hz = form.clock_rate_hz
    if rate_hz not in _SPEEX_MODES:
        raise NoDecoderError(f"{form.name}/{rate_hz} is no Speex of RFC 5574")
    mode = _SPEEX_MODES[rate_hz]
    fields = (1, 80, rate_hz, mode, 4, 1, -1, 160 << mode, 0, 10, 0, 0, 0)
    header = b"Speex   " + b"1.2".ljust(20, b"\0") + struct.pack("<13i", *fields)
    return {"name": "speex", "sample_rate_hz": rate_hz, "bytes_per_tick": None, "frame": 1, "header": header}


def _mono(samples: Samples, channels: int) -> Samples:
    if channels == 1:
        return samples
    if len(samples) % channels:
        raise DamagedPayloadError(f"{len(samples)} samples for {channels} channels")
    mono: Samples = samples.reshape(-1, channels).mean(axis=1).astype(np.int16)
    return mono
