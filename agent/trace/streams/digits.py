"""Named events (RFC 4733, and 2833 before it) as digits."""

from collections.abc import Callable, Collection
from math import isnan
from typing import Final

import numpy as np

from agent.contract.expect import DtmfMethod
from agent.trace.kernel import Table
from agent.trace.model import Digit
from agent.trace.streams.flows import Flows

NAMES: Final = (*"0123456789*#ABCD", "flash")
"""RFC 4733 §3.2, by event code."""
_COLUMNS: Final = (
    *("code", "payload_type", "declared", "first_ns", "timestamp", "last_segment", "ticks", "tick_ns", "volume"),
    *("packets", "ends"),
)
_WRAP: Final = 1 << 32
MAX_PAUSE_NS: Final = 1_000_000_000
"""Between two packets of one event, where its sender moved to another port meanwhile."""
Senders = Callable[[int], Collection[object]]
"""Who sends a flow: sides of calls."""


class Digits:
    """The events of all flows, as they were when this was made."""

    def __init__(self, flows: Flows, senders: Senders) -> None:
        found = flows.events[: flows.event_count]
        found = _joined(found[(found["ticks"] > 0) | (found["last_segment"] != found["timestamp"])], flows, senders)
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


def _joined(events: Table, flows: Flows, senders: Senders) -> Table:
    """Without those that go on in another flow of the same side and SSRC: a port that moves within a digit."""
    ssrcs = flows.rows["rest"][events["owner"]] >> np.uint64(32) << np.uint64(32)
    begins, goes_on = ssrcs | events["timestamp"], ssrcs | events["last_segment"]
    is_open = events["ends"] == 0
    open_: dict[int, int] = {}
    for place, key in zip(np.flatnonzero(is_open).tolist(), goes_on[is_open].tolist(), strict=True):
        open_.setdefault(key, place)
    kept = np.ones(len(events), bool)
    for place in np.flatnonzero(np.isin(begins, goes_on[is_open])).tolist():
        before = open_[int(begins[place])]
        one, later = events[before], events[place]
        if (
            before != place
            and _is_rest(one, later)
            and set(senders(int(one["owner"]))) & set(senders(int(later["owner"])))
        ):
            for name in ("last_segment", "ticks", "last_ns"):
                one[name] = later[name]
            for name in ("packets", "ends"):
                one[name] += later[name]
            kept[place] = False
    return events[kept]


def _is_rest(one: np.void, later: np.void) -> bool:
    same = one["owner"] != later["owner"] and one["code"] == later["code"]
    return bool(same and 0 < int(later["first_ns"]) - int(one["last_ns"]) <= MAX_PAUSE_NS)


def _duration_ms(ticks: int, tick_ns: float | None) -> float | None:
    return None if tick_ns is None else round(ticks * tick_ns / 1e6, 6)
