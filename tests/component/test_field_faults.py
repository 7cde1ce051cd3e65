"""What a system does that neither a standard nor the test allows: a peer for each reason, one thing wrong with it."""

from tests.component.field import case, cases, judged
from tests.component.peers.b2bua import B2bua
from tests.component.peers.rtp import PCMU, Rtp, Source, bound, noise
from tests.component.peers.running import Case, Runs, both, echo
from tests.component.peers.sip import Message, sdp
from tests.component.peers.uas import Address, Call, Uas

SILENT = b"\xff"
"""A sample of PCMU."""

# --- the call


class Ringing(Uas):
    """For ever."""

    def answer(self, call: Call) -> None:
        """Nobody picks up."""


class Impatient(Uas):
    """Hangs up after 1 s, of 4."""

    def answered(self, call: Call) -> None:
        self.later(1.0, lambda: self.request(call, "BYE"))


class Deaf(Uas):
    """Never says a word to a BYE."""

    def on_bye(self, request: Message, peer: Address) -> None:
        if request.call_id in self.calls:
            self.calls[request.call_id].over = True


class Keeping(B2bua):
    """Lets the caller go, and keeps the callee."""

    def on_bye(self, request: Message, peer: Address) -> None:
        Uas.on_bye(self, request, peer)


class Closed(Uas):
    """Registers nobody."""

    def on_register(self, request: Message, peer: Address) -> None:
        self.respond(request, "403 Forbidden", peer, tag="r")


@cases(
    case("Failed/NoAnswer", Ringing, echo("", answerTimeoutSeconds="3")),
    case("Failed/CallDropped", Impatient, echo("")),
    case("Failed/ByeUnanswered", Deaf, echo("")),
    case("Failed/ByeMissing", Keeping, both("", "")),
    case("Failed/AnsweredElsewhere", Uas, both("", "")),
    case("Failed/RegistrationRejected", Closed, both("", "")),
)
def test_a_call_that_goes_wrong_says_how(runs: Runs, case: Case) -> None:
    judged(runs, case, case.name)


# --- its audio


class Silent(Uas):
    """As many packets as it gets, and nothing in them."""

    def media(self, call: Call, packet: Rtp) -> None:
        payload = SILENT * len(packet.payload) if packet.payload_type == PCMU else packet.payload
        call.source.send(packet.payload_type, packet.timestamp, payload, marker=packet.marker)


class Noisy(Uas):
    """Not the caller's sound, which it is to play back."""

    def media(self, call: Call, packet: Rtp) -> None:
        if packet.payload_type == PCMU:
            call.source.send(PCMU, packet.timestamp, noise(len(packet.payload)))


class Elsewhere(Uas):
    """Sends from a port that its SDP does not name."""

    def answered(self, call: Call) -> None:
        target, call.source = call.source.target, Source(bound())
        call.source.target = target


class Pausing(Uas):
    """Sends nothing for a second."""

    def media(self, call: Call, packet: Rtp) -> None:
        if not 1.5 < call.age_s < 2.5:
            super().media(call, packet)


class Jerking(Uas):
    """Of two packets one waits for 15 ms."""

    def media(self, call: Call, packet: Rtp) -> None:
        if len(call.got) % 2:
            super().media(call, packet)
        else:
            self.later(0.015, lambda: super(Jerking, self).media(call, packet))


@cases(
    case("Failed/NoAudio", Silent, echo("audio: Own")),
    case("Failed/WrongAudio", Noisy, echo("audio: Own")),
    case("Failed/UnexpectedAudio", Noisy, echo("audio: Silence")),
    case("Failed/UnsignalledSource", Elsewhere, echo("rtp: {source: Signalled}")),
    case("Failed/MediaGap", Pausing, echo("rtp: {maxGapMilliseconds: 500}")),
    case("Failed/Jitter", Jerking, echo("rtp: {maxJitterMilliseconds: 3}")),
)
def test_audio_that_goes_wrong_says_how(runs: Runs, case: Case) -> None:
    judged(runs, case, case.name)


# --- its digits


class NoEvents(Uas):
    """Its answer has no telephone-event."""

    def answer_sdp(self, call: Call) -> str:
        lines = sdp(call.port, formats="0").split("\r\n")
        return "\r\n".join(line for line in lines if "101" not in line)


class ByInfo(Uas):
    """Gives the caller's digits back in messages."""

    def answered(self, call: Call) -> None:
        for number, digit in enumerate("12"):
            body = f"Signal={digit}\r\nDuration=160\r\n"
            self.later(1.5 + number / 2, lambda body=body: self._info(call, body))
        self.later(2.5, lambda: self._info(call, "Signal=#\r\nDuration=160\r\n"))

    def _info(self, call: Call, body: str) -> None:
        self.request(call, "INFO", body=body, kind="application/dtmf-relay")

    def media(self, call: Call, packet: Rtp) -> None:
        if packet.payload_type == PCMU:
            super().media(call, packet)


@cases(
    case("Failed/DtmfNotNegotiated", NoEvents, echo('dtmf: {digits: "12#"}')),
    case("Failed/DtmfOtherMethod", ByInfo, echo('dtmf: {digits: "12#"}')),
)
def test_digits_that_go_wrong_say_how(runs: Runs, case: Case) -> None:
    judged(runs, case, case.name)
