"""What a call comes to: its codes, what is said before, who ends it. Peers that do each wrong, or oddly right."""

from typing import Any, ClassVar

from tests.component.field import PASSED, case, cases, judged
from tests.component.peers.running import Case, Outcome, Runs
from tests.component.peers.sip import Message
from tests.component.peers.uas import Address, Call, Uas

PLAIN = """\
apiVersion: calltest.dev/v1alpha1
kind: CallTest
metadata: {name: field}
spec:
  target: {service: {name: sut}, port: sip}
  caller: {uri: "sip:alice@example.com"}
  calls:
  - name: outcome
    to: "sip:ivr@example.com"
    holdSeconds: 4
    answerTimeoutSeconds: 10
    caller: CALLER
    expect: EXPECT
"""


def asking(expect: str, **caller: str) -> str:
    does = ", ".join(f"{name}: {value}" for name, value in caller.items())
    return PLAIN.replace("EXPECT", f"{{{expect}}}").replace("CALLER", f"{{{does}}}")


def saying(*said: tuple[float, str, str, dict[str, Any]]) -> type[Uas]:
    """A peer that answers an INVITE with these responses: after how long, status line, To tag, more of it."""

    class Saying(Uas):
        responses: ClassVar = said

        def ring(self, call: Call) -> None:
            for after_s, status, tag, more in self.responses:
                self.later(after_s, lambda status=status, tag=tag, more=more: self._say(call, status, tag, more))

        def _say(self, call: Call, status: str, tag: str, more: dict[str, Any]) -> None:
            body = {"body": self.answer_sdp(call)} if status.startswith("200") else {}
            self.respond(call.invite, status, call.peer, tag=tag or call.tag, **body | more)
            if body:
                self.up(call)

    return Saying


BUSY = saying((0.05, "486 Busy Here", "", {}))
ANSWERS = saying((0.05, "200 OK", "", {}))

# --- code, class, phrase


