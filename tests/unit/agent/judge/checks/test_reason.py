"""reason: what a refusal or BYE says of why (RFC 3326)."""

from typing import Any

import pytest

from agent.contract.expect import ExpectLeg
from agent.contract.outcome import EndedBy, ExpectReason
from agent.contract.verdict import Check, Reason
from agent.judge.checks import asked
from agent.judge.verdicts import CallVerdict
from agent.sip.reasons import Why, reasons_of
from tests.unit.agent.judge.test_reasons import NO_MEDIA
from tests.unit.agent.judge.wire import callee, caller, verdict

BUSY = ExpectReason(protocol="Q.850", cause=17)


def refused(why: str | None, wanted: ExpectReason = BUSY, **more: Any) -> CallVerdict:
    headers = {} if why is None else {"Reason": why}
    end = caller(code=486, ringing=False, refusal=headers | more)
    return verdict(
        end, None, **NO_MEDIA | {"callee_declared": False, "group__expect__caller": ExpectLeg(reason=wanted)},
        group__expect__sip_code=486,
    )  # fmt: skip


def reasons(found: CallVerdict) -> list[Reason]:
    return [finding.reason for finding in found.findings]


@pytest.mark.covers(
    "calls[].expect.<leg>.reason.protocol", "calls[].expect.<leg>.reason.cause", "calls[].expect.<leg>.reason.text"
)
@pytest.mark.parametrize(
    ("why", "wanted", "reason"),
    [
        ("Q.850;cause=17", BUSY, None),
        ('q.850 ; cause = 17 ; text="User busy"', BUSY, None),
        ('SIP;cause=486, Q.850;cause=17;text="a, b"', BUSY, None),
        ('Q.850;cause=17;text="User busy"', ExpectReason(protocol="Q.850", text="User busy"), None),
        ("Q.850;cause=99", ExpectReason(protocol="Q.850"), None),
        ("Q.850;cause=21", BUSY, Reason.REASON_MISMATCH),
        ('Q.850;cause=17;text="Busy"', ExpectReason(protocol="Q.850", cause=17, text="x"), Reason.REASON_MISMATCH),
        ("Q.850", BUSY, Reason.REASON_MISMATCH),
        ("SIP;cause=486", BUSY, Reason.REASON_MISSING),
        (None, BUSY, Reason.REASON_MISSING),
    ],
)
def test_one_of_the_reasons_of_a_refusal_is_the_one_that_is_expected(
    why: str | None, wanted: ExpectReason, reason: Reason | None
) -> None:
    assert reasons(refused(why, wanted)) == ([] if reason is None else [reason])


def test_what_came_is_said() -> None:
    [finding] = refused("Q.850;cause=21").findings
    assert (finding.check, finding.expected) == (Check.REASON, "Reason: Q.850;cause=17")
    assert finding.observed == "486 Busy Here with Reason: Q.850;cause=21"
    [finding] = refused("SIP;cause=486").findings
    assert finding.observed == "486 Busy Here without Reason of Q.850, but of SIP"


def test_headers_that_are_longer_than_is_kept_may_say_it() -> None:
    long = f'SIP;cause=486;text="{"x" * 150}", Q.850;cause=17'
    assert reasons(refused(long)) == [Reason.NOT_MEASURED]
    assert reasons(refused(f'Q.850;cause=17, SIP;text="{"x" * 150}"')) == []


def ended(wanted: ExpectReason, farewell: str = "") -> CallVerdict:
    """By the SUT, after two seconds; it answers itself."""
    asks = {"callee_declared": False, "group__expect__caller": ExpectLeg(reason=wanted)}
    end = caller(bye_s=12.0, bye_sent=False, farewell=farewell)
    return verdict(end, None, **NO_MEDIA | asks | {"group__expect__ended_by": EndedBy.SUT})


def test_the_bye_that_ends_a_leg_is_looked_at() -> None:
    clearing = ExpectReason(protocol="Q.850", cause=16)
    assert reasons(ended(clearing, "Reason: Q.850;cause=16\r\n")) == []
    assert reasons(ended(clearing, "Reason: Q.850;cause=31\r\n")) == [Reason.REASON_MISMATCH]
    assert reasons(ended(clearing)) == [Reason.REASON_MISSING]


def test_the_callee_has_the_bye_that_came_to_it() -> None:
    clearing = ExpectReason(protocol="SIP", cause=200)
    asks = NO_MEDIA | {"group__expect__callee": ExpectLeg(reason=clearing)}
    assert reasons(verdict(callee=callee(farewell="Reason: SIP;cause=200\r\n"), **asks)) == []
    assert reasons(verdict(**asks)) == [Reason.REASON_MISSING]
    own = verdict(callee=callee(bye_s=16.1, bye_sent=True), **asks)
    assert Reason.NOT_MEASURED in reasons(own)


def test_a_leg_that_was_ended_by_itself_was_told_nothing() -> None:
    asks = NO_MEDIA | {"callee_declared": False, "group__expect__caller": ExpectLeg(reason=BUSY)}
    assert reasons(verdict(caller(), None, **asks)) == [Reason.NOT_MEASURED]


@pytest.mark.parametrize(
    ("headers", "values"),
    [
        (['Reason: SIP;cause=200;text="Call completed elsewhere"'], [("SIP", 200, "Call completed elsewhere")]),
        (['reason:Q.850;cause=16;text="a \\"b\\", c"'], [("Q.850", 16, 'a "b", c')]),
        (["Reason: SIP, Q.850;Cause=1"], [("SIP", None, None), ("Q.850", 1, None)]),
        (["Reason: SIP;cause=x;text=p", "Reason: X;cause=99999999999"], [("SIP", None, "p"), ("X", None, None)]),
        (['Warning: 399 x "Reason: SIP"', "Reason: ", "Reason: ;cause=1"], []),
    ],
)  # fmt: skip
def test_reasons_are_read_as_rfc_3326_writes_them(headers: list[str], values: list[tuple[Any, ...]]) -> None:
    read = reasons_of(headers)
    assert read.values == tuple(Why(protocol=p, cause=cause, text=text) for p, cause, text in values)
    assert read.whole


def test_as_many_as_can_be_kept_may_be_more() -> None:
    assert not reasons_of(["Warning: 399 x"] * 4).whole


def test_what_is_asked_is_said() -> None:
    full = ExpectReason(protocol="Q.850", cause=17, text="User busy")
    assert asked(ExpectLeg(reason=full)) == {Check.REASON: 'Reason: Q.850;cause=17;text="User busy"'}
    assert asked(ExpectLeg(reason=ExpectReason(protocol="SIP"))) == {Check.REASON: "Reason: SIP"}
