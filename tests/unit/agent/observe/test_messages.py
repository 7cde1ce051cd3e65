"""What is asked of single messages, and what they say."""

import msgspec
import pytest

from agent.contract.expect import Expect, ExpectLeg
from agent.contract.headers import CallHeader, PlannedHeader, SentOn
from agent.contract.messages import ExpectHeader, ExpectMessage, ExpectRequestUri, Found, Looked, Message
from agent.contract.plan import asked_of
from agent.contract.verdict import Role
from agent.observe.messages import MAX_TOLD, Asked, asked, looked_at, not_on_the_wire
from agent.sip.dialogs import Signalling, signalling
from agent.sip.fields import MAX_CHARS
from agent.sip.text import parse_head
from agent.sip.transactions import Conversation, Crossed
from tests.unit.builders import call_group, change, plan
from tests.unit.sip_messages import request, response


def leg(*messages: tuple[str, bool], outgoing: bool = False) -> Signalling:
    """Text, and whether it was sent; a second apart."""
    crossed = []
    for at, (text, sent) in enumerate(messages):
        head = parse_head(text)
        assert head is not None, text
        crossed.append(Crossed(at_s=float(at), sent=sent, head=head, text=text))
    return signalling(Conversation(crossed), outgoing=outgoing)


def look(expected: ExpectMessage, *messages: tuple[str, bool], outgoing: bool = False, endpoint: int = 0) -> Looked:
    (found,) = looked_at(
        Asked(endpoint=endpoint, expected=((7, expected),)), leg(*messages, outgoing=outgoing), outgoing=outgoing
    )
    assert found.asked == 7
    return found


def of_invite(extra: str, endpoint: int = 0, **expected) -> Looked:
    usual = {"message": Message.INVITE, "name": "X-A"}
    return look(ExpectHeader(**usual | expected), (request(extra=extra), False), endpoint=endpoint)


@pytest.mark.parametrize(
    ("extra", "expected", "found"),
    [
        ("X-A: b\r\n", {"present": True}, Found.HELD),
        ("", {"present": True}, Found.MISSING),
        ("X-A: b\r\n", {"present": False}, Found.UNEXPECTED),
        ("", {"present": False}, Found.HELD),
        ("X-A: b\r\n", {"equals": "b"}, Found.HELD),
        ("x-a:   b  \r\n", {"equals": "b"}, Found.HELD),
        ("X-A: B\r\n", {"equals": "b"}, Found.OTHER),
        ("X-A: bb\r\n", {"equals": "b"}, Found.OTHER),
        ("", {"equals": "b"}, Found.MISSING),
        ("X-A: b\r\nX-A: c\r\n", {"equals": "c"}, Found.HELD),
        ("X-A: one\r\n  two\r\n", {"equals": "one two"}, Found.HELD),
        ("X-A: one \t two\r\n", {"equals": "one  two"}, Found.HELD),
        ("X-A: a, b\r\n", {"equals": "b"}, Found.OTHER),
        ("X-A: abc\r\n", {"matches": "b"}, Found.HELD),
        ("X-A: abc\r\n", {"matches": "^b"}, Found.OTHER),
        ("X-A: abc\r\nX-A: bcd\r\n", {"matches": "^b"}, Found.HELD),
        ("", {"matches": "^b"}, Found.MISSING),
        ("X-A: a\r\nX-A: b\r\n", {"count": 2}, Found.HELD),
        ("X-A: a\r\n", {"count": 2}, Found.MISSING),
        ("", {"count": 1}, Found.MISSING),
        ("X-A: a\r\nX-A: b\r\nX-A: c\r\n", {"count": 2}, Found.UNEXPECTED),
        ("Via: a, b\r\nv: c\r\n", {"name": "via", "count": 3}, Found.HELD),
        ("s: hi\r\n", {"name": "Subject", "equals": "hi"}, Found.HELD),
        ("Supported: timer,\r\n 100rel\r\n", {"name": "k", "equals": "100rel"}, Found.HELD),
        ("Supported: timer\r\nk: 100rel\r\n", {"name": "Supported", "equals": "timer,100rel"}, Found.HELD),
        ("Supported: timer,100rel\r\n", {"name": "Supported", "equals": "timer, 100rel"}, Found.HELD),
        ("Supported: 100rel, timer\r\n", {"name": "Supported", "equals": "timer, 100rel"}, Found.OTHER),
        ("Supported: a\r\nSupported: b\r\n", {"name": "Supported", "matches": "^a, b$"}, Found.HELD),
        ('P-Asserted-Identity: "A, B" <sip:a@b>\r\n', {"name": "P-Asserted-Identity", "count": 1}, Found.HELD),
    ],
)
def test_a_header_is_there_or_not_equal_matching_or_so_often(extra, expected, found):
    assert of_invite(extra, **expected).found is found


