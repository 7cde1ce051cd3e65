"""Digits by INFO, there and back through a system that takes, converts, swallows, refuses, delays or ignores them."""

from tests.component.field import case, cases, judged
from tests.component.peers.b2bua import B2bua, Far, Leg
from tests.component.peers.rtp import PCMU, Rtp
from tests.component.peers.running import Case, Runs, both
from tests.component.peers.sip import Message
from tests.component.peers.uas import Address
from tests.component.test_field_dialogs import CREDENTIALS

EVENTS = "0123456789*#ABCD"
INFO = 'dtmf: {digits: "12#", method: INFO}'
CALLER = 'caller: {dtmf: {digits: "12#"}}'
EXPECTS_INFO = both(f"{INFO}, audio: Own", f"{INFO}, audio: Own", holdSeconds="8")
SENDS_INFO = EXPECTS_INFO.replace(CALLER, f"caller: {{{INFO}}}")
WITH_PASSWORD = (
    SENDS_INFO.replace('alice@example.com"}', 'alice@example.com", credentials: {secretName: alice}, register: false}')
    + CREDENTIALS
)


class Informing(B2bua):
    """Answers each INFO at once, and passes it on."""

    status = "200 OK"

    def on_info(self, request: Message, peer: Address) -> None:
        """One that is sent again is answered again, and is no other."""
        again = request.cseq in (told := self._told(request))
        told.add(request.cseq)
        self.answer_info(request, peer)
        if not again and self.status.startswith("2"):
            self.taken(request)

    def _told(self, request: Message) -> set[object]:
        far = self.far.get(request.call_id)
        call = far.call if far else self.calls[request.call_id]
        told: set[object] = call.noted.setdefault("far told" if far else "told", set())
        return told

    def answer_info(self, request: Message, peer: Address) -> None:
        self.respond(request, self.status, peer)

    def taken(self, request: Message) -> None:
        self.pass_on(request, request.body)

    def pass_on(self, request: Message, body: str) -> None:
        more = {"body": body, "kind": request.get("content-type")}
        if far := self.far.get(request.call_id):
            self.request(far.call, "INFO", **more)
        else:
            self.far_ask(self.calls[request.call_id].noted["far"], "INFO", **more)


class Slow(Informing):
    """Answers after the INFO was sent again."""

    def answer_info(self, request: Message, peer: Address) -> None:
        self.later(0.7, lambda: self.respond(request, "200 OK", peer))


class Converting(Informing):
    """Makes an INFO of the caller's events."""

    def forward(self, leg: Leg, packet: Rtp) -> None:
        if packet.payload_type == PCMU:
            super().forward(leg, packet)
        elif packet.marker:
            far: Far = next(far for far in self.far.values() if far.source is leg.source)
            body = f"Signal={EVENTS[packet.payload[0]]}\r\nDuration=100\r\n"
            self.far_ask(far, "INFO", body=body, kind="application/dtmf-relay")


class Swallowing(Informing):
    """Takes them all, and the second goes no further."""

    def taken(self, request: Message) -> None:
        if "2" not in request.body:
            super().taken(request)


class Changing(Informing):
    """The second digit becomes another one."""

    def taken(self, request: Message) -> None:
        self.pass_on(request, request.body.replace("Signal=2", "Signal=3"))


class Refusing(Informing):
    """Knows no such body."""

    status = "415 Unsupported Media Type"


class Forgetful(Informing):
    """Knows no such dialog: a phone has to end its call then (RFC 3261 §12.2.1.2)."""

    status = "481 Call Does Not Exist"


class Ignoring(Informing):
    """Says nothing."""

    def on_info(self, request: Message, peer: Address) -> None:
        """It is not there."""


class Challenging(Informing):
    """Wants a password with each of the caller's."""

    def on_info(self, request: Message, peer: Address) -> None:
        if request.call_id in self.far or f'nonce="n{request.cseq[0] - 1}"' in request.credentials():
            super().on_info(request, peer)
            return
        asked = f'Proxy-Authenticate: Digest realm="sut.example.com", nonce="n{request.cseq[0]}"'
        self.respond(request, "407 Proxy Authentication Required", peer, extra=(asked,))


@cases(
    case("relay", Informing, SENDS_INFO),
    case("bare", Informing, SENDS_INFO.replace("method: INFO}}", "method: INFO, infoType: application/dtmf}}")),
    case("slow", Slow, SENDS_INFO),
    case("converted", Converting, EXPECTS_INFO),
    case("challenged", Challenging, WITH_PASSWORD),
)
def test_digits_by_info_arrive(runs: Runs, case: Case) -> None:
    judged(runs, case, "Passed")


@cases(
    case("Failed/DtmfMismatch", Swallowing, SENDS_INFO),
    case("Failed/InfoRefused", Refusing, SENDS_INFO),
    case("Failed/InfoUnanswered", Ignoring, SENDS_INFO),
    case("Failed/DtmfOtherMethod", Converting, both('dtmf: {digits: "12#"}, audio: Own', "", holdSeconds="8")),
)
def test_digits_by_info_that_go_wrong_say_how(runs: Runs, case: Case) -> None:
    judged(runs, case, case.name)


@cases(
    case("Failed/DtmfMismatch", Changing, SENDS_INFO),
    case("Failed/InfoRefused", Forgetful, SENDS_INFO),
    case(
        "Failed/DtmfOtherMethod", Informing, both('dtmf: {digits: "12#"}', INFO).replace(CALLER, f"caller: {{{INFO}}}")
    ),
)
def test_and_so_do_these(runs: Runs, case: Case) -> None:
    judged(runs, case, case.name)
