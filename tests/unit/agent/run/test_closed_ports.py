"""A port that is closed is said when ICMP has said so for long enough, and never on less: events in, verdict out."""

from dataclasses import replace

import pytest

from agent.contract.observation import Refused
from agent.contract.plan import Signal
from agent.contract.registration import RegistrationOutcome
from agent.contract.verdict import Reason
from agent.phone.protocol import Unparsed
from agent.run import closed_ports
from agent.run.closed_ports import CLOSED_S, ClosedPorts
from agent.timers import Timers
from tests.unit.agent.world import FakeDoor, all_at_once, group, plan, stages
from tests.unit.fake_clock import FakeClock
from tests.unit.fake_phone import Peer
from tests.unit.sip_messages import message, request, response

AGAIN_S = (0.5, 1.5, 3.5, 7.5, 15.5, 31.5)
"""RFC 3261 §17.1.1.2, Timer A."""
KNOCKED_S = [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
SILENT = {"rings": False, "answers_after_s": None, "sent_again_s": AGAIN_S, "answers_cancel": False}
PATIENT = (group(answer_timeout_seconds=30),)


def about(times: list[float]) -> object:
    return pytest.approx(times, abs=0.1)


def test_a_call_to_a_closed_port_is_over_when_that_is_known(world):
    it = world(plan(calls=PATIENT), Peer(**SILENT))
    it.refuses_at = lambda _: True
    it.run()
    (leg,), (door,) = it.legs, it.doors
    assert (door.knocks, door.closed) == (about(KNOCKED_S), True)
    assert leg.asked.refused == Refused(times=6, over_ms=pytest.approx(5000, abs=100))
    assert leg.progress.ended_ms == pytest.approx(6500, abs=200)
    (finding,) = leg.findings
    assert finding.reason is Reason.NO_RESPONSE
    assert finding.note.endswith("the port is closed: ICMP port unreachable came back to 6 keep-alives in 5.0 s")


@pytest.mark.parametrize(
    "refuses_at",
    [lambda _: False, lambda at_s: at_s < 5, lambda at_s: at_s != pytest.approx(3.5, abs=0.1) and at_s < 8],
    ids=["open", "closed for a while", "refused now and then"],
)
def test_a_port_that_is_not_refused_all_the_time_is_waited_for(world, refuses_at):
    it = world(plan(calls=PATIENT), Peer(**SILENT))
    it.refuses_at = refuses_at
    it.run()
    (leg,) = it.legs
    assert leg.asked.refused is None
    assert it.times("hang_up") == [30.0]
    assert [(finding.reason, "closed" in (finding.note or "")) for finding in leg.findings] == [
        (Reason.NO_RESPONSE, False)
    ]


def test_a_system_that_restarts_meanwhile_is_called_as_if_nothing_had_been(world):
    it = world(plan(calls=PATIENT), Peer(rings=False, answers_after_s=3.6, sent_again_s=AGAIN_S[:3]))
    it.refuses_at = lambda at_s: at_s < 3
    it.run()
    (leg,) = it.legs
    assert (leg.final_code, leg.findings) == (200, ())
    assert all(door.closed for door in it.doors)


def test_an_invite_that_is_answered_at_once_asks_nobody(world):
    it = world(plan())
    it.run()
    assert it.doors == []


def test_what_answered_once_is_not_taken_for_closed_later(world):
    """A 100, then silence, though all is refused: the answer timeout decides, as it does of any silence."""
    it = world(plan(calls=PATIENT), Peer(**SILENT))
    it.refuses_at = lambda _: True
    it.step_until(0.1)
    (call,) = it.phone.calls.values()
    it.phone.received(response(100, call.call_id, to_tag=""), 2.0)
    it.run()
    (leg,) = it.legs
    assert leg.asked.refused is None
    assert [finding.reason for finding in leg.findings] == [Reason.NO_ANSWER]


def test_each_call_is_given_its_own_time(world):
    it = world(plan(calls=(group(answer_timeout_seconds=30, count=2),)), Peer(**SILENT))
    it.refuses_at = lambda _: True
    it.run()
    assert [leg.asked.refused.times for leg in it.legs] == [6, 6]
    assert it.times("call") == about([0.0, 6.5])


def test_calls_at_once_share_the_keep_alives(world):
    it = world(plan(calls=(group(answer_timeout_seconds=30, count=3, concurrency=3),)), Peer(**SILENT))
    it.refuses_at = lambda _: True
    it.run()
    assert [leg.asked.refused.times for leg in it.legs] == [6, 6, 6]
    assert len(it.doors) == 1


def test_a_call_that_was_given_up_before_is_over_then_too(world):
    it = world(plan(calls=(group(answer_timeout_seconds=3),)), Peer(**SILENT))
    it.refuses_at = lambda _: True
    it.run()
    (leg,) = it.legs
    assert [finding.reason for finding in leg.findings] == [Reason.NO_RESPONSE]
    assert leg.local_reason == "no answer within 3 s"
    assert leg.progress.ended_ms == pytest.approx(6500, abs=200)


def test_an_agent_that_is_told_to_stop_blames_nobody(world):
    it = world(plan(calls=PATIENT), Peer(**SILENT), steps=[(0.0, Signal(go=0)), (6.0, Signal(go=0, stop=True))])
    it.refuses_at = lambda _: True
    it.run()
    (leg,) = it.legs
    assert [finding.reason for finding in leg.findings] == [Reason.ABORTED]


def test_a_register_to_a_closed_port_is_over_when_that_is_known(world):
    it = world(plan(register=True, stages=stages(2)), Peer(register_code=None, sent_again_s=AGAIN_S), all_at_once(2))
    it.refuses_at = lambda _: True
    it.run()
    assert [seen.outcome for seen in it.registrations] == [RegistrationOutcome.TIMEOUT] * 2
    assert [(seen.asked.refused.times, seen.local_reason) for seen in it.registrations] == [(6, None)] * 2
    assert it.clock.now_s - 1000 < 15
    assert it.did("call") == []


# The watch itself


class Watched:
    """ClosedPorts alone, with time that a test moves."""

    def __init__(self, refuses: bool = True):  # noqa: FBT001, FBT002
        self.clock, self.timers, self.doors, self.closed = FakeClock(), Timers(), {}, []
        self.refuses = refuses
        self.ports = ClosedPorts(
            open_door=self._open, clock=self.clock, timers=self.timers, on_closed=self.closed.append
        )

    def _open(self, peer: str) -> FakeDoor:
        self.doors[peer] = FakeDoor(peer, self.clock, lambda _: self.refuses)
        return self.doors[peer]

    def send(self, text: str, **changes) -> None:
        self.ports.handle(replace(message(self.clock.now_s, text, sent=True), **changes))

    def receive(self, text: str, **changes) -> None:
        self.ports.handle(message(self.clock.now_s, text, sent=False, **changes))

    def wait(self, seconds: float) -> None:
        until_s = self.clock.now_s + seconds
        while self.timers.next_s(until_s) < until_s:
            self.clock.now_s = self.timers.next_s(until_s)
            self.timers.run(self.clock.now_s)
        self.clock.now_s = until_s

    def ask(self, *, call_id: str = "c1", **changes) -> None:
        for _ in range(2):
            self.send(request(call_id=call_id, branch="z9hG4bK1"), **changes)


def test_it_takes_so_long_to_be_known():
    it = Watched()
    it.ask()
    it.wait(CLOSED_S + 0.9)
    assert it.closed == []
    it.wait(0.2)
    assert [(event.sip_call_id, event.times, event.over_s) for event in it.closed] == [("c1", 6, 5.0)]
    it.wait(60)
    assert len(it.closed) == 1


def test_an_agent_that_stood_still_asked_nobody_meanwhile():
    it = Watched()
    it.ask()
    it.wait(1.1)
    it.clock.now_s += CLOSED_S
    it.timers.run(it.clock.now_s)
    it.wait(CLOSED_S + 0.9)
    assert it.closed == []
    it.wait(0.2)
    assert [event.times for event in it.closed] == [6]


def test_what_comes_from_that_port_about_anything_shows_that_somebody_is_there():
    it = Watched()
    it.ask()
    it.wait(4)
    it.receive(request("OPTIONS", "other"))
    it.wait(3)
    assert it.closed == []


@pytest.mark.parametrize("kind", ["unparsed", "unread"])
def test_what_cannot_be_read_shows_it_too(kind):
    it = Watched()
    it.ask()
    it.wait(4)
    if kind == "unread":
        it.receive("SIP/2.0 two hundred")
    else:
        peer, now_s = "127.0.0.1:5060", it.clock.now_s
        it.ports.handle(Unparsed(at_s=now_s, peer=peer, local="127.0.0.1:5070", protocol="UDP", text="?"))
    it.wait(3)
    assert it.closed == []


def test_another_ports_words_are_not_its_own():
    it = Watched()
    it.ask()
    it.wait(4)
    it.receive(request("OPTIONS", "other"), peer="127.0.0.1:1")
    it.wait(3)
    assert len(it.closed) == 1


def test_a_request_that_asks_again_with_credentials_was_answered():
    it = Watched()
    it.send(request(branch="z9hG4bK1"))
    it.receive(response(407, branch="z9hG4bK1"))
    it.send(request(branch="z9hG4bK2", cseq=2))
    it.send(request(branch="z9hG4bK2", cseq=2))
    it.wait(40)
    assert it.doors == {}


def test_a_new_branch_is_no_retransmission():
    it = Watched()
    it.send(request(branch="z9hG4bK1"))
    it.send(request(branch="z9hG4bK2", cseq=2))
    assert it.doors == {}


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        (request(branch="b"), {"protocol": "TCP"}),
        (request("OPTIONS", branch="b"), {}),
        (request(to_tag="t", branch="b"), {}),
        (response(200, branch="b"), {}),
        ("no SIP", {}),
    ],
    ids=["TCP tells by itself", "another method", "in a dialog", "a response", "not to be read"],
)
def test_nothing_else_is_asked_for(text, changes):
    it = Watched()
    it.send(text, **changes)
    it.send(text, **changes)
    assert it.doors == {}


def test_keep_alives_end_with_the_request():
    it = Watched(refuses=False)
    it.ask()
    it.wait(60)
    (door,) = it.doors.values()
    assert door.closed
    assert len(door.knocks) == 34


def test_requests_are_remembered_within_bounds(monkeypatch):
    monkeypatch.setattr(closed_ports, "MAX_REQUESTS", 2)
    it = Watched()
    for call_id in ("a", "b", "c"):
        it.send(request(call_id=call_id, branch="z9hG4bK1"))
    assert list(it.ports._requests) == ["b", "c"]
