"""A peer's own troubles: what it read late, and what the kernel dropped at its sockets.

A peer is a thread of a test on a machine that is busy; what it did late, or never got, is neither its part nor our
agents' doing.
"""

import os
import socket
import struct
import time
from collections.abc import Iterable
from pathlib import Path

from agent.judge.overload import MAX_LATENESS_MS, Excuse

SO_TIMESTAMPNS = 35
"""socket(7), asm-generic/socket.h: with each datagram, when the kernel got it, on the wall clock."""
STAMP = struct.Struct("@qq")
TABLES = (Path("/proc/net/udp"), Path("/proc/net/udp6"))


class Trouble:
    """Of one peer."""

    def __init__(self) -> None:
        self.late_ms = 0.0
        """At worst: a datagram lay at a socket, or a timer was overdue."""
        self.dropped = 0
        """Datagrams, until it was closed."""

    @property
    def kinds(self) -> frozenset[Excuse]:
        """What of it may have broken a call, by the same measure as an agent's."""
        late = {Excuse.LATE, Excuse.LATE_MEDIA} if self.late_ms > MAX_LATENESS_MS else set()
        return frozenset(late | ({Excuse.DROPPED} if self.dropped else set()))

    def __str__(self) -> str:
        return f"up to {self.late_ms:.0f} ms late, {self.dropped} datagrams dropped"

    def was_due(self, due_s: float) -> None:
        """By the monotonic clock; it is done now."""
        self.late_ms = max(self.late_ms, 1000 * (time.monotonic() - due_s))

    def receive(self, sock: socket.socket) -> tuple[bytes, tuple[str, int]]:
        """As `recvfrom` of a socket that `watch` was told of."""
        data, extra, _, peer = sock.recvmsg(65_535, socket.CMSG_SPACE(STAMP.size))
        for level, kind, stamp in extra:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS) and len(stamp) == STAMP.size:
                seconds, nanoseconds = STAMP.unpack(stamp)
                self.late_ms = max(self.late_ms, 1000 * time.time() - 1000 * seconds - nanoseconds / 1e6)
        return data, peer

    def closing(self, sockets: Iterable[socket.socket]) -> None:
        """Takes note of what the kernel dropped at them: columns 10 and 13 of proc_net_udp(5)."""
        own = {str(os.fstat(sock.fileno()).st_ino) for sock in sockets}
        rows = [row.split() for table in TABLES if table.exists() for row in table.read_text().splitlines()[1:]]
        self.dropped += sum(int(row[12]) for row in rows if row[9] in own)


def watch(sock: socket.socket) -> None:
    """From here on its datagrams come with their times."""
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
