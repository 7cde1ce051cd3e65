"""A runner with everything around it fake: plan, phone, clock, signal; and what came out."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agent.contract.call import Call, CallCaller, Play, Silence
from agent.contract.observation import LegObservation
from agent.contract.plan import Account, Plan, RunRef, Signal, Stage
from agent.contract.registration import RegistrationObservation
from agent.contract.result import AgentResult, ProgressLine, decode_line, decode_result, detail_digest
from agent.contract.verdict import Role
from agent.report.evidence import Evidence
from agent.report.lines import Report
from agent.run.health import HealthMonitor, SocketDrops, UdpSocket
from agent.run.playlist import Playlist
from agent.run.runner import Runner
from tests.unit.fake_clock import FakeClock
from tests.unit.fake_phone import FakePhone, Peer

UID = "uid-1"
SILENCE = Play(silence=Silence())


def group(*, play=SILENCE, dtmf=None, **fields) -> Call:
    usual = {"name": "pin", "to": "sip:bob@example.com", "hold_seconds": 4, "answer_timeout_seconds": 5}
    return Call(caller=CallCaller(play=play, dtmf=dtmf), **(usual | fields))


def stages(count: int) -> tuple[Stage, ...]:
    return tuple(Stage(endpoint=n, address=f"127.0.0.{n + 1}:5060", name=f"e{n}") for n in range(count))


def plan(role=Role.CALLER, *, register=False, **fields) -> Plan:
    usual = {
        "run": RunRef(uid=UID, namespace="n", name="r", call_test="t"),
        "agent": "a-0",
        "account": Account(uri="sip:alice{endpoint}@example.com", register=register),
        "callee_declared": False,
        "stages": stages(1),
        "calls": (group(),),
        "allowed_targets": ("127.0.0.0/8",),
        "max_calls_per_second": 100.0,
        "deadline_s": 600.0,
    }
    return Plan(role=role, **(usual | fields))


@dataclass
class Script:
    """The controller's part: the signal at each time since the start."""

    clock: FakeClock
    steps: list[tuple[float, Signal]] = field(default_factory=list)

    def poll(self) -> Signal:
        return next((signal for at_s, signal in reversed(self.steps) if self.clock.now_s - 1000 >= at_s), Signal())


def all_at_once(count: int = 1) -> list[tuple[float, Signal]]:
    return [(0.0, Signal(prepare=count, go=count))]


def one_stage(until_s: float = 60.0) -> list[tuple[float, Signal]]:
    """Go at once, finish much later; nothing that was held is to be kept."""
    return [(0.0, Signal(go=0)), (until_s, Signal(prepare=1, go=0, keep=()))]


class FakeDoor:
    """A port that is closed when the test says so."""

    def __init__(self, peer: str, clock: FakeClock, refuses_at: Callable[[float], bool]):
        self.peer = peer
        self.knocks: list[float] = []
        self.closed = False
        self._clock, self._refuses_at = clock, refuses_at

    def knock(self) -> None:
        assert not self.closed
        self.knocks.append(self._clock.now_s - 1000)

    def refused(self) -> bool:
        return self._refuses_at(self.knocks[-1])

    def close(self) -> None:
        self.closed = True


class World:
    """A runner with everything around it."""

    def __init__(self, tmp_path: Path, the_plan: Plan, peer: Peer | None = None, steps=None, login=None):
        self.clock = FakeClock()
        self.lines: list[bytes] = []
        self.results: list[bytes] = []
        self.log: list[str] = []
        """The order of lines and results."""
        self.phone = FakePhone(self.clock, tmp_path, peer)
        self.terminated_s = float("inf")
        self.plan = the_plan
        self.doors: list[FakeDoor] = []
        self.refuses_at = lambda _at_s: False
        """Whether a keep-alive that is sent then (since the start) comes back as ICMP port unreachable."""
        self.deaf_at_s: set[float] = set()
        """When the kernel drops a datagram at the agent's SIP socket, since the start."""
        self.lateness_ms = 1.0
        self.runner = Runner(
            plan=the_plan,
            phone=self.phone,
            login=login,
            signals=Script(self.clock, one_stage() if steps is None else steps),
            stop_asked=lambda: self.clock.now_s - 1000 >= self.terminated_s,
            clock=self.clock,
            health=HealthMonitor(
                throttled=lambda: 0.0,
                drops=SocketDrops(self._sockets, 5060),
                worst_ms=lambda _: self.lateness_ms,
            ),
            playlist=Playlist(tmp_path, the_plan.wav_directory),
            evidence=Evidence(the_plan, self.clock),
            report=Report(plan=the_plan, plan_sha256="digest", write_line=self._line, write_result=self._result),
            open_door=self._open_door,
            on_leg=lambda _: None,
        )

    def _sockets(self) -> list[UdpSocket]:
        dropped = sum(1000 + at_s <= self.clock.now_s for at_s in self.deaf_at_s)
        return [UdpSocket(inode="1", port=5060, drops=dropped)]

    def _open_door(self, peer: str) -> FakeDoor:
        self.doors.append(FakeDoor(peer, self.clock, self._refused))
        return self.doors[-1]

    def _refused(self, at_s: float) -> bool:
        return self.refuses_at(at_s)

    def _line(self, line: bytes) -> None:
        self.lines.append(line)
        self.log.append("progress" if isinstance(decode_line(line), ProgressLine) else "detail")

    def _result(self, raw: bytes) -> None:
        self.results.append(raw)
        self.log.append("result")

    def run(self) -> AgentResult:
        self.runner.run()
        final = self.result
        assert final.final
        assert final.detail == detail_digest([line for line in self.lines if b'"kind":"progress"' not in line])
        return final

    def step_until(self, seconds: float) -> None:
        while self.clock.now_s < 1000 + seconds:
            self.runner.step()

    def kinds(self, kind):
        return [line for line in map(decode_line, self.lines) if isinstance(line, kind)]

    @property
    def legs(self) -> list[LegObservation]:
        return self.kinds(LegObservation)

    @property
    def progress(self) -> list[ProgressLine]:
        return self.kinds(ProgressLine)

    @property
    def registrations(self) -> list[RegistrationObservation]:
        return self.kinds(RegistrationObservation)

    @property
    def result(self) -> AgentResult:
        return decode_result(self.results[-1])

    def did(self, what: str) -> list[tuple]:
        return [entry for entry in self.phone.did if entry[0] == what]

    def times(self, what: str) -> list[float]:
        return [entry[1] for entry in self.did(what)]
