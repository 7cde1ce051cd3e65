"""Sound through the codecs' own libraries, without a call: encoded by pjmedia, as an agent does, decoded by the tap.

For a process that has pjsip to itself: `begin` is called once in it.
"""

import ctypes
import random
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pjsua2 as pj

from agent.contract.codecs import Codec
from agent.sound.identity import SAMPLE_RATE, Samples
from agent.tap import _library

PACKET_S: Final = 0.02
MAX_SAMPLES: Final = 4000
"""TAP_MAX_SAMPLES."""
TAP_CODECS: Final = {"PCMU": 3, "PCMA": 4, "G722": 5, "GSM": 6, "speex": 7, "L16": 8, "opus": 9, "G729": 10}
"""enum tap_codec."""
NAMES: Final = {"G722": "G722/16000/1", "opus": "opus/48000/2", "L16": "L16/8000/1"}
_INIT, _OPEN, _CLOSE, _MODIFY, _ENCODE = 0, 1, 2, 3, 5
"""Places in struct pjmedia_codec_op."""


class _Text(ctypes.Structure):
    _fields_ = (("at", ctypes.c_char_p), ("length", ctypes.c_ssize_t))


class _Codec(ctypes.Structure):
    _fields_ = (
        ("prev", ctypes.c_void_p), ("next", ctypes.c_void_p), ("data", ctypes.c_void_p), ("factory", ctypes.c_void_p),
        ("op", ctypes.POINTER(ctypes.c_void_p)),
    )  # fmt: skip


class _Frame(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int), ("buf", ctypes.c_void_p), ("size", ctypes.c_size_t), ("timestamp", ctypes.c_uint64),
        ("bits", ctypes.c_uint32),
    )  # fmt: skip


class _Param(ctypes.Structure):
    """Its beginning: up to the flags of `setting` (vad, cng, penh, plc: a bit each)."""

    _fields_ = (
        ("clock_rate", ctypes.c_uint), ("channels", ctypes.c_uint), ("avg_bps", ctypes.c_uint32),
        ("max_bps", ctypes.c_uint32), ("max_rx", ctypes.c_uint), ("ptime", ctypes.c_uint16),
        ("ptime_denum", ctypes.c_uint8), ("enc_ptime", ctypes.c_uint16), ("enc_ptime_denum", ctypes.c_uint8),
        ("bits", ctypes.c_uint8), ("pt", ctypes.c_uint8), ("fmt", ctypes.c_uint32), ("gap", ctypes.c_uint32),
        ("per_packet", ctypes.c_uint8),
        ("flags", ctypes.c_uint8), ("rest", ctypes.c_uint8 * 4096),
    )  # fmt: skip


def begin() -> pj.Endpoint:
    """pjsip with all its codecs; to be kept for as long as they are used."""
    endpoint, config = pj.Endpoint(), pj.EpConfig()
    config.logConfig.level = config.logConfig.consoleLevel = 0
    endpoint.libCreate()
    endpoint.libInit(config)
    return endpoint


