"""Commands of the pages that need no cluster do what the page says."""

import subprocess

from tests.component.network import own_network
from tests.documents import PARROT, ROOT, block

BOUND_S = 100


def test_the_readme_s_calls_without_a_cluster() -> None:
    with own_network():  # the port is the page's
        done = subprocess.run(
            ["bash", "-eu", "-c", block("README.md", PARROT)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=BOUND_S,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Passed" in done.stdout, done.stdout
