"""Signalling as people's systems do it: forks, requests within a call, challenges, answers that are none."""

from typing import Any

from tests.component.field import PASSED, UNMEASURED, case, cases, judged
from tests.component.peers.rtp import PCMU, Rtp, bound, noise
from tests.component.peers.running import MEDIA, Case, Runs, echo
from tests.component.peers.sip import Message, sdp
from tests.component.peers.uas import Address, Call, Uas

CREDENTIALS = """\
---
apiVersion: v1
kind: Secret
metadata: {name: alice}
stringData: {username: alice, password: secret}
"""


def challenged(*, registers: bool) -> str:
    """With a password, for who asks for one."""
    caller = f'{{uri: "sip:alice@example.com", credentials: {{secretName: alice}}, register: {str(registers).lower()}}}'
    return echo().replace('{uri: "sip:alice@example.com"}', caller) + CREDENTIALS


# --- several answers to one INVITE (RFC 3261 §12, §13.2.2.4)


class Fork(Uas):
    """Two phones pick up: two dialogs. Media is with the first."""

    other_s = 0.15
    """After the first."""
    hangs_up = False
    """The second ends its own dialog, while it is told to."""

    def answered(self, call: Call) -> None:
        call.noted["socket"] = bound()
        self.later(self.other_s, lambda: self.second(call))

    def second(self, call: Call) -> None:
        body = sdp(call.noted["socket"].getsockname()[1], event=call.event, formats=f"0 {call.event}")
        contact = f"<sip:second@{self.address}>"
        self.respond(call.invite, "200 OK", call.peer, tag="second", body=body, contact=contact)

    def on_ack(self, request: Message, peer: Address) -> None:
        if self.hangs_up and request.tag("to") == "second":
            self.request(self.calls[request.call_id], "BYE", tag="second", cseq=1)

    def on_bye(self, request: Message, peer: Address) -> None:
        if request.tag("to") == "second":
            self.respond(request, "481 Gone" if self.hangs_up else "200 OK", peer)
        else:
            super().on_bye(request, peer)


class ForkThatHangsUp(Fork):
    hangs_up = True


class LateFork(Fork):
    """When the call is well under way."""

    other_s = 1.5


class Ringing(Uas):
    """Three phones ring, one with early media; the first picks up."""

    def ring(self, call: Call) -> None:
        super().ring(call)
        self.respond(call.invite, "180 Ringing", call.peer, tag="second")
        self.respond(call.invite, "183 Session Progress", call.peer, tag="third", body=self.sdp(call))


class SaidAgain(Uas):
    """Its 200 comes three times, whatever it was told (RFC 3261 §13.3.1.4 after a lost ACK)."""

    def answer(self, call: Call) -> None:
        super().answer(call)
        for after_s in (0.5, 1.5):
            self.later(after_s, lambda: super(SaidAgain, self).answer(call))


