"""A system between our two agents: what both ends say of a path that repacketises, drops, or stays out of it."""

import re
import time
from typing import Any

from tests.component.field import PASSED, case, cases, judged
from tests.component.peers.b2bua import B2bua, Far, OutOfIt, Repacketiser
from tests.component.peers.rtp import PCMU, Rtp, Source, bound, noise
from tests.component.peers.running import MEDIA, OWN, Case, Runs, both
from tests.component.peers.sip import Message, branch, media_target, sdp
from tests.component.peers.uas import Address, Call

COUNTED = both(MEDIA.replace("100", "50"), MEDIA.replace("100", "50"), holdSeconds="12")
"""Of a signal that lost a tenth not enough may be whole: its audio is not asked.

So long that what is sent before the other end has read the answer, no fault of the path's, is a small part of it."""
BOTH_WAYS = both(OWN.replace("100", "50"), OWN.replace("100", "50"))

# --- what is lost is media time, not packets (RFC 3551 §4.2)


def repacketising(packet_ms: int, *, loses: bool = False, renumbers: bool = False) -> type[Repacketiser]:
    fields = {"packet_ms": packet_ms, "lost_each": 10 if loses else None, "renumbers": renumbers}
    return type("Repacketising", (Repacketiser,), fields)


@cases(
    case("as it came", B2bua, BOTH_WAYS),
    case("20 ms", repacketising(20), BOTH_WAYS),
    case("10 ms", repacketising(10), BOTH_WAYS),
    case("30 ms", repacketising(30), BOTH_WAYS),
    case("40 ms", repacketising(40), BOTH_WAYS),
    case("60 ms", repacketising(60), BOTH_WAYS),
)
def test_packets_of_another_length_lose_nothing(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


@cases(
    case("20 ms", repacketising(20, loses=True), COUNTED),
    case("10 ms", repacketising(10, loses=True), COUNTED),
    case("30 ms", repacketising(30, loses=True), COUNTED),
    case("40 ms", repacketising(40, loses=True), COUNTED),
    case("60 ms", repacketising(60, loses=True), COUNTED),
    case("20 ms, hidden", repacketising(20, loses=True, renumbers=True), COUNTED),
    case("10 ms, hidden", repacketising(10, loses=True, renumbers=True), COUNTED),
    case("30 ms, hidden", repacketising(30, loses=True, renumbers=True), COUNTED),
    case("40 ms, hidden", repacketising(40, loses=True, renumbers=True), COUNTED),
    case("60 ms, hidden", repacketising(60, loses=True, renumbers=True), COUNTED),
)
def test_a_tenth_that_was_lost_on_the_way_fails_whatever_the_packets_length(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, "Failed/PacketLoss")
    failures = [each for each in outcome.run["status"]["failures"] if each["reason"] == "PacketLoss"]
    assert {each["leg"] for each in failures} == {"Caller", "Callee"}, outcome.why
    for each in failures:
        assert 6 < float(each["observed"].partition(" %")[0]) < 14, outcome.why


class PacketTime(B2bua):
    """Both sides are asked for packets of 30 ms."""

    more = ("ptime:30",)

    def answer_sdp(self, call: Call) -> str:
        return self.sdp(call, more=self.more)

    def far_sdp(self, far: Far) -> str:
        return sdp(far.port, event=far.call.event, formats=f"0 {far.call.event}", more=self.more)


class OneSide(PacketTime):
    """Only the caller is; the callee sends 20 ms."""

    def far_sdp(self, far: Far) -> str:
        return super(PacketTime, self).far_sdp(far)


@cases(case("both", PacketTime, BOTH_WAYS), case("one", OneSide, BOTH_WAYS))
def test_a_packet_time_that_was_asked_for_is_no_fault_at_either_end(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


# --- media that does not go where it should

ASKED_AT_CALLER = both("", OWN)
NOTHING_ASKED = both("", "")


class Loop(B2bua):
    """Plays the caller's media back to it; the callee's goes nowhere, and it gets none."""

    def _pass(self, call: Call, way: str, packet: Rtp) -> None:
        if way == "ab":
            call.source.send(packet.payload_type, packet.timestamp, packet.payload, marker=packet.marker)


class Deaf(B2bua):
    """What the caller sends goes nowhere."""

    def _pass(self, call: Call, way: str, packet: Rtp) -> None:
        if way == "ba":
            super()._pass(call, way, packet)


class Mute(B2bua):
    """What the callee sends goes nowhere."""

    def _pass(self, call: Call, way: str, packet: Rtp) -> None:
        if way == "ab":
            super()._pass(call, way, packet)


class FromNobody(B2bua):
    """In the place of the caller's media the callee gets somebody's, from an address of nobody's."""

    def _pass(self, call: Call, way: str, packet: Rtp) -> None:
        if way == "ba":
            super()._pass(call, way, packet)
            return
        if "stranger" not in call.noted:
            call.noted["stranger"] = Source(bound("127.0.0.2"))
        call.noted["stranger"].target = call.noted["far"].source.target
        call.noted["stranger"].send(PCMU, packet.timestamp, noise(len(packet.payload)))


@cases(
    case("nothing asked of the callee", Loop, ASKED_AT_CALLER),
    case("nothing asked", Loop, NOTHING_ASKED),
    case("all asked", Loop, BOTH_WAYS),
)
def test_the_callers_own_media_back_is_no_call(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/Looped")


@cases(
    case("to the callee", Deaf, NOTHING_ASKED),
    case("to the caller", Mute, NOTHING_ASKED),
    case("a stranger's to the callee", FromNobody, NOTHING_ASKED),
)
def test_nothing_of_what_our_agent_sent_arriving_fails_asked_for_or_not(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/NoRtp")


# --- what a path may do


class Prompt(B2bua):
    """A recording plays to the caller for 1.2 s before the two are joined."""

    def _pass(self, call: Call, way: str, packet: Rtp) -> None:
        if call.age_s > 1.2:
            super()._pass(call, way, packet)
        elif way == "ab" and packet.payload_type == PCMU:
            call.source.send(PCMU, packet.timestamp, noise(len(packet.payload)))


class Queue(B2bua):
    """Holds the caller with music for 1 s in the middle of the call, and the callee without."""

    def answered(self, call: Call) -> None:
        far: Far = call.noted["far"]
        for version, (at_s, music, silence) in enumerate(((2.2, "sendonly", "inactive"), (3.2, *["sendrecv"] * 2)), 2):
            to_caller = self.sdp(call, way=music, version=version)
            to_callee = self.far_sdp(far).replace("sendrecv", silence).replace("77 1", f"77 {version}")
            self.later(at_s, lambda body=to_caller: self.request(call, "INVITE", body=body))
            self.later(at_s, lambda body=to_callee, n=version: self.far_request(far, "INVITE", n, body=body))

    def on_response(self, message: Message, peer: Address) -> None:
        far = self.far.get(message.call_id)
        if far is not None and message.method == "INVITE" and message.cseq[0] > 1:
            if message.code >= 200:
                self.far_request(far, "ACK", message.cseq[0])
        else:
            super().on_response(message, peer)

    def on_bye(self, request: Message, peer: Address) -> None:
        super(B2bua, self).on_bye(request, peer)
        self.far_request(self.calls[request.call_id].noted["far"], "BYE", 9)

    def tick(self, call: Call) -> None:
        for _ in range(self.every(call, "music", 0.02, 2.3, 3.1)):
            line = call.noted.setdefault("line", [int(time.monotonic() * 8000)])
            call.source.send(PCMU, line[0], noise())
            line[0] += 160


class OneWay(B2bua):
    """A page: the callee hears, and is not heard."""

    def far_sdp(self, far: Far) -> str:
        return super().far_sdp(far).replace("sendrecv", "sendonly")

    def answer_sdp(self, call: Call) -> str:
        return super().answer_sdp(call).replace("sendrecv", "recvonly")


class ElsewhereMedia(B2bua):
    """Its media servers send from addresses that no SDP names."""

    def far_answered(self, far: Far, message: Message) -> None:
        target = media_target(message.body)
        super().far_answered(far, message)
        for source, to in ((far.source, target), (far.call.source, far.call.source.target)):
            source.socket, source.target = bound("127.0.0.2"), to


HEARD = "audio: Own"


@cases(
    case("direct media", OutOfIt, BOTH_WAYS),
    case("a prompt before", Prompt, both(HEARD, HEARD)),
    case("music on hold", Queue, both(HEARD, "", holdSeconds="5")),
    case("one way", OneWay, both(HEARD, "")),
    case("another host with the signal", ElsewhereMedia, both(MEDIA, MEDIA)),
)
def test_what_a_path_may_do_with_the_media_passes(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


# --- signalling between the ends


class NoAck(B2bua):
    """The callee's 200 is never acknowledged (RFC 3261 §13.2.2.4)."""

    def far_acknowledge(self, far: Far) -> None:
        """Not at all."""


class RefusedBye(B2bua):
    """The callee is told that the call is over; the caller is refused."""

    def respond(self, request: Message, status: str, to: Address, **more: Any) -> None:
        if request.start.startswith("BYE "):
            status = "403 Forbidden"
        super().respond(request, status, to, **more)


class Merged(B2bua):
    """The INVITE reaches the callee twice, by two ways (RFC 3261 §8.2.2.2): the second is answered 482."""

    def invite(self, far: Far) -> None:
        far.call.noted["branch"] = second = branch()
        super().invite(far)
        self.later(0.02, lambda: self.far_request(far, "INVITE", 1, body=self.far_sdp(far), branch=second))

    def on_response(self, message: Message, peer: Address) -> None:
        far = self.far.get(message.call_id)
        if far is not None and far.call.noted["branch"] in message.get("via"):
            if message.code >= 300:
                self.far_request(far, "ACK", 1, branch=far.call.noted["branch"])
        else:
            super().on_response(message, peer)


class Anonymous(B2bua):
    """Neither our header nor the Call-ID goes through: it knows only who calls."""

    def far_request(self, far: Far, method: str, cseq: int, **more: Any) -> None:
        headers = far.call.invite.headers
        kept = tuple(header for header in headers if not re.match("x-", header[0]))
        far.call.invite = Message(far.call.invite.start, kept, far.call.invite.body)
        super().far_request(far, method, cseq, **more)


@cases(case("no ACK", NoAck, BOTH_WAYS))
def test_an_ack_that_never_comes_fails(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/AckMissing")


@cases(case("403", RefusedBye, BOTH_WAYS))
def test_a_bye_that_the_path_refuses_fails(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/ByeRejected")


@cases(case("merged", Merged, BOTH_WAYS))
def test_an_invite_that_came_twice_is_one_call(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, PASSED)
    assert {answer.code for answer in outcome.peer.answers if answer.code >= 300} == {482}


AT_ONCE = both(OWN, OWN).replace("  - name: pin\n", "  - name: pin\n    count: 3\n    concurrency: 3\n")


@cases(case("three at once", Anonymous, AT_ONCE))
def test_calls_at_once_are_told_apart_by_what_was_heard(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, PASSED)
    assert outcome.run["status"]["calls"]["passed"] == 3
