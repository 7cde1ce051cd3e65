"""Digits by INFO are those that were taken: one for each press, however often and on however many hops it was sent."""

import pytest

from agent.contract.expect import DtmfMethod
from agent.trace.model import Trace
from tests.unit.agent.trace.dialogue import ALICE_RTP, BOB_RTP, Hop, media
from tests.unit.agent.trace.test_calls import PBX, traced
from tests.unit.agent.trace.test_warnings import codes

RELAY = "application/dtmf-relay"
MULTIPART = (
    "--x\r\nContent-Type: text/plain\r\n\r\n1\r\n"
    "--x\r\nContent-Type: application/dtmf-relay\r\n\r\nSignal=9\r\nDuration=100\r\n--x--\r\n"
)


def info(hop: Hop, at_s: float, cseq: int, code: int | None, body: str = "Signal=5", *, kind: str = RELAY) -> None:
    hop.request(at_s, "INFO", cseq, body=body, kind=kind)
    if code is not None:
        hop.response(at_s + 0.01, code, cseq, "INFO", phrase="Said")


def found(hop: Hop, *others: Hop) -> Trace:
    hop.set_up()
    speech = media(0.5, ALICE_RTP, BOB_RTP, count=100), media(0.5, BOB_RTP, ALICE_RTP, ssrc=2, count=100)
    return traced(hop.packets, *(other.packets for other in others), *speech)


def digits(trace: Trace) -> list[str]:
    return ["".join(digit.digit for digit in stream.digits) for stream in trace.streams]


def test_an_info_that_was_challenged_is_the_one_that_followed() -> None:
    hop = Hop()
    for n, key in enumerate("123"):
        info(hop, 1 + n / 5, 10 + 2 * n, 407, f"Signal={key}")
        info(hop, 1.1 + n / 5, 11 + 2 * n, 200, f"Signal={key}")
    trace = found(hop)
    assert digits(trace) == ["123", ""]
    assert codes(trace) == []
    assert {digit.call_id for stream in trace.streams for digit in stream.digits} == {"c1"}


@pytest.mark.parametrize("code", [415, 405, 481, 401, 503])
def test_one_that_was_refused_is_no_digit_and_its_answer_is_told(code: int) -> None:
    hop = Hop()
    info(hop, 1, 10, code)
    info(hop, 1.2, 20, code, "Signal=6")
    trace = found(hop)
    assert digits(trace) == ["", ""]
    [warning] = trace.warnings
    assert warning.message.startswith(f"call c1: INFOs with the digits 56 were refused ({code} Said)")


def test_one_whose_answer_was_not_captured_counts() -> None:
    hop = Hop()
    info(hop, 1, 10, None)
    info(hop, 1.2, 11, 100)
    assert digits(found(hop)) == ["55", ""]


def test_copies_and_hops_of_one_are_one_press_and_a_hop_that_failed_over_is_none() -> None:
    hop, onwards = Hop(), Hop(a=PBX)
    info(hop, 1, 10, 200)
    info(hop, 1.005, 10, 200)
    info(onwards, 1.001, 10, 503)
    assert digits(found(hop, onwards)) == ["5", ""]


@pytest.mark.parametrize(
    ("kind", "body", "key"),
    [
        ("application/dtmf", "7", "7"),
        ("audio/telephone-event", "\x0b\x8a\x03\x20", "#"),
        ("audio/telephone-event", "\r\x0a\x03\x20", "B"),
        ("audio/telephone-event", "4", "4"),
        ("application/vnd.nortelnetworks.digits", "p=Digit-Collection\r\ny=Digits\r\n\r\nd=Digits=8\r\n", "8"),
        ('multipart/mixed; boundary="x"', MULTIPART, "9"),
    ],
)
def test_every_way_to_write_one(kind: str, body: str, key: str) -> None:
    hop = Hop()
    info(hop, 1, 10, 200, body, kind=kind)
    assert digits(found(hop)) == [key, ""]


def test_what_is_no_digit_is_counted_by_its_type() -> None:
    hop = Hop()
    info(hop, 1, 10, 200, "<media_control/>", kind="application/media_control+xml")
    info(hop, 1.1, 11, 200, "<media_control/>", kind="application/media_control+xml")
    info(hop, 1.2, 12, 200, "Signal=hold")
    trace = found(hop)
    assert digits(trace) == ["", ""]
    assert [warning.message for warning in trace.warnings] == [
        "1 INFOs with a body of application/dtmf-relay: no digit that can be read",
        "2 INFOs with a body of application/media_control+xml: no digit that can be read",
    ]


def test_kpml_is_told_and_no_digit_of_the_call() -> None:
    hop = Hop()
    for n, key in enumerate("12"):
        body = f'<?xml version="1.0"?><kpml-response version="1.0" code="200" text="OK" digits="{key}"/>'
        hop.request(1 + n / 10, "NOTIFY", 10 + n, body=body, kind="application/kpml-response+xml", by_b=True)
    trace = found(hop)
    assert digits(trace) == ["", ""]
    assert [warning.message for warning in trace.warnings] == [
        "2 KPML reports (RFC 4730) told the digits 12: they are not among those of the calls"
    ]


def test_the_called_side_presses_too_and_the_stream_is_the_one_of_that_time() -> None:
    hop = Hop()
    hop.request(1.5, "INFO", 3, body="Signal=1", kind=RELAY, by_b=True)
    hop.set_up()
    trace = traced(hop.packets, media(0.5, BOB_RTP, ALICE_RTP), media(1.2, BOB_RTP, ALICE_RTP, ssrc=2, first=200))
    assert digits(trace) == ["", "1"]
    assert trace.streams[1].digits[0].method is DtmfMethod.INFO
