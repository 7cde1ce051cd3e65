"""What /metrics shows: where each test stands, its last run, counters since the start, and the operator itself."""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from msgspec import UNSET, UnsetType
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agent.contract.verdict import Reason, Result
from agent.judge.verdicts import RunVerdict
from controller import VERSION
from controller.api.calltest_status import CallTestStatus, ScheduleStatus, SkipReason
from controller.api.run import Endpoint
from controller.api.test import CallTestSpec
from controller.operator.workqueue import Key
from controller.run.measurements import METRICS, Sample, samples
from controller.run.runs import RunSeen, tested_hash
from controller.run.standing import STANDING, History, endpoint_results, known_runs, skips, standing
from controller.run.tallies import COUNTERS, HISTOGRAMS, counted, observed

TEST_LABELS: Final = ("namespace", "calltest")
KINDS: Final = ("CallTest", "CallTestRun")
Test = tuple[str, str]
"""Namespace and name."""


@dataclass(slots=True)
class _Shown:
    """What is shown of one test."""

    run: str = ""
    """The last run, as its status names it: numbers of another one must not stand beside its verdict."""
    standing: tuple[Sample, ...] = ()
    told: dict[str, tuple[Sample, ...]] = field(default_factory=dict)
    """By run: what was measured. The status may name a run a moment later than it was told."""
    endpoints: tuple[Sample, ...] = ()
    history: History = field(default_factory=History)
    calls: frozenset[str] = frozenset()
    """Whose counters are there."""
    has_schedule: bool = False


class Tests(Collector):
    """The gauges of all tests, built at each scrape from what was last told; a deleted test leaves no series."""

    def __init__(self) -> None:
        self.shown: dict[Test, _Shown] = {}
        self.lock = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        """For prometheus_client."""
        with self.lock:
            every = [
                (test, (*one.standing, *one.endpoints, *one.told.get(one.run, ()))) for test, one in self.shown.items()
            ]
        families = {
            metric: GaugeMetricFamily(metric, text, labels=[*TEST_LABELS, *labels])
            for metric, (text, labels) in {**STANDING, **METRICS}.items()
        }
        for test, found in every:
            for sample in found:
                families[sample.metric].add_metric([*test, *sample.labels], sample.value)
        yield from families.values()


