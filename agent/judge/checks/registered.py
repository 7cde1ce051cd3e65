"""registered: every REGISTER of an agent was accepted."""

from collections.abc import Sequence
from typing import Final

from agent.contract.observation import RegistrationObservation, RegistrationOutcome
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import PlannedCall, spoken
from agent.judge.checks.check import CheckRule, Row


def registered(call: PlannedCall, role: Role, observations: Sequence[RegistrationObservation]) -> list[Finding]:
    """Every REGISTER of one agent at the call's endpoint was accepted; without any, that was not measured."""
    if not observations:
        return [call.finding(role, Check.REGISTERED, Reason.NOT_MEASURED, expected="200", note="no REGISTER reported")]
    return [
        call.finding(
            role,
            Check.REGISTERED,
            _REASON[seen.outcome] if _is_on_the_wire(seen) else Reason.AGENT_ERROR,
            expected="200",
            observed=spoken(seen.code, seen.phrase) if seen.code is not None else seen.outcome.value,
            note=seen.local_reason if seen.code is None else None,
        )
        for seen in observations
        if seen.outcome is not RegistrationOutcome.REGISTERED
    ]


_REASON: Final = {
    RegistrationOutcome.REJECTED: Reason.REGISTRATION_REJECTED,
    RegistrationOutcome.TIMEOUT: Reason.REGISTRATION_TIMEOUT,
    RegistrationOutcome.ERROR: Reason.AGENT_ERROR,
}


def _is_on_the_wire(seen: RegistrationObservation) -> bool:
    """A refusal needs a code that was received: the stack makes up codes of its own (truth rule 2)."""
    return seen.outcome is not RegistrationOutcome.REJECTED or seen.code is not None


RULE: Final = CheckRule(
    check=Check.REGISTERED,
    stoppable=True,
    rows=(
        Row(reason=Reason.REGISTRATION_REJECTED, meaning="a REGISTER got a final response other than 200"),
        Row(reason=Reason.REGISTRATION_TIMEOUT, meaning="a REGISTER got no final response"),
    ),
    sentence="{leg}'s REGISTER got {observed}, expected {expected}",
    on="an agent that registers",
    holds="every REGISTER is answered 200",
)
