"""`calltest run` as people run it: real agents, a real SUT, and the verdict that each example must give."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pytest

from tests.component.agents import spoken_address
from tests.component.field import not_overloaded
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
@pytest.mark.parametrize("name", ["basic", "failing-503", "asterisk-basic", "failing-asterisk-busy"])
def test_example_gives_its_verdict(name: str) -> None:
    """Of each system one that passes, one that fails; tests/e2e runs all, on the cluster or without one."""
    scenario = load_scenario(name)
    with running(scenario) as sut:
        code, run, said = calltest_run(sut.run_arguments, sut.enter)
    not_overloaded(run["status"])
    assert differences(scenario.expected, run["status"]) == [], said
    assert code == EXIT[scenario.expected.result]


@contextmanager
def parrot() -> Iterator[str]:
    """It listens, at a port that nobody else can have got."""
    command = [sys.executable, "-m", "agent", "parrot", "--port", "0", "--bind", "127.0.0.1"]
    with NamedTemporaryFile() as log, subprocess.Popen(command, stderr=log) as process:
        try:
            yield spoken_address(Path(log.name))
        finally:
            process.terminate()


def test_parrot_is_a_sut_that_answers_itself(tmp_path: Path) -> None:
    (tmp_path / "echo.yaml").write_text(PARROT)
    with parrot() as target:
        code, run, said = calltest_run([str(tmp_path / "echo.yaml"), "--target", target])
    not_overloaded(run["status"])
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
        started_s = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            while "2 up" not in (line := process.stderr.readline()):
                assert line, "it ended early"
            told_s = time.monotonic()
            process.send_signal(interrupt)
            printed, _ = process.communicate(timeout=30)
            ended_s = time.monotonic()
    run = json.loads(printed)
    # Where even coming up took longer than that, the machine is what was slow.
    assert ended_s - told_s < max(10, told_s - started_s)
    assert process.returncode == EXIT["Inconclusive"]
    said = (run["status"]["result"], run["status"]["reason"])
    assert said == ("Inconclusive", "Aborted"), [
        (it["check"], it["reason"], it["note"]) for it in run["status"]["failures"]
    ]
    assert run["status"]["calls"]["inconclusive"] == 2


def running_with(text: str) -> list[int]:
    """Processes that have it in their command line or environment."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            if entry.name.isdigit() and text.encode() in told:
                found.append(int(entry.name))
    return found


def wait_until(holds: Callable[[], object], limit_s: float) -> None:
    until_s = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < until_s, "it did not come about"
        time.sleep(0.1)


def test_killed_it_takes_agents_and_secrets_with_it(tmp_path: Path) -> None:
    secret = "---\nkind: Secret\nmetadata: {name: alice}\nstringData: {username: alice, password: hidden}\n"
    caller = 'caller: {register: false, credentials: {secretName: alice}, uri: "sip:alice@example.com"}'
    test = PARROT.replace("holdSeconds: 6", "holdSeconds: 60")
    test = test.replace('caller: {uri: "sip:alice@example.com"}', caller)
    (tmp_path / "echo.yaml").write_text(test + secret)
    (tmp_path / "scratch").mkdir()
    place = {**os.environ, "TMPDIR": str(tmp_path / "scratch")}
    with parrot() as target:
        command = [*CALLTEST, str(tmp_path / "echo.yaml"), "-t", target]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=place) as run:
            assert run.stderr is not None
            while "2 up" not in (line := run.stderr.readline()):
                assert line, "it ended early"
            agents = [pid for pid in running_with(f"{tmp_path}/scratch/calltest-") if pid != run.pid]
            assert len(agents) >= 2  # the caller, and who cleans up
            assert any(b"hidden" in path.read_bytes() for path in (tmp_path / "scratch").rglob("password"))
            run.kill()
        # An agent hangs up before it ends: some 3 s.
        wait_until(lambda: not list((tmp_path / "scratch").rglob("password")), 10)
        wait_until(lambda: not running_with(f"{tmp_path}/scratch/calltest-"), 40)
    assert list((tmp_path / "scratch").iterdir()) == []


SHORT = PARROT.replace("holdSeconds: 6", "holdSeconds: 4").replace("count: 2", "count: 1").replace("250", "100")


def test_a_reader_that_leaves_changes_neither_run_nor_exit_status(tmp_path: Path) -> None:
    (tmp_path / "echo.yaml").write_text(SHORT)
    with parrot() as target:
        command = [*CALLTEST, str(tmp_path / "echo.yaml"), "-t", target, "--evidence", str(tmp_path / "kept")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
            for pipe in (run.stdout, run.stderr):
                assert pipe is not None
                pipe.close()
            code = run.wait(60)
    (recorded,) = (tmp_path / "kept").glob("*/run.json")
    status = json.loads(recorded.read_text())["status"]
    assert code == EXIT[status["result"]]
    not_overloaded(status)
    assert status["result"] == "Passed"


def test_a_result_that_has_no_room_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "echo.yaml").write_text(SHORT)
    with parrot() as target, Path("/dev/full").open("w") as full:
        command = [*CALLTEST, str(tmp_path / "echo.yaml"), "-t", target]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "calltest: standard output: No space left on device: the result could not be written" in done.stderr
    assert "Traceback" not in done.stderr


def refused(path: str) -> tuple[str, float]:
    """What is said of an input that cannot be used, and the processor's time that took: what else this machine does is
    not meant."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*CALLTEST, path, "-t", "127.0.0.1"], capture_output=True, text=True, timeout=60, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 2
    return done.stderr, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_endless_and_exploding_input_is_refused_at_once(tmp_path: Path) -> None:
    """In less than three times what an empty one takes, which is what this machine takes to start."""
    (tmp_path / "empty.yaml").touch()
    _, empty_s = refused(str(tmp_path / "empty.yaml"))
    bomb = ["a0: &a0 [x]", *(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12))]
    (tmp_path / "bomb.yaml").write_text("\n".join(bomb))
    for name, said in (("/dev/zero", "larger than"), (str(tmp_path / "bomb.yaml"), "unfolds to more than")):
        why, took_s = refused(name)
        assert said in why
        assert took_s < 3 * empty_s
