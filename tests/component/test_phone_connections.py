"""The real phone over TCP: what goes by which connection, how each of them began and ended, and who ended it."""

import os
import re
import select
import signal
import socket
import time

import pytest

from tests.component.phones import NOBODY, Fields, Make, PhoneProcess, response, sdp
from tests.component.tcp_peer import TcpPeer, tcp_peer, unused_address
from tests.component.test_pjsua_phone import wait_for_audio

EEOF, REFUSED, RESET, BROKEN_PIPE = 70016, 120111, 120104, 120032
"""pj_status_t: PJ_EEOF, and PJ_STATUS_FROM_OS of ECONNREFUSED, ECONNRESET and EPIPE."""


def answering(self: TcpPeer, text: str) -> list[str]:
    if text.startswith("INVITE "):
        return [response(text, "200 OK", body=sdp(NOBODY), contact=f"{self.address};transport=tcp")]
    return [] if text.startswith(("ACK ", "SIP/2.0")) else [response(text, "200 OK")]


def silent(_self: TcpPeer, _text: str) -> list[str]:
    return []


def dial(phone: PhoneProcess, address: str, *, register: bool = False) -> int:
    account = phone.account("sip:alice@example.com", address, register=register)
    return int(phone.do("call", account=account, to="sip:bob@example.com", headers={}, playback={})[0])


def ending(phone: PhoneProcess, number: int | None = None) -> Fields:
    """The connection (with that number) as it was when it ended, whatever was waited for before."""
    phone.seen = 0
    while True:
        seen = dict(phone.wait("ConnectionSeen")["connection"])
        if seen["closed_s"] is not None and number in (None, seen["number"]):
            return seen


def test_a_call_goes_by_one_connection_from_its_invite_to_its_bye(phone: Make) -> None:
    with tcp_peer(answering) as answers:
        caller = phone(transport="TCP")
        call = dial(caller, answers.address)
        caller.wait("CallConfirmed")
        caller.do("hang_up", call=call)
        caller.wait("CallEnded", call=call)
        seen = caller.all("MessageSeen")
        starts = [message["text"].split()[0 if message["sent"] else 1] for message in seen]
        assert starts == ["INVITE", "200", "ACK", "BYE", "200"]
        (number,) = {message["connection"] for message in seen}
        assert {(message["protocol"], message["peer"]) for message in seen} == {("TCP", answers.address)}
        assert answers.accepted == 1, "no other connection was opened"
        invite = answers.got[0]
        assert re.search(rf"(?m)^Via: SIP/2\.0/TCP {caller.address};", invite), "it names the socket that listens"
        assert re.search(rf"(?m)^Contact: <sip:alice@{caller.address};transport=TCP>", invite)
        told = [each["connection"] for each in caller.all("ConnectionSeen")]
        assert {each["number"] for each in told} == {number}
        first, last = told[0], told[-1]
        assert (first["up_s"], first["closed_s"], first["outgoing"]) == (None, None, True)
        # Both threads of the stack know when it is up: one may send before the other has told of it.
        assert last["opened_s"] <= last["up_s"] <= seen[0]["at_s"] + 0.01
        assert (last["remote"], last["protocol"], last["closed_s"]) == (answers.address, "TCP", None)
        assert not caller.all("NotSent")


def talked(caller: PhoneProcess, callee: PhoneProcess, protocol: str) -> Fields:
    """One calls the other, and all of it goes by that protocol; the connection that the callee took."""
    call = dial(caller, callee.address)
    theirs = callee.wait("IncomingCall")["call"]
    callee.do("answer", call=theirs, code=200)
    caller.wait("CallConfirmed", call=call)
    callee.wait("CallConfirmed", call=theirs)
    wait_for_audio(caller)
    caller.do("hang_up", call=call)
    for end in (caller, callee):
        assert end.wait("CallEnded")["stack_received"]["packets"] > 20
        assert {message["protocol"] for message in end.all("MessageSeen")} == {protocol}
    return Fields(callee.all("ConnectionSeen")[0]["connection"])


def test_two_phones_talk_over_tcp(phone: Make) -> None:
    caller, callee = phone(transport="TCP"), phone(transport="TCP")
    taken = talked(caller, callee, "TCP")
    assert (taken["outgoing"], taken["up_s"] is not None) == (False, True)


