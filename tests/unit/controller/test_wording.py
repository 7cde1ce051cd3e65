"""What people read about a finding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.verdict import Check, Finding, Reason, Role
from controller.api.run import Endpoint
from controller.wording import located, plain, sentence


def finding(check: Check = Check.DTMF, reason: Reason = Reason.DTMF_MISMATCH, **changes) -> Finding:
    fields = {"expected": "1234#", "observed": "124#"} | changes
    return Finding(call="pin", number=4, endpoint=1, leg=Role.CALLEE, check=check, reason=reason, **fields)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (finding(), 'callee received "124#", expected "1234#"'),
        (finding(observed="none"), 'callee received none, expected "1234#"'),
        (finding(note="no telephone-event"), 'callee received "124#", expected "1234#" (no telephone-event)'),
        (
            finding(Check.ANSWERED, Reason.SIP_CODE_MISMATCH, observed="503 Busy", expected="200"),
            "callee got 503 Busy, expected 200",
        ),
        (
            finding(Check.COMPLETED, Reason.CALL_DROPPED, observed="a BYE after 2 s", expected="one after 8 s"),
            "callee: a BYE after 2 s, expected one after 8 s",
        ),
        (
            finding(Check.AUDIO, Reason.AGENT_LOST, observed=None, note="its node is gone"),
            "callee's check audio: its node is gone",
        ),
        (finding(Check.AUDIO, Reason.NOT_MEASURED, observed=None), "callee's check audio: NotMeasured"),
        (
            finding(Check.RUN, Reason.AGENT_ERROR, expected=None, observed="port in use"),
            "callee's check run: port in use",
        ),
    ],
)
def test_a_finding_is_a_sentence(said, text):
    assert sentence(said) == text


@pytest.mark.parametrize(
    ("endpoint", "where"),
    [
        (Endpoint(index=1, address="10.244.1.7:5060", pod="kamailio-x2"), "kamailio-x2 (10.244.1.7:5060)"),
        (Endpoint(index=1, address="10.244.1.7:5060"), "10.244.1.7:5060"),
        (None, "endpoint 1"),
    ],
)
def test_it_is_said_where(endpoint, where):
    assert located(finding(), endpoint) == f'pin via {where}: callee received "124#", expected "1234#"'


@given(st.text(), st.integers(1, 60))
def test_text_from_the_network_becomes_one_short_printable_line(text, limit):
    safe = plain(text, limit)
    assert safe.isprintable()
    assert len(safe) <= limit


def test_text_that_fits_is_kept():
    assert plain("Busy  Here\r\n", 20) == "Busy Here"
    assert plain("a\x00b\x1b[31m", 20) == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}[31m"
    assert plain("x" * 21, 20) == "x" * 19 + "…"