@cases(
    case("the code", BUSY, asking("sipCode: 486")),
    case("the class", BUSY, asking('sipCode: "4xx"')),
    case("the phrase", BUSY, asking('sipCode: 486, phrase: {equals: "Busy Here"}')),
    case("the phrase by RE2", BUSY, asking('sipCode: 486, phrase: {matches: "(?i)busy"}')),
    case("a redirect", saying((0.05, "302 Moved Temporarily", "", {"contact": "<sip:x@192.0.2.1>"})),
         asking('sipCode: "3xx"')),
    case("no phrase", saying((0.05, "486 ", "", {})), asking("sipCode: 486")),
)  # fmt: skip
def test_a_refusal_as_it_is_expected_passes(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


@cases(
    case("another class", saying((0.05, "503 Service Unavailable", "", {})), asking('sipCode: "4xx"')),
    case("another code", saying((0.05, "480 Temporarily Unavailable", "", {})), asking("sipCode: 486")),
    case("an answer", ANSWERS, asking("sipCode: 486")),
)
def test_another_one_fails(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/SipCodeMismatch")


@cases(case("an answer", ANSWERS, asking('sipCode: "4xx"')))
def test_an_answer_that_was_not_expected_is_acknowledged_and_ended_at_once(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, "Failed/SipCodeMismatch")
    assert [message.start.split()[0] for message in outcome.peer.requests] == ["INVITE", "ACK", "BYE"], outcome.why
    [leg] = [line for line in outcome.told if line["kind"] == "leg"]
    assert leg["progress"]["byeMs"] - leg["progress"]["answeredMs"] < 1000, leg["progress"]


@cases(case("no phrase", saying((0.05, "486 ", "", {})), asking('sipCode: 486, phrase: {equals: "Busy Here"}')))
def test_another_phrase_fails_where_one_is_asked(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/PhraseMismatch")


# --- Reason (RFC 3326)


def refusing(*extra: str) -> type[Uas]:
    return saying((0.05, "486 Busy Here", "", {"extra": extra}))


WHY = "caller: {reason: {protocol: Q.850, cause: 17}}"


@cases(
    case("of a refusal", refusing("Reason: Q.850;cause=17"), asking(f"sipCode: 486, {WHY}")),
    case("among others", refusing("Reason: SIP;cause=486", 'Reason: X;text="a, b", Q.850 ; cause=17;text="User busy"'),
         asking(f"sipCode: 486, {WHY}")),
)  # fmt: skip
def test_a_reason_as_it_is_expected_passes(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


@cases(case("of a refusal", refusing("Reason: Q.850;cause=21"), asking(f"sipCode: 486, {WHY}")))
def test_a_reason_with_another_cause_fails(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/ReasonMismatch")


@cases(
    case("none", BUSY, asking(f"sipCode: 486, {WHY}")),
    case("of another protocol", refusing("Reason: SIP;cause=486"), asking(f"sipCode: 486, {WHY}")),
)
def test_a_reason_that_is_missing_fails(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/ReasonMissing")


# --- what comes before


EARLY = "provisional: [183, 180]"


@cases(
    case("183 then 180", saying((0.02, "183 Session Progress", "", {}), (0.1, "180 Ringing", "", {}),
                                (0.2, "200 OK", "", {})), asking(EARLY)),
    case("forks with several tags", saying((0.02, "180 Ringing", "b1", {}), (0.1, "183 Session Progress", "b2", {}),
                                           (0.15, "180 Ringing", "b2", {}), (0.25, "200 OK", "b2", {})),
         asking(EARLY)),
    case("others between", saying((0.02, "183 Session Progress", "", {}), (0.05, "181 Call Is Being Forwarded", "", {}),
                                  (0.1, "180 Ringing", "", {}), (0.2, "200 OK", "", {})), asking(EARLY)),
    case("before a refusal", saying((0.02, "183 Session Progress", "", {}), (0.1, "180 Ringing", "", {}),
                                    (0.2, "486 Busy Here", "", {})), asking(f"sipCode: 486, {EARLY}")),
)  # fmt: skip
def test_provisional_responses_in_the_order_that_is_asked_pass(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


@cases(
    case("180 then 183", saying((0.02, "180 Ringing", "", {}), (0.1, "183 Session Progress", "", {}),
                                (0.2, "200 OK", "", {})), asking(EARLY)),
    case("only 180", saying((0.02, "180 Ringing", "", {}), (0.2, "200 OK", "", {})), asking(EARLY)),
    case("only 100", ANSWERS, asking('provisional: ["18x"]')),
)  # fmt: skip
def test_provisional_responses_that_are_missing_or_out_of_order_fail(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/ProvisionalMissing")


class Reliable(Uas):
    """183 by 100rel: again and again until its PRACK, then 180 and the answer (RFC 3262)."""

    def ring(self, call: Call) -> None:
        self.respond(call.invite, "183 Session Progress", call.peer, tag=call.tag, body=self.answer_sdp(call),
                     extra=("Require: 100rel", "RSeq: 7"))  # fmt: skip

    def on_prack(self, request: Message, peer: Address) -> None:
        self.respond(request, "200 OK", peer)
        call = self.calls[request.call_id]
        self.respond(call.invite, "180 Ringing", call.peer, tag=call.tag)
        self.respond(call.invite, "200 OK", call.peer, tag=call.tag)
        self.up(call)


@cases(case("100rel", Reliable, asking(EARLY)))
def test_reliable_provisional_responses_count_once(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


# --- how soon

QUICK = "ringingWithinMilliseconds: 1000, answeredWithinMilliseconds: 2000"


@cases(
    case("in time", saying((0.05, "180 Ringing", "", {}), (0.1, "200 OK", "", {})), asking(QUICK)),
    case("183 is ringing too", saying((0.05, "183 Session Progress", "", {}), (0.1, "200 OK", "", {})), asking(QUICK)),
)
def test_ringing_and_answer_in_time_pass(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


@cases(case("late", saying((1.5, "180 Ringing", "", {}), (1.6, "200 OK", "", {})), asking(QUICK)))
def test_late_ringing_fails(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/RingingLate")


@cases(case("no ringing", ANSWERS, asking(QUICK)))
def test_no_ringing_fails(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/RingingMissing")


@cases(case("late", saying((0.05, "180 Ringing", "", {}), (2.5, "200 OK", "", {})), asking(QUICK)))
def test_a_late_answer_fails(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/AnsweredLate")


# --- who ends it


def hanging_up(after_s: float, *extra: str) -> type[Uas]:
    class HangingUp(Uas):
        def answered(self, call: Call) -> None:
            self.later(after_s, lambda: self._end(call))

        def _end(self, call: Call) -> None:
            if not call.over:
                self.request(call, "BYE", extra=extra)
                call.over = True

    return HangingUp


class Crossing(Uas):
    """Its BYE is on its way when ours comes, and it knows no dialog any more (RFC 3261 §15.1.2)."""

    def on_bye(self, request: Message, peer: Address) -> None:
        call = self.calls[request.call_id]
        self.request(call, "BYE")
        call.over = True
        self.respond(request, "481 Call/Transaction Does Not Exist", peer)


@cases(
    case("in the call", hanging_up(2.0), asking("endedBy: SUT, minCallSeconds: 1, maxCallSeconds: 3")),
    case("at once", hanging_up(0.0), asking("endedBy: SUT")),
    case("crossing ours", Crossing, asking("endedBy: SUT, minCallSeconds: 3")),
)
def test_a_sut_that_is_to_end_the_call_and_does_passes(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


@cases(case("never", Uas, asking("endedBy: SUT")))
def test_one_that_does_not_fails_and_is_hung_up_on(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, "Failed/NotHungUp")
    assert [message.start.split()[0] for message in outcome.peer.requests] == ["INVITE", "ACK", "BYE"], outcome.why


@cases(case("early", hanging_up(1.0, "Reason: Q.850;cause=31"), asking("endedBy: SUT, minCallSeconds: 2")))
def test_one_that_does_so_too_soon_fails(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, "Failed/HungUpEarly")
    assert "Q.850;cause=31" in outcome.text, outcome.why


@cases(case("Reason", hanging_up(1.0, "Reason: Q.850;cause=17"), asking(f"endedBy: SUT, {WHY}")))
def test_the_reason_of_the_suts_bye_is_looked_at(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


@cases(case("late", hanging_up(3.0), asking("endedBy: SUT, maxCallSeconds: 2")))
def test_one_that_does_so_too_late_fails(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/HungUpLate")


@cases(case("in the call", hanging_up(2.0), asking("endedBy: Caller")))
def test_a_sut_that_ends_a_call_that_is_the_callers_to_end_fails(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/CallDropped")


# --- redirects


def moving(to: dict[str, tuple[str, ...]]) -> type[Uas]:
    """A peer that answers an INVITE for one of these users with a 302 to those contacts, and any other with 200."""

    class Moving(Uas):
        def ring(self, call: Call) -> None:
            user = call.invite.start.split()[1].partition(":")[2].partition("@")[0]
            contacts = to.get(user)
            if contacts is None:
                super().ring(call)
            elif contacts:
                more = tuple(f"Contact: {contact}" for contact in contacts[1:])
                self.respond(call.invite, "302 Moved Temporarily", call.peer, tag=call.tag, contact=contacts[0],
                             extra=more)  # fmt: skip
            else:
                self.respond(call.invite, "486 Busy Here", call.peer, tag=call.tag)

    return Moving


CAROL = "<sip:carol@example.com>"
ONCE = moving({"ivr": (CAROL,)})
TO_CAROL = 'redirectTo: "sip:carol@example.com"'


def invited(outcome: Outcome) -> list[str]:
    """The Request-URIs of the INVITEs, in order."""
    starts = [message.start.split() for message in outcome.peer.requests]
    return list(dict.fromkeys(start[1] for start in starts if start[0] == "INVITE"))


@cases(
    case("302", ONCE, asking(TO_CAROL, redirects="Follow")),
    case("302, and a callee that is busy", moving({"ivr": (CAROL,), "carol": ()}),
         asking(f"sipCode: 486, {TO_CAROL}", redirects="Follow")),
    case("by q", moving({"ivr": ("<sip:dave@example.com>;q=0.1", f"{CAROL};q=0.9")}),
         asking(TO_CAROL, redirects="Follow")),
    case("the next one after a refusal",
         moving({"ivr": ("<sip:dave@example.com>;q=0.9", f"{CAROL};q=0.1"), "dave": ()}),
         asking(TO_CAROL, redirects="Follow")),
    case("several in one header", moving({"ivr": (f"{CAROL};q=0.9, <sip:dave@example.com>;q=0.2",)}),
         asking(TO_CAROL, redirects="Follow")),
    case("twice", moving({"ivr": ("<sip:dave@example.com>",), "dave": (CAROL,)}),
         asking(TO_CAROL, redirects="Follow")),
)  # fmt: skip
def test_contacts_of_a_3xx_are_called_through_the_endpoint(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, PASSED)
    assert invited(outcome)[0] == "sip:ivr@example.com"
    assert invited(outcome)[-1] == "sip:carol@example.com"
    invites = [message for message in outcome.peer.requests if message.start.startswith("INVITE ")]
    assert len({message.call_id for message in invites}) == 1
    assert all(message.get("x-calltest-call") for message in invites), outcome.why
    assert not any(message.get("route") for message in invites), outcome.why


@cases(
    case("final by default", ONCE, asking("sipCode: 302")),
    case("as it is asked", ONCE, asking(f'sipCode: "3xx", redirect: Required, {TO_CAROL}')),
)
def test_a_3xx_that_is_not_followed_is_the_final_response(runs: Runs, case: Case) -> None:
    assert invited(judged(runs, case, PASSED)) == ["sip:ivr@example.com"]


@cases(case("final by default", ONCE, asking("sipCode: 200")))
def test_and_a_mismatch_where_another_is_expected(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/SipCodeMismatch")


@cases(
    case("headers", moving({"ivr": ("<sip:carol@example.com?X-Evil=1>",)}), asking("", redirects="Follow")),
    case("a phone number", moving({"ivr": ("<sip:+4930123456@example.com>",)}), asking("", redirects="Follow")),
    case("an emergency number", moving({"ivr": ("<sip:112@example.com>",)}), asking("", redirects="Follow")),
    case("maddr", moving({"ivr": ("<sip:carol@example.com;maddr=192.0.2.9>",)}), asking("", redirects="Follow")),
    case("too many", moving(dict(zip(("ivr", *"abcdef"), ((f"<sip:{user}@x>",) for user in "abcdefg"), strict=True))),
         asking("", redirects="Follow")),
)  # fmt: skip
def test_a_contact_that_may_not_be_called_is_not_and_the_sut_is_not_blamed(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, "Inconclusive/NotMeasured")
    assert len(invited(outcome)) == (6 if case.name == "too many" else 1), outcome.why
    assert not any("X-Evil" in str(message) for message in outcome.peer.requests)


@cases(
    case("back to the first", moving({"ivr": (CAROL,), "carol": ("<sip:ivr@example.com>",)}),
         asking("", redirects="Follow")),
    case("to itself", moving({"ivr": ("<sip:ivr@example.com>",)}), asking("", redirects="Follow")),
)  # fmt: skip
def test_a_loop_of_redirects_fails(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/RedirectLoop")


@cases(case("no 3xx", Uas, asking("redirect: Required", redirects="Follow")))
def test_a_redirect_that_does_not_come_fails(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/RedirectMissing")


@cases(
    case("followed", ONCE, asking("redirect: Forbidden", redirects="Follow")),
    case("final", ONCE, asking("redirect: Forbidden")),
)
def test_a_redirect_that_is_forbidden_fails(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/RedirectUnexpected")


@cases(case("to another", moving({"ivr": ("<sip:dave@example.com>",)}), asking(TO_CAROL, redirects="Follow")))
def test_a_redirect_to_another_contact_fails(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/RedirectTargetMismatch")


# --- forks

FORKED = saying((0.02, "183 Session Progress", "b1", {}), (0.05, "180 Ringing", "b2", {}),
                (0.1, "200 OK", "b2", {}), (0.12, "200 OK", "b3", {}))  # fmt: skip


@cases(case("allowed", FORKED, asking("")))
def test_a_second_answer_is_no_fault_by_itself(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


@cases(case("forbidden", FORKED, asking("forking: Forbidden")))
def test_a_second_answer_that_is_forbidden_fails(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/AnsweredTwice")
