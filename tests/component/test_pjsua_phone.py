"""The real phone: calls between two of them, and a peer that misbehaves. Loopback only."""

import contextlib
import math
import re
import socket
import struct
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.component.phones import NOBODY, Fields, Make, Peer, PhoneProcess, message, peer, response, sdp

try:
    import pjsua2  # noqa: F401
except ImportError as error:
    pytest.fail(f"the component tests need pjsua2 ({error}): run dev/pjsua2/install", pytrace=False)

CLOCK_LATE_S = 0.3
"""How long before a call's end its last packet may have left, on a machine where other tests run."""


def tone(path: Path, hertz: int) -> Path:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        samples = (int(9000 * math.sin(2 * math.pi * hertz * i / 8000)) for i in range(8000))
        out.writeframes(b"".join(struct.pack("<h", s) for s in samples))
    return path


def heard(ended: Fields) -> str:
    """The only recording of a call."""
    (recording,) = ended["recordings"].values()
    return str(recording)


def share(path: str, hertz: int) -> float:
    """How much of a recording's energy is at a frequency: 1 for a pure tone."""
    with wave.open(path) as recording:
        assert (recording.getnchannels(), recording.getsampwidth(), recording.getframerate()) == (1, 2, 8000)
        raw = recording.readframes(recording.getnframes())
    samples = struct.unpack(f"<{len(raw) // 2}h", raw)[-5000:-1000]
    angle, found = 2 * math.pi * hertz / 8000, 0.0
    for start in range(0, len(samples), 400):  # apart, because a looped player pauses for 20 ms and shifts the phase
        part = samples[start : start + 400]
        cos = sum(s * math.cos(angle * i) for i, s in enumerate(part))
        sin = sum(s * math.sin(angle * i) for i, s in enumerate(part))
        found += 2 * (cos * cos + sin * sin) / len(part)
    return found / (sum(s * s for s in samples) or 1)


def pair(phone: Make) -> tuple[PhoneProcess, PhoneProcess, int]:
    caller, callee = phone(), phone()
    callee.account(f"sip:bob@{callee.address}", caller.address)
    return caller, callee, caller.account("sip:alice@example.com", callee.address)


def connect(caller: PhoneProcess, callee: PhoneProcess, account: int, plays: Fields | None = None) -> tuple[int, int]:
    """A call, answered and confirmed on both sides."""
    call, _ = caller.do("call", account=account, to="sip:bob@example.com", headers={}, playback=plays or {})
    incoming = callee.wait("IncomingCall")["call"]
    callee.do("answer", call=incoming, code=200)
    caller.wait("CallConfirmed", call=call)
    callee.wait("CallConfirmed", call=incoming)
    return call, incoming


def digits(phone: PhoneProcess) -> str:
    return "".join(event["digit"] for event in phone.all("DigitReceived"))


def test_a_call_carries_audio_and_digits_both_ways_and_every_packet_is_counted(phone: Make, tmp_path: Path) -> None:
    caller, callee, account = pair(phone)
    wav = str(tone(tmp_path / "tone.wav", 440))
    call, call_id = caller.do(
        "call",
        account=account,
        to="sip:bob@example.com",
        headers={"X-Calltest-Call": "uid/0/pin/1"},
        playback={"wav": wav},
    )
    incoming = callee.wait("IncomingCall")
    assert incoming["sip_call_id"] == call_id
    assert "X-Calltest-Call: uid/0/pin/1\r\n" in incoming["invite"]
    callee.do("ring", call=incoming["call"])
    callee.do("answer", call=incoming["call"], code=200, echo=True)
    media = caller.wait("MediaActive")
    caller.wait("CallConfirmed")
    caller.do("send_digits", call=call, digits="1234#", tone_ms=100)
    callee.wait("DigitEnded", digit="#")
    callee.do("send_digits", call=incoming["call"], digits="*07A", tone_ms=60)
    caller.wait("DigitEnded", digit="A")
    wait_for_audio(caller)
    caller.do("hang_up", call=call)
    ended, answered = caller.wait("CallEnded"), callee.wait("CallEnded")

    assert (digits(callee), digits(caller)) == ("1234#", "*07A")
    assert [d["duration_ms"] for d in callee.all("DigitEnded")] == [100] * 5
    assert [d["duration_ms"] for d in caller.all("DigitEnded")] == [60] * 4
    assert "".join(d["digit"] for d in caller.all("DigitSent")) == "1234#"
    assert media["negotiated"]["codec"] == "PCMU"
    assert media["negotiated"]["telephoneEventPayloadType"] == 120
    assert media["negotiated"]["remoteRtp"] == callee.all("MediaActive")[0]["local_rtp"]
    assert ended["stack_sent"]["packets"] > 100
    for sender, receiver in ((ended, answered), (answered, ended)):
        came = sum(row["packets"] for row in receiver["tapped"] if not row["sent"])
        assert 0 <= sender["stack_sent"]["packets"] - came <= 1, "one may be on its way when the BYE is read"
    assert ended["stack_received"]["lost"] == answered["stack_received"]["lost"] == 0
    sends_from_begin_to_end(ended)
    assert share(heard(ended), 440) > 0.8
    assert share(heard(answered), 440) > 0.8


