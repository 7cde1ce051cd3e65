"""What a user sees of a test: columns, conditions, events, and the metrics of the operator and of its agents."""

import time

from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.calltests import Object, call_test, calling, deleted
from tests.e2e.kube import Namespace, until

HOLD_S = 15
PACKETS = 50 * HOLD_S
CALL = {
    "holdSeconds": HOLD_S,
    "caller": {"dtmf": {"digits": "12#"}},
    "expect": {"callee": {"audio": "Own", "dtmf": {"digits": "12#"}}, "caller": {"audio": "Own"}},
}
Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def series(text: str) -> Series:
    """Prometheus' text format as values by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def about(found: Series, test: str) -> list[str]:
    """The metrics that say something of a test."""
    return [name for name, has in found if ("calltest", test) in has]


def of(found: Series, name: str, **labels: str) -> list[float]:
    """The values of a metric with these labels, among others."""
    return [value for (this, has), value in found.items() if this == name and labels.items() <= dict(has).items()]


def test_a_passed_test_is_seen_everywhere(voice: Namespace) -> None:
    voice.apply(call_test("seen", call=CALL))
    calling(voice, "seen-g1")
    agents = {agent: series(voice.metrics(f"seen-g1-{agent}", 9090)) for agent in ("caller-0", "callee-0")}
    assert all(agents.values()), "agents show metrics while they run"
    active = series(voice.metrics(voice.operator()["metadata"]["name"], 8080))
    assert of(active, "calltest_run_active", calltest="seen") == [1]
    assert of(active, "calltest_runs_total", calltest="seen") == [0, 0, 0]
    assert of(active, "calltest_operator_last_resync_timestamp_seconds") > [time.time() - 600]
    under_way = voice.kubectl("get", "calltests", "seen", "--no-headers").split()
    assert under_way[:2] == ["seen", "0/1"], under_way

    status = voice.finished("seen", timeout_s=60)["status"]
    voice.finished("seen-g1", kind="calltestrun")
    shown = [line.split() for line in voice.kubectl("get", "calltests", "seen").splitlines()]
    assert shown[0] == ["NAME", "RESULT", "REASON", "RUNNING", "CALLS", "ENDPOINTS", "SUSPEND", "LAST", "RUN", "AGE"]
    assert shown[1][:4] == ["seen", "Passed", "1/1", "1"], shown
    assert {item["type"] for item in status["conditions"]} >= {"Finished", "Succeeded", "Reconciling", "Stalled"}
    reasons = {event["reason"] for event in events_of(voice, "seen-g1")}
    assert {"TargetsResolved", "AgentsReady", "RunPassed"} <= reasons, reasons
    until(lambda: not voice.agents("seen-g1"), "pods of a passed run are deleted")

    found = series(voice.metrics(voice.operator()["metadata"]["name"], 8080))
    check_measured(found, voice.run_of("seen"))
    deleted(voice, "seen")
    until(lambda: not about(operator_series(voice), "seen"), "all its series are gone")


def operator_series(space: Namespace) -> Series:
    """What the operator shows."""
    return series(space.metrics(space.operator()["metadata"]["name"], 8080))


def check_measured(found: Series, run: Object) -> None:
    """The verdict and the measurements of a passed run through one endpoint, in seconds, packets and ratios."""
    assert of(found, "calltest_run_active", calltest="seen") == [0]
    assert of(found, "calltest_last_run_result", calltest="seen", result="Passed") == [1]
    assert of(found, "calltest_last_run_result", calltest="seen", result="Failed") == [0]
    replica = run["status"]["endpoints"][0]["pod"]
    labels = {"calltest": "seen", "replica": replica, "call": "pin"}
    for leg in ("caller", "callee"):
        (received,) = of(found, "calltest_last_run_rtp_received_packets", leg=leg, **labels)
        assert PACKETS - 50 <= received <= PACKETS + 50
        (loss,) = of(found, "calltest_last_run_rtp_loss_ratio", leg=leg, **labels)
        assert 0 <= loss < 0.02
    (answer,) = of(found, "calltest_last_run_answer_seconds", **labels)
    assert 0 < answer < 5
    assert of(found, "calltest_runs_total", calltest="seen", result="Passed") == [1]
    assert of(found, "calltest_rtp_loss_ratio_count", calltest="seen", call="pin") == [1, 1]
    assert of(found, "calltest_info", calltest="seen") == [1]
    assert not [name for name, _ in found if name.endswith("_created")]


def events_of(space: Namespace, name: str) -> list[Object]:
    """The events about an object."""
    return space.items("events", "--field-selector", f"involvedObject.name={name}")


def test_what_was_not_measured_has_no_series(voice: Namespace) -> None:
    voice.apply(call_test("unmeasured", call={"to": "sip:carol@example.com"}))
    status = voice.finished("unmeasured", timeout_s=60)["status"]["lastRun"]
    # carol is not registered: Kamailio says 404, so no call was up and no media was measured.
    assert (status["result"], status["reason"]) == ("Failed", "SipCodeMismatch"), status
    found = operator_series(voice)
    assert of(found, "calltest_last_run_result", calltest="unmeasured", result="Failed") == [1]
    assert of(found, "calltest_last_run_answer_seconds", calltest="unmeasured"), "the 404 was measured"
    names = ("rtp_loss_ratio", "rtp_jitter_seconds", "rtcp_round_trip_seconds")
    for name in [f"calltest_last_run_{name}" for name in names] + [f"calltest_{name}_count" for name in names]:
        assert of(found, name, calltest="unmeasured") == [], name
    assert voice.agents("unmeasured-g1"), "pods of a failed run stay for whoever looks into it"
    deleted(voice, "unmeasured")
