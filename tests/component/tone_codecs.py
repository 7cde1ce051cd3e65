"""Which tones come through the agents' codecs: alone, two in a row, and there and back through two.

usage: dev/uv run --no-sync python -m tests.component.tone_codecs [--step HERTZ] [--codec NAME …]

Bursts of a quarter of a second, at -18 and -24 dBFS, of frequencies within what agent/judge/checks/tone.py believes of
the codecs. Prints a table; exit 1 where one was not heard, or heard as another.
"""

import argparse
import itertools
import os
import sys
from collections.abc import Sequence

import numpy as np

from agent.contract.codecs import Codec
from agent.contract.media import alike_hz
from agent.judge.checks.tone import CARRIED_HZ, MIN_MS
from agent.sound.identity import Samples
from agent.sound.tones import tones
from tests.component.coding import begin, through
from tests.unit.agent.line import sine

SECONDS = 1.5
COMMON_HZ = (350, 400, 425, 440, 480, 620, 950, 1004, 1100, 1400, 1800, 2100)
AMPLITUDES = (8192, 4096)
NOTHING_KNOWN = np.zeros(0, np.bool_)


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", type=int, default=67, metavar="HERTZ")
    parser.add_argument("--codec", type=Codec, nargs="+", default=list(Codec), choices=list(Codec))
    asked = parser.parse_args(given)
    print("| codecs | Hz | tones heard | as another one |\n|---|---|---|---|")
    faults = [fault for pair in _pairs(asked.codec) for fault in _rows(pair, asked.step)]
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def _pairs(codecs: Sequence[Codec]) -> list[tuple[Codec, ...]]:
    return [(codec,) for codec in codecs] + list(itertools.combinations(codecs, 2))


def _rows(pair: tuple[Codec, ...], step: int) -> list[str]:
    """Of one codec, or of two: one way, the other, and there and back, as a caller hears a parrot."""
    lowest, highest = bounds_hz(pair)
    wanted = {hertz for hertz in (*range(lowest, highest, step), *COMMON_HZ, highest) if lowest <= hertz <= highest}
    chains = {pair, pair[::-1], (*pair, *pair[::-1])}
    faults = []
    for chain in sorted(chains, key=lambda chain: (len(chain), chain)):
        trials = [(hertz, amplitude) for hertz in sorted(wanted) for amplitude in AMPLITUDES]
        wrong = [fault for trial in trials if (fault := _fault(chain, *trial))]
        others = sum("another" in fault for fault in wrong)
        came = len(trials) - len(wrong)
        print(f"| {' → '.join(chain)} | {lowest} to {highest} | {came} of {len(trials)} | {others} |", flush=True)
        faults += wrong
    return faults


def bounds_hz(codecs: Sequence[Codec]) -> tuple[int, int]:
    """What is believed of them together."""
    bounds = [CARRIED_HZ[codec.lower()] for codec in codecs]
    return max(low for low, _ in bounds), min(high for _, high in bounds)


def _fault(chain: Sequence[Codec], hertz: int, amplitude: int) -> str | None:
    heard, _ = tones(through(chain, bursts(hertz, amplitude)), NOTHING_KNOWN)
    right_ms = sum(tone.ms for tone in heard if abs(tone.hertz - hertz) <= alike_hz(hertz))
    if right_ms >= MIN_MS and right_ms == sum(tone.ms for tone in heard):
        return None
    return f"{' → '.join(chain)}: {hertz} Hz, amplitude {amplitude}: {'another: ' if heard else ''}{heard}"


def bursts(hertz: int, amplitude: int) -> Samples:
    """A quarter of a second each."""
    wave = sine(hertz, SECONDS, amplitude)
    return np.rint(wave * (np.arange(len(wave)) // 2000 % 2 == 0)).astype(np.int16)


if __name__ == "__main__":
    endpoint = begin()
    code = main()
    sys.stdout.flush()
    os._exit(code)  # pjsip's end is not what is looked at
