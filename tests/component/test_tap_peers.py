"""The tap opposite peers that a test scripts: early media, recordings, re-INVITEs, what was agreed on, digests."""

import re
import signal
import struct
import time
import wave
from itertools import pairwise
from pathlib import Path

import pytest

from tests.component.pcaps import read, rtp
from tests.component.peers.srtp import DtlsUas
from tests.component.peers.uas import Call
from tests.component.phones import NOBODY, Make, Peer, once, peer, response, sdp
from tests.component.test_pjsua_phone import (
    answering,
    connect,
    dial,
    in_dialog,
    pair,
    registrar,
    send_rtp,
    wait_for_audio,
)
from tests.component.test_tap import hang_up, one

WAITING = 250
"""Datagrams that a socket's buffer holds."""
FORKS, DIGITS = 12, 50


def test_media_before_the_answer_is_seen_and_counted_apart(phone: Make) -> None:
    invites: list[str] = []

    def script(self: Peer, text: str) -> list[str]:
        if text.startswith("INVITE "):
            invites.append(text)
            return [response(text, "183 Session Progress", body=sdp(NOBODY), contact=self.address)]
        return [response(text, "200 OK")] if text.startswith("BYE ") else []

    with peer(script) as server:
        caller = phone()
        account = caller.account("sip:alice@example.com", server.address)
        call, _ = caller.do("call", account=account, to="sip:bob@example.com", headers={}, playback={})
        caller.wait("MediaActive")
        send_rtp(server.socket, invites[0], range(10))
        wait_for_audio(caller)
        server.send(response(invites[0], "200 OK", body=sdp(NOBODY), contact=server.address))
        caller.wait("CallConfirmed")
        send_rtp(server.socket, invites[0], [*range(12, 22), 20, 15])
        wait_for_audio(caller)
        caller.do("hang_up", call=call)
        ended = caller.wait("CallEnded")
    early, late = (one(ended, sent=False, mark=mark) for mark in (0, 1))
    assert (early["packets"], early["lost"], early["duplicates"]) == (10, 0, 0)
    assert (late["packets"], late["lost"], late["duplicates"], late["reordered"]) == (12, 0, 2, 0)
    assert len(rtp(ended["capture"], source=early["remote"])) == 22
    assert one(ended, sent=True, mark=0)["packets"] > 10


def test_a_packet_came_when_the_kernel_had_it_however_late_it_was_read(phone: Make) -> None:
    """The callee's process stands still: what comes meanwhile waits in its socket, and came on time."""
    caller, callee, account = pair(phone)
    call, _ = connect(caller, callee, account)
    wait_for_audio(caller)
    callee.process.send_signal(signal.SIGSTOP)
    try:
        wait_for_audio(caller)
    finally:
        callee.process.send_signal(signal.SIGCONT)
    wait_for_audio(caller)
    ended, answered = hang_up(caller, callee, call)
    there, back = one(answered, sent=False, mark=0), one(answered, sent=True, mark=0)
    assert back["max_late_ms"] > 700, "it did stand still"
    assert (there["packets"], there["lost"]) == (one(ended, sent=True, mark=1)["packets"], 0)
    assert there["max_gap_ms"] < 300
    read_back = [p.at_ns for p in rtp(answered["capture"], source=there["remote"])]
    assert max(b - a for a, b in pairwise(read_back)) < 300_000_000


def test_what_waits_unread_while_the_bye_is_read_is_counted(phone: Make) -> None:
    """The process stands still until the call is over: its media and then the BYE wait, for a thread each.

    Which of the two is first is up to the kernel, so several times.
    """
    caller = phone()
    for number in range(1, 7):
        with peer(answering(sdp(NOBODY))) as server:
            call = dial(caller, server)
            caller.wait("CallConfirmed", call=call)
            invite = next(text for text in server.got if text.startswith("INVITE "))
            caller.process.send_signal(signal.SIGSTOP)
            try:
                send_rtp(server.socket, invite, range(WAITING))
                server.send(in_dialog(server, "BYE", number))
            finally:
                caller.process.send_signal(signal.SIGCONT)
            stream = one(caller.wait("CallEnded", call=call), sent=False, mark=1)
        assert (stream["packets"], stream["lost"]) == (WAITING, 0)