def sends_from_begin_to_end(ended: Fields) -> None:
    """A packet each 20 ms of its media until the last one; and that one, but for a clock late just then, at its end."""
    last_s = max(row["last_s"] for row in ended["tapped"] if row["sent"])
    began_s = ended["at_s"] - ended["media_s"]
    assert ended["stack_sent"]["packets"] == pytest.approx(50 * (last_s - began_s), abs=4)
    assert ended["at_s"] - last_s < CLOCK_LATE_S


def wait_for_audio(caller: PhoneProcess) -> None:
    """Lets the call run for a second: the phone is asked until then, so that nothing here sleeps."""
    with pytest.raises(AssertionError, match="nothing more"):
        caller.wait("CallEnded", 1.0)


def test_more_digits_than_the_stack_can_queue_arrive_in_order(phone: Make) -> None:
    caller, callee, account = pair(phone)
    call, _ = connect(caller, callee, account)
    sent = "0123456789ABCD*#" * 2 + "12"
    caller.do("send_digits", call=call, digits=sent[:33], tone_ms=40)
    caller.do("send_digits", call=call, digits=sent[33:], tone_ms=40)
    for _ in sent:
        callee.wait("DigitEnded", 10)
    assert digits(callee) == sent


def test_equal_digits_in_a_row_are_told_apart(phone: Make) -> None:
    caller, callee, account = pair(phone)
    call, _ = connect(caller, callee, account)
    caller.do("send_digits", call=call, digits="1111", tone_ms=40)
    for _ in range(4):
        callee.wait("DigitEnded")
    assert digits(callee) == "1111"


def test_two_calls_at_once_keep_their_digits_and_audio_apart(phone: Make, tmp_path: Path) -> None:
    caller, callee, account = pair(phone)
    low, high = str(tone(tmp_path / "low.wav", 440)), str(tone(tmp_path / "high.wav", 1100))
    first = connect(caller, callee, account, {"wav": low})
    second = connect(caller, callee, account, {"wav": high})
    caller.do("send_digits", call=first[0], digits="12", tone_ms=40)
    caller.do("send_digits", call=second[0], digits="89", tone_ms=40)
    wait_for_audio(caller)
    for call in (first[0], second[0]):
        caller.do("hang_up", call=call)
    ended = {callee.wait("CallEnded")["call"]: None for _ in range(2)}
    assert set(ended) == {first[1], second[1]}
    for call, expected, hertz in ((first[1], "12", 440), (second[1], "89", 1100)):
        assert "".join(d["digit"] for d in callee.all("DigitReceived") if d["call"] == call) == expected
        recording = heard(next(e for e in callee.all("CallEnded") if e["call"] == call))
        assert share(recording, hertz) > 0.8


def test_the_callee_may_hang_up(phone: Make) -> None:
    caller, callee, account = pair(phone)
    call, incoming = connect(caller, callee, account)
    callee.do("hang_up", call=incoming)
    assert callee.wait("CallEnded")["call"] == incoming
    assert caller.wait("CallEnded")["call"] == call
    assert "SIP/2.0 200 OK" in caller.starts(sent=True)
    caller.do("hang_up", call=call)  # too late, and harmless


