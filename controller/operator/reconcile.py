"""The one function that everything calls: look at an object, do what is due, say when to look again."""

import time
from collections.abc import Callable

from controller.kube.agents import Agents
from controller.kube.cluster import Cluster, Raw
from controller.kube.events import Events
from controller.kube.sut import Suts
from controller.operator.claims import Claims
from controller.operator.metrics import Metrics
from controller.operator.reconcile_calltest import TestReconciler
from controller.operator.reconcile_run import RunReconciler
from controller.operator.replacing import Replacements
from controller.operator.settings import Settings
from controller.operator.workqueue import Key


class Reconciler:
    """Level-triggered: it acts on what exists, not on what happened, and can be repeated or interrupted anywhere."""

    def __init__(
        self, *, cluster: Cluster, settings: Settings, metrics: Metrics, now: Callable[[], float] = time.time
    ) -> None:
        events = Events(cluster=cluster, now=now)
        self._agents = Agents(cluster=cluster, image=settings.agent_image, now=now)
        suts = Suts(cluster=cluster, limits=settings.limits, now=now)
        self._tests = TestReconciler(cluster=cluster, suts=suts, metrics=metrics, events=events, now=now)
        self._runs = RunReconciler(
            cluster=cluster,
            settings=settings,
            metrics=metrics,
            events=events,
            agents=self._agents,
            now=now,
            suts=suts,
            replacements=Replacements(cluster=cluster, now=now),
            claims=Claims(cluster=cluster, namespaces=settings.namespaces, max_active=settings.limits.max_active_runs),
        )

    def reconcile(self, key: Key) -> float | None:
        """Returns the seconds until it wants to be called again for this key, if it does."""
        kind = self._tests if key.kind == "CallTest" else self._runs
        return kind.reconcile(key.namespace, key.name)

    def saw_pod(self, namespace: str, run: str, pod: Raw) -> None:
        """The watch saw an agent's pod."""
        self._agents.sightings.saw(namespace, run, pod)
