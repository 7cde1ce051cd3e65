"""What a busy machine does to a peer is measured by the peer, and excuses what that can bring about and no more."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.overload import Excuse
from tests.component.field import BUSY, busy, not_hindered, not_overloaded, undisturbed
from tests.component.peers.running import Outcome
from tests.component.peers.sip import Message
from tests.component.peers.trouble import Trouble, watch
from tests.component.peers.uas import Address, Uas

LATE, DROPPED = {Excuse.LATE, Excuse.LATE_MEDIA}, {Excuse.DROPPED}


def stamps_begin() -> None:
    """The kernel stamps what comes some time after the first socket asked for it, as long as there is one."""
    measured = Trouble()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        watch(probe)
        while measured.late_ms < 9:  # without a stamp it is the time of reading
            probe.sendto(b"", probe.getsockname())
            time.sleep(0.01)
            measured.receive(probe)


class Sleeper(Uas):
    """Gets no processor for a while, with a socket that holds a few datagrams."""

    sleep_s = 0.4

    def __init__(self) -> None:
        super().__init__()
        self.sip.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.begins, self.all_sent = threading.Event(), threading.Event()

    def on_options(self, request: Message, peer: Address) -> None:
        self.begins.set()
        self.all_sent.wait(10)
        time.sleep(self.sleep_s)


@pytest.mark.parametrize(("datagrams", "kinds"), [(2, LATE), (200, LATE | DROPPED)])
def test_a_peer_knows_what_it_read_late_and_what_it_lost(datagrams: int, kinds: set[Excuse]) -> None:
    with Sleeper() as peer, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        stamps_begin()
        sender.sendto(b"OPTIONS sip:x SIP/2.0\r\n\r\n", peer.sip.getsockname())
        assert peer.begins.wait(10)
        for _ in range(datagrams - 1):
            sender.sendto(b"\r\n", peer.sip.getsockname())
        peer.all_sent.set()
        deadline_s = time.monotonic() + 10
        while peer.trouble.late_ms < 1000 * Sleeper.sleep_s / 2 and time.monotonic() < deadline_s:
            time.sleep(0.01)
    assert peer.trouble.kinds == kinds, peer.trouble


def outcome(*failures: tuple[Check, Reason, str], late_ms: float = 0.0, dropped: int = 0) -> Outcome:
    peer = Uas()
    peer.sip.close()
    peer.trouble = Trouble()
    peer.trouble.late_ms, peer.trouble.dropped = late_ms, dropped
    told: list[dict[str, Any]] = [{"check": c, "reason": r, "note": note} for c, r, note in failures]
    inconclusive = {Reason.AGENT_OVERLOADED, Reason.PEER_LOST, Reason.NOT_MEASURED}
    worst = failures[0][1] if failures else None
    result = "Passed" if worst is None else "Inconclusive" if worst in inconclusive else "Failed"
    status = {"result": result, "reason": worst, "message": "", "failures": told}
    return Outcome(run={"status": status}, told=(), said="", peer=peer)


FEW, LOSS = (Check.RTP_PACKETS, Reason.TOO_FEW_PACKETS, ""), (Check.RTP_LOSS, Reason.PACKET_LOSS, "")
STRANGE = (Check.RTP_PACKETS, Reason.UNNEGOTIATED_PAYLOAD, "")
OWN = (Check.AUDIO, Reason.AGENT_OVERLOADED, "")
THEIRS = (Check.AUDIO, Reason.PEER_LOST, "the callee agent was overloaded: late")
GONE = (Check.AUDIO, Reason.PEER_LOST, "the callee agent itself ended the call early")


@pytest.mark.parametrize(
    ("failures", "trouble", "is_busy"),
    [
        ((FEW, LOSS), {"late_ms": 201.0}, True),
        ((FEW, LOSS), {"dropped": 1}, True),
        ((FEW, LOSS), {"late_ms": 200.0}, False),
        ((FEW, STRANGE), {"late_ms": 999.0, "dropped": 9}, False),
        ((OWN,), {}, True),
        ((THEIRS,), {}, True),
        ((GONE,), {}, False),
        ((FEW, OWN), {}, False),
        (((Check.ANSWER, Reason.AGENT_OVERLOADED, ""),), {}, False),
        (((Check.AUDIO, Reason.NOT_MEASURED, ""),), {"late_ms": 999.0}, False),
        ((), {"late_ms": 999.0}, False),
    ],
)
def test_only_what_trouble_can_bring_about_is_excused_by_it(
    failures: tuple[tuple[Check, Reason, str], ...], trouble: dict[str, Any], is_busy: object
) -> None:
    assert bool(busy(outcome(*failures, **trouble))) is is_busy


def skips(what: Callable[[], None]) -> bool:
    try:
        what()
    except pytest.skip.Exception as skipped:
        return BUSY in str(skipped)
    return False


@pytest.mark.parametrize(
    ("failures", "is_skipped"),
    [
        ((OWN,), True),
        ((THEIRS,), True),
        ((OWN, THEIRS), True),
        ((), False),
        ((GONE,), False),
        ((LOSS, OWN), False),
        (((Check.ANSWER, Reason.AGENT_OVERLOADED, ""),), False),
    ],
)
def test_a_run_without_a_peer_of_ours_is_known_by_what_our_agents_say(
    failures: tuple[tuple[Check, Reason, str], ...], is_skipped: object
) -> None:
    status = outcome(*failures).run["status"]
    assert skips(lambda: not_overloaded(status)) is is_skipped


def found(*said: tuple[Check, Reason, str]) -> list[Finding]:
    its = {"call": "pin", "number": 0, "endpoint": 0, "leg": Role.CALLER}
    return [Finding(**its, check=check, reason=reason, note=note) for check, reason, note in said]


@pytest.mark.parametrize(
    ("said", "expected", "is_skipped"),
    [
        ((OWN,), (), True),
        ((LOSS, OWN), (Reason.PACKET_LOSS,), True),
        ((THEIRS,), (Reason.PACKET_LOSS,), True),
        ((), (), False),
        ((LOSS,), (Reason.PACKET_LOSS,), False),
        ((FEW, OWN), (Reason.PACKET_LOSS,), False),
        ((GONE,), (), False),
        ((OWN,), (Reason.UNNEGOTIATED_PAYLOAD,), False),
        (((Check.ANSWER, Reason.AGENT_OVERLOADED, ""),), (), False),
    ],
)
def test_overload_counts_where_it_excuses_what_is_expected_and_nothing_else_is_found(
    said: tuple[tuple[Check, Reason, str], ...], expected: tuple[Reason, ...], is_skipped: object
) -> None:
    assert skips(lambda: not_hindered(found(*said), *expected)) is is_skipped


@pytest.mark.parametrize(
    ("failures", "trouble", "is_skipped"),
    [
        ((LOSS,), {"late_ms": 999.0}, False),
        ((LOSS, OWN), {}, True),
        ((LOSS, FEW), {"dropped": 1}, True),
        ((LOSS, OWN, FEW), {"dropped": 1}, True),
        ((LOSS, FEW), {}, False),
        ((LOSS, OWN, STRANGE), {"dropped": 1}, False),
        ((LOSS, (Check.ANSWER, Reason.AGENT_OVERLOADED, "")), {}, False),
    ],
)
def test_what_is_found_beside_the_verdict_may_be_a_busy_machines(
    failures: tuple[tuple[Check, Reason, str], ...], trouble: dict[str, Any], is_skipped: object
) -> None:
    assert skips(lambda: undisturbed(outcome(*failures, **trouble), "Failed/PacketLoss")) is is_skipped
