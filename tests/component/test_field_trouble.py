"""What a busy machine does to a peer is measured by the peer, and excuses what that can bring about and no more."""

import socket
import time
from typing import Any

import pytest

from agent.contract.verdict import Check, Reason
from agent.judge.overload import Excuse
from tests.component.field import busy
from tests.component.peers.running import Outcome
from tests.component.peers.sip import Message
from tests.component.peers.trouble import Trouble
from tests.component.peers.uas import Address, Uas

LATE, DROPPED = {Excuse.LATE, Excuse.LATE_MEDIA}, {Excuse.DROPPED}


class Sleeper(Uas):
    """Gets no processor for a while, with a socket that holds a few datagrams."""

    sleep_s = 0.4

    def __init__(self) -> None:
        super().__init__()
        self.sip.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def on_options(self, request: Message, peer: Address) -> None:
        time.sleep(self.sleep_s)


@pytest.mark.parametrize(("datagrams", "kinds"), [(2, LATE), (200, LATE | DROPPED)])
def test_a_peer_knows_what_it_read_late_and_what_it_lost(datagrams: int, kinds: set[Excuse]) -> None:
    with Sleeper() as peer, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for place in range(datagrams):
            sender.sendto(b"OPTIONS sip:x SIP/2.0\r\n\r\n" if place == 0 else b"\r\n", peer.sip.getsockname())
            time.sleep(0.02 if place == 0 else 0)
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
