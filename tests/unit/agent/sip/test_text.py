"""SIP text is read as RFC 3261 writes it, and malformed text is never more than None."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sip.text import MAX_HEADERS, MAX_PHRASE, MAX_VALUE, SipHead, blank_secrets, parse_head, printable
from tests.unit.sip_messages import KEYED_LINES

INVITE = (
    "INVITE sip:bob@example.com SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1;rport\r\n"
    'From: "Alice" <sip:alice@example.com>;tag=a1\r\n'
    "To: <sip:bob@example.com>\r\n"
    "Call-ID: abc@127.0.0.1\r\n"
    "CSeq: 7 INVITE\r\n"
    "X-Calltest-Call: uid/0/pin/3\r\n"
    "Content-Length: 0\r\n\r\nv=0\r\nX-In-Body: no\r\n"
)
NAMED = "Call-ID: 1\r\nCSeq: 2 INVITE\r\n"


def read(text: str) -> SipHead:
    head = parse_head(text)
    assert head is not None
    return head


def use(head: SipHead | None) -> None:
    """Touches everything that is computed when it is asked for."""
    if head:
        _ = (head.from_user, head.in_dialog, head.header("x"))


def test_a_request():
    head = read(INVITE)
    assert (head.method, head.code, head.phrase, head.uri) == ("INVITE", None, "", "sip:bob@example.com")
    assert (head.call_id, head.cseq, head.from_user) == ("abc@127.0.0.1", 7, "alice")
    assert head.header("x-CALLTEST-call") == "uid/0/pin/3"
    assert head.header("X-In-Body") is None
    assert not head.in_dialog


def test_a_response():
    head = read("SIP/2.0 486 Busy Here\r\nTo: <sip:b@c>;tag=9\r\n" + NAMED)
    assert (head.method, head.code, head.phrase, head.uri) == ("INVITE", 486, "Busy Here", "")
    assert head.in_dialog


@pytest.mark.parametrize("line", ["SIP/2.0 200", "SIP/2.0 200 ", "sip/2.0 200 \r"])
def test_a_response_may_have_no_phrase(line):
    head = read(f"{line}\r\n{NAMED}")
    assert (head.code, head.phrase) == (200, "")


def test_a_phrase_is_cut_so_that_findings_with_it_fit_the_result():
    assert read(f"SIP/2.0 486 {'x' * 60_000}\r\n{NAMED}").phrase == "x" * MAX_PHRASE


def test_compact_names_and_bare_newlines():
    head = read("BYE sip:x SIP/2.0\ni: 1\nf: sip:carol@h;tag=1\nt: <sip:b@c>;tag=2\nCSeq:9   BYE\n\n")
    assert (head.call_id, head.from_user, head.in_dialog, head.cseq) == ("1", "carol", True, 9)


def test_folded_lines_are_joined():
    head = read("OPTIONS sip:x SIP/2.0\r\n  stray fold\r\nCall-ID:\r\n a\r\n\tb\r\nCSeq: 1 OPTIONS\r\n\r\n")
    assert head.call_id == "a b"


def test_of_a_header_that_comes_twice_the_first_counts():
    assert read(f"BYE sip:x SIP/2.0\r\n{NAMED}Call-ID: other\r\n").call_id == "1"


@pytest.mark.parametrize(
    ("value", "user"),
    [
        ("<sip:alice@example.com>", "alice"),
        ("sip:alice@example.com;tag=1", "alice"),
        ('"sip:mallory@evil.example" <sip:alice@example.com>', "alice"),
        (r'"quote \" sip:m@e" <sips:alice@example.com>', "alice"),
        ("<sip:alice:secret@example.com>", "alice"),
        ("<sip:%61lice@example.com>", "alice"),
        ("<tel:+4930123;x=1>", "+4930123"),
        ("<sip:example.com>", None),
        ("<sip:example.com;x=a@b>", None),
        ("", None),
    ],
)
def test_the_user_of_from(value, user):
    assert read(f"INVITE sip:x SIP/2.0\r\n{NAMED}From: {value}\r\n\r\n").from_user == user


@pytest.mark.parametrize(
    "start",
    ["", "\r\n\r\n", "hello", "SIP/2.0 99 Low", "SIP/2.0 700 High", "SIP/3.0 200 OK", "INVITE sip:x", "HTTP/1.1 200"],
)
def test_what_is_no_sip_is_none(start):
    assert parse_head(f"{start}\r\n{NAMED}") is None


@pytest.mark.parametrize(
    "headers",
    [
        "",
        "Call-ID: 1\r\n",
        "CSeq: 1 INVITE\r\n",
        "Call-ID:\r\nCSeq: 1 INVITE\r\n",
        "Call-ID: 1\r\nCSeq: many INVITE\r\n",
        "Call-ID: 1\r\nCSeq: 12345678901 INVITE\r\n",
        "no colon here\r\n",
    ],
)
def test_without_call_id_and_cseq_it_belongs_to_nothing(headers):
    assert parse_head(f"INVITE sip:x SIP/2.0\r\n{headers}\r\n") is None


def test_absent_addresses_are_none():
    head = read(f"INVITE sip:x SIP/2.0\r\n{NAMED}\r\n")
    assert (head.from_user, head.in_dialog) == (None, False)


def test_a_flood_of_headers_is_cut():
    head = read("INVITE sip:x SIP/2.0\r\n" + NAMED + "A: b\r\n" * 100_000)
    assert len(head.headers) == MAX_HEADERS


def test_long_values_are_cut_and_cost_no_time():
    head = read(f"INVITE sip:x SIP/2.0\r\n{NAMED}From: " + '"sip:' * 50_000 + "\r\n sip:\r\nTo: " + ";tag" * 50_000)
    use(head)
    assert len(head.header("from") or "") == MAX_VALUE


@given(st.one_of(st.text(), st.text(alphabet='INVTE SIP/2.0:;<>"\\@=tagfom\r\n\t 1x').map(lambda t: INVITE + t)))
def test_no_text_raises(text):
    use(parse_head(text))


@given(st.integers(0, len(INVITE)), st.integers(0, len(INVITE)))
def test_no_part_of_a_message_raises(begin, end):
    use(parse_head(INVITE[begin:end]))


def test_what_could_steer_a_terminal_is_replaced():
    assert printable("plain\r\n\ttext") == "plain\r\n\ttext"
    assert (
        printable("a\x1b[31mb\u202ec\0é")
        == "a\N{REPLACEMENT CHARACTER}[31mb\N{REPLACEMENT CHARACTER}c\N{REPLACEMENT CHARACTER}é"
    )


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        (
            'Authorization: Digest username="a", response="0123abcd", nonce="n"',
            'Authorization: Digest username="a", response="xxxxxxxx", nonce="n"',
        ),
        (
            "PROXY-authorization : digest RESPONSE = 01ab,qop=auth",
            "PROXY-authorization : digest RESPONSE = xxxx,qop=auth",
        ),
        (
            'Authorization: Digest a="b",\r\n\tresponse="01\r\n 23"',
            'Authorization: Digest a="b",\r\n\tresponse="xx\r\n xx"',
        ),
        ("Authorization: Basic YTpi", "Authorization: Basic xxxx"),
        ('Authentication-Info: qop=auth, rspauth="0a1b"', 'Authentication-Info: qop=auth, rspauth="xxxx"'),
        ("Proxy-Authentication-Info : rspauth=0a1b", "Proxy-Authentication-Info : rspauth=xxxx"),
        ("Authorization: Digest response", "Authorization: Digest response"),
        ('Authorization: Digest response="01', 'Authorization: Digest response="xx'),
        ("Authorization:", "Authorization:"),
        ('WWW-Authenticate: Digest nonce="response=1"', 'WWW-Authenticate: Digest nonce="response=1"'),
        ('X-Authorization: Digest response="01"', 'X-Authorization: Digest response="01"'),
    ],
)
def test_digests_are_blanked_as_captures_have_them(header, kept):
    around = "REGISTER sip:a SIP/2.0\r\nTo: <sip:a>\r\n{}\r\nContact: <sip:a>\r\n\r\n"
    assert blank_secrets(around.format(header)) == around.format(kept)


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize(("line", "kept"), KEYED_LINES)
def test_the_keys_of_srtp_are_blanked_and_nothing_else(line, kept, end):
    around = end.join(["INVITE sip:a SIP/2.0", "X: a=crypto:1 x inline:abc", "", "v=0", "{}", "a=sendrecv", ""])
    assert blank_secrets(around.format(line)) == around.format(kept)


@given(st.text("0123456789abcdef", min_size=32, max_size=64))
def test_no_digest_survives(digest):
    message = f'OPTIONS sip:a SIP/2.0\r\nAuthorization: Digest uri="sip:a",response="{digest}"\r\n\r\n'
    assert digest not in blank_secrets(message)


@given(st.text(max_size=80), st.text(max_size=80))
def test_whatever_comes_is_blanked_and_keeps_its_length(head, value):
    message = f"{head}\nAuthorization: Digest response={value}"
    assert len(blank_secrets(message)) == len(message)


def test_a_message_made_to_be_slow_is_blanked_in_no_time():
    blank_secrets("Authorization: Digest " + "response " * 20_000 + "\n" + "\n ".join(["Authorization:"] * 20_000))
