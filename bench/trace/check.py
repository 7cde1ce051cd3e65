"""Whether an answer of the library is the truth, to the last packet and digit."""

import json
from pathlib import Path
from typing import Any

TOLERANCE_MS = 0.001


def wrong(answer: dict[str, Any], facts: Path) -> list[str]:
    """What differs, at most ten lines."""
    known = json.loads(facts.read_text())
    found = {(one["src"], one["dst"], one["ssrc"]): one for one in answer["streams"]}
    faults = [] if len(found) == len(known["streams"]) else [f"{len(found)} streams, not {len(known['streams'])}"]
    for src, dst, ssrc, truth in known["streams"]:
        stream = found.get((src, dst, ssrc))
        if stream is None:
            faults.append(f"{src} {dst} {ssrc}: not found")
            continue
        for name, value in truth.items():
            if name == "digits":
                got = [
                    [d["digit"], round(d["durationMs"] * 8), d["packets"], d["endPackets"]] for d in stream["digits"]
                ]
                same = sorted(got) == sorted(value)
            elif name.endswith("Ms"):
                got, same = stream[name], abs(stream[name] - value) < TOLERANCE_MS
            else:
                got, same = stream[name], stream[name] == value
            if not same:
                faults.append(f"{src} {ssrc} {name}: {got}, not {value}")
    return faults[:10]


def wrong_floor(lines: str, facts: Path) -> list[str]:
    """The same for what the C program prints: digits by their sums."""
    known = json.loads(facts.read_text())
    found = {tuple(line.split()[:3]): [float(one) for one in line.split()[3:]] for line in lines.splitlines()}
    faults = []
    for src, dst, ssrc, truth in known["streams"]:
        expected = [float(value) for name, value in truth.items() if name != "digits"]
        sums = [len(truth["digits"]), *(sum(digit[n] for digit in truth["digits"]) for n in (1, 2, 3))]
        got = found.get((src, dst, ssrc), [])
        pairs = zip(got, [*expected, *sums], strict=False)
        if len(got) != len(expected) + 4 or any(abs(a - b) > TOLERANCE_MS for a, b in pairs):
            faults.append(f"C: {src} {ssrc}: {got}, not {[*expected, *sums]}")
    return faults[:10]
