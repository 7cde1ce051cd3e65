"""The kubelet and the agents of a fake cluster: pods start, follow their signals, and end, one step per tick."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.contract.plan import Signal, decode_signal
from agent.contract.result import StopCause
from controller.kube.cluster import PODS
from controller.kube.labels import GO_ANNOTATION, PLAN_ANNOTATION
from tests.fake_agent import FakeAgent
from tests.unit.controller.fake_cluster import FakeCluster


class PodAgent(FakeAgent):
    """A fake agent in a pod: its log and result go to the fake cluster, and it never waits."""

    def __init__(self, cluster: FakeCluster, pod: dict[str, Any], fault: str = "") -> None:
        super().__init__(pod["metadata"]["annotations"][PLAN_ANNOTATION].encode(), Path(), Path(), fault)
        self.cluster, self.name, self.uid = cluster, pod["metadata"]["name"], pod["metadata"]["uid"]
        self.namespace = pod["metadata"]["namespace"]
        self.result = b""
        self.over = False

    def tick(self, signal: Signal) -> None:
        stages = self.plan.stages
        if self.ready and (self.fault == "deaf" or (self.fault == "slow" and not signal.stop)):
            return
        if signal.stop:
            self.finish(stopped=StopCause.SIGNAL)
            self.over = True
        elif self.ready == self.done and self.ready < len(stages) and signal.prepare >= self.ready:
            self.register(stages[self.ready].endpoint)
            self.ready += 1
            self.say()
        elif self.ready > self.done and (signal.go >= self.done if self.is_caller else signal.prepare > self.done):
            for group in self.plan.calls:
                for number in range(group.count):
                    self.write(self.leg(stages[self.done].endpoint, group, number))
                    self.ended += 1
            self.done += 1
            self.say()
        elif signal.prepare >= len(stages):
            self.finish()
            self.over = True

    def emit(self, raw: bytes) -> None:
        log = self.cluster.logs.setdefault(self.uid, [])
        log.append(b"2026-01-01T00:00:00.%09dZ " % len(log) + raw)

    def keep(self, raw: bytes) -> None:
        self.result = raw


class Kubelet:
    """Moves every pod one step per tick."""

    def __init__(self, cluster: FakeCluster, fault_of: Callable[[str], str] = lambda _: "") -> None:
        self.cluster, self.fault_of = cluster, fault_of
        self.agents: dict[str, PodAgent] = {}
        self.start_with: dict[str, Any] | None = None
        """A container state that pods get stuck in."""

    def tick(self) -> None:
        for pod in self.cluster.list(PODS, ""):
            phase = pod.get("status", {}).get("phase")
            if PLAN_ANNOTATION not in pod["metadata"].get("annotations", {}) or phase in {"Succeeded", "Failed"}:
                continue
            uid = pod["metadata"]["uid"]
            if phase is None and self.start_with:
                self._set(pod, "Pending", self.start_with)
                continue
            if phase == "Pending":
                continue
            if phase is None:
                self.agents[uid] = PodAgent(self.cluster, pod, self.fault_of(pod["metadata"]["name"]))
                self._set(pod, "Running", {"running": {}})
                continue
            agent = self.agents[uid]
            if agent.fault == "vanish" and agent.done:
                self.cluster.remove(PODS, pod["metadata"]["namespace"], pod["metadata"]["name"])
                continue
            agent.tick(decode_signal(pod["metadata"]["annotations"].get(GO_ANNOTATION, "").encode()))
            if agent.over:
                ended = {"exitCode": 0, "reason": "Completed", "message": agent.result.decode()}
                self._set(pod, "Succeeded", {"terminated": ended})

    def _set(self, pod: dict[str, Any], phase: str, state: dict[str, Any]) -> None:
        meta = pod["metadata"]
        status = {"phase": phase, "containerStatuses": [{"name": "agent", "state": state, "ready": "running" in state}]}
        self.cluster.set_status(PODS, meta["namespace"], meta["name"], status)