def test_what_did_not_hold_is_told_and_what_held_is_not():
    assert of_invite("X-A: b\r\n", present=True) == Looked(asked=7)
    assert of_invite("X-A: b\r\nX-A: c\r\nX-A: d\r\nX-A: e\r\n", equals="f") == Looked(
        asked=7, found=Found.OTHER, count=4, values=("b", "c", "d")
    )
    long = of_invite(f"X-A: {'b' * 200}\r\n", equals="f")
    assert (len(long.values[0]), long.values[0][-2:]) == (MAX_TOLD, "b…")


def test_what_is_told_has_no_secrets():
    digest = 'Proxy-Authorization: Digest username="a", response="0123456789abcdef"\r\n'
    told = of_invite(digest, name="Proxy-Authorization", present=False)
    assert told.values == ('Digest username="a", response="xxxxxxxxxxxxxxxx"',)
    basic = of_invite("Authorization: Basic c2VjcmV0\r\n", name="authorization", present=False)
    assert basic.values == ("Basic xxxxxxxx",)


def test_the_endpoint_is_known_by_its_index():
    assert of_invite("X-A: lane 3\r\n", equals="lane {endpoint}", endpoint=3).found is Found.HELD
    assert of_invite("X-A: lane 3\r\n", matches="^lane {endpoint}$", endpoint=3).found is Found.HELD
    assert of_invite("X-A: lane 3\r\n", matches="^lane {endpoint}$", endpoint=4).found is Found.OTHER


LONG = f"X-A: {'b' * (MAX_CHARS + 1)}\r\n"


@pytest.mark.parametrize(
    ("extra", "expected", "found"),
    [
        (LONG, {"present": True}, Found.HELD),
        (LONG, {"present": False}, Found.UNEXPECTED),
        (LONG, {"equals": "b"}, Found.CUT),
        (LONG, {"matches": "^b"}, Found.CUT),
        (LONG + "X-A: c\r\n", {"matches": "^c"}, Found.HELD),
        (LONG, {"count": 1}, Found.CUT),
        (LONG + "X-A: c\r\nX-A: d\r\n", {"count": 1}, Found.UNEXPECTED),
        ("X-B: y\r\n" * 1100, {"present": True}, Found.CUT),
        ("X-B: y\r\n" * 1100, {"present": False}, Found.CUT),
        ("X-B: y\r\n" * 1100, {"equals": "y"}, Found.CUT),
        ("X-B: y\r\n" * 1100, {"count": 1}, Found.CUT),
        ("X-A: c\r\n" + "X-B: y\r\n" * 1100, {"equals": "d"}, Found.CUT),
        ("X-A: c\r\n" + "X-B: y\r\n" * 1100, {"equals": "c"}, Found.HELD),
        ("Via: " + "v, " * 4500 + "w\r\n", {"name": "Via", "matches": "^x"}, Found.CUT),
        (f"Via: {'v' * 5000}\r\nVia: {'w' * 5000}\r\n", {"name": "Via", "matches": "x$"}, Found.CUT),
    ],
)
def test_what_was_not_read_is_not_said_to_be_missing_or_otherwise(extra, expected, found):
    assert of_invite(extra, **expected).found is found


def test_a_message_that_was_kept_in_part_tells_only_of_what_it_has():
    kept = request(extra="X-A: b\r\n").removesuffix("\r\n")
    for expected, found in (("b", Found.HELD), ("c", Found.CUT)):
        assert look(ExpectHeader(message=Message.INVITE, name="X-A", equals=expected), (kept, False)).found is found


# --- which message


def header(message: Message, value: str, **more) -> ExpectHeader:
    return ExpectHeader(message=message, name="X-A", equals=value, **more)


def said(value: str) -> str:
    return f"X-A: {value}\r\n"


INVITE = request(extra=said("invite"), branch="z1"), False
OK = response(200, to_tag="t", branch="z1"), True
TAKEN = (
    INVITE,
    (response(180, to_tag="t", branch="z1"), True),
    OK,
    (request("ACK", to_tag="t", extra=said("ack"), branch="z2"), False),
    (request(cseq=2, to_tag="t", extra=said("again"), branch="z3"), False),
    (response(200, cseq=2, to_tag="t", branch="z3"), True),
    (request("ACK", cseq=2, to_tag="t", extra=said("ack again"), branch="z4"), False),
    (request("BYE", cseq=3, from_tag="other", to_tag="t", extra=said("a stranger's"), branch="z5"), False),
    (request("BYE", cseq=3, to_tag="t", extra=said("bye"), branch="z6"), False),
    (response(200, cseq=3, method="BYE", to_tag="t", branch="z6"), True),
)


