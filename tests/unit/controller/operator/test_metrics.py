"""What /metrics shows, against docs/metrics.md and against what was measured."""

import re
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import generate_latest

from agent.contract.observation import LegObservation, Progress
from agent.contract.verdict import Result, Role
from agent.judge.verdicts import CallVerdict, EndpointVerdict, Flow, RunVerdict
from controller.api.run import CallCounts, CallTestStatus, Endpoint, LastRun
from controller.operator.metrics import SUMMARY, TEST_LABELS, Metrics
from controller.operator.workqueue import Key
from controller.run.measurements import METRICS, samples
from tests.unit.builders import SECTION, SOURCE, change

DOCS = Path(__file__).parents[4] / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(?P<name>calltest_\w+)`(?P<rebuilt> ↻)? \| (?P<labels>[^|]*) ?\| ", re.MULTILINE)
NO_FLOW = Flow(sent=None, received=None, lost=None)


def leg(role: Role, *, final_code: int | None = 200, **more: object) -> LegObservation:
    return LegObservation(
        role=role,
        endpoint=0,
        call="pin",
        number=0,
        call_key=None,
        sip_call_id=None,
        from_user=None,
        started_at=0,
        final_code=final_code,
        **more,  # type: ignore[arg-type]
    )


def media(*, sent: int | None = None, **received: object) -> dict[str, object]:
    """One section of it."""
    sources = None if sent is None else (change(SOURCE, packets=sent),)
    return {"sections": (SECTION,), "sent": sources, "received": (change(SOURCE, **received),)}


def verdict(*calls: tuple[LegObservation | None, LegObservation | None], result: Result = Result.PASSED) -> RunVerdict:
    judged = tuple(
        CallVerdict(
            endpoint=0,
            call="pin",
            number=number,
            result=result,
            reason=None,
            findings=(),
            caller=caller,
            callee=callee,
            paired_by=None,
            to_callee=NO_FLOW,
            to_caller=NO_FLOW,
        )
        for number, (caller, callee) in enumerate(calls)
    )
    count = len(judged)
    endpoint = EndpointVerdict(
        endpoint=0, name="sut-0", result=result, reason=None, planned=count, passed=count, failed=0, inconclusive=0
    )
    return RunVerdict(
        result=result,
        reason=None,
        worst=None,
        planned=count,
        passed=count,
        failed=0,
        inconclusive=0,
        calls=judged,
        endpoints=(endpoint,),
        strays=(),
    )


MEASURED = verdict(
    (
        leg(
            Role.CALLER,
            progress=Progress(answered_ms=40, ringing_ms=20),
            **media(sent=400, packets=300, lost=100, jitter_ms=2.0),
            rtt_ms=8,
        ),
        leg(Role.CALLEE, **media(packets=400, jitter_ms=1.0)),
    ),
    (
        leg(Role.CALLER, progress=Progress(answered_ms=60, ringing_ms=40), **media(packets=400, jitter_ms=4.0)),
        None,
    ),
)


def status(run: str = "t-g1", result: Result = Result.PASSED) -> CallTestStatus:
    last = LastRun(
        name=run,
        result=result,
        start_time=datetime(2026, 1, 1, tzinfo=UTC),
        completion_time=datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC),
        calls=CallCounts(planned=3, passed=2, failed=1, summary="2/3"),
    )
    return CallTestStatus(last_run=last)


def documented() -> dict[str, tuple[str, ...]]:
    return {row["name"]: tuple(re.findall(r"`(\w+)`", row["labels"])) for row in ROW.finditer(DOCS.read_text())}


def test_the_page_names_every_metric_with_its_labels_and_no_other() -> None:
    metrics = Metrics()
    metrics.show("calltest_operator_resync_age_seconds", "x", lambda: 0.0)
    metrics.show("calltest_operator_queue_length", "x", lambda: 0.0)
    exposed: dict[str, tuple[str, ...]] = {name: labels for name, (_, labels) in (SUMMARY | dict(METRICS)).items()}
    for family in metrics.registry.collect():
        if family.name not in exposed:
            suffix = "_total" if family.type == "counter" else ""
            exposed[family.name + suffix] = ()
    exposed["calltest_runs_total"] = (*TEST_LABELS, "result")
    exposed["calltest_calls_total"] = (*TEST_LABELS, "call", "result")
    for name in ("calltest_operator_reconcile_seconds", "calltest_operator_reconcile_errors_total"):
        exposed[name] = ("kind",)
    assert documented() == exposed


def test_the_page_says_which_are_rebuilt_from_status() -> None:
    marked = {row["name"] for row in ROW.finditer(DOCS.read_text()) if row["rebuilt"]}
    assert marked == set(SUMMARY)


def test_alerts_use_metrics_that_exist() -> None:
    alerts = (DOCS.parents[1] / "deploy" / "monitoring" / "alerts.yaml").read_text()
    assert set(re.findall(r"expr: (calltest_\w+)", alerts)) <= documented().keys()


def test_what_was_measured_has_its_number() -> None:
    found = {(sample.metric, sample.labels): sample.value for sample in samples(MEASURED)}
    assert found["calltest_last_run_endpoint_calls", ("sut-0", "pin", "Passed")] == 2
    assert found["calltest_call_answer_seconds", ("sut-0", "pin")] == 0.05
    assert found["calltest_call_answer_max_seconds", ("sut-0", "pin")] == 0.06
    assert found["calltest_call_ringing_max_seconds", ("sut-0", "pin")] == 0.04
    assert found["calltest_rtp_sent_packets", ("sut-0", "pin", "caller")] == 400
    assert found["calltest_rtp_received_packets", ("sut-0", "pin", "caller")] == 700
    assert found["calltest_rtp_loss_ratio", ("sut-0", "pin", "caller")] == 0.125
    assert found["calltest_rtp_loss_ratio", ("sut-0", "pin", "callee")] == 0
    assert found["calltest_rtp_jitter_seconds", ("sut-0", "pin", "caller")] == 0.003
    assert found["calltest_rtcp_round_trip_seconds", ("sut-0", "pin", "caller")] == 0.008


def test_what_was_not_measured_has_no_series() -> None:
    silent = verdict((leg(Role.CALLER, final_code=None, sections=(SECTION,), received=()), None))
    found = {sample.metric for sample in samples(silent)}
    assert found == {"calltest_last_run_endpoint_calls", "calltest_rtp_received_packets"}


def test_the_last_run_is_shown_and_forgotten_with_its_test() -> None:
    metrics = Metrics()
    metrics.last_runs.show_status("voice", "t", status())
    metrics.last_runs.show_endpoints("voice", "t", [Endpoint(index=0, address="10.0.0.1:5060", result=Result.FAILED)])
    metrics.last_runs.show_measured("voice", "t", "t-g1", MEASURED)
    text = generate_latest(metrics.registry).decode()
    assert 'calltest_last_run_result{calltest="t",namespace="voice",result="Passed"} 1.0' in text
    assert 'calltest_last_run_duration_seconds{calltest="t",namespace="voice"} 30.0' in text
    assert 'calltest_last_run_calls{calltest="t",namespace="voice",result="Failed"} 1.0' in text
    shown = (
        'calltest_last_run_endpoint_result{calltest="t",endpoint="10.0.0.1:5060",namespace="voice",result="Failed"} 1.0'
    )
    assert shown in text
    assert 'calltest_run_active{calltest="t",namespace="voice"} 0.0' in text
    metrics.last_runs.forget("voice", "t")
    assert 'calltest="t"' not in generate_latest(metrics.registry).decode()


def test_an_older_runs_numbers_do_not_stand_beside_a_newer_verdict() -> None:
    metrics = Metrics()
    metrics.last_runs.show_measured("voice", "t", "t-g1", MEASURED)
    metrics.last_runs.show_status("voice", "t", status("t-g2", Result.FAILED))
    assert "calltest_rtp_loss_ratio{" not in generate_latest(metrics.registry).decode()


def test_the_same_run_told_twice_keeps_its_numbers() -> None:
    metrics = Metrics()
    metrics.last_runs.show_measured("voice", "t", "t-g1", MEASURED)
    metrics.last_runs.show_status("voice", "t", status("t-g1"))
    metrics.last_runs.show_endpoints("voice", "t", [Endpoint(index=0, address="a:1")])
    assert "calltest_rtp_loss_ratio{" in generate_latest(metrics.registry).decode()


def test_runs_calls_and_reconciles_are_counted() -> None:
    metrics = Metrics()
    metrics.count_run("voice", "t", Result.PASSED, MEASURED)
    metrics.count_run("voice", "t", Result.INCONCLUSIVE, None)
    metrics.observe_reconcile(Key("CallTest", "voice", "t"), 0.1, False)
    value = metrics.registry.get_sample_value
    labels = {"namespace": "voice", "calltest": "t"}
    assert value("calltest_runs_total", {**labels, "result": "Inconclusive"}) == 1
    assert value("calltest_calls_total", {**labels, "call": "pin", "result": "Passed"}) == 2
    assert value("calltest_operator_reconcile_errors_total", {"kind": "CallTest"}) == 1
