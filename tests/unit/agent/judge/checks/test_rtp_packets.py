"""rtpPackets: what came, from whom, and until when; asked for or not."""

import pytest

from agent.contract.call import Behaviour, Play, Silence
from agent.contract.expect import Audio, ExpectLeg
from agent.contract.media import Origin
from agent.contract.verdict import Check, Reason, Result
from agent.judge.leg import judge_leg
from agent.judge.run import judge_run
from tests.unit.agent.judge.judging import CALLEE, CALLER, both, callee_alone, caller_alone, note_of, said
from tests.unit.agent.judge.wire import RELAY, caller, rtp, verdict
from tests.unit.builders import SECTION, SOURCE, caller_leg, change, plan, report
from tests.unit.sip_messages import message, response, sdp, with_sdp

NOTHING = ExpectLeg()
NOTHING_ASKED = {"group__expect__caller": NOTHING, "group__expect__callee": NOTHING}
NOT_THE_CALLERS_RTP = {"group__expect__caller__rtp": None}
STRANGER = change(SOURCE, remote="10.0.0.66:7000", origin=Origin.STRANGER, packets=312)
NO_DIGITS = {"dtmf_sent": (), "dtmf_received": ()}
HELD = tuple(
    change(SECTION, begin_ms=begin_ms, receives=receives, sends=receives)
    for begin_ms, receives in ((0.0, True), (3000.0, False), (5500.0, True))
)
"""On hold from 3 to 5.5 s."""


def undeclared(**its_plan):
    return plan(CALLER, callee_declared=False, group__expect__callee=NOTHING, **its_plan)


# How many


def test_no_packet_is_no_rtp_said_once():
    assert caller_alone(received=()) == [(Check.RTP_PACKETS, Reason.NO_RTP)]


def test_audio_that_is_asked_for_needs_packets_too():
    [finding] = judge_leg(plan(**NOT_THE_CALLERS_RTP), caller_leg(received=()))
    assert (finding.check, finding.reason, finding.expected) == (
        Check.RTP_PACKETS, Reason.NO_RTP, "RTP that carries audio",
    )  # fmt: skip


@pytest.mark.covers("calls[].expect.<leg>.rtp.minPackets")
def test_fewer_packets_than_asked_is_too_few():
    [finding] = judge_leg(plan(), caller_leg(received__packets=349))

    assert (finding.check, finding.reason) == (Check.RTP_PACKETS, Reason.TOO_FEW_PACKETS)
    assert (finding.expected, finding.observed) == ("at least 350 packets", "349 packets")


def test_packets_of_all_accepted_sources_count_and_copies_do_not():
    halves = (change(SOURCE, packets=180), change(SOURCE, ssrc=78, packets=170, origin=Origin.SAME_HOST))
    assert caller_alone(received=halves) == []
    copies = (halves[0], change(halves[1], duplicates=1))
    assert caller_alone(received=copies) == [(Check.RTP_PACKETS, Reason.TOO_FEW_PACKETS)]


def test_an_expectation_without_bounds_still_needs_a_packet():
    bounds = {"group__expect__caller__rtp": change(plan().calls[0].expect.caller.rtp, min_packets=None,
                                                  max_loss_percent=None, max_jitter_milliseconds=None)}  # fmt: skip

    assert caller_alone(bounds, received__packets=1) == []
    assert (Check.RTP_PACKETS, Reason.NO_RTP) in caller_alone(bounds, received=())
    assert caller_alone(bounds, received=None) == [(Check.RTP_PACKETS, Reason.NOT_MEASURED)]


@pytest.mark.parametrize("asked", [{}, NOT_THE_CALLERS_RTP])
def test_media_that_the_tap_could_not_count_passes_nothing(asked):
    assert (Check.RTP_PACKETS, Reason.NOT_MEASURED) in caller_alone(asked, received=None)


def test_packets_that_are_asked_of_a_leg_without_sdp_were_not_measured():
    quiet = {"group__expect__caller__audio": None, "group__expect__caller__dtmf": None}
    assert (Check.RTP_PACKETS, Reason.NOT_MEASURED) in caller_alone(quiet, received=None, sections=())


def test_what_is_not_asked_is_not_checked():
    deaf = {"received": None, "sections": (), "heard": None, "dtmf_received": ()}

    assert caller_alone({"group__expect__caller": NOTHING}, **deaf) == []


def test_a_sender_whose_packets_are_longer_sent_too_few_to_receive_as_many():
    longer = {"packets": 200, "payload_types": {0: 188, 120: 12}}
    verdict = both(
        caller={f"received__{name}": value for name, value in longer.items()},
        callee={f"sent__{name}": value for name, value in longer.items()},
    )

    assert said(verdict.findings) == [(Check.RTP_PACKETS, Reason.NOT_MEASURED)]
    assert note_of(verdict, CALLER, Check.RTP_PACKETS) == "the callee itself sent only 200 packets"


