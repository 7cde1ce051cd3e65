"""Faults of pjproject 2.17 that dev/pjsua2/patches mends: each test is named in a patch, and fails without it.

What is written or read beyond its bounds shows for sure where every access is checked (by `dev/pjsua2/sanitized`, as a
part of `make test-long`); elsewhere a test fails where that happens to do harm.
"""

import contextlib
import json
import re
import resource
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.component.phones import NOBODY, Make, Peer, PhoneProcess, message, peer, response, sdp
from tests.component.tcp_peer import TcpPeer, tcp_peer, unused_address
from tests.component.test_pjsua_phone import answering, dial

KEY = "inline:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw"
MAX_ATTRIBUTES = 68
"""PJMEDIA_MAX_SDP_ATTR, of a media line."""
WARM, OFFERS = 50, 400
"""Offers of one call before its memory is looked at, and until it is looked at again."""
PJSIP = """
import ctypes, json, os, socket, threading, time
import pjsua2 as pj
from agent.tap import _library

class Text(ctypes.Structure):
    _fields_ = (("at", ctypes.c_char_p), ("length", ctypes.c_ssize_t))

def tell(what):
    print(json.dumps(what), flush=True)
    os._exit(0)

pjsip = _library()
for name in ("pjsua_pool_create", "pjsip_parse_hdr", "pjsip_parse_msg"):
    getattr(pjsip, name).restype = ctypes.c_void_p
endpoint, config = pj.Endpoint(), pj.EpConfig()
config.logConfig.level = config.logConfig.consoleLevel = 0
config.uaConfig.maxCalls = 1
endpoint.libCreate()
endpoint.libInit(config)
pool = ctypes.c_void_p(pjsip.pjsua_pool_create(b"test", 4000, 4000))
"""


def told(script: str) -> Any:
    """What a script tells that has pjsip to itself, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PJSIP + script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout, f"it ended with {done.returncode}\n{done.stderr}"
    return json.loads(done.stdout)


def test_a_list_header_is_printed_whole_or_not_at_all() -> None:
    wrong = told("""
name, value = Text(b"Allow", 5), ctypes.create_string_buffer(b"INVITE, ACK")
header = ctypes.c_void_p(pjsip.pjsip_parse_hdr(pool, ctypes.byref(name), value, ctypes.c_size_t(11), None))
wrong = []
for room in range(32):
    buffer = ctypes.create_string_buffer(b"?" * 64, 64)
    length = pjsip.pjsip_hdr_print_on(header, buffer, ctypes.c_size_t(room))
    if buffer.raw[room:] != b"?" * (64 - room) or length not in (-1, 18):
        wrong.append((room, length, buffer.raw.decode()))
tell(wrong)
""")
    assert wrong == []


def test_a_multipart_body_without_parts_cannot_be_printed() -> None:
    length = told("""
text = b"\\r\\n".join([b"OPTIONS sip:a@b SIP/2.0", b"Content-Type: multipart/mixed;boundary=b", b"", b"--b--", b""])
received = ctypes.create_string_buffer(text)
message = ctypes.c_void_p(pjsip.pjsip_parse_msg(pool, received, ctypes.c_size_t(len(text)), None))
tell(pjsip.pjsip_msg_print(message, ctypes.create_string_buffer(4000), ctypes.c_size_t(4000)))
""")
    assert length == -1


def test_a_call_object_that_is_dropped_leaves_the_next_call_of_its_id_alone() -> None:
    """There is one id: the second call has it too."""
    states = told("""
refusing = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
refusing.bind(("127.0.0.1", 0))
invites = []

def refuse():
    while True:
        text, phone = refusing.recvfrom(65536)
        text = text.decode(errors="replace")
        if not text.startswith("INVITE "):
            continue
        invites.append(text)
        kept = [line for line in text.split("\\r\\n") if line.startswith(("Via:", "From:", "Call-ID:", "CSeq:"))]
        to = next(line for line in text.split("\\r\\n") if line.startswith("To:"))
        status = "486 Busy Here" if len(invites) == 1 else "180 Ringing"
        lines = [f"SIP/2.0 {status}", *kept, f"{to};tag=peer", "Content-Length: 0", "", ""]
        refusing.sendto("\\r\\n".join(lines).encode(), phone)

