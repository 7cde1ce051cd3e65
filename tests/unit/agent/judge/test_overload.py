"""Truth rule 3: our own agents' troubles never become the SUT's failures, nor hide behind checks that held."""

from typing import Any

import pytest

from agent.contract.observation import Health, Side, Trouble
from agent.contract.verdict import Check, Reason, Result
from agent.judge.leg import judge_leg
from agent.judge.overload import Excuse, call_troubles, media_troubles, overload
from tests.unit.agent.judge.judging import CALLEE, CALLER, both, callee_alone, caller_alone, said
from tests.unit.builders import caller_leg, digits, plan

MEDIA = {Check.RTP_PACKETS, Check.RTP_LOSS, Check.RTP_JITTER, Check.AUDIO, Check.DTMF}
DROPS = {"health__rtp_drops": 3, "health__media__socket_drops": 3}
"""At all of its sockets."""
SETUP_DROPS = {"health__setup__socket_drops": 3}
LATE = {"health__media__lateness_ms": 201.0}


def media(sent_ratio: float | None = None, **trouble: Any) -> Health:
    return Health(media=Trouble(**trouble), sent_ratio=sent_ratio)


@pytest.mark.parametrize(
    ("health", "said_so"),
    [
        (media(throttled_ms=401.0), "CPU-throttled for 401 of 8000 ms"),
        (media(lateness_ms=1001.0), "up to 1001 ms late, where 1000 are allowed"),
        (Health(rtp_drops=1), "1 datagram dropped at its own sockets"),
        (Health(sent_ratio=0.94), "it sent 94 % of the RTP that was due, where 95 % are needed"),
    ],
)
def test_each_trouble_is_named(health, said_so):
    assert overload(health, 8000.0) == said_so


@pytest.mark.parametrize(
    "health",
    [
        Health(),
        media(0.95, throttled_ms=400.0, lateness_ms=1000.0, socket_drops=0),
        media(1.02, throttled_ms=0.0),
    ],
)
def test_at_the_bound_and_unmeasured_is_no_overload(health):
    assert overload(health, 8000.0) is None


def test_of_a_short_call_a_late_beginning_is_a_twentieth_and_no_overload():
    """A second of media that began 60 ms after the answer."""
    assert overload(Health(sent_ratio=0.94), 1000.0) is None
    assert overload(Health(sent_ratio=0.75), 1000.0) is not None
    assert Excuse.UNSENT in media_troubles(Health(sent_ratio=0.94), 1000.0), "of what did not hold it may be the cause"


def test_what_its_sockets_for_rtp_dropped_is_no_excuse_for_sip_and_the_other_way_round():
    deaf, lost = Health(rtp_drops=3), Health(setup=Trouble(socket_drops=3))
    assert (Excuse.DROPPED in media_troubles(deaf, 8000.0), Excuse.DROPPED in call_troubles(deaf, 8000.0)) == (
        True,
        False,
    )
    assert (Excuse.DROPPED in media_troubles(lost, 8000.0), Excuse.DROPPED in call_troubles(lost, 8000.0)) == (
        False,
        True,
    )


def test_an_invite_that_nobody_answered_is_not_excused_by_media_that_came_all_the_same():
    gave_up = {"final_code": None, "progress__answered_ms": None, "progress__bye_ms": None}
    gave_up |= {"progress__ended_ms": 30_000.0}
    assert caller_alone(**gave_up, health__rtp_drops=900) == [(Check.ANSWERED, Reason.NO_ANSWER)]
    assert caller_alone(**gave_up, **SETUP_DROPS) == [(Check.ANSWERED, Reason.AGENT_OVERLOADED)]


def test_several_troubles_are_all_named():
    assert overload(Health(media=Trouble(lateness_ms=3000.0), rtp_drops=1), 8000.0) == (
        "up to 3000 ms late, where 1000 are allowed; 1 datagram dropped at its own sockets"
    )


def test_lateness_of_a_few_packets_excuses_what_broke_and_leaves_what_held():
    assert caller_alone(**LATE) == []
    assert caller_alone(**LATE, received__jitter_ms=80.0) == [(Check.RTP_JITTER, Reason.AGENT_OVERLOADED)]
    assert caller_alone(health__media__lateness_ms=200.0, received__jitter_ms=80.0) == [
        (Check.RTP_JITTER, Reason.JITTER),
    ]


def test_media_that_left_in_time_is_not_excused_by_a_late_process():
    """Its timestamps tell how late our own RTP was; where they do not, its process does."""
    in_time = LATE | {"health__rtp_lateness_ms": 20.0}
    assert caller_alone(**in_time, received__jitter_ms=80.0) == [(Check.RTP_JITTER, Reason.JITTER)]
    sent_late = {"health__rtp_lateness_ms": 300.0}
    assert caller_alone(**sent_late, received__jitter_ms=80.0) == [(Check.RTP_JITTER, Reason.AGENT_OVERLOADED)]


