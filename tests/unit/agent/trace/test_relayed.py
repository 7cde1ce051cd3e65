"""Media that TURN relays, and messages that HEP copies, are those of the ends, not of the relay."""

import struct
from ipaddress import ip_address

import numpy as np
import pytest

from agent.trace.model import Trace
from agent.trace.wire import turn
from tests.unit.agent.trace.reading import read
from tests.unit.agent.trace.tunnels import TUNNELS
from tests.unit.agent.trace.wire import START_NS, Frame, Packet, ethernet, frames, invite, pcap, sip, speech

CLIENT, SERVER, PEER = ("10.0.0.1", 4000), ("203.0.113.5", 3478), ("10.0.0.2", 4002)
COOKIE = 0x2112A442
TRANSACTION = bytes(range(12))


def between(source: tuple[str, int], destination: tuple[str, int], payload: bytes, time_ns: int) -> Packet:
    return Packet(
        payload=payload,
        time_ns=time_ns,
        src=source[0],
        sport=source[1],
        dst=destination[0],
        dport=destination[1],
    )


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack(">HH", kind, len(value)) + value + bytes(-len(value) % 4)


def peer(address: str, port: int) -> bytes:
    """XOR-PEER-ADDRESS."""
    packed = ip_address(address).packed
    mask = struct.pack(">I", COOKIE) + TRANSACTION
    hidden = bytes(a ^ b for a, b in zip(packed, mask, strict=False))
    return attribute(0x12, struct.pack(">BBH", 0, 1 if len(packed) == 4 else 2, port ^ COOKIE >> 16) + hidden)


def stun(kind: int, *attributes: bytes) -> bytes:
    body = b"".join(attributes)
    return struct.pack(">HHI", kind, len(body), COOKIE) + TRANSACTION + body


def bind(number: int, where: tuple[str, int] = PEER) -> bytes:
    return stun(0x0009, attribute(0x000C, struct.pack(">HH", number, 0)), peer(*where))


def channel(number: int, payload: bytes, padding: int = 0) -> bytes:
    return struct.pack(">HH", number, len(payload)) + payload + bytes(padding)


def relayed(*, number: int = 0x4000, bound: bool = True, padding: int = 0) -> list[Packet]:
    there = [between(CLIENT, SERVER, channel(number, p.payload, padding), p.time_ns) for p in speech(40)]
    back = [between(SERVER, CLIENT, channel(number, p.payload), p.time_ns) for p in speech(40, ssrc=9)]
    first = [between(CLIENT, SERVER, bind(number), START_NS - 5)] if bound else []
    return [*first, *(one for pair in zip(there, back, strict=True) for one in pair)]


def ways(found: Trace) -> list[tuple[str, str, int, int]]:
    return [(one.src, one.dst, one.packets, one.lost) for one in found.streams]


@pytest.mark.parametrize(("number", "padding"), [(0x4000, 0), (0x4FFF, 3)])
def test_a_channel_is_between_the_client_and_its_peer(number: int, padding: int) -> None:
    answer = sip(Packet(payload=b"", time_ns=START_NS - 9), invite("10.0.0.2", 4002, "0"))
    found = read(pcap(frames([answer, *relayed(number=number, padding=padding)])))
    assert ways(found) == [("10.0.0.1:4000", "10.0.0.2:4002", 40, 0), ("10.0.0.2:4002", "10.0.0.1:4000", 40, 0)]
    assert [one.call_id for one in found.streams] == ["call-1", "call-1"]


def test_a_channel_whose_binding_was_not_captured_stays_between_client_and_server() -> None:
    packets = relayed(bound=False)
    late = between(CLIENT, SERVER, bind(0x4000), START_NS + 1)
    found = read(pcap(frames([*packets[:40], late, *packets[40:]])), chunk_bytes=2000)
    assert ways(found) == [
        ("10.0.0.1:4000", "203.0.113.5:3478", 40, 0),
        ("203.0.113.5:3478", "10.0.0.1:4000", 40, 0),
    ]


def test_channels_of_one_client_are_streams_of_their_own() -> None:
    other = [between(CLIENT, SERVER, bind(0x4001, ("2001:db8::7", 5000)), START_NS - 4)]
    other += [between(CLIENT, SERVER, channel(0x4001, p.payload), p.time_ns) for p in speech(9)]
    found = read(pcap(frames([*relayed(), *other])))
    assert ("10.0.0.1:4000", "[2001:db8::7]:5000", 9, 0) in ways(found)


def test_channels_that_mix_to_one_number_are_told_apart() -> None:
    keys = np.zeros(3, turn._KEY)
    keys["hosts"], keys["channel"] = [0, 1, 0], [0, 0, 0]
    step = int(turn._ODD)
    keys["hosts"][0], keys["ports"][0], keys["channel"][0] = pow(step, -1, 1 << 64), 0, 0
    keys["channel"][1:] = 1
    keys["hosts"][1:] = 0
    distinct, which = turn._distinct(keys)
    assert distinct[which].tolist() == keys.tolist()
    assert len(distinct) == 2


