"""Headers that agents send, and what is looked for in what comes: systems that pass on, drop, add, change and double.

The SUT is a B2BUA between our two agents, or answers itself.
"""

import re
from typing import Any

from tests.component.field import PASSED, UNMEASURED, case, cases, judged, undisturbed
from tests.component.peers.b2bua import B2bua, Far
from tests.component.peers.running import Case, Outcome, Runs, both, echo
from tests.component.peers.sip import Message
from tests.component.peers.uas import Address, Call, Uas

OWN = ("x-tenant", "x-call", "reason", "x-answered-by", "x-taken", "subject")
"""Headers of the tests here."""


def lines(message: Message) -> list[str]:
    """Those of them that a message has."""
    return [f"{name}: {value}" for name, value in message.headers if name in OWN]


class PassingOn(B2bua):
    """Takes over our headers, both ways."""

    def passed(self, message: Message) -> list[str]:
        return lines(message)

    def far_request(self, far: Far, method: str, cseq: int, **more: Any) -> None:
        came = {"INVITE": far.call.invite, "BYE": far.call.noted.get("bye")}.get(method)
        super().far_request(far, method, cseq, **more, extra=[] if came is None else self.passed(came))

    def on_bye(self, request: Message, peer: Address) -> None:
        if request.call_id in self.calls:
            self.calls[request.call_id].noted["bye"] = request
        super().on_bye(request, peer)

    def on_response(self, message: Message, peer: Address) -> None:
        self.came: Message | None = message
        super().on_response(message, peer)
        self.came = None

    def respond(self, request: Message, status: str, to: Address, **more: Any) -> None:
        came = getattr(self, "came", None)
        extra = tuple(self.passed(came)) if came is not None and request.method == "INVITE" else ()
        super().respond(request, status, to, **(more | {"extra": (*more.get("extra", ()), *extra)}))


class Dropping(PassingOn):
    def passed(self, message: Message) -> list[str]:
        return []


class Changing(PassingOn):
    """Another value, in compact form, folded or in another case where that means the same."""

    def passed(self, message: Message) -> list[str]:
        return [line.replace("lane 0", "lane 1").replace("us", "them") for line in lines(message)]


class Rewriting(PassingOn):
    """The same in other words (RFC 3261 §7.3)."""

    def passed(self, message: Message) -> list[str]:
        said = [line.replace("subject:", "s :\r\n  ").replace("x-tenant", "X-TENANT") for line in lines(message)]
        return [line.replace("lane 0", "lane\r\n\t0") for line in said]


class Doubling(PassingOn):
    def passed(self, message: Message) -> list[str]:
        return 2 * lines(message)


class Adding(PassingOn):
    def passed(self, message: Message) -> list[str]:
        return [*lines(message), "X-Internal: 10.1.2.3"]


class Renumbering(PassingOn):
    """Calls the callee by another number than it registered."""

    def invite(self, far: Far) -> None:
        far.target = re.sub("sip:[^@]*@", "sip:+4930@", far.target)
        super().invite(far)


class Anonymous(PassingOn):
    """Passes on nothing that names the call."""

    def far_request(self, far: Far, method: str, cseq: int, **more: Any) -> None:
        invite = far.call.invite
        kept = tuple((name, value) for name, value in invite.headers if name != "x-calltest-call")
        far.call.invite = Message(invite.start, kept, invite.body)
        super().far_request(far, method, cseq, **more)


