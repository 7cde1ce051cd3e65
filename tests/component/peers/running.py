"""`calltest run` against a peer, and what came of it. Several runs at once: most of a call is waiting."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.component.peers.uas import Uas

CALLTEST = (sys.executable, "-m", "controller.cli", "run")
AT_ONCE = 6
TIMEOUT_S = 100

ECHO = """\
apiVersion: calltest.dev/v1alpha1
kind: CallTest
metadata: {name: field}
spec:
  target: {service: {name: sut}, port: sip}
  caller: {uri: "sip:alice@example.com"}
  calls:
  - name: echo
    to: "sip:echo@example.com"
    holdSeconds: 4
    answerTimeoutSeconds: 10
    caller: {dtmf: {digits: "12#"}}
    expect:
      caller: EXPECTED
"""
MEDIA = 'dtmf: {digits: "12#"}, rtp: {minPackets: 100, maxLossPercent: "1"}'
OWN = f"{MEDIA}, audio: Own"
BOTH = """\
apiVersion: calltest.dev/v1alpha1
kind: CallTest
metadata: {name: field}
spec:
  target: {service: {name: sut}, port: sip}
  caller: {uri: "sip:alice@example.com"}
  callee: {uri: "sip:bob@example.com"}
  calls:
  - name: pin
    holdSeconds: 4
    answerTimeoutSeconds: 10
    caller: {dtmf: {digits: "12#"}}
    expect:
      callee: CALLEE
      caller: CALLER
"""


def echo(expected: str = OWN, **fields: str) -> str:
    """The SUT itself answers; `expected` of the caller. Fields of the call are replaced, as in `holdSeconds="6"`."""
    return _replaced(ECHO.replace("EXPECTED", f"{{{expected}}}"), fields)


def both(callee: str = OWN, caller: str = OWN, **fields: str) -> str:
    """From our caller to our callee, a parrot."""
    return _replaced(BOTH.replace("CALLEE", f"{{{callee}}}").replace("CALLER", f"{{{caller}}}"), fields)


def _replaced(text: str, fields: dict[str, str]) -> str:
    lines = text.splitlines(keepends=True)
    for name, value in fields.items():
        found = [index for index, line in enumerate(lines) if line.strip().startswith(f"{name}:")]
        assert found, f"no {name} in the test"
        indent = len(lines[found[0]]) - len(lines[found[0]].lstrip())
        lines[found[0]] = f"{' ' * indent}{name}: {value}\n"
    return "".join(lines)


@dataclass(frozen=True, kw_only=True, eq=False)
class Case:
    """One peer and the test that calls it."""

    name: str
    peer: Callable[[], Uas]
    test: str = field(default_factory=echo)
    options: tuple[str, ...] = ()
    """Of the command."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Of one run."""

    run: dict[str, Any]
    told: tuple[dict[str, Any], ...]
    """The lines that the agents told, one for each leg among them."""
    said: str
    """What the command said on the way."""
    peer: Uas

    @property
    def verdict(self) -> str:
        """`Passed`, `Failed/PacketLoss`, `Inconclusive/NotMeasured`."""
        status = self.run["status"]
        return "/".join(filter(None, (status["result"], status.get("reason"))))

    @property
    def why(self) -> str:
        """For people: the failures and the peer's part."""
        keys = ("leg", "check", "reason", "expected", "observed", "note")
        failures = [{key: each.get(key) for key in keys} for each in self.run["status"].get("failures", ())]
        peer = [message.start for message in (*self.peer.requests, *self.peer.answers)]
        told = [self.verdict, str(self.run["status"].get("message")), f"the peer: {self.peer.trouble}"]
        return "\n".join([*told, *map(str, failures), *peer])

    @property
    def text(self) -> str:
        """All that was told, to look for a note in it."""
        return json.dumps([self.run, *self.told])


def run(case: Case, *more: str) -> Outcome:
    """Runs it now; `more` for the command."""
    with tempfile.TemporaryDirectory(prefix="calltest-field-") as folder, case.peer() as peer:
        test, kept = Path(folder, "test.yaml"), Path(folder, "kept")
        test.write_text(case.test)
        command = [*CALLTEST, str(test), "--target", peer.address, "-o", "json", "--keep", str(kept)]
        command += [*case.options, *more]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        assert done.stdout.startswith("{"), done.stderr
        told = tuple(_lines(path) for path in sorted(kept.glob("*/*/stdout")))
        return Outcome(run=json.loads(done.stdout), told=sum(told, ()), said=done.stderr, peer=peer)


def _lines(log: Path) -> tuple[dict[str, Any], ...]:
    lines = log.read_text(errors="replace").splitlines()
    return tuple(json.loads(line) for line in lines if line.startswith("{"))


class Runs:
    """Those of the cases that will be asked for are begun before that, several at once.

    Under xdist each test runs its own: there the workers are what is several.
    """

    def __init__(self, cases: Iterable[Case]) -> None:
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._begun = dict[Case, Future[Outcome]]()
        """It keeps each case: another one may else have its identity."""
        if "PYTEST_XDIST_WORKER" not in os.environ:
            for case in cases:
                self._future(case)

    def _future(self, case: Case) -> Future[Outcome]:
        if case not in self._begun:
            self._begun[case] = self._pool.submit(run, case)
        return self._begun[case]

    def of(self, case: Case) -> Outcome:
        return self._future(case).result()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
