"""SRTP of the real phone: what it is in which call, and what it tells of what a path does to it."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from agent.tap.model import Fate
from tests.component.phones import Fields, Make, PhoneProcess
from tests.component.relay import Relay, bound
from tests.component.test_pjsua_phone import connect, pair, wait_for_audio
from tests.component.test_tap import hang_up

SDES: Fields = {"use": "Mandatory"}
DTLS: Fields = {"use": "Mandatory", "keying": ["DTLS"]}
TAG_BYTES = 10
"""AES_256_CM_HMAC_SHA1_80: what SDES takes first."""
ALERT, HANDSHAKE = 21, 22
FINGERPRINT_DIFFERS = 220242
"""PJMEDIA_SRTP_DTLS_EFPNOTMATCH."""
AT_ONCE = 30


def is_dtls(datagram: bytes) -> bool:
    return 20 <= datagram[0] <= 63


def alert(description: int) -> bytes:
    """A fatal one, of a handshake that has no keys yet (RFC 6347 §4.1)."""
    return bytes((ALERT, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, description))


def fates(ended: Fields, *, sent: bool = False) -> Counter[Fate]:
    found: Counter[Fate] = Counter()
    for row in ended["tapped"]:
        if row["sent"] is sent:
            found.update({Fate(int(fate)): packets for fate, packets in row["fates"].items()})
    return +found


def handshake(ended: Fields) -> Counter[str]:
    names = ("dtls_sent", "dtls_received", "hellos_sent", "hellos_received")
    return Counter({name: sum(guard[name] for guard in ended["guards"]) for name in names})


@contextmanager
def relayed(phone: Make, srtp: Fields, **faults: object) -> Iterator[tuple[PhoneProcess, PhoneProcess, int, Relay]]:
    """Two phones that are SRTP, and a network between them."""
    caller, callee = phone(encryption={"usual": srtp}), phone(encryption={"usual": srtp})
    relay = Relay(callee.address, **faults)  # type: ignore[arg-type]
    try:
        callee.account(f"sip:bob@{callee.address}", relay.address)
        yield caller, callee, caller.account("sip:alice@example.com", relay.address), relay
    finally:
        relay.close()


def talked(phone: Make, srtp: Fields, **faults: object) -> tuple[Fields, Fields, Relay]:
    """A call of a second: how it ended at the caller and at the callee."""
    with relayed(phone, srtp, **faults) as (caller, callee, account, relay):
        call, _ = connect(caller, callee, account)
        wait_for_audio(caller)
        relay.muted = True
        wait_for_audio(caller)
        return *hang_up(caller, callee, call), relay


def each(number: int, make: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Of RTP, one packet in so many is made another."""
    return lambda packet: make(packet) if not is_dtls(packet) and packet[3] % number == 0 else packet


def flipped(packet: bytes) -> bytes:
    return packet[:20] + bytes((packet[20] ^ 1,)) + packet[21:]


@pytest.mark.parametrize("srtp", [SDES, DTLS], ids=["SDES", "DTLS"])
def test_what_srtp_refuses_is_told_by_its_reason(phone: Make, srtp: Fields) -> None:
    """Copies are replays, and are among the copies on the wire; what was changed is not authentic."""
    _, answered, relay = talked(phone, srtp, repeated=0.2, spoil=each(5, flipped))
    expected: Counter[Fate] = Counter()
    seen: set[bytes] = set()
    for packet in (one for one in relay.passed["callee"] if not is_dtls(one)):
        is_changed = packet[3] % 5 == 0
        fate = Fate.UNAUTHENTIC if is_changed else Fate.REPLAYED if packet in seen else Fate.PASSED
        seen.add(packet)
        expected[fate] += 1
    assert fates(answered) == expected
    assert min(expected.values()) > 3
    rows = [row for row in answered["tapped"] if not row["sent"]]
    assert sum(row["packets"] for row in rows) == expected.total()
    assert sum(row["duplicates"] for row in rows) == expected.total() - len(seen)
    assert sum(row["lost"] for row in rows) == 0


