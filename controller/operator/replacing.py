"""Which run is to come in the place of one that is under way: looked for now and then, kept in memory only."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from msgspec import UNSET

from controller.api.parse import CallTestRun
from controller.api.trigger import ConcurrencyPolicy
from controller.kube.cluster import RUNS, Cluster, Raw
from controller.kube.store import Store
from controller.operator.runs import runs_of
from controller.run.lifecycle import Replaced
from controller.run.scheduling import replacing

LOOK_EVERY_S: Final = 2.0


@dataclass(slots=True)
class Replacements:
    """Of all runs."""

    cluster: Cluster
    store: Store
    now: Callable[[], float]
    _found: dict[str, tuple[float, Replaced | None]] = field(default_factory=dict)
    """By run UID: when it was looked, and what came of it."""

    def of(self, run: CallTestRun, raw: Raw) -> Replaced | None:
        """What replaces a run. One made by hand, or of a test that forbids it, is not looked for at all."""
        owner = next((item for item in raw["metadata"].get("ownerReferences") or () if item.get("controller")), None)
        if owner is None or run.spec.test.concurrency_policy is not ConcurrencyPolicy.REPLACE:
            return None
        now = self.now()
        looked_at, found = self._found.get(run.uid, (float("-inf"), None))
        if now - looked_at >= LOOK_EVERY_S:
            before, found = found, self._look(run, raw, str(owner["uid"]))
            if found is not None and found != before:  # a run is stopped for it, which cannot be taken back
                found = self._again(run, raw, str(owner["uid"]), found)
            self._found[run.uid] = now, found
        return found

    def _again(self, run: CallTestRun, raw: Raw, owner_uid: str, found: Replaced) -> Replaced | None:
        """As the API server has it."""
        other = self.cluster.get(RUNS, run.namespace, found.by)
        if other is None:
            return None  # the watch will say so
        self.store.wrote(RUNS, other)
        return self._look(run, raw, owner_uid)

    def forget(self, uid: str) -> None:
        """The run is finished."""
        self._found.pop(uid, None)

    def _look(self, run: CallTestRun, raw: Raw, owner_uid: str) -> Replaced | None:
        known = runs_of(self.store, run.namespace, run.spec.call_test_name, owner_uid=owner_uid)
        other = replacing(run, str(raw["metadata"]["creationTimestamp"]), known)
        started = run.status.start_time
        if other is None or started is UNSET:
            return None
        at_s = (datetime.fromisoformat(other.created) - started).total_seconds()
        return Replaced(by=other.run.name, at_s=at_s)
