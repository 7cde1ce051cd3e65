"""Whether anybody listens where our requests go, asked only where no answer comes.

The SIP stack's own socket never hears of ICMP. So a keep-alive (CRLF CRLF, as RFC 5626 §4.4.1 has it for connections)
goes to the same port once a second, from a connected socket, which does. A port that refuses all of them for long is
closed; one that does so for a moment may be a restart; where nothing is refused, nothing is known.
"""

import logging
import socket
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from agent.clock import Clock
from agent.phone.protocol import Event, MessageSeen, PortClosed, Unparsed
from agent.sip.text import SipHead
from agent.timers import Timers

KNOCK_S: Final = 1.0
"""Between two keep-alives: a Linux host sends one ICMP error a second to each address (icmp_ratelimit)."""
CLOSED_S: Final = 5.0
"""A port is closed that refused all keep-alives for this long: three retransmissions of a request are lost."""
GIVEN_UP_S: Final = 33.0
"""A request is over by then, answered or not (Timers B and F, RFC 3261 §17.1)."""
ASKING: Final = ("INVITE", "REGISTER")
KEEP_ALIVE: Final = b"\r\n\r\n"
MAX_REQUESTS: Final = 2048
MAX_REFUSALS: Final = 64

log = logging.getLogger(__name__)


class Door(Protocol):
    """A UDP port that can be knocked at."""

    def knock(self) -> None:
        """Sends one keep-alive."""

    def refused(self) -> bool:
        """All that came of the last one was that nobody listens there."""

    def close(self) -> None:
        """Nothing more is to be known."""


class UdpDoor:
    """A `Door` made of connected sockets, which need no capability.

    A new one for each keep-alive, by another port than the one before: before a balancer, which sees flows, they go as
    many ways as there are.
    """

    def __init__(self, local: str, peer: str) -> None:
        """From the address of one `ip:port`, by ports of its own, to another."""
        (self._own, _), self._peer = (_host_and_port(address) for address in (local, peer))
        self._socket: socket.socket | None = None

    def knock(self) -> None:
        """As Door; what cannot be sent is not refused."""
        before, self._socket = self._socket, None
        family = socket.AF_INET6 if ":" in self._peer[0] else socket.AF_INET
        try:
            self._socket = socket.socket(family, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
            self._socket.bind((self._own, 0))
            self._socket.connect(self._peer)
            self._socket.send(KEEP_ALIVE)
        except OSError as error:
            log.debug("cannot ask whether %s:%s is open: %s", *self._peer, error.strerror)
            self.close()
        finally:
            if before is not None:  # until now: its port is given to nobody else meanwhile
                before.close()

    def refused(self) -> bool:
        """ICMP said "port unreachable": not "host unreachable", nor "prohibited", which may pass or be a firewall's."""
        refused = False
        while self._socket is not None:
            try:
                self._socket.recv(1)
            except BlockingIOError:
                break
            except ConnectionRefusedError:
                refused = True
            except OSError:
                return False
            else:
                return False  # somebody is there
        return refused

    def close(self) -> None:
        """As Door."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


@dataclass(slots=True, kw_only=True)
class _Request:
    peer: str
    branch: str
    first_s: float
    again_s: float | None = None
    """When it was first sent again."""
    settled: bool = False
    """It was answered, or was said to be refused: nothing more is asked for its Call-ID."""


@dataclass(slots=True, kw_only=True)
class _Port:
    door: Door
    knocked_s: float
    refused_s: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_REFUSALS))
    """When those keep-alives were sent that were refused, without one between them that was not."""


class ClosedPorts:
    """Watches our INVITEs and REGISTERs by UDP; knocks where one was sent again, until it is answered or given up."""

    def __init__(
        self, *, open_door: Callable[[str], Door], clock: Clock, timers: Timers, on_closed: Callable[[PortClosed], None]
    ) -> None:
        """`open_door`: of an `ip:port`. `on_closed`: told of each request that nobody was there to hear, once."""
        self._open_door = open_door
        self._clock = clock
        self._timers = timers
        self._on_closed = on_closed
        self._requests: OrderedDict[str, _Request] = OrderedDict()
        """By Call-ID, the newest ones."""
        self._ports: dict[str, _Port] = {}

    def handle(self, event: Event) -> None:
        """Takes note of what crossed the wire."""
        match event:
            case MessageSeen(sent=True, head=SipHead() as head):
                if head.code is None and head.method in ASKING and not head.in_dialog:
                    self._went(event, head.call_id, head.branch)
            case MessageSeen(sent=False) | Unparsed():
                self._came(event)

    def _came(self, event: MessageSeen | Unparsed) -> None:
        """An answer; and whoever sends from that port is there, whatever it is about."""
        head = event.head if isinstance(event, MessageSeen) else None
        if head is not None and head.call_id in self._requests:
            self._requests[head.call_id].settled = True
        if event.peer in self._ports:
            self._ports[event.peer].refused_s.clear()

    def _went(self, event: MessageSeen, call_id: str, branch: str) -> None:
        known = self._requests.get(call_id)
        if event.protocol != "UDP" or (known is not None and known.settled):
            return
        if known is None or known.branch != branch:
            self._requests[call_id] = _Request(peer=event.peer, branch=branch, first_s=event.at_s)
            if len(self._requests) > MAX_REQUESTS:
                self._requests.popitem(last=False)
        elif known.again_s is None:
            known.again_s = event.at_s
            self._begin(event.peer)

    def _begin(self, peer: str) -> None:
        if peer not in self._ports:
            self._ports[peer] = _Port(door=self._open_door(peer), knocked_s=self._clock.monotonic_s())
            self._knock(peer)

    def _knock(self, peer: str) -> None:
        port, now_s = self._ports[peer], self._clock.monotonic_s()
        port.knocked_s = now_s
        port.door.knock()
        self._timers.at(now_s + KNOCK_S, lambda: self._look(peer))

    def _look(self, peer: str) -> None:
        """What came of the last keep-alive; then the next one, as long as somebody waits for it."""
        port = self._ports[peer]
        if port.refused_s and port.knocked_s - port.refused_s[-1] > 2 * KNOCK_S:
            port.refused_s.clear()  # we stood still: nobody asked meanwhile
        if port.door.refused():
            port.refused_s.append(port.knocked_s)
            self._tell(peer, port)
        else:
            port.refused_s.clear()
        if any(self._waits(request, peer) for request in self._requests.values()):
            self._knock(peer)
        else:
            port.door.close()
            del self._ports[peer]

    def _waits(self, request: _Request, peer: str) -> bool:
        is_late = self._clock.monotonic_s() - request.first_s > GIVEN_UP_S
        return request.peer == peer and request.again_s is not None and not (request.settled or is_late)

    def _tell(self, peer: str, port: _Port) -> None:
        for call_id, request in list(self._requests.items()):
            if not self._waits(request, peer):
                continue
            assert request.again_s is not None
            refused_s = [at_s for at_s in port.refused_s if at_s >= request.again_s]
            if refused_s and refused_s[-1] - refused_s[0] >= CLOSED_S:
                request.settled = True
                over_s = refused_s[-1] - refused_s[0]
                now_s = self._clock.monotonic_s()
                self._on_closed(PortClosed(at_s=now_s, sip_call_id=call_id, times=len(refused_s), over_s=over_s))
