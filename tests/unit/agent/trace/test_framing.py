"""RTP over TCP (RFC 4571): where SDP declares it from the first frame on, elsewhere only what nothing else could be."""

import random
import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.trace.model import Trace
from agent.trace.wire import tcp
from tests.unit.agent.trace.dialogue import ALICE_RTP, BOB_RTP, Hop, sdp
from tests.unit.agent.trace.reading import read
from tests.unit.agent.trace.wire import START_NS, Frame, Packet, ethernet, frames, ip, pcap, rtp, speech

SYN, ACK = 2, 0x10
EPHEMERAL = (ALICE_RTP[0], 49_152)
Place = tuple[str, int]


def segments(
    source: Place, destination: Place, pieces: list[bytes], *, at_s: float = 1.0, syn: bool = True
) -> list[Frame]:
    found: list[Frame] = []
    at = 7000
    for number, piece in enumerate([b"", *pieces] if syn else pieces):
        flags = SYN if syn and number == 0 else ACK
        header = struct.pack(">HHIIBBHHH", source[1], destination[1], at, 0, 0x50, flags, 1000, 0, 0)
        time_ns = START_NS + round(at_s * 1e9) + 20_000_000 * number
        found.append((time_ns, ethernet(ip(source[0], destination[0], 6, header + piece))))
        at += len(piece) or 1
    return found


def framed(payload: bytes) -> bytes:
    return struct.pack(">H", len(payload)) + payload


def media(count: int, **options: int) -> list[bytes]:
    return [framed(one.payload) for one in speech(count, **options)]


def dialogue(offer: str, answer: str) -> list[Packet]:
    hop = Hop()
    hop.set_up(offer=offer, answer=answer)
    return hop.packets


def called(offer: str, answer: str) -> list[Frame]:
    return frames(dialogue(offer, answer))


def over_tcp(place: Place, setup: str, profile: str = "TCP/RTP/AVP") -> str:
    return sdp(place, profile=profile, extra=[f"a=setup:{setup}", "a=connection:new"])


def seen(*records: list[Frame], chunk_bytes: int = 1 << 16) -> Trace:
    return read(
        pcap(sorted((one for some in records for one in some), key=lambda one: one[0])), chunk_bytes=chunk_bytes
    )


ACTIVE = over_tcp((ALICE_RTP[0], 9), "active")
PASSIVE = over_tcp(BOB_RTP, "passive")


@pytest.mark.parametrize("chunk_bytes", [2000, 1 << 16])
def test_who_opens_the_connection_names_no_port_and_both_directions_are_the_call_s(chunk_bytes: int) -> None:
    """RFC 4145 §4.1: port 9 with a=setup:active. One packet of a side is enough, as over UDP."""
    found = seen(
        called(ACTIVE, PASSIVE),
        segments(EPHEMERAL, BOB_RTP, media(2)),
        segments(BOB_RTP, EPHEMERAL, media(1, ssrc=9)),
        chunk_bytes=chunk_bytes,
    )
    assert [(one.src, one.packets, one.calls[0].side, one.codec) for one in found.streams] == [
        ("10.0.0.1:49152", 2, "A", "PCMU"),
        ("10.0.0.2:5000", 1, "B", "PCMU"),
    ]


def test_the_called_side_may_open_it() -> None:
    offer, answer = over_tcp(ALICE_RTP, "actpass"), over_tcp((BOB_RTP[0], 9), "active")
    port = (BOB_RTP[0], 50_000)
    found = seen(
        called(offer, answer), segments(port, ALICE_RTP, media(1)), segments(ALICE_RTP, port, media(1, ssrc=9))
    )
    assert [one.calls[0].side for one in found.streams] == ["B", "A"]


def test_sources_that_share_a_declared_connection_are_all_read() -> None:
    pieces = [framed(rtp(n, 160 * n, ssrc=1 + n % 3)) for n in range(9)]
    found = seen(called(ACTIVE, PASSIVE), segments(EPHEMERAL, BOB_RTP, pieces))
    assert [one.packets for one in found.streams] == [3, 3, 3]


