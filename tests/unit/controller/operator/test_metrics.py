"""What /metrics shows, against docs/metrics.md, and over a test's life."""

import dataclasses
import re
import tomllib
from pathlib import Path

import pytest
from msgspec import UNSET
from prometheus_client import CollectorRegistry, generate_latest

from agent.contract.verdict import Reason, Result, Role
from agent.judge.verdicts import RunVerdict
from agent.report.metrics import AgentMetrics
from controller import VERSION
from controller.api.calltest_status import CallTestStatus
from controller.api.run import Endpoint
from controller.operator.metrics import TEST_LABELS, Metrics
from controller.operator.workqueue import Key
from controller.run.measurements import METRICS
from controller.run.standing import STANDING
from tests.unit.builders import change
from tests.unit.controller.measured import (
    BROKEN,
    CALLEE,
    CALLER,
    CREATED,
    FULL,
    MEASURED,
    SCHEDULE,
    SCHEDULED,
    TEST,
    ended,
    filled,
    leg,
    media,
    spec,
    status,
    verdict,
)

ROOT = Path(__file__).parents[4]
DOCS = ROOT / "docs" / "metrics.md"
ROW = re.compile(r"^\| `(?P<name>calltest_\w+)`(?P<rebuilt> ↻)? \| (?P<labels>[^|]*) ?\| ", re.MULTILINE)
PARTS = {"counter": "_total", "histogram": "_bucket"}


def agent() -> CollectorRegistry:
    """An agent's registry with a value for every metric."""
    metrics = AgentMetrics()
    metrics.watch(lambda: 1)
    metrics.leg_over(CALLEE)
    return metrics.registry


def exposed(*registries: CollectorRegistry) -> dict[str, frozenset[str]]:
    """Every metric that has a value, with its labels, as the page names them."""
    found: dict[str, frozenset[str]] = {}
    for registry in registries:
        for family in registry.collect():
            name = family.name + ("_total" if family.type == "counter" else "")
            for sample in family.samples:
                if sample.name == family.name + PARTS.get(family.type, ""):
                    found[name] = frozenset(sample.labels.keys() - {"le", *TEST_LABELS})
    return found


def documented() -> dict[str, frozenset[str]]:
    return {row["name"]: frozenset(re.findall(r"`(\w+)`", row["labels"])) for row in ROW.finditer(DOCS.read_text())}