class Path:
    """One codec from one end to the other; used for one sound."""

    def __init__(self, codec: Codec, *, bps: int | None = None) -> None:
        self._pjsip: Any = _library()
        for name in ("pjmedia_endpt_get_codec_mgr", "pjsua_get_pjmedia_endpt", "tap_decoder_new"):
            getattr(self._pjsip, name).restype = ctypes.c_void_p
        self._pjsip.tap_decode.restype = ctypes.c_size_t
        self._manager = ctypes.c_void_p(
            self._pjsip.pjmedia_endpt_get_codec_mgr(ctypes.c_void_p(self._pjsip.pjsua_get_pjmedia_endpt()))
        )
        self._decoder = ctypes.c_void_p(self._pjsip.tap_decoder_new(TAP_CODECS[codec]))
        self._codec, self._rate_hz = self._opened(NAMES.get(codec, f"{codec}/8000/1"), bps)

    def _opened(self, name: str, bps: int | None) -> tuple[Any, int]:
        pjsip, manager = self._pjsip, self._manager
        found, count, param = ctypes.c_void_p(), ctypes.c_uint(1), _Param()
        codec = ctypes.POINTER(_Codec)()
        text = _Text(name.encode(), len(name))
        ways = (
            pjsip.pjmedia_codec_mgr_find_codecs_by_id(
                manager, ctypes.byref(text), ctypes.byref(count), ctypes.byref(found), None
            ),
            pjsip.pjmedia_codec_mgr_get_default_param(manager, found, ctypes.byref(param)),
            pjsip.pjmedia_codec_mgr_alloc_codec(manager, found, ctypes.byref(codec)),
        )
        param.flags = 0  # no pauses
        opened = [_call(codec, _INIT, None), _call(codec, _OPEN, ctypes.byref(param))]
        if bps is not None:  # it listens to this in an open codec alone
            param.avg_bps = bps
            opened.append(_call(codec, _MODIFY, ctypes.byref(param)))
        if any((*ways, *opened)):
            raise RuntimeError(f"{name} cannot be had: {ways} {opened}")
        return codec, int(param.clock_rate)

    def close(self) -> None:
        """There are so many of each codec."""
        _call(self._codec, _CLOSE)
        self._pjsip.pjmedia_codec_mgr_dealloc_codec(self._manager, self._codec)
        self._pjsip.tap_decoder_free(self._decoder)

    def carry(self, samples: Samples, *, loss: float = 0.0, seed: int = 0) -> Samples:
        """What the other end hears: in the place of a packet that is lost, silence, as the tap has it."""
        chosen, heard = random.Random(seed), []
        wide = _at_rate(samples, self._rate_hz)
        length = round(PACKET_S * self._rate_hz)
        for begin in range(0, len(wide) // length * length, length):
            payload = self._encoded(wide[begin : begin + length])
            if chosen.random() < loss:
                heard.append(np.zeros(round(PACKET_S * SAMPLE_RATE), np.int16))
            else:
                heard.append(self._decoded(payload))
        return np.concatenate(heard) if heard else samples[:0]

    def _encoded(self, packet: Samples) -> bytes:
        """In as many frames as it takes."""
        coded = ctypes.create_string_buffer(4096)
        step = len(packet)
        whole = np.ascontiguousarray(packet)
        given = _Frame(type=1, buf=whole.ctypes.data, size=2 * step)
        made = _Frame(type=0, buf=ctypes.addressof(coded), size=len(coded))
        status = _call(self._codec, _ENCODE, ctypes.byref(given), ctypes.c_uint(len(coded)), ctypes.byref(made))
        if status:
            raise RuntimeError(f"a packet could not be encoded: {status}")
        return coded.raw[: made.size]

    def _decoded(self, payload: bytes) -> Samples:
        samples = (ctypes.c_int16 * MAX_SAMPLES)()
        count = self._pjsip.tap_decode(self._decoder, payload, ctypes.c_size_t(len(payload)), samples)
        return np.frombuffer(samples, np.int16)[:count].copy()


def through(chain: Sequence[Codec], samples: Samples, *, loss: float = 0.0, seed: int = 0) -> Samples:
    """One codec after the other; packets are lost on each."""
    for place, codec in enumerate(chain):
        path = Path(codec)
        samples = path.carry(samples, loss=loss, seed=1000 * seed + place)
        path.close()
    return samples


def _call(codec: Any, place: int, *given: Any) -> int:
    return int(ctypes.CFUNCTYPE(ctypes.c_int)(codec.contents.op[place])(codec, *given))


def _at_rate(samples: Samples, rate_hz: int) -> Samples:
    """8 kHz sound at a higher rate, band-limited."""
    times = rate_hz // SAMPLE_RATE
    if times == 1:
        return samples
    spectrum = np.fft.rfft(samples.astype(np.float64))
    wide = np.fft.irfft(spectrum, times * len(samples)) * times
    return np.clip(np.rint(wide), -32768, 32767).astype(np.int16)