threading.Thread(target=refuse, daemon=True).start()
endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, pj.TransportConfig())
endpoint.libStart()
endpoint.audDevManager().setNullDev()
settings = pj.AccountConfig()
settings.idUri = "sip:alice@127.0.0.1"
account = pj.Account()
account.create(settings)

def call():
    made = pj.Call(account)
    made.makeCall(f"sip:bob@127.0.0.1:{refusing.getsockname()[1]}", pj.CallOpParam(True))
    return made

def until(true):
    for _ in range(500):
        if not true():
            time.sleep(0.01)

first = call()
until(lambda: not first.isActive())
second = call()
until(lambda: second.getInfo().state == pj.PJSIP_INV_STATE_EARLY)
del first
tell([len(invites), second.isActive()])
""")
    assert states == [2, True]


def test_a_call_hears_nothing_of_the_one_that_had_its_place() -> None:
    """There is one place: the first call is refused, and its ACK comes when the second has it."""
    heard = told("""
caller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
caller.bind(("127.0.0.1", 0))
caller.settimeout(20)
calls, heard = [], []

class Call(pj.Call):
    def onCallTsxState(self, event):
        heard.append([calls.index(self), event.e.body.tsxState.tsx.statusCode])

class Account(pj.Account):
    def onIncomingCall(self, incoming):
        calls.append(Call(self, incoming.callId))

bound = pj.TransportConfig()
bound.boundAddress = "127.0.0.1"
number = endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, bound)
endpoint.libStart()
endpoint.audDevManager().setNullDev()
port = int(endpoint.transportGetInfo(number).localName.rpartition(":")[2])
settings = pj.AccountConfig()
settings.idUri = f"sip:bob@127.0.0.1:{port}"
account = Account()
account.create(settings)

def send(method, call, to="<sip:bob@127.0.0.1>"):
    caller.sendto("\\r\\n".join([
        f"{method} sip:bob@127.0.0.1:{port} SIP/2.0",
        f"Via: SIP/2.0/UDP 127.0.0.1:{caller.getsockname()[1]};branch=z9hG4bK{call}",
        "Max-Forwards: 70", "From: <sip:alice@127.0.0.1>;tag=a", f"To: {to}", f"Call-ID: {call}", f"CSeq: 1 {method}",
        f"Contact: <sip:alice@127.0.0.1:{caller.getsockname()[1]}>", "Content-Length: 0", "", "",
    ]).encode(), ("127.0.0.1", port))

def answered(call):
    while True:
        lines = caller.recv(65536).decode().split("\\r\\n")
        if f"Call-ID: {call}" in lines and not lines[0].startswith("SIP/2.0 100"):
            return next(line for line in lines if line.startswith("To: ")).removeprefix("To: ")

def called(call):
    before = len(calls)
    send("INVITE", call)
    while len(calls) == before:
        time.sleep(0.01)

def answer(number, code):
    param = pj.CallOpParam()
    param.statusCode = code
    calls[number].answer(param)