def test_a_refused_call_ends_with_the_code_on_the_wire_and_without_media(phone: Make) -> None:
    caller, callee, account = pair(phone)
    call, _ = caller.do("call", account=account, to="sip:bob@example.com", headers={}, playback={})
    callee.do("answer", call=callee.wait("IncomingCall")["call"], code=486)
    ended = caller.wait("CallEnded", call=call)
    assert "SIP/2.0 486 Busy Here" in caller.starts(sent=False)
    assert [ended[name] for name in ("stack_sent", "stack_received", "rtt_ms", "media_s")] == [None] * 4
    assert ended["recordings"] == {}
    assert callee.wait("CallEnded")["recordings"] == {}


def test_a_refusal_carries_headers_of_ours(phone: Make) -> None:
    caller, callee, account = pair(phone)
    call, _ = caller.do("call", account=account, to="sip:bob@example.com", headers={}, playback={})
    incoming = callee.wait("IncomingCall")["call"]
    with pytest.raises(RuntimeError, match="control characters"):
        callee.do("answer", call=incoming, code=480, headers={"X-A": "b\r\nX-C: d"})
    callee.do("answer", call=incoming, code=480, headers={"X-Calltest-Refused": "CalleeShared"})
    caller.wait("CallEnded", call=call)
    refusal = next(m["text"] for m in caller.all("MessageSeen") if m["text"].startswith("SIP/2.0 480"))
    assert "X-Calltest-Refused: CalleeShared\r\n" in refusal


def test_responses_and_byes_carry_headers_of_ours_once(phone: Make) -> None:
    """pjsip makes the 200 of the 180, headers and all."""
    caller, callee, account = pair(phone)
    call, _ = caller.do("call", account=account, to="sip:bob@example.com", headers={"X-A": "1"}, playback={})
    incoming = callee.wait("IncomingCall")["call"]
    callee.do("ring", call=incoming, headers={"X-B": "2"})
    callee.do("answer", call=incoming, code=200, headers={"X-B": "2", "X-C": "3"})
    caller.wait("CallConfirmed", call=call)
    callee.wait("CallConfirmed", call=incoming)
    callee.do("hang_up", call=incoming, bye={"X-D": "4"}, cancel={"X-E": "5"})
    caller.wait("CallEnded", call=call)
    texts = [m["text"] for m in caller.all("MessageSeen")]
    starts = {name: [text for text in texts if text.startswith(name)] for name in ("INVITE", "SIP/2.0 180", "BYE")}
    starts["answer"] = [
        text for text in texts if text.startswith("SIP/2.0 200") and "CSeq: " in text and "INVITE" in text
    ]
    assert {name: {tuple(ours(text)) for text in found} for name, found in starts.items()} == {
        "INVITE": {("X-A: 1",)},
        "SIP/2.0 180": {("X-B: 2",)},
        "answer": {("X-B: 2", "X-C: 3")},
        "BYE": {("X-D: 4",)},
    }


def ours(text: str) -> list[str]:
    return [line for line in text.split("\r\n") if line.startswith("X-")]


def test_a_call_that_is_not_answered_is_cancelled(phone: Make) -> None:
    caller, callee, account = pair(phone)
    call, _ = caller.do("call", account=account, to="sip:bob@example.com", headers={}, playback={})
    incoming = callee.wait("IncomingCall")["call"]
    callee.do("ring", call=incoming)
    while "SIP/2.0 180 Ringing" not in caller.starts(sent=False):
        caller.wait("MessageSeen")
    caller.do("hang_up", call=call)
    caller.wait("CallEnded")
    assert caller.starts(sent=False)[-1].startswith("SIP/2.0 487")
    assert "CANCEL sip:bob@example.com SIP/2.0" in caller.starts(sent=True)
    assert callee.wait("CallEnded")["call"] == incoming
    callee.do("answer", call=incoming, code=200)  # too late, and harmless


