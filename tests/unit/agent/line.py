"""What a telephone path does to audio, as functions on 8 kHz samples; and audio that is no identity signal."""

import numpy as np

from agent.sound.identity import SAMPLE_RATE, Samples

PACKET = 160
DTMF_HZ = ((697, 770, 852, 941), (1209, 1336, 1477, 1633))


def _samples(values) -> Samples:
    return np.clip(np.rint(values), -32768, 32767).astype(np.int16)


def mu_law(samples: Samples) -> Samples:
    """G.711 µ-law there and back."""
    x = samples / 32768.0
    code = np.rint(np.sign(x) * np.log1p(255 * np.abs(x)) / np.log(256) * 127) / 127
    return _samples(32768 * np.sign(code) * (256 ** np.abs(code) - 1) / 255)


def a_law(samples: Samples) -> Samples:
    """G.711 A-law there and back."""
    x, a = samples / 32768.0, 87.6
    scale = 1 + np.log(a)
    small = np.abs(x) < 1 / a
    y = np.where(small, a * np.abs(x), 1 + np.log(np.maximum(a * np.abs(x), 1))) / scale
    code = (np.floor(y * 127) + 0.5) / 127
    size = np.where(code < 1 / scale, code * scale / a, np.exp(code * scale - 1) / a)
    return _samples(32768 * np.sign(x) * size)


def gain(samples: Samples, decibel: float) -> Samples:
    return _samples(samples * 10 ** (decibel / 20))


def telephone_band(samples: Samples) -> Samples:
    """300 to 3400 Hz, as a brick wall."""
    spectrum = np.fft.rfft(samples.astype(np.float64))
    hertz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    return _samples(np.fft.irfft(spectrum * ((hertz >= 300) & (hertz <= 3400)), len(samples)))


def delay(samples: Samples, count: int) -> Samples:
    """Starts `count` samples later, so that packets no longer begin where symbols do."""
    return np.concatenate([np.zeros(count, np.int16), samples])


def lose(samples: Samples, rng: np.random.Generator, *, share: float, conceal: bool) -> Samples:
    """Loses packets: concealed by the packet before, or left as holes."""
    packets = samples[: len(samples) // PACKET * PACKET].reshape(-1, PACKET).copy()
    for index in np.flatnonzero(rng.random(len(packets)) < share):
        packets[index] = packets[index - 1] if conceal and index else 0
    return packets.ravel()


def slip(samples: Samples, rng: np.random.Generator, *, count: int) -> Samples:
    """A jitter buffer drops or repeats a packet, `count` times."""
    packets = list(samples[: len(samples) // PACKET * PACKET].reshape(-1, PACKET))
    for _ in range(count):
        where = int(rng.integers(1, len(packets) - 1))
        if rng.random() < 0.5:
            del packets[where]
        else:
            packets.insert(where, packets[where])
    return np.concatenate(packets)


def noise(rng: np.random.Generator, seconds: float, dbfs: float) -> Samples:
    return _samples(rng.normal(0, 32768 * 10 ** (dbfs / 20), int(seconds * SAMPLE_RATE)))


def sine(hertz: float, seconds: float, amplitude: float = 8000) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hertz * np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE)


def dtmf(rng: np.random.Generator, seconds: float) -> Samples:
    """Random digits, 40 to 120 ms, gaps as long."""
    parts = []
    while sum(map(len, parts)) < seconds * SAMPLE_RATE:
        length = float(rng.choice([0.04, 0.06, 0.1, 0.12]))
        parts += [sine(rng.choice(DTMF_HZ[0]), length) + sine(rng.choice(DTMF_HZ[1]), length)]
        parts += [np.zeros(int(length * SAMPLE_RATE))]
    return _samples(np.concatenate(parts))


def speech_like(rng: np.random.Generator, seconds: float) -> Samples:
    """Voiced pulses through three moving formants, with unvoiced parts and pauses: the shape of speech, no words."""
    parts = []
    while sum(map(len, parts)) < seconds * SAMPLE_RATE:
        length = int(rng.uniform(0.05, 0.25) * SAMPLE_RATE)
        kind = rng.choice(["voiced", "unvoiced", "pause"], p=[0.65, 0.2, 0.15])
        spectrum = np.fft.rfft(_source(rng, kind, length))
        hertz = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
        shape = sum(
            1 / (1 + ((hertz - rng.uniform(low, high)) / width) ** 2)
            for low, high, width in ((300, 900, 60), (900, 2300, 90), (2200, 3300, 120))
        )
        wave = np.fft.irfft(spectrum * shape, length)
        parts.append(wave / (np.abs(wave).max() + 1e-9) * rng.uniform(2000, 12000) * (kind != "pause"))
    return _samples(np.concatenate(parts))


def _source(rng: np.random.Generator, kind: str, length: int) -> np.ndarray:
    if kind != "voiced":
        return rng.normal(0, 1, length)
    pulses = np.zeros(length)
    pulses[:: int(SAMPLE_RATE / rng.uniform(90, 300))] = 1
    return pulses


def music(rng: np.random.Generator, seconds: float) -> Samples:
    """Chords of up to four notes with overtones, eighths at 120 to 180 beats."""
    parts = []
    while sum(map(len, parts)) < seconds * SAMPLE_RATE:
        length = float(rng.uniform(0.16, 0.25))
        chord = np.zeros(int(length * SAMPLE_RATE))
        for _ in range(rng.integers(1, 5)):
            note = 110 * 2 ** (rng.integers(0, 48) / 12)
            chord += sum(sine(note * k, length, 4000 / k**2) for k in range(1, 5) if note * k < 3900)
        parts.append(chord * np.exp(-np.arange(len(chord)) / (0.2 * SAMPLE_RATE)))
    return _samples(np.concatenate(parts))


def sweep(rng: np.random.Generator, seconds: float) -> Samples:
    time_s = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    low, rate = rng.uniform(100, 1000), rng.uniform(50, 3000)
    return _samples(9000 * np.sin(2 * np.pi * (low * time_s + rate * time_s**2 / 2)))


def grid_tones(rng: np.random.Generator, seconds: float) -> Samples:
    """The worst impostor: random tones of the signal's own grid, of its own symbol length."""
    count = int(seconds / 0.04)
    return _samples(np.concatenate([sine(500 + 150 * rng.integers(0, 18), 0.04) for _ in range(count)]))