def test_another_branch_of_a_fork_takes_no_packet_from_the_stream_that_goes_on(phone: Make) -> None:
    """It rings with the SDP of the branch before it: pjsip keeps the stream, and stops and starts the media below it.

    The process stands still while that comes, and digits of a packet each: which is read first is up to the kernel.
    """

    def rings(self: Peer, text: str) -> list[str]:
        return [response(text, "183 Session Progress", body=sdp(NOBODY), contact=self.address)]

    with peer(rings) as forking:
        caller = phone()
        dial(caller, forking)
        caller.wait("MediaActive")
        (invite,) = set(forking.got)
        event_type = int(re.findall(r"a=rtpmap:(\d+) telephone-event/8000", invite)[0])
        (ringing,) = rings(forking, invite)
        for fork in range(FORKS):
            caller.process.send_signal(signal.SIGSTOP)
            try:
                forking.send(ringing.replace(";tag=peer", f";tag=fork{fork}"))
                for number in range(fork * DIGITS, (fork + 1) * DIGITS):
                    event = bytes([number % 10, 0x8A, 3, 32])
                    send_rtp(forking.socket, invite, [number], event_type, sample=event)
            finally:
                caller.process.send_signal(signal.SIGCONT)
            caller.wait("MediaActive")
            while len(caller.all("DigitEnded")) < (fork + 1) * DIGITS:
                caller.wait("DigitEnded", 5)


def test_a_recording_has_each_packet_at_its_place_in_time_and_silence_where_none_came(phone: Make) -> None:
    with peer(answering(sdp(NOBODY))) as server:
        caller, from_s = phone(), time.monotonic()
        call = dial(caller, server)
        caller.wait("CallConfirmed")
        invite = next(text for text in server.got if text.startswith("INVITE "))
        first_s = time.monotonic()
        send_rtp(server.socket, invite, [10, 11, 14, 13, 13, 18], sample=b"\x8f")
        send_rtp(server.socket, invite, [15], payload_type=77, sample=b"\x8f")
        wait_for_audio(caller)
        later_s = time.monotonic() - first_s
        send_rtp(server.socket, invite, [9000], sample=b"\x0f")  # three minutes later, its timestamp says
        wait_for_audio(caller)
        caller.do("hang_up", call=call)
        ended = caller.wait("CallEnded")
    (recording,) = ended["recordings"].values()
    with wave.open(recording) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
        frames = struct.unpack(f"<{file.getnframes()}h", file.readframes(file.getnframes()))
    assert 2 <= ended["media_s"] <= time.monotonic() - from_s
    assert len(frames) == pytest.approx(8000 * ended["media_s"], abs=2000)
    first = next(place for place, value in enumerate(frames) if value)
    heard = [frames[at : at + 160] for at in range(first, first + 9 * 160, 160)]
    loud, silent = (16764,) * 160, (0,) * 160
    assert heard == [loud, loud, silent, loud, loud, silent, silent, silent, loud]
    later = frames.index(-16764)
    assert later - first == pytest.approx(8000 * later_s, abs=1600), "where it came: its timestamp cannot be"
    assert frames.count(-16764) == 160


def test_packets_of_payload_types_that_nobody_agreed_on_are_told(phone: Make) -> None:
    with peer(answering(sdp(NOBODY))) as server:
        caller = phone()
        call = dial(caller, server)
        caller.wait("CallConfirmed")
        invite = next(text for text in server.got if text.startswith("INVITE "))
        send_rtp(server.socket, invite, range(10))
        send_rtp(server.socket, invite, range(10, 13), payload_type=8)  # offered, and not in the answer
        send_rtp(server.socket, invite, range(13, 15), payload_type=77)
        wait_for_audio(caller)
        caller.do("hang_up", call=call)
        stream = one(caller.wait("CallEnded"), sent=False, mark=1)
    assert (stream["packets"], stream["unnegotiated"]) == (15, 5)


