"""requestUri: requests that a leg received have the Request-URI that a test asks for (RFC 3261 §8.1.1.1)."""

from typing import Final

from agent.contract.call import Call
from agent.contract.expect import ExpectLeg
from agent.contract.messages import Found
from agent.contract.steps import Steps
from agent.contract.verdict import Check, Finding, Reason
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import CheckRule, Impossible, Row
from agent.judge.checks.messages import answers, never, wanted
from agent.judge.words import listed


def _asked(expect: ExpectLeg) -> str | None:
    return listed(dict.fromkeys(wanted(uri) for uri in expect.request_uris)) or None


def _impossible(call: Call, _: Steps | None) -> Impossible | None:
    expect = call.expect
    return never(call, "requestUris", expect.caller.request_uris, expect.callee.request_uris)


def _leg(leg: CallLeg) -> list[Finding]:
    return [
        leg.finding(
            Check.REQUEST_URI,
            Reason.REQUEST_URI_MISMATCH
            if answer.looked is not None and answer.looked.found is Found.OTHER
            else Reason.NOT_MEASURED,
            expected=answer.expected,
            observed=answer.observed,
            note=answer.note,
        )
        for answer in answers(leg, leg.expect.request_uris)
    ]


RULE: Final = CheckRule(
    check=Check.REQUEST_URI,
    asked=_asked,
    impossible=_impossible,
    leg=_leg,
    outcome=True,
    rows=(
        Row(
            reason=Reason.REQUEST_URI_MISMATCH,
            meaning="a request has another Request-URI than the test asks for",
            seen="The request that `requestUris` names came, and its Request-URI neither equals nor matches what the "
            "test says. The observed one is quoted.",
            usually="INVITE: number normalisation or a dial plan that rewrites user or host, or the Contact of a "
            "registration where the dialled address is expected. ACK and BYE: a proxy or B2BUA that changes the "
            "Contact, or strict routing (RFC 3261 §12.2.1.1).",
            look="The request in the run's detail; the SUT's rewriting rules for this number; the Contact that was "
            "given in the dialog.",
        ),
    ),
    subject="Request-URI",
    sentence="{leg} got {observed}, expected {expected}",
    on="both legs",
    asked_by="`expect.<leg>.requestUris`",
    holds="the request came, and its Request-URI equals or matches what is asked",
)