# Whose


def test_packets_of_strangers_alone_are_not_measured_and_both_addresses_are_named():
    [call] = judge_run([report(undeclared(), caller_leg(received=(STRANGER,)))]).calls

    finding = next(finding for finding in call.findings if finding.check is Check.RTP_PACKETS)
    assert finding.reason is Reason.NOT_MEASURED
    assert finding.observed == (
        "no RTP from 10.0.0.1:30000, only 312 packets from 10.0.0.66:7000, which the SDP does not name"
    )
    assert call.result is Result.INCONCLUSIVE


def test_packets_of_strangers_alone_fail_where_our_other_agent_sent():
    verdict = both(caller={"received": (STRANGER,), "dtmf_received": ()})

    assert {(Check.RTP_PACKETS, Reason.NO_RTP), (Check.DTMF, Reason.DTMF_MISMATCH)} == set(said(verdict.findings))
    assert "the callee sent 400 packets to 10.0.0.1:30000, and none of its media came" in note_of(
        verdict, CALLER, Check.RTP_PACKETS
    )
    assert both(caller={"received": (STRANGER,)}, **NOTHING_ASKED).reason is Reason.NO_RTP


def test_packets_of_strangers_alone_are_nobodys_fault_where_nobody_is_known_to_have_sent():
    stranger = {"received": (STRANGER,), "dtmf_received": ()}
    for callee in ({"sent": None}, {"sent": ()}):
        verdict = both(caller=stranger, callee=callee)
        assert (Check.RTP_PACKETS, Reason.NOT_MEASURED) in said(verdict.findings, CALLER)
    late = both(caller=stranger, callee={"health__sent_ratio": 0.5})
    assert late.result is Result.INCONCLUSIVE


def test_strangers_beside_the_peer_are_named_and_nothing_else():
    noisy = change(STRANGER, unnegotiated=300, lost=5000, lost_ms=1e5, duplicates=100, last_ms=100.0)
    verdict = both(caller={"received": (SOURCE, noisy)})

    assert verdict.result is Result.PASSED
    assert verdict.notes == ("caller: 312 packets from 10.0.0.66:7000, a stranger, not counted",)


@pytest.mark.parametrize(
    ("origin", "how"),
    [(Origin.SAME_HOST, "known by the SDP's host and another port"), (Origin.PROVEN, "known by its signal")],
)
def test_media_of_an_address_that_the_sdp_did_not_name_is_the_legs_and_noted(origin, how):
    verdict = both(caller={"received": (change(SOURCE, remote="10.0.0.1:9", origin=origin),)})

    assert verdict.result is Result.PASSED
    assert verdict.notes == (f"caller: 400 packets from 10.0.0.1:9, {how}",)


# Types


@pytest.mark.parametrize("asked", [{}, NOT_THE_CALLERS_RTP])
def test_media_that_nobody_agreed_on_fails_asked_for_or_not(asked):
    [finding] = judge_leg(plan(**asked), caller_leg(received__unnegotiated=4))
    assert (finding.check, finding.reason) == (Check.RTP_PACKETS, Reason.UNNEGOTIATED_PAYLOAD)
    assert finding.expected == "0 (PCMU/8000) or 120 (telephone-event/8000), as its SDP says"
    assert finding.observed == "4 of 400 packets with other payload types"


def test_a_few_packets_of_other_types_beside_hundreds_are_a_note():
    verdict = both(caller={"received__unnegotiated": 3})

    assert verdict.result is Result.PASSED
    assert verdict.notes == ("caller: 3 of 400 packets with other payload types, which the SDP does not have",)
    many = {"received__packets": 20_000}
    assert caller_alone(**many, received__unnegotiated=49) == []
    assert caller_alone(**many, received__unnegotiated=50) == [(Check.RTP_PACKETS, Reason.UNNEGOTIATED_PAYLOAD)]


def test_types_are_strange_too_where_no_offer_and_answer_was_kept():
    strange = {"received__unnegotiated": 60, "received__payload_types": {0: 340, 77: 60}}
    assert caller_alone(sections=(), **strange) == [(Check.RTP_PACKETS, Reason.UNNEGOTIATED_PAYLOAD)]


def test_keep_alives_and_comfort_noise_are_no_other_types():
    assert caller_alone(received__empty=40, received__noise=40) == []


def test_no_trouble_of_an_agent_makes_another_payload_type():
    late = {"health__media__lateness_ms": 900.0}
    assert both(caller={"received__unnegotiated": 40} | late, callee=late).reason is Reason.UNNEGOTIATED_PAYLOAD


# Until when


