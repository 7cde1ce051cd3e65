"""Named events (RFC 4733, and 2833 before it) as digits."""

from collections.abc import Iterator
from math import isnan
from typing import Final

from agent.trace.flows import Flows
from agent.trace.model import Digit, DigitMethod

NAMES: Final = (*"0123456789*#ABCD", "flash")
"""RFC 4733 §3.2, by event code."""
_COLUMNS: Final = (
    *("flow", "code", "payload_type", "declared", "start_ns", "earlier_ticks", "ticks", "tick_ns", "volume"),
    *("packets", "ends"),
)


class Digits:
    """The events of all flows, as they were when this was made."""

    def __init__(self, flows: Flows) -> None:
        self._by_flow: dict[int, list[tuple[int, ...]]] = {}
        found = flows.events[: flows.event_count]
        for flow, *event in zip(*(found[name].tolist() for name in _COLUMNS), strict=True):
            self._by_flow.setdefault(flow, []).append(tuple(event))

    def of(self, flow: int, never: int, tick_ns: float) -> Iterator[Digit]:
        """One flow's, without those of undeclared payload types in `never` (a bit each).

        `tick_ns` is taken where the event's own clock is not known.
        """
        for code, payload_type, declared, start_ns, earlier, ticks, tick, volume, packets, ends in self._by_flow.get(
            flow, ()
        ):
            if not declared and never >> payload_type & 1:
                continue
            yield Digit(
                digit=NAMES[code] if code < len(NAMES) else f"event {code}",
                method=DigitMethod.RFC4733,
                start=start_ns / 1e9,
                duration_ms=round((earlier + ticks) * (tick_ns if isnan(tick) else tick) / 1e6, 6),
                volume_dbm0=-volume,
                packets=packets,
                end_packets=ends,
                complete=ends > 0,
            )
