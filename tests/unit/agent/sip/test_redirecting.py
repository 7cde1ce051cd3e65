"""Which contacts of a 3xx are called."""

import re

import pytest

from agent.sip.bindings import MAX_BINDINGS
from agent.sip.dialling import same_uri
from agent.sip.redirecting import MAX_FOLLOWED, Redirects
from tests.unit.sip_messages import response

NETWORKS = ("10.0.0.0/24", "192.0.2.7")


def redirects(*contacts: str, allow_dial: str | None = None, code: int = 302) -> Redirects:
    made = Redirects(allow_dial=None if allow_dial is None else re.compile(allow_dial), networks=NETWORKS)
    made.came(moved(*contacts, code=code))
    return made


def moved(*contacts: str, code: int = 302) -> str:
    return response(code, extra="".join(f"Contact: <{contact}>\r\n" for contact in contacts))


@pytest.mark.parametrize(
    ("contact", "target"),
    [
        ("sip:carol@example.com", "sip:carol@example.com"),
        ("sip:carol@example.com:5070;transport=udp", "<sip:carol@example.com>"),
        ("sip:carol@EXAMPLE.com", '"Carol" <sip:carol@example.com>'),
        ("sip:carol@10.0.0.9:5080", "sip:carol@10.0.0.9"),
        ("sip:carol@192.0.2.7", "sip:carol@192.0.2.7"),
        ("sip:%63arol@example.com", "sip:carol@example.com"),
        ("sip:example.com", "sip:example.com"),
        ("sip:1000;x=y@example.com", "sip:1000;x=y@example.com"),
    ],
)
def test_a_contact_that_the_test_might_have_called_is_called(contact: str, target: str) -> None:
    made = redirects("sip:other@example.com", contact, allow_dial="1000")
    assert made.why_not(target) is None
    assert made.followed == 1


@pytest.mark.parametrize(
    ("contact", "target", "why"),
    [
        ("sip:carol@example.com?X-A=1", "sip:carol@example.com", "no password, "),
        ("sip:carol:secret@example.com", "sip:carol:secret@example.com", "no password, "),
        ("sip:carol@example.com;maddr=10.9.9.9", "sip:carol@example.com", "maddr is not allowed"),
        ("sip:+4930123456@example.com", "sip:+4930123456@example.com", "looks like a phone number"),
        ("sip:112@example.com", "sip:112@example.com", "is an emergency number"),
        ("sip:carol@10.9.9.9", "sip:carol@10.9.9.9", "may not send there"),
        ("sip:" + "c" * 300 + "@x", "sip:" + "c" * 300 + "@x", "more than 255 characters"),
        ("sip:carol@example.com", "sip:dave@example.com", "which contact that is was not found"),
        ("sip:carol@example.com", "sip:carol@example.org", "which contact that is was not found"),
        ("sip:carol@", "sip:carol@", "no password, "),
        ("sips:carol@example.com", "sips:carol@example.com", "not over TLS"),
    ],
)
def test_one_that_it_might_not_is_not_and_why_is_said(contact: str, target: str, why: str) -> None:
    made = redirects(contact)
    assert why in (made.why_not(target) or "")
    assert made.followed == 0


def test_a_number_is_called_where_the_operator_permits_it() -> None:
    number = "sip:+4930123456@example.com"
    assert redirects(number, allow_dial=r"\+4930[0-9]{6}").why_not(number) is None


def test_of_two_that_it_may_be_both_must_be_callable() -> None:
    made = redirects("sip:carol@example.com", "sip:carol@example.com:5070?X=1")
    assert "no password, " in (made.why_not("sip:carol@example.com") or "")


def test_a_contact_that_it_may_be_is_looked_for_in_all_of_the_3xx() -> None:
    """Behind others, in long headers, and where only our SIP stack sees a line's end."""
    target, hidden = "sip:carol@example.com", "<sip:carol@example.com;maddr=10.9.9.9>"
    others = ", ".join(f'"{"x" * 200}" <sip:user{place}@example.com>' for place in range(20))
    for extra in (f"Contact: {others}, {hidden}\r\n", f"m: {others},\r\n {hidden}\r\n", f"X: y\rContact: {hidden}\r\n"):
        made = redirects(target)
        made.came(response(302, extra=extra))
        assert "maddr is not allowed" in (made.why_not(target) or "")


