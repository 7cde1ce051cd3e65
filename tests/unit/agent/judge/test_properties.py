"""What holds whatever the agents report."""

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.contract.expect import DtmfMethod
from agent.contract.media import Heard, Origin, Section, Source
from agent.contract.observation import Bye, Dialog, Fork, Health, LegObservation, Progress, Side, Trouble
from agent.contract.registration import RegistrationOutcome
from agent.contract.verdict import Check, Finding, Reason, Result, Role
from agent.judge.reasons import result_of
from agent.judge.run import AgentReport, RunVerdict, judge_run
from tests.unit.agent.judge.judging import CALLEE, CALLER, both
from tests.unit.builders import callee_leg, caller_leg, change, digits, plan, registration, report

times = st.none() | st.sampled_from([0.0, 50.0, 3000.0, 8050.0, 12_000.0, 30_000.0, 40_000.0])
counts = st.sampled_from([0, 1, 310, 360, 400, 500])
some_digits = st.sampled_from(["", "12", "1234#", "1234", "999"]).map(digits)
some_ms = st.none() | st.sampled_from([0.0, 20.0, 3000.0, 7500.0, 8000.0, 90_000.0])
sources = st.none() | st.lists(
    st.builds(
        Source,
        section=st.integers(-1, 2),
        remote=st.sampled_from(["10.0.0.1:30000", "10.0.0.66:7000"]),
        ssrc=st.integers(1, 3),
        origin=st.sampled_from(Origin),
        packets=counts,
        duplicates=st.sampled_from([0, 1]),
        lost=st.integers(0, 400),
        restarts=st.integers(0, 2),
        media_ms=some_ms,
        lost_ms=some_ms,
        pause_ms=some_ms,
        event_ms=some_ms,
        first_ms=some_ms,
        last_ms=some_ms,
        max_gap_ms=some_ms,
        jitter_ms=st.none() | st.just(50.0),
        jitter_samples=st.integers(0, 3),
        payload_types=st.dictionaries(st.sampled_from([0, 8, 120]), st.integers(1, 9)),
        unnegotiated=st.sampled_from([0, 1, 60]),
        noise=st.integers(0, 1),
    ),
    max_size=3,
).map(tuple)  # fmt: skip
sections = st.lists(
    st.builds(
        Section,
        begin_ms=st.none() | st.sampled_from([-500.0, 0.0, 3000.0, 9000.0]), local=st.none(), remote=st.none(),
        receives=st.booleans(), sends=st.booleans(), codec=st.none(), clock_hz=st.none(), ptime_ms=st.none(),
        telephone_event_payload_type=st.none(), protocol=st.just("RTP/AVP"), types=st.just({0: "PCMU/8000"}),
        theirs=st.just({0: "PCMU/8000"}),
    ),
    max_size=3,
).map(tuple)  # fmt: skip
codes = st.dictionaries(st.sampled_from(["1", "99"]), st.integers(0, 3), max_size=2)
heard = st.none() | st.builds(
    Heard, duration_ms=st.sampled_from([0.0, 500.0, 8000.0]), level_dbfs=st.just(-20.0),
    active_ms=st.sampled_from([0.0, 100.0, 7000.0]), codes=codes,
)  # fmt: skip
troubles = st.builds(
    Trouble, throttled_ms=st.none() | st.just(5000.0), lateness_ms=st.none() | st.sampled_from([1.0, 900.0]),
    socket_drops=st.none() | st.integers(0, 1),
)  # fmt: skip
health = st.builds(
    Health, setup=troubles, media=troubles, rtp_drops=st.none() | st.integers(0, 1),
    sent_ratio=st.none() | st.sampled_from([0.5, 1.0]),
)  # fmt: skip
byes = st.builds(
    Bye, by=st.sampled_from(Side), at_ms=st.just(8050.0), code=st.none() | st.sampled_from([200, 481]),
    crossed=st.booleans(),
)  # fmt: skip
dialogs = st.builds(
    Dialog, local_tag=st.just("a"), remote_tag=st.just("b"), answers=st.integers(0, 4), ack_ms=times,
    bye=st.none() | byes, merged=st.integers(0, 1),
    forks=st.just(()) | st.just((Fork(tag="c", codes=(200,), ended=True),)),
)  # fmt: skip
CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "call_key": st.sampled_from([None, "another-run/0/pin/0"]),
    "sip_call_id": st.sampled_from([None, "same"]),
    "from_user": st.sampled_from([None, "bob"]),
    "final_code": st.none() | st.sampled_from([180, 200, 486, 487, 488, 500, 503]),
    "local_reason": st.just("told to"),
    "ended_by": st.none() | st.sampled_from(Side),
    "dialog": st.none() | dialogs,
    "dtmf_sent": some_digits,
    "dtmf_received": some_digits,
    "sent": sources,
    "received": sources,
    "sections": sections,
    "heard": heard,
    "health": health,
    "progress": st.builds(
        Progress, first_response_ms=times, ringing_ms=times, answered_ms=times, bye_ms=times, ended_ms=times
    ),
}


@st.composite
def odd_leg(draw: st.DrawFn, leg: LegObservation) -> LegObservation:
    """A good leg with up to three things changed."""
    names = draw(st.lists(st.sampled_from(sorted(CHANGES)), max_size=3, unique=True))
    return change(leg, **{name: draw(CHANGES[name]) for name in names})