def test_closing_a_phone_hangs_up_and_unregisters_first(phone: Make) -> None:
    with peer(registrar) as server:
        caller, callee, account = pair(phone)
        caller.account("sip:alice@example.com", server.address, register=True, username="alice", password="x")
        assert caller.wait("RegistrationConcluded")["active"] is True
        _, incoming = connect(caller, callee, account)
        caller.close()
        assert callee.wait("CallEnded")["call"] == incoming
        assert "Expires: 0" in server.got[-1]


def test_a_call_for_nobody_we_know_is_still_reported(phone: Make) -> None:
    caller, callee = phone(), phone()
    account = caller.account("sip:alice@example.com", callee.address)
    caller.do("call", account=account, to="sip:carol@example.com", headers={}, playback={})
    assert callee.wait("IncomingCall")["account"] is None


def test_a_port_in_use_is_named(phone: Make, tmp_path: Path) -> None:
    port = int(phone().address.rpartition(":")[2])
    with pytest.raises(RuntimeError, match=rf"UDP 127\.0\.0\.1:{port}.*in use"):
        PhoneProcess(tmp_path / "other", sip_port=port)


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ({"to": "not a uri", "headers": {}, "playback": {}}, "not a uri"),
        ({"to": "sip:b@example.com", "headers": {"X": "a\r\nVia: b"}, "playback": {}}, "control characters"),
        ({"to": "sip:b@example.com", "headers": {}, "playback": {"wav": "/nowhere.wav"}}, "sip:b@example.com"),
    ],
)
def test_what_cannot_be_called_is_an_error_and_no_call(phone: Make, command: Fields, fault: str) -> None:
    caller = phone()
    account = caller.account("sip:alice@example.com", "127.0.0.1:9")
    with pytest.raises(RuntimeError, match=fault):
        caller.do("call", account=account, **command)
    assert not caller.all("MessageSeen")


# --- a peer that does what it should not ---------------------------------------------------------------------------


def answering(body: str, *, bye: bool = True) -> Callable[[Peer, str], list[str]]:
    """A peer that answers an INVITE with this SDP, and a BYE or not."""

    def script(self: Peer, text: str) -> list[str]:
        if text.startswith("INVITE "):
            return [response(text, "200 OK", body=body, contact=self.address)]
        return [response(text, "200 OK")] if bye and text.startswith("BYE ") else []

    return script


def dial(phone: PhoneProcess, to: Peer) -> int:
    account = phone.account("sip:alice@example.com", to.address)
    return int(phone.do("call", account=account, to="sip:bob@example.com", headers={}, playback={})[0])


def test_an_unanswered_bye_delays_the_end_by_the_bound_and_no_longer(phone: Make) -> None:
    with peer(answering(sdp(NOBODY), bye=False)) as silent:
        caller = phone(settle_s=1.5)
        call = dial(caller, silent)
        caller.wait("CallConfirmed")
        caller.do("hang_up", call=call)
        ended = caller.wait("CallEnded", 4)
        byes = [m for m in caller.all("MessageSeen") if m["text"].startswith("BYE ")]
        assert len(byes) >= 2, "retransmissions are on the wire too"
        assert ended["at_s"] - byes[0]["at_s"] < 0.1
        answers = [m for m in caller.all("MessageSeen") if not m["sent"]]
        assert all("CSeq: 1 INVITE" in m["text"] or " INVITE\r\n" in m["text"] for m in answers)
        assert {name: value for name, value in ended["stack_received"].items() if value is not None} == {"packets": 0}
        assert ended["rtt_ms"] is None


def test_a_peer_that_says_nothing_gets_retransmissions_and_the_call_ends_when_hung_up(phone: Make) -> None:
    with peer(lambda _self, _text: []) as silent:
        caller = phone(settle_s=0.5)
        call = dial(caller, silent)
        for _ in range(3):
            caller.wait("MessageSeen", sent=True)
        caller.do("hang_up", call=call)
        assert caller.wait("CallEnded", 3)["stack_sent"] is None
        assert caller.starts(sent=False) == []


