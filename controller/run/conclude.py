"""What the agents reported → the outcome of a run, ready for status and metrics. Pure; the judging is agent.judge's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
from msgspec import UNSET

from agent.contract.observation import LegObservation
from agent.contract.registration import RegistrationObservation
from agent.contract.verdict import Finding, Reason, Result, Role
from agent.judge.rank import worst_first
from agent.judge.reasons import result_of
from agent.judge.registrations import is_of_registration, last_told
from agent.judge.run import calls_by_endpoint, judge_run
from agent.judge.verdicts import AgentReport, CallVerdict, EndpointVerdict, RunVerdict
from agent.judge.words import many
from controller.api.run import MAX_FAILURES, CallCounts, Endpoint, Failure, MediaPath, NodePath
from controller.api.test import CallTestSpec
from controller.plan.cause import Cause
from controller.run.wording import located, passed_of
from controller.text import plain

MAX_MESSAGE = 1024
MAX_VALUE = 256
MAX_NOTE = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run came to."""

    result: Result
    reason: Reason | None
    """Of the worst finding; None when Passed."""
    message: str
    calls: CallCounts
    endpoints: tuple[Endpoint, ...] = ()
    """With their results."""
    failures: tuple[Failure, ...] = ()
    stray_calls: int = 0
    is_complete: bool = False
    """Every agent told everything that it did."""
    verdict: RunVerdict | None = None
    """For metrics; None when there were no agents."""


def conclude(
    reports: Sequence[AgentReport],
    endpoints: Sequence[Endpoint],
    changes: Mapping[int, Reason] | None = None,
    nodes: Mapping[str, str] | None = None,
) -> Outcome:
    """The outcome of a run whose agents reported.

    `changes`: what became of endpoints meanwhile (discovery.changes). `nodes`: where each agent ran, as far as known.
    """
    verdict = judge_run(reports)
    endpoints = _with_paths(endpoints, reports, nodes or {})
    changes = changes or {}
    by_index = {endpoint.index: endpoint for endpoint in endpoints}
    findings = _one_of_each_call_first(verdict.items)
    outcome = Outcome(
        result=verdict.result,
        reason=verdict.reason,
        message=_message(verdict, by_index, changes),
        calls=CallCounts(
            planned=verdict.planned,
            passed=verdict.passed,
            failed=verdict.failed,
            inconclusive=verdict.inconclusive,
            summary=f"{verdict.passed}/{verdict.planned}",
        ),
        endpoints=_judged(endpoints, verdict, changes),
        failures=tuple(
            _failure(item, changes.get(item.endpoint), _observations(item, reports, verdict.calls))
            for item in findings[:MAX_FAILURES]
        ),
        stray_calls=len(verdict.strays) + verdict.strays_left_out,
        is_complete=all(report.complete for report in reports),
        verdict=verdict,
    )
    judged = {item.endpoint for item in verdict.endpoints}
    forgotten = [endpoint for endpoint in endpoints if endpoint.index not in judged]
    return _without(forgotten[0], outcome) if forgotten else outcome


def _without(endpoint: Endpoint, outcome: Outcome) -> Outcome:
    """A run that says nothing of one of its endpoints has not passed, however well the others did."""
    if outcome.result is not Result.PASSED:
        return outcome
    message = f"no agent reported on endpoint {endpoint.index}, {endpoint.name}"
    return replace(outcome, result=Result.INCONCLUSIVE, reason=Reason.NOT_MEASURED, message=message)


def refused(cause: Cause, test: CallTestSpec, endpoints: Sequence[Endpoint] = ()) -> Outcome:
    """The outcome of a run that never had agents; ValueError for a reason that says that something was measured."""
    if result_of(cause.reason) is not Result.INCONCLUSIVE:
        raise ValueError(f"{cause.reason} is for what was measured")
    planned = len(endpoints) * sum(call.count for call in test.calls)
    return Outcome(
        result=Result.INCONCLUSIVE,
        reason=cause.reason,
        message=plain(cause.message, MAX_MESSAGE),
        calls=CallCounts(planned=planned, inconclusive=planned, summary=f"0/{planned}"),
        endpoints=tuple(endpoints),
    )


def _message(verdict: RunVerdict, endpoints: Mapping[int, Endpoint], changes: Mapping[int, Reason]) -> str:
    calls = passed_of(verdict.planned, passed=verdict.passed, failed=verdict.failed, inconclusive=verdict.inconclusive)
    if verdict.worst is None:
        through = f"through {many(len(verdict.endpoints), 'endpoint')}"
        return f"{calls}, {through}" if verdict.calls else f"the registrations passed, {through}"
    text = plain(located(verdict.worst, endpoints.get(verdict.worst.endpoint)), MAX_MESSAGE - 120)
    if change := changes.get(verdict.worst.endpoint):
        text += f"; {_change_note(change)}"
    return f"{text} ({calls})" if verdict.calls else text


def _change_note(change: Reason) -> str:
    what = "was removed" if change is Reason.ENDPOINT_REMOVED else "restarted"
    return f"{change}: the endpoint {what} during the run"


