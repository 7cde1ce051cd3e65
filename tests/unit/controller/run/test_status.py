"""Where runs and tests stand, in conditions that people, kubectl and GitOps tools wait for."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from agent.contract.verdict import Reason, Result
from controller.api.run import MAX_CONFIG_MAPS, CallTestRunStatus, Detail
from controller.plan.cause import Cause
from controller.plan.discovery import Discovery
from controller.run import status as statuses
from controller.run.conclude import Outcome, refused
from controller.run.status import STALLING, Say, as_dict, told
from tests.unit.controller.objects import endpoints, spec
from tests.unit.controller.run_statuses import FAILED, FOUND, NEW, PASSED, PROBLEM, at, kstatus, shown, under_way


def test_a_run_that_begins_says_all_its_conditions():
    status = statuses.begun(NEW, at(0.7))
    assert shown(status) == {
        "Finished": ("False", "Running"),
        "Succeeded": ("Unknown", "Running"),
        "Reconciling": ("True", "Running"),
        "Stalled": ("False", "Running"),
        "TargetsResolved": ("Unknown", "Resolving"),
        "AgentsReady": ("Unknown", "Waiting"),
        "ResultsCollected": ("Unknown", "Waiting"),
    }
    assert status.start_time == at(0).now
    assert status.observed_generation == 1
    assert kstatus(status) == "InProgress"


def test_a_run_begins_once():
    begun = statuses.begun(NEW, at(0))
    assert statuses.begun(begun, at(9)) == begun


def test_missing_endpoints_are_said_while_they_are_awaited():
    status = statuses.unresolved(statuses.begun(NEW, at(0)), PROBLEM, FOUND, at(3))
    assert shown(status)["TargetsResolved"] == ("False", "TooFewEndpoints")
    assert status.left_out == FOUND.left_out
    assert kstatus(status) == "InProgress"


def test_a_run_whose_endpoints_go_while_it_is_queued_no_longer_is():
    queued = statuses.queued(statuses.begun(NEW, at(0)), PROBLEM, at(1))
    assert shown(queued)["Queued"][0] == "True"
    status = statuses.unresolved(queued, PROBLEM, FOUND, at(3))
    assert shown(status)["Queued"] == ("False", "Over")
    assert shown(status)["TargetsResolved"] == ("False", "TooFewEndpoints")


def test_what_a_run_waited_for_until_its_deadline_is_what_was_said_last():
    begun = statuses.begun(NEW, at(0))
    few, shared = PROBLEM, Cause(reason=Reason.CALLEE_SHARED, message="in use by run voice/other-g1")
    foreign = told((), [Say(type="Queued", status="True", reason="FromTheFuture", message="")], at(1))
    for status in (begun, msgspec.structs.replace(begun, conditions=foreign)):
        assert statuses.stood(status, 60).reason is Reason.AGENT_NOT_CREATED
    assert statuses.stood(statuses.unresolved(begun, few, FOUND, at(1)), 60) == few
    assert statuses.stood(statuses.queued(begun, shared, at(1)), 60) == shared


def test_a_run_whose_turn_has_come_is_no_longer_queued():
    queued = statuses.queued(NEW, PROBLEM, at(0))
    assert shown(statuses.begun(queued, at(1)))["Queued"] == ("False", "Over")


def test_resolved_endpoints_are_fixed_in_the_status():
    status = statuses.resolved(statuses.begun(NEW, at(0)), FOUND, 20, at(1))
    assert status.endpoints == FOUND.endpoints
    assert shown(status)["TargetsResolved"] == ("True", "Resolved")
    assert (status.calls.planned, status.calls.progress, status.calls.summary) == (20, "0/20", UNSET)
    message = next(item.message for item in status.conditions if item.type == "TargetsResolved")
    assert message == "2 endpoints, 1 left out"
    assert not statuses.is_created(status)
    all_there = statuses.resolved(NEW, Discovery(endpoints=endpoints(2)), 20, at(1))
    assert next(item.message for item in all_there.conditions if item.type == "TargetsResolved") == "2 endpoints"


def test_progress_is_shown():
    resolved = statuses.resolved(statuses.begun(NEW, at(0)), FOUND, 20, at(1))
    made = statuses.created(resolved, 2, at(1))
    assert (statuses.is_created(made), made.agents) == (True, 2)
    starting = statuses.progressed(made, agents=2, ready=1, ended=0, failed=0, clock=at(2))
    assert shown(starting)["AgentsReady"] == ("False", "Starting")
    assert statuses.is_created(starting)
    calling = statuses.progressed(starting, agents=2, ready=2, ended=7, failed=1, clock=at(5))
    assert shown(calling)["AgentsReady"] == ("True", "Ready")
    assert (calling.calls.ended, calling.calls.progress, calling.calls.summary) == (7, "7/20", UNSET)
    message = next(item.message for item in calling.conditions if item.type == "Finished")
    assert message == "7 of 20 calls ended, 1 with a fault"
    calling = statuses.progressed(starting, agents=2, ready=2, ended=7, failed=0, clock=at(5))
    assert next(item.message for item in calling.conditions if item.type == "Finished") == "7 of 20 calls ended"


def test_progress_before_anything_is_known_invents_nothing():
    status = statuses.progressed(NEW, agents=2, ready=0, ended=0, failed=0, clock=at(1))
    assert status.calls.planned == 0
    assert not statuses.is_created(status)
    assert not statuses.is_created(NEW)


def test_a_passed_run():
    status = statuses.concluded(
        under_way(), PASSED, at(60.9), Detail(config_maps=("pin-g1-0",), lines=40, complete=True)
    )
    conditions = shown(status)
    assert conditions["Finished"] == ("True", "Passed")
    assert conditions["Succeeded"] == ("True", "Passed")
    assert conditions["ResultsCollected"] == ("True", "Complete")
    assert (status.result, status.reason, status.message) == (Result.PASSED, UNSET, "20 of 20 calls passed")
    assert status.completion_time == at(60).now
    assert status.detail.complete
    assert status.left_out == FOUND.left_out
    assert kstatus(status) == "Current"


def test_a_failed_run():
    status = statuses.concluded(under_way(), FAILED, at(60))
    conditions = shown(status)
    assert conditions["Finished"] == ("True", "Failed")
    assert conditions["Succeeded"] == ("False", "DtmfMismatch")
    assert conditions["ResultsCollected"] == ("False", "Incomplete")
    assert (status.result, status.reason) == (Result.FAILED, "DtmfMismatch")
    assert status.detail is UNSET
    assert kstatus(status) == "Current"


@pytest.mark.parametrize("reason", [Reason.NO_ENDPOINTS, *sorted(STALLING)])
def test_a_run_that_could_not_be_done(reason):
    status = statuses.concluded(statuses.begun(NEW, at(0)), refused(Cause(reason=reason, message="why"), spec()), at(1))
    conditions = shown(status)
    assert conditions["Finished"] == ("True", "Inconclusive")
    assert conditions["Succeeded"] == ("False", reason)
    for step in ("TargetsResolved", "AgentsReady"):
        assert conditions[step] == ("False", reason)
    assert conditions["ResultsCollected"] == ("False", "NoAgents")
    assert kstatus(status) == ("Failed" if reason in STALLING else "Current")
    assert "Unknown" not in {state for state, _ in conditions.values()}


def test_what_a_run_had_found_stays_when_it_is_refused():
    status = statuses.concluded(under_way(), refused(Cause(reason=Reason.LIMIT_EXCEEDED, message="why"), spec()), at(9))
    assert len(status.endpoints) == 2
    assert shown(status)["TargetsResolved"] == ("True", "Resolved")


def test_more_config_maps_than_a_status_holds_are_not_complete():
    names = tuple(f"pin-g1-{number}" for number in range(MAX_CONFIG_MAPS + 1))
    status = statuses.concluded(under_way(), PASSED, at(60), Detail(config_maps=names, lines=9, complete=True))
    assert len(status.detail.config_maps) == MAX_CONFIG_MAPS
    assert not status.detail.complete


def test_a_long_message_is_cut_and_made_safe():
    outcome = refused(Cause(reason=Reason.INVALID_TEST, message="x" * 5000), spec())
    status = statuses.concluded(NEW, with_changes(outcome, message="y\x00" * 2000), at(1))
    for text in [status.message, *(condition.message for condition in status.conditions)]:
        assert len(text) <= 1024
        assert text.isprintable()


def with_changes(outcome: Outcome, **changes) -> Outcome:
    fields = {name: getattr(outcome, name) for name in outcome.__dataclass_fields__}
    return Outcome(**(fields | changes))


# Conditions


def test_the_transition_time_moves_with_the_status_alone():
    first = told((), [Say(type="Finished", status="False", reason="Running", message="a")], at(0))
    second = told(first, [Say(type="Finished", status="False", reason="Else", message="b")], at(10, 2))
    third = told(second, [Say(type="Finished", status="True", reason="Passed", message="c")], at(20, 2))
    assert [item[0].last_transition_time for item in (first, second, third)] == [at(0).now, at(0).now, at(20).now]
    assert (second[0].reason, second[0].message, second[0].observed_generation) == ("Else", "b", 2)


def test_conditions_that_are_not_spoken_of_stay():
    before = statuses.begun(NEW, at(0)).conditions
    after = told(before, [Say(type="Finished", status="True", reason="Passed", message="")], at(5))
    assert [item.type for item in after] == [item.type for item in before]
    assert after[1:] == before[1:]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.builds(
            Say,
            type=st.sampled_from(["Finished", "Succeeded"]),
            status=st.sampled_from(["True", "False", "Unknown"]),
            reason=st.just("X"),
            message=st.text(max_size=5),
        )
    )
)
def test_saying_it_again_changes_nothing(says):
    once = told((), says, at(0))
    last = [Say(type=item.type, status=item.status, reason=item.reason, message=item.message) for item in once]
    assert told(once, last, at(99)) == once


def test_a_status_is_plain_json_without_what_is_unset():
    status = as_dict(statuses.concluded(under_way(), PASSED, at(60), Detail(config_maps=("a",), lines=1)))
    assert status["startTime"] == "2026-01-31T12:00:00Z"
    assert status["detail"]["configMaps"] == ["a"]
    assert status["endpoints"][0] == {"index": 0, "address": "10.244.0.5:5060", "pod": "kamailio-0", "podUID": "u0"}
    assert "reason" not in status
    read = msgspec.convert(status, CallTestRunStatus)
    assert as_dict(read) == status
    assert as_dict(NEW) == {"observedGeneration": -1, "conditions": []}


def test_a_status_of_a_run_under_way_is_cut_once_and_keeps_its_endpoints():
    (cut,) = statuses.shorter(under_way(), "too long")
    assert (cut.endpoints, cut.left_out, cut.message) == (
        under_way().endpoints,
        UNSET,
        "the status was cut: too long",
    )