@pytest.mark.parametrize("given_up", [False, True], ids=["waited for", "given up before"])
def test_a_call_that_nobody_can_have_heard_ends_when_it_is_left(phone: Make, *, given_up: bool) -> None:
    """No answer is waited for, to an INVITE or to what ends the call, once it is known that none can come."""
    with peer(lambda _self, _text: []) as silent:
        caller = phone(settle_s=600.0)
        call = dial(caller, silent)
        caller.wait("MessageSeen", sent=True)
        if given_up:
            caller.do("hang_up", call=call)
            with pytest.raises(AssertionError, match="nothing more"):
                caller.wait("CallEnded", 0.3)
        caller.do("hang_up", call=call, unheard=True)
        caller.wait("CallEnded")


def test_media_that_is_there_before_the_answer_is_read_in_every_call(phone: Make) -> None:
    """A relay sends as soon as it can, often before its 200 OK arrives: the socket then holds packets when reading
    begins. pjsip as it comes drops them or leaves the call deaf for its life (dev/pjsua2/patches/08)."""
    calls, early, late = 24, 5, 5

    def script(self: Peer, text: str) -> list[str]:
        if text.startswith("INVITE "):
            send_rtp(media, text, range(early))
            return [response(text, "200 OK", body=sdp(NOBODY), contact=self.address)]
        return [response(text, "200 OK")] if text.startswith("BYE ") else []

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media, peer(script) as eager:
        caller = phone()
        account = caller.account("sip:alice@example.com", eager.address)
        made = []
        for _ in range(calls):
            made += [caller.do("call", account=account, to="sip:bob@example.com", headers={}, playback={})[0]]
            caller.wait("MediaActive", call=made[-1])
        for invite in [text for text in eager.got if text.startswith("INVITE ")]:
            send_rtp(media, invite, range(early, early + late))
        wait_for_audio(caller)
        for call in made:
            caller.do("hang_up", call=call)
        ended = [caller.wait("CallEnded") for _ in made]
        assert [each["stack_received"]["packets"] for each in ended] == [early + late] * calls


def test_media_goes_where_the_answer_says_wherever_the_peers_media_comes_from(phone: Make) -> None:
    """Who follows the source of what arrives finds a way around a dead port, and reports it as working."""
    with (
        udp_socket() as declared,
        udp_socket() as other,
        peer(answering(sdp(declared.getsockname()[1]))) as apart,
    ):
        caller = phone()
        call = dial(caller, apart)
        caller.wait("CallConfirmed")
        send_rtp(other, apart.got[0], range(50))
        wait_for_audio(caller)
        caller.do("hang_up", call=call)
        caller.wait("CallEnded")
        assert len(received(declared)) > 30
        assert received(other) == []


def udp_socket() -> socket.socket:
    """On loopback; bound, so that it can be declared."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.setblocking(False)
    return made


def received(by: socket.socket) -> list[bytes]:
    """What waits in a socket."""
    packets = []
    with contextlib.suppress(BlockingIOError):
        while True:
            packets.append(by.recv(2048))
    return packets


def send_rtp(
    sender: socket.socket, invite: str, numbers: Iterable[int], payload_type: int = 0, sample: bytes = b"\xff"
) -> None:
    """Packets with these sequence numbers to where the offer of an INVITE wants them."""
    found = re.search(r"(?m)^m=audio (\d+) ", invite)
    assert found is not None
    for number in numbers:
        packet = struct.pack("!BBHII", 0x80, payload_type, number, number * 160, 7) + sample * 160
        sender.sendto(packet, ("127.0.0.1", int(found[1])))


def test_a_redirect_is_not_followed(phone: Make) -> None:
    def script(self: Peer, text: str) -> list[str]:
        moved = response(text, "302 Moved Temporarily", contact=f"eve@{self.address}")
        return [moved] if text.startswith("INVITE ") else []

    with peer(script) as moving:
        caller = phone()
        dial(caller, moving)
        caller.wait("CallEnded")
        assert caller.starts_once(sent=False) == ["SIP/2.0 302 Moved Temporarily"]
        assert [start for start in caller.starts(sent=True) if "eve" in start] == []


def in_dialog(self: Peer, method: str, cseq: int, extra: str = "", body: str = "") -> str:
    """A request of the peer in the dialog that the phone's INVITE made."""
    invite = next(text for text in self.got if text.startswith("INVITE "))
    field = dict(re.findall(r"(?m)^(From|To|Call-ID|Contact): (.*)\r$", invite))
    headers = [
        f"Via: SIP/2.0/UDP {self.address};branch=z9hG4bK{method}{cseq}",
        f"From: {field['To']};tag=peer",
        f"To: {field['From']}",
        f"Call-ID: {field['Call-ID']}",
        f"CSeq: {cseq} {method}",
        f"Contact: <sip:{self.address}>",
        "Max-Forwards: 70",
    ]
    return message(f"{method} {field['Contact'].strip('<>')} SIP/2.0", headers, extra, body)