called("first")
answer(0, 486)
to = answered("first")
called("second")
send("ACK", "first", to)
send("OPTIONS", "after")
answered("after")
answer(1, 180)
tell([code for number, code in heard if number == 1])
""")
    assert heard == [180]


def secure(lines: int) -> str:
    """An SDP with so many a=crypto lines, of tags that differ."""
    suites = "".join(f"a=crypto:{tag} AES_CM_128_HMAC_SHA1_80 {KEY}\r\n" for tag in range(1, lines + 1))
    return sdp(NOBODY, "0", suites).replace("RTP/AVP", "RTP/SAVP")


def invite(calling: Peer, callee: PhoneProcess, cseq: int, body: str, *, tag: str = "") -> str:
    headers = [
        f"Via: SIP/2.0/UDP {calling.address};branch=z9hG4bKi{cseq};rport",
        "From: <sip:alice@example.com>;tag=caller",
        f"To: <sip:bob@{callee.address}>{tag}",
        "Call-ID: many",
        f"CSeq: {cseq} INVITE",
        f"Contact: <sip:{calling.address}>",
        "Max-Forwards: 70",
    ]
    return message(f"INVITE sip:bob@{callee.address} SIP/2.0", headers, body=body)


def final(callee: PhoneProcess) -> str:
    """What the phone answers."""
    answer = callee.wait("MessageSeen", sent=True)["text"]
    while not re.match(r"SIP/2\.0 [2-6]", answer):
        answer = callee.wait("MessageSeen", sent=True)["text"]
    return str(answer)


@pytest.mark.parametrize("lines", [1, 64, 65, MAX_ATTRIBUTES, MAX_ATTRIBUTES + 1, 200])
def test_as_many_crypto_lines_as_an_sdp_can_have_are_answered(phone: Make, lines: int) -> None:
    """What goes beyond that is not looked at."""
    callee = phone(encryption={"usual": {"use": "Mandatory"}})
    with peer(lambda _self, _text: []) as calling:
        calling.phone = socket_address(callee)
        calling.send(invite(calling, callee, 1, secure(lines)))
        callee.do("answer", call=callee.wait("IncomingCall")["call"], code=200)
        answer = final(callee)
        assert answer.startswith("SIP/2.0 200 ")
        assert "m=audio" in answer
        assert "RTP/SAVP" in answer
        assert answer.count("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:") == 1


def socket_address(callee: PhoneProcess) -> tuple[str, int]:
    host, _, port = callee.address.rpartition(":")
    return host, int(port)


def resident_bytes(process: PhoneProcess) -> int:
    pages = Path(f"/proc/{process.process.pid}/statm").read_text().split()[1]
    return int(pages) * resource.getpagesize()


def growth_bytes(callee: PhoneProcess, more: str) -> int:
    """Of the phone, while it takes one re-INVITE after the other with so many more lines in its SDP."""
    with peer(lambda _self, _text: []) as calling:
        calling.phone = socket_address(callee)
        calling.send(invite(calling, callee, 1, secure(1) + more))
        callee.do("answer", call=callee.wait("IncomingCall")["call"], code=200)
        tag = re.search(r"\nTo:.*(;tag=\S+)", final(callee))
        assert tag is not None
        before = 0
        for cseq in range(1, WARM + OFFERS):
            if cseq > 1:
                body = secure(1).replace("o=- 1 1", f"o=- 1 {cseq}") + more
                calling.send(invite(calling, callee, cseq, body, tag=tag[1]))
                assert final(callee).startswith("SIP/2.0 200 ")
            calling.send(invite(calling, callee, cseq, "", tag=tag[1]).replace("INVITE", "ACK"))
            callee.wait("MessageSeen", sent=False)
            if cseq == WARM:
                before = resident_bytes(callee)
        return resident_bytes(callee) - before


def test_offers_with_keys_take_no_memory(phone: Make) -> None:
    """Each took 10 kB of the call's for as long as it lasted; what text of that length takes is not theirs."""
    keys = "".join(f"a=crypto:{tag} AES_CM_128_HMAC_SHA1_80 {KEY}\r\n" for tag in range(2, 62))
    with_keys, without = (
        growth_bytes(phone(encryption={"usual": {"use": "Mandatory"}}), more)
        for more in (keys, keys.replace("a=crypto:", "a=xrypto:"))
    )
    assert with_keys - without < OFFERS * 5000


@pytest.mark.parametrize("routes", [1, 8, 9, 64])
def test_a_registration_survives_any_number_of_service_routes(phone: Make, routes: int) -> None:
    def registrar(_self: Peer, text: str) -> list[str]:
        route = "\r\n".join(f"Service-Route: <sip:r{number}@127.0.0.1;lr>" for number in range(routes))
        return [response(text, "200 OK", extra=f"Contact: <sip:x@127.0.0.1>;expires=300\r\n{route}")]

    with peer(registrar) as many:
        registered = phone()
        for _ in range(3):
            account = registered.account("sip:alice@example.com", many.address, register=True)
            assert registered.wait("RegistrationConcluded")["active"] is True
            registered.do("remove_account", account=account)
            assert registered.wait("RegistrationConcluded")["active"] is False


