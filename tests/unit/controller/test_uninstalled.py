"""A Role permits what is not installed: the operator says so, and starts when it is there."""

import asyncio

import pytest

from controller import __main__ as main
from controller.kube.cluster import RUNS, ClusterError, Kind, Raw
from tests.unit.controller.fake_cluster import FakeCluster
from tests.unit.controller.test_main import PATIENCE_S, operator, until


class Unprepared(FakeCluster):
    """Without one of the CRDs."""

    installed = False

    def list(self, kind: Kind, namespace: str, selector: str = "") -> list[Raw]:
        if not self.installed and kind == RUNS:
            raise ClusterError("GET", kind.plural, 404, "the server could not find the requested resource")
        return super().list(kind, namespace, selector)


async def test_without_the_crds_it_says_which_and_starts_when_they_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Unprepared()
    monkeypatch.setattr(main, "PREFLIGHT_EVERY_S", 0.02)
    made = operator(cluster)
    task = asyncio.create_task(made.run())
    said = "the CRDs calltestruns.calltest.dev are not installed: kubectl apply -k deploy/crd"
    await until(lambda: made.not_ready == said)
    assert not made.watches
    cluster.installed = True
    await until(lambda: made.not_ready == "")
    made.stop.set()
    await asyncio.wait_for(task, PATIENCE_S)