def test_a_refer_is_refused(phone: Make) -> None:
    with peer(answering(sdp(NOBODY))) as transferring:
        caller = phone()
        dial(caller, transferring)
        caller.wait("CallConfirmed")
        transferring.send(in_dialog(transferring, "REFER", 1, f"Refer-To: <sip:eve@{transferring.address}>"))
        while not any(start.startswith("SIP/2.0 403") for start in caller.starts(sent=True)):
            caller.wait("MessageSeen")
        assert not any("eve" in start for start in caller.starts(sent=True))


def test_a_reinvite_moves_media_and_keeps_counting(phone: Make) -> None:
    with peer(answering(sdp(NOBODY))) as moving:
        caller, from_s = phone(), time.monotonic()
        call = dial(caller, moving)
        caller.wait("CallConfirmed")
        wait_for_audio(caller)
        moved = sdp(NOBODY + 2).replace("o=- 1 1", "o=- 1 2")
        moving.send(in_dialog(moving, "INVITE", 1, body=moved))
        assert caller.wait("MediaActive")["negotiated"]["remoteRtp"] == f"127.0.0.1:{NOBODY + 2}"
        moving.send(in_dialog(moving, "ACK", 1))
        wait_for_audio(caller)
        caller.do("hang_up", call=call)
        ended = caller.wait("CallEnded")
        assert 2 <= ended["media_s"] <= time.monotonic() - from_s
        sends_from_begin_to_end(ended)
        with wave.open(heard(ended)) as recording:
            assert recording.getnframes() == pytest.approx(8000 * ended["media_s"], abs=2000)


@pytest.mark.parametrize("answer", [sdp(NOBODY), sdp(NOBODY + 2).replace("o=- 1 1", "o=- 1 2")])
def test_early_media_is_neither_counted_nor_recorded(phone: Make, answer: str) -> None:
    """A SUT may play announcements for long before it connects the call: the peer has no part in them."""

    def script(self: Peer, text: str) -> list[str]:
        if text.startswith("INVITE "):
            return [response(text, "183 Session Progress", body=sdp(NOBODY), contact=self.address)]
        return [response(text, "200 OK")] if text.startswith("BYE ") else []

    with peer(script) as announcing:
        caller = phone()
        call = dial(caller, announcing)
        caller.wait("MediaActive")
        wait_for_audio(caller)
        invite = next(text for text in announcing.got if text.startswith("INVITE "))
        answered_s = time.monotonic()
        announcing.send(response(invite, "200 OK", body=answer, contact=announcing.address))
        caller.wait("CallConfirmed")
        wait_for_audio(caller)
        caller.do("hang_up", call=call)
        ended = caller.wait("CallEnded")
        assert 1 <= ended["media_s"] <= time.monotonic() - answered_s
        sends_from_begin_to_end(ended)
        with wave.open(heard(ended)) as recording:
            assert recording.getnframes() == pytest.approx(8000 * ended["media_s"], abs=2000)


def test_without_telephone_event_no_digit_is_sent(phone: Make) -> None:
    with peer(answering(sdp(NOBODY, "0", ""))) as plain:
        caller = phone()
        call = dial(caller, plain)
        negotiated = caller.wait("MediaActive")["negotiated"]
        assert (negotiated["codec"], negotiated["telephoneEventPayloadType"]) == ("PCMU", None)
        caller.do("send_digits", call=call, digits="1", tone_ms=40)
        caller.do("hang_up", call=call)
        caller.wait("CallEnded")
        assert caller.all("DigitSent") == []


