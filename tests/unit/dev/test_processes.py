"""Which processes dev/cluster may end: those that say they are the cluster's, and no other."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
from devkit.native import processes

SLEEP = "import sys; print(flush=True); sys.stdin.read()"


@pytest.fixture
def sleeper(request: pytest.FixtureRequest):
    environment = dict(os.environ) | request.param
    argv = [sys.executable, "-c", SLEEP]
    with subprocess.Popen(argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process
        process.stdin.close()


def _marks(part: str) -> dict[str, str]:
    return {"CALLTEST_PART": part, "CALLTEST_DIGEST": "d1", "CALLTEST_PROGRAM": os.path.realpath(sys.executable)}


@pytest.mark.parametrize("sleeper", [_marks("test-node/etcd")], indirect=True)
def test_a_marked_process_is_found_with_its_part_and_digest(sleeper: subprocess.Popen) -> None:
    found = next(each for each in processes.ours() if each.pid == sleeper.pid)
    assert (found.part, found.digest, found.is_main) == ("test-node/etcd", "d1", True)


@pytest.mark.parametrize("sleeper", [_marks("test-node/etcd") | {"CALLTEST_PROGRAM": "/bin/other"}], indirect=True)
def test_a_child_that_inherited_the_marks_is_not_the_component(sleeper: subprocess.Popen) -> None:
    found = next(each for each in processes.ours() if each.pid == sleeper.pid)
    assert not found.is_main


@pytest.mark.parametrize("sleeper", [{"OTHER": "CALLTEST_PART"}], indirect=True)
def test_other_processes_are_not_ours(sleeper: subprocess.Popen) -> None:
    assert sleeper.pid not in {each.pid for each in processes.ours()}


@pytest.mark.parametrize("sleeper", [_marks("test-node/etcd")], indirect=True)
def test_a_reused_pid_is_not_signalled(sleeper: subprocess.Popen) -> None:
    found = next(each for each in processes.ours() if each.pid == sleeper.pid)
    processes.stop(dataclasses.replace(found, start_ticks=found.start_ticks - 1))
    assert sleeper.poll() is None
    assert Path(f"/proc/{sleeper.pid}").exists()
