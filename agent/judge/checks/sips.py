"""sips: a call to a `sips` URI is one at every hop that our agents see."""

from typing import Final

from agent.contract.verdict import Check, Finding, Reason
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import CheckRule, Row
from agent.judge.words import joined

SIPS: Final = "sips:"


def _leg(leg: CallLeg) -> list[Finding]:
    if (leg.call.group.to or "")[: len(SIPS)].lower() != SIPS:
        return []
    came = leg.leg.downgraded
    if came is None:
        note = "the URIs of its messages were not looked at"
        return [leg.finding(Check.SIPS, Reason.NOT_MEASURED, expected="sips URIs", note=note)]
    if not came:
        return []
    more = joined(*came[1:])
    return [leg.finding(Check.SIPS, Reason.SIPS_DOWNGRADED, expected="sips URIs", observed=came[0], note=more)]


RULE: Final = CheckRule(
    check=Check.SIPS,
    leg=_leg,
    outcome=True,
    rows=(
        Row(
            reason=Reason.SIPS_DOWNGRADED,
            meaning="a call to a sips URI went on as sip: TLS is not asked for on every hop any more",
            seen="`to` is a sips URI, and a message that came has a Request-URI or a Contact that is none: the call, "
            "or what follows in it, need not go over TLS everywhere any more (RFC 3261 §12.1.1, §26.2.2; RFC 5630 §5). "
            "An INVITE that the SUT sends by UDP or TCP never comes: our callee listens for TLS alone.",
            usually="The SUT rewrites the Request-URI to `sip:…;transport=tls`, or is a B2BUA that calls on with a sip "
            "URI of its own; or its Contact is a sip URI whatever it was asked for.",
            look="The line that is named, in the messages of this leg; where the SUT sets the Request-URI and Contact.",
        ),
    ),
    subject="sips URIs",
    sentence="{leg} got {observed}, expected {expected} alone",
    on="both legs",
    asked_by="a call whose `to` is a sips URI",
    holds="the Request-URI of each request that comes is a sips URI, and so is the Contact of INVITEs and their 2xx",
)
