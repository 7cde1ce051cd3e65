"""Many rollouts of the SUT, the operator killed at a random moment of each: no run is lost, none is doubled.

Prints a line for each, and exits 1 where one was not tested exactly once. A part of `make test-long`; it takes some 80
s for each, and the development cluster (`make cluster`).

examples:
  python -m tests.e2e.rollouts                       20 of them
  python -m tests.e2e.rollouts --count 5 --seed 7    the same moments again
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.calltests import EACH_REPLICA, Object, call_test
from tests.e2e.conftest import alone, without_demo
from tests.e2e.kube import ROOT, KubectlError, Namespace, namespace
from tests.e2e.test_operator_killed import kill, pods_ever
from tests.sut.base import EXAMPLES

TEST = "rolled"
KILL_WITHIN_S = 45.0
"""After the rollout began: while pods are replaced, and settle, while agents start and call, while it is judged."""
TESTED_WITHIN_S = 240.0
TWICE_S = 15.0
"""A second run of the same rollout would have begun by then: settling takes 5 s, a look at the SUT comes every 10 s."""
BUSY = "AgentOverloaded"
"""The machine's fault, said as such: the run was neither lost nor doubled."""
TRIGGER = {"onRollout": {"settleSeconds": 5, "deadlineSeconds": 300}}


@dataclass(frozen=True, kw_only=True)
class Rolled:
    """One rollout, and what came of it."""

    number: int
    kind: str
    killed_s: float
    killed_at: str
    """What the run was about then."""
    runs: tuple[str, ...]
    result: str
    tested_s: float
    faults: tuple[str, ...]

    def __str__(self) -> str:
        """A row of the table."""
        runs, faults = " ".join(self.runs) or "-", "; ".join(self.faults) or "ok"
        killed = f"{self.killed_s:5.1f} s {self.killed_at:12}"
        return f"{self.number:3}  {self.kind:8} {killed} {self.tested_s:5.0f} s  {self.result:28} {runs:18} {faults}"


def main() -> int:
    """Exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20, help="rollouts (default: 20)")
    parser.add_argument("--seed", type=int, default=1, help="of kinds and moments (default: 1)")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with alone(), without_demo(), namespace("e2e-many-rollouts") as space, tempfile.TemporaryDirectory() as scratch:
        begin(space, Path(scratch))
        print(
            "  #  kind     killed after, while   tested   result                       runs               faults",
            flush=True,
        )
        rolled = []
        for number in range(1, options.count + 1):
            rolled.append(roll(space, number, chance))
            print(rolled[-1], flush=True)
    bad = [each for each in rolled if each.faults]
    print(f"{len(rolled)} rollouts, seed {options.seed}: {len(rolled) - len(bad)} tested exactly once, {len(bad)} not")
    return 1 if bad else 0


def begin(space: Namespace, scratch: Path) -> None:
    """The operator, a SUT of two replicas, and the verdict on its first revision."""
    space.apply_folder(EXAMPLES / "basic", scratch)
    space.apply_folder(ROOT / "deploy", scratch)
    space.rolled_out("calltest-operator", "kamailio")
    kept: Object = {"successfulRunsHistoryLimit": 100, "failedRunsHistoryLimit": 100}
    space.apply(call_test(TEST, target=EACH_REPLICA, trigger=TRIGGER, **kept))
    if not waited(lambda: is_tested(space), TESTED_WITHIN_S):
        raise SystemExit("the first revision was not tested")


def roll(space: Namespace, number: int, chance: random.Random) -> Rolled:
    """One rollout, with the operator killed once."""
    before = names(space)
    kind = chance.choice(["forward", "forward", "forward", "back"]) if number > 1 else "forward"
    killed_s = chance.uniform(0.0, KILL_WITHIN_S)
    if kind == "back":
        space.kubectl("rollout", "undo", "deployment/kamailio")
    else:
        space.kubectl("set", "env", "deployment/kamailio", "--containers=kamailio", f"E2E_ROLLOUT={number}")
    began = time.monotonic()
    time.sleep(killed_s)
    killed_at = standing(space, before)
    kill(space)
    space.rolled_out("calltest-operator", "kamailio")
    waited(lambda: is_tested(space), TESTED_WITHIN_S)
    tested_s = time.monotonic() - began
    time.sleep(TWICE_S)
    runs = tuple(name for name in names(space) if name not in before)
    return Rolled(
        number=number,
        kind=kind,
        killed_s=killed_s,
        killed_at=killed_at,
        runs=runs,
        result=result_of(space, runs[-1]) if runs else "-",
        tested_s=tested_s,
        faults=tuple(faults(space, runs)),
    )


def result_of(space: Namespace, run: str) -> str:
    """A run's verdict, and the reason of one that is not Passed."""
    status: Object = space.get("calltestrun", run).get("status", {})
    return "/".join(str(status[name]) for name in ("result", "reason") if name in status) or "-"


def faults(space: Namespace, runs: tuple[str, ...]) -> list[str]:
    """What is not as it must be after a rollout."""
    found = []
    if len(runs) != 1:
        found.append("lost" if not runs else f"{len(runs)} runs")
    if not is_tested(space):
        found.append("the verdict is not of what runs now")
    for name in runs:
        status = space.get("calltestrun", name).get("status", {})
        if status.get("result") != "Passed" and status.get("reason") != BUSY:
            found.append(f"{name}: {status.get('result')}/{status.get('reason')}: {status.get('message')}")
        twice = [pod for pod, count in pods_ever(space, name).items() if count > 1]
        found += [f"{pod} was made twice" for pod in twice]
    return found


def is_tested(space: Namespace) -> bool:
    """The CallTest's last verdict is about the revision that the SUT's Deployment runs."""
    status: Object = space.get("calltest", TEST).get("status", {})
    conditions = {item["type"]: item["status"] for item in status.get("conditions", ())}
    if conditions.get("VerdictCurrent") != "True" or "lastRun" not in status:
        return False
    try:
        revisions = space.get("calltestrun", status["lastRun"]["name"])["status"].get("revisions", [])
    except KubectlError:
        return False
    pods = [pod for pod in space.items("pods", "-l", "app=kamailio") if "deletionTimestamp" not in pod["metadata"]]
    runs_now = {pod["metadata"]["labels"]["pod-template-hash"] for pod in pods}
    return {item["revision"] for item in revisions} == runs_now


def standing(space: Namespace, before: list[str]) -> str:
    """What a run of this rollout is about."""
    fresh = [run for run in space.runs(TEST) if run["metadata"]["name"] not in before]
    if not fresh:
        return "settling"
    status = fresh[-1].get("status", {})
    if "result" in status:
        return "judged"
    return "calling" if status.get("agents") else "starting"


def names(space: Namespace) -> list[str]:
    """Of all runs, the oldest first."""
    return [run["metadata"]["name"] for run in space.runs(TEST)]


def waited(look: Callable[[], bool], timeout_s: float) -> bool:
    """Whether it became so in time."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if look():
            return True
        time.sleep(1.0)
    return False


if __name__ == "__main__":
    sys.exit(main())