def test_a_plain_packet_where_srtp_is_agreed_is_told_from_one_that_is_not_authentic(phone: Make) -> None:
    """Without a tag a payload of G.711 lasts as long as it is long: that is told of it, and nothing of its content."""
    ended, answered, relay = talked(phone, SDES, spoil=lambda packet: packet[:-TAG_BYTES])
    assert fates(answered) == {Fate.PLAIN: len(relay.passed["callee"])}
    assert fates(ended) == {Fate.PASSED: len(relay.passed["caller"])}
    assert fates(answered, sent=True).keys() == fates(ended, sent=True).keys() == {Fate.PASSED}


def test_media_of_other_keys_is_counted_and_not_heard(phone: Make) -> None:
    other = re.compile(r"(a=crypto:\d+ \S+ inline:)(.)")
    ended, answered, relay = talked(
        phone, SDES, answer=lambda sdp: other.sub(lambda found: found[1] + ("A" if found[2] != "A" else "B"), sdp)
    )
    assert fates(ended) == {Fate.UNAUTHENTIC: len(relay.passed["caller"])}
    assert fates(answered) == {Fate.PASSED: len(relay.passed["callee"])}
    (row,) = [row for row in ended["tapped"] if not row["sent"]]
    assert (row["lost"], row["audio"]) == (0, None)
    assert row["media_ms"] == pytest.approx(20 * row["packets"], abs=20)


@pytest.mark.parametrize("keys", [["SDES"], ["DTLS"]], ids=["SDES", "DTLS"])
def test_a_phone_without_srtp_refuses_it_and_one_that_must_have_it_refuses_plain_media(
    phone: Make, keys: list[str]
) -> None:
    for ours, theirs in (({"use": "Mandatory", "keying": keys}, None), (None, {"use": "Mandatory", "keying": keys})):
        caller, callee = (phone(encryption=srtp and {"usual": srtp}) for srtp in (ours, theirs))
        callee.account(f"sip:bob@{callee.address}", caller.address)
        account = caller.account("sip:alice@example.com", callee.address)
        caller.do("call", account=account, to="sip:bob@example.com", headers={}, playback={})
        caller.wait("CallEnded")
        assert caller.starts_once(sent=False)[-1].startswith("SIP/2.0 488 ")


def test_calls_of_one_phone_differ_in_their_srtp(phone: Make) -> None:
    """By the name in the header that says which call an INVITE is."""
    suites = ["AES_CM_128_HMAC_SHA1_32", "AES_CM_128_HMAC_SHA1_80"]
    calls = {"short": SDES | {"suites": suites}, "shaken": DTLS, "open": {"use": "Optional"}}
    caller, callee, account = pair(lambda: phone(encryption={"usual": {"use": "Disabled"}, "calls": calls}))
    expected = {
        "plain": ("RTP/AVP", 0, False, None, ""),
        "short": ("RTP/SAVP", 2, True, "SDES", suites[0]),
        "shaken": ("UDP/TLS/RTP/SAVP", 0, True, "DTLS", suites[1]),
        "open": ("RTP/AVP", 4, True, "SDES", "AES_256_CM_HMAC_SHA1_80"),
    }
    for name, (profile, lines, is_active, keying, suite) in expected.items():
        headers = {"X-Calltest-Call": f"run/0/{name}/0"}
        call, _ = caller.do("call", account=account, to="sip:bob@example.com", headers=headers, playback={})
        incoming = callee.wait("IncomingCall")
        offer = incoming["invite"]
        assert re.search(rf"m=audio \d+ {re.escape(profile)} ", offer), name
        assert offer.count("a=crypto:") == lines
        callee.do("answer", call=incoming["call"], code=200)
        caller.wait("CallConfirmed", call=call)
        wait_for_audio(caller)
        for ended in hang_up(caller, callee, call):
            last = ended["guards"][-1]
            found = last["active"], last["keying"], last["sent_suite"], last["received_suite"]
            assert found == (is_active, keying, suite, suite), name