@st.composite
def odd_report(draw: st.DrawFn, role: Role, count: int, **its_plan: Any) -> AgentReport:
    """Any of the legs, changed or not, missing or twice, of an agent lost or not."""
    make = caller_leg if role is CALLER else callee_leg
    legs = [
        draw(odd_leg(make(endpoint=endpoint, number=number)))
        for endpoint in (0, 1)
        for number in range(count)
        for _ in range(draw(st.sampled_from([1, 1, 1, 0, 2])))
    ]
    outcomes = draw(st.lists(st.sampled_from(RegistrationOutcome), min_size=2, max_size=2))
    recorded = [
        Finding(call="pin", number=0, endpoint=0, leg=role, check=draw(st.sampled_from(Check)), reason=reason)
        for reason in draw(st.lists(st.sampled_from(Reason), max_size=2))
    ]
    complete = draw(st.booleans())
    return report(
        plan(role, endpoints=(0, 1), group__count=count, **its_plan),
        *legs,
        registrations=tuple(
            registration(role, endpoint=endpoint, outcome=outcome) for endpoint, outcome in enumerate(outcomes)
        ),
        complete=complete,
        lost_reason=draw(st.sampled_from([None, Reason.ABORTED])),
        recorded=tuple(recorded),
    )


@st.composite
def odd_reports(draw: st.DrawFn) -> list[AgentReport]:
    count, code = draw(st.integers(1, 3)), draw(st.sampled_from([200, 200, 486]))
    its_plan = {"callee_declared": draw(st.booleans()), "group__expect__sip_code": code}
    return [draw(odd_report(role, count, **its_plan)) for role in draw(st.sampled_from([(CALLER, CALLEE), (CALLER,)]))]


def accounted(verdict: RunVerdict) -> None:
    assert verdict.planned == verdict.passed + verdict.failed + verdict.inconclusive == len(verdict.calls)
    for part in verdict.endpoints:
        assert part.planned == part.passed + part.failed + part.inconclusive
    assert sum(part.planned for part in verdict.endpoints) == verdict.planned


@settings(max_examples=25, deadline=None)
@given(odd_reports())
def test_every_planned_call_is_accounted_for_once(reports):
    verdict = judge_run(reports)

    accounted(verdict)
    count = reports[0].plan.calls[0].count
    assert [(call.endpoint, call.number) for call in verdict.calls] == [(e, n) for e in (0, 1) for n in range(count)]
    for call in verdict.calls:
        assert (call.result is Result.PASSED) == (call.findings == ()) == (call.reason is None)
        if call.findings:
            assert call.result is result_of(call.findings[0].reason)
            assert {(f.endpoint, f.call, f.number) for f in call.findings} == {(call.endpoint, call.call, call.number)}


@settings(max_examples=25, deadline=None)
@given(odd_reports(), st.randoms(use_true_random=False))
def test_the_order_of_reports_and_lines_changes_nothing(reports, shuffle: random.Random):
    shuffled = [
        AgentReport(
            plan=r.plan,
            legs=tuple(shuffle.sample(r.legs, len(r.legs))),
            registrations=tuple(shuffle.sample(r.registrations, len(r.registrations))),
            recorded=tuple(shuffle.sample(r.recorded, len(r.recorded))),
            complete=r.complete,
            lost_reason=r.lost_reason,
        )
        for r in shuffle.sample(reports, len(reports))
    ]
    one, other = judge_run(reports), judge_run(shuffled)

    assert [call.findings for call in one.calls] == [call.findings for call in other.calls]
    assert (one.result, one.reason, one.worst) == (other.result, other.reason, other.worst)


@settings(max_examples=25, deadline=None)
@given(odd_reports())
def test_what_passed_had_both_its_legs_and_its_registrations(reports):
    for call in judge_run(reports).calls:
        if call.result is Result.PASSED:
            assert call.caller is not None
            assert call.caller.final_code == reports[0].plan.calls[0].expect.sip_code
            assert call.callee is not None
            for r in reports:
                assert r.registrations[call.endpoint].outcome is RegistrationOutcome.REGISTERED


MEASURED = [
    "final_code", "dialog", "dialog__bye", "dialog__ack_ms", "heard", "received", "received__jitter_ms",
    "progress__answered_ms",
]  # fmt: skip


@pytest.mark.parametrize("role", [CALLER, CALLEE])
@pytest.mark.parametrize("name", MEASURED)
def test_a_null_where_a_check_was_asked_never_passes(name, role):
    if role is CALLER and name == "dialog__ack_ms":
        return  # a caller gets no ACK
    verdict = both(**{role.value.lower(): {name: None}})

    assert verdict.result is not Result.PASSED
    if not (role is CALLEE and name == "final_code"):  # a 200 without one is AnsweredElsewhere
        assert verdict.result is Result.INCONCLUSIVE


@pytest.mark.parametrize("role", [CALLER, CALLEE])
def test_a_lost_agent_never_makes_a_call_fail_that_had_not_failed(role):
    for changes in (
        {"final_code": 480},
        {"dialog__bye__by": Side.REMOTE, "progress__bye_ms": 900.0},
        {"dtmf_received": digits("1", DtmfMethod.INFO)},
    ):
        legs = {CALLER: caller_leg(**changes), CALLEE: callee_leg(**changes)}
        other = CALLEE if role is CALLER else CALLER
        verdict = judge_run([report(plan(role), complete=False), report(plan(other), legs[other])])

        assert verdict.result is Result.INCONCLUSIVE
