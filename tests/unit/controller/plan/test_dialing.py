"""URIs that may be used, and numbers that may be dialled."""

import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.contract.verdict import Reason
from agent.sip.dialling import EMERGENCY_NUMBERS, SipUri, dialled_number
from controller.plan.cause import PlanningError
from controller.plan.identities import check_dial, parse_identity, parse_uri
from controller.plan.limits import Limits

EVERYTHING = Limits(allow_dial=re.compile(".*"))


def test_a_uri_is_taken_apart():
    assert parse_uri("sip:bob%2B1@Example.com:5070;user=phone;lr", "to") == SipUri(
        user="bob+1", host="Example.com", port=5070, parameters=(("user", "phone"), ("lr", ""))
    )


def test_identities_are_compared_as_the_rfc_says():
    assert (
        parse_uri("sip:bob@EXAMPLE.com", "a").address_of_record
        == parse_uri("sip:b%6Fb@example.com", "b").address_of_record
    )
    assert parse_uri("sip:Bob@x", "a").address_of_record != parse_uri("sip:bob@x", "b").address_of_record


@pytest.mark.parametrize(
    "text",
    [
        "sip:example.com",
        "sip:10.0.0.1",
        "sip:a@10.0.0.1:5060",
        "sip:*43@pbx",
        "sip:a;x=1@host",
        "sip:a@host;transport=UDP",
        "sip:a@host;transport=tcp",
        "sips:bob@example.com",
        "sip:bob@[2001:db8::1]",
        "sip:bob@[2001:DB8::1]:5070;transport=tcp",
    ],
)
def test_ordinary_uris_are_accepted(text):
    parse_uri(text, "to")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bob@example.com",
        "SIP:bob@example.com",
        "tel:+493012345",
        "sip:",
        "sip:@example.com",
        "sip:bob@",
        "sip:bob:secret@example.com",
        "sip:tel:+4930@example.com",
        "sip:bob@example.com?Subject=x",
        "sip:bob?x@example.com",
        "sip:bob@example.com\n",
        "sip:bob@example.com\r\nX-Header: y",
        "sip:b%0d%0aX:y@example.com",
        "sip:b%00@example.com",
        "sip:b%7f@example.com",
        "sip:b%C3%BC@example.com",
        "sip:b%zz@example.com",
        "sip:b ob@example.com",
        "<sip:bob@example.com>",
        "sip:bob@2001:db8::1",
        "sip:bob@[2001:db8::1",
        "sip:bob@[2001:db8:::1]",
        "sip:bob@[192.0.2.1]",
        "sip:bob@[fe80::1%25eth0]",
        "sip:bob@-x.com",
        "sip:bob@x..com",
        "sip:bob@x_y",
        "sip:bob@1.2.3",
        "sip:bob@1.2.3.999",
        "sip:bob@x:0",
        "sip:bob@x:65536",
        "sip:bob@x:999999",
        "sip:bob@x;maddr=192.0.2.1",
        "sip:bob@x;MADDR=192.0.2.1",
        "sip:bob@x;m%61ddr=192.0.2.1",
        "sip:bob@x;transport=sctp",
        "sip:bob@x;method=INVITE",
        "sip:bob@x;=y",
        "sip:bob@x;",
        "sip:bob{endpoint}@x",
    ],
)
def test_everything_else_is_refused_and_names_its_field(text):
    with pytest.raises(PlanningError) as error:
        parse_uri(text, "calls[0].to")
    assert error.value.cause.reason is Reason.INVALID_TEST
    assert error.value.cause.message.startswith("calls[0].to: ")


@given(st.text(max_size=40))
@example("sip:a@b\n")
def test_an_accepted_uri_never_has_a_character_that_could_end_a_header(text):
    for uri in (text, f"sip:{text}@x", f"sip:a@{text}", f"sip:a@x;{text}"):
        try:
            parsed = parse_uri(uri, "to")
        except PlanningError:
            continue
        assert uri.isascii()
        assert uri.isprintable()
        assert not set('<>"? \r\n') & set(uri)
        assert parsed.user.isprintable()


def test_an_identity_needs_a_user_and_may_name_the_endpoint():
    assert parse_identity("sip:bob{endpoint}@x", "callee.uri").user == "bob0"
    with pytest.raises(PlanningError, match="has no user"):
        parse_identity("sip:x", "callee.uri")


def spellings(number: str) -> list[str]:
    """Ways to write a number so that a SUT still dials it."""
    escaped = "".join(f"%{ord(digit):02X}" for digit in number)
    dashed = "-".join(number)
    return [
        f"sip:{number}@x",
        f"sip:+{number}@x",
        f"sip:{escaped}@x",
        f"sip:{dashed}@x",
        f"sip:({number[0]}){number[1:]}@x",
        f"sip:{'.'.join(number)}@x",
        f"sip:{number};phone-context=example.com@x",
        f"sip:{number}%3Bpostd=1@x",
        f"sip:{number},1@x",
        f"sip:{number}@x;user=phone",
        f"sip:{number}%23@x",
        f"sip:%2331%23{number}@x",
    ]


