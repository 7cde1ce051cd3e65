"""registered: every REGISTER of an agent was accepted."""

from typing import Final

from agent.contract.plan import Plan
from agent.contract.registration import RegistrationObservation, RegistrationOutcome
from agent.contract.verdict import Check, Reason
from agent.judge.checks.check import LATE_OR_DROPPED, CheckRule, Fault, Row
from agent.judge.checks.connection import broken
from agent.judge.words import beyond_us, challenged, joined, often, refused, spoken, unread

_REASON: Final = {
    RegistrationOutcome.REJECTED: Reason.REGISTRATION_REJECTED,
    RegistrationOutcome.TIMEOUT: Reason.REGISTRATION_TIMEOUT,
    RegistrationOutcome.UNFINISHED: Reason.NOT_MEASURED,
    RegistrationOutcome.ERROR: Reason.AGENT_ERROR,
}


def _registered(plan: Plan, seen: RegistrationObservation) -> list[Fault]:
    """The first REGISTER was accepted. Where it had no connection, that says all."""
    if seen.outcome is RegistrationOutcome.REGISTERED or (seen.code is None and broken(seen.connections, plan)):
        return []
    reason = _REASON[seen.outcome] if _is_on_the_wire(seen) else Reason.AGENT_ERROR
    observed = None if seen.code is None else spoken(seen.code, seen.phrase)
    if seen.asked.unanswerable is not None:
        said = beyond_us(seen.asked.unanswerable)
        return [Fault(reason=Reason.NOT_MEASURED, expected="200", observed=observed, note=said)]
    if reason is Reason.REGISTRATION_TIMEOUT and seen.unparsed is not None:
        return [Fault(reason=Reason.NOT_MEASURED, expected="200", note=unread(seen.unparsed))]
    if reason is Reason.REGISTRATION_TIMEOUT:
        observed = "no final response"
    note = joined(*_notes(seen)) or ("the SIP stack did not say why" if observed is None else None)
    return [Fault(reason=reason, expected="200", observed=observed, note=note, trouble=seen.trouble)]


def _is_on_the_wire(seen: RegistrationObservation) -> bool:
    """A refusal needs a code that was received: the stack makes up codes of its own (truth rule 2)."""
    return seen.outcome is not RegistrationOutcome.REJECTED or seen.code is not None


def _notes(seen: RegistrationObservation) -> list[str | None]:
    silent = seen.outcome is RegistrationOutcome.TIMEOUT and seen.asked.peer is not None
    return [
        f"sent {often(seen.asked.times)} to {seen.asked.peer}" if silent else None,
        refused(seen.asked),
        challenged(seen.code, seen.asked),
        *seen.asked.why,
        seen.local_reason if seen.outcome is RegistrationOutcome.ERROR or seen.code is None else None,
    ]


RULE: Final = CheckRule(
    check=Check.REGISTERED,
    registration=_registered,
    stoppable=True,
    rows=(
        Row(
            reason=Reason.REGISTRATION_REJECTED,
            meaning="a REGISTER got a final response other than 200",
            seen="A final response other than 2xx to the last try of an agent's REGISTER. The note says whether it "
            "was challenged, for which realm, whether credentials were sent, and whether they were refused: challenged "
            "again, and not because their nonce was stale.",
            usually="A wrong password or user name (401 or 407 again, after credentials were sent), a realm that "
            "`realm` of the Secret does not name (no credentials were sent), an account that does not exist (403, "
            "404), or an expiry that the registrar finds too short (423).",
            look="The credentials' Secret against the registrar's subscriber table; the registrar's log for this "
            "user; the messages of the registration in the run's detail.",
        ),
        Row(
            reason=Reason.REGISTRATION_TIMEOUT,
            meaning="a REGISTER got no final response",
            seen="No final response to the last try of an agent's REGISTER in 32 s (RFC 3261 §17.1.2.2). The note "
            "says to which address it went, how often, and whether a challenge had come before; or that the port "
            "is closed, which is known as it is for NoResponse, and ends the try early.",
            usually="Nothing listens at that address, a NetworkPolicy or firewall drops UDP, the answer goes to "
            "another address than it came from, or the registrar waits for its database.",
            look="Whether the endpoint's pod answers OPTIONS from the agent's node; policies between the two "
            "namespaces; the registrar's log.",
            excused_by=LATE_OR_DROPPED,
        ),
    ),
    subject="registration",
    sentence="{leg}'s REGISTER got {observed}, expected {expected}",
    on="an agent that registers",
    holds="every REGISTER is answered 200",
)