def test_a_declared_connection_that_begins_with_dtls_is_encrypted() -> None:
    hello = framed(b"\x16\xfe\xfd" + bytes(40))
    profile = "TCP/DTLS/RTP/SAVP"
    offer, answer = (over_tcp(place, "actpass", profile) for place in (ALICE_RTP, BOB_RTP))
    found = seen(called(offer, answer), segments(EPHEMERAL, BOB_RTP, [hello, *media(2)]))
    assert [(one.packets, one.encrypted) for one in found.streams] == [(2, True)]


@pytest.mark.parametrize("size", [100, 174])
def test_a_declared_connection_whose_begin_was_not_captured_is_found_by_two_frames(size: int) -> None:
    content = b"".join(media(9))
    pieces = [media(1)[0][50:], *(content[at : at + size] for at in range(0, len(content), size))]
    found = seen(called(ACTIVE, PASSIVE), segments(EPHEMERAL, BOB_RTP, pieces, syn=False))
    assert [one.packets for one in found.streams] == [9]


def test_sdp_that_came_over_tcp_declares_too() -> None:
    text = next(one.payload for one in dialogue(ACTIVE, PASSIVE) if one.payload.startswith(b"SIP/2.0 200"))
    found = seen(segments((BOB_RTP[0], 5060), (ALICE_RTP[0], 5060), [text[:90], text[90:]], at_s=0.1),
                 segments(EPHEMERAL, BOB_RTP, media(1)))  # fmt: skip
    assert [one.packets for one in found.streams] == [1]


def test_media_over_udp_declares_no_connection() -> None:
    found = seen(called(sdp(ALICE_RTP), sdp(BOB_RTP)), segments(EPHEMERAL, BOB_RTP, media(2)))
    assert found.streams == []


def test_the_oldest_declarations_are_forgotten_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "MAX_DECLARED", 1)
    first = called(ACTIVE, PASSIVE)
    second = [replace(one, payload=one.payload.replace(b" 5000 ", b" 6000 ").replace(b"c1", b"c2"))
              for one in dialogue(ACTIVE, PASSIVE)]  # fmt: skip
    found = seen(first, frames(second), segments(EPHEMERAL, BOB_RTP, media(2)),
                 segments((ALICE_RTP[0], 49_153), (BOB_RTP[0], 6000), media(2)))  # fmt: skip
    assert [one.dst for one in found.streams] == ["10.0.0.2:6000"]


# --- what only looks like it


def tls(rng: random.Random) -> bytes:
    """Records of application data (RFC 8446 §5.2), of any length."""
    return b"".join(b"\x17\x03\x03" + framed(rng.randbytes(rng.randint(20, 900))) for _ in range(30))


def http(rng: random.Random) -> bytes:
    body = rng.randbytes(4000)
    return b"HTTP/1.1 200 OK\r\nContent-Type: audio/basic\r\nContent-Length: 4000\r\n\r\n" + body


def dns(rng: random.Random) -> bytes:
    """RFC 1035 §4.2.2: a length before each message, whose number may begin as RTP does, and equal counts behind it."""
    return b"".join(
        framed(struct.pack(">HHHHHH", 0x8000 | rng.randrange(1 << 14), 0x8180, 1, 1, 0, 1) + rng.randbytes(60))
        for _ in range(30)
    )


def records(rng: random.Random) -> bytes:
    """Of a protocol of somebody's own: length, kind, a number that stays, a name."""
    return b"".join(framed(b"\x80\x10\x00\x07" + rng.randbytes(4) + b"NAME" + rng.randbytes(30)) for _ in range(30))


def jumping(rng: random.Random) -> bytes:
    return b"".join(framed(b"\x80\x00" + rng.randbytes(6) + b"SAME" + rng.randbytes(30)) for _ in range(3))


@pytest.mark.parametrize("make", [tls, http, dns, records, jumping])
@pytest.mark.parametrize("size", [100, 1460])
def test_what_other_protocols_carry_is_no_rtp(make, size: int) -> None:  # type: ignore[no-untyped-def]
    content = make(random.Random(4571))
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    found = seen(segments(EPHEMERAL, (BOB_RTP[0], 443), pieces))
    assert (found.streams, found.warnings) == ([], [])


@given(st.lists(st.binary(min_size=1, max_size=400), max_size=30), st.booleans())
def test_noise_is_no_rtp(pieces: list[bytes], syn: bool) -> None:  # noqa: FBT001
    assert seen(segments(EPHEMERAL, BOB_RTP, pieces, syn=syn)).streams == []
