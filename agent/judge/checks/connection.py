"""connection: a TCP or TLS connection of an agent to the SUT came up, and carried each request that began on it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from agent.contract.connection import Connection, Ending
from agent.contract.plan import Plan, Transport
from agent.contract.registration import RegistrationObservation
from agent.contract.verdict import Check, Finding, Reason
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import LATE, LATE_OR_DROPPED, CheckRule, Fault, Row
from agent.judge.checks.handshakes import ROWS, unsecured
from agent.judge.words import seconds

SYN_MS: Final = 7000.0
"""A SYN is sent again after 1, 3 and 7 s (tcp_syn_retries): before that, one that was lost is no silence."""
NEVER_UP: Final = {
    Ending.REFUSED: (Reason.CONNECTION_REFUSED, "refused"),
    Ending.PEER_RESET: (Reason.CONNECTION_RESET, "reset before it was up"),
    Ending.PEER_CLOSED: (Reason.CONNECTION_RESET, "closed before it was up"),
    Ending.TIMEOUT: (Reason.CONNECTION_TIMEOUT, "not answered"),
    Ending.UNREACHABLE: (Reason.CONNECTION_TIMEOUT, "not answered: the network said that nobody is there"),
}
LOST: Final = {
    Ending.PEER_CLOSED: "closed by the SUT",
    Ending.PEER_RESET: "reset by the SUT",
    Ending.TIMEOUT: "dead",
    Ending.UNREACHABLE: "dead: the network said that nobody is there any more,",
    Ending.ALERT: "ended by an alert of the SUT's",
    Ending.TLS_FAILED: "broken: what came was no TLS of it,",
}


USED_MS: Final = 1000.0
"""A connection that was up for so long when a request began on it may be ended for its age, or for being idle."""
CROSSING: Final = (Ending.PEER_CLOSED, Ending.PEER_RESET)


def broken(connections: Sequence[Connection], plan: Plan) -> list[Fault]:
    """Of those that an agent opened. One that the SUT ends between two transactions has served: it cut none."""
    found = [_broken(connection, plan) for connection in connections if connection.outgoing]
    return [one for one in found if one is not None]


def crossed(connections: Sequence[Connection], method: str) -> bool:
    """Whether a request of ours may never have been read, as the SUT had ended its connection by then, as it may.

    The end of one that had served came sooner behind the request than the connection had taken to come up, which is a
    round trip at least: it may have been under way already.
    """
    return any(connection.cut == method and _crossed(connection) for connection in connections)


def _crossed(connection: Connection) -> bool:
    up_ms, cut_ms, closed_ms = connection.up_ms, connection.cut_ms, connection.closed_ms
    if up_ms is None or cut_ms is None or closed_ms is None or connection.end not in CROSSING:
        return False
    return cut_ms - up_ms >= USED_MS and closed_ms - cut_ms <= up_ms - connection.opened_ms


def _lost(connection: Connection, expected: str, up_ms: float) -> Fault | None:
    words = LOST.get(connection.end) if connection.end is not None and connection.cut else None
    if words is None:
        return None
    after = seconds((connection.closed_ms or 0.0) - up_ms)
    observed = f"{words} {after} after it was up, with the {connection.cut} unanswered"
    if not _crossed(connection):
        return Fault(reason=Reason.CONNECTION_LOST, expected=expected, observed=observed)
    note = f"the {connection.cut} and the connection's end may have crossed: then nobody has read it"
    return Fault(reason=Reason.NOT_MEASURED, expected=expected, observed=observed, note=note)


def _broken(connection: Connection, plan: Plan) -> Fault | None:
    expected = f"{connection.protocol} connection to {connection.peer}"
    if connection.up_ms is not None:
        return _lost(connection, expected, connection.up_ms)
    if (why := unsecured(connection, plan.tls.server_name if plan.tls else None)) is not None:
        return Fault(reason=why[0], expected=expected, observed=why[1])
    if connection.end in NEVER_UP:
        reason, words = NEVER_UP[connection.end]
        return Fault(reason=reason, expected=expected, observed=words)
    if connection.waited_ms is not None and connection.waited_ms >= SYN_MS:
        observed = f"not answered in {seconds(connection.waited_ms)}"
        return Fault(reason=Reason.CONNECTION_TIMEOUT, expected=expected, observed=observed)
    note = connection.said or "why it did not come up was not measured"
    return Fault(reason=Reason.NOT_MEASURED, expected=expected, observed="not up", note=note)


def connection(leg: CallLeg) -> list[Finding]:
    """Each connection of the leg came up and carried what was begun on it."""
    transport = leg.call.plan.transport
    if leg.answered and transport is not Transport.UDP and not leg.leg.connections:
        note = "by which connection its messages came and went is not known"
        return [leg.finding(Check.CONNECTION, Reason.NOT_MEASURED, expected=f"a {transport} connection", note=note)]
    return [
        leg.finding(Check.CONNECTION, one.reason, expected=one.expected, observed=one.observed, note=one.note)
        for one in broken(leg.leg.connections, leg.call.plan)
    ]


def _registering(plan: Plan, seen: RegistrationObservation) -> list[Fault]:
    """A REGISTER, the first or a refresh, had no response because of what became of its connection."""
    lapse = seen.lapse if seen.lapse is not None and seen.lapse.code is None else None
    if seen.code is not None and lapse is None:
        return []
    trouble = seen.trouble if lapse is None else lapse.trouble
    return [replace(fault, trouble=trouble) for fault in broken(seen.connections, plan)]


RULE: Final = CheckRule(
    check=Check.CONNECTION,
    leg=connection,
    registration=_registering,
    rows=(
        Row(
            reason=Reason.CONNECTION_REFUSED,
            meaning="the SUT's host refused the TCP connection: nobody listens at that port",
            seen="A connection of an agent to the SUT was answered with a reset (ECONNREFUSED). Nothing was sent. The "
            "`expected` says where to.",
            usually="The SUT does not listen for TCP, or at another port or address; or it has just ended.",
            look="The SUT's listening sockets in that pod; `target.port` and `target.transport`.",
        ),
        Row(
            reason=Reason.CONNECTION_RESET,
            meaning="the TCP connection was ended as it was being opened",
            seen="A connection of an agent to the SUT was reset or closed before it was up. Nothing was sent.",
            usually="A proxy, firewall or service mesh between the two that takes connections and drops them, or a SUT "
            "that has no room for more.",
            look="What is between the agent and that address; the SUT's limits of connections.",
            excused_by=LATE,  # nobody waits for ever for who has connected and says nothing
        ),
        Row(
            reason=Reason.CONNECTION_TIMEOUT,
            meaning="nobody answered the TCP connection, or the network said that nobody is there",
            seen="A connection of an agent to the SUT was not answered for 7 s or more (four SYNs), or the network "
            "said that the host cannot be reached. Nothing was sent.",
            usually="A NetworkPolicy or firewall drops TCP there, the pod or its node is gone, or the SUT's queue of "
            "connections is full.",
            look="Whether anything else reaches that port from the agent's node; policies; a capture at the pod.",
            excused_by=LATE_OR_DROPPED,
        ),
        *ROWS,
        Row(
            reason=Reason.CONNECTION_LOST,
            meaning="the SUT ended the connection, and a request that it carried was never answered",
            seen="A connection that was up ended while a request of the agent's was without a final response, and none "
            "came by another one. A connection that ends between two transactions is no fault; nor is one whose end "
            "may have crossed a request, within its first round trip: that is NotMeasured.",
            usually="The process behind it ended or crashed on that request, or a lifetime of connections that is "
            "shorter than the call (`tcp_connection_lifetime`).",
            look="The SUT's log at that time; whether its process was restarted; its lifetime of connections.",
            excused_by=LATE,  # its end may have been there, unread, before the request
        ),
    ),
    subject="connection",
    sentence="{leg}'s {expected} was {observed}",
    on="both legs",
    asked_by="always, over TCP and TLS",
    holds="each connection that an agent opens comes up, and carries every request that it began on it to its end",
)
