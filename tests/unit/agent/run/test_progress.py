"""Progress is told soon, and in a long run rarely: in a bounded room."""

import itertools

from agent.contract.plan import RunRef
from agent.contract.result import ProgressLine, decode_line
from agent.contract.room import PROGRESS_BYTES
from agent.report.lines import Report
from agent.run.progress import PROGRESS_CHANGE_S, PROGRESS_S, ProgressTeller
from tests.unit.agent.world import plan
from tests.unit.fake_clock import FakeClock

DAY_S = 86_400
STAMP_BYTES = len("2026-01-01T00:00:00.000000000Z stdout F ")
RUN = RunRef(uid="0f5b3c4e-8a64-4c0a-9d3e-0123456789ab", namespace="n", name="r", call_test="t")
ADDRESS = "100.100.100.100:65535"


class Told:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.lines: list[tuple[float, bytes]] = []
        self.report = Report(
            plan=plan(run=RUN, agent="caller-199"),
            plan_sha256="0" * 64,
            write_line=self.write,
            write_result=lambda _: None,
        )
        self.teller = ProgressTeller(report=self.report, clock=self.clock)

    def write(self, line: bytes) -> None:
        self.lines.append((self.clock.now_s, line))

    def tell(self, *, stage: int = 1, ended: int = 0) -> None:
        self.report.ended = ended
        self.teller.tell(ready=stage, done=stage - 1, active=ended % 2, address=ADDRESS)

    @property
    def last(self) -> ProgressLine:
        line = decode_line(self.lines[-1][1])
        assert isinstance(line, ProgressLine)
        return line


def test_a_change_of_stage_is_told_at_once_and_one_of_calls_soon() -> None:
    told = Told()
    told.tell()
    told.clock.now_s += 0.1
    told.tell(ended=1)
    assert len(told.lines) == 1
    told.tell(stage=2, ended=1)
    assert (len(told.lines), told.last.ready, told.last.ended) == (2, 2, 1)
    told.clock.now_s += PROGRESS_CHANGE_S
    told.tell(stage=2, ended=2)
    assert (len(told.lines), told.last.ended) == (3, 2)


def test_that_nothing_changed_is_told_now_and_then() -> None:
    told = Told()
    for _ in range(100):
        told.tell()
        told.clock.now_s += 0.1
    assert len(told.lines) == 10 / PROGRESS_S


def test_a_day_of_calls_at_every_endpoint_fits_into_its_room_and_no_stage_waits() -> None:
    told, stages, tick_s = Told(), 200, 0.5
    for tick in range(round(DAY_S / tick_s)):
        stage = 1 + int(tick * tick_s * stages / DAY_S)
        told.tell(stage=stage, ended=tick)
        assert told.last.ready == stage
        told.clock.now_s += tick_s
    assert sum(STAMP_BYTES + len(line) for _, line in told.lines) < PROGRESS_BYTES
    times = [at for at, _ in told.lines]
    assert max(after - before for before, after in itertools.pairwise(times)) < 180