SENT = {
    'caller: {uri: "sip:alice@example.com"}': """\
caller:
    uri: "sip:alice@example.com"
    headers:
    - {name: X-Tenant, value: "lane {endpoint}", messages: [INVITE, BYE]}
    - {name: X-Call, value: usual}
""",
    'callee: {uri: "sip:bob@example.com"}': """\
callee:
    uri: "sip:bob@example.com"
    headers:
    - {name: X-Answered-By, value: us}
    - {name: X-Taken, value: "yes", messages: [Answer]}
""",
    'caller: {dtmf: {digits: "12#"}}': """\
caller:
      headers:
      - {name: x-call, value: special}
      - {name: Subject, value: hello}
      - {name: Reason, value: Q.850;cause=16, messages: [BYE, CANCEL]}
""",
}
CALLEE = (
    "{message: INVITE, name: X-Tenant, equals: lane 0}",
    "{message: INVITE, name: X-Tenant, count: 1}",
    '{message: INVITE, name: X-Call, matches: "^special$"}',
    "{message: INVITE, name: S, equals: hello}",
    "{message: INVITE, name: Reason, present: false}",
    '{message: BYE, name: X-Tenant, matches: "^lane {endpoint}$"}',
    "{message: BYE, name: Reason, equals: Q.850;cause=16}",
    "{message: INVITE, name: X-Internal, present: false}",
)
CALLER = (
    "{message: Provisional, code: 180, name: X-Answered-By, equals: us}",
    "{message: Provisional, name: X-Taken, present: false}",
    "{message: Final, name: X-Answered-By, count: 1}",
    '{message: Final, name: X-Taken, equals: "yes"}',
    "{message: Final, name: X-Internal, present: false}",
    "{message: ByeResponse, name: CSeq, matches: BYE}",
)


def between(
    callee: tuple[str, ...] = CALLEE, caller: tuple[str, ...] = CALLER, uris: str = "{matches: '^sip:bob@'}"
) -> str:
    """From our caller to our callee, with headers of both."""
    text = both(
        callee=f"headers: [{', '.join(callee)}], requestUris: [{uris}]",
        caller=f"headers: [{', '.join(caller)}]",
    )
    for line, more in SENT.items():
        assert line in text
        text = text.replace(line, more.rstrip("\n"), 1)
    return text


def broken(outcome: Outcome) -> set[tuple[str, str]]:
    """Leg and reason of all that did not hold."""
    return {(each["leg"], each["reason"]) for each in outcome.run["status"].get("failures", ())}