@pytest.mark.parametrize("where", [PEER, ("2001:db8::7", 4002)])
def test_indications_carry_media_too(where: tuple[str, int]) -> None:
    content = [attribute(0x8022, b"software"), peer(*where)]
    packets = [
        between(CLIENT, SERVER, stun(0x0016, *content, attribute(0x13, p.payload)), p.time_ns) for p in speech(9)
    ]
    packets += [
        between(SERVER, CLIENT, stun(0x0017, *content, attribute(0x13, p.payload)), p.time_ns)
        for p in speech(9, ssrc=9)
    ]
    said = f"[{where[0]}]:4002" if ":" in where[0] else f"{where[0]}:4002"
    assert ways(read(pcap(frames(packets)))) == [("10.0.0.1:4000", said, 9, 0), (said, "10.0.0.1:4000", 9, 0)]


def test_keys_that_are_agreed_through_a_relay_make_its_media_encrypted() -> None:
    hello = b"\x16\xfe\xfd" + bytes(40)
    found = read(
        pcap(frames([*relayed()[:1], between(CLIENT, SERVER, channel(0x4000, hello), START_NS), *relayed()[1:]]))
    )
    assert [one.encrypted for one in found.streams] == [True, True]


@pytest.mark.parametrize("tunnel", ["VXLAN", "GRE in IPv6", "VXLAN in IPv6"])
def test_relayed_media_in_a_tunnel(tunnel: str) -> None:
    records: list[Frame] = [(one.time_ns, ethernet(TUNNELS[tunnel](one.ip()))) for one in relayed()]
    assert ways(read(pcap(records, snap=4000))) == ways(read(pcap(frames(relayed()))))


@pytest.mark.parametrize(
    "damaged",
    [
        stun(0x0016, peer(*PEER)),
        stun(0x0016, attribute(0x13, bytes(20))),
        stun(0x0016, attribute(0x12, b"\0\1"), attribute(0x13, bytes(20))),
        stun(0x0016, attribute(0x12, b"\0\7" + bytes(18)), attribute(0x13, bytes(20))),
        stun(0x0016, peer(*PEER), b"\0\x13\xff\xff" + bytes(20)),
        stun(0x0009, peer(*PEER)),
        stun(0x0016, peer(*PEER), attribute(0x13, b"")),
        channel(0x4000, b"\x80")[:4],
    ],
)
def test_messages_that_are_damaged_carry_nothing(damaged: bytes) -> None:
    assert read(pcap(frames([between(CLIENT, SERVER, damaged, START_NS)] * 3))).streams == []


def test_a_snap_length_leaves_the_counters_of_relayed_media_whole() -> None:
    found = read(pcap(frames(relayed()), snap=70))
    assert [(packets, lost) for _, _, packets, lost in ways(found)] == [(40, 0), (40, 0)]


def chunk(kind: int, value: bytes, vendor: int = 0) -> bytes:
    return struct.pack(">HHH", vendor, kind, 6 + len(value)) + value


def hep(source: tuple[str, int], destination: tuple[str, int], payload: bytes, content: int = 15) -> bytes:
    six = ":" in source[0]
    body = chunk(1, b"\x0a" if six else b"\x02") + chunk(2, b"\x11")
    body += chunk(5 if six else 3, ip_address(source[0]).packed) + chunk(
        6 if six else 4, ip_address(destination[0]).packed
    )
    body += chunk(7, struct.pack(">H", source[1])) + chunk(8, struct.pack(">H", destination[1]))
    body += chunk(3, b"other", vendor=7) + chunk(content, payload)
    return b"HEP3" + struct.pack(">H", 6 + len(body)) + body


INVITE = invite("10.0.0.2", 4002, "0 101=telephone-event/8000").replace("\n", "\r\n").encode()


def copied() -> list[Packet]:
    """By HEP: a message, and media over IPv6."""
    ends = (("2001:db8::1", 4000), ("2001:db8::2", 4002))
    contents = [(hep(("10.0.0.2", 5060), ("10.0.0.1", 5060), INVITE), START_NS - 1)]
    contents += [(hep(*ends, one.payload), one.time_ns) for one in speech(9)]
    return [between(("192.0.2.1", 40_000), ("192.0.2.2", 7777), content, time_ns) for content, time_ns in contents]


def test_a_message_that_hep_copies_declares_what_it_would_have() -> None:
    copied = hep(("10.0.0.2", 5060), ("10.0.0.1", 5060), INVITE)
    packets = [between(("192.0.2.1", 40_000), ("192.0.2.2", 9060), copied, START_NS - 1), *speech(9)]
    found = read(pcap(frames(packets)))
    assert [(one.call_id, one.src) for one in found.streams] == [("call-1", "10.0.0.1:4000")]


def test_media_that_hep_copies_is_a_stream_of_its_ends() -> None:
    assert ways(read(pcap(frames(copied())))) == [("[2001:db8::1]:4000", "[2001:db8::2]:4002", 9, 0)]


@pytest.mark.parametrize(
    "damaged",
    [
        hep(("10.0.0.2", 5060), ("10.0.0.1", 5060), INVITE, content=16),
        hep(("10.0.0.2", 5060), ("10.0.0.1", 5060), INVITE)[:40],
        b"HEP3\xff\xff" + bytes(40),
        b"HEP3\0\x06",
    ],
)
def test_packets_of_hep_that_are_not_read_are_counted(damaged: bytes) -> None:
    found = read(pcap(frames([between(("192.0.2.1", 40_000), ("192.0.2.2", 9060), damaged, START_NS)])))
    assert found.files[0].skipped == {"HEP packet that could not be read": 1}
