"""What a run's agents told, stored in ConfigMaps that belong to it."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from controller.api.parse import CallTestRun
from controller.api.run import Detail
from controller.kube.cluster import CONFIG_MAPS, Cluster, ClusterError, Raw, is_owned
from controller.kube.events import Events
from controller.kube.manifests import Owner, store_detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """Of all runs."""

    cluster: Cluster
    events: Events

    def store(self, run: CallTestRun, raw: Raw, lines: Sequence[bytes], *, is_complete: bool) -> Detail:
        """Equal lines make equal ConfigMaps, so a repetition finds them there. What cannot be stored is not claimed."""
        owner = Owner(kind="CallTestRun", name=run.name, uid=run.uid)
        stored = store_detail(owner, run.namespace, run.spec.call_test_name, lines, complete=is_complete)
        for index, body in enumerate(stored.config_maps):
            if fault := self._create(run, body):
                self.events.warning(raw, "DetailNotStored", fault)
                names = stored.detail.config_maps[:index]
                return msgspec.structs.replace(stored.detail, config_maps=names, complete=False)
        return stored.detail

    def _create(self, run: CallTestRun, body: Raw) -> str:
        """'' once it is there, else why it cannot be."""
        name = body["metadata"]["name"]
        try:
            self.cluster.create(CONFIG_MAPS, run.namespace, body)
        except ClusterError as error:
            if error.is_passing:
                raise
            held = self.cluster.get(CONFIG_MAPS, run.namespace, name) if error.conflict else None
            return "" if held is not None and is_owned(held, run.uid) else f"ConfigMap {name}: {error}"
        return ""
