"""One agent as a local process: the files that a pod would have mounted, the process, and what it left behind."""

import os
import shutil
import signal as signals
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from agent.contract.plan import Plan, Signal
from agent.contract.result import RESULT_BYTES, ProgressLine, ResultError, decode_line
from agent.contract.room import DETAIL_BYTES, PROGRESS_BYTES
from agent.judge.verdicts import AgentReport
from controller.plan.cause import Cause
from controller.run.collect import collect, read_log

MAX_LOG_BYTES: Final = DETAIL_BYTES + PROGRESS_BYTES
"""Detail and progress lines; an agent that writes more has gone wrong."""


class AgentProcess:
    """Starts an agent in a directory of its own, passes it signals, follows its progress, and collects its report."""

    def __init__(self, plan: Plan, directory: Path, command: Sequence[str], bind: str) -> None:
        self.plan = plan
        self.progress: ProgressLine | None = None
        self.overflowed = False
        """It wrote more than MAX_LOG_BYTES; nothing after that was read."""
        self.lines: list[bytes] = []
        """Those that are whole."""
        self._directory = directory
        self._raw_plan = plan.encode()
        self._signal: Signal | None = None
        self._log = bytearray()
        directory.mkdir(mode=0o700)
        # As a pod's own: an agent that is killed leaves its recordings behind.
        self._scratch = directory / "tmp"
        self._scratch.mkdir()
        (directory / "plan").write_bytes(self._raw_plan)
        # The kubelet makes the termination message's file before the container starts; so does this.
        for name in ("signal", "result"):
            (directory / name).touch()
        paths = {name: str(directory / name) for name in ("plan", "signal", "result")}
        arguments = [f"--{name}={path}" for name, path in paths.items()]
        with (directory / "log").open("wb") as log, (directory / "stdout").open("wb") as stdout:
            # A session of its own: Ctrl-C is for us, and the agent is told to stop by its signal.
            self._process = subprocess.Popen(  # noqa: S603
                [*command, *arguments, f"--bind={bind}", "--lifeline"],
                # Only we hold its other end, so that it ends when we do, however that comes about.
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=log,
                cwd=directory,
                env={**os.environ, "TMPDIR": str(self._scratch)},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """Of the ended process (negative: the signal that ended it), None while it runs."""
        return self._process.poll()

    def send(self, signal: Signal) -> None:
        """Replaces the signal document, whole or not at all; the agent reads it again within 50 ms."""
        if signal == self._signal:
            return
        self._signal = signal
        fresh = self._directory / "signal.new"
        fresh.write_bytes(signal.encode())
        fresh.replace(self._directory / "signal")

    def read(self) -> None:
        """Takes in what the agent wrote since the last time; the last progress line of this run and agent wins."""
        with (self._directory / "stdout").open("rb") as file:
            file.seek(len(self._log))
            fresh = file.read(MAX_LOG_BYTES - len(self._log) + 1)
        start = self._log.rfind(b"\n") + 1
        self._log += fresh
        self.overflowed = len(self._log) > MAX_LOG_BYTES
        for line in self._log[start:].splitlines(keepends=True):
            if line.endswith(b"\n"):
                self.lines.append(bytes(line))
                self._follow(self.lines[-1])

    def _follow(self, line: bytes) -> None:
        try:
            decoded = decode_line(line)
        except ResultError:
            return
        if isinstance(decoded, ProgressLine) and (decoded.run_uid, decoded.agent) == (
            self.plan.run.uid,
            self.plan.agent,
        ):
            self.progress = decoded

    def end(self, grace_s: float) -> None:
        """SIGTERM (the agent still writes its result), then SIGKILL after `grace_s`; its temporary files go too."""
        for number in (signals.SIGTERM, signals.SIGKILL):
            if self._process.poll() is None:
                self._process.send_signal(number)
            try:
                self._process.wait(grace_s)
            except subprocess.TimeoutExpired:
                continue
            break
        shutil.rmtree(self._scratch, ignore_errors=True)
        self.read()

    def report(self, ending: Cause) -> AgentReport:
        """What it left behind, believed as far as it is proven; `ending` says why something may be missing."""
        with (self._directory / "result").open("rb") as file:
            result = file.read(RESULT_BYTES + 1)
        log = read_log(bytes(self._log).splitlines(keepends=True))
        return collect(self.plan, self._raw_plan, result, log, ending)

    def last_words(self) -> str:
        """The last line of its log (stderr), for messages; '' where it said nothing."""
        with (self._directory / "log").open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 2000))
            lines = file.read().decode(errors="replace").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        return "".join(c if c.isprintable() else "?" for c in said[-1])[:300] if said else ""
