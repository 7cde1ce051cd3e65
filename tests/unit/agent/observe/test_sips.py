"""The URIs of a call to a sips URI."""

import pytest

from agent.contract.verdict import Role
from agent.observe.signalling import read_leg
from agent.observe.sips import MAX_DOWNGRADES, MAX_TEXT, asks_sips, downgraded
from tests.unit.builders import call_group, change, plan
from tests.unit.sip_messages import message, request, response

OURS = "Contact: <sips:alice@10.0.0.9:5061>\r\n"
SECURE = "Contact: <SIPS:sut@10.0.0.1>\r\n"
AT = "sip:sut@10.0.0.1;transport=tls"
PLAIN = f"m: <{AT}>\r\n"
IN_DIALOG = {"from_tag": "t", "to_tag": "f", "cseq": 7}


def asked(method: str = "INVITE", *, uri: str = "sips:bob@example.com", **fields: str) -> str:
    return request(method, **fields).replace("sip:bob@example.com SIP", f"{uri} SIP")


def seen(*texts: tuple[str, bool], role: Role = Role.CALLER) -> tuple[str, ...]:
    events = [message(10.0 + i, text, sent) for i, (text, sent) in enumerate(texts)]
    return downgraded(read_leg(events, outgoing=role is Role.CALLER).leg)


INVITE, ACK = (asked(extra=OURS), True), (asked("ACK", uri="sips:sut@10.0.0.1", to_tag="t"), True)


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([], ()),
        ([(response(200, extra=SECURE), False), ACK], ()),
        (
            [(response(200, extra=PLAIN), False), ACK],
            (f"Contact {AT} in its 200 to the INVITE",),
        ),
        ([(response(302, extra=PLAIN), False)], ()),
        ([(response(200), False), ACK], ()),
        (
            [(response(200, extra=SECURE), False), ACK, (asked("BYE", uri="sip:a@b", **IN_DIALOG), False)],
            ("BYE sip:a@b",),
        ),
        ([(response(200, extra=SECURE), False), ACK, (asked("BYE", **IN_DIALOG), False)], ()),
        (
            [(response(200, extra=SECURE), False), ACK, (asked("UPDATE", extra=PLAIN, **IN_DIALOG), False)],
            (f"Contact {AT} in its UPDATE",),
        ),
        (
            [(response(200, extra=SECURE), False), ACK, (asked("OPTIONS", extra=PLAIN, **IN_DIALOG), False)],
            (),
        ),
    ],
)
def test_a_caller_is_told_by_contacts_and_by_what_is_asked_of_it(messages, told):
    assert seen(INVITE, *messages) == told


@pytest.mark.parametrize(
    ("invite", "ack", "told"),
    [
        (asked(extra=SECURE), "sips:bob@b", ()),
        (asked(uri="sip:bob@b", extra=SECURE), "sips:bob@b", ("INVITE sip:bob@b",)),
        (asked(extra=PLAIN), "sips:bob@b", (f"Contact {AT} in its INVITE",)),
        (asked(extra=SECURE), "sip:bob@b", ("ACK sip:bob@b",)),
    ],
)
def test_a_callee_is_told_by_how_it_is_called(invite, ack, told):
    acked = asked("ACK", uri=ack, to_tag="t")
    assert seen((invite, False), (response(200, extra=OURS), True), (acked, False), role=Role.CALLEE) == told


def test_no_more_is_told_than_there_is_room_for():
    many = [(asked("OPTIONS", uri=f"sip:{i}{'x' * 300}@b", **IN_DIALOG | {"cseq": i}), False) for i in range(2, 9)]
    told = seen(INVITE, (response(200, extra=SECURE), False), ACK, *many)
    assert [len(text) for text in told] == [MAX_TEXT] * MAX_DOWNGRADES


def test_of_a_plan_one_call_to_a_sips_uri_is_enough_to_look():
    plain = plan(Role.CALLEE)
    assert not asks_sips(plain)
    assert asks_sips(change(plain, calls=(*plain.calls, call_group(to="SIPS:bob@example.com"))))
