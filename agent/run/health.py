"""The agent's own troubles: CPU quota, datagrams dropped at our sockets, lateness. Facts; agent/judge judges them.

Each reader gives None where the system does not tell (another kernel, no cgroup, no /proc), never 0.
"""

import re
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent.contract.observation import Health, Trouble

SENTINEL_PERIOD_S: Final = 0.02
"""One RTP packet's time."""
MIN_SAMPLE_S: Final = 0.1
"""A counter read more recently than this is not read again."""
HEXADECIMAL: Final = re.compile(r"[0-9A-Fa-f]{1,4}")


def throttled_ms(root: Path = Path("/")) -> float | None:
    """How long CPU quotas have stopped our cgroup and those above it, so far; None where there is no quota to read.

    cgroup v2: cpu.stat throttled_usec; v1: the cpu controller's cpu.stat throttled_time, in ns. `root` is for tests.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    figures = [figure for line in lines for figure in _quota_figures(root, line)]
    return sum(figures) if figures else None


def _quota_figures(root: Path, line: str) -> Iterator[float]:
    """Milliseconds throttled in the cgroup of one line of /proc/self/cgroup (id:controllers:path) and its parents."""
    _, _, rest = line.partition(":")
    controllers, _, path = rest.partition(":")
    if controllers == "":
        mounts, key, per_ms = [""], "throttled_usec", 1e3
    elif "cpu" in controllers.split(","):
        mounts, key, per_ms = [controllers, "cpu"], "throttled_time", 1e6
    else:
        return
    mount = next((at for name in mounts if (at := root / "sys/fs/cgroup" / name).is_dir()), None)
    if mount is None:
        return
    # In a container the mount itself is our cgroup, and the path may not exist below it.
    inner = Path(path.lstrip("/"))
    for group in (inner, *inner.parents):
        if (figure := _figure(mount / group / "cpu.stat", key)) is not None:
            yield figure / per_ms


def _figure(path: Path, key: str) -> int | None:
    try:
        fields = dict(line.split(maxsplit=1) for line in path.read_text().splitlines() if " " in line)
        return int(fields[key])
    except (OSError, KeyError, ValueError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class UdpSocket:
    """As the kernel tells of one."""

    inode: str
    port: int
    """The local one."""
    drops: int
    """Datagrams that it dropped there so far: the receive buffer was full, mostly."""


class UdpSockets:
    """The UDP sockets of this process."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._proc = root / "proc"

    def read(self) -> list[UdpSocket] | None:
        """Those that are open; None where /proc/net does not tell."""
        own = self._own_inodes()
        tables = [self._table("udp"), self._table("udp6")]
        if own is None or all(table is None for table in tables):
            return None
        return [row for table in tables if table for row in table if row.inode in own]

    def _own_inodes(self) -> set[str] | None:
        try:
            descriptors = list((self._proc / "self/fd").iterdir())
        except OSError:
            return None
        return {link[8:-1] for path in descriptors if (link := self._link(path)).startswith("socket:[")}

    def _link(self, path: Path) -> str:
        try:
            return str(path.readlink())
        except OSError:  # closed since it was listed
            return ""

    def _table(self, name: str) -> list[UdpSocket] | None:
        """Columns 2 (address and port, hexadecimal), 10 and 13 (proc_net_udp(5)); malformed rows are skipped."""
        try:
            rows = (self._proc / "net" / name).read_text().splitlines()[1:]
        except OSError:
            return None
        fields = [row.split() for row in rows]
        return [
            UdpSocket(inode=row[9], port=int(port, 16), drops=int(row[12]))
            for row in fields
            if len(row) >= 13 and row[12].isdigit() and HEXADECIMAL.fullmatch(port := row[1].rpartition(":")[2])
        ]


class SocketDrops:
    """What the kernel dropped at the UDP sockets of this process: at SIP's, and at those of one call's RTP."""

    def __init__(self, read: Callable[[], Sequence[UdpSocket] | None], sip_port: int | None) -> None:
        """`sip_port`: of UDP; None: SIP goes by connections."""
        self._read, self._sip_port = read, sip_port
        self._seen: dict[str, tuple[UdpSocket, float]] = {}
        """By inode, those closed since too, with when they were seen last."""
        self._known = False

    def sample(self, now_s: float) -> None:
        """Reads them."""
        sockets = self._read()
        self._known = sockets is not None
        self._seen.update({socket.inode: (socket, now_s) for socket in sockets or ()})

    def of_sip(self) -> int | None:
        """So far; None: not known."""
        if not self._known:
            return None
        return sum(one.drops for one, _ in self._seen.values() if one.port == self._sip_port)

    def of_rtp(self, ports: Collection[int], since_s: float) -> int | None:
        """At sockets of those ports that were there since then, from their opening on. None: none was seen."""
        mine = [one for one, seen_s in self._seen.values() if one.port in ports and seen_s >= since_s]
        return sum(one.drops for one in mine) if mine else None


