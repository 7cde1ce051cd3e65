"""A whole cluster in memory: SUT, kubelet, agents, and an operator that can be killed and started again."""

from typing import Any

from controller.api import API_VERSION
from controller.kube.cluster import ENDPOINT_SLICES, PODS, RUNS, SERVICES, TESTS, ClusterError, Raw
from controller.kube.watch import Scope, Watch
from controller.operator.metrics import Metrics
from controller.operator.reconcile import Reconciler
from controller.operator.settings import Settings, read
from controller.operator.workqueue import Key
from tests.unit.controller.fake_cluster import FakeCluster, KilledError
from tests.unit.controller.simulated_agents import Kubelet

NS = "voice"
EPOCH = 1767225600.0  # 2026-01-01T00:00:00Z


def spec(**more: Any) -> Raw:
    return {
        "target": {"service": {"name": "sut"}, "port": "sip"},
        "caller": {"uri": "sip:alice@example.com"},
        "callee": {"uri": "sip:bob@example.com"},
        "calls": [{"name": "pin", "count": 2, "holdSeconds": 5, "expect": {"callee": {"audio": "Own"}}}],
        **more,
    }


def impatient(seconds: int = 10) -> Raw:
    """A spec's changes for a readiness deadline that a silent registrar would outlast: nobody registers."""
    return {"callee": {"uri": "sip:bob@example.com", "route": "RequestURI"}, "readyDeadlineSeconds": seconds}


def settings(*flags: str) -> Settings:
    return read(["--namespace", NS, *flags], {})


class World:
    """Time moves by ticks of one second; in each, the kubelet acts first and then the operator, on every object."""

    def __init__(self, *, endpoints: int = 2, flags: tuple[str, ...] = ()) -> None:
        self.cluster = FakeCluster()
        self.kubelet = Kubelet(self.cluster)
        self.time_s = EPOCH
        self.flags = flags
        self.kills = 0
        self.start_operator()
        self.sut(endpoints)

    def start_operator(self) -> None:
        self.metrics = Metrics()
        self.operator = Reconciler(
            cluster=self.cluster, settings=settings(*self.flags), metrics=self.metrics, now=lambda: self.time_s
        )
        self.scopes = list(self.operator.scopes)
        self.operator.targets.start = self.start_watch
        self.woken: list[Key] = []
        self.operator.wake(self.woken.append)
        self.watch()

    def start_watch(self, watch: Watch) -> None:
        """Of a target's namespace."""
        self.scopes.append(watch.scope)

    def watch(self) -> None:
        """What the watches bring now: all that is there."""
        for scope in self.scopes:
            self.bring(scope)

    def bring(self, scope: Scope) -> None:
        """All of one scope, or why not."""
        store = self.operator.store
        store.begin(scope)
        try:
            found = self.cluster.list(scope.kind, scope.namespace, scope.selector)
        except ClusterError as error:
            store.failed(scope, error)
            return
        store.listed(scope, found)
        store.end(scope, self.cluster.version)

    def sut(self, endpoints: int) -> None:
        port = {"name": "sip", "port": 5060, "protocol": "UDP"}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "sut", "namespace": NS}}
        self.cluster.apply(SERVICES, service | {"spec": {"selector": {"app": "sut"}, "ports": [port]}})
        entries = []
        for number in range(endpoints):
            name, ip = f"sut-{number}", f"10.0.0.{number + 1}"
            meta = {"name": name, "namespace": NS, "labels": {"app": "sut"}}
            self.cluster.apply(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"nodeName": "n0"}})
            conditions = [{"type": "Ready", "status": "True"}]
            status = {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "conditions": conditions}
            self.cluster.set_status(PODS, NS, name, status)
            reference = {"kind": "Pod", "name": name}
            entries.append({"addresses": [ip], "conditions": {"ready": True}, "targetRef": reference})
        meta = {"name": "sut-x", "namespace": NS, "labels": {"kubernetes.io/service-name": "sut"}}
        body = {"metadata": meta, "addressType": "IPv4", "endpoints": entries, "ports": [port], "spec": {}}
        self.cluster.apply(ENDPOINT_SLICES, body)

    def apply(self, name: str = "pin", **more: Any) -> None:
        meta = {"name": name, "namespace": NS}
        self.cluster.apply(
            TESTS, {"apiVersion": API_VERSION, "kind": "CallTest", "metadata": meta, "spec": spec(**more)}
        )

    def run_by_hand(self, name: str, test: str = "pin", **more: Any) -> None:
        meta = {"name": name, "namespace": NS}
        body = {"callTestName": test, "test": spec(**more)}
        self.cluster.apply(RUNS, {"apiVersion": API_VERSION, "kind": "CallTestRun", "metadata": meta, "spec": body})

    def tick(self, seconds: float = 1.0) -> None:
        """One second. An operator that is killed starts again in the next one."""
        self.time_s += seconds
        self.kubelet.tick()
        try:
            for _ in range(3):  # what a write changes is seen in the same second
                self.watch()
                for kind, plural in (("CallTest", TESTS), ("CallTestRun", RUNS)):
                    for item in self.cluster.list(plural, NS):
                        self.operator.reconcile(Key(kind, NS, item["metadata"]["name"]))  # type: ignore[arg-type]
        except KilledError:
            self.kills += 1
            self.start_operator()

    def ticks(self, count: int) -> None:
        for _ in range(count):
            self.tick()

    def test_status(self, name: str = "pin") -> Raw:
        return self._status(TESTS, name)

    def run_status(self, name: str = "pin-g1") -> Raw:
        return self._status(RUNS, name)

    def _status(self, kind: Any, name: str) -> Raw:
        found = self.cluster.get(kind, NS, name)
        assert found is not None, f"{kind.plural} {name}"
        status: Raw = found.get("status", {})
        return status

    def runs(self) -> list[str]:
        return [item["metadata"]["name"] for item in self.cluster.list(RUNS, NS)]

    def agents(self) -> list[str]:
        pods = self.cluster.list(PODS, NS, "app.kubernetes.io/name=calltest-agent")
        return [pod["metadata"]["name"] for pod in pods]


def condition(status: Raw, name: str) -> tuple[str, str]:
    found = next(item for item in status["conditions"] if item["type"] == name)
    return found["status"], found["reason"]