@pytest.mark.parametrize(("message", "value"), [(Message.INVITE, "invite"), (Message.ACK, "ack"), (Message.BYE, "bye")])
def test_of_several_requests_of_a_kind_one_is_meant(message, value):
    assert look(header(message, value), *TAKEN).found is Found.HELD
    assert look(header(message, "other"), *TAKEN) == Looked(asked=7, found=Found.OTHER, count=1, values=(value,))


def test_what_is_sent_again_or_comes_by_another_way_is_the_same_message():
    again = request(extra=said("otherwise"), branch="z1"), False
    merged = request(extra=said("by another way"), branch="z9"), False
    assert look(header(Message.INVITE, "invite"), INVITE, again, merged, OK).found is Found.HELD


@pytest.mark.parametrize("message", [Message.ACK, Message.BYE, Message.BYE_RESPONSE])
def test_a_message_that_did_not_come_says_nothing_not_even_that_a_header_is_absent(message):
    absent = ExpectHeader(message=message, name="X-A", present=False)
    assert look(absent, INVITE, OK) == Looked(asked=7, found=Found.UNSEEN)


PLACED = (
    (request(cseq=1, branch="y1"), True),
    (response(183, to_tag="x", branch="y1", extra=said("of a challenge's own")), False),
    (response(407, to_tag="x", branch="y1", extra=said("challenge")), False),
    (request(cseq=2, branch="y2"), True),
    (response(100, cseq=2, to_tag="", branch="y2", extra=said("100")), False),
    (response(183, cseq=2, to_tag="a", branch="y2", extra=said("183 of another")), False),
    (response(180, cseq=2, to_tag="b", branch="y2", extra=said("180")), False),
    (response(180, cseq=2, to_tag="a", branch="y2", extra=said("180 of another")), False),
    (response(180, cseq=2, to_tag="b", branch="y2", extra=said("180 again")), False),
    (response(200, cseq=2, to_tag="b", branch="y2", extra=said("200")), False),
    (response(200, cseq=2, to_tag="a", branch="y2", extra=said("200 of another")), False),
    (request("ACK", cseq=2, to_tag="b", branch="y3"), True),
    (request("BYE", cseq=3, to_tag="b", branch="y4"), True),
    (response(401, cseq=3, method="BYE", to_tag="b", branch="y4", extra=said("challenged")), False),
    (request("BYE", cseq=4, to_tag="b", branch="y5"), True),
    (response(200, cseq=4, method="BYE", to_tag="b", branch="y5", extra=said("bye")), False),
)


@pytest.mark.parametrize(
    ("message", "code", "value"),
    [
        (Message.PROVISIONAL, None, "180"),
        (Message.PROVISIONAL, 180, "180"),
        (Message.PROVISIONAL, 183, "183 of another"),
        (Message.FINAL, None, "200"),
        (Message.BYE_RESPONSE, None, "bye"),
    ],
)
def test_of_several_responses_one_is_meant(message, code, value):
    assert look(header(message, value, code=code), *PLACED, outgoing=True).found is Found.HELD
    told = look(header(message, "other", code=code), *PLACED, outgoing=True)
    assert (told.values, told.code) == ((value,), 200 if value == "bye" else int(value[:3]))


def test_a_code_that_did_not_come_is_not_seen():
    assert look(header(Message.PROVISIONAL, "x", code=182), *PLACED, outgoing=True).found is Found.UNSEEN
    assert look(header(Message.PROVISIONAL, "x"), *PLACED[:1], outgoing=True).found is Found.UNSEEN
    assert look(header(Message.PROVISIONAL, "x"), outgoing=True).found is Found.UNSEEN


def test_a_refusal_is_a_final_response_and_a_bye_may_come_to_a_caller():
    refused = (request(branch="y1"), True), (response(486, branch="y1", extra=said("busy")), False)
    assert look(header(Message.FINAL, "busy"), *refused, outgoing=True).found is Found.HELD
    told = look(header(Message.FINAL, "idle"), *refused, outgoing=True)
    assert (told.found, told.code) == (Found.OTHER, 486)
    bye = request("BYE", from_tag="b", to_tag="f", cseq=9, branch="y9", extra=said("theirs")), False
    assert look(header(Message.BYE, "theirs"), *PLACED[:12], bye, outgoing=True).found is Found.HELD


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ({"equals": "SIP:bob@EXAMPLE.com"}, Found.HELD),
        ({"equals": "sip:Bob@example.com"}, Found.OTHER),
        ({"matches": "^sip:bob@"}, Found.HELD),
        ({"matches": "^sip:alice@"}, Found.OTHER),
        ({"message": "BYE", "matches": "^sip:bob@"}, Found.HELD),
    ],
)
def test_a_request_uri_equals_or_matches(expected, found):
    assert look(ExpectRequestUri(**expected), *TAKEN).found is found


