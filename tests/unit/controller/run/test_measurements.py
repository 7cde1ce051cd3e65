"""A verdict as the numbers of the last run."""

from agent.contract.observation import Health, Trouble
from agent.contract.verdict import Role
from controller.run.measurements import METRICS, samples
from tests.unit.builders import SECTION, change
from tests.unit.controller.measured import CALLEE, CALLER, MEASURED, leg, verdict

SPOILED = Health(media=Trouble(over_ms=8000), rtp_drops=3)


def test_what_was_measured_has_its_number() -> None:
    found = {(sample.metric, sample.labels): sample.value for sample in samples(MEASURED)}
    assert found["calltest_last_run_endpoint_calls", ("sut-0", "pin", "Passed")] == 2
    assert found["calltest_last_run_answer_seconds", ("sut-0", "pin")] == 0.05
    assert found["calltest_last_run_answer_max_seconds", ("sut-0", "pin")] == 0.06
    assert found["calltest_last_run_ringing_max_seconds", ("sut-0", "pin")] == 0.04
    assert found["calltest_last_run_rtp_sent_packets", ("sut-0", "pin", "caller")] == 400
    assert found["calltest_last_run_rtp_received_packets", ("sut-0", "pin", "caller")] == 700
    assert found["calltest_last_run_rtp_loss_ratio", ("sut-0", "pin", "caller")] == 0.125
    assert found["calltest_last_run_rtp_loss_ratio", ("sut-0", "pin", "callee")] == 0
    assert found["calltest_last_run_rtp_jitter_seconds", ("sut-0", "pin", "caller")] == 0.003
    assert found["calltest_last_run_rtcp_round_trip_seconds", ("sut-0", "pin", "caller")] == 0.008
    assert {metric for metric, _ in found} == set(METRICS)


def test_what_was_not_measured_has_no_number() -> None:
    silent = verdict((leg(Role.CALLER, final_code=None, sections=(SECTION,), received=()), None))
    found = {sample.metric for sample in samples(silent)}
    assert found == {"calltest_last_run_endpoint_calls", "calltest_last_run_rtp_received_packets"}


def test_media_of_a_call_with_an_overloaded_agent_is_nobodys_loss() -> None:
    for pair in ((CALLER, change(CALLEE, health=SPOILED)), (change(CALLER, health=SPOILED), CALLEE)):
        found = {sample.metric for sample in samples(verdict(pair))}
        assert not [metric for metric in found if "rtp" in metric or "rtcp" in metric]
        assert "calltest_last_run_answer_seconds" in found
