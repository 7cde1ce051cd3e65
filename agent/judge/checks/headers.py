"""headers: messages that a leg received have, or lack, the headers that a test asks for (RFC 3261 §7.3)."""

from collections.abc import Collection
from typing import Final

from agent.contract.call import Call
from agent.contract.expect import ExpectLeg
from agent.contract.headers import SentOn, headers_on
from agent.contract.messages import ExpectHeader, Found, Message
from agent.contract.observation import Side
from agent.contract.steps import Steps
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import CheckRule, Impossible, Row
from agent.judge.checks.messages import answers, never, wanted
from agent.judge.ends import CallEnds, peer_of
from agent.judge.findings import inconclusive, noted
from agent.judge.words import listed
from agent.sip.fields import long_name

REASONS: Final = {
    Found.MISSING: Reason.HEADER_MISSING,
    Found.UNEXPECTED: Reason.HEADER_UNEXPECTED,
    Found.OTHER: Reason.HEADER_MISMATCH,
}


def _asked(expect: ExpectLeg) -> str | None:
    return listed(dict.fromkeys(wanted(header) for header in expect.headers)) or None


def _impossible(call: Call, _: Steps | None) -> Impossible | None:
    expect = call.expect
    return never(call, "headers", expect.caller.headers, expect.callee.headers)


def _leg(leg: CallLeg) -> list[Finding]:
    return [
        leg.finding(
            Check.HEADERS,
            Reason.NOT_MEASURED if answer.looked is None else REASONS.get(answer.looked.found, Reason.NOT_MEASURED),
            expected=answer.expected,
            observed=answer.observed,
            note=answer.note,
        )
        for answer in answers(leg, leg.expect.headers)
    ]


SENT_ON: Final = {
    Message.INVITE: (SentOn.INVITE,),
    Message.BYE: (SentOn.BYE,),
    Message.PROVISIONAL: (SentOn.RESPONSES,),
    Message.FINAL: (SentOn.RESPONSES, SentOn.ANSWER),
}
"""As what our agent at the other end sends it, where it does."""


def _attribute(ends: CallEnds, finding: Finding) -> Finding:
    """A header that our own agent at the other end was to send, and did not, was not lost on the way (truth rule 3)."""
    receiver, sender = ends.leg(finding.leg), ends.leg(peer_of(finding.leg))
    asked = None if receiver is None else _which(receiver, finding)
    sent_on = SENT_ON.get(asked.message, ()) if asked else ()
    if asked is None or not sent_on or not ends.declared or finding.reason is Reason.HEADER_UNEXPECTED:
        return finding
    role, name = peer_of(finding.leg), long_name(asked.name)
    ours = _is_ours(ends, role, sent_on, name)
    if sender is None:
        gone = ends.gone(role)
        return finding if gone is None or ours is False else inconclusive(finding, Reason.PEER_LOST, gone.note)
    if any(f"{message} {name}" in sender.leg.unsent for message in sent_on):
        return inconclusive(finding, Reason.AGENT_ERROR, f"the {role.lower()} agent did not send it")
    if not ours:
        return finding
    if asked.message is Message.BYE and not _hung_up(sender):
        return inconclusive(finding, Reason.NOT_MEASURED, f"the {role.lower()}, which was to send it, sent no BYE")
    return noted(finding, f"the {role.lower()} sent it")


def _which(receiver: CallLeg, finding: Finding) -> ExpectHeader | None:
    """What a finding is about: it is named by its words."""
    asked = (each for each in receiver.expect.headers if wanted(each, receiver.call.endpoint) == finding.expected)
    return next(asked, None)


def _is_ours(ends: CallEnds, role: Role, sent_on: Collection[SentOn], name: str) -> bool | None:
    """Our agent at the other end was to send it; None: not known here, for what a callee sends is in its own plan."""
    if role is Role.CALLEE:
        return None
    call = ends.call
    sent = headers_on(call.endpoint, call.plan.account.headers, call.group.caller.headers)
    return any(long_name(header.name) == name for message in sent_on for header in sent.get(message, ()))


def _hung_up(leg: CallLeg) -> bool:
    return leg.bye is not None and (leg.bye.by is Side.LOCAL or leg.bye.crossed)


RULE: Final = CheckRule(
    check=Check.HEADERS,
    asked=_asked,
    impossible=_impossible,
    leg=_leg,
    attribute=_attribute,
    outcome=True,
    rows=(
        Row(
            reason=Reason.HEADER_MISSING,
            meaning="a message lacks a header that the test asks for, or has it less often than asked",
            seen="The message that `headers` names came, all of it was read, and the header is not in it, in whichever "
            "case, compact form or line, or not so often as `count` says. The note says whether our agent at the other "
            "end sent it.",
            usually="The SUT takes headers away that it does not know (a B2BUA, topology hiding, `remove_hf`), or does "
            "not add it on this route; or it adds it to other messages than this one.",
            look="The message in the run's detail; the same one before and after each hop; whether the header is added "
            "or removed in that route of the SUT's configuration.",
        ),
        Row(
            reason=Reason.HEADER_UNEXPECTED,
            meaning="a message has a header that the test forbids, or has it more often than asked",
            seen="The message has a header that must not be there (`present: false`), or more of its lines, or of a "
            "list its values, than `count` says. The observed values are quoted.",
            usually="Something inside is shown outside: identities, routes, software names; or a header is added once "
            "for each time that the message passes (`append_hf` in a route that is taken twice).",
            look="Which hop adds it: the message before and after each; the SUT's rules of what it passes on.",
        ),
        Row(
            reason=Reason.HEADER_MISMATCH,
            meaning="none of a header's values is what the test asks for",
            seen="The header is there, and neither one of its lines nor, of a list, one of its values or all of them "
            "together equals or matches what the test says. The observed values are quoted.",
            usually="The SUT rewrites it (number normalisation, identities, hosts of its own), another tenant's rule "
            "was taken, or the expression says more than it should.",
            look="The value before the SUT, in what the other end sent; the rule that rewrites it; the expression, "
            "with `calltest run` against a SUT that is known to be right.",
        ),
    ),
    subject="headers",
    sentence="{leg} got {observed}, expected {expected}",
    on="both legs",
    asked_by="`expect.<leg>.headers`",
    holds="the message came, and its header is there, absent, equal, matching or as often as asked",
)
