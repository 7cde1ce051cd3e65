"""Media as people's systems send it: other packet times, pauses, keep-alives, sources that begin anew or elsewhere."""

import struct
import time

from tests.component.field import PASSED, case, cases, judged
from tests.component.peers.rtp import COMFORT_NOISE, PCMU, Rtp, Source, bound, noise
from tests.component.peers.running import MEDIA, Case, Runs, echo
from tests.component.peers.uas import Call, Uas

SILENT = b"\xff" * 160
"""20 ms of PCMU."""

# --- packet times (RFC 8866 §6.4, RFC 3551 §4.2)


class PacketTime(Uas):
    """Asks for packets of that length; what it gets it plays back as it came."""

    def __init__(self, wanted_ms: int) -> None:
        super().__init__()
        self.wanted_ms = wanted_ms

    def answer_sdp(self, call: Call) -> str:
        return self.sdp(call, more=(f"ptime:{self.wanted_ms}", f"maxptime:{max(self.wanted_ms, 20)}"))


@cases(
    case("control", Uas),
    case("20 ms", lambda: PacketTime(20)),
    case("10 ms", lambda: PacketTime(10)),
    case("30 ms", lambda: PacketTime(30)),
    case("40 ms", lambda: PacketTime(40), echo(MEDIA.replace("100", "75") + ", audio: Own")),
    case("60 ms", lambda: PacketTime(60), echo('dtmf: {digits: "12#"}, rtp: {minPackets: 50}, audio: Own')),
)
def test_the_packet_time_that_an_answer_asks_for_is_no_fault(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


# --- silence, and what is sent in it (RFC 3551 §4.1, RFC 6263 §4)


class Quiet(Uas):
    """Says nothing for a while, and sends `alive` meanwhile."""

    begin_s, end_s = 1.6, 3.0

    def media(self, call: Call, packet: Rtp) -> None:
        call.noted["last"] = packet
        if not self.begin_s < call.age_s < self.end_s:
            super().media(call, packet)

    def tick(self, call: Call) -> None:
        for _ in range(self.every(call, "alive", 0.3, self.begin_s + 0.1, self.end_s)):
            self.alive(call, call.noted["last"].timestamp)

    def alive(self, call: Call, timestamp: int) -> None:
        """Keeps the path open."""


class ForGood(Quiet):
    """An announcement, and then a wait for whoever called to hang up."""

    end_s = 1e9


class Empty(Quiet):
    """§4.6: a packet without payload, of a type that nobody negotiated."""

    def alive(self, call: Call, timestamp: int) -> None:
        call.source.send(122, timestamp, b"")


class ComfortNoise(Quiet):
    """§4.7, RFC 3389: not negotiated either."""

    def alive(self, call: Call, timestamp: int) -> None:
        call.source.send(COMFORT_NOISE, timestamp, b"\x50")


class Rtcp(Quiet):
    """§4.3: on the port of RTP, a receiver report of nothing."""

    def alive(self, call: Call, timestamp: int) -> None:
        call.source.raw(struct.pack(">BBHI", 0x80, 201, 1, call.source.ssrc))


class Stun(Quiet):
    """§4.4: a binding indication."""

    def alive(self, call: Call, timestamp: int) -> None:
        call.source.raw(struct.pack(">HHI12s", 0x0011, 0, 0x2112A442, b"peers-of-our"))


class VersionZero(Quiet):
    """§4.5: RTP of a version that there is not."""

    def alive(self, call: Call, timestamp: int) -> None:
        call.source.raw(struct.pack(">BBHII", 0, PCMU, 1, timestamp, call.source.ssrc))


class ZeroBytes(Quiet):
    """§4.1: a datagram without anything."""

    def alive(self, call: Call, timestamp: int) -> None:
        call.source.raw(b"")


@cases(
    case("nothing", Quiet, echo(MEDIA)),
    case("nothing more", ForGood, echo(MEDIA.replace("100", "50"))),
    case("empty packets", Empty, echo(MEDIA)),
    case("comfort noise", ComfortNoise, echo(MEDIA)),
    case("RTCP", Rtcp, echo(MEDIA)),
    case("STUN", Stun, echo(MEDIA)),
    case("version 0", VersionZero, echo(MEDIA)),
    case("no bytes", ZeroBytes, echo(MEDIA)),
)
def test_a_system_that_says_nothing_for_a_while_is_not_broken(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


# --- lives of sequence numbers (RFC 3550 A.1)


class Anew(Uas):
    """At 2 s its source begins anew under the same SSRC."""

    sequence: int | None = 52_000
    shift = 10**9
    reinvites = False

    def answered(self, call: Call) -> None:
        if self.reinvites:
            self.later(1.9, lambda: self.request(call, "INVITE", body=self.sdp(call, version=2)))
        self.later(2.0, lambda: self.begin(call))

    def begin(self, call: Call) -> None:
        call.source.sequence = self.sequence if self.sequence is not None else call.source.sequence
        call.source.shift += self.shift


class AnewWithReinvite(Anew):
    """As hold and resume at once."""

    reinvites = True


class NumbersAnew(Anew):
    """Its timestamps go on."""

    shift = 0


class TimestampAnew(Anew):
    """Its sequence numbers go on."""

    sequence = None


class BackwardAnew(Anew):
    """To lower numbers than it had."""

    sequence, shift = 60_000, -(10**6)


class AnotherSource(Anew):
    """Under another SSRC, as after a transfer."""

    def begin(self, call: Call) -> None:
        before, call.source = call.source, Source(call.rtp)
        call.source.target = before.target


class DigitsApart(Uas):
    """Digits come under an SSRC of their own, and the audio's timestamps go on meanwhile."""

    def media(self, call: Call, packet: Rtp) -> None:
        if packet.payload_type != call.event:
            super().media(call, packet)
            return
        if "digits" not in call.noted:
            call.noted["digits"] = Source(call.rtp)
            call.noted["digits"].target = call.source.target
        call.noted["digits"].send(packet.payload_type, packet.timestamp, packet.payload, marker=packet.marker)


@cases(case("digits apart", DigitsApart))
def test_digits_of_a_source_of_their_own_leave_no_hole_in_the_audio(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


@cases(
    case("numbers and timestamp", Anew),
    case("with a re-INVITE", AnewWithReinvite),
    case("numbers alone", NumbersAnew),
    case("timestamp alone", TimestampAnew, echo('rtp: {maxLossPercent: "1", maxJitterMilliseconds: 50}')),
    case("backward", BackwardAnew),
    case("another SSRC", AnotherSource),
)
def test_a_source_that_begins_anew_lost_nothing(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


class Losing(Uas):
    """Each tenth packet of audio is lost behind its numbers."""

    def media(self, call: Call, packet: Rtp) -> None:
        if packet.payload_type == PCMU and len(call.got) % 10 == 5:
            call.source.sequence += 1
        else:
            super().media(call, packet)


class LosingAndAnew(Losing, Anew):
    """Both: a restart excuses no loss."""


@cases(case("losing", Losing), case("and beginning anew", LosingAndAnew))
def test_what_was_lost_fails(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, "Failed/PacketLoss")
    failure = next(each for each in outcome.run["status"]["failures"] if each["reason"] == "PacketLoss")
    assert 8 < float(failure["observed"].split(" %")[0]) < 12, outcome.why


# --- before the answer (RFC 3264 §5.1)


class Early(Uas):
    """Its media begins with the INVITE and goes on, whatever it is that it plays; it answers late."""

    ring_s = 8.0

    def ring(self, call: Call) -> None:
        super().ring(call)
        self._beat(call, time.monotonic(), 0)

    def _beat(self, call: Call, began_s: float, sent: int) -> None:
        due = int((time.monotonic() - began_s) / 0.02)
        for number in range(sent, due):
            call.source.send(PCMU, 160 * number, SILENT)
        if not call.over:
            self.later(0.01, lambda: self._beat(call, began_s, due))

    def media(self, call: Call, packet: Rtp) -> None:
        """It only plays."""


class EarlyForEver(Early):
    def answer(self, call: Call) -> None:
        """Nor does it ever."""


UNASKED = echo('rtp: {minPackets: 100, maxLossPercent: "1"}', answerTimeoutSeconds="12")


@cases(case("early media that nobody reads", Early, UNASKED))
def test_a_hole_that_our_own_socket_made_before_the_answer_is_no_loss(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, "Inconclusive/AgentOverloaded")
    assert "dropped at its own sockets" in outcome.why


@cases(case("early media, and no answer", EarlyForEver, UNASKED))
def test_media_excuses_no_answer_that_never_came(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/NoAnswer")


# --- whose media it is


class Elsewhere(Uas):
    """Sends from a socket that its SDP does not name."""

    media_host = "127.0.0.1"

    def answered(self, call: Call) -> None:
        target, call.source = call.source.target, Source(bound(self.media_host))
        call.source.target = target


class OtherHost(Elsewhere):
    """Of another address, too: as a media server behind a load balancer."""

    media_host = "127.0.0.2"


class Stranger(OtherHost):
    """Not this call's signal comes from there, nor its digits; nothing comes from where it should."""

    def media(self, call: Call, packet: Rtp) -> None:
        if packet.payload_type == PCMU:
            call.source.send(PCMU, packet.timestamp, noise(len(packet.payload)))


class Strangers(Uas):
    """Beside its own media comes somebody else's: noise, digits, types that nobody negotiated, many SSRCs."""

    def answered(self, call: Call) -> None:
        call.noted["other"] = other = Source(bound("127.0.0.2"))
        other.target = call.source.target

    def media(self, call: Call, packet: Rtp) -> None:
        super().media(call, packet)
        other: Source = call.noted["other"]
        other.ssrc += len(call.got) % 5 == 0
        other.sequence += 7
        other.send(PCMU, packet.timestamp, noise(len(packet.payload)))
        if len(call.got) % 20 == 0:
            other.send(97, packet.timestamp, b"nobody asked")
            other.send(call.event, packet.timestamp, struct.pack(">BBH", 9, 0x8A, 800), marker=True)


ONLY_RTP = "rtp: {minPackets: 100}"


@cases(
    case("the same host", Elsewhere),
    case("another host, with this call's signal", OtherHost),
    case("strangers beside it", Strangers),
)
def test_media_of_the_host_or_with_the_calls_signal_is_the_calls(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


@cases(
    case("packets", Stranger, echo(ONLY_RTP)),
    case("any audio", Stranger, echo(f"{ONLY_RTP}, audio: Any")),
    case("its own audio", Stranger, echo(f"{ONLY_RTP}, audio: Own")),
)
def test_media_of_a_stranger_passes_nothing(runs: Runs, case: Case) -> None:
    outcome = runs.of(case)
    assert outcome.run["status"]["result"] != "Passed", outcome.why


@cases(case("the stranger", Stranger, echo(ONLY_RTP)))
def test_the_strangers_address_is_named(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, "Inconclusive/NotMeasured")
    assert "127.0.0.2" in outcome.why
