"""Which of several findings a reader sees first."""

import random

import pytest

from agent.contract.verdict import Check, Finding, Reason, Result, Role
from agent.judge.rank import result_of_findings, worst_first
from agent.judge.reasons import CAUSES_FIRST
from tests.unit.builders import change


def finding(
    reason: Reason, *, endpoint: int = 0, call: str = "pin", number: int = 0, leg: Role = Role.CALLER
) -> Finding:
    return Finding(call=call, number=number, endpoint=endpoint, leg=leg, check=Check.DTMF, reason=reason)


def test_every_reason_has_its_place_once():
    assert sorted(row.reason for row in CAUSES_FIRST) == sorted(Reason)


def test_what_failed_comes_before_what_was_not_measured():
    results = [row.result for row in CAUSES_FIRST]

    assert results == sorted(results, key=lambda result: result is not Result.FAILED)


@pytest.mark.parametrize(
    ("cause", "consequence"),
    [
        (Reason.REGISTRATION_REJECTED, Reason.SIP_CODE_MISMATCH),
        (Reason.CODEC_NOT_OFFERED, Reason.CODEC_REFUSED),
        (Reason.ANSWERED_ELSEWHERE, Reason.WRONG_AUDIO),
        (Reason.CALL_DROPPED, Reason.TOO_FEW_PACKETS),
        (Reason.NO_RTP, Reason.NO_AUDIO),
        (Reason.NO_RTP, Reason.DTMF_MISMATCH),
        (Reason.PACKET_LOSS, Reason.TOO_FEW_PACKETS),
        (Reason.PACKET_LOSS, Reason.DTMF_MISMATCH),
        (Reason.WRONG_AUDIO, Reason.DTMF_MISMATCH),
        (Reason.ABORTED, Reason.AGENT_OVERLOADED),
        (Reason.DTMF_NOT_NEGOTIATED, Reason.DTMF_MISMATCH),
        (Reason.DTMF_MISMATCH, Reason.BYE_MISSING),
        (Reason.JITTER, Reason.AGENT_LOST),
        (Reason.AGENT_LOST, Reason.PEER_LOST),
        (Reason.AGENT_OVERLOADED, Reason.PEER_LOST),
        (Reason.ABORTED, Reason.NOT_MEASURED),
    ],
)
def test_a_cause_comes_before_its_consequence(cause, consequence):
    assert worst_first([finding(consequence), finding(cause)])[0].reason is cause


def test_equal_reasons_come_by_endpoint_call_number_and_callee_first():
    ordered = [
        finding(Reason.NO_RTP, leg=Role.CALLEE),
        finding(Reason.NO_RTP),
        finding(Reason.NO_RTP, number=2),
        finding(Reason.NO_RTP, number=10),
        finding(Reason.NO_RTP, call="zip"),
        finding(Reason.NO_RTP, endpoint=1, call="a"),
    ]

    assert list(worst_first(random.sample(ordered, len(ordered)))) == ordered


def test_every_check_has_its_place():
    assert len(worst_first([change(finding(Reason.NO_RTP), check=check) for check in Check])) == len(Check)


def test_the_check_that_is_about_the_reason_comes_before_those_that_suffer_from_it():
    about, suffering = (change(finding(Reason.NO_RTP), check=check) for check in (Check.RTP_PACKETS, Check.AUDIO))

    assert worst_first([suffering, about])[0] is about


def test_no_finding_is_passed():
    assert result_of_findings([]) is Result.PASSED


def test_failed_beats_inconclusive():
    assert result_of_findings([finding(Reason.NOT_MEASURED)]) is Result.INCONCLUSIVE
    assert result_of_findings([finding(Reason.NOT_MEASURED), finding(Reason.NO_RTP)]) is Result.FAILED