def test_a_connection_that_is_refused_is_told_and_nothing_was_sent(phone: Make) -> None:
    caller = phone(transport="TCP", settle_s=0.2)
    nowhere = unused_address()
    call = dial(caller, nowhere)
    unsent = caller.wait("NotSent")
    # What is handed over when the refusal has come already is told the socket's word; its connection says why.
    assert (unsent["head"]["method"], unsent["peer"]) == ("INVITE", nowhere)
    assert unsent["status"] in (REFUSED, BROKEN_PIPE)
    caller.wait("CallEnded", call=call)
    ended = ending(caller, unsent["connection"])
    assert (ended["up_s"], ended["status"], ended["ours"], ended["remote"]) == (None, REFUSED, False, nowhere)
    assert caller.all("MessageSeen") == []


@pytest.mark.parametrize(("reset", "status"), [(False, EEOF), (True, RESET)])
def test_who_ended_a_connection_is_told(phone: Make, *, reset: bool, status: int) -> None:
    def leaving(self: TcpPeer, text: str) -> list[str]:
        if text.startswith("INVITE "):
            self.hang_up(reset=reset)
        return []

    with tcp_peer(leaving) as leaves:
        caller = phone(transport="TCP", settle_s=0.2)
        dial(caller, leaves.address)
        sent = caller.wait("MessageSeen", sent=True)
        ended = ending(caller, sent["connection"])
        assert (ended["status"], ended["ours"]) == (status, False)
        assert ended["up_s"] is not None
        assert ended["closed_s"] >= sent["at_s"]


def test_a_peer_that_asks_whether_we_are_there_is_told(phone: Make) -> None:
    """RFC 5626 §4.4.1: two empty lines are answered by one, in pieces too; and nobody is told of them."""
    callee = phone(transport="TCP")
    with tcp_peer(silent) as asking:
        asking.connect(callee.address)
        for number, pieces in enumerate((["\r\n\r\n"], ["\r\n", "\r\n"], ["\r", "\n\r", "\n"]), 1):
            for piece in pieces:
                asking.say(piece)
                time.sleep(0.05)
            until_s = time.monotonic() + 5
            while len(asking.raw) < 2 * number and time.monotonic() < until_s:
                time.sleep(0.01)
            assert asking.raw == b"\r\n" * number
        asking.say("\r\n")
        with pytest.raises(AssertionError, match="nothing more"):
            callee.wait("Unparsed", 0.3)
        assert asking.raw == b"\r\n" * 3, "one empty line asks nothing"


def test_as_many_connections_as_come_at_once_are_taken(phone: Make) -> None:
    """The kernel takes them while the agent has no time to: with pjsip's own 5, others have to try again."""
    callee, many = phone(transport="TCP"), 100
    host, _, port = callee.address.rpartition(":")
    made = [socket.socket() for _ in range(many)]
    callee.process.send_signal(signal.SIGSTOP)
    os.waitpid(callee.process.pid, os.WUNTRACED)
    try:
        for each in made:
            each.setblocking(False)
            each.connect_ex((host, int(port)))
        time.sleep(0.3)
        assert len(select.select([], made, [], 0)[1]) == many
    finally:
        callee.process.send_signal(signal.SIGCONT)
        for each in made:
            each.close()


def test_a_registration_keeps_its_connection_for_the_calls_that_come(phone: Make) -> None:
    """The registrar calls back on it."""

    def registrar(_self: TcpPeer, text: str) -> list[str]:
        contact = re.search(r"(?m)^Contact: (<[^>]*>)", text)
        return [response(text, "200 OK", extra=f"Contact: {contact[1]};expires=300")] if contact else []

    with tcp_peer(registrar) as registers:
        callee = phone(transport="TCP")
        callee.account("sip:bob@example.com", registers.address, register=True)
        assert callee.wait("RegistrationConcluded")["active"] is True
        via = f"Via: SIP/2.0/TCP {registers.address};branch=z9hG4bKc"
        lines = [
            f"INVITE sip:bob@{callee.address};transport=tcp SIP/2.0", via, "From: <sip:a@example.com>;tag=a",
            "To: <sip:bob@example.com>", "Call-ID: back", "CSeq: 1 INVITE", "Max-Forwards: 70",
            f"Contact: <sip:a@{registers.address};transport=tcp>", "Content-Type: application/sdp",
            f"Content-Length: {len(sdp(NOBODY))}", "", sdp(NOBODY),
        ]  # fmt: skip
        registers.say("\r\n".join(lines))
        callee.wait("IncomingCall")
        seen = callee.all("MessageSeen")
        assert len({message["connection"] for message in seen}) == 1
        assert registers.accepted == 1
