"""Which runs may not be under way at once: a call to a URI that two of them register reaches the wrong one. Pure."""

import re
from dataclasses import dataclass

from agent.contract.plan import for_endpoint
from controller.api.parties import Route
from controller.api.test import CallTestSpec
from controller.plan.cause import PlanningError
from controller.plan.identities import parse_identity
from controller.plan.registering import caller_registers

_MARK = 987_654_321
"""An endpoint that no run has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What a run does with URIs while it is under way."""

    registers: frozenset[str]
    """URIs that its agents register, as the test writes them (`{endpoint}` may be in them)."""
    expects: frozenset[str]
    """Those of them that calls are expected at: another one's binding there takes some of them away."""


def uses(test: CallTestSpec) -> Uses:
    """Of a test's URIs. One that is refused later (PlanningError) is no use of any."""
    expects = {test.callee.uri} if test.callee is not None and test.callee.route is Route.REGISTER else set[str]()
    registers = expects | ({test.caller.uri} if caller_registers(test) else set())
    return Uses(registers=frozenset(registers), expects=frozenset(expects))


def shared(one: Uses, other: Uses) -> str | None:
    """A URI of `one` for which it cannot run beside `other`; None: it can."""
    for mine, theirs in ((one.expects, other.registers), (one.registers, other.expects)):
        for uri in sorted(mine):
            if any(_may_be_the_same(uri, held) for held in theirs):
                return uri
    return None


def _may_be_the_same(one: str, other: str) -> bool:
    """Whether two URIs are one address of record, for some endpoint."""
    try:
        first, second = (parse_identity(uri, "").address_of_record for uri in (one, other))
    except PlanningError:
        return False
    return first == second or _covers(one, second) or _covers(other, first)


def _covers(template: str, address_of_record: str) -> bool:
    """Whether a template gives this address of record for some endpoint."""
    if "{endpoint}" not in template:
        return False
    parts = parse_identity(for_endpoint(template, _MARK), "").address_of_record.split(str(_MARK))
    return re.fullmatch("[0-9]+".join(re.escape(part) for part in parts), address_of_record) is not None
