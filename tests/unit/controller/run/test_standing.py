"""What /metrics shows of a CallTest itself."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from agent.contract.verdict import Result
from controller.api.calltest_status import CallTestStatus, Running, SkipReason
from controller.api.run import Endpoint
from controller.run.standing import STANDING, Ended, History, endpoint_results, known_runs, skips, standing
from tests.unit.controller.measured import CREATED, FULL, SCHEDULE, SCHEDULED, at, condition, ended, spec, status

P, F, I = Result.PASSED, Result.FAILED, Result.INCONCLUSIVE  # noqa: E741


def shown(given_spec=None, given_status=None, runs=()):
    found = standing(given_spec or spec(), given_status or CallTestStatus(), CREATED, runs)
    return {(sample.metric.removeprefix("calltest_"), *sample.labels): sample.value for sample in found}


def row(*results: Result) -> list[Ended]:
    return [Ended(name=f"r{number}", result=result, at=at(number)) for number, result in enumerate(results)]


def test_a_test_that_never_ran_is_shown_with_what_is_known() -> None:
    assert shown() == {
        ("info", "", "", "true", "false", "sut"): 1,
        ("spec_suspend",): 0,
        ("created_timestamp_seconds",): CREATED.timestamp(),
        ("stalled",): 0,
        ("run_active",): 0,
        ("consecutive_failed_runs",): 0,
        ("consecutive_inconclusive_runs",): 0,
    }


def test_how_a_test_is_to_be_run() -> None:
    trigger = {"schedule": "@daily", "timeZone": "Europe/Berlin", "onChange": False, "onRollout": {}}
    elsewhere = {"address": {"host": "sip.example.com"}, "port": 5060}
    found = shown(spec(trigger=trigger, suspend=True, target=elsewhere))
    assert found["info", "@daily", "Europe/Berlin", "false", "true", ""] == 1
    assert found["spec_suspend",] == 1


def test_a_test_that_cannot_be_read_is_stalled_and_has_no_info() -> None:
    found = list(standing(None, CallTestStatus(conditions=(condition("Stalled", "True"),)), CREATED))
    assert {sample.metric for sample in found} == {
        "calltest_created_timestamp_seconds",
        "calltest_stalled",
        "calltest_run_active",
        "calltest_consecutive_failed_runs",
        "calltest_consecutive_inconclusive_runs",
    }
    assert next(sample.value for sample in found if sample.metric == "calltest_stalled") == 1


def test_the_last_run_the_schedule_and_the_conditions() -> None:
    found = shown(spec(**SCHEDULED), status(**FULL))
    assert found["last_run_result", "Failed"] == 1
    assert found["last_run_result", "Passed"] == 0
    assert found["last_run_reason", "DtmfMismatch"] == 1
    assert found["last_run_timestamp_seconds",] == at(1).timestamp() + 30
    assert found["last_run_duration_seconds",] == 30
    assert found["last_run_calls", "Failed"] == 1
    assert found["next_schedule_timestamp_seconds",] == at(30).timestamp()
    assert found["last_schedule_timestamp_seconds",] == found["last_skipped_timestamp_seconds",] == at(15).timestamp()
    assert found["last_success_timestamp_seconds",] == at(0).timestamp()
    assert found["verdict_current",] == 1
    names = {f"calltest_{key[0]}" for key in found}
    assert names == STANDING.keys() - {"calltest_last_run_endpoint_result"}


@pytest.mark.parametrize(("said", "value"), [("True", 1), ("False", 0), ("Unknown", None)])
def test_a_verdict_of_which_nobody_knows_whether_it_is_current_has_no_series(said: str, value: float | None) -> None:
    found = shown(given_status=CallTestStatus(conditions=(condition("VerdictCurrent", said),)))
    assert found.get(("verdict_current",)) == value


def test_what_a_status_leaves_out_has_no_series() -> None:
    full = status(result=P)
    assert full.last_run is not UNSET
    bare = msgspec.structs.replace(full.last_run, start_time=UNSET, calls=UNSET)
    found = shown(given_status=CallTestStatus(last_run=bare, running=Running(name="r", progress="0/1")))
    assert {key[0] for key in found if key[0].startswith("last_run")} == {
        "last_run_result",
        "last_run_timestamp_seconds",
    }
    assert found["run_active",] == 1


@pytest.mark.parametrize(
    ("results", "failed", "inconclusive"),
    [
        ((), 0, 0),
        ((P,), 0, 0),
        ((P, F, F), 2, 0),
        ((F, P), 0, 0),
        ((F, I), 1, 1),  # nothing says that it works again
        ((F, I, F), 2, 0),
        ((I, I, I), 0, 3),
        ((I, P, I), 0, 1),
    ],
)
def test_what_is_in_a_row(results: tuple[Result, ...], failed: int, inconclusive: int) -> None:
    found = shown(runs=row(*results))
    assert (found["consecutive_failed_runs",], found["consecutive_inconclusive_runs",]) == (failed, inconclusive)


def test_a_run_that_passed_and_was_dropped_ends_a_row_all_the_same() -> None:
    found = shown(given_status=CallTestStatus(last_successful_time=at(1)), runs=row(F, F, F))
    assert found["consecutive_failed_runs",] == 1


@given(st.lists(st.sampled_from(list(Result)), max_size=30))
def test_a_row_grows_by_one_or_ends(results: list[Result]) -> None:
    rows = [shown(runs=row(*results[:count]))["consecutive_failed_runs",] for count in range(len(results) + 1)]
    for (before, after), result in zip(pairwise(rows), results, strict=True):
        assert after == {P: 0, F: before + 1, I: before}[result]


def test_runs_that_history_dropped_are_remembered_for_the_same_spec_only() -> None:
    seen = known_runs(History(), "a", [ended("r1", F, 1), ended("r2", F, 2)])
    seen = known_runs(seen, "a", [ended("r3", I, 3), ended("r2", F, 2)])
    assert [run.name for run in seen.runs] == ["r1", "r2", "r3"]
    assert [run.name for run in known_runs(seen, "b", [ended("r4", F, 4)]).runs] == ["r4"]
    assert known_runs(History(), "a", [ended("r", F, 1, ours=True), unfinished()]).runs[-1].name == "r"


def unfinished():
    seen = ended("later", F, 9)
    run = msgspec.structs.replace(seen.run, status=msgspec.structs.replace(seen.run.status, result=UNSET))
    return type(seen)(run=run, created="", is_ours=True)


def test_a_bounded_number_of_runs_is_remembered() -> None:
    seen = History()
    for number in range(150):
        seen = known_runs(seen, "a", [ended(f"r{number}", F, number % 60)])
    assert len(seen.runs) == 100


def test_endpoints_without_a_verdict_have_no_series() -> None:
    judged = Endpoint(index=0, address="10.0.0.1:5060", result=F)
    found = list(endpoint_results([judged, Endpoint(index=1, address="10.0.0.2:5060")]))
    assert {sample.labels: sample.value for sample in found} == {
        ("10.0.0.1:5060", "Failed"): 1,
        ("10.0.0.1:5060", "Passed"): 0,
        ("10.0.0.1:5060", "Inconclusive"): 0,
    }


def test_skipped_slots_are_told_once_each_with_their_reason() -> None:
    two = msgspec.structs.replace(SCHEDULE, skipped=3, last_skip_reason=SkipReason.SUSPENDED)
    other = msgspec.structs.replace(SCHEDULE, expression="@daily Etc/UTC")
    assert list(skips(UNSET, SCHEDULE)) == [SkipReason.CONCURRENCY]
    assert list(skips(SCHEDULE, SCHEDULE)) == []
    assert list(skips(SCHEDULE, two)) == [SkipReason.DEADLINE, SkipReason.SUSPENDED]
    assert list(skips(SCHEDULE, other)) == [SkipReason.CONCURRENCY]
    assert list(skips(SCHEDULE, UNSET)) == []
    assert list(skips(UNSET, msgspec.structs.replace(SCHEDULE, last_skip_reason=UNSET))) == []