def test_dtls_has_suites_of_its_own(phone: Make) -> None:
    """Those that are asked for are SDES's: DTLS takes of them what it knows, and else what it has (RFC 5764 §4.1.2)."""
    for suites, used in (
        (["AES_256_CM_HMAC_SHA1_80"], "AES_CM_128_HMAC_SHA1_80"),
        (["AES_256_CM_HMAC_SHA1_32", "AES_CM_128_HMAC_SHA1_32"], "AES_CM_128_HMAC_SHA1_32"),
    ):
        for ended in talked(phone, DTLS | {"suites": suites})[:2]:
            last = ended["guards"][-1]
            assert (last["active"], last["sent_suite"], last["received_suite"]) == (True, used, used)


def test_handshakes_do_not_wait_for_each_other(phone: Make) -> None:
    """Two of each call, and one thread that reads all their packets."""
    caller, callee, account = pair(lambda: phone(encryption={"usual": DTLS}))
    began_s = []
    for _ in range(AT_ONCE):
        caller.do("call", account=account, to="sip:bob@example.com", headers={}, playback={})
        incoming = callee.wait("IncomingCall")
        began_s.append(incoming["at_s"])
        callee.do("answer", call=incoming["call"], code=200)
    for _ in range(AT_ONCE):
        caller.wait("CallConfirmed")
    wait_for_audio(caller)
    wait_for_audio(caller)
    for call in {event["call"] for event in caller.all("CallConfirmed")}:
        caller.do("hang_up", call=call)
    ends = [side.wait("CallEnded") for side in (caller, callee) for _ in range(AT_ONCE)]
    keyed_s = [guard["keyed_s"] for ended in ends for guard in ended["guards"] if guard["keyed_s"]]
    assert len(keyed_s) >= 2 * AT_ONCE
    assert max(keyed_s) - max(began_s) < 2.5, "with clocks that are waited for: 7 s"


def test_no_flight_of_a_handshake_is_lost(phone: Make) -> None:
    """Each flight is answered before who sent it has gone on: what is lost of them is sent again after a second."""
    caller, callee, account = pair(lambda: phone(encryption={"usual": DTLS}))
    calls = [connect(caller, callee, account)[0] for _ in range(AT_ONCE)]
    wait_for_audio(caller)
    wait_for_audio(caller)
    for call in calls:
        caller.do("hang_up", call=call)
    ends = [side.wait("CallEnded") for side in (caller, callee) for _ in calls]
    counts = Counter((handshake(ended)["dtls_sent"], handshake(ended)["dtls_received"]) for ended in ends)
    assert counts[2, 2] >= 2 * AT_ONCE - 2, "but for what a busy machine held up for a second"
    assert all(ended["guards"][-1]["active"] for ended in ends)


def test_a_clienthello_that_nobody_took_is_sent_again_soon(phone: Make) -> None:
    """The callee's leaves before its 200: who has no answer yet may drop it."""
    hellos = []

    def takes_no_first(packet: bytes) -> bytes | None:
        if packet[0] == HANDSHAKE:
            hellos.append(packet)
        return None if packet[0] == HANDSHAKE and len(hellos) == 1 else packet

    with relayed(phone, DTLS, spoil_back=takes_no_first) as (caller, callee, account, _):
        call, _ = connect(caller, callee, account)
        wait_for_audio(caller)
        ended, answered = hang_up(caller, callee, call)
    assert handshake(answered)["hellos_sent"] >= 2
    for side in (ended, answered):
        (confirmed,) = [event["at_s"] for event in (caller if side is ended else callee).all("CallConfirmed")]
        assert side["guards"][-1]["keyed_s"] - confirmed < 0.6


def test_an_offer_of_other_keys_than_a_call_takes_is_refused(phone: Make) -> None:
    caller, callee = phone(encryption={"usual": SDES}), phone(encryption={"usual": DTLS})
    callee.account(f"sip:bob@{callee.address}", caller.address)
    account = caller.account("sip:alice@example.com", callee.address)
    for _ in range(5):
        call, _ = caller.do("call", account=account, to="sip:bob@example.com", headers={}, playback={})
        caller.wait("CallEnded", call=call)
        assert caller.starts_once(sent=False)[-1].startswith("SIP/2.0 488 ")


