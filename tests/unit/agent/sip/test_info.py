"""A digit is what the body of an INFO names."""

import pytest

from agent.sip.info import InfoDigit, info_body, info_digit
from agent.sip.text import parse_head
from tests.unit.sip_messages import request


def read(body, kind="application/dtmf-relay", method="INFO"):
    text = request(method, extra=f"Content-Type: {kind}\r\n", body=body)
    head = parse_head(text)
    assert head is not None
    return info_digit(head, text)


@pytest.mark.parametrize(
    ("body", "kind", "digit", "duration_ms"),
    [
        ("Signal=5\r\nDuration=160\r\n", "application/dtmf-relay", "5", 160),
        ("Signal= *\nDuration = 90", "Application/DTMF-Relay; x=y", "*", 90),
        ("Signal=a", "application/dtmf-relay", "A", None),
        ("Signal=11", "application/dtmf-relay", "#", None),
        ("7", "application/dtmf", "7", None),
        (" 10\r\n", "application/dtmf", "*", None),
        ("Signal=5\r\nDuration=x", "application/dtmf", "5", None),
    ],
)
def test_both_kinds_of_body_name_a_digit(body, kind, digit, duration_ms):
    kind_ = kind.partition(";")[0].lower()
    assert read(body, kind) == InfoDigit(digit=digit, duration_ms=duration_ms, kind=kind_)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("5", "application/dtmf-relay"),
        ("", "application/dtmf"),
        ("Signal=16", "application/dtmf-relay"),
        ("Signal=X", "application/dtmf-relay"),
        ("12", "text/plain"),
        ("Signal=²", "application/dtmf-relay"),
    ],
)
def test_what_names_none_is_none(body, kind):
    assert read(body, kind) is None


def test_only_an_info_brings_digits():
    assert read("Signal=5", method="MESSAGE") is None


@pytest.mark.parametrize(("kind", "duration_ms"), [("application/dtmf-relay", 100), ("application/dtmf", None)])
def test_what_is_written_is_read(kind, duration_ms):
    assert read(info_body(kind, "#", 100), kind) == InfoDigit(digit="#", duration_ms=duration_ms, kind=kind)
