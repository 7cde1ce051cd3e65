"""kubectl, as a user types it, and namespaces that are gone afterwards."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import yaml

T = TypeVar("T")

ROOT: Final = Path(__file__).resolve().parents[2]
CLUSTER: Final = str(ROOT / "dev" / "cluster")
IN_NODE: Final = (CLUSTER, "exec", "--")
"""What to put before a command that is to run on the node."""


class KubectlError(Exception):
    """kubectl said no."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace of the cluster."""

    name: str

    def kubectl(self, *words: str, stdin: str | None = None, timeout_s: float = 60) -> str:
        """What `kubectl WORDS` printed; KubectlError with what it complained about."""
        command = [CLUSTER, "kubectl", "--namespace", self.name, *words]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False)
        if done.returncode:
            raise KubectlError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def get(self, *words: str) -> dict[str, Any]:
        """An object, or a list of them."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *words, "-o", "json"))
        return found

    def items(self, *words: str) -> list[dict[str, Any]]:
        """The objects of a list."""
        found: list[dict[str, Any]] = self.get(*words)["items"]
        return found

    def apply(self, manifest: Mapping[str, Any]) -> None:
        """Applies one object."""
        self.kubectl("apply", "-f", "-", stdin=json.dumps(manifest))

    def apply_folder(self, folder: Path, scratch: Path) -> None:
        """`kubectl apply -k` of an overlay that moves `folder` into this namespace."""
        overlay = scratch / f"overlay-{folder.name}"
        overlay.mkdir(exist_ok=True)
        content = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": self.name,
            "resources": [os.path.relpath(folder, overlay.resolve())],
        }
        (overlay / "kustomization.yaml").write_text(yaml.safe_dump(content))
        self.kubectl("apply", "-k", str(overlay))

    def rolled_out(self, *deployments: str, timeout_s: int = 120) -> None:
        """Waits until all replicas of each are ready."""
        for deployment in deployments:
            words = ("rollout", "status", f"deployment/{deployment}", f"--timeout={timeout_s}s")
            self.kubectl(*words, timeout_s=timeout_s + 10)

    def finished(self, name: str, *, kind: str = "calltest", timeout_s: int = 120) -> dict[str, Any]:
        """Waits for a CallTest or a CallTestRun as the README says, once it is there; the object."""
        until(lambda: self.kubectl("get", kind, name, "--ignore-not-found", "-o", "name"), f"{kind} {name} is there")
        words = ("wait", "--for=condition=Finished", f"{kind}/{name}", f"--timeout={timeout_s}s")
        self.kubectl(*words, timeout_s=timeout_s + 10)
        return self.get(kind, name)

    def run_of(self, calltest: str) -> dict[str, Any]:
        """The last run of a CallTest."""
        return self.get("calltestrun", self.get("calltest", calltest)["status"]["lastRun"]["name"])

    def runs(self, calltest: str) -> list[dict[str, Any]]:
        """All runs of a CallTest, the oldest first."""
        found = self.items("calltestruns", "-l", f"calltest.dev/test={calltest}")
        return sorted(found, key=lambda run: str(run["metadata"]["creationTimestamp"]))

    def agents(self, run: str) -> dict[str, dict[str, Any]]:
        """The pods of a run's agents, by agent."""
        pods = self.items("pods", "-l", f"calltest.dev/run={run}")
        return {pod["metadata"]["labels"]["calltest.dev/agent"]: pod for pod in pods}

    def operator(self) -> dict[str, Any]:
        """The operator's pod: the newest, where one is still ending."""
        pods = self.items("pods", "-l", "app.kubernetes.io/component=operator")
        return max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))

    def metrics(self, pod: str, port: int) -> str:
        """What a pod's /metrics shows, through the API server."""
        return self.kubectl("get", "--raw", f"/api/v1/namespaces/{self.name}/pods/{pod}:{port}/proxy/metrics")


FIND = """\
import os, pathlib, signal, sys
uid, program, name = sys.argv[1:]
found = []
for process in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        if uid in (process / "cgroup").read_text() and program in (process / "cmdline").read_text().split("\\0"):
            found.append(int(process.name))
    except OSError:
        continue
print("aiming at", *found, flush=True)
if sys.stdin.readline() and found:
    for pid in found:
        os.kill(pid, getattr(signal, name))
    print("sent", flush=True)
"""
"""Runs on the node: finds the processes of a pod, and sends them a signal as soon as it is told a line."""


class Aim:
    """A signal for a pod's processes, aimed first and sent later without delay."""

    def __init__(self, pod: Mapping[str, Any], program: str, name: str) -> None:
        command = [*IN_NODE, "python3", "-c", FIND, pod["metadata"]["uid"], program, name]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        aimed = self._process.stdout.readline().split()
        assert len(aimed) > 2, f"no process {program} of pod {pod['metadata']['name']}: {aimed}"

    def send(self) -> None:
        """Now."""
        said, _ = self._process.communicate("go\n", timeout=20)
        assert "sent" in said, said


def signal_pod(pod: Mapping[str, Any], program: str, name: str = "SIGKILL") -> None:
    """Sends a signal to the processes of a pod whose command has `program` as one of its words."""
    Aim(pod, program, name).send()


def until(look: Callable[[], T | None], what: str, *, timeout_s: float = 60, every_s: float = 0.2) -> T:
    """The first truthy value of `look`; AssertionError with `what` when it does not come."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(every_s)
    raise AssertionError(f"{what}: not within {timeout_s:g} s")


@contextmanager
def namespace(name: str) -> Iterator[Namespace]:
    """A new namespace; one of that name, left by a run that was killed, goes first."""
    nowhere = Namespace("default")
    nowhere.kubectl("delete", "namespace", name, "--ignore-not-found", "--timeout=90s", timeout_s=100)
    nowhere.kubectl("create", "namespace", name)
    try:
        yield Namespace(name)
    finally:
        nowhere.kubectl("delete", "namespace", name, "--wait=false")