def test_a_handshake_that_nobody_answers_is_told(phone: Make) -> None:
    """The callee begins it, as its answer says."""

    def silent(packet: bytes) -> bytes | None:
        return None if is_dtls(packet) else packet

    with relayed(phone, DTLS, spoil=silent, spoil_back=silent) as (caller, callee, account, _):
        call, _ = connect(caller, callee, account)
        for _ in range(4):
            wait_for_audio(caller)
        ended, answered = hang_up(caller, callee, call)
    assert handshake(answered)["hellos_sent"] >= 3
    assert +handshake(ended) == {}
    assert handshake(answered)["dtls_received"] == 0
    for side in (ended, answered):
        assert not any(guard["active"] or guard["done"] for guard in side["guards"])
        assert side["tapped"] == [], "nothing is sent before there are keys"


def test_an_alert_is_told_with_whose_it_is(phone: Make) -> None:
    def refused(packet: bytes) -> bytes | None:
        return alert(40) if packet[0] == HANDSHAKE else packet

    with relayed(phone, DTLS, spoil=refused) as (caller, callee, account, _):
        call, _ = connect(caller, callee, account)
        wait_for_audio(caller)
        ended, answered = hang_up(caller, callee, call)
    (told,) = [guard for guard in answered["guards"] if guard["alert"] is not None]
    assert (told["alert"], told["alert_sent"], told["done"]) == (40, False, False)
    assert all(guard["alert"] is None for guard in ended["guards"])


def another_fingerprint(sdp: str) -> str:
    last = re.compile(r"(a=fingerprint:.*)(.)(\r\n)")
    return last.sub(lambda found: found[1] + ("0" if found[2] != "0" else "1") + found[3], sdp)


def test_another_certificate_than_that_of_the_fingerprint_is_told(phone: Make) -> None:
    """The handshake begins once the call is up: until then the network holds it up."""
    up: list[str] = []

    def held(packet: bytes) -> bytes | None:
        return None if is_dtls(packet) and not up else packet

    with relayed(phone, DTLS, answer=another_fingerprint, spoil_back=held) as (caller, callee, account, _):
        call, _ = connect(caller, callee, account)
        up.append("now")
        for _ in range(3):
            wait_for_audio(callee)
        ended, _ = hang_up(caller, callee, call)
    (told,) = [guard for guard in ended["guards"] if guard["done"] and guard["status"]]
    assert told["status"] == FINGERPRINT_DIFFERS
    assert not any(guard["active"] for guard in ended["guards"])


def test_a_certificate_that_came_before_its_fingerprint_is_held_against_it(phone: Make) -> None:
    """The handshake is over while it rings: no SDP says yet whose certificate that is."""
    with relayed(phone, DTLS, answer=another_fingerprint) as (caller, callee, account, _):
        call, _ = caller.do("call", account=account, to="sip:bob@example.com", headers={}, playback={})
        incoming = callee.wait("IncomingCall")["call"]
        callee.do("ring", call=incoming)
        for _ in range(2):
            wait_for_audio(caller)
        callee.do("answer", call=incoming, code=200)
        ended = caller.wait("CallEnded", call=call)
    (told,) = [guard for guard in ended["guards"] if guard["done"] and guard["status"]]
    assert told["status"] == FINGERPRINT_DIFFERS
    assert not any(guard["active"] for guard in ended["guards"])


@pytest.mark.parametrize("length", [13, 40, 200, 1400])
def test_a_hello_that_cannot_be_read_does_not_keep_out_the_next(phone: Make, length: int) -> None:
    size = length.to_bytes(3, "big")
    body = b"\1" + size + bytes(5) + size + b"\xff" * length
    odd = bytes((HANDSHAKE, 0xFE, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0)) + len(body).to_bytes(2, "big") + body

    class Odd(Relay):
        def _rtp(self, data: bytes, side: str) -> None:
            if is_dtls(data) and not self.passed["caller"]:
                self.media["caller"].sendto(odd, self.targets["caller"])
            super()._rtp(data, side)

    caller, callee = phone(encryption={"usual": DTLS}), phone(encryption={"usual": DTLS})
    relay = Odd(callee.address, spoil=lambda packet: None if packet[0] == ALERT else packet)
    try:
        callee.account(f"sip:bob@{callee.address}", relay.address)
        call, _ = connect(caller, callee, caller.account("sip:alice@example.com", relay.address))
        for _ in range(3):
            wait_for_audio(caller)
        ended, answered = hang_up(caller, callee, call)
    finally:
        relay.close()
    for side in (ended, answered):
        assert side["guards"][-1]["active"]
        found = fates(side)  # the handshake may be over before the answer was read: what comes then finds no keys
        assert found.keys() <= {Fate.PASSED, Fate.KEYLESS}
        assert found[Fate.PASSED] > 10 * found[Fate.KEYLESS]