def test_a_request_uri_that_does_not_hold_is_told():
    told = look(ExpectRequestUri(equals="sip:x@y"), *TAKEN)
    assert told == Looked(asked=7, found=Found.OTHER, count=1, values=("sip:bob@example.com",))
    long = request().replace("bob@", "b" * 9000 + "@", 1), False
    assert look(ExpectRequestUri(matches="^tel:"), long).found is Found.CUT
    assert look(ExpectRequestUri(message="ACK", matches="x"), INVITE).found is Found.UNSEEN


# --- of which call


A, B = header(Message.INVITE, "a"), header(Message.INVITE, "b")


def two_kinds(**changes):
    groups = [
        call_group(name=name, expect=Expect(callee=ExpectLeg(headers=expected)))
        for name, expected in (("one", (A,)), ("two", (B, A)))
    ]
    return change(plan(Role.CALLEE), calls=tuple(groups), **changes)


def test_a_leg_that_knows_its_call_is_looked_at_for_that_one_and_else_for_all():
    its_plan = two_kinds()
    assert asked_of(its_plan.calls, Role.CALLEE) == (A, B)
    assert asked(its_plan, 0, "one").expected == ((0, A),)
    assert asked(its_plan, 0, "two").expected == ((0, A), (1, B))
    assert asked(its_plan, 0, None).expected == ((0, A), (1, B))
    assert asked(change(plan(), calls=its_plan.calls), 0, None).expected == ()


# --- what was sent


def test_a_header_that_a_message_of_ours_lacked_is_told():
    own = (
        PlannedHeader(name="X-A", value="1", messages=(SentOn.INVITE, SentOn.BYE)),
        PlannedHeader(name="s", value="x  y", messages=(SentOn.INVITE,)),
    )
    its_plan = change(plan(), account__headers=own)
    what = asked(its_plan, 0, "pin")
    bye = request("BYE", cseq=2, to_tag="t", branch="z9"), True
    good = request(extra="X-A: 0\r\nX-A: 1\r\nSubject: x y\r\n", branch="z1"), True
    placed = leg(good, (OK[0], False), bye, outgoing=True)
    assert not_on_the_wire(what, placed, outgoing=True) == ("BYE x-a",)
    assert not_on_the_wire(what, leg(good, outgoing=True), outgoing=True) == ()
    bare = leg((INVITE[0], True), outgoing=True)
    assert not_on_the_wire(what, bare, outgoing=True) == ("INVITE x-a", "INVITE subject")
    of_call = change(its_plan.calls[0], caller__headers=(CallHeader(name="X-A", value="2"),))
    special = asked(change(its_plan, calls=(of_call,)), 0, "pin")
    assert not_on_the_wire(special, leg(good, outgoing=True), outgoing=True) == ("INVITE x-a",)
    assert asked(its_plan, 0, None).sent == asked(its_plan, 0, "pin").sent


def test_a_callee_s_headers_are_looked_for_on_the_responses_of_a_call_that_it_takes():
    own = (
        PlannedHeader(name="X-A", value="1", messages=(SentOn.RESPONSES,)),
        PlannedHeader(name="X-B", value="2", messages=(SentOn.ANSWER, SentOn.INVITE)),
    )
    what = asked(change(plan(Role.CALLEE), account__headers=own), 0, "pin")
    ringing = response(180, branch="z1", extra="X-A: 1\r\n"), True
    whole = response(200, branch="z1", extra="X-A: 1\r\nX-B: 2\r\n"), True
    assert not_on_the_wire(what, leg(INVITE, ringing, whole), outgoing=False) == ()
    bare = response(180, branch="z1"), True
    assert not_on_the_wire(what, leg(INVITE, bare, whole), outgoing=False) == ("Responses x-a",)
    assert not_on_the_wire(what, leg(INVITE, ringing, OK), outgoing=False) == ("Responses x-a", "Answer x-b")
    busy = response(486, branch="z1"), True
    assert not_on_the_wire(what, leg(INVITE, bare, busy), outgoing=False) == ()
    assert not_on_the_wire(what, leg(), outgoing=False) == ()


def test_what_is_told_is_small_where_it_held():
    assert msgspec.json.encode(Looked(asked=3)) == b'{"asked":3}'
