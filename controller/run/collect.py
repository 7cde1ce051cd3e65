"""From what an agent left behind (result, log) to a report the judge can use: nothing is believed that was not proven.

Pure, and the same for pods and for local processes: the host only says what it knows about the agent's end.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from agent.contract.observation import LegObservation
from agent.contract.plan import Plan, plan_digest
from agent.contract.registration import RegistrationObservation
from agent.contract.result import (
    AgentResult,
    DetailLine,
    KeptLine,
    ProgressLine,
    ResultError,
    StopCause,
    TurnedAway,
    decode_line,
    decode_result,
    detail_digest,
)
from agent.contract.verdict import Reason
from agent.judge.verdicts import AgentReport
from controller.plan.cause import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The lines of ours in an agent's log."""

    detail: tuple[DetailLine, ...] = ()
    raw: tuple[bytes, ...] = ()
    """The detail lines as written, newlines included."""
    progress: ProgressLine | None = None
    """The last one."""


def read_log(lines: Iterable[bytes]) -> Log:
    """Picks our lines out of a log; whatever is not ours (a library's print, stderr in a pod's log) is passed over."""
    detail: list[DetailLine] = []
    raw: list[bytes] = []
    progress = None
    for line in lines:
        try:
            decoded = decode_line(line)
        except ResultError:
            continue
        if isinstance(decoded, ProgressLine):
            progress = decoded
        else:
            detail.append(decoded)
            raw.append(line.rstrip(b"\r\n") + b"\n")
    return Log(detail=tuple(detail), raw=tuple(raw), progress=progress)


def collect(plan: Plan, raw_plan: bytes, result: bytes | None, log: Log, ending: Cause) -> AgentReport:
    """The report of one agent. What is not proven complete says why: refused, in error, or as `ending` says."""
    if result is None or not result.strip():
        return _report(plan, log, ending)
    try:
        document = decode_result(result)
        _require_ours(plan, raw_plan, document, log)
    except ResultError as error:
        # Nothing of a stranger's document or log may count for this run.
        return _report(plan, Log(), Cause(reason=Reason.RESULT_REJECTED, message=str(error)))
    missing = _missing(document, log, ending)
    if missing is None and document.stopped:
        return _report(plan, log, _why_stopped(ending, document.stopped), document, complete=True)
    return _report(plan, log, missing, document, complete=missing is None)


def _require_ours(plan: Plan, raw_plan: bytes, result: AgentResult, log: Log) -> None:
    """ResultError where the result or a line belongs to another run, agent or plan."""
    expected = {"run_uid": plan.run.uid, "agent": plan.agent, "plan_sha256": plan_digest(raw_plan)}
    for field, value in expected.items():
        observed = getattr(result, field)
        if observed != value:
            raise ResultError(f"result: {field} is {observed!r}, expected {value!r}")
    for line in log.detail:
        if not ours(plan, line):
            raise ResultError(f"line: {line.role} at endpoint {line.endpoint} is not in the plan")


def ours(plan: Plan, line: DetailLine) -> bool:
    """Whether a line can be of this plan's agent."""
    return line.role is plan.role and any(stage.endpoint == line.endpoint for stage in plan.stages)


def _missing(result: AgentResult, log: Log, ending: Cause) -> Cause | None:
    """Why a result that is ours does not tell everything its agent did; None: it does."""
    if result.error is not None:
        note = result.error.note or result.error.observed or "no more is known"
        return Cause(reason=result.error.reason, message=note)
    if not result.final:
        return ending
    digest = detail_digest(list(log.raw))
    if digest == result.detail:
        return None
    message = f"{digest.lines} of {result.detail.lines} detail lines are in the log"
    if digest.lines == result.detail.lines:
        message = "the detail lines in the log are not those it wrote (sha256 differs)"
    return Cause(reason=Reason.AGENT_LOST, message=message)


def _why_stopped(ending: Cause, cause: StopCause) -> Cause:
    """Its host knows why it stopped an agent; of one that somebody else stopped, only the agent can tell."""
    if ending.explains_stop or ending.reason is not Reason.AGENT_LOST:
        return ending
    if cause is StopCause.DEADLINE:
        return Cause(reason=Reason.DEADLINE_EXCEEDED, message="its own deadline was over before its plan was done")
    return Cause(reason=Reason.ABORTED, message="it was told to stop (SIGTERM) before its plan was done")


def _report(
    plan: Plan, log: Log, missing: Cause | None, result: AgentResult | None = None, *, complete: bool = False
) -> AgentReport:
    return AgentReport(
        plan=plan,
        legs=legs_of(log.detail),
        registrations=tuple(line for line in log.detail if isinstance(line, RegistrationObservation)),
        turned_away=tuple(line for line in log.detail if isinstance(line, TurnedAway)),
        recorded=result.findings if result else (),
        complete=complete,
        legs_left_out=result.legs_left_out if result else 0,
        lost_reason=missing.reason if missing else None,
        lost_message=missing.message if missing else "",
    )


def legs_of(detail: Sequence[DetailLine]) -> tuple[LegObservation, ...]:
    """All legs, each with what was told of it later (KeptLine)."""
    kept = {line.index: line for line in detail if isinstance(line, KeptLine)}
    legs = (line for line in detail if isinstance(line, LegObservation))
    return tuple(_with(leg, kept[leg.index]) if leg.index in kept else leg for leg in legs)


def _with(leg: LegObservation, kept: KeptLine) -> LegObservation:
    return msgspec.structs.replace(
        leg,
        messages=kept.messages or leg.messages,
        evidence=leg.evidence or kept.evidence,
        evidence_fault=leg.evidence_fault or kept.evidence_fault,
    )
