"""Real agent processes, told by files what to do, as a pod's would be."""

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from agent.contract.call import Acting, Behaviour, Call, CallCaller, Play, PlaySignal, SendDtmf
from agent.contract.observation import LegObservation
from agent.contract.plan import Account, Credentials, Evidence, Plan, Signal, Stage, Transport
from agent.contract.result import AgentResult, DetailLine, Line, ProgressLine, decode_line, decode_result, detail_digest
from agent.contract.verdict import Role
from tests.unit.builders import plan

IDENTITY = Play(signal=PlaySignal.IDENTITY)
DIGITS = SendDtmf(digits="1234#")
PATIENCE_S = 40.0
"""A loaded machine starts a phone late."""


class Agent:
    """One process and its files."""

    def __init__(self, directory: Path, its_plan: Plan, *arguments: str) -> None:
        self.directory = directory
        directory.mkdir()
        (directory / "plan").write_bytes(its_plan.encode())
        (directory / "result").touch()
        files = [f"--{name}={directory / name}" for name in ("plan", "signal", "result")]
        with (directory / "out").open("wb") as out, (directory / "err").open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "agent", *files, "--bind=127.0.0.1", *arguments], stdout=out, stderr=err
            )

    def signal(self, **fields: object) -> None:
        fresh = self.directory / "signal.new"
        fields = {"keep": ()} | fields if fields.get("prepare") else fields  # else it waits to be told
        fresh.write_bytes(Signal(**fields).encode())  # type: ignore[arg-type]
        fresh.replace(self.directory / "signal")

    def raw_lines(self) -> list[bytes]:
        lines = (self.directory / "out").read_bytes().splitlines(keepends=True)
        return [line for line in lines if line.endswith(b"\n")]

    def lines(self) -> list[Line]:
        return [decode_line(line) for line in self.raw_lines()]

    @property
    def progress(self) -> ProgressLine | None:
        return next((line for line in reversed(self.lines()) if isinstance(line, ProgressLine)), None)

    @property
    def detail(self) -> list[DetailLine]:
        return [line for line in self.lines() if not isinstance(line, ProgressLine)]

    @property
    def legs(self) -> list[LegObservation]:
        return [line for line in self.detail if isinstance(line, LegObservation)]

    @property
    def result(self) -> AgentResult:
        return decode_result((self.directory / "result").read_bytes())

    @property
    def errors(self) -> str:
        return (self.directory / "err").read_text()

    def digest_agrees(self) -> bool:
        detail = [line for line in self.raw_lines() if not isinstance(decode_line(line), ProgressLine)]
        return detail_digest(detail) == self.result.detail

    def wait_for(self, what: Callable[[ProgressLine], bool]) -> ProgressLine:
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            if (progress := self.progress) and what(progress):
                return progress
            assert self.process.poll() is None, self.errors
            time.sleep(0.05)
        raise AssertionError(f"it never came: {self.progress}\n{self.errors}")

    def exit_code(self) -> int:
        return self.process.wait(PATIENCE_S)


def spoken_address(log: Path, transport: Transport = Transport.UDP) -> str:
    """Of a standing service that was just started and says there where it is; it listens then."""
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        if found := re.search(rf"(?:parrot|absorber) at (\S+) \({transport}\)\n", log.read_text()):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(log.read_text())


class Lane:
    """A caller and a callee that call each other, with nothing between but what `path` makes of an address."""

    def __init__(
        self,
        directory: Path,
        *groups: Call,
        behaviour: Behaviour = Behaviour.PARROT,
        path: Callable[[str], str] = lambda address: address,
        evidence: Evidence | None = None,
    ) -> None:
        its = make_plan(Role.CALLEE, *groups, behaviour=behaviour, evidence=evidence)
        self.callee = Agent(directory / "callee", its)
        try:
            address = self.callee.wait_for(lambda progress: progress.ready == 1).address
            its = make_plan(Role.CALLER, *groups, address=path(address or ""), evidence=evidence)
            self.caller = Agent(directory / "caller", its)
            self.caller.wait_for(lambda progress: progress.ready == 1)
        except BaseException:
            self.close()
            raise

    def go(self) -> None:
        for agent in (self.callee, self.caller):
            agent.signal(go=0)

    def finish(self, **more: object) -> None:
        """Waits for the calls, and for both to end. `more` of the last signal: `keep`, say."""
        self.caller.wait_for(lambda progress: progress.done == 1)
        for agent in (self.caller, self.callee):
            agent.signal(prepare=1, go=0, **more)
        for agent in (self.caller, self.callee):
            assert agent.exit_code() == 0, agent.errors

    def close(self) -> None:
        for agent in (self.callee, getattr(self, "caller", None)):
            if agent and agent.process.poll() is None:
                agent.process.kill()
                agent.process.wait()


@contextlib.contextmanager
def lane(
    directory: Path,
    *groups: Call,
    behaviour: Behaviour = Behaviour.PARROT,
    path: Callable[[str], str] = lambda address: address,
    evidence: Evidence | None = None,
) -> Iterator[Lane]:
    made = Lane(directory, *groups, behaviour=behaviour, path=path, evidence=evidence)
    try:
        yield made
    finally:
        made.close()


def make_group(*, play: Play = IDENTITY, dtmf: SendDtmf | None = DIGITS, **fields: object) -> Call:
    usual = {
        "name": "pin",
        "to": "sip:bob@127.0.0.1",
        "hold_seconds": 6,
        "answer_timeout_seconds": 10,
    }
    return Call(caller=CallCaller(play=play, dtmf=dtmf), **(usual | fields))  # type: ignore[arg-type]


def make_plan(
    role: Role,
    *groups: Call,
    address: str = "127.0.0.1:9",
    behaviour: Behaviour = Behaviour.PARROT,
    credentials: Credentials | None = None,
    evidence: Evidence | None = None,
) -> Plan:
    return plan(
        role,
        run__uid="uid-1",
        account=Account(
            uri="sip:alice@127.0.0.1" if role is Role.CALLER else "sip:bob@127.0.0.1",
            credentials=credentials,
            register=credentials is not None,
        ),
        acting=Acting(behaviour=behaviour),
        stages=(Stage(endpoint=0, address=address, name="peer"),),
        calls=tuple(
            msgspec.structs.replace(group, callee=msgspec.structs.replace(group.callee, behaviour=behaviour))
            for group in groups or (make_group(),)
        ),
        allowed_targets=("127.0.0.0/8",),
        max_calls_per_second=20.0,
        deadline_s=120.0,
        evidence=evidence,
    )