def test_what_was_agreed_on_before_a_reinvite_may_still_be_under_way(phone: Make) -> None:
    with peer(answering(sdp(NOBODY))) as moving:
        caller = phone()
        call = dial(caller, moving)
        caller.wait("CallConfirmed")
        invite = next(text for text in moving.got if text.startswith("INVITE "))
        moving.send(in_dialog(moving, "INVITE", 1, body=sdp(NOBODY, "8 101").replace("o=- 1 1", "o=- 1 2")))
        while caller.wait("MediaActive")["negotiated"]["codec"] != "PCMA":
            pass  # the first negotiation
        moving.send(in_dialog(moving, "ACK", 1))
        send_rtp(moving.socket, invite, range(5))
        send_rtp(moving.socket, invite, range(5, 10), payload_type=8)
        wait_for_audio(caller)
        caller.do("hang_up", call=call)
        stream = one(caller.wait("CallEnded"), sent=False, mark=1)
    assert (stream["packets"], stream["unnegotiated"]) == (10, 0)


class AnotherCertificate(DtlsUas):
    """Its fingerprint is nobody's; a re-INVITE says so once more, when the handshake is over."""

    def fingerprint(self, call: Call) -> str:
        return ":".join(["AB"] * 32)

    def answered(self, call: Call) -> None:
        self.later(1.0, lambda: self.request(call, "INVITE", body=self.answer_sdp(call)))


@pytest.mark.parametrize("setup", ["active", "passive"])
def test_keys_of_another_certificate_are_never_taken_into_use(phone: Make, setup: str) -> None:
    caller = phone(encryption={"usual": {"use": "Mandatory", "keying": ["DTLS"]}})
    with AnotherCertificate() as between:
        between.setup = setup
        account = caller.account("sip:alice@example.com", between.address)
        call, _ = caller.do("call", account=account, to="sip:bob@example.com", headers={}, playback={})
        caller.wait("CallConfirmed", call=call)
        for _ in range(3):
            wait_for_audio(caller)
        caller.do("hang_up", call=call)
        ended = caller.wait("CallEnded", call=call)
    assert [answer.code for answer in between.answers if answer.method == "INVITE"] == [200]
    assert [(guard["done"], guard["active"]) for guard in ended["guards"]] == [(True, False), (False, False)]
    assert ended["tapped"] == [], "nothing is sent without keys, and nothing deciphered"


def test_each_sdp_begins_an_epoch_and_numbers_go_on_through_them(phone: Make) -> None:
    """INVITE and 200 are two, a re-INVITE and its 200 two more."""
    with peer(answering(sdp(NOBODY))) as server:
        caller = phone()
        call = dial(caller, server)
        caller.wait("CallConfirmed")
        invite = next(text for text in server.got if text.startswith("INVITE "))
        send_rtp(server.socket, invite, [*range(5), *range(7, 10)])
        wait_for_audio(caller)
        server.send(in_dialog(server, "INVITE", 1, body=sdp(NOBODY).replace("o=- 1 1", "o=- 1 2")))
        while not any(text.startswith("SIP/2.0 200") for text in server.got):
            time.sleep(0.01)
        server.send(in_dialog(server, "ACK", 1))
        send_rtp(server.socket, invite, [5, *range(10, 15)])
        wait_for_audio(caller)
        caller.do("hang_up", call=call)
        tapped = caller.wait("CallEnded")["tapped"]
    before, after = (stream for stream in tapped if not stream["sent"])
    assert (before["epoch"], before["packets"], before["lost"]) == (2, 8, 2)
    assert (after["epoch"], after["packets"], after["lost"], after["reordered"]) == (4, 6, -1, 1)
    assert (before["lost_ms"], after["lost_ms"]) == (40, -20)
    assert [stream["epoch"] for stream in tapped if stream["sent"]] in ([2, 4], [2, 3, 4])


