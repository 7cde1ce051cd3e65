"""Audio to send, its encoders, and tracks and files to look at."""

import wave

import av
import numpy as np

from agent.trace.audio.codecs import mulaw_table
from agent.trace.audio.track import Track

RNG = np.random.default_rng(7)
NOISE = [RNG.integers(0, 256, 160, dtype=np.uint8).tobytes() for _ in range(200)]
SOUND = mulaw_table()[np.frombuffer(b"".join(NOISE), np.uint8)]


def ffmpeg(codec, payload):
    context = av.CodecContext.create(codec, "r")
    context.sample_rate, context.layout = 8000, "mono"
    return context.decode(av.Packet(payload))[0].to_ndarray().reshape(-1)


def encoded(codec, sound, rate_hz, bit_rate=None):
    """Packets of FFmpeg's encoder."""
    context = av.CodecContext.create(codec, "w")
    context.sample_rate, context.layout, context.format = rate_hz, "mono", "s16"
    if bit_rate:
        context.bit_rate = bit_rate
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