def test_what_breaks_opposite_a_late_agent_may_be_its_doing():
    assert both(callee=LATE).result is Result.PASSED
    jitter = said(both(caller={"received__jitter_ms": 80.0}, callee=LATE).findings, CALLER)
    assert jitter == [(Check.RTP_JITTER, Reason.PEER_LOST)]


def test_throttling_in_a_call_without_length_counts():
    assert overload(media(throttled_ms=1.0), 0.0) is not None
    assert overload(media(throttled_ms=0.0), 0.0) is None


def test_all_media_checks_of_an_overloaded_agent_are_inconclusive_also_those_that_held():
    assert set(caller_alone(**DROPS)) == {(check, Reason.AGENT_OVERLOADED) for check in MEDIA}
    assert set(callee_alone(**DROPS, dtmf_received=digits("1"))) == {
        (check, Reason.AGENT_OVERLOADED) for check in MEDIA
    }


def test_an_overloaded_agents_finding_keeps_what_it_observed():
    finding = next(
        f for f in judge_leg(plan(), caller_leg(**DROPS, dtmf_received=digits("1"))) if f.check is Check.DTMF
    )

    assert (finding.expected, finding.observed) == ("1234#", "1")
    assert finding.note == "the agent was overloaded: 3 datagrams dropped at its own sockets"


def test_media_that_nobody_asked_for_needs_no_healthy_agent():
    nothing = {f"group__expect__caller__{what}": None for what in ("rtp", "audio", "dtmf")}

    assert caller_alone(nothing, **DROPS) == []


def test_what_a_late_agent_misses_is_not_the_suts_failure():
    gave_up = {
        "final_code": None,
        "progress__answered_ms": None,
        "progress__bye_ms": None,
        "progress__ended_ms": 30_000.0,
    }

    assert caller_alone(**DROPS, **gave_up) == [(Check.ANSWERED, Reason.AGENT_OVERLOADED)]
    assert (Check.COMPLETED, Reason.AGENT_OVERLOADED) in caller_alone(**DROPS, dialog__bye__code=None)
    assert (Check.COMPLETED, Reason.AGENT_OVERLOADED) in callee_alone(**DROPS, progress__bye_ms=2000.0)


def test_a_code_from_the_wire_stands_whatever_the_agents_health():
    assert caller_alone(**DROPS, final_code=503) == [(Check.ANSWERED, Reason.SIP_CODE_MISMATCH)]


def test_an_overloaded_callee_makes_a_good_call_inconclusive():
    verdict = both(callee=DROPS)

    assert (verdict.result, verdict.reason) == (Result.INCONCLUSIVE, Reason.AGENT_OVERLOADED)
    assert said(verdict.findings, CALLER) == []


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        ({"dtmf_received": digits("1")}, Check.DTMF),
        ({"received__packets": 300}, Check.RTP_PACKETS),
        ({"received__lost": 40, "received__lost_ms": 800.0, "received__media_ms": 6700.0}, Check.RTP_LOSS),
        ({"dialog__bye__code": None}, Check.COMPLETED),
        ({"dialog__bye__by": Side.REMOTE, "progress__bye_ms": 3000.0}, Check.COMPLETED),
    ],
)
def test_what_breaks_opposite_an_overloaded_agent_may_be_its_doing(broken, check):
    assert said(both(caller=broken, callee=DROPS).findings, CALLER) == [(check, Reason.PEER_LOST)]


def test_a_callee_opposite_an_overloaded_caller_may_be_right_about_nothing():
    verdict = both(caller=DROPS, callee={"dtmf_received": digits("1"), "received__packets": 1})

    assert set(said(verdict.findings, CALLEE)) == {
        (Check.DTMF, Reason.PEER_LOST),
        (Check.RTP_PACKETS, Reason.PEER_LOST),
    }


def test_an_unanswered_call_to_an_overloaded_callee_may_be_its_doing():
    gave_up = {
        "final_code": None,
        "progress__answered_ms": None,
        "progress__bye_ms": None,
        "progress__ended_ms": 30_000.0,
    }

    assert said(both(caller=gave_up, callee=DROPS).findings, CALLER) == [(Check.ANSWERED, Reason.PEER_LOST)]


def test_a_200_past_an_overloaded_callee_is_not_called_elsewhere():
    verdict = both(callee=DROPS | {"final_code": 487})

    assert verdict.result is Result.INCONCLUSIVE
    assert Check.DELIVERED not in {finding.check for finding in verdict.findings}
