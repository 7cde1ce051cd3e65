"""What our callee does with a call: refuses, rings, answers late; and a SUT that makes something else of it."""

from typing import ClassVar

from tests.component.field import PASSED, UNMEASURED, case, cases, judged
from tests.component.peers.b2bua import B2bua, Far
from tests.component.peers.running import Case, Runs
from tests.component.peers.sip import Message
from tests.component.peers.uas import Address, Call

TEST = """\
apiVersion: calltest.dev/v1alpha1
kind: CallTest
metadata: {name: field}
spec:
  target: {service: {name: sut}, port: sip}
  caller: {uri: "sip:alice@example.com"}
  callee: {uri: "sip:bob@example.com", DOES}
  calls:
  - name: first
    holdSeconds: 2
    answerTimeoutSeconds: TIMEOUT
    expect: {EXPECT}
"""
SECOND = """\
  - name: second
    holdSeconds: 2
    callee: {behaviour: Busy}
    expect: {sipCode: 486}
"""


def asking(does: str, expect: str, timeout_s: int = 10) -> str:
    return TEST.replace("DOES", does).replace("EXPECT", expect).replace("TIMEOUT", str(timeout_s))


BUSY = asking("behaviour: Busy", "sipCode: 486")
DECLINES = asking(
    'behaviour: Refuse, refuse: {code: 603, headers: [{name: Reason, value: "Q.850;cause=21"}]}',
    "sipCode: 603, caller: {reason: {protocol: Q.850, cause: 21}}",
)
RINGS = asking("behaviour: RingOnly", "sipCode: 487, provisional: [180]", 3)
LATE = asking("answerAfterMilliseconds: 1500", "answeredWithinMilliseconds: 3000, ringingWithinMilliseconds: 1000")
LATE_BUSY = asking("behaviour: Busy, answerAfterMilliseconds: 900", "sipCode: 486, provisional: [180]")
EACH = asking("behaviour: Absorber", "sipCode: 200") + SECOND


class Proxying(B2bua):
    """Passes on refusals with their Reason, and a CANCEL."""

    def refused(self, far: Far, message: Message) -> None:
        why = tuple(f"Reason: {value}" for name, value in message.headers if name == "reason")
        self.respond(far.call.invite, message.start.partition(" ")[2], far.call.peer, tag=far.call.tag, extra=why)

    def on_cancel(self, request: Message, peer: Address) -> None:
        self.respond(request, "200 OK", peer)
        far = self.calls[request.call_id].noted["far"]
        self.far_request(far, "CANCEL", 1, branch=far.branch, remote_tag="")


class Says(Proxying):
    """What it makes of a refusal."""

    instead: ClassVar = "480 Temporarily Unavailable"

    def refused(self, far: Far, message: Message) -> None:
        self.respond(far.call.invite, self.instead, far.call.peer, tag=far.call.tag)


class Unavailable(Says):
    instead = "503 Service Unavailable"


class Plain(Says):
    """The code alone."""

    instead = "603 Decline"


class Swallows(Proxying):
    """Waits on."""

    def refused(self, far: Far, message: Message) -> None:
        """Nothing is said to the caller."""


class Voicemail(Proxying):
    """Answers what the callee refuses."""

    def refused(self, far: Far, message: Message) -> None:
        self.answer(far.call)


class BusyItself(Proxying):
    """Asks nobody."""

    def ring(self, call: Call) -> None:
        self.respond(call.invite, "486 Busy Here", call.peer, tag=call.tag)


class TooSoon(Proxying):
    """Asks the callee, and does not wait for it."""

    def ring(self, call: Call) -> None:
        super().ring(call)
        self.later(0.3, lambda: self.respond(call.invite, "486 Busy Here", call.peer, tag=call.tag))

    def refused(self, far: Far, message: Message) -> None:
        """It has said so already."""


class Forgetful(Proxying):
    """Ends the caller's side of a call that is given up, and no other."""

    def on_cancel(self, request: Message, peer: Address) -> None:
        self.respond(request, "200 OK", peer)
        call = self.calls[request.call_id]
        self.respond(call.invite, "487 Request Terminated", call.peer, tag=call.tag)


class Impatient(Proxying):
    """Gives up by itself, sooner than the caller does."""

    def invite(self, far: Far) -> None:
        super().invite(far)
        self.later(1.0, lambda: self.far_request(far, "CANCEL", 1, branch=far.branch, remote_tag=""))


class Silent(Proxying):
    """Keeps the ringing to itself."""

    def ringing(self, far: Far) -> None:
        """Nothing is said to the caller."""


class Slow(Proxying):
    """Takes its time with what the callee says."""

    def far_answered(self, far: Far, message: Message) -> None:
        self.far_acknowledge(far)
        self.later(2.0, lambda: super(Slow, self).far_answered(far, message))


class Stripping(Proxying):
    """Makes a call of its own, of which nothing tells whose it is."""

    kept = ()


@cases(
    case("busy", Proxying, BUSY),
    case("declined", Proxying, DECLINES),
    case("rings", Proxying, RINGS),
    case("late", Proxying, LATE),
    case("each", Proxying, EACH),
    case("late busy", Proxying, LATE_BUSY),
    case("one kind of calls", Stripping, BUSY),
    case("mapped, as expected", Says, asking("behaviour: Busy", "sipCode: 480")),
)  # fmt: skip
def test_what_the_callee_does_is_what_comes_of_the_call(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


@cases(
    case("another code", Says, BUSY),
    case("an error of its own", Unavailable, BUSY),
    case("a 487 of its own", Impatient, RINGS),
)
def test_another_code_fails(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, "Failed/SipCodeMismatch")
    sent = "487 Request Terminated" if case.test == RINGS else "486 Busy Here"
    assert f"which answered {sent}" in outcome.why


@cases(
    case("by itself", BusyItself, BUSY),
    case("too soon", TooSoon, asking("behaviour: Busy, answerAfterMilliseconds: 1500", "sipCode: 486")),
    case("by itself, of a class", BusyItself, asking("behaviour: RingOnly", 'sipCode: "4xx"')),
)
def test_a_refusal_that_is_not_the_callees_fails(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/RefusedElsewhere")


@cases(
    case("Failed/AnsweredElsewhere", Voicemail, BUSY),
    case("Failed/NoAnswer", Swallows, asking("behaviour: Busy", "sipCode: 486", 3)),
    case("Failed/ReasonMissing", Plain, DECLINES),
    case("Failed/CancelMissing", Forgetful, RINGS),
    case("Failed/ProvisionalMissing", Silent, RINGS),
    case("Failed/AnsweredLate", Slow, LATE),
)
def test_a_peer_that_makes_something_else_of_it_fails(runs: Runs, case: Case) -> None:
    judged(runs, case, case.name)


@cases(case("nameless", Stripping, EACH))
def test_calls_that_the_callee_cannot_tell_apart_are_not_measured(runs: Runs, case: Case) -> None:
    judged(runs, case, UNMEASURED)