def test_every_message_is_told_with_its_connection(phone: Make) -> None:
    with peer(registrar) as server:
        caller = phone()
        caller.account("sip:alice@example.com", server.address, register=True, username="alice", password="x")
        caller.wait("RegistrationConcluded")
        seen = caller.all("MessageSeen")
        sent, received = (caller.starts_once(sent=sent) for sent in (True, False))
    assert [start.partition(" ")[0] for start in sent] == ["REGISTER", "REGISTER"]
    assert received == ["SIP/2.0 401 Unauthorized", "SIP/2.0 200 OK"]
    assert {m["head"]["code"] for m in seen if not m["sent"]} == {401, 200}
    assert {(m["protocol"], m["connection"]) for m in seen} == {("UDP", seen[0]["connection"])}
    assert seen[0]["connection"] is not None
    assert {(m["local"], m["peer"]) for m in seen} == {(caller.address, server.address)}


def test_a_capture_has_no_digest(phone: Make) -> None:
    def script(_peer: Peer, text: str) -> list[str]:
        if not text.startswith("INVITE "):
            return []
        challenge = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\n'
        return [response(text, "486 Busy Here" if "Authorization:" in text else "401 Unauthorized", extra=challenge)]

    with peer(script) as server:
        caller = phone()
        account = caller.account("sip:alice@example.com", server.address, username="alice", password="x")
        caller.do("call", account=account, to="sip:bob@example.com", headers={}, playback={})
        ended = caller.wait("CallEnded")
        answers = [found[1] for text in server.got if (found := re.search(r'response="(\w+)"', text))]
    raw = Path(ended["capture"]).read_bytes()
    sip = once((d.at_ns / 1e9, d.payload) for d in read(ended["capture"]))
    assert len(set(answers)) == 1
    assert answers[0].encode() not in raw
    assert b'response="' + b"x" * len(answers[0]) + b'"' in raw
    assert b"".join(sip).count(b'nonce="n"') == 3, "the challenge, again in the 486, and the answer's"


def test_retransmissions_are_in_the_capture(phone: Make) -> None:
    with peer(lambda _peer, _text: []) as silent:
        caller = phone()
        account = caller.account("sip:alice@example.com", silent.address)
        call, _ = caller.do("call", account=account, to="sip:bob@example.com", headers={}, playback={})
        wait_for_audio(caller)
        caller.do("hang_up", call=call)
        ended = caller.wait("CallEnded")
        sent = [text for text in silent.got if text.startswith("INVITE ")]
    written = [d for d in read(ended["capture"]) if d.payload.startswith(b"INVITE ")]
    assert len(written) >= len(sent) >= 2
    assert {d.target for d in written} == {silent.address}
    assert ended["tapped"] == []


def test_what_the_kernel_would_not_send_was_not_on_the_wire(phone: Make) -> None:
    nowhere = sdp(NOBODY).replace("127.0.0.1", "255.255.255.255")  # EACCES: it leaves no socket of ours

    def script(self: Peer, text: str) -> list[str]:
        body = nowhere if text.startswith("INVITE ") else ""
        return [] if text.startswith("ACK ") else [response(text, "200 OK", body=body, contact=self.address)]

    with peer(script) as server:
        caller = phone()
        account = caller.account("sip:alice@example.com", server.address)
        call, _ = caller.do("call", account=account, to="sip:bob@example.com", headers={}, playback={})
        caller.wait("CallConfirmed")
        wait_for_audio(caller)
        caller.do("hang_up", call=call)
        ended = caller.wait("CallEnded")
    assert ended["tapped"] == []
    assert not any(d.target.startswith("255.") for d in read(ended["capture"]))


def test_many_calls_leave_nothing_behind(phone: Make) -> None:
    """Refused, cancelled, hung up at once: in each the media lines and the phone let go at different times."""
    caller, callee, account = pair(phone)
    for number in range(30):
        call, _ = caller.do("call", account=account, to="sip:bob@example.com", headers={}, playback={})
        incoming = callee.wait("IncomingCall")["call"]
        callee.do("answer", call=incoming, code=486 if number % 3 == 0 else 200)
        if number % 3 == 2:
            caller.wait("CallConfirmed")
        caller.do("hang_up", call=call)
        caller.wait("CallEnded", call=call)
        callee.wait("CallEnded", call=incoming)
    for each in (caller, callee):
        for _ in range(10):
            if each.do("live_calls") == 0:
                break
            wait_for_audio(each)
        assert each.do("live_calls") == 0
