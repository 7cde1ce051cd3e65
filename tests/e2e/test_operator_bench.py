"""bench/operator/run runs, and what it shows of a few CallTests: an operator that has nothing to do does nothing."""

import subprocess
import sys

from tests.e2e.kube import ROOT

IDLE_S = 12
SMALL = ("--tests", "4", "--idle", str(IDLE_S), "--quiet", "25", "--active", "1", "--active-seconds", "8")


def test_operator_is_idle_and_small_with_a_few_tests() -> None:
    command = [sys.executable, str(ROOT / "bench" / "operator" / "run"), *SMALL]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.strip("|").split("|") for line in done.stdout.splitlines() if line.startswith("| ")]
    rows = {line[0].strip(): line[1].strip() for line in lines}
    # Permissions are asked for once a minute, at once: in a short time they are many or none.
    each = rows["idle: requests per minute"].partition("(")[2].rstrip(")").split(", ")
    rates = {what: int(rate) for what, rate in (part.rsplit(" ", 1) for part in each if part)}
    rates.pop("create selfsubjectaccessreviews", None)
    # So is the version of now, by a list of the CallTests that have a label which none has: one of them at most.
    assert rates.pop("list calltests", 0) <= 60 / IDLE_S, done.stdout
    assert not [what for what in rates if what.startswith("list")], done.stdout
    assert sum(rates.values()) <= 60, done.stdout
    assert "(0 times)" not in rows["the same, 1 runs under way"], done.stdout
    assert int(rows["memory"].split()[0]) < 150, done.stdout
