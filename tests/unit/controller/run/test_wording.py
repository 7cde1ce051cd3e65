"""What people read about a finding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.verdict import Check, Finding, Reason, Role
from controller.api.reference import DOCS
from controller.api.run import Endpoint
from controller.run.wording import ended_of, located, passed_of, reference, sentence
from controller.text import plain


def finding(check: Check = Check.DTMF, reason: Reason = Reason.DTMF_MISMATCH, **changes) -> Finding:
    fields = {"expected": "1234#", "observed": "124#"} | changes
    return Finding(call="pin", number=4, endpoint=1, leg=Role.CALLEE, check=check, reason=reason, **fields)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (finding(), 'callee received "124#", expected "1234#"'),
        (finding(observed="no digits"), 'callee received no digits, expected "1234#"'),
        (finding(note="no telephone-event"), 'callee received "124#", expected "1234#"; no telephone-event'),
        (
            finding(Check.ANSWERED, Reason.SIP_CODE_MISMATCH, observed="503 Busy", expected="200"),
            "callee got 503 Busy, expected 200",
        ),
        (
            finding(Check.COMPLETED, Reason.CALL_DROPPED, observed="a BYE after 2 s", expected="one after 8 s"),
            "callee got a BYE after 2 s, expected one after 8 s",
        ),
        (
            finding(Check.AUDIO, Reason.AGENT_LOST, observed=None, note="its node is gone"),
            "callee's received audio not judged: its node is gone",
        ),
        (
            finding(
                Check.RTP_LOSS, Reason.AGENT_OVERLOADED, observed="3 %", expected="at most 1 %", note="it was late"
            ),
            "callee lost 3 %, expected at most 1 %; inconclusive: it was late",
        ),
        (
            finding(Check.RTP_LOSS, Reason.NOT_MEASURED, observed="3 %", expected="at most 1 %"),
            "callee lost 3 %, expected at most 1 %; inconclusive: a fact that a check needs is not known",
        ),
        (
            finding(Check.AUDIO, Reason.NOT_MEASURED, observed=None),
            "callee's received audio not judged: a fact that a check needs is not known",
        ),
        (
            finding(Check.RUN, Reason.AGENT_ERROR, expected=None, observed="port in use"),
            "callee agent: port in use",
        ),
    ],
)
def test_a_finding_is_a_sentence(said, text):
    assert sentence(said) == text


def test_a_reason_names_its_section_of_the_reference():
    text = (DOCS / "reasons.md").read_text()
    sections = {line.removeprefix("## ").lower() for line in text.splitlines() if line.startswith("## ")}
    assert {reference(reason) for reason in Reason} == {f"docs/reasons.md#{name}" for name in sections}


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


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ((20, 20, 0, 0), "20 of 20 calls passed"),
        ((0, 0, 0, 0), "no calls"),
        ((20, 18, 2, 0), "18 of 20 calls passed, 2 failed"),
        ((20, 0, 0, 20), "0 of 20 calls passed, 20 inconclusive"),
        ((20, 15, 2, 3), "15 of 20 calls passed, 2 failed, 3 inconclusive"),
    ],
)
def test_what_a_finished_run_s_calls_came_to_adds_up(counts: tuple[int, ...], text: str) -> None:
    planned, passed, failed, inconclusive = counts
    assert passed_of(planned, passed=passed, failed=failed, inconclusive=inconclusive) == text


def test_what_is_under_way_has_ended_and_not_passed() -> None:
    assert ended_of(0, ended=0, failed=0) == "no calls"
    assert ended_of(20, ended=7, failed=0) == "7 of 20 calls ended"
    assert ended_of(20, ended=7, failed=2) == "7 of 20 calls ended, 2 with a fault"
