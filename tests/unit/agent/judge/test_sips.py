"""The checks sips and addressFamily."""

import pytest

from agent.contract.verdict import Check, Reason, Result
from tests.unit.agent.judge.wire import callee, caller, rtp, verdict
from tests.unit.sip_messages import sdp

SIPS = {"group__to": "sips:bob@example.com"}
V6 = "[2001:db8::7]:4000"


def found(*args, **changes):
    return [(finding.leg, finding.check, finding.reason) for finding in verdict(*args, **changes).findings]


def test_a_sips_call_whose_uris_are_all_sips_passes():
    assert verdict(caller(downgraded=()), callee(downgraded=()), **SIPS).result is Result.PASSED


@pytest.mark.parametrize("to", ["sips:bob@example.com", "SIPS:bob@example.com"])
def test_a_downgrade_at_either_end_is_failed(to):
    (finding,) = verdict(caller(downgraded=()), callee(downgraded=("INVITE sip:b@c", "x")), group__to=to).findings
    assert (finding.leg, finding.reason) == ("Callee", Reason.SIPS_DOWNGRADED)
    assert (finding.observed, finding.note) == ("INVITE sip:b@c", "x")
    assert found(caller(downgraded=("Contact sip:x in its 200",)), callee(downgraded=()), **SIPS) == [
        ("Caller", Check.SIPS, Reason.SIPS_DOWNGRADED)
    ]


def test_what_nobody_looked_at_is_not_measured():
    assert found(caller(downgraded=None), callee(downgraded=()), **SIPS) == [
        ("Caller", Check.SIPS, Reason.NOT_MEASURED)
    ]


def test_of_a_sip_call_nothing_is_asked():
    assert verdict(caller(downgraded=("INVITE sip:b@c",)), callee()).result is Result.PASSED


def test_a_callee_that_our_stack_kept_from_answering_says_why_the_call_was_no_sips_one():
    downgraded = callee(code=480, bye_sent=None, downgraded=("Contact sip:x in its INVITE",))
    assert found(caller(code=480, downgraded=()), downgraded, **SIPS)[0] == (
        "Callee", Check.SIPS, Reason.SIPS_DOWNGRADED,
    )  # fmt: skip


def by_ipv6(at: str) -> str:
    return sdp(at).replace("IP4 [2001:db8::7]", "IP6 2001:db8::7")


def test_an_answer_of_the_other_family_fails_the_call_whatever_our_stack_makes_of_it():
    ended = caller(answer=by_ipv6(V6), streams=(rtp(sent=True, packets=0),), bye_s=10.2, own_reason="488")
    assert found(ended, callee())[0] == ("Caller", Check.ADDRESS_FAMILY, Reason.ADDRESS_FAMILY_MISMATCH)
    worst = verdict(ended, callee())
    assert (worst.result, worst.reason) == (Result.FAILED, Reason.ADDRESS_FAMILY_MISMATCH)


def test_an_offer_of_the_other_family_that_our_callee_refused_is_no_fault_of_the_callees():
    refused = callee(code=500, bye_sent=None, offer=by_ipv6(V6))
    seen = verdict(caller(code=500), refused)
    assert (seen.result, seen.reason) == (Result.FAILED, Reason.ADDRESS_FAMILY_MISMATCH)
    (finding,) = [one for one in seen.findings if one.reason is Reason.ADDRESS_FAMILY_MISMATCH]
    assert (finding.leg, finding.observed, finding.expected) == ("Callee", V6, "an IPv4 address")
    assert Reason.SIP_CODE_MISMATCH not in [one.reason for one in seen.findings]
