"""What is heard of a call's own signal in each codec: one way, twice in a row (a parrot), and with 3 % lost each way.

usage: dev/uv run --no-sync python -m tests.component.codecs [--rounds N] [--codec NAME …]

Each call is a `calltest run` of 4 s through a relay on loopback. Frames of the signal last 480 ms: some seven are whole
beside the digits. Prints a table; exit 1 where a call did not pass.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence

from agent.contract.codecs import Codec
from tests.component.field import PASSED, case
from tests.component.peers.b2bua import Loses, Relays
from tests.component.peers.running import OWN, Outcome, both, run

ALICE, BOB = '"sip:alice@example.com"', '"sip:bob@example.com"'
SOUND = "audio: Own"
ROW = "| {:6} | {:>8} | {:>12} | {:>16} | {:>20} |"


def media(*codecs: str, **more: str) -> str:
    said = "".join(f", {name}: {value}" for name, value in more.items())
    return f"media: {{codecs: [{', '.join(codecs)}]{said}}}"


def through(caller: str, callee: str, *, at_callee: str = OWN, at_caller: str = OWN) -> str:
    """From a caller to a callee, with `media` each."""
    text = both(at_callee, at_caller).replace(f"caller: {{uri: {ALICE}}}", f"caller: {{uri: {ALICE}, {caller}}}")
    return text.replace(f"callee: {{uri: {BOB}}}", f"callee: {{uri: {BOB}, {callee}}}")


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--codec", type=Codec, nargs="+", default=list(Codec), choices=list(Codec))
    asked = parser.parse_args(given)
    print(ROW.format("codec", "one way", "and back", "3 % lost, one way", "3 % lost, and back"))
    print("|" + "|".join("-" * (width + 2) for width in (6, 8, 12, 16, 20)) + "|")
    passed = [_row(codec, asked.rounds) for codec in asked.codec]
    return 0 if all(passed) else 1


def _row(codec: Codec, rounds: int) -> bool:
    """Medians of a codec's frames; whether each call passed."""
    test = through(media(codec), media(codec), at_callee=SOUND, at_caller=SOUND)
    whole, lossy = ([run(case(codec, peer, test)) for _ in range(rounds)] for peer in (Relays, Loses))
    figures = [f"{statistics.median(_frames(one, leg) for one in some):g}" for some in (whole, lossy) for leg in LEGS]
    print(ROW.format(codec, *figures), flush=True)
    faults = [one for one in (*whole, *lossy) if one.verdict != PASSED]
    for one in faults:
        print(f"{codec}: {one.verdict}: {one.run['status'].get('message')}", file=sys.stderr)
    return not faults


LEGS = ("Callee", "Caller")


def _frames(outcome: Outcome, role: str) -> int:
    """Of any signal that a leg heard."""
    legs = (line for line in outcome.told if line.get("kind") == "leg" and line["role"] == role)
    return sum(sum((leg.get("heard") or {}).get("codes", {}).values()) for leg in legs)


if __name__ == "__main__":
    sys.exit(main())
