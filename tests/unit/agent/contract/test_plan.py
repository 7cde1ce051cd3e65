"""The plan and the signal: read strictly, or refused with the field at fault."""

import contextlib
import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.contract.plan import (
    MAX_PLAN_BYTES,
    Credentials,
    Evidence,
    Files,
    Keep,
    PlanError,
    Signal,
    Tls,
    call_key,
    decode_plan,
    decode_signal,
    for_endpoint,
    identity_code,
    plan_digest,
)
from agent.contract.verdict import Role
from tests.unit.builders import change, plan

GOLDEN = Path(__file__).parent / "golden"


def test_the_plan_on_the_wire_is_as_committed():
    its_plan = change(
        plan(),
        account__credentials=Credentials(directory="/secrets/sip", secret_name="sip-alice"),
        evidence=Evidence(keep=Keep.ON_FAILURE, directory="/evidence"),
        tls=Tls(server_name="sip.example.com", ca=Files(directory="/secrets/ca", secret_name="sut-ca")),
    )
    golden = (GOLDEN / "plan.json").read_bytes()

    assert json.loads(its_plan.encode()) == json.loads(golden)
    assert decode_plan(golden) == its_plan


def test_equal_plans_are_equal_bytes():
    assert plan(Role.CALLEE).encode() == plan(Role.CALLEE).encode()
    assert decode_plan(plan(Role.CALLEE).encode()) == plan(Role.CALLEE)


def _with(**changes: object) -> bytes:
    return json.dumps(json.loads(plan().encode()) | changes).encode()


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (b"", "plan: "),
        (b"nonsense", "plan: "),
        (b"[]", "plan: Expected `object`"),
        (b"\xff\xfe", "plan: "),
        (_with(version="calltest.dev/plan/v1"), r"plan: .*`\$.version`"),
        (_with(extra=1), "plan: .*unknown field `extra`"),
        (_with(role="Listener"), r"plan: .*`\$.role`"),
        (_with(deadlineS="soon"), r"plan: .*`\$.deadlineS`"),
        (b'{"version": "calltest.dev/plan/v2"}', "plan: .*missing required field"),
    ],
)
def test_a_plan_that_cannot_be_used_names_its_fault(raw, fault):
    with pytest.raises(PlanError, match=fault):
        decode_plan(raw)


def test_a_plan_beyond_its_size_is_refused_before_it_is_read():
    with pytest.raises(PlanError, match=f"plan: {MAX_PLAN_BYTES + 1} bytes, at most {MAX_PLAN_BYTES}"):
        decode_plan(b" " * (MAX_PLAN_BYTES + 1))


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_garbage_is_a_plan_error_and_nothing_else(raw):
    with pytest.raises(PlanError):
        decode_plan(raw)
    if raw.strip():
        with contextlib.suppress(PlanError):
            decode_signal(raw)


def test_the_digest_is_over_the_bytes_as_read():
    assert plan_digest(b"{} ") == hashlib.sha256(b"{} ").hexdigest()


def test_a_signal_that_is_not_there_yet_is_the_first_one():
    assert decode_signal(b"") == decode_signal(b" \n") == Signal(prepare=0, go=-1, peer_address=None, stop=False)


@settings(max_examples=25, deadline=None)
@given(
    st.builds(
        Signal,
        prepare=st.integers(0, 99),
        go=st.integers(-1, 99),
        peer_address=st.none() | st.text(),
        stop=st.booleans(),
    )
)
def test_a_signal_is_read_as_written(signal):
    assert decode_signal(signal.encode()) == signal


@pytest.mark.parametrize("raw", [b"{", b'{"go": "now"}', b'{"halt": true}', b"\xff", b'{"peerAddress": "\xff"}'])
def test_a_signal_that_cannot_be_used_says_so(raw):
    with pytest.raises(PlanError, match="signal: "):
        decode_signal(raw)


def test_an_endpoint_has_its_index_in_the_uri():
    assert for_endpoint("sip:bob-{endpoint}@e{endpoint}.example.com", 7) == "sip:bob-7@e7.example.com"
    assert for_endpoint("sip:bob@example.com", 7) == "sip:bob@example.com"


def test_a_call_is_named_by_run_endpoint_name_and_number():
    assert call_key("uid", 1, "pin", 4) == "uid/1/pin/4"


def test_the_code_of_a_call_is_24_bits_of_its_names_hash():
    key = call_key("uid", 1, "pin", 4)

    assert identity_code(key) == int(hashlib.sha256(key.encode()).hexdigest()[:6], 16)


@settings(max_examples=25, deadline=None)
@given(st.text())
def test_every_code_fits_24_bits(key):
    assert 0 <= identity_code(key) < 1 << 24
