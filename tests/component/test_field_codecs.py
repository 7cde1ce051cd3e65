"""Codecs with peers that take them, refuse them, change them, or send another one than was agreed on."""

import re

import pytest

from agent.contract.codecs import Codec
from tests.component.codecs import ALICE, BOB, SOUND, main, media, through
from tests.component.field import PASSED, case, cases, judged
from tests.component.peers.b2bua import Far, Loses, OutOfIt, Relays
from tests.component.peers.rtp import PCMU, Rtp
from tests.component.peers.running import OWN, Case, Runs, echo
from tests.component.peers.uas import Call, Uas

PCMA = 8


def to_sut(expected: str, *codecs: str, **more: str) -> str:
    """The SUT itself answers."""
    return echo(expected, caller=f"{{uri: {ALICE}, {media(*codecs, **more)}}}")


def of(codec: str) -> str:
    return f"codec: {codec}, {OWN}"


# --- what is right


class Answers(Uas):
    """With these formats; what comes is played back as it is."""

    def __init__(self, formats: str, *more: str) -> None:
        super().__init__()
        self.formats, self.more = formats, more

    def answer_sdp(self, call: Call) -> str:
        return self.sdp(call, formats=f"{self.formats} {call.event}", more=self.more)


@cases(
    *(
        case(codec, OutOfIt, through(media(codec), media(codec), at_callee=of(codec), at_caller=of(codec)))
        for codec in Codec
    )
)
@pytest.mark.covers("calls[].expect.<leg>.codec")
def test_a_call_in_each_codec_is_heard_at_both_ends(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


MANY = ("opus", "G722", "GSM", "PCMA", "PCMU")


PREFERS = through(media("PCMA", "PCMU"), media("PCMU", "PCMA"), at_callee=of("PCMA"))
ONLY = through(media(*MANY), media("GSM"), at_callee=of("GSM"), at_caller=of("GSM"))


@cases(
    case("the second is taken", lambda: Answers("9"), to_sut(of("G722"), *MANY)),
    case("the last is taken", lambda: Answers("0"), to_sut(of("PCMU"), *MANY)),
    case("a static type that is mapped", lambda: Answers("3", "rtpmap:3 gsm/8000"), to_sut(of("GSM"), *MANY)),
    case("the callee's only one", OutOfIt, ONLY),
    case("the one that the offer prefers", OutOfIt, PREFERS),
)
def test_of_several_codecs_the_answer_has_one(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


class Halves(Answers):
    """Sends packets as long as it is asked to, of what it gets."""

    def media(self, call: Call, packet: Rtp) -> None:
        if packet.payload_type != PCMU:
            super().media(call, packet)
            return
        asked = re.search(r"a=ptime:(\d+)", call.invite.body)
        ticks = 8 * int(asked[1]) if asked else len(packet.payload)
        for at in range(0, len(packet.payload), ticks):
            part = packet.payload[at : at + ticks]
            call.source.send(packet.payload_type, packet.timestamp + at, part, marker=packet.marker and not at)


def test_who_asks_for_short_packets_gets_more_of_them(runs: Runs) -> None:
    expected = OWN.replace("minPackets: 100", "minPackets: 350")
    test = to_sut(expected, "PCMU", ptimeMilliseconds="10")
    judged(runs, case("10 ms", lambda: Halves("0"), test), PASSED)
    judged(runs, case("20 ms", lambda: Halves("0"), to_sut(expected, "PCMU")), "Failed/TooFewPackets")


# --- what a relay loses, or takes for another's


class Crosses(Relays):
    """Each callee gets what the other call's caller says."""

    def media(self, call: Call, packet: Rtp) -> None:
        others = [other for other in self.calls.values() if other is not call]
        for other in others[:1]:
            self._pass(other, "ab", packet)


def lossy(codec: str) -> Case:
    return case(codec, Loses, through(media(codec), media(codec), at_callee=SOUND, at_caller=SOUND))


@cases(*map(lossy, Codec))
def test_with_three_percent_lost_each_way_the_calls_own_signal_is_still_heard(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


def crossed(codec: str) -> Case:
    text = through(media(codec), media(codec), at_callee=SOUND, at_caller="codec: " + codec)
    two = text.replace("    holdSeconds: 4\n", "    holdSeconds: 5\n    count: 2\n    concurrency: 2\n")
    return case(codec, Crosses, two.replace('    caller: {dtmf: {digits: "12#"}}\n', ""))


@cases(*map(crossed, Codec))
def test_another_calls_signal_is_not_taken_for_the_own_one(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/WrongAudio")


def silent(codec: str) -> Case:
    quiet = through(media(codec), media(codec), at_callee=SOUND, at_caller="audio: Silence")
    return case(codec, Relays, quiet.replace(f"{BOB}, ", f"{BOB}, behaviour: Absorber, "))


@cases(*map(silent, Codec))
def test_what_a_codec_makes_of_silence_is_no_sound(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


# --- what is not


class Refuses(Uas):
    def answer(self, call: Call) -> None:
        self.respond(call.invite, "488 Not Acceptable Here", call.peer, tag=call.tag)


def test_an_offer_that_is_refused_is_told_from_other_refusals(runs: Runs) -> None:
    judged(runs, case("488", Refuses, to_sut("codec: G722", "G722")), "Failed/CodecRefused")
    judged(runs, case("nothing is asked", Refuses, to_sut("audio: Own", "G722")), "Failed/SipCodeMismatch")


def test_an_answer_of_another_codec_is_a_mismatch(runs: Runs) -> None:
    other = case("PCMU for PCMA", lambda: Answers("0"), to_sut(of("PCMA"), "PCMA", "PCMU"))
    judged(runs, other, "Failed/CodecMismatch")


class Sends(Answers):
    """What it sends is PCMU, whatever stands first in its answer."""

    def media(self, call: Call, packet: Rtp) -> None:
        payload_type = PCMU if packet.payload_type == PCMA else packet.payload_type
        call.source.send(payload_type, packet.timestamp, packet.payload, marker=packet.marker)


def test_media_of_another_codec_than_was_agreed_on_first_is_no_fault_but_where_it_is_asked(runs: Runs) -> None:
    expected = 'dtmf: {digits: "12#"}, rtp: {maxLossPercent: "1"}'
    asked = to_sut(f"codec: PCMA, {expected}", "PCMA", "PCMU")
    judged(runs, case("asked", lambda: Sends("8 0"), asked), "Failed/UnexpectedCodec")
    judged(runs, case("not asked", lambda: Sends("8 0"), to_sut(expected, "PCMA", "PCMU")), PASSED)


class Strips(OutOfIt):
    """Takes G.722 out of what it passes on."""

    def far_sdp(self, far: Far) -> str:
        lines = super().far_sdp(far).split("\r\n")
        kept = [line for line in lines if not line.startswith("a=rtpmap:9 ")]
        return "\r\n".join(re.sub(r"(?<=RTP/AVP) 9(?= )", "", line) for line in kept)


def test_a_codec_that_was_taken_out_on_the_way_is_named_at_the_callee(runs: Runs) -> None:
    left = through(media("G722", "PCMU"), media("G722", "PCMU"), at_callee=of("G722"))
    judged(runs, case("another is left", Strips, left), "Failed/CodecNotOffered")
    alone = through(media("G722", "PCMU"), media("G722"))
    judged(runs, case("the callee refuses", Strips, alone), "Failed/CodecNotOffered")
    untranscoded = through(media("PCMA"), media("G722"))
    judged(runs, case("a SUT that is to transcode, and does not", OutOfIt, untranscoded), "Failed/CodecNotOffered")


def test_the_table_of_codecs_has_a_row_of_each(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--rounds", "1", "--codec", "GSM"])
    row = re.search(r"\| GSM +\| +(\d) \| +(\d) \| +(\d) \| +(\d) \|", capsys.readouterr().out)
    assert row is not None
    assert int(row[1]) >= 3
