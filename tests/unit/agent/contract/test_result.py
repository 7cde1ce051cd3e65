"""The result and the lines: always the right size, never believed when wrong."""

import hashlib
import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.contract.observation import LegObservation, SipMessage
from agent.contract.registration import RegistrationObservation
from agent.contract.result import (
    RESULT_BYTES,
    AgentResult,
    DetailDigest,
    KeptLine,
    ProgressLine,
    ResultError,
    decode_line,
    decode_result,
    detail_digest,
    encode_line,
    encode_result,
)
from agent.contract.verdict import Check, Finding, Reason, Role
from tests.unit.builders import RUN_UID, callee_leg, caller_leg, change, registration

GOLDEN = Path(__file__).parent / "golden"

FINDING = Finding(
    call="pin", number=4, endpoint=1, leg=Role.CALLEE, check=Check.DTMF, reason=Reason.DTMF_MISMATCH,
    expected="1234#", observed="124#", call_id="a@b", note="the caller sent 1234#",
)  # fmt: skip
RESULT = AgentResult(
    run_uid=RUN_UID,
    agent="caller-0",
    plan_sha256="0" * 64,
    final=True,
    legs=1,
    detail=DetailDigest(lines=2, sha256="1" * 64),
    findings=(FINDING,),
)
PROGRESS = ProgressLine(
    run_uid=RUN_UID, agent="caller-0", ready=1, done=0, active=2, ended=3, failed=1, address="10.0.0.9:5060"
)
LINES = {
    "leg.json": change(
        caller_leg(findings=(FINDING,)),
        messages=(SipMessage(at_ms=0.0, sent=True, peer="10.0.0.1:5060", text="INVITE sip:b@c.org SIP/2.0\r\n"),),
        evidence="pin-g1-0f5b3c4e/ep1/pin-4/Callee",
    ),
    "registration.json": registration(Role.CALLER),
    "progress.json": PROGRESS,
    "kept.json": KeptLine(
        role=Role.CALLEE,
        endpoint=1,
        index=4,
        messages=(SipMessage(at_ms=0.0, sent=False, peer="10.0.0.1:5060", text="BYE sip:b@c.org SIP/2.0\r\n"),),
        evidence="pin-g1-0f5b3c4e/ep1/leg-4-9cdf6a50/Callee",
        evidence_fault="no capture",
    ),
}  # fmt: skip


# the result


def test_the_result_on_the_wire_is_as_committed():
    golden = (GOLDEN / "result.json").read_bytes()

    assert json.loads(encode_result(RESULT)) == json.loads(golden)
    assert decode_result(golden) == RESULT


@pytest.mark.parametrize("count", [0, 1, 20, 500])
def test_a_result_is_exactly_as_long_as_the_kubelet_takes_it(count):
    raw = encode_result(change(RESULT, findings=(FINDING,) * count))

    assert len(raw) == RESULT_BYTES == 4000
    assert decode_result(raw).legs == 1


def test_findings_are_dropped_from_the_end_until_the_result_fits():
    findings = tuple(change(FINDING, number=number) for number in range(100))
    kept = decode_result(encode_result(change(RESULT, findings=findings))).findings

    assert 10 < len(kept) < 100
    assert kept == findings[: len(kept)]
    assert len(msgspec.json.encode(change(RESULT, findings=findings[: len(kept) + 1]))) > RESULT_BYTES


def test_a_result_that_can_never_fit_says_so():
    with pytest.raises(ResultError, match=r"result: 5\d+ bytes without findings, at most 4000"):
        encode_result(change(RESULT, agent="a" * 5000, findings=(FINDING,)))


texts = st.text(max_size=300)
findings = st.builds(
    Finding, call=texts, number=st.integers(0, 10**6), endpoint=st.integers(0, 99), leg=st.sampled_from(Role),
    check=st.sampled_from(Check), reason=st.sampled_from(Reason), note=st.none() | texts, observed=st.none() | texts,
)  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(st.lists(findings, max_size=20), st.booleans(), st.none() | findings)
def test_any_result_is_4000_bytes_and_read_as_written(found, final, error):
    result = change(RESULT, findings=tuple(found), final=final, error=error)
    raw = encode_result(result)
    read = decode_result(raw)

    assert len(raw) == RESULT_BYTES
    assert change(read, findings=()) == change(result, findings=())
    assert read.findings == result.findings[: len(read.findings)]


def _with(**changes: object) -> bytes:
    return json.dumps(json.loads(encode_result(RESULT)) | changes).encode()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" " * RESULT_BYTES,
        encode_result(RESULT)[:300],
        encode_result(RESULT).strip() * 2,
        _with(version="calltest.dev/result/v2"),
        _with(extra=1),
        _with(final="yes"),
        _with(findings=[{"reason": "Bored"}]),
        b"\xff",
    ],
)
def test_a_result_that_cannot_be_believed_is_refused(raw):
    with pytest.raises(ResultError, match="result: "):
        decode_result(raw)


# lines


@pytest.mark.parametrize("name", LINES)
def test_lines_on_the_wire_are_as_committed(name):
    golden = (GOLDEN / name).read_bytes()

    assert json.loads(encode_line(LINES[name])) == json.loads(golden)
    assert decode_line(golden) == LINES[name]


@pytest.mark.parametrize("line", [*LINES.values(), callee_leg(heard=None), caller_leg(received=None, sections=())])
def test_a_line_is_one_line_and_read_as_written(line):
    raw = encode_line(line)

    assert raw.count(b"\n") == 1
    assert raw.endswith(b"\n")
    assert decode_line(raw) == line


def test_what_was_not_measured_is_absent_on_the_wire_and_never_nought():
    raw = encode_line(caller_leg(received=None, final_code=None, rtt_ms=None))

    assert {"received", "finalCode", "rttMs"} & json.loads(raw).keys() == set()
    leg = decode_line(raw)
    assert isinstance(leg, LegObservation)
    assert (leg.received, leg.final_code, leg.rtt_ms) == (None, None, None)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"Traceback (most recent call last):",
        b'{"kind": "rumour"}',
        b'{"kind": "leg"}',
        encode_line(PROGRESS).replace(b'"ready":1', b'"ready":"1"'),
        encode_line(PROGRESS).replace(b'"ready":1', b'"ready":1,"extra":1'),
        encode_line(PROGRESS)[:-10],
        b'{"a":' + b"[" * 50_000,
        b"\xff",
    ],
)
def test_a_line_that_is_none_of_ours_is_refused(raw):
    with pytest.raises(ResultError, match="line: "):
        decode_line(raw)


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_garbage_is_a_result_error_and_nothing_else(raw):
    with pytest.raises(ResultError):
        decode_line(raw)
    with pytest.raises(ResultError):
        decode_result(raw)


# Any value of the types themselves, whatever fields they will have: what is written is what is read.

numbers = st.floats(allow_nan=False, allow_infinity=False)
st.register_type_strategy(float, numbers)


@settings(max_examples=15, deadline=None)
@given(st.from_type(LegObservation) | st.from_type(RegistrationObservation) | st.from_type(ProgressLine))
def test_any_line_is_read_as_written(line):
    assert decode_line(encode_line(line)) == line


def test_the_digest_is_over_lines_as_written():
    lines = [encode_line(line) for line in LINES.values()]

    assert detail_digest(lines) == DetailDigest(lines=4, sha256=hashlib.sha256(b"".join(lines)).hexdigest())
    assert detail_digest([]) == DetailDigest(lines=0, sha256=hashlib.sha256(b"").hexdigest())
