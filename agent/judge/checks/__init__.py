"""The checks, a file each. A check is added by a file and its place in RULES; words: agent/contract/verdict.py."""

from collections.abc import Iterable, Mapping
from typing import Final

from agent.contract.expect import Expect, ExpectLeg
from agent.contract.verdict import Check
from agent.judge.checks import (
    address_family,
    answer,
    answer_time,
    answered,
    audio,
    auth,
    binding,
    codec,
    completed,
    connection,
    delivered,
    dtmf,
    ended,
    expiry,
    forking,
    headers,
    info,
    phrase,
    provisional,
    reason,
    redirected,
    refreshed,
    registered,
    request_uri,
    ringing,
    rtp_gap,
    rtp_jitter,
    rtp_loss,
    rtp_packets,
    rtp_source,
    run,
    sips,
    srtp,
    unregistered,
)
from agent.judge.checks.check import CheckRule

RULES: Final = (
    run.RULE,
    connection.RULE,
    registered.RULE,
    address_family.RULE,
    srtp.RULE,
    codec.RULE,
    binding.RULE,
    refreshed.RULE,
    answered.RULE,
    redirected.RULE,
    phrase.RULE,
    reason.RULE,
    provisional.RULE,
    ringing.RULE,
    answer_time.RULE,
    answer.RULE,
    sips.RULE,
    delivered.RULE,
    forking.RULE,
    completed.RULE,
    ended.RULE,
    info.RULE,
    request_uri.RULE,
    headers.RULE,
    auth.RULE,
    expiry.RULE,
    unregistered.RULE,
    rtp_packets.RULE,
    rtp_source.RULE,
    rtp_loss.RULE,
    audio.RULE,
    dtmf.RULE,
    rtp_gap.RULE,
    rtp_jitter.RULE,
)
"""In the order in which they are said: a check before those that only suffer from what it is about. Signalling before
media, since a call that is not there has none; what stops packets before what packets carry: lost packets take audio
and digits along, lost digits take nothing along."""

RULE_OF: Final[Mapping[Check, CheckRule]] = {rule.check: rule for rule in RULES}
SIGNALLING_RULES: Final = tuple(rule for rule in RULES if not rule.media and rule.check is not Check.ANSWERED)
OUTCOME_RULES: Final = tuple(rule for rule in SIGNALLING_RULES if rule.outcome)
MEDIA_RULES: Final = tuple(rule for rule in RULES if rule.media)


def asked(expect: ExpectLeg, rules: Iterable[CheckRule] = RULES) -> dict[Check, str]:
    """The checks that a test asks of a leg, and what each expects."""
    texts = {rule.check: rule.asked(expect) for rule in rules}
    return {check: text for check, text in texts.items() if text is not None}


def asked_of_call(expect: Expect) -> dict[Check, str]:
    """The checks that a test asks of a call as a whole, and what each expects."""
    texts = {rule.check: rule.asked_of_call(expect) for rule in RULES}
    return {check: text for check, text in texts.items() if text is not None}
