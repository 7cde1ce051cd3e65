"""A run of a day, simulated: what an agent says of its progress pushes out nothing of what it says of its calls."""

from datetime import UTC, datetime

from agent.contract.observation import LegObservation, SipMessage
from agent.contract.plan import RunRef, plan_digest
from agent.contract.room import DETAIL_BYTES
from agent.contract.verdict import Reason, Role
from agent.report.lines import Report
from agent.run.progress import ProgressTeller
from controller.kube.cluster import MAX_LOG_BYTES
from controller.kube.podlog import PodLog
from controller.plan.cause import Cause
from controller.run.collect import collect, read_log
from tests.unit.agent.world import group, plan, stages
from tests.unit.controller.world import World
from tests.unit.fake_clock import FakeClock

DAY_S = 86_400
LEG_BYTES = 3_700
ENDPOINTS = 10
PER_ENDPOINT = 105
ENDING = Cause(reason=Reason.AGENT_LOST, message="lost")


class Kubelet:
    """One pod's log, as a kubelet gives it: with times, no more than it is asked for, and from the start."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.lines: list[tuple[float, bytes]] = []

    def write(self, line: bytes) -> None:
        now_s = self.clock.now_s
        stamp = datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + f"{len(self.lines) % 1000:03}Z "
        self.lines.append((now_s, stamp.encode() + line))

    def log(self, since_s: int | None) -> bytes:
        earliest_s = 0.0 if since_s is None else self.clock.now_s - since_s
        recent = []
        for at_s, line in reversed(self.lines):
            if at_s < earliest_s:
                break
            recent.append(line)
        return b"".join(reversed(recent))[:MAX_LOG_BYTES]


def leg(endpoint: int, number: int, index: int) -> LegObservation:
    message = SipMessage(at_ms=0.0, sent=True, peer="10.0.0.1:5060", text="x" * (LEG_BYTES - 200))
    return LegObservation(
        role=Role.CALLER,
        endpoint=endpoint,
        index=index,
        call="pin",
        number=number,
        call_key=None,
        sip_call_id="id",
        from_user=None,
        started_at=0.0,
        messages=(message,),
    )


def test_a_day_of_calls_that_fill_the_detail_is_told_whole_and_followed_meanwhile() -> None:
    clock, results, log = FakeClock(), [], PodLog()
    run = RunRef(uid="0f5b3c4e-8a64-4c0a-9d3e-0123456789ab", namespace="n", name="r", call_test="t")
    long = plan(run=run, agent="caller-0", stages=stages(ENDPOINTS), calls=(group(count=PER_ENDPOINT),))
    kubelet = Kubelet(clock)
    report = Report(
        plan=long, plan_sha256=plan_digest(long.encode()), write_line=kubelet.write, write_result=results.append
    )
    teller = ProgressTeller(report=report, clock=clock)
    every_s, calls, tick_s = DAY_S / (ENDPOINTS * PER_ENDPOINT), ENDPOINTS * PER_ENDPOINT, 2
    for tick in range(DAY_S // tick_s):
        due = int(tick * tick_s / every_s)
        if report.ended < due:
            report.leg(leg(report.ended // PER_ENDPOINT, report.ended % PER_ENDPOINT, report.ended))
        at = report.ended // PER_ENDPOINT
        teller.tell(ready=at + 1, done=at, active=tick % 2, address="10.244.0.9:5060")
        if tick % 60 == 0:
            log.add(kubelet.log(log.since_s(clock.now_s)), now=clock.now_s)
            assert log.progress is not None
            assert log.progress.ready == at + 1
        clock.now_s += tick_s
    while report.ended < calls:
        report.leg(leg(report.ended // PER_ENDPOINT, report.ended % PER_ENDPOINT, report.ended))
    report.write(final=True)
    log.add(kubelet.log(None), now=clock.now_s, is_whole=True)
    found = collect(long, long.encode(), results[-1], read_log(log.lines), ENDING)
    assert (found.complete, len(found.legs), found.lost_message) == (True, calls, "")
    assert sum(len(line) for line in read_log(log.lines).raw) > 0.9 * DETAIL_BYTES


def test_the_operator_follows_a_run_of_a_day_to_its_verdict() -> None:
    world = World()
    calls = {"name": "pin", "count": 100, "holdSeconds": 400}
    world.apply(activeDeadlineSeconds=DAY_S, calls=[calls])
    while not any(write.startswith("annotate") for write in world.cluster.writes):  # they may call
        world.tick()
    real, world.kubelet.tick = world.kubelet.tick, lambda: None  # type: ignore[method-assign]
    for _ in range((DAY_S - 1000) // 900):
        world.tick(900)
    assert "result" not in world.run_status()
    world.kubelet.tick = real  # type: ignore[method-assign]
    world.ticks(12)
    assert (world.run_status()["result"], world.run_status()["calls"]["summary"]) == ("Passed", "200/200")
