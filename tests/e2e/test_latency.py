"""From `kubectl apply` to Finished: what a test costs beside its call."""

import re
import time
from datetime import UTC, datetime

import pytest

from tests.e2e.calltests import Object, call_test, deleted
from tests.e2e.kube import Namespace

HOLD_S = 5
OVERHEAD_S = 6


def test_a_one_call_test_costs_six_seconds_beside_its_call(
    voice: Namespace, capsys: pytest.CaptureFixture[str]
) -> None:
    started_at = time.time()
    voice.apply(call_test("quick", call={"holdSeconds": HOLD_S}))
    test = voice.finished("quick", timeout_s=60)
    finished_at = time.time()
    steps = breakdown(voice, test, started_at, finished_at)
    with capsys.disabled():
        print(f"\napply to Finished: {finished_at - started_at:.1f} s with a call of {HOLD_S} s")
        for name, took_s in steps:
            print(f"  {name:52} {took_s:5.2f} s")
    assert test["status"]["lastRun"]["result"] == "Passed", test["status"]
    assert finished_at - started_at <= HOLD_S + OVERHEAD_S
    deleted(voice, "quick")


def breakdown(space: Namespace, test: Object, started_at: float, finished_at: float) -> list[tuple[str, float]]:
    """The time between the steps, by the operator's log; all on one machine's clock."""
    log = space.kubectl("logs", space.operator()["metadata"]["name"], "--since=2m")
    run = test["status"]["lastRun"]["name"]
    said = [(at(line), line.partition(f"/{run}: ")[2]) for line in log.splitlines() if f"/{run}: " in line]
    marks = [("kubectl apply", started_at)]
    for name, pattern in (
        ("reconcile: endpoints found", r"\d+ endpoints"),
        ("pods created", r"\d+ agents created"),
        ("agents started, registered, told to call (barrier)", r'.*"go":0'),
        ("call done (invite, hold, BYE, told to finish)", r'.*"prepare":1'),
        ("agents ended, collected, judged", r"(Passed|Failed|Inconclusive)"),
    ):
        marks.append((name, next(when for when, text in said if re.match(pattern, text.replace("\\", "")))))
    marks.append(("seen by kubectl wait", finished_at))
    return [(name, when - marks[index][1]) for index, (name, when) in enumerate(marks[1:])]


def at(line: str) -> float:
    """The time of a log line, which is in UTC; Unix seconds."""
    stamp = line[:23].replace(",", ".")
    return datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp()
