"""What a CallTestRun says: its verdict and sentences, and on which side, in which direction, each finding is."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from agent.contract.verdict import Check, Finding, Reason, Result, Role
from controller.api.run import CallTestRunStatus, Failure
from controller.page.model import Broken, Hop, Said, Way
from controller.run.wording import sentence

_MEDIA: Final = frozenset(
    {
        Check.DTMF,
        Check.AUDIO,
        Check.RTP_PACKETS,
        Check.RTP_LOSS,
        Check.RTP_JITTER,
        Check.RTP_GAP,
        Check.RTP_SOURCE,
    }
)
_AT_CALLER: Final = Broken(hop=Hop.CALLER, way=Way.TO_CALLER)
_FROM_CALLER: Final = Broken(hop=Hop.CALLER, way=Way.TO_CALLEE)
_AT_CALLEE: Final = Broken(hop=Hop.CALLEE, way=Way.TO_CALLEE)
_FROM_CALLEE: Final = Broken(hop=Hop.CALLEE, way=Way.TO_CALLER)
_PLACES: Final[Mapping[Reason, tuple[Broken, ...]]] = {
    Reason.NO_RESPONSE: (_AT_CALLER,),
    Reason.NO_ANSWER: (_AT_CALLER,),
    Reason.ANSWERED_ELSEWHERE: (_AT_CALLEE,),
    Reason.REFUSED_ELSEWHERE: (_AT_CALLEE,),
    Reason.CANCEL_MISSING: (_AT_CALLEE,),
    Reason.LOOPED: (_AT_CALLEE, _AT_CALLER),
    Reason.ACK_MISSING: (_AT_CALLEE,),
    Reason.BYE_MISSING: (_AT_CALLEE,),
    Reason.BYE_UNANSWERED: (_AT_CALLER,),
    Reason.BYE_REJECTED: (_AT_CALLER,),
}
"""Where these are to be looked for, whichever leg says it. Others are on the way to their leg."""


_ATTRIBUTED: Final = re.compile(r"on the way to the (callee|caller)")
"""As the judge's notes have it: a parrot can only send back what it got (agent/judge/checks)."""


class NoRunError(ValueError):
    """It is no run; the text says what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """A run as its object has it."""

    name: str
    namespace: str
    call_test: str
    status: CallTestRunStatus
    has_callee: bool = True
    """False: the system under test answers itself, and nothing is said of another leg."""

    @property
    def result(self) -> Result | None:
        """None: it is not finished."""
        return told(self.status.result)


Value = Any


def told(value: Value | UnsetType) -> Value | None:
    """None for what the object does not have."""
    return None if value is UNSET else value


def runs_of(document: object) -> tuple[RunFacts, ...]:
    """The runs of a CallTestRun's JSON, or of a List; NoRunError."""
    if not isinstance(document, dict):
        raise NoRunError("it is no object")
    items = document.get("items") if str(document.get("kind")).endswith("List") else [document]
    if not isinstance(items, list) or not items:
        raise NoRunError("a List without runs")
    return tuple(_run_of(item) for item in items)


def _run_of(item: object) -> RunFacts:
    if not isinstance(item, dict) or item.get("kind") != "CallTestRun":
        kind = item.get("kind") if isinstance(item, dict) else type(item).__name__
        raise NoRunError(f"kind is {kind!r}, expected CallTestRun")
    metadata, spec = item.get("metadata"), item.get("spec")
    try:
        name = msgspec.convert((metadata or {}).get("name"), str)
        namespace = msgspec.convert((metadata or {}).get("namespace", "default"), str)
        call_test = msgspec.convert((spec or {}).get("callTestName", name), str)
        status = msgspec.convert(item.get("status") or {}, CallTestRunStatus)
        test = (spec or {}).get("test") or {}
        has_callee = not test or "callee" in test
    except (msgspec.ValidationError, AttributeError, TypeError) as error:
        raise NoRunError(f"not as a CallTestRun is: {error}") from error
    return RunFacts(name=name, namespace=namespace, call_test=call_test, status=status, has_callee=has_callee)


def said_by(failure: Failure) -> Said:
    """A failure of the status, as a sentence."""
    try:
        text = sentence(
            Finding(
                call=failure.call,
                number=failure.number,
                endpoint=failure.endpoint,
                leg=failure.leg,
                check=Check(failure.check),
                reason=Reason(failure.reason),
                expected=told(failure.expected),
                observed=told(failure.observed),
                note=told(failure.note),
            )
        )
    except ValueError:  # of a newer calltest
        text = f"{failure.leg.lower()}'s check {failure.check}: {told(failure.note) or told(failure.observed) or ''}"
    return Said(
        result=failure.result,
        reason=failure.reason,
        sentence=text,
        expected=told(failure.expected),
        observed=told(failure.observed),
        leg=failure.leg.value,
        check=failure.check,
        note=told(failure.note),
    )


def said_of(finding: Finding, result: Result) -> Said:
    """An agent's own finding of its leg."""
    return Said(
        result=result,
        reason=finding.reason.value,
        sentence=sentence(finding),
        expected=finding.expected,
        observed=finding.observed,
        leg=finding.leg.value,
        check=finding.check.value,
        note=finding.note,
    )


def broken_by(said: Iterable[Said]) -> tuple[Broken, ...]:
    """Where the checks that were measured and broken point."""
    found = dict[Broken, None]()
    for one in said:
        if one.result is Result.FAILED and one.leg is not None:
            found.update(dict.fromkeys(_places(one, Role(one.leg))))
    return tuple(found)


def _places(said: Said, leg: Role) -> tuple[Broken, ...]:
    known = _PLACES.get(Reason(said.reason)) if said.reason in set(Reason) else None
    if known is not None:
        return known
    attributed = _ATTRIBUTED.search(said.note or "")
    to_callee = leg is Role.CALLEE if attributed is None else attributed[1] == "callee"
    if said.check in _MEDIA:
        return (_FROM_CALLER, _AT_CALLEE) if to_callee else (_FROM_CALLEE, _AT_CALLER)
    return (_AT_CALLEE,) if to_callee else (_AT_CALLER,)
