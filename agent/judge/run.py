"""The verdict over a run: every planned call once, with what both its agents reported of it."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from agent.contract.observation import LegObservation
from agent.contract.registration import RegistrationObservation
from agent.contract.verdict import Check, Finding, Reason, Result, Role
from agent.judge.call_leg import CallId, CallLeg, PlannedCall, calls_at
from agent.judge.checks.handshakes import OF_CERTIFICATES
from agent.judge.ends import CallEnds, Gone
from agent.judge.flow import flow
from agent.judge.leg import known_leg
from agent.judge.pairing import CalleeLeg, Pair, Pairing, pair_legs
from agent.judge.rank import result_of_findings, worst_first
from agent.judge.reasons import ROW_OF
from agent.judge.registrations import REGISTRATION, alone, nobody, registration_faults, registration_notes
from agent.judge.two_ended import call_findings, call_notes
from agent.judge.verdicts import AgentReport, CallVerdict, EndpointVerdict, Flow, PairedBy, RunVerdict, Stray

__all__ = ["AgentReport", "CallVerdict", "EndpointVerdict", "Flow", "PairedBy", "RunVerdict", "Stray", "judge_run"]

NO_REPORT: Final = Gone(reason=Reason.AGENT_LOST, note="nothing was reported by an agent for this endpoint")


def judge_run(reports: Sequence[AgentReport]) -> RunVerdict:
    """The verdict on every planned call of the caller plans among `reports`, and its roll-up (truth rules 1–7).

    ValueError when two plans of one role have the same endpoint: nobody could tell whose calls are whose.
    """
    agents = _agents_of(reports)
    seen = _see(agents)
    calls = tuple(_judge_call(call, agents, seen) for call in agents.calls)
    registered = () if calls else tuple(_judge_registrations(endpoint, agents) for endpoint in sorted(agents.callers))
    at, registered_at = calls_by_endpoint(calls), calls_by_endpoint(registered)
    endpoints = tuple(
        _judge_endpoint(endpoint, agents.names[endpoint], at[endpoint], registered_at[endpoint])
        for endpoint in sorted(agents.callers)
    )
    tally = Counter(call.result for call in calls)
    items = calls or registered
    worst = worst_of(items)
    return RunVerdict(
        result=_rolled_up(Counter(item.result for item in items)),
        reason=_reason(worst, items),
        worst=worst,
        planned=len(calls),
        passed=tally[Result.PASSED],
        failed=tally[Result.FAILED],
        inconclusive=tally[Result.INCONCLUSIVE],
        calls=calls,
        registrations=registered,
        endpoints=endpoints,
        strays=seen.strays,
        strays_left_out=sum(report.legs_left_out for report in reports),
    )


def calls_by_endpoint(calls: Iterable[CallVerdict]) -> Mapping[int, Sequence[CallVerdict]]:
    """Each endpoint's calls, in their order; none where an endpoint has none."""
    at: dict[int, list[CallVerdict]] = defaultdict(list)
    for call in calls:
        at[call.endpoint].append(call)
    return at


# Who was to do what


@dataclass(frozen=True, slots=True, kw_only=True)
class _Agents:
    """Each endpoint's two agents, and the calls planned there."""

    callers: Mapping[int, AgentReport]
    callees: Mapping[int, AgentReport]
    names: Mapping[int, str]
    """Of the endpoints."""
    calls: tuple[PlannedCall, ...]
    registrations: Mapping[tuple[str, int], Sequence[RegistrationObservation]]
    """By agent and endpoint."""


def _agents_of(reports: Sequence[AgentReport]) -> _Agents:
    by_role: dict[Role, dict[int, AgentReport]] = {Role.CALLER: {}, Role.CALLEE: {}}
    names: dict[int, str] = {}
    for report in reports:
        for stage in report.plan.stages:
            if stage.endpoint in by_role[report.plan.role]:
                raise ValueError(f"endpoint {stage.endpoint} is in two {report.plan.role} plans")
            by_role[report.plan.role][stage.endpoint] = report
            names[stage.endpoint] = stage.name
    callers = by_role[Role.CALLER]
    calls = [call for endpoint, report in sorted(callers.items()) for call in calls_at(report.plan, endpoint)]
    registrations: dict[tuple[str, int], list[RegistrationObservation]] = defaultdict(list)
    for report in reports:
        for seen in report.registrations:
            registrations[report.plan.agent, seen.endpoint].append(seen)
    return _Agents(
        callers=callers,
        callees=by_role[Role.CALLEE],
        names=names,
        calls=tuple(calls),
        registrations=registrations,
    )


def _distinct_reports(by_endpoint: Mapping[int, AgentReport]) -> list[AgentReport]:
    return [report for _, report in sorted({report.plan.agent: report for report in by_endpoint.values()}.items())]


