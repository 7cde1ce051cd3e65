"""Commands of the pages that need no cluster do what the page says."""

import os
import re
import signal
import subprocess
from contextlib import suppress

import pytest

from agent.contract.verdict import Reason
from tests.component.field import BUSY
from tests.component.network import own_network
from tests.documents import PARROT, ROOT, block

BOUND_S, END_S = 100, 15
"""For all of it, and then for the parrot to end as it was told to."""
INCONCLUSIVE = 3
"""Exit status."""


def killed(group: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group.pid, signal.SIGKILL)


def test_the_readme_s_calls_without_a_cluster() -> None:
    command = ["bash", "-eu", "-c", block("README.md", PARROT)]
    with own_network():  # the port is the page's
        page = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        try:
            code = page.wait(BOUND_S)
            if code != 0:  # it did not come to where the parrot is told to end
                killed(page)
            said, _ = page.communicate(timeout=END_S)
        finally:
            killed(page)
    if code == INCONCLUSIVE and set(re.findall(r"\w+", said)) & {*Reason} == {Reason.AGENT_OVERLOADED}:
        pytest.skip(f"{BUSY} for our agents: {said}")
    assert code == 0, said
    assert "Passed" in said, said
