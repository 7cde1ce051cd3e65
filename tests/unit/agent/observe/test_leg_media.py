"""A leg's media in its observation: by its own sections and sources, and null where it was not counted."""

import pytest

from agent.contract.expect import DtmfMethod
from agent.contract.media import Negotiated, Origin, Rtp
from agent.contract.observation import Digit, Health
from agent.contract.verdict import Role
from agent.observe.leg import LegFacts, observe_leg
from agent.observe.sound import Sought
from agent.phone.protocol import CallEnded, CallHandle, DigitReceived
from agent.sound.identity import encode
from tests.unit.sip_messages import message, request, response, sdp, with_sdp
from tests.unit.taps import tap_digit, tap_stream

CALL = CallHandle(1)


def facts(role=Role.CALLER):
    return LegFacts(role=role, endpoint=0, call="pin", number=3, call_key="k", sip_call_id="c1", started_at=1.7e9)


def sent(at_s, text):
    return message(at_s, text, sent=True)


def received(at_s, text):
    return message(at_s, text, sent=False)


def digit(at_s, value):
    return DigitReceived(at_s=at_s, call=CALL, digit=value, method=DtmfMethod.RFC4733)


def ended(at_s, **fields):
    nothing = {"stack_sent": None, "stack_received": None, "rtt_ms": None, "media_s": None, "recordings": {}}
    return CallEnded(at_s=at_s, call=CALL, **({"local_reason": ""} | nothing | fields))


def leg(*events, role=Role.CALLER):
    return observe_leg(facts(role), events, own_reason=None, health=Health())


PEER = "127.0.0.1:2"
ANSWERED = (
    sent(10.0, request(**with_sdp(sdp("127.0.0.1:1")))),
    received(11.0, response(200, **with_sdp(sdp(PEER)))),
    sent(11.0, request("ACK", to_tag="t")),
)


def test_the_last_negotiation_counts():
    again = {"cseq": 2, "from_tag": "t", "to_tag": "f"}
    seen = leg(
        *ANSWERED,
        received(12.0, request(**again, **with_sdp(sdp("1.2.3.4:6", types="8", rtpmap="")))),
        sent(12.1, response(200, **again, **with_sdp(sdp("1.1.1.1:4002", types="8", rtpmap="")))),
    )
    assert [section.begin_ms for section in seen.sections] == [0.0, 1100.0]
    assert seen.negotiated == Negotiated(codec="PCMA", telephone_event_payload_type=None, remote_rtp="1.2.3.4:6")
    assert seen.local_rtp == "1.1.1.1:4002"
    assert (leg().negotiated, leg().local_rtp) == (None, None)


def test_what_is_wrong_with_an_answer_is_told():
    answer = received(11.0, response(200, **with_sdp(sdp("1.2.3.4:6", types="8 101"))))
    assert leg(*ANSWERED[:1], answer).answer_faults == (
        "line 6: m=audio: no codec of the offer among its own (PCMA/8000) (RFC 3264 §6.1)",
    )
    refused = leg(*ANSWERED[:1], received(11.0, response(200, **with_sdp(sdp("1.2.3.4:0")))))
    assert (refused.answer_faults, refused.no_media) == ((), "line 6: m=audio 0 (refused)")


def with_media(*streams, role=Role.CALLER, events=ANSWERED, **fields):
    """The call was answered at 11.0."""
    return leg(*(mirrored(events) if role is Role.CALLEE else events), ended(16.0, tapped=streams, **fields), role=role)


def mirrored(events):
    """As the other end saw it, with the SDPs the other way."""
    swapped = {"127.0.0.1:1": PEER, PEER: "127.0.0.1:1"}
    offer, answer, ack = events
    return (
        received(offer.at_s, request(**with_sdp(sdp(swapped["127.0.0.1:1"])))),
        sent(answer.at_s, response(200, **with_sdp(sdp(swapped[PEER])))),
        received(ack.at_s, ack.text),
    )


def test_media_is_what_crossed_the_wire_since_the_answer():
    early = tap_stream(mark=0, packets=7, unnegotiated=5, digits=(tap_digit("9"),))
    late = tap_stream(
        mark=1, first_s=11.1, last_s=14.5, media_ms=1800.0, digits=(tap_digit("2", 12.5), tap_digit("1", 12.0))
    )
    seen = with_media(early, late)
    assert seen.received is not None
    assert [(source.section, source.remote, source.origin) for source in seen.received] == [(0, PEER, Origin.SIGNALLED)]
    came = seen.rtp_received
    assert (came.packets, came.lost, came.jitter_ms, came.max_jitter_ms) == (90, 0, 1.0, 2.0)
    assert (came.first_ms, came.last_ms, came.max_gap_ms, came.media_ms) == (100.0, 3500.0, 20.0, 1800.0)
    assert seen.dtmf_received == (
        Digit(digit="1", method=DtmfMethod.RFC4733, at_ms=1000, last_ms=1100, duration_ms=100, volume_dbm0=-10,
              marker=True, packets=7, end_packets=3),
        Digit(digit="2", method=DtmfMethod.RFC4733, at_ms=1500, last_ms=1600, duration_ms=100, volume_dbm0=-10,
              marker=True, packets=7, end_packets=3),
    )  # fmt: skip
    assert seen.rtp_sent == Rtp(packets=0), "media was negotiated, and nothing of ours was on the wire"
    assert with_media(early, role=Role.CALLEE).rtp_received.packets == 7, "a callee has no early media"