# What was seen


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """The legs of all agents, each at its call."""

    caller_legs: Mapping[CallId, LegObservation]
    twice: frozenset[CallId]
    """Calls of which a caller reported two different legs."""
    pairing: Pairing
    last_taken: Mapping[tuple[str, str], float]
    """By caller and callee agent: when the last call that one placed and the other took was placed, on the caller's
    clock."""
    strays: tuple[Stray, ...]


def _see(agents: _Agents) -> _Seen:
    legs: dict[CallId, list[LegObservation]] = defaultdict(list)
    strays: list[Stray] = []
    planned = {call.id for call in agents.calls}
    for report in _distinct_reports(agents.callers):
        for leg in report.legs:
            known = known_leg(report.plan, leg)
            if known is None or known.call.id not in planned:
                strays.append(Stray(agent=report.plan.agent, leg=leg, note="no call of this caller's plan"))
            elif leg not in legs[known.call.id]:
                legs[known.call.id].append(leg)
    caller_legs = {call: told[0] for call, told in legs.items() if len(told) == 1}
    callee_legs = [
        CalleeLeg(agent=report.plan.agent, leg=leg)
        for report in _distinct_reports(agents.callees)
        for leg in report.legs
    ]
    untold = {endpoint for endpoint, report in agents.callees.items() if report.legs_left_out}
    pairing = pair_legs(agents.calls, caller_legs, callee_legs, untold_at=untold)
    return _Seen(
        caller_legs=caller_legs,
        twice=frozenset(legs.keys() - caller_legs.keys()),
        pairing=pairing,
        last_taken=_last_taken(agents, pairing.pairs, caller_legs),
        strays=(*strays, *pairing.strays),
    )


def _last_taken(
    agents: _Agents, pairs: Mapping[CallId, Pair], caller_legs: Mapping[CallId, LegObservation]
) -> dict[tuple[str, str], float]:
    last: dict[tuple[str, str], float] = {}
    for call, pair in pairs.items():
        if call in caller_legs:
            placed_at = caller_legs[call].began_s
            ends = agents.callers[call[0]].plan.agent, pair.agent
            last[ends] = max(placed_at, last.get(ends, placed_at))
    return last


# One call


def _judge_call(call: PlannedCall, agents: _Agents, seen: _Seen) -> CallVerdict:
    pair = seen.pairing.pairs.get(call.id)
    ends = _ends(call, agents, seen, pair)
    findings = call_findings(ends)
    return CallVerdict(
        endpoint=call.endpoint,
        call=call.group.name,
        number=call.number,
        result=result_of_findings(findings),
        reason=findings[0].reason if findings else None,
        findings=findings,
        caller=None if ends.caller is None else ends.caller.leg,
        callee=None if ends.callee is None else ends.callee.leg,
        paired_by=None if pair is None else pair.by,
        to_callee=flow(ends.caller, ends.callee),
        to_caller=flow(ends.callee, ends.caller),
        notes=(*call_notes(ends), *_registration_notes(call, agents)),
    )


def _ends(call: PlannedCall, agents: _Agents, seen: _Seen, pair: Pair | None) -> CallEnds:
    caller, callee = agents.callers[call.endpoint], agents.callees.get(call.endpoint)
    caller_leg = seen.caller_legs.get(call.id)
    own_callee = None if callee is None else callee.plan.agent
    at_home = pair is not None and pair.agent == own_callee
    callee_leg = _at_call(call, pair.leg) if pair is not None and at_home else None
    twice = Gone(reason=Reason.NOT_MEASURED, note="two different legs of this call were reported")
    return CallEnds(
        call=call,
        caller=None if caller_leg is None else CallLeg(call=call, leg=caller_leg),
        callee=callee_leg,
        misdelivered_to=None if pair is None or at_home else pair.agent,
        answers_at_callee=seen.pairing.answered.get(call.id, 0),
        ambiguous=seen.pairing.ambiguous.get(call.id),
        caller_gone=twice if call.id in seen.twice else _gone(call.endpoint, caller),
        callee_gone=_callee_gone(call, callee),
        turned_away=_turned_away(call, callee),
        callee_outlived=_outlived(caller_leg, seen.last_taken.get((caller.plan.agent, own_callee or ""))),
        registration=(*_registration(call, caller, agents), *_registration(call, callee, agents)),
        recorded=(*_recorded(call, caller, caller_leg), *_recorded(call, callee, callee_leg)),
    )


def _turned_away(call: PlannedCall, callee: AgentReport | None) -> str | None:
    told = () if callee is None else callee.turned_away
    alerts = (one.alert for one in told if one.endpoint == call.endpoint)
    return next((alert for alert in alerts if alert in OF_CERTIFICATES), None)


def _at_call(call: PlannedCall, leg: LegObservation) -> CallLeg:
    """A callee leg as one of its call, whatever it took itself to be."""
    endpoint, name, number = call.id
    return CallLeg(call=call, leg=msgspec.structs.replace(leg, endpoint=endpoint, call=name, number=number))