def test_media_that_stops_while_our_other_agent_sends_fails_asked_for_or_not():
    """The call is 8 s long."""
    assert both(caller={"received__last_ms": 6000.0}).result is Result.PASSED
    for asked in ({}, NOTHING_ASKED):
        verdict = both(caller={"received__last_ms": 5999.0}, **asked)
        assert said(verdict.findings) == [(Check.RTP_PACKETS, Reason.MEDIA_STOPPED)]
        assert verdict.findings[0].observed == "no RTP in the last 2.0 of 8.0 s"
        assert note_of(verdict, CALLER, Check.RTP_PACKETS) == "the callee sent RTP to 10.0.0.1:30000 until 8.0 s"


def test_a_sut_that_answers_itself_may_be_silent_for_as_long_as_it_likes():
    """RFC 3551 §4.1; an IVR that waits for digits sends nothing."""
    quiet = caller_leg(received__last_ms=3000.0, received__packets=351)

    assert judge_run([report(undeclared(), quiet)]).result is Result.PASSED


@pytest.mark.parametrize("last_ms", [3100.0, 3999.0, None])
def test_media_that_our_own_agent_stopped_did_not_stop_on_the_way(last_ms):
    verdict = both(caller={"received__last_ms": 3000.0}, callee={"sent__last_ms": last_ms})

    assert said(verdict.findings) == []


def test_media_need_not_come_while_the_sdp_forbids_it():
    """On hold from the sixth second to the end: 2 s before that are not quiet."""
    held = (SECTION, change(SECTION, begin_ms=4000.0, receives=False))
    few = {"received__last_ms": 3990.0, "heard": None}

    assert both(caller={"sections": held} | few, **NOTHING_ASKED).result is Result.PASSED
    assert both(caller=few, callee={"sections": (SECTION, change(SECTION, begin_ms=4000.0, sends=False))},
                **NOTHING_ASKED).result is Result.PASSED  # fmt: skip


def test_media_is_due_again_once_a_hold_is_over():
    """5.5 to 8 s: the peer sends again, and nothing comes."""
    verdict = both(caller={"sections": HELD, "received__last_ms": 2990.0}, callee={"sections": HELD}, **NOTHING_ASKED)

    assert said(verdict.findings) == [(Check.RTP_PACKETS, Reason.MEDIA_STOPPED)]
    assert verdict.findings[0].observed == "no RTP in the last 2.5 of 8.0 s"


def test_media_is_due_until_the_hold_is_over_however_late_the_bye_comes():
    assert both(callee={"received__last_ms": 7990.0, "progress__bye_ms": 12_000.0}).result is Result.PASSED


def test_a_path_that_leaves_silence_out_may_stop_while_silence_is_sent():
    quiet = {"received__last_ms": 3000.0, "received__noise": 2}
    silent = {"group__callee__behaviour": Behaviour.ABSORBER} | NOTHING_ASKED

    assert both(caller=quiet, **silent).result is Result.PASSED
    assert both(caller=quiet | {"received__noise": 0}, **silent).reason is Reason.MEDIA_STOPPED
    assert both(caller=quiet, **NOTHING_ASKED).reason is Reason.MEDIA_STOPPED
    playing_silence = {"group__caller__play": Play(silence=Silence())} | NOTHING_ASKED
    assert both(callee=quiet, **playing_silence).result is Result.PASSED
    assert both(callee=quiet, **NOTHING_ASKED).reason is Reason.MEDIA_STOPPED


# One way


@pytest.mark.parametrize("leg", [CALLER, CALLEE])
def test_nothing_at_one_end_of_what_the_other_sent_fails_though_nobody_asked(leg):
    nothing = {"received": (), "heard": None} | NO_DIGITS
    ends = {"caller": {"heard": None, "dtmf_received": ()}, "callee": {}}
    ends[leg.value.lower()] = nothing
    verdict = both(**ends, **NOTHING_ASKED)

    [finding] = verdict.findings
    assert (finding.leg, finding.check, finding.reason) == (leg, Check.RTP_PACKETS, Reason.NO_RTP)
    sender = "callee" if leg is CALLER else "caller"
    asked_for = "its SDP asks for it at 10.0.0.9:4000"
    assert finding.note == f"{asked_for}; the {sender} sent 400 packets to 10.0.0.1:30000"


@pytest.mark.parametrize(
    ("caller", "callee"),
    [
        ({"sections": (change(SECTION, receives=False),)}, {}),
        ({}, {"sections": (change(SECTION, sends=False),)}),
        ({"sections": (change(SECTION, begin_ms=6100.0),)}, {}),
        ({}, {"sent": ()}),
        ({}, {"sent": None}),
        ({"sections": ()}, {}),
    ],
)
def test_nothing_is_right_where_the_sdp_let_nothing_through_or_nothing_was_sent(caller, callee):
    nothing = {"received": (), "heard": None} | NO_DIGITS

    assert both(caller=nothing | caller, callee=callee, **NOTHING_ASKED).result is Result.PASSED