def test_a_strangers_packets_and_digits_are_not_the_legs():
    stranger = tap_stream(mark=1, remote="10.9.9.9:7", digits=(tap_digit("9", 12.0),), lost=50)
    seen = with_media(tap_stream(mark=1, digits=(tap_digit("1", 12.0),)), stranger, uncounted=3)
    assert [digit.digit for digit in seen.dtmf_received] == ["1"]
    assert (seen.rtp_received.packets, seen.rtp_received.lost) == (90, 0)
    assert {source.remote for source in seen.received if not source.accepted} == {"10.9.9.9:7"}
    assert seen.left_out == 3


def test_digits_sent_are_those_that_were_ended_on_the_wire():
    whole, cut, flash = tap_digit("4", 12.0), tap_digit("5", 13.0, end_packets=0), tap_digit("6", 14.0, code=16)
    seen = with_media(tap_stream(mark=1, sent=True, digits=(whole, cut, flash)))
    assert [digit.digit for digit in seen.dtmf_sent] == ["4"]


def test_info_digits_stand_among_those_of_the_wire():
    stream = tap_stream(mark=1, digits=(tap_digit("1", 12.0), tap_digit("3", 14.0)))
    tags = {"cseq": 7, "from_tag": "t", "to_tag": "f"}
    info = (
        received(13.0, request("INFO", **tags, extra="Content-Type: application/dtmf\r\n", body="2")),
        sent(13.0, response(200, method="INFO", **tags)),
    )
    seen = with_media(stream, events=(*ANSWERED, *info, digit(12.0, "9")))
    assert [(d.digit, d.method.value) for d in seen.dtmf_received] == [
        ("1", "RFC4733"), ("2", "INFO"), ("3", "RFC4733"),
    ]  # fmt: skip


def test_what_the_tap_could_not_see_is_not_measured_and_digits_are_the_stacks():
    seen = leg(*ANSWERED, digit(12.0, "1"), ended(16.0, tapped=None))
    assert (seen.rtp_sent, seen.rtp_received, seen.sent, seen.received) == (None,) * 4
    assert [d.digit for d in seen.dtmf_received] == ["1"]


def test_without_a_section_there_was_no_media_to_measure():
    seen = leg(sent(10.0, request()), received(11.0, response(200)), ended(16.0, tapped=()))
    assert (seen.rtp_sent, seen.rtp_received) == (None, None)
    assert seen.received == ()


def bye(at_s):
    return sent(at_s, request("BYE", cseq=2, to_tag="t"))


@pytest.mark.parametrize(
    ("sent_ms", "until_s", "ratio"), [(8000.0, 19.0, 1.0), (6000.0, 19.0, 0.75), (200, 11.2, None)]
)
def test_media_sent_against_media_due(sent_ms, until_s, ratio):
    stream = tap_stream(mark=1, sent=True, media_ms=sent_ms - 100, event_ms=100.0, max_late_ms=12.34)
    health = with_media(stream, events=(*ANSWERED, bye(until_s))).health
    assert (health.sent_ratio, health.rtp_lateness_ms) == (ratio, 12.3)


@pytest.mark.parametrize("pause_ms", [200.0, 600.0])
def test_the_ends_of_our_own_digits_are_no_media_that_was_not_sent(pause_ms):
    """Five digits, each end sent twice more: by packets of 20 and of 60 ms."""
    keys = tuple(tap_digit("1", 12.0 + place) for place in range(5))
    sent_ms = 8000.0 - pause_ms - 500
    stream = tap_stream(mark=1, sent=True, media_ms=sent_ms, event_ms=500.0, pause_ms=pause_ms, digits=keys)
    health = with_media(stream, events=(*ANSWERED, bye(19.0))).health
    assert health.sent_ratio == pytest.approx(1.0, abs=0.001)


def test_no_media_counted_is_no_ratio():
    assert leg(*ANSWERED, ended(19.0)).health == Health()
    assert leg(*ANSWERED).health == Health(), "nor without an end"


def test_what_was_heard_is_of_the_legs_own_media():
    own, other = encode(1, frames=4), encode(2, frames=4)
    stranger = tap_stream(mark=1, remote="10.9.9.9:7")
    tracks = {PEER: own, "10.9.9.9:7": other}
    events = (*ANSWERED, ended(16.0, tapped=(tap_stream(mark=1), stranger)))
    seen = observe_leg(facts(), events, own_reason=None, health=Health(), tracks=tracks, sought=Sought(own=1))
    assert seen.heard.codes == {"1": 4}


def test_streams_of_one_call_are_added_and_jitter_is_weighed():
    one = tap_stream(mark=1, jitter_samples=30, mean_jitter_ms=1.0, max_jitter_ms=9.0, lost=1, max_gap_ms=40.0)
    other = tap_stream(mark=1, ssrc=2, jitter_samples=10, mean_jitter_ms=5.0, max_jitter_ms=7.0, lost=2)
    silent = tap_stream(mark=1, ssrc=3, jitter_samples=0, mean_jitter_ms=None, max_jitter_ms=None, max_gap_ms=None)
    came = with_media(one, other, silent).rtp_received
    assert (came.packets, came.lost, came.max_gap_ms) == (270, 3, 40.0)
    assert (came.jitter_ms, came.max_jitter_ms) == (2.0, 9.0)
    assert with_media(silent).rtp_received.jitter_ms is None