def _gone(endpoint: int, report: AgentReport) -> Gone | None:
    if report.complete and report.lost_reason is None:
        kept = [item for item in report.recorded if item.check is Check.RUN and item.endpoint == endpoint]
        return next(
            (Gone(reason=item.reason, note=f"{report.plan.agent}: {item.note}") for item in worst_first(kept)), None
        )
    reason = report.lost_reason or Reason.AGENT_LOST
    return Gone(reason=reason, note=f"{report.plan.agent}: {report.lost_message or ROW_OF[reason].meaning}")


def _callee_gone(call: PlannedCall, report: AgentReport | None) -> Gone | None:
    """Where the SUT itself answers there is no callee agent to be lost."""
    if not call.plan.callee_declared:
        return None
    return NO_REPORT if report is None else _gone(call.endpoint, report)


def _outlived(caller_leg: LegObservation | None, last_taken: float | None) -> bool:
    """The callee took a call that this caller placed after it had ended this one; all by the caller's clock."""
    if caller_leg is None or caller_leg.progress.ended_ms is None or last_taken is None:
        return False
    return caller_leg.began_s + caller_leg.progress.ended_ms / 1000 <= last_taken


def _registration(call: PlannedCall, report: AgentReport | None, agents: _Agents) -> list[Finding]:
    """An agent that does not register is silent here, but for a caller whose account could not even be made."""
    if report is None:
        return []
    told = agents.registrations.get((report.plan.agent, call.endpoint), ())
    without_account = bool(told) and report.plan.role is Role.CALLER
    if not report.plan.account.register and not without_account:
        return []
    return [
        call.finding(
            report.plan.role, check, fault.reason, expected=fault.expected, observed=fault.observed, note=fault.note
        )
        for check, fault in registration_faults(report.plan, told)
    ]


def _registration_notes(call: PlannedCall, agents: _Agents) -> Iterator[str]:
    for report in (agents.callers.get(call.endpoint), agents.callees.get(call.endpoint)):
        if report is not None:
            yield from registration_notes(agents.registrations.get((report.plan.agent, call.endpoint), ()))


def _recorded(call: PlannedCall, report: AgentReport | None, leg: object | None) -> list[Finding]:
    """What the agent said of a leg whose line is missing; a complete report has no such leg."""
    if report is None or report.complete or leg is not None:
        return []
    return [
        finding
        for finding in report.recorded
        if (finding.endpoint, finding.call, finding.number) == call.id and finding.leg is report.plan.role
    ]


# A run without calls


def _judge_registrations(endpoint: int, agents: _Agents) -> CallVerdict:
    """Passed where each agent that registers there did all of it, and told so."""
    reports = [report for by in (agents.callers, agents.callees) if (report := by.get(endpoint)) is not None]
    findings: list[Finding] = []
    notes: list[str] = []
    for report in reports:
        told = agents.registrations.get((report.plan.agent, endpoint), ())
        findings += alone(report.plan, endpoint, told, _gone(endpoint, report))
        notes += registration_notes(told)
    nothing = Flow(sent=None, received=None, lost=None)
    if not any(report.plan.account.register for report in reports):
        findings.append(nobody(endpoint))
    worst = worst_first(findings)
    return CallVerdict(
        endpoint=endpoint, call=REGISTRATION, number=0, result=result_of_findings(worst),
        reason=worst[0].reason if worst else None, findings=worst, caller=None, callee=None, paired_by=None,
        to_callee=nothing, to_caller=nothing, notes=tuple(notes),
    )  # fmt: skip


# Roll-up (truth rule 7)


def _rolled_up(tally: Mapping[Result, int]) -> Result:
    """Failed beats Inconclusive beats Passed; nothing at all is not Passed."""
    if tally[Result.FAILED]:
        return Result.FAILED
    return Result.INCONCLUSIVE if tally[Result.INCONCLUSIVE] or not tally[Result.PASSED] else Result.PASSED


def worst_of(calls: Iterable[CallVerdict]) -> Finding | None:
    """The worst of their worst ones."""
    return next(iter(worst_first(call.findings[0] for call in calls if call.findings)), None)


def _reason(worst: Finding | None, calls: Iterable[CallVerdict]) -> Reason | None:
    if worst is not None:
        return worst.reason
    return None if any(calls) else Reason.NOT_MEASURED


def _judge_endpoint(
    endpoint: int, name: str, calls: Sequence[CallVerdict], registered: Sequence[CallVerdict]
) -> EndpointVerdict:
    tally = Counter(call.result for call in calls)
    items = calls or registered
    worst = worst_of(items)
    return EndpointVerdict(
        endpoint=endpoint,
        name=name,
        result=_rolled_up(Counter(item.result for item in items)),
        reason=_reason(worst, items),
        planned=len(calls),
        passed=tally[Result.PASSED],
        failed=tally[Result.FAILED],
        inconclusive=tally[Result.INCONCLUSIVE],
    )
