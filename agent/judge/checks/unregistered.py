"""unregistered: the agent's binding was taken back when it asked for that."""

from typing import Final

from agent.contract.plan import Plan
from agent.contract.registration import Leaving, RegistrationObservation
from agent.contract.verdict import Check, Reason
from agent.judge.checks.check import LATE_OR_DROPPED, CheckRule, Fault, Row
from agent.judge.checks.connection import crossed
from agent.judge.words import MANY, beyond_us, challenged, joined, often, spoken

EXPECTED: Final = "200 without its binding"


def _unregistered(_: Plan, seen: RegistrationObservation) -> list[Fault]:
    """RFC 3261 §10.2.2, §10.3: at the end of the endpoint's calls."""
    leaving = seen.leaving
    if leaving is None or (leaving.code is not None and leaving.code < 300 and leaving.bound is False):
        return []
    if (ours := _ours(seen, leaving)) is not None:
        return [Fault(reason=Reason.NOT_MEASURED, expected=EXPECTED, note=ours)]
    asked = leaving.asked
    said = "no final response" if leaving.code is None else spoken(leaving.code, leaving.phrase)
    note = joined(
        f"sent {often(asked.times)} to {asked.peer}" if leaving.code is None and asked.peer is not None else None,
        challenged(leaving.code, asked),
        *asked.why,
    )
    observed = f"{said} that lists it still" if leaving.bound else said
    trouble = leaving.trouble if leaving.code is None else None  # whoever was late: that came
    failed = Reason.UNREGISTER_FAILED
    return [Fault(reason=failed, expected=EXPECTED, observed=observed, note=note, trouble=trouble)]


def _ours(seen: RegistrationObservation, leaving: Leaving) -> str | None:
    """What is not the registrar's doing."""
    if not leaving.sent:
        return "the REGISTER that takes the binding back did not leave the agent"
    if leaving.asked.unanswerable is not None:
        return beyond_us(leaving.asked.unanswerable)
    if leaving.bound is None:
        return MANY
    if leaving.unfinished:
        return "its answer was not waited for to the end"
    if leaving.code is None and crossed(seen.connections, "REGISTER"):
        return "it and the end of its connection may have crossed: then nobody has read it"
    return None


RULE: Final = CheckRule(
    check=Check.UNREGISTERED,
    registration=_unregistered,
    rows=(
        Row(
            reason=Reason.UNREGISTER_FAILED,
            meaning="the registrar did not take the agent's binding back at the end",
            seen="The REGISTER with `Expires: 0`, after the last call, got a final response other than 2xx, none in 32 "
            "s (Timer F), or a 2xx that lists the agent's Contact still (RFC 3261 §10.2.2, §10.3).",
            usually="A SUT that answers every REGISTER alike, without a registrar behind it; one that refuses what "
            "asks for less than its minimum (423 is not for 0: RFC 3261 §10.3); or it has ended.",
            look="The registrar's handling of `Expires: 0`; the messages of the registration. Calls to the URI go to "
            "an address where nobody is until the binding runs out.",
            excused_by=LATE_OR_DROPPED,
        ),
    ),
    subject="unregistering",
    sentence="the {leg}'s REGISTER with Expires: 0 got {observed}, expected {expected}",
    on="an agent that registers",
    holds="the REGISTER that takes its binding back is answered 200, and the binding is gone",
)
