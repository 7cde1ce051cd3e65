"""`calltest run` as people run it: real agents, a real SUT, and the verdict that each example must give."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.sut.compare import differences
from tests.sut.running import running
from tests.sut.scenario import load_scenario

pytest.importorskip("pjsua2")
EXIT = {"Passed": 0, "Failed": 1, "Inconclusive": 3}
CALLTEST = (sys.executable, "-m", "controller.cli", "run")
PARROT = """\
apiVersion: calltest.dev/v1alpha1
kind: CallTest
metadata: {name: echo}
spec:
  target: {service: {name: parrot}}
  caller: {uri: "sip:alice@example.com"}
  calls:
  - name: pin
    to: "sip:parrot@example.com"
    count: 2
    concurrency: 2
    holdSeconds: 6
    caller: {dtmf: {digits: "19*#"}}
    expect: {caller: {dtmf: {digits: "19*#"}, audio: Own, rtp: {minPackets: 250, maxLossPercent: "1"}}}
"""
Outcome = tuple[int, dict[str, Any], str]


def calltest_run(arguments: Sequence[str], enter: Sequence[str] = ()) -> Outcome:
    """Exit status, the run as printed, and what was said on the way."""
    done = subprocess.run(
        [*enter, *CALLTEST, *arguments, "-o", "json"], capture_output=True, text=True, timeout=110, check=False
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="the local SUT needs root")
@pytest.mark.parametrize("name", ["basic", "failing-503"])
def test_example_gives_its_verdict(name: str) -> None:
    """One that passes, one that fails; tests/e2e runs them all."""
    scenario = load_scenario(name)
    with running(scenario) as sut:
        code, run, said = calltest_run(sut.run_arguments, sut.enter)
    assert differences(scenario.expected, run["status"]) == [], said
    assert code == EXIT[scenario.expected.result]


@contextmanager
def parrot() -> Iterator[str]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "agent", "parrot", "--port", str(port), "--bind", "127.0.0.1"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


def test_parrot_is_a_sut_that_answers_itself(tmp_path: Path) -> None:
    (tmp_path / "echo.yaml").write_text(PARROT)
    with parrot() as target:
        code, run, said = calltest_run([str(tmp_path / "echo.yaml"), "--target", target])
    assert run["status"]["result"] == "Passed", said
    assert code == 0


@contextmanager
def mute() -> Iterator[str]:
    """A SUT that takes every datagram and never says a word."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sut:
        sut.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{sut.getsockname()[1]}"


@pytest.mark.parametrize("interrupt", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("sut", [parrot, mute])
def test_told_to_end_it_hangs_up_and_concludes(tmp_path: Path, sut: Any, interrupt: signal.Signals) -> None:
    """Whether the calls were answered or not: what they would have come to, nobody knows."""
    (tmp_path / "echo.yaml").write_text(PARROT.replace("holdSeconds: 6", "holdSeconds: 60"))
    with sut() as target:
        # Whoever was started in the background ignores SIGINT, and so would what it starts.
        command = ["env", "--default-signal=INT", *CALLTEST, str(tmp_path / "echo.yaml")]
        command += ["-t", target, "-o", "json", "--keep", str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            while "2 up" not in (line := process.stderr.readline()):
                assert line, "it ended early"
            began = time.monotonic()
            process.send_signal(interrupt)
            printed, _ = process.communicate(timeout=30)
    run = json.loads(printed)
    assert time.monotonic() - began < 10
    assert process.returncode == EXIT["Inconclusive"]
    said = (run["status"]["result"], run["status"]["reason"])
    assert said == ("Inconclusive", "Aborted"), [
        (it["check"], it["reason"], it["note"]) for it in run["status"]["failures"]
    ]
    assert run["status"]["calls"]["inconclusive"] == 2
