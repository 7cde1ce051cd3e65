"""What is heard of a call's own signal behind codecs in a row, as a SUT that transcodes and a parrot make them.

usage: dev/uv run --no-sync python -m tests.component.chains [--seconds S] [--calls N] [--kind KIND …]

Chains of one to three codecs, there and back through two, and opus at few bits; with nothing lost, and with 3 % of the
packets lost on each of them. Prints of each kind of chain how many calls there were, what share of the time the own
signal was heard, and how much other sound; then each chain where the signal was heard for less than nine tenths. Exit 1
where it was heard for less than half, which is what `audio: Own` asks for.
"""

import argparse
import itertools
import os
import sys
from collections.abc import Sequence
from typing import Final

import numpy as np

from agent.contract.codecs import Codec
from agent.contract.plan import identity_code
from agent.sound.hearing import hear
from agent.sound.identity import Samples, encode
from tests.component.coding import Path, begin

LOSSES: Final = (0.0, 0.03)
OPUS_BPS: Final = (6000, 8000, 10_000, 12_000)
LOSSY: Final = tuple(codec for codec in Codec if codec not in (Codec.PCMU, Codec.PCMA, Codec.L16))
"""The others change nothing that another one has left."""
OWN_SHARE: Final = 0.5
"""`audio: Own` asks for so much."""
WELL_SHARE: Final = 0.9

Chain = tuple[tuple[Codec, int | None], ...]
"""Each codec with its bits per second, where they are not the usual ones."""


def heard(samples: Samples, code: int) -> tuple[float, float]:
    """The own signal's share of the time, and other sound's of what is audible between its first and last."""
    found = hear(samples, own=code)
    own = [part for part in found.stretches if part.code == code]
    own_ms = sum(part.own_ms for part in own)
    other_ms = sum(part.sound_ms for part in found.stretches if part.code != code) if own else 0.0
    return own_ms / max(1.0, found.duration_ms), other_ms / max(1.0, own_ms + other_ms)


def kinds() -> dict[str, list[Chain]]:
    """Chains by what they are."""
    few: list[Chain] = [((Codec.OPUS, bps),) for bps in OPUS_BPS]
    there = [tuple((codec, None) for codec in pair) for pair in itertools.product(LOSSY, repeat=2)]
    return {
        "one codec": [((codec, None),) for codec in Codec],
        "two": [tuple((codec, None) for codec in pair) for pair in itertools.product(Codec, repeat=2)],
        "three": [tuple((codec, None) for codec in three) for three in itertools.product(LOSSY, repeat=3)],
        "there and back through two": [(*pair, *pair[::-1]) for pair in there],
        "opus at 6 to 12 kbit/s": few,
        "that, and back": [(*one, *one) for one in few],
        "that, then another": [(*one, (codec, None)) for one in few for codec in LOSSY],
    }


def measured(chain: Chain, loss: float, number: int, seconds: float) -> tuple[float, float]:
    """Of one call: the own share, and that of other sound."""
    code = identity_code(f"run/0/chain/{number}")
    sound = encode(code, frames=int(seconds / 0.48) + 1)[: int(seconds * 8000)]
    for place, (codec, bps) in enumerate(chain):
        path = Path(codec, bps=bps)
        sound = path.carry(sound, loss=loss, seed=1000 * number + place)
        path.close()
    return heard(sound, code)


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--calls", type=int, default=2, help="of each chain")
    parser.add_argument("--kind", nargs="+", default=list(kinds()), choices=list(kinds()), metavar="KIND")
    asked = parser.parse_args(given)
    print("| codecs | lost on each | calls | own signal, least | mean | other sound, most |\n|---|---|---|---|---|---|")
    weak: list[str] = []
    worst = 1.0
    for kind, chains in ((kind, kinds()[kind]) for kind in asked.kind):
        for loss in LOSSES:
            trials = [(chain, number) for chain in chains for number in range(asked.calls)]
            found = [measured(chain, loss, number, asked.seconds) for chain, number in trials]
            own, other = [share for share, _ in found], [share for _, share in found]
            print(
                f"| {kind} | {100 * loss:.0f} % | {len(found)} | {100 * min(own):.0f} % | {100 * np.mean(own):.0f} % "
                f"| {100 * max(other):.0f} % |",
                flush=True,
            )
            worst = min(worst, *own)
            weak += [
                f"{_named(chain)}, {100 * loss:.0f} % lost: {100 * share:.0f} % own"
                for (chain, _), share in zip(trials, own, strict=True)
                if share < WELL_SHARE
            ]
    print(*weak, sep="\n")
    return 1 if worst < OWN_SHARE else 0


def _named(chain: Chain) -> str:
    return " → ".join(f"{codec} {bps // 1000} kbit/s" if bps else codec for codec, bps in chain)


if __name__ == "__main__":
    endpoint = begin()
    code = main()
    sys.stdout.flush()
    os._exit(code)  # pjsip's end is not what is looked at
