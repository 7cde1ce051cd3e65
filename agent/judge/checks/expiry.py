"""expiry: the registrar grants a binding for as long as the test wants."""

from typing import Final

from agent.contract.plan import Plan
from agent.contract.registering import ExpectRegistration
from agent.contract.registration import RegistrationObservation
from agent.contract.verdict import Check, Reason
from agent.judge.checks.check import CheckRule, Fault, Row
from agent.judge.words import MANY, joined, listed


def _expiry(plan: Plan, seen: RegistrationObservation) -> list[Fault]:
    expect = plan.account.registration.expect
    expected = _expected(expect)
    if expected is None or seen.bindings is None:
        return []
    granted = seen.bindings.granted_s
    if all(_is_within(one, expect) for one in granted):
        is_whole = seen.bindings.own is not None
        return [] if is_whole else [Fault(reason=Reason.NOT_MEASURED, expected=expected, note=MANY)]
    observed = listed("a time that it does not say" if one is None else f"{one} s" for one in granted)
    note = None if seen.expires_s is None else f"the agent asked for {seen.expires_s} s"
    return [Fault(reason=Reason.REGISTRATION_EXPIRY_MISMATCH, expected=expected, observed=observed, note=note)]


def _expected(expect: ExpectRegistration) -> str | None:
    least, most = expect.min_expires_seconds, expect.max_expires_seconds
    said = joined(
        None if least is None else f"{least} s at least",
        None if most is None else f"{most} s at most",
    )
    return None if said is None else said.replace("; ", ", ")


def _is_within(granted_s: int | None, expect: ExpectRegistration) -> bool:
    least, most = expect.min_expires_seconds, expect.max_expires_seconds
    return granted_s is not None and (least or 0) <= granted_s and (most is None or granted_s <= most)


RULE: Final = CheckRule(
    check=Check.EXPIRY,
    registration=_expiry,
    rows=(
        Row(
            reason=Reason.REGISTRATION_EXPIRY_MISMATCH,
            meaning="the registrar granted a binding for longer or shorter than the test wants",
            seen="The `expires` of the agent's own Contact in a 2xx to REGISTER, else the Expires of that 2xx (RFC "
            "3261 §10.2.4), of the first one and of each refresh; each figure is told once.",
            usually="The registrar's bounds (Kamailio: `min_expires`, `max_expires`, `default_expires`; Asterisk: "
            "`minimum_expiration`, `maximum_expiration`), or an element before it that shortens what phones get.",
            look="Those settings; what the agent asked for, which the message says.",
        ),
    ),
    subject="expiry",
    sentence="{leg} was registered for {observed}, expected {expected}",
    on="an agent that registers",
    asked_by="`registration.expect`: `minExpiresSeconds`, `maxExpiresSeconds`",
    holds="what each 200 grants is within the bounds",
)