def text(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def test_the_page_names_every_metric_with_its_labels_and_no_other() -> None:
    assert documented() == exposed(filled().registry, agent())


def test_a_filled_registry_has_a_value_for_every_metric_that_there_is() -> None:
    empty = {family.name for family in filled().registry.collect() if not family.samples}
    assert empty == set()


def test_the_page_says_which_are_rebuilt_from_the_objects() -> None:
    marked = {row["name"] for row in ROW.finditer(DOCS.read_text()) if row["rebuilt"]}
    assert marked == set(STANDING)


def test_there_is_one_series_for_each_thing_and_none_for_its_creation() -> None:
    agent()
    assert not re.findall(r"\w+_created(?=[{ ])", text(filled()))


def test_the_version_is_the_distributions() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION
    assert f'calltest_operator_build_info{{version="{VERSION}"}} 1.0' in text(Metrics())


def test_a_deleted_test_leaves_no_series_of_any_kind() -> None:
    metrics = filled()
    other = ("lab", "pin")
    metrics.finished(other, "pin-g1", Result.PASSED, verdict=MEASURED)
    metrics.show_test(other, spec(), status(), created=CREATED)
    assert metrics.tests == {TEST, other}
    before = text(metrics)
    metrics.forget(TEST)
    after = text(metrics)
    assert 'namespace="voice"' in before
    assert 'namespace="voice"' not in after
    kept = [line for line in before.splitlines() if 'namespace="lab"' in line]
    assert kept == [line for line in after.splitlines() if 'namespace="lab"' in line]
    assert metrics.tests == {other}
    metrics.forget(other)
    metrics.forget(other)


def test_counters_begin_at_zero_so_that_the_first_failure_is_an_increase() -> None:
    metrics = Metrics()
    metrics.show_test(TEST, spec(**SCHEDULED), CallTestStatus(), created=CREATED)
    zeros = {line.split("{")[0] + line.split("}")[1] for line in text(metrics).splitlines() if "_total{" in line}
    assert zeros == {
        "calltest_runs_total 0.0",
        "calltest_calls_total 0.0",
        "calltest_runs_skipped_total 0.0",
        "calltest_operator_reconcile_errors_total 0.0",
    }
    for result in Result:
        assert f'calltest_runs_total{{calltest="pin",namespace="voice",result="{result}"}} 0.0' in text(metrics)
    metrics.finished(TEST, "pin-g1", Result.FAILED, verdict=MEASURED)
    metrics.show_test(TEST, spec(**SCHEDULED), status(), created=CREATED)
    assert 'calltest_runs_total{calltest="pin",namespace="voice",result="Failed"} 1.0' in text(metrics)


def test_counters_of_calls_and_schedules_that_are_gone_go() -> None:
    metrics = Metrics()
    metrics.finished(TEST, "pin-g1", Result.PASSED, verdict=MEASURED)
    metrics.show_test(TEST, spec(**SCHEDULED), status(), created=CREATED)
    assert 'call="pin"' in text(metrics)
    assert "calltest_runs_skipped_total{" in text(metrics)
    metrics.show_test(TEST, spec(calls=[{"name": "echo"}]), CallTestStatus(), created=CREATED)
    shown = text(metrics)
    assert 'call="pin"' not in shown
    assert 'calltest_calls_total{call="echo",calltest="pin",namespace="voice",result="Failed"} 0.0' in shown
    assert "calltest_runs_skipped_total{" not in shown
    assert 'calltest_runs_total{calltest="pin",namespace="voice",result="Passed"} 1.0' in shown


def test_where_a_test_stands_is_rebuilt_and_what_was_counted_is_not() -> None:
    before, after = filled(), Metrics()
    after.show_test(
        TEST, spec(**SCHEDULED), status(**FULL), created=CREATED, of="u", runs=[ended("pin-g1", Result.FAILED, 1)]
    )
    after.show_endpoints(TEST, [Endpoint(index=0, address="10.0.0.1:5060", pod="sut-0", result=Result.FAILED)])
    rebuilt = re.compile(rf"^(?:{'|'.join(STANDING)})\{{.*", re.MULTILINE)
    assert rebuilt.findall(text(before)) == rebuilt.findall(text(after))
    assert not [name for name in METRICS if f"{name}{{" in text(after)]
    assert 'calltest_runs_total{calltest="pin",namespace="voice",result="Failed"} 0.0' in text(after)


def test_an_older_runs_numbers_do_not_stand_beside_a_newer_verdict() -> None:
    metrics = Metrics()
    metrics.finished(TEST, "pin-g1", Result.PASSED, verdict=MEASURED)
    metrics.show_test(TEST, spec(), status("pin-g2"), created=CREATED)
    assert "calltest_last_run_rtp_loss_ratio{" not in text(metrics)


def test_the_same_run_told_twice_keeps_its_numbers() -> None:
    metrics = Metrics()
    metrics.finished(TEST, "pin-g1", Result.PASSED, verdict=MEASURED)
    for _ in range(2):
        metrics.show_test(TEST, spec(), status("pin-g1"), created=CREATED)
    metrics.show_endpoints(TEST, [Endpoint(index=0, address="a:1")])
    assert "calltest_last_run_rtp_loss_ratio{" in text(metrics)


def test_endpoints_of_an_older_run_do_not_stand_beside_a_newer_verdict() -> None:
    metrics = filled()
    metrics.show_test(TEST, spec(), status("pin-g2"), created=CREATED)
    assert "calltest_last_run_endpoint_result{" not in text(metrics)


def test_runs_skips_findings_and_reconciles_are_counted() -> None:
    metrics = Metrics()
    metrics.finished(TEST, "a", Result.PASSED, verdict=MEASURED)
    metrics.finished(TEST, "b", Result.INCONCLUSIVE, reason=Reason.NO_ENDPOINTS)
    metrics.skipped(TEST, UNSET, SCHEDULE)
    metrics.observe_reconcile(Key("CallTest", *TEST), 0.1, False)
    labels = {"namespace": "voice", "calltest": "pin"}

    def value(name: str, **more: str) -> float | None:
        return metrics.registry.get_sample_value(name, labels | more)

    assert value("calltest_runs_total", result="Inconclusive") == 1
    assert value("calltest_calls_total", call="pin", result="Passed") == 2
    assert value("calltest_findings_total", check="run", reason="NoEndpoints", result="Inconclusive") == 1
    assert value("calltest_runs_skipped_total", reason="Concurrency") == 1
    assert value("calltest_call_answer_duration_seconds_bucket", call="pin", le="0.05") == 1
    assert value("calltest_call_answer_duration_seconds_bucket", call="pin", le="0.1") == 2
    errors = metrics.registry.get_sample_value("calltest_operator_reconcile_errors_total", {"kind": "CallTest"})
    assert errors == 1


@pytest.mark.parametrize("value", [None, 5.0])
def test_a_gauge_that_has_no_value_yet_has_no_series(value: float | None) -> None:
    metrics = Metrics()
    metrics.show("calltest_operator_last_resync_timestamp_seconds", "x", lambda: value)
    found = metrics.registry.get_sample_value("calltest_operator_last_resync_timestamp_seconds")
    assert found == value


def test_no_label_is_text_that_came_from_the_network() -> None:
    words = "503 Sorry"
    said = leg(Role.CALLEE, final_phrase=words, from_user=words, sip_call_id=words, **media(packets=1))
    finding = change(BROKEN, observed=words, expected=words, note=words, call_id=words)
    metrics, agents = Metrics(), AgentMetrics()
    metrics.finished(TEST, "pin-g1", Result.FAILED, verdict=verdict((said, said), findings=(finding,)))
    metrics.show_test(TEST, spec(), status(), created=CREATED)
    agents.leg_over(change(said, findings=(finding,)))
    shown = [
        (sample.name, *sample.labels.values())
        for registry in (metrics.registry, agents.registry)
        for family in registry.collect()
        for sample in family.samples
    ]
    assert ("calltest_agent_legs_total", "Callee", "DtmfMismatch") in shown
    assert not [sample for sample in shown if words in sample]


def grid(replicas: int, calls: int) -> RunVerdict:
    """Everything measured, through so many replicas."""
    (one, _), (endpoint,) = MEASURED.calls, MEASURED.endpoints
    both = dataclasses.replace(one, caller=CALLER, callee=change(CALLER, role=Role.CALLEE))
    return dataclasses.replace(
        MEASURED,
        calls=tuple(
            dataclasses.replace(both, endpoint=replica, call=f"call-{call}")
            for replica in range(replicas)
            for call in range(calls)
        ),
        endpoints=tuple(dataclasses.replace(endpoint, endpoint=item, name=f"sut-{item}") for item in range(replicas)),
    )


def in_the_table(row: str) -> int:
    found = re.search(rf"^\| {row} \| (\d+)", DOCS.read_text(), re.MULTILINE)
    assert found is not None, row
    return int(found[1])


@pytest.mark.parametrize(("replicas", "calls"), [(1, 1), (3, 1), (2, 4)])
def test_a_test_has_as_many_series_as_the_page_says(replicas: int, calls: int) -> None:
    metrics = Metrics()
    for name in ("calltest_operator_last_resync_timestamp_seconds", "calltest_operator_queue_length"):
        metrics.show(name, "x", lambda: 0.0)
    own = len(series(metrics))
    given = spec(**SCHEDULED, calls=[{"name": f"call-{call}"} for call in range(calls)])
    metrics.finished(TEST, "pin-g1", Result.FAILED, verdict=grid(replicas, calls))
    metrics.show_test(TEST, given, status(**FULL), created=CREATED)
    endpoints = [
        Endpoint(index=item, address="a:1", pod=f"sut-{item}", result=Result.PASSED) for item in range(replicas)
    ]
    metrics.show_endpoints(TEST, endpoints)
    expected = in_the_table("itself") + in_the_table("its schedule")
    expected += in_the_table("replicas") * replicas + in_the_table("replicas × calls") * replicas * calls
    expected += in_the_table("calls") * calls
    assert len(series(metrics)) - own == expected
    assert f"The operator has {own} series" in DOCS.read_text().replace("\n", " ")


def series(metrics: Metrics) -> list[str]:
    return [line for line in text(metrics).splitlines() if not line.startswith("#")]