def test_the_handshake_of_rtcp_may_be_over_first(phone: Make) -> None:
    """And the answer come between: RTCP goes past the network that holds up RTP's handshake."""
    ringing: list[bytes] = []

    def held(packet: bytes) -> bytes | None:
        if is_dtls(packet) and not ringing:
            return None
        return packet

    with relayed(phone, DTLS, spoil_back=held) as (caller, callee, account, _):
        call, _ = caller.do("call", account=account, to="sip:bob@example.com", headers={}, playback={})
        incoming = callee.wait("IncomingCall")["call"]
        callee.do("ring", call=incoming)
        wait_for_audio(caller)
        callee.do("answer", call=incoming, code=200)
        caller.wait("CallConfirmed", call=call)
        ringing.append(b"over")
        for _ in range(3):
            wait_for_audio(caller)
        for ended in hang_up(caller, callee, call):
            assert ended["guards"][-1]["active"]
            assert fates(ended).keys() == {Fate.PASSED}


def test_a_handshake_is_answered_at_the_address_of_the_sdp(phone: Make) -> None:
    """Not where it comes from, which nobody reads: what of the SUT's SDP leads nowhere would be hidden by that."""
    unread = bound()

    class Elsewhere(Relay):
        def _rtp(self, data: bytes, side: str) -> None:
            if side == "callee":
                unread.sendto(data, self.targets["caller"])
            else:
                super()._rtp(data, side)

    caller, callee = phone(encryption={"usual": DTLS}), phone(encryption={"usual": DTLS})
    relay = Elsewhere(callee.address)
    try:
        callee.account(f"sip:bob@{callee.address}", relay.address)
        call, _ = connect(caller, callee, caller.account("sip:alice@example.com", relay.address))
        for _ in range(4):
            wait_for_audio(caller)
        ended, answered = hang_up(caller, callee, call)
    finally:
        relay.close()
        unread.close()
    for side in (ended, answered):
        assert side["guards"][-1]["active"]
        assert fates(side)[Fate.PASSED] > 0


def test_a_line_that_asks_for_more_than_is_done_is_passed_over(phone: Make) -> None:
    """The second of two suites is taken where the first has an MKI; the first where each has one."""

    class Indexed(Relay):
        lines = rb"a=crypto:1 \S+"

        def _sip(self, data: bytes, source: tuple[str, int]) -> None:
            if data.startswith(b"INVITE "):
                data = re.sub(self.lines + rb" inline:[A-Za-z0-9+/=]+", lambda found: found[0] + b"|2^31|1:1", data)
            super()._sip(data, source)

    class AllIndexed(Indexed):
        lines = rb"a=crypto:\d+ \S+"

    suites = ["AES_256_CM_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_80"]
    for path, taken in ((Indexed, suites[1]), (AllIndexed, suites[0])):
        caller, callee = (phone(encryption={"usual": SDES | {"suites": suites}}) for _ in range(2))
        relay = path(callee.address)
        try:
            callee.account(f"sip:bob@{callee.address}", relay.address)
            call, _ = connect(caller, callee, caller.account("sip:alice@example.com", relay.address))
            wait_for_audio(caller)
            ended, answered = hang_up(caller, callee, call)
        finally:
            relay.close()
        for side in (ended, answered):
            assert side["guards"][-1]["sent_suite"] == taken
            assert fates(side).keys() == {Fate.PASSED}
