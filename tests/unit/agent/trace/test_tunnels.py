"""A call is the same call, whatever its packets were captured in; what is not read is named."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.trace.model import Trace
from tests.unit.agent.trace.reading import read
from tests.unit.agent.trace.tunnels import LINKS, TUNNELS, VXLAN, by_udp, framed, gre, label, outer, outer6, ppp, typed
from tests.unit.agent.trace.wire import START_NS, Packet, ethernet, event, frames, invite, ip, pcap, rtp, sip, speech

PRESS = [
    Packet(
        time_ns=START_NS + 10**9 + n * 10**7, payload=rtp(140 + n, 9000, payload_type=101, payload=event(5, 160 * n))
    )
    for n in range(1, 6)
]
OFFER = sip(Packet(payload=b"", time_ns=START_NS - 1), invite("10.0.0.2", 4002, "0 101=telephone-event/8000"))
CALL = [OFFER, *speech(40), *PRESS]
BARE = read(pcap(frames(CALL)))
SIX = [Packet(time_ns=one.time_ns, payload=one.payload, src="2001:db8::1", dst="2001:db8::2") for one in speech(40)]
BARE_SIX = read(pcap(frames(SIX)))


def inside(*names: str, call: list[Packet] = CALL, snap: int = 262_144) -> Trace:
    return read(pcap([(one.time_ns, framed(one.ip(), *names)) for one in call], snap=snap))


def test_the_call_itself_has_what_tunnels_might_hide() -> None:
    [stream] = BARE.streams
    assert (stream.packets, stream.codec, stream.call_id, stream.digits[0].digit) == (45, "PCMU", "call-1", "5")


@pytest.mark.parametrize("link", LINKS)
def test_link_layers_say_the_same(link: str) -> None:
    found = inside(link)
    assert (found.streams, found.files[0].skipped) == (BARE.streams, {})
    assert inside(link, call=SIX).streams == BARE_SIX.streams


@pytest.mark.parametrize("tunnel", TUNNELS)
def test_tunnels_say_the_same(tunnel: str) -> None:
    found = inside(tunnel, "Ethernet")
    assert (found.streams, found.files[0].skipped) == (BARE.streams, {})
    assert inside(tunnel, "Ethernet", call=SIX).streams == BARE_SIX.streams


@given(tunnels=st.lists(st.sampled_from(sorted(TUNNELS)), max_size=3), link=st.sampled_from(sorted(LINKS)))
@settings(max_examples=60, deadline=None)
def test_any_nesting_says_the_same(tunnels: list[str], link: str) -> None:
    found = inside(*tunnels, link)
    assert (found.streams, found.files[0].skipped, found.warnings) == (BARE.streams, {}, BARE.warnings)


@given(tunnels=st.lists(st.sampled_from(sorted(TUNNELS)), max_size=2), snap=st.integers(0, 400))
@settings(max_examples=40, deadline=None)
def test_a_cut_in_any_header_raises_nothing_and_is_counted(tunnels: list[str], snap: int) -> None:
    found = inside(*tunnels, "PPPoE in VLANs", call=speech(9), snap=snap)
    assert found.streams or found.files[0].skipped


def test_tunnels_without_end_are_not_followed_and_said() -> None:
    packet = speech(1)[0].ip()
    for _ in range(40):
        packet = outer(4, packet)
    found = read(pcap([(START_NS, ethernet(packet))] * 2))
    assert (found.streams, found.files[0].skipped) == ([], {"more headers in a packet than are followed": 2})


@pytest.mark.parametrize("link", [9, 50, 51, 104, 166, 204, 205, 219, 258, 12, 14, 229])
def test_other_link_types(link: int) -> None:
    def frame(packet: bytes) -> bytes:
        heads = {
            50: b"\xff\x03" + ppp(packet)[:2], 51: struct.pack(">BBHH", 0x11, 0, 1, len(packet) + 2) + ppp(packet)[:2],
            104: b"\x0f\x00\x08\x00", 166: b"\x01" + ppp(packet)[:2], 204: b"\0\xff\x03" + ppp(packet)[:2],
            205: b"\x01\x0f\x00\x08\x00", 219: label(9, last=True), 258: struct.pack("<III8x", 20, 1, 1),
            9: b"\x21",
        }  # fmt: skip
        return heads.get(link, b"") + (ethernet(packet) if link == 258 else packet)

    assert read(pcap([(one.time_ns, frame(one.ip())) for one in CALL], link=link)).streams == BARE.streams


def pieces(packet: bytes, size: int, number: int) -> list[bytes]:
    """An IPv4 packet in fragments."""
    content = packet[20:]
    return [
        packet[:2]
        + struct.pack(">HHH", 20 + len(part), number, at // 8 | (at + size < len(content)) << 13)
        + packet[8:20]
        + part
        for at in range(0, len(content), size)
        for part in [content[at : at + size]]
    ]


@pytest.mark.parametrize("tunnel", ["VXLAN", "GRE", "IP in IP", "Geneve", "AH", "GTP-U"])
def test_fragments_of_a_tunnel_and_in_one(tunnel: str) -> None:
    of = [(p.time_ns, ethernet(part)) for n, p in enumerate(CALL) for part in pieces(TUNNELS[tunnel](p.ip()), 64, n)]
    assert read(pcap(of)).streams == BARE.streams
    within = [(p.time_ns, framed(part, tunnel, "MPLS")) for n, p in enumerate(CALL) for part in pieces(p.ip(), 64, n)]
    assert read(pcap(within)).streams == BARE.streams
    both = [
        (p.time_ns, ethernet(whole))
        for n, p in enumerate(CALL)
        for m, part in enumerate(pieces(p.ip(), 120, n))
        for whole in pieces(TUNNELS[tunnel](part), 64, 10 * n + m)
    ]
    assert read(pcap(both)).streams == BARE.streams


UNREAD = {
    "EtherType 0x88f7 (PTP)": typed(0x88F7, bytes(44)),
    "EtherType 0x1234": typed(0x1234, bytes(44)),
    "EtherType 0x88e5 (MACsec)": typed(0x88E5, bytes(44), bytes.fromhex("81000001")),
    "IP protocol 50 (ESP)": ethernet(outer(50, bytes(44))),
    "IP protocol 132 (SCTP)": ethernet(outer6(132, bytes(44))),
    "IP protocol 200": ethernet(outer(4, outer(200, bytes(44)))),
    "PPP protocol 0x00fd (compressed or encrypted)": typed(0x8864, b"\x11\0\0\1\0\x0c\0\xfd" + bytes(10)),
    "GRE protocol 0x0042": ethernet(gre(0, 0x42, bytes(40))),
    "UDP port 1701 (L2TP 3)": ethernet(by_udp(1701, b"\0\3" + bytes(40))),
    "UDP port 4500 (ESP)": ethernet(by_udp(4500, b"\1\2\3\4" + bytes(40))),
    "UDP port 9060 (HEP 1 or 2)": ethernet(by_udp(9060, b"\2\x10\2\x11" + bytes(40))),
    "MPLS payload": typed(0x8847, label(3, last=True) + b"\x20" + bytes(40)),
    "NSH next protocol 6": typed(0x894F, bytes([0, 2, 2, 6]) + bytes(40)),
    "packet damaged or cut within its headers": typed(0x8864, b"\x11\0\0"),
    "looks like RTP, but for a header or padding longer than the packet": frames(
        [Packet(payload=b"\x9f" + rtp(1, 2, payload=bytes(20))[1:])]
    )[0][1],
}


@pytest.mark.parametrize("name", UNREAD)
def test_what_is_not_read_is_counted_by_name(name: str) -> None:
    found = read(pcap([(START_NS, UNREAD[name])] * 3 + frames(CALL)))
    assert found.files[0].skipped == {name: 3}
    assert found.streams == BARE.streams


ORDINARY = {
    "ARP": typed(0x0806, bytes(28)),
    "LLDP": typed(0x88CC, bytes(40)),
    "spanning tree": typed(38, b"\x42\x42\x03" + bytes(35)),
    "PPPoE discovery": typed(0x8863, bytes(20)),
    "PPP control": typed(0x8864, b"\x11\0\0\1\0\x0c\xc0\x21" + bytes(10)),
    "ICMP": ethernet(outer(1, bytes(40))),
    "ICMPv6": ethernet(outer6(58, bytes(40))),
    "GRE keep-alive": ethernet(gre(0, 0, b"")),
    "GTP echo": ethernet(by_udp(2152, b"\x32\1\0\4" + bytes(8))),
    "DNS": ethernet(by_udp(53, b"\1\2" + bytes(40))),
    "empty TCP": ethernet(outer(6, struct.pack(">HHIIBBHHH", 1, 2, 3, 4, 0x50, 0x10, 0, 0, 0))),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_of_what_is_in_every_capture_nothing_is_said(name: str) -> None:
    assert read(pcap([(START_NS, ORDINARY[name])])).files[0].skipped == {}


@pytest.mark.parametrize("tunnel", ["GTP-U", "MPLS in UDP"])
def test_an_address_that_reads_like_an_ethertype_makes_no_frame(tunnel: str) -> None:
    """8.0.64.1 stands where the type would, and a version behind it: the checksum tells."""
    records = []
    for one in speech(9):
        packet = bytearray(Packet(payload=one.payload, src="8.0.64.1").ip())
        total = sum(struct.unpack(">10H", packet[:20]))
        packet[10:12] = struct.pack(">H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF)
        records.append((one.time_ns, framed(bytes(packet), tunnel, "VLAN")))
    assert [(one.src, one.packets) for one in read(pcap(records)).streams] == [("8.0.64.1:4000", 9)]


@pytest.mark.parametrize("host", ["10.0.0.2", "2001:db8::2"])
@pytest.mark.parametrize("tunnels", [(), ("VXLAN",), ("GRE", "ERSPAN II"), ("VXLAN in IPv6",)])
def test_sip_over_tcp_in_a_tunnel(host: str, tunnels: tuple[str, ...]) -> None:
    text = invite("10.0.0.2", 4002, "0 101=telephone-event/8000").replace("\n", "\r\n").encode()
    records = []
    for at in range(0, len(text), 90):
        header = struct.pack(">HHIIBBHHH", 5060, 5061, 7 + at, 0, 0x50, 0x18, 1000, 0, 0)
        segment = ip(host, host[:-1] + "1", 6, header + text[at : at + 90])
        records.append((START_NS - 9, framed(segment, *tunnels, "VLAN")))
    assert read(pcap([*records, *frames(CALL[1:])])).streams == BARE.streams


def test_names_are_bounded() -> None:
    found = read(pcap([(START_NS, typed(0x1000 + n, bytes(40))) for n in range(3000)]), chunk_bytes=1 << 12)
    assert len(found.files[0].skipped) <= 65
    assert sum(found.files[0].skipped.values()) == 3000


def test_a_group_policys_vxlan_is_no_rtp_and_rtp_with_sources_is_no_tunnel() -> None:
    mixed = [Packet(payload=b"\x88" + one.payload[1:12] + bytes(32) + one.payload[12:]) for one in speech(9)]
    assert read(pcap(frames(mixed))).streams[0].packets == 9


def test_the_same_packets_in_a_tunnel_and_outside_are_copies_and_no_loss() -> None:
    both = [(one.time_ns, frame) for one in CALL for frame in (ethernet(one.ip()), framed(one.ip(), "VXLAN", "VLAN"))]
    found = read(pcap(both))
    [stream] = found.streams
    assert (stream.lost, stream.duplicates, len(stream.digits)) == (BARE.streams[0].lost, 45, 1)
    assert "CapturedTwice" in [one.code for one in found.warnings]


def test_copies_of_fragments_that_mix_are_no_missing_ones() -> None:
    records = [(one.time_ns, ethernet(part)) for n, one in enumerate(speech(9)) for part in pieces(one.ip(), 96, n)]
    found = read(pcap([record for record in records for _ in range(2)]))
    assert (found.streams[0].packets, found.streams[0].lost) == (9, 0)
    assert "FragmentsMissing" not in [one.code for one in found.warnings]


def test_padding_of_short_frames_is_no_part_of_what_a_tunnel_carries() -> None:
    keepalive = [Packet(time_ns=START_NS + n, payload=rtp(n, 1, payload=b"")) for n in range(9)]
    records = [(one.time_ns, framed(one.ip(), "GRE", "Ethernet") + bytes(20)) for one in keepalive]
    assert read(pcap(records)).streams == read(pcap(frames(keepalive))).streams


def test_addresses_that_are_numbered_are_so_in_tunnels_too() -> None:
    odd = [Packet(time_ns=one.time_ns, payload=one.payload, src="255.0.0.1") for one in speech(9)]
    assert inside("VXLAN", "Ethernet", call=odd).streams[0].src == "255.0.0.1:4000"
    assert read(
        pcap([(START_NS, ethernet(ip("255.0.0.1", "10.0.0.1", 47, b"\0\0\x08\0" + p.ip()))) for p in odd])
    ).streams


def test_a_vxlan_port_carries_other_things_too() -> None:
    found = read(pcap([(START_NS, ethernet(by_udp(4789, b"\0" + VXLAN[1:] + bytes(60))))]))
    assert found.files[0].skipped == {}
