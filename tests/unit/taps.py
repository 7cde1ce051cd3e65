"""What the tap saw of good calls, for tests to break in one place at a time."""

from typing import Any

from agent.observe.media import DIGITS
from agent.tap.model import TapDigit, TapStream


def tap_stream(**changed: Any) -> TapStream:
    """Ninety packets of PCMU, received."""
    fields: dict[str, Any] = {
        "sent": False, "local": "127.0.0.1:1", "remote": "127.0.0.1:2", "ssrc": 1, "mark": 0, "packets": 90,
        "bytes": 15480, "expected": 90, "lost": 0, "duplicates": 0, "reordered": 0, "unnegotiated": 0,
        "jitter_samples": 89, "jitter_ms": 1.0, "mean_jitter_ms": 1.0, "max_jitter_ms": 2.0, "max_gap_ms": 20.0,
        "max_late_ms": 0.0, "first_at": 1.0, "last_at": 3.0, "first_s": 1.0, "last_s": 3.0, "payload_types": {0: 90},
    }  # fmt: skip
    return TapStream(**(fields | changed))


def tap_digit(digit: str, first_s: float = 1.0, **changed: Any) -> TapDigit:
    """A digit of 100 ms: five packets, and the end twice more."""
    fields: dict[str, Any] = {
        "code": DIGITS.index(digit), "payload_type": 101, "timestamp": 0, "first_s": first_s, "last_s": first_s + 0.1,
        "duration_ms": 100.0, "volume_dbm0": -10, "marker": True, "packets": 7, "end_packets": 3,
    }  # fmt: skip
    return TapDigit(**(fields | changed))
