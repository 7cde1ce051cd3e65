"""The one function that everything calls: look at an object, do what is due, say when to look again."""

import time
from collections.abc import Callable

from controller.kube.agents import Agents
from controller.kube.cluster import PODS, RUNS, TESTS, Cluster
from controller.kube.events import Events
from controller.kube.labels import AGENT_SELECTOR
from controller.kube.store import Known, Store
from controller.kube.sut import Suts
from controller.kube.targets import TargetWatches
from controller.kube.watch import Scope
from controller.operator.claims import Claims
from controller.operator.details import Details
from controller.operator.metrics import Metrics
from controller.operator.reconcile_calltest import TestReconciler
from controller.operator.reconcile_run import RunReconciler
from controller.operator.replacing import Replacements
from controller.operator.settings import Settings
from controller.operator.wake import Wake
from controller.operator.workqueue import Key


class Reconciler:
    """Level-triggered: it acts on what exists, not on what happened, and can be repeated or interrupted anywhere.

    It reads what the watches saw, and writes to the API server.
    """

    def __init__(
        self, *, cluster: Cluster, settings: Settings, metrics: Metrics, now: Callable[[], float] = time.time
    ) -> None:
        self.store = Store()
        self.scopes = scopes(settings.namespaces)
        self.targets = TargetWatches(cluster=cluster, store=self.store, always=frozenset(self.scopes))
        known = Known(cluster, self.store)
        events = Events(cluster=known, now=now)
        self._agents = Agents(cluster=known, store=self.store, image=settings.agent_image, now=now)
        self._suts = Suts(cluster=known, targets=self.targets, limits=settings.limits, now=now)
        self.targets.wanted = self._suts.namespaces
        self._tests = TestReconciler(
            cluster=known, store=self.store, suts=self._suts, metrics=metrics, events=events, now=now
        )
        self._runs = RunReconciler(
            cluster=known,
            store=self.store,
            settings=settings,
            metrics=metrics,
            events=events,
            agents=self._agents,
            now=now,
            suts=self._suts,
            replacements=Replacements(cluster=known, store=self.store, now=now),
            details=Details(cluster=known, events=events),
            claims=Claims(cluster=known, store=self.store, max_active=settings.limits.max_active_runs, now=now),
        )

    def reconcile(self, key: Key) -> float | None:
        """Returns the seconds until it wants to be called again for this key, if it does."""
        kind = self._tests if key.kind == "CallTest" else self._runs
        return kind.reconcile(key.namespace, key.name)

    def wake(self, enqueue: Callable[[Key], None]) -> Wake:
        """From now on, changes of the store are put on a queue."""
        wake = Wake(store=self.store, suts=self._suts, sightings=self._agents.sightings, enqueue=enqueue)
        self.store.tell = wake
        return wake


def scopes(namespaces: tuple[str, ...]) -> tuple[Scope, ...]:
    """What is watched all the time, runs before their pods. None given: all namespaces, and there only our pods."""
    selector = "" if namespaces else AGENT_SELECTOR
    return tuple(
        Scope(kind=kind, namespace=namespace, selector=selector if kind == PODS else "")
        for kind in (TESTS, RUNS, PODS)
        for namespace in namespaces or ("",)
    )
