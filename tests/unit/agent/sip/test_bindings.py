"""What a registrar lists, however it writes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sip.bindings import MAX_BINDINGS, Binding, bindings, expires_s, kept, same_place


def listed(*lines: str) -> list[tuple[str, int | None]]:
    head = "\r\n".join(("SIP/2.0 200 OK", *lines, "Content-Length: 0", "", "Contact: <sip:body@h>"))
    return [(one.uri, one.expires_s) for one in bindings(head)]


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([], []),
        (["Contact: <sip:a@h>"], [("sip:a@h", None)]),
        (["m: sip:a@h;expires=60"], [("sip:a@h", 60)]),
        (['CONTACT : <sip:a@h;ob;expires=7>;q=1;Expires = "60"'], [("sip:a@h;ob;expires=7", 60)]),
        (
            ["Contact: <sip:a@h>;expires=1, <sip:b@h>;expires=2", "m: <sip:c@h>"],
            [("sip:a@h", 1), ("sip:b@h", 2), ("sip:c@h", None)],
        ),
        (["Contact: <sip:a@h>;expires=1,", "  <sip:b@h>", "\t;expires=2"], [("sip:a@h", 1), ("sip:b@h", 2)]),
        (
            ['Contact: "A, <sip:x@y>" <sip:a@h;x="1,2">;+sip.instance="<urn:uuid:1>";expires=5'],
            [('sip:a@h;x="1,2"', 5)],
        ),
        (["Contact: *"], []),
    ],
)  # fmt: skip
def test_contacts_are_read_in_every_form(lines, found):
    assert listed(*lines) == found


def test_a_list_is_read_whole_however_long():
    many = ", ".join(f"<sip:user{n}@10.0.0.{n}:5060;transport=udp>;expires=300" for n in range(100))
    assert len(listed(f"Contact: {many}")) == 100
    assert len(listed(f"Contact: {', '.join(['<sip:a@h>'] * 1000)}")) == MAX_BINDINGS


@pytest.mark.parametrize(
    ("text", "seconds"), [("Expires: 60", 60), ("expires:0", 0), ("Expires: soon", None), ("X: 1", None)]
)
def test_expires_is_a_number_or_nothing(text, seconds):
    assert expires_s(f"SIP/2.0 200 OK\r\n{text}\r\n\r\n") == seconds


@pytest.mark.parametrize(
    ("expires", "held"),
    [
        ("Expires: 60", [("sip:a@h", 9), ("sip:b@h", 60)]),
        ("Expires: 0", [("sip:a@h", 9)]),
        ("X: 1", [("sip:a@h", 9), ("sip:b@h", None)]),
    ],
)
def test_a_binding_holds_on_for_what_its_parameter_says_else_its_message(expires, held):
    text = f"SIP/2.0 200 OK\r\nContact: <sip:a@h>;expires=9, <sip:b@h>, <sip:c@h>;expires=0\r\n{expires}\r\n\r\n"
    assert [(one.uri, one.expires_s) for one in kept(text)] == held


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("sip:a@10.0.0.9:4000", "sip:a@10.0.0.9:4000;ob;alias=1~2", True),
        ("sip:a@H:5060", "SIP:a@h", True),
        ("sip:%61@h;transport=tcp", "sip:a@h", True),
        ("sip:a@h;transport=TLS", "sip:a@h:5061", True),
        ("sips:a@h", "sip:a@h:5061", True),
        ("sip:a:secret@h", "sip:a@h", True),
        ("sip:h:5060", "sip:h", True),
        ("sip:a@[2001:db8::1]:5070", "sip:a@[2001:DB8::1]:5070", True),
        ("sip:a@h", "sip:A@h", False),
        ("sip:a@h:5070", "sip:a@h", False),
        ("sip:a@h", "sip:a@i", False),
        ("tel:+1", "tel:+1", False),
    ],
)
def test_a_binding_is_known_by_user_host_and_port(one, other, same):
    assert same_place(one, other) is same


@given(st.text(max_size=400))
def test_whatever_a_peer_sends_is_read_without_fault(text):
    assert all(isinstance(one, Binding) for one in bindings(f"SIP/2.0 200 OK\r\nContact: {text}\r\n\r\n"))
