"""provisional: the 1xx responses that a test asks for came before the final one, in its order."""

from typing import Final

from agent.contract.expect import Expect
from agent.contract.outcome import is_of
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import CheckRule, Row
from agent.judge.checks.ringing import no_ringing, untold
from agent.judge.ends import CallEnds
from agent.judge.overload import Excuse
from agent.judge.words import listed
from agent.sip.transactions import MAX_HEARD


def _asked(expect: Expect) -> str | None:
    return listed(map(str, expect.provisional), "then") or None


def _leg(leg: CallLeg) -> list[Finding]:
    """An ordered subsequence of what came, in whatever early dialogs (RFC 3261 §13.2.2.1)."""
    expect, came = leg.call.group.expect, leg.leg.asked.provisional
    if leg.leg.role is Role.CALLEE or first_missing(expect.provisional, came) is None:
        return []
    expected, observed = _asked(expect), listed(map(str, came)) or "no 1xx"
    cut = f"no more than {MAX_HEARD} are told" if len(came) >= MAX_HEARD else untold(leg)
    if cut is not None:
        return [leg.finding(Check.PROVISIONAL, Reason.NOT_MEASURED, expected=expected, observed=observed, note=cut)]
    return [leg.finding(Check.PROVISIONAL, Reason.PROVISIONAL_MISSING, expected=expected, observed=observed)]


def first_missing(expected: tuple[int | str, ...], came: tuple[int, ...]) -> int | str | None:
    """The first that did not come, or not after those before it; None: all did."""
    left = iter(came)
    return next((wanted for wanted in expected if not any(is_of(wanted, code) for code in left)), None)


def _attribute(ends: CallEnds, finding: Finding) -> Finding:
    """What rings behind the SUT is our callee."""
    if ends.caller is None or ends.callee is None:
        return finding
    missing = first_missing(ends.call.group.expect.provisional, ends.caller.leg.asked.provisional)
    sent = ends.callee.leg.asked.provisional
    if missing in (RINGING, f"{RINGING // 10}x") and not any(is_of(f"{RINGING // 10}x", code) for code in sent):
        return no_ringing(finding, ends.callee)
    return finding


RINGING: Final = 180

RULE: Final = CheckRule(
    check=Check.PROVISIONAL,
    asked_of_call=_asked,
    leg=_leg,
    attribute=_attribute,
    outcome=True,
    shared=True,
    rows=(
        Row(
            reason=Reason.PROVISIONAL_MISSING,
            meaning="a provisional response of `expect.provisional` did not come, or not in that order",
            seen="The 1xx responses to the caller's INVITE, of all its tries and all early dialogs, in the order in "
            "which they came. Retransmissions of reliable ones (RFC 3262) do not count again.",
            usually="100: it is the next hop's, and one that answers within 200 ms need not send it (RFC 3261 "
            "§17.2.1). 180 for 183, or the other way round: a gateway that plays the ringing tone itself. None at "
            "all: the SUT answers by itself, or a B2BUA keeps what comes from behind it.",
            look="What the SUT got from behind it and what it passed on; where unreliable ones are lost on the way, "
            "100rel.",
            excused_by=frozenset({Excuse.DROPPED}),
        ),
    ),
    subject="provisional responses",
    sentence="{leg} got {observed}, expected {expected}",
    on="the caller",
    asked_by="`provisional`",
    holds="these 1xx responses come before the final one, in this order",
)
