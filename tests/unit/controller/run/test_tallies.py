"""A run's outcome as what it adds to counters and histograms."""

from collections import Counter
from dataclasses import replace

from agent.contract.observation import Health, Trouble
from agent.contract.verdict import Reason, Result, Role
from controller.run.measurements import Sample
from controller.run.tallies import COUNTERS, HISTOGRAMS, counted, observed
from tests.unit.builders import SECTION, change
from tests.unit.controller.measured import CALLEE, CALLER, FAILED, MEASURED, leg, media, verdict

SPOILED = Health(media=Trouble(over_ms=8000), rtp_drops=3)
LATE = Health(setup=Trouble(over_ms=40, lateness_ms=300))


def added(samples: list[Sample]) -> Counter[tuple[str, tuple[str, ...]]]:
    found: Counter[tuple[str, tuple[str, ...]]] = Counter()
    for sample in samples:
        found[sample.metric, sample.labels] += sample.value  # type: ignore[assignment]
    return found


def test_runs_calls_and_packets_are_counted() -> None:
    found = added(list(counted(Result.PASSED, None, MEASURED)))
    assert found == {
        ("calltest_runs", ("Passed",)): 1,
        ("calltest_calls", ("pin", "Passed")): 2,
        ("calltest_rtp_expected_packets", ("pin", "caller")): 800,
        ("calltest_rtp_lost_packets", ("pin", "caller")): 100,
        ("calltest_rtp_expected_packets", ("pin", "callee")): 400,
        ("calltest_rtp_lost_packets", ("pin", "callee")): 0,
    }


def test_what_did_not_pass_is_counted_by_check_and_reason() -> None:
    found = added(list(counted(Result.FAILED, Reason.DTMF_MISMATCH, FAILED)))
    assert found["calltest_findings", ("dtmf", "DtmfMismatch", "Failed")] == 1


def test_registrations_alone_are_no_calls_and_what_was_wrong_with_them_is_counted() -> None:
    alone = replace(FAILED, calls=(), registrations=FAILED.calls)
    found = added(list(counted(Result.FAILED, Reason.DTMF_MISMATCH, alone)))
    assert found == {("calltest_runs", ("Failed",)): 1, ("calltest_findings", ("dtmf", "DtmfMismatch", "Failed")): 1}


def test_a_run_without_calls_is_counted_by_its_reason() -> None:
    found = list(counted(Result.INCONCLUSIVE, Reason.NO_ENDPOINTS, None))
    assert found == [
        Sample("calltest_runs", ("Inconclusive",), 1),
        Sample("calltest_findings", ("run", "NoEndpoints", "Inconclusive"), 1),
    ]
    assert list(counted(Result.INCONCLUSIVE, None, None)) == found[:1]


def test_every_call_is_an_observation() -> None:
    found = list(observed(MEASURED))
    seconds = [sample.value for sample in found if sample.metric == "calltest_call_answer_duration_seconds"]
    assert seconds == [0.04, 0.06]
    assert Sample("calltest_call_ringing_duration_seconds", ("pin",), 0.02) in found
    assert Sample("calltest_rtp_loss_ratio", ("pin", "caller"), 0.25) in found
    assert Sample("calltest_rtp_jitter_seconds", ("pin", "callee"), 0.001) in found
    assert Sample("calltest_rtcp_round_trip_seconds", ("pin", "caller"), 0.008) in found
    assert {sample.metric for sample in found} == set(HISTOGRAMS)


def test_what_was_not_measured_is_neither_counted_nor_observed() -> None:
    silent = verdict((leg(Role.CALLER, final_code=None, sections=(SECTION,), received=()), None), (None, None))
    uncounted = verdict((leg(Role.CALLER, final_code=None, sections=(SECTION,), received=None), None))
    nothing = verdict((leg(Role.CALLER, final_code=None, **media(packets=0, lost=0, jitter_ms=None)), None))
    for unmeasured in (silent, uncounted, nothing):
        assert list(observed(unmeasured)) == []
        assert {sample.metric for sample in counted(Result.PASSED, None, unmeasured)} == {
            "calltest_runs",
            "calltest_calls",
        }


def test_loss_of_a_call_with_an_overloaded_agent_is_nobodys() -> None:
    for pair in ((CALLER, change(CALLEE, health=SPOILED)), (change(CALLER, health=SPOILED), CALLEE)):
        spoiled = verdict(pair)
        assert {sample.metric for sample in observed(spoiled)} == {
            "calltest_call_answer_duration_seconds",
            "calltest_call_ringing_duration_seconds",
        }
        assert {sample.metric for sample in counted(Result.PASSED, None, spoiled)} == {
            "calltest_runs",
            "calltest_calls",
        }


def test_an_agent_that_was_late_makes_no_answer_time() -> None:
    late = verdict((CALLER, change(CALLEE, health=LATE)))
    found = {sample.metric for sample in observed(late)}
    assert not [metric for metric in found if metric.startswith("calltest_call_")]
    assert "calltest_rtp_loss_ratio" in found


def test_every_counter_has_words_for_its_labels() -> None:
    for sample in counted(Result.FAILED, None, FAILED):
        assert len(sample.labels) == len(COUNTERS[sample.metric][1])
    for sample in observed(MEASURED):
        assert len(sample.labels) == len(HISTOGRAMS[sample.metric].labels)
