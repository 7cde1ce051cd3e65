"""Named events (RFC 4733, and 2833 before it) as digits."""

from math import isnan
from typing import Final

import numpy as np

from agent.contract.call import DtmfMethod
from agent.trace.model import Digit
from agent.trace.streams.flows import Flows

NAMES: Final = (*"0123456789*#ABCD", "flash")
"""RFC 4733 §3.2, by event code."""
_COLUMNS: Final = (
    *("code", "payload_type", "declared", "first_ns", "timestamp", "last_segment", "ticks", "tick_ns", "volume"),
    *("packets", "ends"),
)
_WRAP: Final = 1 << 32


class Digits:
    """The events of all flows, as they were when this was made."""

    def __init__(self, flows: Flows) -> None:
        found = flows.events[: flows.event_count]
        found = found[(found["ticks"] > 0) | (found["last_segment"] != found["timestamp"])]
        order = np.argsort(found["owner"], kind="stable")
        self._flow = found["owner"][order]
        self._columns = [found[name][order].tolist() for name in _COLUMNS]
        self._odd = [found[name][order] for name in ("moved", "pressed_again")]

    def of(self, flow: int, never: int, tick_ns: float | None) -> list[Digit]:
        """One flow's, without those of undeclared payload types in `never` (a bit each).

        `tick_ns` is taken where the event's own clock is not known; None: then its length is not known either.
        """
        begin, end = np.searchsorted(self._flow, [flow, flow + 1]).tolist()
        rows = zip(*(column[begin:end] for column in self._columns), strict=True)
        return [
            Digit(
                digit=NAMES[code] if code < len(NAMES) else f"event {code}",
                method=DtmfMethod.RFC4733,
                start=first_ns / 1e9,
                duration_ms=_duration_ms((last - first) % _WRAP + ticks, tick_ns if isnan(tick) else tick),
                volume_dbm0=-volume,
                packets=packets,
                end_packets=ends,
                complete=ends > 0,
            )
            for code, payload_type, declared, first_ns, first, last, ticks, tick, volume, packets, ends in rows
            if declared or not never >> payload_type & 1
        ]

    def odd(self, flow: int) -> tuple[int, int]:
        """Digits that may be one press with those before them (timestamps moved), and presses that a marker tells."""
        begin, end = np.searchsorted(self._flow, [flow, flow + 1]).tolist()
        moved, again = (int(column[begin:end].sum()) for column in self._odd)
        return moved, again


def _duration_ms(ticks: int, tick_ns: float | None) -> float | None:
    return None if tick_ns is None else round(ticks * tick_ns / 1e6, 6)
