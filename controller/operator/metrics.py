"""What /metrics shows: the last run of each test, counters since the start, and the operator itself."""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from msgspec import UNSET
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agent.contract.verdict import Result
from agent.judge.run import RunVerdict
from controller.api.run import CallTestStatus, Endpoint
from controller.operator.workqueue import Key
from controller.run.measurements import METRICS, Sample, samples

TEST_LABELS = ("namespace", "calltest")
SUMMARY: dict[str, tuple[str, tuple[str, ...]]] = {
    "calltest_last_run_result": ("1 for the verdict of the last finished run, 0 for the others.", ("result",)),
    "calltest_last_run_timestamp_seconds": ("When the last run finished (Unix time).", ()),
    "calltest_last_run_duration_seconds": ("Start to finish of the last run.", ()),
    "calltest_last_run_calls": ("Calls of the last run, by verdict.", ("result",)),
    "calltest_last_run_endpoint_result": (
        "1 for the verdict on an endpoint, 0 for the others.",
        ("endpoint", "result"),
    ),
    "calltest_run_active": ("1 while a run is under way.", ()),
}
"""Help and labels of the metrics that are rebuilt from status after a restart."""


@dataclass(slots=True)
class _Shown:
    """What is shown of one test."""

    run: str = ""
    """The last run, as its status names it: numbers of another one must not stand beside its verdict."""
    summary: tuple[Sample, ...] = ()
    told: dict[str, tuple[Sample, ...]] = field(default_factory=dict)
    """By run: what was measured. The status may name a run a moment later than it was told."""
    endpoints: tuple[Sample, ...] = ()


class LastRuns(Collector):
    """The gauges of all tests, built at each scrape from what was last told; a deleted test leaves no series."""

    def __init__(self) -> None:
        self._tests: dict[tuple[str, str], _Shown] = {}
        self._lock = threading.Lock()

    def show_status(self, namespace: str, name: str, status: CallTestStatus) -> None:
        """The test's status, as written or as found after a restart."""
        run = status.last_run.name if status.last_run is not UNSET else ""
        with self._lock:
            shown = self._tests.setdefault((namespace, name), _Shown())
            shown.summary = tuple(_summary(status))
            if run != shown.run:
                shown.run, shown.endpoints = run, ()
            if run in shown.told:
                shown.told = {run: shown.told[run]}

    def show_endpoints(self, namespace: str, name: str, endpoints: Iterable[Endpoint]) -> None:
        """The verdicts on the endpoints of a test's last run."""
        with self._lock:
            self._tests[namespace, name].endpoints = tuple(_endpoint_results(endpoints))

    def show_measured(self, namespace: str, name: str, run: str, verdict: RunVerdict) -> None:
        """What was measured in a run of the test; shown once it is the last one."""
        with self._lock:
            self._tests.setdefault((namespace, name), _Shown()).told[run] = samples(verdict)

    def forget(self, namespace: str, name: str) -> None:
        """The test is gone."""
        with self._lock:
            self._tests.pop((namespace, name), None)

    def collect(self) -> Iterator[Metric]:
        """For prometheus_client."""
        with self._lock:
            tests = list(self._tests.items())
        families = {
            metric: GaugeMetricFamily(metric, text, labels=[*TEST_LABELS, *labels])
            for metric, (text, labels) in (SUMMARY | dict(METRICS)).items()
        }
        for test, shown in tests:
            for sample in (*shown.summary, *shown.endpoints, *shown.told.get(shown.run, ())):
                families[sample.metric].add_metric([*test, *sample.labels], sample.value)
        yield from families.values()


def _summary(status: CallTestStatus) -> Iterator[Sample]:
    yield Sample("calltest_run_active", (), status.running is not UNSET)
    last = status.last_run
    if last is UNSET:
        return
    for result in Result:
        yield Sample("calltest_last_run_result", (result.value,), last.result is result)
    yield Sample("calltest_last_run_timestamp_seconds", (), last.completion_time.timestamp())
    if last.start_time is not UNSET:
        duration = last.completion_time - last.start_time
        yield Sample("calltest_last_run_duration_seconds", (), duration.total_seconds())
    if last.calls is not UNSET:
        for result in Result:
            yield Sample("calltest_last_run_calls", (result.value,), getattr(last.calls, result.value.lower()))


def _endpoint_results(endpoints: Iterable[Endpoint]) -> Iterator[Sample]:
    for endpoint in endpoints:
        if endpoint.result is UNSET:
            continue
        for result in Result:
            labels = (endpoint.name, result.value)
            yield Sample("calltest_last_run_endpoint_result", labels, endpoint.result is result)


@dataclass(slots=True)
class Metrics:
    """Everything that the operator shows, in a registry of its own."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    last_runs: LastRuns = field(default_factory=LastRuns)
    runs: Counter = field(init=False)
    calls: Counter = field(init=False)
    reconciles: Histogram = field(init=False)
    errors: Counter = field(init=False)

    def __post_init__(self) -> None:
        registry = self.registry
        registry.register(self.last_runs)
        self.runs = Counter("calltest_runs", "Finished runs.", [*TEST_LABELS, "result"], registry=registry)
        self.calls = Counter("calltest_calls", "Judged calls.", [*TEST_LABELS, "call", "result"], registry=registry)
        self.reconciles = Histogram(
            "calltest_operator_reconcile_seconds", "Time that a reconcile took.", ["kind"], registry=registry
        )
        self.errors = Counter(
            "calltest_operator_reconcile_errors",
            "Reconciles that failed and are tried again.",
            ["kind"],
            registry=registry,
        )

    def show(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A gauge of the operator itself, read at each scrape."""
        Gauge(name, text, registry=self.registry).set_function(value)

    def count_run(self, namespace: str, name: str, result: Result, verdict: RunVerdict | None) -> None:
        """A run was finished now, by this process."""
        self.runs.labels(namespace, name, result.value).inc()
        for call in verdict.calls if verdict else ():
            self.calls.labels(namespace, name, call.call, call.result.value).inc()

    def observe_reconcile(self, key: Key, duration_s: float, succeeded: bool) -> None:  # noqa: FBT001 - a callback
        """One reconcile, for `Worker.observe`."""
        self.reconciles.labels(key.kind).observe(duration_s)
        if not succeeded:
            self.errors.labels(key.kind).inc()