class Lateness:
    """The largest value of any stretch of time up to now, kept in few entries: smaller ones before it never matter."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, float]] = []

    def add(self, at_s: float, late_s: float) -> None:
        """Takes note; times must not go backwards."""
        entries = self._entries
        while entries and entries[-1][1] <= late_s:
            entries.pop()
        entries.append((at_s, late_s))

    def worst_since(self, begin_s: float) -> float | None:
        """In seconds; None when nothing was noted since."""
        entries = self._entries
        first = bisect_left(entries, (begin_s, 0.0))
        return entries[first][1] if first < len(entries) else None


class Sentinel:
    """A thread that wants to run every 20 ms, and notes by how much it was late. One per process."""

    def __init__(self) -> None:
        self._lateness = Lateness()
        self._lock = threading.Lock()
        self._due_s: float | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sentinel", daemon=True)

    def start(self) -> None:
        """Begins to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread."""
        self._stopped.set()
        self._thread.join()
        self._due_s = None

    def worst_ms(self, begin_s: float) -> float | None:
        """Worst lateness since then, what is late still too; None when it has not run since."""
        with self._lock:
            late_s = 0.0 if self._due_s is None else time.monotonic() - self._due_s
            worst_s = self._lateness.worst_since(begin_s)
        return _ms(late_s if late_s > SENTINEL_PERIOD_S and late_s > (worst_s or 0.0) else worst_s)

    def _run(self) -> None:
        self._due_s = due_s = time.monotonic() + SENTINEL_PERIOD_S
        while not self._stopped.wait(max(0.0, due_s - time.monotonic())):
            now_s = time.monotonic()
            with self._lock:
                self._lateness.add(now_s, max(0.0, now_s - due_s))
                self._due_s = due_s = now_s + SENTINEL_PERIOD_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What the counters stood at when a stretch of a leg began."""

    began_s: float
    throttled_ms: float | None
    socket_drops: int | None


@dataclass(slots=True, kw_only=True)
class HealthMonitor:
    """Reads the counters while calls are up, and says what changed during a stretch of a leg."""

    throttled: Callable[[], float | None]
    drops: SocketDrops
    worst_ms: Callable[[float], float | None]
    """Worst lateness of the process since a time."""
    _loop: Lateness = field(default_factory=Lateness)
    _stack: Lateness = field(default_factory=Lateness)
    _sampled_s: float = float("-inf")
    _throttled_ms: float | None = None
    _drops: int | None = None

    def sample(self, now_s: float) -> None:
        """Reads the counters; to be called every half second or so, for a closed socket's count is gone."""
        if now_s - self._sampled_s < MIN_SAMPLE_S:
            return
        self._sampled_s = now_s
        self._throttled_ms = self.throttled()
        self.drops.sample(now_s)
        self._drops = self.drops.of_sip()

    def loop_was_late(self, now_s: float, late_s: float) -> None:
        """By how much the agent's event loop came too late to what was due. Times must not go backwards."""
        self._loop.add(now_s, late_s)

    def stack_was_late(self, now_s: float, late_s: float) -> None:
        """How long a message lay at our socket before the SIP stack's thread read it; read at `now_s` or before."""
        self._stack.add(now_s, late_s)

    def begin(self, now_s: float) -> Window:
        """A stretch of a leg begins."""
        self.sample(now_s)
        return self.began(now_s)

    def began(self, at_s: float) -> Window:
        """One that began before now: from what was read last, which is to be shortly before."""
        return Window(began_s=at_s, throttled_ms=self._throttled_ms, socket_drops=self._drops)

    def end(self, window: Window, now_s: float) -> Trouble:
        """What happened since."""
        self.sample(now_s)
        return Trouble(
            over_ms=round(1000 * max(0.0, now_s - window.began_s), 1),
            throttled_ms=_grown(window.throttled_ms, self._throttled_ms),
            lateness_ms=self.worst_ms(window.began_s),
            loop_ms=_ms(self._loop.worst_since(window.began_s)),
            stack_ms=_ms(self._stack.worst_since(window.began_s)),
            socket_drops=None if (drops := _grown(window.socket_drops, self._drops)) is None else int(drops),
        )

    def rtp_drops(self, ports: Collection[int], began_s: float) -> int | None:
        """Of a leg with those ports, which began then; None: not known."""
        return self.drops.of_rtp(ports, began_s)


def health_of(setup: Trouble, media: Trouble | None, rtp_drops: int | None = None) -> Health:
    """A leg's health: its own words are those of its media, or of its setup where it had none (it was not answered)."""
    told = setup if media is None else media
    return Health(
        throttled_ms=told.throttled_ms,
        lateness_ms=told.lateness_ms,
        socket_drops=told.socket_drops,
        rtp_drops=rtp_drops,
        setup=setup,
        media=media or Trouble(),
    )


def _ms(late_s: float | None) -> float | None:
    return None if late_s is None else round(1000 * late_s, 1)


def _grown(before: float | None, after: float | None) -> float | None:
    """None unless both were read; a counter that went backwards belongs to another cgroup and says nothing."""
    if before is None or after is None or after < before:
        return None
    return round(after - before, 3)
