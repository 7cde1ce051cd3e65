"""binding: the 200 to a REGISTER lists the agent's own binding, and no more others than there may be."""

from typing import Final

from agent.contract.plan import Plan
from agent.contract.registration import Bindings, RegistrationObservation
from agent.contract.verdict import Check, Reason
from agent.judge.checks.check import CheckRule, Fault, Row
from agent.judge.words import MANY, listed, many


def _bound(plan: Plan, seen: RegistrationObservation) -> list[Fault]:
    found = seen.bindings
    if found is None:
        return []
    faults = []
    if found.own is None:
        faults.append(Fault(reason=Reason.NOT_MEASURED, expected="the agent's own", note=MANY))
    elif not found.own:
        observed = f"only {_named(found)}" if found.others else "no binding"
        faults.append(Fault(reason=Reason.BINDING_MISSING, expected="the agent's own", observed=observed))
    most = plan.account.registration.expect.max_bindings
    if most is not None and _count(found) > most:
        observed = f"{many(_count(found), 'binding')}, {_named(found)} beside the agent's"
        faults.append(Fault(reason=Reason.STRAY_BINDING, expected=f"{most} at most", observed=observed))
    elif most is not None and not found.whole:
        faults.append(Fault(reason=Reason.NOT_MEASURED, expected=f"{most} at most", note=MANY))
    return faults


def _count(found: Bindings) -> int:
    """At least."""
    return bool(found.own) + len(found.others) + found.others_left_out


def _named(found: Bindings) -> str:
    more = f" and {found.others_left_out} more" if found.others_left_out else ""
    return f"{listed(found.others)}{more}"


def _others(seen: RegistrationObservation) -> list[str]:
    """A call to this URI is forked to all of them."""
    found = seen.bindings
    if found is None or not found.others:
        return []
    return [f"the {seen.role.lower()}'s URI has other bindings too: {_named(found)}"]


RULE: Final = CheckRule(
    check=Check.BINDING,
    registration=_bound,
    registration_notes=_others,
    rows=(
        Row(
            reason=Reason.BINDING_MISSING,
            meaning="a 200 to REGISTER does not list the agent's Contact: it is not registered (RFC 3261 §10.3)",
            seen="A 2xx to an agent's REGISTER, or to a refresh, that has no Contact with the user, host and port of "
            "the one that was asked for, or has it with `expires=0`, or without and `Expires: 0`. RFC 3261 §10.3, step "
            "8, has it list all bindings.",
            usually="A SUT that answers 200 and stores nothing, an element before the registrar that rewrites the "
            "Contact and does not write it back, or a limit of bindings that drops the newest.",
            look="The registrar's table for this URI; the Contact of the 200 in the messages of the registration.",
        ),
        Row(
            reason=Reason.STRAY_BINDING,
            meaning="the URI has more bindings than the test allows (`maxBindings`)",
            seen="A 2xx to an agent's REGISTER lists Contacts beside its own.",
            usually="A phone, or another test, that registers the same URI; bindings of agents that were killed and "
            "have not run out. Calls to the URI are forked to all of them, or taken by another.",
            look="Who has the Contacts that the message names; the registrar's `max_contacts`, and whether it lets a "
            "new binding replace the old one.",
        ),
    ),
    subject="bindings",
    sentence="the 200 to the {leg}'s REGISTER lists {observed}, expected {expected}",
    on="an agent that registers",
    asked_by="always; of other bindings `registration.expect.maxBindings`",
    holds="every 200 to its REGISTER lists its own Contact, and not more others than there may be",
)