@pytest.mark.parametrize(
    "media",
    [
        "m=audio 900 RTP/AVP 0 96 97\r\na=rtpmap:96 telephone-event/8000\r\n",
        "m=audio 0 RTP/AVP 96 97\r\n",
        "m=audio 900 RTP/AVP 0 8 96\r\na=rtpmap:96 red/8000\r\na=fmtp:96 0/0\r\n",
        "m=audio 900 RTP/AVP 0 300\r\na=rtpmap:300 PCMU/8000\r\n",
        "m=audio 900 RTP/AVP 0\r\na=rtpmap:65535 PCMU/8000\r\na=fmtp:65535 x\r\n",
        "m=audio 900 RTP/AVP 0\r\na=rtpmap:0 PCMU/4294975296\r\n",
    ],
)
def test_payload_types_without_a_meaning_end_a_call_at_worst(phone: Make, media: str) -> None:
    """Upstream mended what becomes of these (fd9074547, 673b978aa, dc1a37f77) where this build does not come: it
    refuses an SDP whose dynamic types have no rtpmap before that, and keeps no map of the peer's types."""
    body = f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n{media}"
    with peer(answering(body)) as odd, peer(answering(sdp(NOBODY))) as sane:
        caller = phone(settle_s=0.3)
        call = dial(caller, odd)
        caller.wait("MessageSeen", sent=False)
        caller.do("hang_up", call=call)
        caller.wait("CallEnded", call=call)
        again = dial(caller, sane)
        caller.wait("CallConfirmed", call=again)
        caller.do("hang_up", call=again)
        caller.wait("CallEnded", call=again)


def test_many_registrations_whose_connection_is_refused(phone: Make) -> None:
    """Two threads end each of their transactions: the one that began it, and the one that hears of the refusal."""
    registered, nowhere = phone(transport="TCP", settle_s=0.2), unused_address()
    for _ in range(200):
        registered.account("sip:alice@example.com", nowhere, register=True)
    for _ in range(200):
        assert registered.wait("RegistrationConcluded")["active"] is False


def test_connections_send_at_once() -> None:
    """Those that we open, and those that we take."""
    no_delay = told("""
made = ctypes.c_long()
kind = socket.SOCK_STREAM | socket.SOCK_CLOEXEC
assert pjsip.pj_sock_socket(socket.AF_INET, kind, 0, ctypes.byref(made)) == 0
listener = socket.socket(fileno=made.value)
listener.bind(("127.0.0.1", 0))
listener.listen()
ours = socket.create_connection(listener.getsockname())
taken = listener.accept()[0]
tell([each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0 for each in (listener, taken, ours)])
""")
    assert no_delay == [True, True, False]


def certificate(folder: Path, name: bytes) -> Path:
    """Self-signed, with its key, for that DNS name."""
    names = b"\x30" + bytes([len(name) + 2]) + b"\x82" + bytes([len(name)]) + name
    config, made = folder / "config", folder / "made.pem"
    config.write_text(
        "[req]\ndistinguished_name=dn\nx509_extensions=ext\nprompt=no\n[dn]\nCN=elsewhere.example\n"
        f"[ext]\nbasicConstraints=CA:TRUE\nsubjectAltName=DER:{names.hex(':')}\n"
    )
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-config", str(config)]
    subprocess.run([*command, "-keyout", str(made), "-out", str(folder / "cert")], check=True, capture_output=True)
    made.write_bytes(made.read_bytes() + (folder / "cert").read_bytes())
    return made