@pytest.mark.parametrize("text", [moved(*["sip:carol@example.com"] * (MAX_BINDINGS + 1)), "SIP/2.0 302 Moved\r\n\r\n"])
def test_nothing_is_called_where_not_all_of_a_3xx_can_be_read(text: str) -> None:
    made = redirects("sip:carol@example.com")
    made.came(text)
    assert "not all of the 3xx could be read" in (made.why_not("sip:carol@example.com") or "")
    assert redirects(*["sip:carol@example.com"] * MAX_BINDINGS).why_not("sip:carol@example.com") is None


@pytest.mark.parametrize("code", [305, 380])
def test_what_is_no_other_target_is_not_called_in_its_place(code: int) -> None:
    made = redirects("sip:carol@example.com", code=code)
    assert f"of a {code} it is" in (made.why_not("sip:carol@example.com") or "")


def test_contacts_of_a_302_are_called_whatever_another_3xx_named() -> None:
    made = redirects("sip:carol@example.com", "sip:dave@example.com")
    made.came(moved("sip:proxy@example.com", code=305))
    assert made.why_not("sip:dave@example.com") is None
    assert "of a 305" in (made.why_not("sip:proxy@example.com") or "")


def test_contacts_of_other_responses_are_no_targets() -> None:
    made = redirects("sip:carol@example.com")
    made.came("")
    made.came(moved("sip:dave@example.com", code=480))
    assert "was not found" in (made.why_not("sip:dave@example.com") or "")
    assert made.why_not("sip:carol@example.com") is None


def test_five_are_called_and_no_more() -> None:
    contacts = [f"sip:user{letter}@example.com" for letter in "abcdefg"]
    made = redirects(*contacts)
    told = [made.why_not(contact) for contact in contacts]
    assert told[:MAX_FOLLOWED] == [None] * MAX_FOLLOWED
    assert all("after 5 of them" in (why or "") for why in told[MAX_FOLLOWED:])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("sip:bob@example.com", "sip:bob@EXAMPLE.com", True),
        ("sip:%62ob@example.com", "sip:bob@example.com", True),
        ("sip:bob@example.com", "sip:Bob@example.com", False),
        ("sip:bob@example.com", "sip:bob@example.com:5060", False),
        ("sip:bob@example.com;transport=udp", "sip:bob@example.com", False),
        ("sip:bob@example.com;transport=udp", "sip:bob@example.com;transport=UDP", True),
        ("sip:bob@example.com;newparam=5", "sip:bob@example.com", True),
        ("sip:bob@example.com;newparam=5", "sip:bob@example.com;newparam=6", False),
        ("tel:+49", "tel:+49", True),
        ("sips:bob@example.com", "sip:bob@example.com", False),
        ("tel:+49", "sip:+49@x", False),
    ],
)
def test_uris_are_the_same_as_rfc_3261_19_1_4_has_it(one: str, other: str, same: bool) -> None:  # noqa: FBT001
    assert same_uri(one, other) is same
    assert same_uri(other, one) is same


def test_a_sips_contact_is_called_over_tls() -> None:
    made = redirects("sips:carol@example.com")
    made.secure = True
    assert made.why_not("sips:carol@example.com") is None


def test_an_ipv6_address_is_one_that_the_agent_may_send_to_or_not() -> None:
    made = Redirects(allow_dial=None, networks=("2001:db8::/64",))
    made.came(moved("sip:carol@[2001:db8::7]:5080", "sip:carol@[2001:db8:1::7]"))
    assert made.why_not("sip:carol@[2001:db8::7]") is None
    assert "may not send there" in (made.why_not("sip:carol@[2001:db8:1::7]") or "")
