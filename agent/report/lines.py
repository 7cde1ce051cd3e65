"""What an agent says while it runs: detail and progress lines on stdout, and the result of exactly 4,000 bytes."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from agent.contract.observation import LegObservation
from agent.contract.plan import Plan
from agent.contract.registration import RegistrationObservation
from agent.contract.result import (
    MAX_FINDINGS,
    AgentResult,
    KeptLine,
    ProgressLine,
    StopCause,
    TurnedAway,
    encode_line,
    encode_result,
)
from agent.contract.verdict import Finding
from agent.judge.reasons import failed
from agent.report.detail import Detail

MAX_ERROR_NOTE: Final = 400
"""Characters; however they are escaped, the result holds them."""


def claim_stdout() -> Callable[[bytes], None]:
    """Keeps fd 1 for our lines alone; whatever else prints there (C libraries too) goes to stderr from now on."""
    sys.stdout.flush()
    descriptor = os.dup(1)
    os.dup2(2, 1)

    def write(line: bytes) -> None:
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(descriptor, rest) :]

    return write


def open_result(path: Path) -> Callable[[bytes], None]:
    """The result file, to be written in place: it may be a bind mount, which can be neither renamed nor replaced."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def write(raw: bytes) -> None:
        os.pwrite(descriptor, raw, 0)

    return write


class Report:
    """Writes each fact as a line, then the result that vouches for it."""

    def __init__(
        self,
        *,
        plan: Plan,
        plan_sha256: str,
        write_line: Callable[[bytes], None],
        write_result: Callable[[bytes], None],
    ) -> None:
        self._plan = plan
        self._plan_sha256 = plan_sha256
        self._write_line = write_line
        self._write_result = write_result
        self._detail = Detail(plan, write_line)
        self._findings: list[Finding] = []
        self._turned_away: list[tuple[int, str]] = []
        self.ended = 0
        """Legs so far."""
        self.failed = 0
        """Legs with a Failed finding."""

    def leg(self, leg: LegObservation) -> None:
        """A leg has ended, and was judged."""
        self.ended += 1
        self.failed += any(failed(finding.reason) for finding in leg.findings)
        self._findings += leg.findings
        self._detail.leg(leg)
        self.write()

    def kept(self, line: KeptLine) -> None:
        """What was kept of a leg that was told before."""
        self._detail.line(line)
        self.write()

    def registration(self, registration: RegistrationObservation) -> None:
        """A registration has concluded."""
        self._detail.line(registration)
        self.write()

    def turned_away(self, line: TurnedAway) -> None:
        """Once for each alert and stage."""
        told = (line.endpoint, line.alert)
        if told not in self._turned_away:
            self._turned_away.append(told)
            self._detail.line(line)
            self.write()

    def finding(self, finding: Finding) -> None:
        """Something that is no leg's."""
        self._findings.append(finding)
        self.write()

    def progress(self, *, ready: int, done: int, active: int, address: str | None) -> None:
        """Where the agent stands."""
        line = ProgressLine(
            run_uid=self._plan.run.uid,
            agent=self._plan.agent,
            ready=ready,
            done=done,
            active=active,
            ended=self.ended,
            failed=self.failed,
            address=address,
        )
        self._write_line(encode_line(line))

    def write(self, *, final: bool = False, stopped: StopCause | None = None, error: Finding | None = None) -> None:
        """The result as of now, or the last one."""
        if final:
            self._detail.end()
        self._findings.sort(key=lambda finding: not failed(finding.reason))
        del self._findings[MAX_FINDINGS:]
        result = AgentResult(
            run_uid=self._plan.run.uid,
            agent=self._plan.agent,
            plan_sha256=self._plan_sha256,
            final=final,
            legs=self.ended,
            legs_left_out=self._detail.left_out,
            detail=self._detail.digest,
            findings=tuple(self._findings),
            stopped=stopped,
            error=error and msgspec.structs.replace(error, note=(error.note or "")[:MAX_ERROR_NOTE]),
        )
        self._write_result(encode_result(result))
