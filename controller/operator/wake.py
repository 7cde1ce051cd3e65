"""What changed in the store becomes keys on the queue; agents' pods are kept as seen while their run goes on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, cast

from controller.kube.cluster import PODS, RUNS, TESTS
from controller.kube.labels import RUN_LABEL, TEST_LABEL
from controller.kube.projection import OF_TEST
from controller.kube.sightings import Sightings
from controller.kube.store import Change, Store
from controller.kube.sut import Suts
from controller.operator.workqueue import Key

Enqueue = Callable[[Key], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """Told by the store, in the threads of its watches and of the workers."""

    store: Store
    suts: Suts
    sightings: Sightings
    enqueue: Enqueue

    def __call__(self, change: Change) -> None:
        """One change."""
        for key in self.keys(change):
            self.enqueue(key)

    def keys(self, change: Change) -> Iterator[Key]:
        """Who is concerned."""
        namespace, name = change.name
        if change.kind == TESTS:
            yield Key("CallTest", namespace, name)
        elif change.kind == RUNS:
            yield Key("CallTestRun", namespace, name)
            yield from self._tests(change)
        else:
            if change.kind == PODS:
                yield from self._agents(change)
            yield from self._looking(change)

    def everything(self) -> Iterator[Key]:
        """All that could have something to do: an event may be lost, and time passes."""
        for namespace, name in self.store.names(TESTS):
            yield Key("CallTest", namespace, name)
        for namespace, name in self.store.names(RUNS):
            kept = self.store.run(namespace, name)
            if kept is None or not kept.is_finished or self.store.selected(PODS, namespace, f"{RUN_LABEL}={name}"):
                yield Key("CallTestRun", namespace, name)

    def _tests(self, change: Change) -> Iterator[Key]:
        item = change.after or change.before
        found = dict(item.found) if item is not None else {}
        if test := found.get(OF_TEST) or found.get(TEST_LABEL):  # the latter of one that cannot be read
            yield Key("CallTest", change.name[0], test)

    def _agents(self, change: Change) -> Iterator[Key]:
        item = change.after or change.before
        labels = dict(item.found) if item is not None else {}
        run = labels.get(RUN_LABEL)
        if not run:
            return
        kept = self.store.run(change.name[0], run)
        if change.raw is not None and kept is not None and not kept.is_finished:
            self.sightings.saw(change.name[0], run, change.raw)
        yield Key("CallTestRun", change.name[0], run)

    def _looking(self, change: Change) -> Iterator[Key]:
        """Who looks at this part of a target; not where nothing changed that anybody reads."""
        before, after = change.before, change.after
        if before is not None and after is not None and before.value == after.value:
            return
        labels = {frozenset(item.found) for item in (before, after) if item is not None}
        concerned = {who for each in labels for who in self.suts.interested(change.kind, *change.name, each)}
        for kind, *name in sorted(concerned):
            yield Key(cast("Literal['CallTest', 'CallTestRun']", kind), *name)
