"""Headers that agents send: what is not to be set, and what goes on which message."""

import re

import pytest

from agent.contract.headers import (
    HEADER_NAME_PATTERN,
    RESERVED,
    VALUE_PATTERN,
    CallHeader,
    Header,
    PlannedHeader,
    SentOn,
    headers_on,
    reserved,
    value_of,
)
from agent.sip.text import COMPACT


@pytest.mark.parametrize(
    ("name", "owned"),
    [
        ("Via", "Via"), ("VIA", "Via"), ("v", "Via"), ("V", "Via"), ("call-id", "Call-ID"), ("I", "Call-ID"),
        ("content-type", "Content-Type"), ("L", "Content-Length"),
        ("Content-Transfer-Encoding", "Content-Transfer-Encoding"),
        ("x-calltest-anything", "x-calltest-anything"), ("X", "Session-Expires"),
        ("Proxy-authorization", "Proxy-Authorization"),
        ("User-Agent", "User-Agent"),
        ("X-Tenant", None), ("Subject", None), ("s", None), ("Reason", None), ("X-Via", None), ("Supported", None),
        ("P-Asserted-Identity", None),
    ],
)  # fmt: skip
def test_what_the_agent_writes_itself_is_not_to_be_set_in_no_case_or_compact_form(name, owned):
    assert reserved(name) == owned


def test_compact_forms_are_those_of_the_registry():
    assert {short: name.lower() for name, short in RESERVED.items() if short}.items() <= COMPACT.items()


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        (HEADER_NAME_PATTERN, "X-Tenant", True),
        (HEADER_NAME_PATTERN, "!%*_+`'~.9", True),
        (HEADER_NAME_PATTERN, "X Tenant", False),
        (HEADER_NAME_PATTERN, "X-Tenant:", False),
        (HEADER_NAME_PATTERN, "ü", False),
        (VALUE_PATTERN, "a b, <c>", True),
        (VALUE_PATTERN, "é", True),
        (VALUE_PATTERN, " a", False),
        (VALUE_PATTERN, "a ", False),
        (VALUE_PATTERN, "a\r\nVia: b", False),
        (VALUE_PATTERN, "a\x7fb", False),
    ],
)
def test_a_name_is_a_token_and_a_value_one_line(pattern, text, fits):
    assert bool(re.search(pattern, text)) is fits


OWN = (
    PlannedHeader(name="X-Tenant", value="blue", messages=(SentOn.INVITE, SentOn.REGISTER)),
    PlannedHeader(name="X-Lane", value="lane {endpoint}", messages=(SentOn.INVITE,)),
)


def told(sent):
    return {message: [(header.name, header.value) for header in headers] for message, headers in sent.items()}


def test_a_call_has_its_partys_headers_but_those_that_it_has_itself():
    of_call = (
        CallHeader(name="x-tenant", value="red"),
        CallHeader(name="x-tenant", value="green"),
        CallHeader(name="Reason", value="Q.850;cause=16", messages=("BYE", "CANCEL")),
    )
    assert told(headers_on(3, OWN, of_call)) == {
        SentOn.INVITE: [("X-Lane", "lane 3"), ("x-tenant", "red"), ("x-tenant", "green")],
        SentOn.CANCEL: [("Reason", "Q.850;cause=16")],
        SentOn.BYE: [("Reason", "Q.850;cause=16")],
        SentOn.REGISTER: [("X-Tenant", "blue")],
    }
    assert told(headers_on(0, OWN)) == {
        SentOn.INVITE: [("X-Tenant", "blue"), ("X-Lane", "lane 0")],
        SentOn.REGISTER: [("X-Tenant", "blue")],
    }
    assert headers_on(0, ()) == {}


def test_what_goes_on_a_message_is_a_name_and_a_value():
    assert headers_on(0, OWN)[SentOn.REGISTER] == (Header(name="X-Tenant", value="blue"),)


def test_a_value_is_found_by_its_name():
    sent = headers_on(0, OWN)[SentOn.INVITE]
    assert (value_of(sent, "X-Lane"), value_of(sent, "x-lane")) == ("lane 0", None)