@cases(
    case("two phones", Fork),
    case("the other hangs up", ForkThatHangsUp),
    case("late", LateFork),
    case("ringing", Ringing),
    case("said again", SaidAgain),
)
def test_a_call_is_judged_by_its_own_dialog(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


# --- keep-alives (RFC 5626 §3.5.1, §4.4), and empty lines before a message (RFC 3261 §7.5)


class KeepingAlive(Uas):
    """As the RFCs have it, and as others do: some zeros, or a few bytes of no meaning."""

    stun = bytes.fromhex("000100002112a442") + 12 * b"i"

    def send(self, raw: bytes, to: Address) -> None:
        for ping in (b"\r\n", b"\r\n\r\n", b"\0", 4 * b"\0", b"jaK", b"x", self.stun):
            super().send(ping, to)
        super().send(b"\r\n\r\n" + raw, to)


@cases(case("the SUT", KeepingAlive))
def test_keep_alives_are_no_messages_and_no_faults(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, PASSED)
    assert not any("unparsed" in line for line in outcome.told)


# --- responses belong to a request by its Via, not by who sent them (RFC 3261 §17.1.3, §18.1.2)


class AnsweringFromElsewhere(Uas):
    """Listens at one port and sends from another, as a host with several addresses may."""

    def __init__(self) -> None:
        super().__init__()
        self.out = self.listen(bound(), self._datagram)

    def send(self, raw: bytes, to: Address) -> None:
        self.out.sendto(raw, to)


@cases(case("another port", AnsweringFromElsewhere))
def test_a_response_from_another_address_is_a_response(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


# --- requests within the call (RFC 3261 §11.2, §12.2.2; RFC 6086 §4.2.2)


class Asking(Uas):
    """Asks one thing of the caller, at 1.2 s."""

    method, more = "OPTIONS", dict[str, Any]()

    def answered(self, call: Call) -> None:
        self.later(1.2, lambda: self.request(call, self.method, **self.more))

    def ack_sdp(self, call: Call) -> str:
        return self.sdp(call, version=2)


def asking(asked: str, **fields: Any) -> type[Asking]:
    return type("Asking", (Asking,), {"method": asked, "more": fields})


@cases(
    case("BYE", asking("BYE", tag="nobody", cseq=7)),
    case("re-INVITE", asking("INVITE", tag="nobody", cseq=7, body=sdp(9))),
    case("UPDATE", asking("UPDATE", tag="nobody", cseq=7)),
)
def test_a_request_with_a_tag_of_no_dialog_is_refused_and_changes_nothing(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, PASSED)
    assert {answer.code for answer in outcome.peer.answers} == {481}


RELAY = {"body": "Signal=5\r\nDuration=160\r\n", "kind": "application/dtmf-relay"}
ANSWERED = {
    "OPTIONS": 200,
    "INFO with a digit": 200,
    "INFO of a package": 469,
    "UPDATE": 200,
    "re-INVITE without SDP": 200,
    "unknown": 405,
}


@cases(
    case("OPTIONS", asking("OPTIONS")),
    case("INFO with a digit", asking("INFO", **RELAY), echo("rtp: {minPackets: 100}")),
    case("INFO of a package", asking("INFO", extra=("Info-Package: foo",), body="x", kind="application/foo")),
    case("UPDATE", asking("UPDATE", extra=("Supported: timer", "Session-Expires: 1800;refresher=uac"))),
    case("re-INVITE without SDP", asking("INVITE")),
    case("unknown", asking("FOO")),
)
def test_a_request_within_the_call_is_answered_as_a_phone_would(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, PASSED)
    assert {answer.code for answer in outcome.peer.answers if answer.code >= 200} == {ANSWERED[case.name]}


class Holding(Uas):
    """Holds the call from 1.6 to 2.8 s, with music or without (RFC 3264 §8.4), and resumes it."""

    way = "inactive"

    def answered(self, call: Call) -> None:
        for version, (at_s, way) in enumerate(((1.6, self.way), (2.8, "sendrecv")), 2):
            body = self.sdp(call, way=way, version=version)
            self.later(at_s, lambda body=body: self.request(call, "INVITE", body=body))

    def media(self, call: Call, packet: Rtp) -> None:
        call.noted["last"] = packet.timestamp, call.age_s
        super().media(call, packet)

    def tick(self, call: Call) -> None:
        if self.way == "sendonly":
            for _ in range(self.every(call, "music", 0.02, 1.7, 2.8)):
                if begins := "line" not in call.noted:
                    timestamp, at_s = call.noted["last"]
                    call.noted["line"] = timestamp + round((call.age_s - at_s) * 50) * 160
                call.source.send(PCMU, call.noted["line"], noise(), marker=begins)
                call.noted["line"] += 160


class WithMusic(Holding):
    way = "sendonly"


@cases(case("inactive", Holding, echo(MEDIA)), case("with music", WithMusic, echo(MEDIA)))
def test_a_call_that_was_held_and_resumed_passes(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


# --- before the answer


class ReliableAnswer(Uas):
    """The answer is in a reliable 183 (RFC 3262); the 200 has none (RFC 6337 §3.1.1)."""

    def ring(self, call: Call) -> None:
        extra = ("Require: 100rel", "RSeq: 1")
        body = self.answer_sdp(call)
        self.respond(call.invite, "183 Session Progress", call.peer, tag=call.tag, body=body, extra=extra)

    def on_prack(self, request: Message, peer: Address) -> None:
        self.respond(request, "200 OK", peer)
        self.later(0.3, lambda: self.answer(self.calls[request.call_id]))

    def answer(self, call: Call) -> None:
        self.respond(call.invite, "200 OK", call.peer, tag=call.tag)
        self.up(call)


class TooShortASession(Uas):
    """RFC 4028 §6: 422, again with what it names."""

    def on_invite(self, request: Message, peer: Address) -> None:
        wanted = request.get("session-expires").partition(";")[0]
        if wanted.isdigit() and int(wanted) < 3600:
            self.respond(request, "422 Session Interval Too Small", peer, tag="s", extra=("Min-SE: 3600",))
        else:
            super().on_invite(request, peer)


def digest(kind: str, realm: str, nonce: str, more: str = "algorithm=MD5") -> str:
    return f'{kind}-Authenticate: Digest realm="{realm}", nonce="{nonce}", {more}, qop="auth"'


class Chain(Uas):
    """A proxy asks, then the far end; the BYE is asked too."""

    def on_invite(self, request: Message, peer: Address) -> None:
        for code, kind in (("407 Proxy Authentication Required", "Proxy"), ("401 Unauthorized", "WWW")):
            if f'realm="{kind.lower()}.example.com"' not in request.credentials():
                extra = (digest(kind, f"{kind.lower()}.example.com", kind),)
                self.respond(request, code, peer, tag=kind, extra=extra)
                return
        super().on_invite(request, peer)

    def on_bye(self, request: Message, peer: Address) -> None:
        if 'nonce="bye"' in request.credentials():
            super().on_bye(request, peer)
        else:
            extra = (digest("Proxy", "proxy.example.com", "bye", "stale=true, algorithm=MD5"),)
            self.respond(request, "407 Proxy Authentication Required", peer, extra=extra)


class Stale(Uas):
    """Its nonce is too old by the time it comes back (RFC 7616 §3.3)."""

    def on_invite(self, request: Message, peer: Address) -> None:
        have = request.credentials()
        if 'nonce="new"' in have:
            super().on_invite(request, peer)
            return
        asked = digest("Proxy", "r", "new", "stale=true, algorithm=MD5") if have else digest("Proxy", "r", "old")
        self.respond(request, "407 Proxy Authentication Required", peer, tag="p", extra=(asked,))


class Registrar(Uas):
    """423 (RFC 3261 §10.2.8), then two challenges of which a phone takes one (RFC 8760)."""

    def on_register(self, request: Message, peer: Address) -> None:
        expires = request.get("expires") or request.get("contact").partition("expires=")[2]
        if 0 < int(expires or 3600) < 1800:
            self.respond(request, "423 Interval Too Brief", peer, tag="r", extra=("Min-Expires: 1800",))
        elif not request.credentials():
            both = tuple(digest("WWW", "example.com", "n", f"algorithm={name}") for name in ("SHA-256", "MD5"))
            self.respond(request, "401 Unauthorized", peer, tag="r", extra=both)
        else:
            super().on_register(request, peer)


@cases(
    case("a reliable 183", ReliableAnswer),
    case("422", TooShortASession),
    case("two challenges and one of the BYE", Chain, challenged(registers=False)),
    case("a stale nonce", Stale, challenged(registers=False)),
    case("423 and two algorithms", Registrar, challenged(registers=True)),
)
def test_what_a_phone_is_asked_before_the_answer_it_does(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


class Asked(Uas):
    """Asks for credentials in a way that a phone need not know."""

    challenge = 'Digest realm="x", nonce="n", qop="auth-int"'

    def on_invite(self, request: Message, peer: Address) -> None:
        extra = (f"Proxy-Authenticate: {self.challenge}",)
        self.respond(request, "407 Proxy Authentication Required", peer, tag="c", extra=extra)


class AskedForToken(Asked):
    challenge = 'Bearer authz_server="https://example.com"'


@cases(
    case("auth-int alone", Asked, challenged(registers=False)),
    case("a token", AskedForToken, challenged(registers=False)),
)
def test_a_challenge_that_our_stack_cannot_answer_is_no_fault_of_the_system(runs: Runs, case: Case) -> None:
    judged(runs, case, "Inconclusive/NotMeasured")


# --- answers (RFC 3264 §6)


class Answering(Uas):
    """With that SDP."""

    body = ""

    def answer_sdp(self, call: Call) -> str:
        return self.body.replace("PORT", str(call.port)).replace("EVENT", str(call.event))


def answering(answer: str) -> type[Answering]:
    return type("Answering", (Answering,), {"body": answer})


GOOD = sdp(0, formats="0 EVENT").replace("audio 0", "audio PORT").replace(":101 ", ":EVENT ")
G722 = GOOD.replace("RTP/AVP 0 EVENT", "RTP/AVP 9").replace("a=rtpmap:0 PCMU/8000", "a=rtpmap:9 G722/8000")
ASKED_NOTHING = echo("")


@cases(
    case("none", answering("")),
    case("no SDP at all", answering("an answer")),
    case("an m= line cut short", answering(GOOD.replace("PORT RTP/AVP 0 EVENT", "PORT"))),
    case("no o=", answering("\r\n".join(line for line in GOOD.split("\r\n") if line[:2] not in {"o=", "v="}))),
    case("a codec that was not offered", answering(G722)),
    case("video", answering(GOOD.replace("m=audio", "m=video"))),
    case("more media than was offered", answering(f"{GOOD}m=video 9000 RTP/AVP 31\r\n")),
    case("refused media", answering(GOOD.replace("PORT", "0"))),
    case("inactive", answering(GOOD.replace("sendrecv", "inactive"))),
)
def test_an_answer_that_is_none_to_the_offer_fails(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/InvalidAnswer")


@cases(
    case("good", answering(GOOD)),
    case("inactive, and nothing was asked", answering(GOOD.replace("sendrecv", "inactive")), ASKED_NOTHING),
)
def test_an_answer_that_a_standard_allows_passes(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


# --- where requests of the dialog go (RFC 3261 §12.2.1.1)


class Elsewhere(Uas):
    """Its answer names another place for the ACK and the BYE."""

    contact_uri, route = "sip:sut@ADDRESS", ""

    def answer(self, call: Call) -> None:
        extra = (_at(self, f"Record-Route: <{self.route}>"),) if self.route else ()
        contact, body = _at(self, f"<{self.contact_uri}>"), self.answer_sdp(call)
        self.respond(call.invite, "200 OK", call.peer, tag=call.tag, body=body, extra=extra, contact=contact)
        self.up(call)


def _at(peer: Uas, text: str) -> str:
    return text.replace("ADDRESS", peer.address).replace("PORT", peer.address.rpartition(":")[2])


def elsewhere(contact: str, route: str = "") -> type[Elsewhere]:
    return type("Elsewhere", (Elsewhere,), {"contact_uri": contact, "route": route})


NO_TRANSPORT, NOT_ALLOWED, NO_NAME = "no transport that leads there", "--allow-target", "no address was found"
BOUND = ("--allow-target", "192.0.2.8/32")
UNREACHABLE = {
    "TCP": NO_TRANSPORT,
    "TLS": NO_TRANSPORT,
    "sips": NO_TRANSPORT,
    "IPv6": NO_TRANSPORT,
    "another address": NOT_ALLOWED,
    "a proxy elsewhere": NOT_ALLOWED,
    "a proxy by TCP": NO_TRANSPORT,
    "no such name": NO_NAME,
    "no such proxy": NO_NAME,
}


@cases(
    case("TCP", elsewhere("sip:sut@ADDRESS;transport=tcp")),
    case("TLS", elsewhere("sip:sut@ADDRESS;transport=TLS")),
    case("sips", elsewhere("sips:sut@ADDRESS")),
    case("IPv6", elsewhere("sip:sut@[::1]:PORT")),
    case("another address", elsewhere("sip:sut@192.0.2.9"), echo(), *BOUND),
    case("a proxy elsewhere", elsewhere("sip:sut@ADDRESS", "sip:192.0.2.9;lr"), echo(), *BOUND),
    case("a proxy by TCP", elsewhere("sip:sut@ADDRESS", "sip:ADDRESS;transport=tcp;lr")),
    case("no such name", elsewhere("sip:sut@sut.invalid:PORT")),
    case("no such proxy", elsewhere("sip:sut@ADDRESS", "sip:proxy.invalid;lr")),
)
def test_where_an_ack_cannot_go_it_and_the_bye_go_back_and_the_leg_says_so(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, UNMEASURED)
    assert UNREACHABLE[case.name] in outcome.text
    assert "ack could not be sent to" in outcome.text
    assert {request.method for request in outcome.peer.requests} >= {"ACK", "BYE"}


@cases(
    case("a name", elsewhere("sip:sut@localhost:PORT")),
    case("a proxy by name", elsewhere("sip:sut@ADDRESS", "sip:localhost:PORT;lr"), echo(), *BOUND),
)
def test_names_that_lead_to_where_calls_may_go_are_as_good_as_addresses(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, PASSED)
    assert {request.method for request in outcome.peer.requests} >= {"ACK", "BYE"}


# --- the end


class Refusing(Uas):
    """The BYE, in a call that is up."""

    status = "403 Forbidden"

    def on_bye(self, request: Message, peer: Address) -> None:
        self.respond(request, self.status, peer)


def refusing(said: str) -> type[Refusing]:
    return type("Refusing", (Refusing,), {"status": said})


@cases(
    case("403", Refusing),
    case("481", refusing("481 Call/Transaction Does Not Exist")),
    case("500", refusing("500 Server Internal Error")),
)
def test_a_bye_that_is_refused_in_a_live_call_fails(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/ByeRejected")


class Redirecting(Uas):
    """To where nobody of ours may call."""

    def on_invite(self, request: Message, peer: Address) -> None:
        self.respond(request, "302 Moved Temporarily", peer, tag="m", contact="<sip:bob@192.0.2.9>")


@cases(case("302", Redirecting))
def test_a_redirect_that_is_not_followed_is_the_code_that_came(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, "Failed/SipCodeMismatch")
    assert "302" in outcome.why