@pytest.mark.parametrize(
    ("name", "trusted"),
    [(b"127.0.0.1", True), (b"127.0.0.2", False), (b"127.0.0.1\0.evil.example", False)],
)
def test_a_nul_within_a_certificates_name_ends_no_name(tmp_path: Path, name: bytes, *, trusted: bool) -> None:
    """A REGISTER is sent to nobody whose certificate is another's."""
    pem = certificate(tmp_path, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        got = list[bytes]()

        def serve() -> None:
            with contextlib.suppress(OSError), context.wrap_socket(listener.accept()[0], server_side=True) as taken:
                taken.settimeout(5)
                got.append(taken.recv(65536))

        server = threading.Thread(target=serve)
        server.start()
        told(f"""
settings = pj.TransportConfig()
settings.tlsConfig.CaListFile = {str(pem)!r}
settings.tlsConfig.verifyServer = True
settings.tlsConfig.proto = 0x30
endpoint.transportCreate(pj.PJSIP_TRANSPORT_TLS, settings)
endpoint.libStart()
concluded = threading.Event()

class Account(pj.Account):
    def onRegState(self, prm):
        concluded.set()

config = pj.AccountConfig()
config.idUri = "sip:alice@example.com"
config.regConfig.registrarUri = "sip:example.com"
config.regConfig.timeoutSec = config.regConfig.retryIntervalSec = 0
config.sipConfig.proxies.append("sip:{address};transport=tls;lr;hide")
account = Account()
account.create(config)
tell(concluded.wait(3))
""")
        server.join(10)
    assert bool(got and got[0].startswith(b"REGISTER ")) is trusted


def test_a_call_without_an_ack_is_ended_with_the_phone(phone: Make) -> None:
    def silent(_self: TcpPeer, _text: str) -> list[str]:
        return []

    with tcp_peer(silent) as calls:
        callee = phone(transport="TCP")
        calls.connect(callee.address)
        headers = [
            f"Via: SIP/2.0/TCP {calls.address};branch=z9hG4bKunacknowledged", "From: <sip:a@example.com>;tag=a",
            "To: <sip:bob@example.com>", "Call-ID: unacknowledged", "CSeq: 1 INVITE", "Max-Forwards: 70",
            f"Contact: <sip:a@{calls.address};transport=tcp>",
        ]  # fmt: skip
        calls.say(message(f"INVITE sip:bob@{callee.address};transport=tcp SIP/2.0", headers, body=sdp(NOBODY)))
        callee.do("answer", call=callee.wait("IncomingCall")["call"], code=200)
        callee.close()
        assert callee.process.returncode == 0, callee.process.returncode


RENEWALS, FLOOD_S = 150, 20.0


def offer_of_dtls(number: int) -> str:
    """Each has another fingerprint, of a certificate that nobody has."""
    fingerprint = ":".join([f"{number % 256:02X}", f"{number // 256:02X}", *["AB"] * 30])
    lines = f"a=fingerprint:sha-256 {fingerprint}\r\na=setup:actpass\r\n"
    body = sdp(9).replace("RTP/AVP", "UDP/TLS/RTP/SAVP").replace("o=- 1 1", f"o=- 1 {number}")
    return body + lines


def test_keys_that_are_renewed_while_packets_come_end_no_agent(phone: Make) -> None:
    """None of the handshakes is answered, so that each has a clock when the next offer ends it."""
    callee = phone(encryption={"usual": {"use": "Mandatory", "keying": ["DTLS"]}})
    with peer(lambda _self, _text: []) as calling, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media:
        calling.phone = socket_address(callee)
        calling.send(invite(calling, callee, 1, offer_of_dtls(1)))
        callee.do("answer", call=callee.wait("IncomingCall")["call"], code=200)
        answer = final(callee)
        tag, port = re.search(r"\nTo:.*(;tag=\S+)", answer), re.search(r"m=audio (\d+)", answer)
        assert tag is not None
        assert port is not None
        stopped = threading.Event()

        def flood() -> None:
            until_s = time.monotonic() + FLOOD_S
            while not stopped.is_set() and time.monotonic() < until_s:
                media.sendto(b"\x80", ("127.0.0.1", int(port[1])))

        flooding = threading.Thread(target=flood)
        flooding.start()
        try:
            for cseq in range(1, RENEWALS):
                if cseq > 1:
                    calling.send(invite(calling, callee, cseq, offer_of_dtls(cseq), tag=tag[1]))
                    assert final(callee).startswith("SIP/2.0 200 ")
                calling.send(invite(calling, callee, cseq, "", tag=tag[1]).replace("INVITE", "ACK"))
                callee.wait("MessageSeen", sent=False)
        finally:
            stopped.set()
            flooding.join()


PLAYED = """
import wave
endpoint.libStart()
devices = endpoint.audDevManager()
devices.setNullDev()
with wave.open("PATH", "wb") as out:
    out.setnchannels(1)
    out.setsampwidth(2)
    out.setframerate(8000)
    out.writeframes(bytes(2 * 400))
def spin():
    while True:
        pass

for _ in range(3):
    threading.Thread(target=spin, daemon=True).start()
for number in range(200):
    player = pj.AudioMediaPlayer()
    player.createPlayer("PATH")
    player.startTransmit(devices.getPlaybackDevMedia())
    time.sleep(0.05 + 0.0005 * (number % 100))
    del player
tell(number)
"""


def test_a_player_that_is_dropped_as_its_file_begins_anew_is_gone(tmp_path: Path) -> None:
    """It was told of the end of its file, 20 times a second, until what played it was gone too."""
    assert told(PLAYED.replace("PATH", str(tmp_path / "silence.wav"))) == 199