def test_a_codec_that_we_do_not_have_ends_the_call(phone: Make) -> None:
    with peer(answering(sdp(NOBODY, "9", "a=rtpmap:9 G722/8000\r\n"))) as other:
        caller = phone()
        dial(caller, other)
        ended = caller.wait("CallEnded")
        assert ended["stack_sent"] is None
        assert caller.starts(sent=False)[0] == "SIP/2.0 200 OK", "pjsip's own code is no message"


def test_text_from_the_network_is_made_printable(phone: Make) -> None:
    def script(_self: Peer, text: str) -> list[str]:
        return [response(text, "486 Bu\x1b[31msy \u202e here")] if text.startswith("INVITE ") else []

    with peer(script) as hostile:
        caller = phone()
        dial(caller, hostile)
        caller.wait("CallEnded")
        (seen,) = caller.starts_once(sent=False)
        assert seen == "SIP/2.0 486 Bu\ufffd[31msy \ufffd here"


# --- registration --------------------------------------------------------------------------------------------------


def registrar(self: Peer, text: str) -> list[str]:
    """Challenges, then accepts."""
    if not text.startswith("REGISTER "):
        return []
    if "Authorization:" not in text:
        return [response(text, "401 Unauthorized", extra='WWW-Authenticate: Digest realm="r", nonce="n"')]
    contact = re.findall(r"(?m)^Contact: (.*)\r$", text)[0]
    kept = "" if "Expires: 0" in text else f"Contact: {contact};expires=60"
    return [response(text, "200 OK", extra=kept)]


def test_registering_answers_a_challenge_and_unregisters(phone: Make) -> None:
    with peer(registrar) as server:
        registering = phone()
        account = registering.account(
            "sip:bob@example.com", server.address, register=True, username="bob", password="secret"
        )
        assert registering.wait("RegistrationConcluded")["active"] is True
        registering.do("remove_account", account=account)
        assert registering.wait("RegistrationConcluded")["active"] is False
        starts = registering.starts(sent=True)
        assert starts[0] == "REGISTER sip:example.com SIP/2.0", "the proxy's address is no part of the request"
        assert "Route:" not in server.got[0]
        assert 'username="bob"' in list(dict.fromkeys(server.got))[1]
        assert not any("secret" in text for text in server.got)
        assert registering.starts_once(sent=False)[:2] == ["SIP/2.0 401 Unauthorized", "SIP/2.0 200 OK"]


def test_a_refused_registration_concludes_with_the_code_on_the_wire(phone: Make) -> None:
    with peer(lambda _self, text: [response(text, "403 Forbidden")]) as server:
        registering = phone()
        account = registering.account("sip:bob@example.com", server.address, register=True)
        assert registering.wait("RegistrationConcluded")["active"] is False
        assert registering.starts_once(sent=False) == ["SIP/2.0 403 Forbidden"]
        registering.do("remove_account", account=account)


FLOODED = """
import os, pathlib, socket, sys
from agent.phone.pjsua import phone as pjsua_phone
from agent.phone.protocol import PhoneError

phone = pjsua_phone.PjsuaPhone(bind="127.0.0.1", sip_port=0, recordings=pathlib.Path(sys.argv[1]))
host, _, port = phone.address.rpartition(":")
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
    peer.bind(("127.0.0.1", 0))
    peer.settimeout(5)
    via = f"Via: SIP/2.0/UDP 127.0.0.1:{peer.getsockname()[1]};branch=z9hG4bK"
    headers = ("From: <sip:a@b>;tag=1", "To: <sip:x@b>", "Call-ID: 1", "Content-Length: 0", "", "")
    for number in range(1, 9001):  # each is answered: two messages
        start = ("OPTIONS sip:x SIP/2.0", via + str(number), f"CSeq: {number} OPTIONS")
        peer.sendto("\\r\\n".join((*start, *headers)).encode(), (host, int(port)))
        peer.recv(4096)
try:
    for _ in range(100):
        phone.next_event(0.1)
except PhoneError as error:
    print(error, flush=True)
os._exit(0)
"""


@pytest.mark.flood
def test_a_phone_that_lost_messages_says_so_and_goes_no_further(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FLOODED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "SIP messages came faster than they could be read" in done.stdout, done.stderr