def test_one_packet_is_not_nothing():
    assert both(caller={"received__packets": 1}, **NOTHING_ASKED).result is Result.PASSED


def test_nothing_came_to_an_agent_that_dropped_it_or_from_one_that_did_not_send():
    nothing = {"received": (), "heard": None} | NO_DIGITS
    dropped = both(caller=nothing | {"health__rtp_drops": 9}, **NOTHING_ASKED)
    assert said(dropped.findings) == [(Check.RTP_PACKETS, Reason.AGENT_OVERLOADED)]
    unsent = both(caller=nothing, callee={"health__sent_ratio": 0.2}, **NOTHING_ASKED)
    assert said(unsent.findings) == [(Check.RTP_PACKETS, Reason.PEER_LOST)]
    late = both(caller=nothing, callee={"health__media__lateness_ms": 900.0}, **NOTHING_ASKED)
    assert said(late.findings) == [(Check.RTP_PACKETS, Reason.NO_RTP)], "lateness makes no packet vanish"


def test_a_dropped_call_is_still_compared_at_both_ends():
    """What both ends say is compared whether or not a leg has a finding."""
    nothing = {"received": (), "heard": None, "dialog__bye__code": None} | NO_DIGITS
    verdict = both(caller=nothing, **NOTHING_ASKED)

    assert set(said(verdict.findings)) == {
        (Check.COMPLETED, Reason.BYE_UNANSWERED),
        (Check.RTP_PACKETS, Reason.NO_RTP),
    }


def test_a_caller_that_sent_nothing_cannot_miss_it_from_a_sut_that_echoes():
    verdict = judge_run([report(undeclared(), caller_leg(received=(), sent=(), **NO_DIGITS))])
    sent = judge_run([report(undeclared(), caller_leg(received=(), **NO_DIGITS))])

    assert (Check.RTP_PACKETS, Reason.NOT_MEASURED) in said(verdict.calls[0].findings)
    assert sent.reason is Reason.NO_RTP


# What passes


def test_a_prompt_before_the_bridge_music_on_hold_and_direct_media_pass():
    prompt = change(SOURCE, ssrc=5, packets=100, media_ms=2000.0, event_ms=0.0, last_ms=2000.0)
    bridged = change(SOURCE, ssrc=6, packets=300, media_ms=5500.0, first_ms=2020.0)
    assert both(caller={"received": (prompt, bridged)}).result is Result.PASSED
    music = change(SOURCE, section=1, ssrc=9, packets=125, media_ms=2500.0, first_ms=3010.0, last_ms=5500.0)
    on_hold = (SECTION, change(SECTION, begin_ms=3000.0, sends=False), change(SECTION, begin_ms=5500.0))
    held = {"sections": on_hold, "received": (SOURCE, music), "sent__media_ms": 5000.0, "sent__packets": 275}
    quiet = {"received__media_ms": 5000.0, "received__packets": 275}
    bound = {"group__expect__callee__rtp__min_packets": 200}
    assert both(caller=held, callee=quiet, **bound).result is Result.PASSED
    direct = (SECTION, change(SECTION, begin_ms=500.0, remote="10.0.0.9:4100"))
    moved = change(SOURCE, section=1, remote="10.0.0.9:4100", ssrc=8, packets=375, media_ms=7100.0)
    first = change(SOURCE, packets=25, media_ms=400.0, event_ms=0.0, last_ms=500.0)
    assert both(caller={"sections": direct, "received": (first, moved)}).result is Result.PASSED


def test_one_way_by_sendonly_passes_where_only_that_way_is_asked():
    one_way = {"sections": (change(SECTION, sends=False),), "sent": (), "dtmf_sent": ()}
    other = {"sections": (change(SECTION, receives=False),), "received": (), "heard": None, "dtmf_received": ()}
    asked = {"group__expect__callee": NOTHING, "group__caller__dtmf": None, "group__expect__caller__dtmf": None,
             "group__expect__caller__audio": Audio.ANY}  # fmt: skip

    assert both(caller=one_way | {"dtmf_received": ()}, callee=other | {"dtmf_sent": ()}, **asked).findings == ()
    assert callee_alone({"group__expect__callee": NOTHING}, **other) == []


def test_no_rtp_after_early_media_is_none_since_the_answer():
    """What came before the answer is not counted, and may have come."""
    early = message(10.05, response(183, **with_sdp(sdp(RELAY))), sent=False)
    for extra, observed in (((), "no RTP"), ((early,), "no RTP since the answer")):
        found = verdict(caller(streams=(rtp(sent=True),), extra=extra))
        assert observed in [finding.observed for finding in found.findings if finding.reason is Reason.NO_RTP]
