"""`calltest run` as people run it: real agents, a real SUT, and the verdict that each example must give."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.sut.compare import differences
from tests.sut.running import running
from tests.sut.scenario import load_scenario, scenarios

pytest.importorskip("pjsua2")
EXIT = {"Passed": 0, "Failed": 1, "Inconclusive": 3}
LOCAL = [name for name in scenarios() if load_scenario(name).expected.local]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="the local SUT needs root")


def calltest_run(arguments: Sequence[str], enter: Sequence[str] = ()) -> tuple[int, dict[str, Any], str]:
    """Exit status, the run as printed, and what was said on the way."""
    command = [*enter, sys.executable, "-m", "controller.cli", "run", *arguments, "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout), done.stderr


@needs_root
@pytest.mark.parametrize("name", LOCAL)
def test_each_example_gives_its_verdict(name: str, tmp_path: Path) -> None:
    scenario = load_scenario(name)
    with running(scenario) as sut:
        code, run, said = calltest_run([*sut.run_arguments, "--keep", str(tmp_path)], sut.enter)
    assert differences(scenario.expected, run["status"]) == [], said
    assert code == EXIT[scenario.expected.result]
