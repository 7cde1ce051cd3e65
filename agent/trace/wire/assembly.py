"""One direction of a TCP connection (RFC 9293) as bytes in order, whatever copies and overlaps its segments have."""

from typing import Final

MAX_WAITING: Final = 64
"""Segments that wait for an earlier one."""
MAX_WAITING_BYTES: Final = 131_072
MAX_WAIT_NS: Final = 1_000_000_000
"""Longer than a retransmission takes (RFC 6298 §2): the capture lacks it."""
_WRAP: Final = 1 << 32
_FAR: Final = 1 << 22
"""Of sequence numbers: no window is as large, it is another connection."""


class Assembly:
    """What comes next, and what waits for it."""

    def __init__(self, following: int) -> None:
        self.begun = following % _WRAP
        self._following = self.begun
        self._waiting: dict[int, tuple[bytes, int]] = {}
        """Payload and length on the wire, by sequence number."""
        self._since_ns = 0

    @property
    def waiting(self) -> bool:
        """Something is missing, and what is behind it is there."""
        return bool(self._waiting)

    def add(self, sequence: int, payload: bytes, wire: int, now_ns: int) -> list[bytes | None]:
        """The bytes that are next in order now, in pieces, None for a gap; `wire` is longer where the capture cut."""
        ahead = (sequence - self._following) % _WRAP
        if ahead == 0 and not self._waiting and len(payload) == wire:
            self._following = (self._following + wire) % _WRAP
            return [payload]
        if _FAR < ahead < _WRAP - _FAR:
            self._waiting.clear()
            self._following = sequence
            return [None, *self._took(sequence, payload, wire)]
        if ahead > _FAR:
            found = self._took(sequence, payload, wire)
        else:
            if not self._waiting:
                self._since_ns = now_ns
            known = self._waiting.get(sequence)
            if known is None or len(known[0]) < len(payload):
                self._waiting[sequence] = payload, wire
            found = []
        found += self._drained()
        if found:
            self._since_ns = now_ns
        if self._is_overdue(now_ns):
            self._following = min(self._waiting, key=lambda at: (at - self._following) % _WRAP)
            self._since_ns = now_ns
            found += [None, *self._drained()]
        return found

    def _is_overdue(self, now_ns: int) -> bool:
        if not self._waiting:
            return False
        held = sum(len(payload) for payload, _ in self._waiting.values())
        return (
            len(self._waiting) > MAX_WAITING or held > MAX_WAITING_BYTES or now_ns - self._since_ns > MAX_WAIT_NS
        )  # fmt: skip

    def _drained(self) -> list[bytes | None]:
        """Those that waited and are next now, or overlap what is known."""
        found: list[bytes | None] = []
        while due := [at for at in self._waiting if (self._following - at) % _WRAP < _FAR]:
            for at in sorted(due, key=lambda one: -((self._following - one) % _WRAP)):
                found += self._took(at, *self._waiting.pop(at))
        return found

    def _took(self, sequence: int, payload: bytes, wire: int) -> list[bytes | None]:
        """What is new in a segment that begins at, or before, what is next."""
        known = (self._following - sequence) % _WRAP
        if known >= wire:
            return []
        self._following = (sequence + wire) % _WRAP
        fresh = payload[known:]
        return ([fresh] if fresh else []) + ([None] if len(payload) < wire else [])
