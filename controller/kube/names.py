"""Names of hosts → addresses, looked up beside the workers: a name server that does not answer holds nobody up."""

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

ANSWER_S: Final = 5.0
"""A name without an answer by then cannot be resolved, for now; an answer that comes later is still taken."""
KEPT_S: Final = 30.0
"""How long an answer holds. getaddrinfo does not say how long the name server would have it held."""
FAULT_KEPT_S: Final = 5.0
MAX_LOOKUPS: Final = 64
"""Threads that wait for name servers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What is known of a name."""

    addresses: tuple[str, ...] = ()
    """Each once, in order."""
    fault: str = ""
    """Why there are none, or none yet."""


@dataclass(slots=True)
class _Name:
    asked_s: float
    """When the lookup that is under way began, else the last one."""
    is_asking: bool = False
    known: Resolved | None = None
    known_s: float = 0.0


def look_up(host: str) -> Resolved:
    """All addresses of a host, by the system's resolver; takes as long as that takes."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except OSError as error:
        return Resolved(fault=error.strerror or str(error))
    except UnicodeError as error:
        return Resolved(fault=f"no name of a host: {error}")
    return Resolved(addresses=tuple(sorted({str(entry[4][0]) for entry in found})))


@dataclass(slots=True)
class Names:
    """The names that were asked for, each looked up once at a time. Thread-safe; never waits."""

    now: Callable[[], float] = time.monotonic
    look_up: Callable[[str], Resolved] = look_up
    start: Callable[[Callable[[], None]], None] = lambda work: threading.Thread(target=work, daemon=True).start()
    _names: dict[str, _Name] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def resolve(self, host: str) -> Resolved:
        """What is known now; a lookup begins where that is nothing, or old."""
        with self._lock:
            name = self._names.setdefault(host, _Name(asked_s=self.now()))
            if self._is_current(name):
                assert name.known is not None
                return name.known
            if not name.is_asking:
                if sum(each.is_asking for each in self._names.values()) >= MAX_LOOKUPS:
                    return Resolved(fault=f"{MAX_LOOKUPS} other names are being looked up")
                name.is_asking, name.asked_s = True, self.now()
                self.start(lambda: self._ask(host, name))
            return self._so_far(name)

    def _ask(self, host: str, name: _Name) -> None:
        found = self.look_up(host)
        with self._lock:
            name.known, name.known_s, name.is_asking = found, self.now(), False
            self._forget()

    def _so_far(self, name: _Name) -> Resolved:
        waited_s = self.now() - name.asked_s
        if waited_s >= ANSWER_S:
            return Resolved(fault=f"no answer from the name server for {waited_s:.0f} s")
        # An older answer holds while it is asked for again.
        return name.known if name.known is not None else Resolved(fault="the name server has not answered yet")

    def _is_current(self, name: _Name) -> bool:
        kept_s = FAULT_KEPT_S if name.known and name.known.fault else KEPT_S
        return name.known is not None and self.now() < name.known_s + kept_s

    def _forget(self) -> None:
        """What nobody asked for in ten times as long as an answer holds."""
        old = [
            host for host, name in self._names.items() if self.now() > name.asked_s + 10 * KEPT_S and not name.is_asking
        ]
        for host in old:
            del self._names[host]
