"""SIP messages for people."""

from agent.contract.observation import SipMessage
from agent.contract.verdict import Role
from agent.report.ladder import ladder
from tests.unit.builders import callee_leg, caller_leg, change, registration

MESSAGES = (
    SipMessage(
        at_ms=0.0, sent=True, peer="10.0.0.1:5060", text="INVITE sip:bob@x SIP/2.0\r\nVia: v\r\n\r\nv=0\r\nm=audio\r\n"
    ),
    SipMessage(at_ms=1234.5, sent=False, peer="10.0.0.1:5060", text="\r\nSIP/2.0 503 No\r\n\r\n"),
)


def test_a_ladder_shows_who_sent_what_when_and_then_all_of_it():
    text = ladder(caller_leg(number=3, messages=MESSAGES, started_at=1_700_000_000.25))
    assert text.splitlines() == [
        "Caller of pin/3 at endpoint 0, Call-ID 0-pin-3@10.0.0.9",
        "begun 2023-11-14 22:13:20.250+00:00; times are seconds since the first message",
        "",
        "    0.0000  sent to       10.0.0.1:5060  INVITE sip:bob@x SIP/2.0",
        "    1.2345  received from 10.0.0.1:5060  SIP/2.0 503 No",
        "",
        "-" * 72,
        "    0.0000  sent to       10.0.0.1:5060",
        "-" * 72,
        "INVITE sip:bob@x SIP/2.0",
        "Via: v",
        "",
        "v=0",
        "m=audio",
        "",
        "-" * 72,
        "    1.2345  received from 10.0.0.1:5060",
        "-" * 72,
        "",
        "SIP/2.0 503 No",
    ]


def test_a_registration_has_a_ladder():
    lines = ladder(registration(Role.CALLEE, endpoint=2, messages=MESSAGES)).splitlines()
    assert lines[:2] == ["Callee's registration at endpoint 2", "times are seconds since the first message"]
    assert lines[4] == "    1.2345  received from 10.0.0.1:5060  SIP/2.0 503 No"


def test_a_call_of_nobodys_plan_without_messages_has_a_ladder_too():
    text = ladder(change(callee_leg(), call=None, number=None, sip_call_id=None))
    assert text.startswith("Callee of a call of nobody's plan at endpoint 0, Call-ID unknown\n")