def _one_of_each_call_first(calls: Sequence[CallVerdict]) -> tuple[Finding, ...]:
    """The worst finding of each call, worst first; then the rest likewise: 20 places show as many calls as they can."""
    firsts = worst_first(call.findings[0] for call in calls if call.findings)
    rest = worst_first(finding for call in calls for finding in call.findings[1:])
    return firsts + rest


def _observations(
    finding: Finding, reports: Sequence[AgentReport], calls: Sequence[CallVerdict]
) -> list[LegObservation] | list[RegistrationObservation]:
    """Where a finding can be seen: at its registration; or at its leg first, then at the call's other one."""
    if is_of_registration(finding):
        place = finding.endpoint, finding.leg
        told = [item for report in reports for item in report.registrations if (item.endpoint, item.role) == place]
        return [item for item in [last_told(told)] if item is not None]
    its_call = finding.endpoint, finding.call, finding.number
    found = next((call for call in calls if (call.endpoint, call.call, call.number) == its_call), None)
    legs = [leg for leg in (found.caller, found.callee) if leg is not None] if found else []
    return sorted(legs, key=lambda leg: leg.role is not finding.leg)


def _failure(
    finding: Finding, change: Reason | None, observed: Sequence[LegObservation | RegistrationObservation]
) -> Failure:
    kept = [item.evidence for item in observed if item.evidence is not None]
    fault = next((_fault_note(item) for item in observed[:1]), "")
    note = "; ".join(part for part in (_change_note(change) if change else "", finding.note or "", fault) if part)
    return Failure(
        call=finding.call,
        number=finding.number,
        endpoint=finding.endpoint,
        leg=finding.leg,
        check=finding.check.value,
        result=result_of(finding.reason),
        reason=finding.reason.value,
        expected=_bounded(finding.expected, MAX_VALUE),
        observed=_bounded(finding.observed, MAX_VALUE),
        call_id=_bounded(finding.call_id, MAX_VALUE),
        evidence=_bounded(kept[0] if kept else None, MAX_VALUE),
        peer_evidence=_bounded(kept[1] if kept[1:] else None, MAX_VALUE),
        note=_bounded(note or None, MAX_NOTE),
    )


def _fault_note(item: LegObservation | RegistrationObservation) -> str:
    """'' where all is kept that should be."""
    if item.evidence_fault is None:
        return ""
    return f"{'evidence' if item.evidence else 'no evidence'}: {item.evidence_fault}"


def _bounded(text: str | None, limit: int) -> str | msgspec.UnsetType:
    return UNSET if text is None else plain(text, limit)


def _with_paths(
    endpoints: Sequence[Endpoint], reports: Sequence[AgentReport], nodes: Mapping[str, str]
) -> tuple[Endpoint, ...]:
    """The endpoints, with the way to each from the agent that called it."""
    callers = {
        stage.endpoint: nodes.get(report.plan.agent)
        for report in reports
        if report.plan.role is Role.CALLER
        for stage in report.plan.stages
    }
    return tuple(msgspec.structs.replace(item, path=_path(item, callers.get(item.index))) for item in endpoints)


def _path(endpoint: Endpoint, node: str | None) -> NodePath | msgspec.UnsetType:
    if not node or endpoint.node is UNSET:
        return UNSET
    return NodePath.SAME_NODE if node == endpoint.node else NodePath.OTHER_NODE


def _judged(endpoints: Sequence[Endpoint], verdict: RunVerdict, changes: Mapping[int, Reason]) -> tuple[Endpoint, ...]:
    """The endpoints with their results. One without a verdict (no plan went there) keeps none."""
    verdicts = {item.endpoint: item for item in verdict.endpoints}
    calls = calls_by_endpoint(verdict.calls)
    return tuple(
        _with_result(endpoint, verdicts.get(endpoint.index), calls[endpoint.index], changes.get(endpoint.index))
        for endpoint in endpoints
    )


def _with_result(
    endpoint: Endpoint, verdict: EndpointVerdict | None, calls: Sequence[CallVerdict], change: Reason | None
) -> Endpoint:
    noted = msgspec.structs.replace(endpoint, change=change.value if change else UNSET)
    if verdict is None:
        return noted
    return msgspec.structs.replace(
        noted,
        result=verdict.result,
        reason=verdict.reason.value if verdict.reason else UNSET,
        summary=f"{verdict.passed}/{verdict.planned}",
        media=_media_path(calls),
    )


def _media_path(calls: Sequence[CallVerdict]) -> MediaPath | msgspec.UnsetType:
    """Direct where the SDP that an agent got names the other agent's own RTP socket; UNSET where no call shows it."""
    directions = {
        receiver.negotiated.remote_rtp == sender.local_rtp
        for call in calls
        for receiver, sender in ((call.caller, call.callee), (call.callee, call.caller))
        if receiver is not None
        and sender is not None
        and receiver.negotiated is not None
        and receiver.negotiated.remote_rtp is not None
        and sender.local_rtp is not None
    }
    if not directions:
        return UNSET
    if len(directions) > 1:
        return MediaPath.MIXED
    return MediaPath.DIRECT if directions.pop() else MediaPath.RELAYED