@cases(
    case("passed on", PassingOn, between()),
    case("in other words", Rewriting, between()),
    case("of a call that nothing names", Anonymous, between()),
)
def test_headers_reach_the_other_end_and_are_found_in_any_legal_form(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


@cases(
    case("dropped", Dropping, between()),
    case("dropped, of a call that nothing names", type("Nothing", (Dropping, Anonymous), {}), between()),
)
def test_headers_that_are_dropped_are_missing_at_both_ends(runs: Runs, case: Case) -> None:
    outcome = runs.of(case)
    undisturbed(outcome, "Failed/HeaderMissing")
    assert broken(outcome) == {("Callee", "HeaderMissing"), ("Caller", "HeaderMissing")}
    notes = {each.get("note") for each in outcome.run["status"]["failures"] if each["leg"] == "Callee"}
    assert notes == {"the caller sent it"}


@cases(
    case("changed", Changing, between()),
)
def test_a_header_that_is_changed_is_told_with_both_values(runs: Runs, case: Case) -> None:
    outcome = runs.of(case)
    undisturbed(outcome, "Failed/HeaderMismatch")
    told = {(each["expected"], each["observed"]) for each in outcome.run["status"]["failures"]}
    assert ("INVITE with X-Tenant: lane 0", "INVITE with X-Tenant: lane 1") in told
    assert ("180 with X-Answered-By: us", "180 with X-Answered-By: them") in told


@cases(
    case("added", Adding, between()),
    case("doubled", Doubling, between()),
)
def test_a_header_that_is_there_too_often_is_unexpected(runs: Runs, case: Case) -> None:
    outcome = runs.of(case)
    undisturbed(outcome, "Failed/HeaderUnexpected")
    assert broken(outcome) == {("Callee", "HeaderUnexpected"), ("Caller", "HeaderUnexpected")}


@cases(
    case(
        "as it registered", PassingOn, between((), (), "{matches: '^sip:bob@'}, {message: BYE, matches: '^sip:bob@'}")
    ),
)
def test_the_request_uri_is_what_the_callee_registered(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


@cases(case("renumbered", Renumbering, between((), ())))
def test_a_request_uri_that_was_rewritten_is_told(runs: Runs, case: Case) -> None:
    outcome = runs.of(case)
    undisturbed(outcome, "Failed/RequestUriMismatch")
    (failure,) = outcome.run["status"]["failures"]
    assert failure["observed"].startswith("INVITE with Request-URI sip:+4930@")


# --- the SUT answers itself


class Answering(Uas):
    """Says what it got, in headers of its answers."""

    def respond(self, request: Message, status: str, to: Address, **more: Any) -> None:
        extra = tuple(f"X-Got-{line.title()}" for line in lines(request))
        told = (*more.get("extra", ()), *extra, "Server: the sut/1.0 (a, b)")
        super().respond(request, status, to, **(more | {"extra": told}))


class Refusing(Answering):
    def ring(self, call: Call) -> None:
        self.respond(call.invite, "503 Service Unavailable", call.peer, tag=call.tag)


class Silent(Answering):
    """Nothing between the INVITE and the 200."""

    def ring(self, call: Call) -> None:
        self.later(self.ring_s, lambda: self.answer(call))


class Wordy(Answering):
    """A header that nobody in good faith writes."""

    def respond(self, request: Message, status: str, to: Address, **more: Any) -> None:
        Uas.respond(self, request, status, to, **more, extra=("X-Long: " + 9000 * "x",))


def asks(*headers: str, **fields: str) -> str:
    text = echo(f"headers: [{', '.join(headers)}]", **fields)
    return text.replace(
        'caller: {dtmf: {digits: "12#"}}', "caller: {headers: [{name: X-Tenant, value: blue, messages: [INVITE, BYE]}]}"
    )


@cases(
    case(
        "of all responses",
        Answering,
        asks(
            "{message: Provisional, name: X-Got-X-Tenant, equals: Blue}",
            "{message: Final, name: X-Got-X-Tenant, equals: Blue}",
            "{message: Final, name: server, count: 1}",
            "{message: ByeResponse, name: X-Got-X-Tenant, equals: Blue}",
        ),
    ),
    case(
        "of a refusal that is expected",
        Refusing,
        asks("{message: Final, name: X-Got-X-Tenant, equals: Blue}").replace(
            "    expect:\n", "    expect:\n      sipCode: 503\n"
        ),
    ),
)
def test_a_caller_s_headers_are_on_what_it_sends_and_what_comes_is_looked_at(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


@cases(
    case("no 180", Silent, asks("{message: Provisional, name: Server, present: false}")),
    case("too long", Wordy, asks("{message: Final, name: X-Long, matches: 'y$'}")),
)
def test_what_did_not_come_or_was_not_read_is_not_measured(runs: Runs, case: Case) -> None:
    judged(runs, case, UNMEASURED)


class RingingForever(Answering):
    def ring(self, call: Call) -> None:
        self.respond(call.invite, "180 Ringing", call.peer, tag=call.tag)


@cases(
    case(
        "ringing for ever",
        RingingForever,
        echo(answerTimeoutSeconds="2").replace(
            'caller: {dtmf: {digits: "12#"}}',
            'caller: {dtmf: {digits: "12#"}, headers: [{name: Reason, value: SIP;cause=487, messages: [CANCEL]}]}',
        ),
    ),
)
def test_headers_go_on_a_cancel(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, "Failed/NoAnswer")
    assert {request.method: request.all("reason") for request in outcome.peer.requests} == {
        "INVITE": [],
        "CANCEL": ["SIP;cause=487"],
        "ACK": [],
    }


# --- as an agent registers


class Registrar(Uas):
    """Refuses who does not say its tenant."""

    def on_register(self, request: Message, peer: Address) -> None:
        if request.get("x-tenant") == "blue":
            super().on_register(request, peer)
        else:
            self.respond(request, "403 Forbidden", peer, tag="r")


def registering(headers: str) -> str:
    caller = f'caller: {{uri: "sip:alice@example.com", register: true, headers: [{headers}]}}'
    return echo("").replace('caller: {uri: "sip:alice@example.com"}', caller)


@cases(
    case("with it", Registrar, registering("{name: X-Tenant, value: blue, messages: [REGISTER]}")),
)
def test_headers_go_on_each_register(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, PASSED)
    registers = [request for request in outcome.peer.requests if request.method == "REGISTER"]
    assert [request.all("x-tenant") for request in registers] == [["blue"], ["blue"]], "the last takes it back"
    assert all(request.all("x-tenant") == [] for request in outcome.peer.requests if request.method != "REGISTER")