@pytest.mark.parametrize("number", sorted(EMERGENCY_NUMBERS))
def test_emergency_numbers_are_never_dialled_however_they_are_written(number):
    for text in spellings(number):
        with pytest.raises(PlanningError, match="emergency") as error:
            check_dial(text, "calls[0].to", EVERYTHING)
        assert error.value.cause.reason is Reason.NUMBER_NOT_ALLOWED


@pytest.mark.parametrize("text", spellings("4930123456"))
def test_phone_numbers_need_permission_however_they_are_written(text):
    with pytest.raises(PlanningError, match="--allow-dial") as error:
        check_dial(text, "calls[0].to", Limits())
    assert error.value.cause.reason is Reason.NUMBER_NOT_ALLOWED
    check_dial(text, "calls[0].to", EVERYTHING)


def test_permission_is_for_the_whole_number():
    limits = Limits(allow_dial=re.compile(r"\+4930123[0-9]{3}"))
    check_dial("sip:+49-30-123456@x", "to", limits)
    for number in ("+493012345678", "0+4930123456", "*67+4930123456", "4930123456"):
        with pytest.raises(PlanningError):
            check_dial(f"sip:{number}@x", "to", limits)


@pytest.mark.parametrize("user", ["bob", "100", "4711", "123456", "ivr-123456", "*98", "1001", "7070", "alexander"])
def test_names_and_extensions_need_no_permission(user):
    check_dial(f"sip:{user}@x", "to", Limits())


NEVER = (
    "0112", "9911", "*67911", "112*", "+49112", "9,911", "00112", "+112", "+1911", "0049112", "1911", "99112", "(9)911",
    "9-1-1", "%2331%23112", "*31%23112", "*67*911", "%2331112", "112%23", "112%23%23", "112*1", "112,1234", "9,,112",
    "9p911", "9w911",
    "%31%31%32", "%2B49112", "9%2C911", "112%23", "%2A67911", "112;phone-context=%2B49", "0112;postd=1",
    "1_1_2", "1~1~2", "+61000", "0%2F110",
)  # fmt: skip
NEED_PERMISSION = (
    "1900%2C5551234", "1234;phone-context=%2B19005551", "1234;phone-context=+1900555", "+1900FLOWERS", "1-800-FLOWERS",
    "+1900flowers", "12345678a", "ivr-1234567", "a1b2c3d4e5f6g7", "+4930123456", "004930123456", "0,004930123456",
    "*674930123456", "900;ext=1234567", "123-45-67", "1.2.3.4.5.6.7", "%2B4930123456",
    # A dial plan that strips what stands before would dial 000, 112, 911.
    "1000", "5112", "8911", "1000%23", "*1112", "20-00", "34911",
)  # fmt: skip


@pytest.mark.parametrize("user", NEVER)
def test_an_emergency_number_is_never_dialled_whatever_stands_around_it(user):
    with pytest.raises(PlanningError, match="is an emergency number: never dialled"):
        check_dial(f"sip:{user}@x", "to", EVERYTHING)


@pytest.mark.parametrize("user", NEED_PERMISSION)
def test_what_a_trunk_could_take_for_a_number_needs_permission(user):
    with pytest.raises(PlanningError, match="--allow-dial does not permit it"):
        check_dial(f"sip:{user}@x", "to", Limits())
    check_dial(f"sip:{user}@x", "to", EVERYTHING)


def test_a_phone_context_is_a_part_of_the_number_that_is_permitted():
    for text in ("sip:1234;phone-context=+4930@x", "sip:1234;phone-context=%2B4930@x"):
        with pytest.raises(PlanningError, match=re.escape("+49301234 ")):
            check_dial(text, "to", Limits(allow_dial=re.compile("1234")))


def test_an_extension_that_ends_like_an_emergency_number_can_be_permitted():
    check_dial("sip:1000@x", "to", Limits(allow_dial=re.compile("1[0-9]{3}")))


def test_what_is_escaped_twice_is_refused():
    with pytest.raises(PlanningError, match="escaped %"):
        parse_uri("sip:%2531%2531%2532@x", "to")


@given(st.text(string.digits, min_size=7, max_size=15), st.text("-.()", max_size=6))
def test_separators_never_hide_a_number(digits, separators):
    user = "".join(a + b for a, b in zip(digits, separators.ljust(len(digits), "-"), strict=False))
    assert dialled_number(parse_uri(f"sip:{user}@x", "to")) == digits
