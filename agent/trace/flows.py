"""All streams seen so far, as columns: found by key in one numpy step per batch, whatever their number."""

from typing import Final

import numpy as np
import numpy.typing as npt

from agent.trace.records import Ints

MAX_UNCONFIRMED: Final = 32_768
"""What may yet turn out to be RTP. Beyond it the longest silent half is forgotten."""

_COLUMNS: Final[dict[str, type]] = {
    "hosts": np.uint64,
    "rest": np.uint64,
    "packets": np.int64,
    "runs": np.int64,
    "duplicates": np.int64,
    "reordered": np.int64,
    "sequence": np.int64,
    "highest": np.int64,
    "lowest": np.int64,
    "timestamp": np.int64,
    "first_ns": np.int64,
    "last_ns": np.int64,
    "max_delta_ns": np.int64,
    "order": np.int64,
    "source": np.int64,
    "destination": np.int64,
    "meaning": np.int64,
    "heard": np.int64,
    "audio_ns": np.int64,
    "audio_timestamp": np.uint32,
    "audio_tick_ns": np.float64,
    "jitter_ns": np.float64,
    "max_jitter_ns": np.float64,
    "declared": np.bool_,
    "live": np.bool_,
}

Keys = npt.NDArray[np.uint64]
_LOW: Final = np.uint64(0xFFFFFFFF)
_PORT: Final = np.uint64(0xFFFF)


def places(host: Keys, port: Keys) -> Ints:
    """An address (as addresses.Addresses numbers it) and a port (as loaded little-endian) as one number."""
    return (host << np.uint64(16) | port).astype(np.int64)


def place(host: int, port: int) -> int:
    """The same for one; the port as a number."""
    return host << 16 | port >> 8 | (port & 0xFF) << 8


class Flows:
    """One row per (source, destination, SSRC) that may be an RTP stream. Rows keep their number while they live.

    Columns: `runs` packets that followed on the one before by sequence number; `sequence`, `timestamp` extended, of
    the last packet; `order` of the first packet in the capture; `source`, `destination` address and port as
    `place` makes them; `meaning` row of formats.Meanings in force, `heard` that of the last packet; `audio_*` of the
    last audio packet (its clock nan before the first); jitter in ns.
    """

    hosts: npt.NDArray[np.uint64]
    rest: npt.NDArray[np.uint64]
    packets: Ints
    runs: Ints
    duplicates: Ints
    reordered: Ints
    sequence: Ints
    highest: Ints
    lowest: Ints
    timestamp: Ints
    first_ns: Ints
    last_ns: Ints
    max_delta_ns: Ints
    order: Ints
    source: Ints
    destination: Ints
    meaning: Ints
    heard: Ints
    audio_ns: Ints
    audio_timestamp: npt.NDArray[np.uint32]
    audio_tick_ns: npt.NDArray[np.float64]
    jitter_ns: npt.NDArray[np.float64]
    max_jitter_ns: npt.NDArray[np.float64]
    declared: npt.NDArray[np.bool_]
    live: npt.NDArray[np.bool_]
    by_type: npt.NDArray[np.int32]
    """Packets by payload type, shape (flows, 128)."""
    not_event: npt.NDArray[np.bool_]
    """Undeclared payload types that are too long for an event, shape (flows, 128)."""

    def __init__(self) -> None:
        self.count = 0
        self.forgotten = 0
        """Flows that had not been confirmed when room was needed."""
        self._free: list[int] = []
        for name, kind in _COLUMNS.items():
            setattr(self, name, np.zeros(0, kind))
        self.by_type, self.not_event = np.zeros((0, 128), np.int32), np.zeros((0, 128), bool)
        self._slots = np.full(4096, -1)

    def find(self, hosts: Keys, rest: Keys) -> Ints:
        """Each packet's row, -1 where there is none yet."""
        slot = self._slot(hosts, rest)
        found = self._slots[slot]
        wrong = (self.hosts[found] != hosts) | (self.rest[found] != rest) if self.count else np.ones(len(slot), bool)
        wrong &= found >= 0
        if not wrong.any():
            return found
        # Another key sits in the slot: look further, as `_enter` did.
        missed = np.flatnonzero(wrong)
        while len(missed):
            slot[missed] = (slot[missed] + 1) & (len(self._slots) - 1)
            here = self._slots[slot[missed]]
            found[missed] = here
            other = (self.hosts[here] != hosts[missed]) | (self.rest[here] != rest[missed])
            missed = missed[other & (here >= 0)]
        return found

    def add(self, hosts: Keys, rest: Keys) -> Ints:
        """Rows for keys that have none, each once; all columns 0 but the clock of its audio."""
        reused = min(len(self._free), len(hosts))
        fresh = np.arange(self.count, self.count + len(hosts) - reused)
        rows = np.concatenate([np.array(self._free[len(self._free) - reused :], np.int64), fresh])
        del self._free[len(self._free) - reused :]
        self.count += len(hosts) - reused
        if self.count > len(self.hosts):
            self._grow(max(1024, self.count + self.count // 2))
        self.source[rows] = places(hosts & _LOW, rest & _PORT)
        self.destination[rows] = places(hosts >> np.uint64(32), rest >> np.uint64(16) & _PORT)
        self.hosts[rows], self.rest[rows], self.live[rows], self.audio_tick_ns[rows] = hosts, rest, True, np.nan
        if 2 * self.count > len(self._slots):
            self._slots = np.full(1 << (4 * self.count).bit_length(), -1)
            self._enter(np.flatnonzero(self.live[: self.count]))
        else:
            self._enter(rows)
        return rows

    def confirmed(self) -> npt.NDArray[np.bool_]:
        """RTP: SDP says so, or two packets followed one another (RFC 3550 A.1)."""
        return self.live & ((self.runs > 0) | self.declared)

    def forget(self, limit: int = MAX_UNCONFIRMED) -> Ints:
        """Drops the longest silent half of what was not confirmed, when that is more than `limit`; their rows."""
        unsure = np.flatnonzero(self.live & ~self.confirmed())
        if len(unsure) <= limit:
            return unsure[:0]
        oldest = unsure[np.argsort(self.last_ns[unsure], kind="stable")][: len(unsure) // 2]
        for name in (*_COLUMNS, "by_type", "not_event"):
            getattr(self, name)[oldest] = 0
        self._free += oldest.tolist()
        self.forgotten += len(oldest)
        self._slots[:] = -1
        self._enter(np.flatnonzero(self.live[: self.count]))
        return oldest

    def _slot(self, hosts: Keys, rest: Keys) -> Ints:
        mixed = hosts * np.uint64(0x9E3779B97F4A7C15) ^ rest * np.uint64(0xC2B2AE3D27D4EB4F)
        shift = np.uint64(64 - (len(self._slots).bit_length() - 1))
        return (mixed >> shift).astype(np.int64)

    def _enter(self, rows: Ints) -> None:
        """Puts rows into the table, each in the next free slot; where several want one, one gets it."""
        slot = self._slot(self.hosts[rows], self.rest[rows])
        while len(rows):
            free = self._slots[slot] < 0
            self._slots[slot[free]] = rows[free]
            waiting = self._slots[slot] != rows
            rows, slot = rows[waiting], (slot[waiting] + 1) & (len(self._slots) - 1)

    def _grow(self, size: int) -> None:
        for name in (*_COLUMNS, "by_type", "not_event"):
            old = getattr(self, name)
            new = np.zeros((size, *old.shape[1:]), old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
