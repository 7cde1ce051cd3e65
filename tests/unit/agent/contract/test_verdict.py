"""The closed lists of words."""

import pytest

from agent.contract.verdict import Check, Finding, Reason, Result, Role, result_of

FAILED = {
    "RegistrationRejected", "RegistrationTimeout", "SipCodeMismatch", "NoResponse", "NoAnswer", "AnsweredElsewhere",
    "CallDropped", "ByeUnanswered", "ByeMissing", "DtmfMismatch", "DtmfNotNegotiated", "DtmfOtherMethod",
    "DtmfNotEnded", "DtmfCutShort", "NoRtp", "MediaStopped", "TooFewPackets", "UnnegotiatedPayload", "PacketLoss",
    "Jitter", "NoAudio", "WrongAudio", "UnexpectedAudio",
}  # fmt: skip


@pytest.mark.parametrize("reason", Reason)
def test_only_what_was_measured_and_broken_is_failed(reason):
    finding = Finding(call="pin", number=0, endpoint=0, leg=Role.CALLER, check=Check.RUN, reason=reason)

    assert (finding.result is Result.FAILED) == (reason.value in FAILED)
    assert finding.result is result_of(reason)
    assert finding.result is not Result.PASSED


def test_there_are_three_verdict_words():
    assert [result.value for result in Result] == ["Passed", "Failed", "Inconclusive"]
