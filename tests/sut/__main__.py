"""Runs examples without a cluster.

    python -m tests.sut basic failing-loss      start each one's SUT, `calltest run` it, compare with expected.yaml
    python -m tests.sut --all --times 10
    python -m tests.sut --hold basic            start it, print how to reach it, wait for Ctrl-C
    python -m tests.sut --prepare               only make what they are started from; nothing, where it is there

Needs root. Exit status 0: all came to what they must.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time

from tests.sut.base import BASES
from tests.sut.compare import differences
from tests.sut.rootfs import sut_rootfs
from tests.sut.running import Running, running
from tests.sut.scenario import Scenario, load_scenario, scenarios

RUN_S = 180
CALLTEST = (sys.executable, "-c", "from controller.cli.app import app; app()")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    local = [name for name in scenarios() if load_scenario(name).expected.local]
    parser.add_argument("names", nargs="*", metavar="SCENARIO", help=", ".join(local))
    parser.add_argument("--all", action="store_true", help="all of them")
    parser.add_argument("--times", type=int, default=1, metavar="N", help="so often each")
    parser.add_argument("--hold", action="store_true", help="only start it")
    parser.add_argument("--prepare", action="store_true", help="start nothing; without root, do nothing")
    parser.add_argument("--verbose", action="store_true", help="show what calltest run says")
    options = parser.parse_args()
    if options.prepare:
        prepare()
        return 0
    names = local if options.all else options.names
    if not names or set(names) - set(local):
        parser.error(f"name scenarios out of: {', '.join(local)}")
    if options.hold:
        hold(load_scenario(names[0]))
        return 0
    wrong = 0
    for turn in range(options.times):
        for name in names:
            began = time.monotonic()
            found = once(load_scenario(name), verbose=options.verbose)
            wrong += bool(found)
            took = f"{time.monotonic() - began:.0f} s"
            print(f"{turn + 1}/{options.times} {name} ({took}): {'; '.join(found) or 'as expected'}", flush=True)
    return 1 if wrong else 0


def prepare() -> None:
    """Makes the root folders that are not there yet."""
    if os.geteuid():
        print("not root: tests against a local system will be skipped")
        return
    for base in BASES:
        print(sut_rootfs(base), flush=True)


def once(scenario: Scenario, *, verbose: bool = False) -> list[str]:
    """One run of a scenario; what is not as it must be."""
    with running(scenario) as sut:
        return calltest_run(sut, verbose=verbose)


def calltest_run(sut: Running, *, verbose: bool = False) -> list[str]:
    """`calltest run` inside the SUT's network namespace, compared with what must come of it."""
    command = [*sut.enter, *CALLTEST, "run", *sut.run_arguments, "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_S, check=False)
    if verbose:
        print(done.stdout, done.stderr, *(f"{s.address}\n{s.log(s.base.name)}" for s in sut.replicas), sep="\n")
    expected = sut.scenario.expected
    code = {"Passed": 0, "Failed": 1, "Inconclusive": 3}[expected.result.value]
    try:
        status = json.loads(done.stdout)["status"]
    except (ValueError, KeyError):
        return [f"calltest run: exit status {done.returncode}, no status: {done.stderr[-2000:]}"]
    found = differences(expected, status)
    if done.returncode != code:
        found.append(f"exit status {done.returncode}, expected {code}")
    if expected.faults and not sut.faults.dropped():
        found.append("the path's faults dropped nothing")
    return found


def hold(scenario: Scenario) -> None:
    """Starts the SUT and waits."""
    with running(scenario) as sut:
        print(f"inside: {' '.join(sut.enter)} COMMAND")
        print(f"try:    {' '.join(sut.enter)} calltest run {' '.join(sut.run_arguments)}")
        for replica in sut.replicas:
            print(f"logs of {replica.address}: {replica.logs}")
        print("Ctrl-C ends it", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    sys.exit(main())