@dataclass(slots=True)
class Metrics:
    """Everything that the operator shows, in a registry of its own."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    _tests: Tests = field(default_factory=Tests)
    _counters: dict[str, Counter] = field(init=False)
    _histograms: dict[str, Histogram] = field(init=False)
    _reconciles: Histogram = field(init=False)
    _errors: Counter = field(init=False)

    def __post_init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # one series more for each, that nobody asks for
        registry = self.registry
        registry.register(self._tests)
        self._counters = {
            name: Counter(name, text, [*TEST_LABELS, *labels], registry=registry)
            for name, (text, labels) in COUNTERS.items()
        }
        self._histograms = {
            name: Histogram(name, shape.help, [*TEST_LABELS, *shape.labels], buckets=shape.buckets, registry=registry)
            for name, shape in HISTOGRAMS.items()
        }
        self._reconciles = Histogram(
            "calltest_operator_reconcile_duration_seconds", "Time that a reconcile took.", ["kind"], registry=registry
        )
        self._errors = Counter(
            "calltest_operator_reconcile_errors",
            "Reconciles that failed and are tried again.",
            ["kind"],
            registry=registry,
        )
        for kind in KINDS:
            self._reconciles.labels(kind)
            self._errors.labels(kind)
        build = Gauge("calltest_operator_build_info", "1; which operator this is.", ["version"], registry=registry)
        build.labels(VERSION).set(1)

    def show(self, name: str, text: str, value: Callable[[], float | None]) -> None:
        """A gauge of the operator itself, read at each scrape; no series while it is None."""
        self.registry.register(_Read(name, text, value))

    def show_test(
        self,
        test: Test,
        spec: CallTestSpec | None,
        status: CallTestStatus,
        *,
        created: datetime,
        of: str = "",
        runs: Iterable[RunSeen] = (),
    ) -> None:
        """Where the test stands, as written or as found after a restart.

        `spec` None: it cannot be read. `of`: its UID. `runs`: finished ones of the present spec that the operator made.
        """
        run = status.last_run.name if status.last_run is not UNSET else ""
        with self._tests.lock:
            shown = self._tests.shown.setdefault(test, _Shown())
            shown.history = known_runs(shown.history, f"{of} {tested_hash(spec)}" if spec else "", runs)
            shown.standing = tuple(standing(spec, status, created, shown.history.runs))
            if run != shown.run:
                shown.run, shown.endpoints = run, ()
            if run in shown.told:
                shown.told = {run: shown.told[run]}
            if spec is not None:
                self._begin(test, shown, spec)

    def _begin(self, test: Test, shown: _Shown, spec: CallTestSpec) -> None:
        """Counters begin at 0, so that the first failure is an increase too; those of calls that are gone go."""
        calls = frozenset(call.name for call in spec.calls)
        if not shown.calls:
            for result in Result:
                self._counters["calltest_runs"].labels(*test, result.value)
        for call in calls - shown.calls:
            for result in Result:
                self._counters["calltest_calls"].labels(*test, call, result.value)
        for call in shown.calls - calls:
            self._remove(test, call=call)
        shown.calls = calls
        self._begin_skipped(test, shown, has_schedule=spec.trigger is not None and spec.trigger.schedule is not None)

    def _begin_skipped(self, test: Test, shown: _Shown, *, has_schedule: bool) -> None:
        skipped = self._counters["calltest_runs_skipped"]
        if has_schedule and not shown.has_schedule:
            for reason in SkipReason:
                skipped.labels(*test, reason.value)
        if shown.has_schedule and not has_schedule:
            skipped.remove_by_labels(dict(zip(TEST_LABELS, test, strict=True)))
        shown.has_schedule = has_schedule

    def show_endpoints(self, test: Test, endpoints: Iterable[Endpoint]) -> None:
        """The verdicts on the endpoints of a test's last run."""
        with self._tests.lock:
            self._tests.shown[test].endpoints = tuple(endpoint_results(endpoints))

    def finished(
        self, test: Test, run: str, result: Result, *, reason: Reason | None = None, verdict: RunVerdict | None = None
    ) -> None:
        """A run of the test was finished now, by this process; its numbers are shown once the status names it."""
        for sample in counted(result, reason, verdict):
            self._counters[sample.metric].labels(*test, *sample.labels).inc(sample.value)
        if verdict is None:
            return
        for sample in observed(verdict):
            self._histograms[sample.metric].labels(*test, *sample.labels).observe(sample.value)
        with self._tests.lock:
            self._tests.shown.setdefault(test, _Shown()).told[run] = samples(verdict)

    def skipped(self, test: Test, before: ScheduleStatus | UnsetType, after: ScheduleStatus | UnsetType) -> None:
        """Slots that the second status counts and the first does not."""
        for reason in skips(before, after):
            self._counters["calltest_runs_skipped"].labels(*test, reason.value).inc()

    @property
    def tests(self) -> set[Test]:
        """Those of which something is shown."""
        with self._tests.lock:
            return set(self._tests.shown)

    def forget(self, test: Test) -> None:
        """The test is gone."""
        with self._tests.lock:
            self._tests.shown.pop(test, None)
            self._remove(test)

    def _remove(self, test: Test, **labels: str) -> None:
        """Its counters and histograms with these labels."""
        wanted = dict(zip(TEST_LABELS, test, strict=True)) | labels
        shapes = {name: shape.labels for name, shape in HISTOGRAMS.items()}
        names = {name: of for name, (_, of) in COUNTERS.items()} | shapes
        for name, of in names.items():
            if labels.keys() <= set(of):
                metric = self._counters[name] if name in self._counters else self._histograms[name]
                metric.remove_by_labels(wanted)

    def observe_reconcile(self, key: Key, duration_s: float, succeeded: bool) -> None:  # noqa: FBT001 - a callback
        """One reconcile, for `Worker.observe`."""
        self._reconciles.labels(key.kind).observe(duration_s)
        if not succeeded:
            self._errors.labels(key.kind).inc()


@dataclass(frozen=True, slots=True)
class _Read(Collector):
    """A gauge that somebody else knows the value of."""

    name: str
    text: str
    value: Callable[[], float | None]

    def collect(self) -> Iterator[Metric]:
        """For prometheus_client."""
        yield GaugeMetricFamily(self.name, self.text, value=self.value())
