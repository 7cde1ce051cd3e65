"""What a message says in a header, in whichever of its forms."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.sip.fields import MAX_CHARS, MAX_LINES, field_of, long_name, one_spaced, split_list, written_alike

START = "INVITE sip:bob@example.com SIP/2.0\r\n"


def said(lines: str, name: str) -> tuple[str, ...]:
    return field_of(START + lines + "\r\n\r\nX-Body: no header\r\n", name).lines


@pytest.mark.parametrize(
    ("lines", "name", "found"),
    [
        ("X-A: b", "x-a", ("b",)),
        ("x-a:b", "X-A", ("b",)),
        ("X-A  :  b  ", "X-A", ("b",)),
        ("X-A:", "X-A", ("",)),
        ("X-AB: b", "X-A", ()),
        ("X-A: b\r\nTo: c\r\nx-A: d", "X-A", ("b", "d")),
        ("X-A: b\r\n c\r\n\td", "X-A", ("b c d",)),
        ("X-A:\r\n b", "X-A", ("b",)),
        ("To: x\r\n X-A: folded, and no header", "X-A", ()),
        ("no colon\r\nX-A: b", "X-A", ("b",)),
        ("no colon\r\n folded\r\nX-A: b", "X-A", ("b",)),
        (" folded, of no header\r\nX-A: b", "X-A", ("b",)),
        ("v: SIP/2.0/UDP a", "Via", ("SIP/2.0/UDP a",)),
        ("Via: SIP/2.0/UDP a", "V", ("SIP/2.0/UDP a",)),
        ("s: hello\r\nSubject: world", "subject", ("hello", "world")),
        ("x: 1800\r\ny: id\r\nu: a", "Session-Expires", ("1800",)),
        ("X-Body: a", "X-Body", ("a",)),
    ],
)
def test_a_header_is_found_in_any_case_and_form_and_folded(lines, name, found):
    assert said(lines, name) == found


def test_bare_newlines_and_empty_lines_before_a_message_are_read_too():
    assert field_of("\r\n\r\n" + START.replace("\r", "") + "X-A: b\nX-C: d\n\n", "x-c").lines == ("d",)


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("a, b,c", ["a", "b", "c"]),
        ("a,,b, ", ["a", "b"]),
        ("", []),
        ('"Doe, John" <sip:a@b>, <sip:c@d;x=1,2>', ['"Doe, John" <sip:a@b>', "<sip:c@d;x=1,2>"]),
        (r'"a\",b", c', [r'"a\",b"', "c"]),
        (r'"a\\", c', [r'"a\\"', "c"]),
        ('"never closed, a', ['"never closed, a']),
        ("<never closed, a", ["<never closed, a"]),
        ('<a"b>, c', ['<a"b>', "c"]),
    ],
)
def test_a_list_is_split_where_its_grammar_says_so(line, values):
    assert split_list(line) == values


def test_of_a_list_each_value_counts_and_of_other_headers_each_line():
    text = START + "Via: a, b\r\nVia: c\r\nSubject: a, b\r\nX-List: a, b\r\n\r\n"
    via, subject = field_of(text, "v"), field_of(text, "Subject")
    assert via.values == ("a", "b", "c")
    assert via.readings == ("a, b", "c", "a", "b", "a, b, c")
    assert subject.values == subject.readings == ("a, b",)
    assert field_of(text, "X-List").values == ("a, b",)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (START + "X-A: b\r\n\r\n", True),
        (START + "X-A: b\r\n", False),
        (START + "X-A: b", False),
        (START + "X-A: b\r\n" + "Y: z\r\n" * (MAX_LINES - 1) + "\r\n", True),
        (START + "X-A: b\r\n" + "Y: z\r\n" * MAX_LINES + "\r\n", False),
    ],
)
def test_a_head_that_was_not_read_to_its_end_says_so(text, whole):
    assert (field_of(text, "X-A").lines, field_of(text, "X-A").whole) == (("b",), whole)


def test_a_line_that_is_too_long_is_no_value_and_known_to_be_there():
    text = START + f"X-A: {'a' * MAX_CHARS}\r\nX-A: {'b' * MAX_CHARS}b\r\nX-A: c\r\n\r\n"
    field = field_of(text, "X-A")
    assert field.lines == ("a" * MAX_CHARS, "c")
    assert field.cut == ("b" * MAX_CHARS,)


def test_a_message_that_is_none_has_no_headers():
    assert field_of("", "To").lines == ()
    assert not field_of("", "To").whole


@given(st.text(max_size=200), st.sampled_from(["Via", "X-A", "", ":"]))
@example('INVITE\r\nVia: "\\', "Via")
def test_whatever_a_peer_sent_is_read(text, name):
    field = field_of(text, name)
    assert all("\n" not in value for value in field.readings)


@given(st.lists(st.text(alphabet='ab<>" \\', max_size=6).filter(str.strip), max_size=5))
def test_what_is_split_can_be_joined_again(parts):
    line = ",".join(parts)
    assert [one_spaced(value) for value in split_list(", ".join(split_list(line)))] == [
        one_spaced(value) for value in split_list(line)
    ]


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("sip:bob@Example.COM", "SIP:bob@example.com", True),
        ("sip:Bob@example.com", "sip:bob@example.com", False),
        ("sip:bob@example.com;Transport=tcp", "sip:bob@example.com;transport=tcp", False),
        ("sip:bob@example.com:5060", "sip:bob@example.com", False),
        ("sip:EXAMPLE.com;x=A@b", "sip:EXAMPLE.com;x=A@B", True),
        ("SIP:Example.com", "sip:example.com", True),
        ("no uri", "no uri", True),
        ("no uri", "No uri", False),
    ],
)
def test_uris_are_alike_but_for_the_case_of_scheme_and_host(one, other, alike):
    assert written_alike(one, other) is alike


def test_names_have_a_long_form():
    assert [long_name(name) for name in ("V", "via", " VIA ", "z")] == ["via", "via", "via", "z"]
