"""Reasons: each is one check's, stands for one result, and is said by no other check."""

import ast
from pathlib import Path

import pytest

from agent.contract.verdict import Check, Reason, Result
from agent.judge.checks import RULES, run
from agent.judge.reasons import result_of

FAILED = {
    "RegistrationRejected", "RegistrationTimeout", "SipCodeMismatch", "NoResponse", "NoAnswer", "AnsweredElsewhere",
    "CallDropped", "ByeUnanswered", "ByeMissing", "DtmfMismatch", "DtmfNotNegotiated", "DtmfOtherMethod",
    "DtmfNotEnded", "DtmfCutShort", "NoRtp", "MediaStopped", "TooFewPackets", "UnnegotiatedPayload", "PacketLoss",
    "InvalidAnswer", "AckMissing", "ByeRejected", "Jitter", "NoAudio", "WrongAudio", "UnexpectedAudio",
    "MediaGap", "UnsignalledSource", "Looped",
}  # fmt: skip
CHECKS = Path(run.__file__).parent


@pytest.mark.parametrize("reason", Reason)
def test_only_what_was_measured_and_broken_is_failed(reason):
    assert result_of(reason) is (Result.FAILED if reason.value in FAILED else Result.INCONCLUSIVE)


def test_every_check_has_one_file_and_every_reason_one_check():
    assert sorted(rule.check for rule in RULES) == sorted(Check)
    assert sorted(row.reason for rule in RULES for row in rule.rows) == sorted(Reason)


def _gives(path: Path) -> set[str]:
    """Names of the reasons that a check's findings are made with."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    made = {"finding", "_found", "_failed", "inconclusive", "_undelivered"}
    return {
        arg.attr
        for call in calls
        if getattr(call.func, "attr", getattr(call.func, "id", None)) in made
        for arg in ast.walk(call)
        if isinstance(arg, ast.Attribute) and getattr(arg.value, "id", None) == "Reason"
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.check)
def test_a_check_gives_its_own_reasons_and_those_that_any_may_give(rule):
    path = next(path for path in CHECKS.glob("*.py") if f"check=Check.{rule.check.name}," in path.read_text())
    own = {row.reason.name for row in (*rule.rows, *run.RULE.rows)}

    assert _gives(path) <= own
