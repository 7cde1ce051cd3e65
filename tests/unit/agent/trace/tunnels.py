"""What mirrored and access networks put around a packet, byte by byte."""

import struct
from collections.abc import Callable

from tests.unit.agent.trace.wire import ethernet, ip

OUTER, INNER = "198.51.100.1", "2001:db8:ffff::1"


def typed(kind: int, content: bytes, tags: bytes = b"") -> bytes:
    """An Ethernet frame."""
    return bytes.fromhex("020000000002020000000001") + tags + struct.pack(">H", kind) + content


def kind(packet: bytes) -> int:
    """EtherType of an IP packet."""
    return 0x86DD if packet[0] >> 4 == 6 else 0x0800


def outer(protocol: int, content: bytes) -> bytes:
    """An IPv4 packet between the tunnel's ends."""
    return ip(OUTER, "198.51.100.2", protocol, content)


def outer6(protocol: int, content: bytes, extensions: bytes = b"") -> bytes:
    return ip(INNER, "2001:db8:ffff::2", protocol, extensions + content)


def datagram(port: int, content: bytes, source: int = 50_001) -> bytes:
    return struct.pack(">HHHH", source, port, 8 + len(content), 0) + content


def by_udp(port: int, content: bytes, source: int = 50_001) -> bytes:
    return outer(17, datagram(port, content, source))


def ppp(packet: bytes) -> bytes:
    return (b"\x00\x57" if packet[0] >> 4 == 6 else b"\x00\x21") + packet


def pppoe(packet: bytes) -> bytes:
    return struct.pack(">BBHH", 0x11, 0, 0x1234, len(packet) + 2) + ppp(packet)


def label(number: int, *, last: bool) -> bytes:
    return struct.pack(">I", number << 12 | last << 8 | 64)


def gre(flags: int, protocol: int, content: bytes, options: bytes = b"") -> bytes:
    return outer(47, struct.pack(">HH", flags, protocol) + options + content)


def snap(packet: bytes, organisation: bytes = bytes(3)) -> bytes:
    content = b"\xaa\xaa\x03" + organisation + struct.pack(">H", kind(packet)) + packet
    return typed(len(content), content)


def gtp(packet: bytes, flags: int = 0x30, options: bytes = b"") -> bytes:
    return by_udp(2152, struct.pack(">BBHI", flags, 255, len(options) + len(packet), 7) + options + packet, 2152)


def tzsp(frame: bytes) -> bytes:
    return by_udp(37_008, bytes([1, 0, 0, 1, 0, 10, 2, 9, 9, 1]) + frame)


VXLAN = bytes([8, 0, 0, 0, 0, 0, 100, 0])

LINKS: dict[str, Callable[[bytes], bytes]] = {
    "Ethernet": ethernet,
    "VLAN": lambda p: ethernet(p, [1]),
    "five tags": lambda p: typed(kind(p), p, bytes.fromhex("88a80001 81000002 91000003 92000004 81000005")),
    "PPPoE": lambda p: typed(0x8864, pppoe(p)),
    "PPPoE in VLANs": lambda p: typed(0x8864, pppoe(p), bytes.fromhex("88a8000181000007")),
    "MPLS": lambda p: typed(0x8847, label(100, last=False) + label(200, last=True) + p),
    "MPLS in a VLAN": lambda p: typed(0x8848, label(16, last=True) + p, bytes.fromhex("81000007")),
    "pseudowire": lambda p: typed(0x8847, label(16, last=True) + ethernet(p)),
    "pseudowire with a control word": lambda p: typed(0x8847, label(16, last=True) + bytes(4) + ethernet(p)),
    "pseudowire to an address that begins like IPv4": lambda p: typed(
        0x8847, label(16, last=True) + b"\x45" + ethernet(p)[1:]
    ),
    "pseudowire to an address that begins like IPv6": lambda p: typed(
        0x8847, label(16, last=True) + b"\x60" + ethernet(p)[1:]
    ),
    "SNAP": snap,
    "provider backbone": lambda p: typed(0x88E7, bytes(4) + ethernet(p)),
    "VN-Tag": lambda p: typed(0x8926, bytes(4) + struct.pack(">H", kind(p)) + p),
    "802.1BR": lambda p: typed(0x893F, bytes(6) + struct.pack(">H", kind(p)) + p),
    "NSH": lambda p: typed(0x894F, bytes([0, 6, 1, 3]) + bytes(20) + ethernet(p)),
}
"""IP packets in Ethernet frames."""

TUNNELS: dict[str, Callable[[bytes], bytes]] = {
    "IP in IP": lambda p: outer(41 if p[0] >> 4 == 6 else 4, p),
    "IP in IPv6": lambda p: outer6(41 if p[0] >> 4 == 6 else 4, p),
    "IP in IPv6 with options": lambda p: outer6(60, p, bytes([41 if p[0] >> 4 == 6 else 4, 0, 4, 1, 0, 1, 0, 0])),
    "GRE": lambda p: gre(0, kind(p), p),
    "GRE with all options": lambda p: gre(0xB000, kind(p), p, bytes(12)),
    "GRE with a route": lambda p: gre(0x4000, kind(p), p, bytes(4) + bytes([8, 0, 0, 2, 9, 9]) + bytes(4)),
    "GRE, bridged": lambda p: gre(0, 0x6558, ethernet(p)),
    "NVGRE": lambda p: gre(0x2000, 0x6558, ethernet(p), bytes(4)),
    "GRE in IPv6": lambda p: outer6(47, struct.pack(">HH", 0, kind(p)) + p),
    "GRE in UDP": lambda p: by_udp(4754, struct.pack(">HH", 0, kind(p)) + p),
    "GRE with MPLS": lambda p: gre(0, 0x8847, label(5, last=True) + p),
    "WCCP": lambda p: gre(0, 0x883E, bytes(4) + p),
    "PPTP": lambda p: gre(0x3081, 0x880B, b"\xff\x03" + ppp(p), struct.pack(">HHII", len(p) + 4, 7, 1, 1)),
    "EoIP": lambda p: outer(47, bytes.fromhex("20016400") + struct.pack(">HH", len(ethernet(p)), 7) + ethernet(p)),
    "ERSPAN I": lambda p: gre(0, 0x88BE, ethernet(p)),
    "ERSPAN II": lambda p: gre(0x1000, 0x88BE, bytes([0x10]) + bytes(7) + ethernet(p), bytes(4)),
    "ERSPAN III": lambda p: gre(0x1000, 0x22EB, bytes([0x20]) + bytes(11) + ethernet(p), bytes(4)),
    "ERSPAN III with a subheader": lambda p: gre(
        0x1000, 0x22EB, bytes([0x20]) + bytes(10) + b"\x01" + bytes(8) + ethernet(p), bytes(4)
    ),
    "ERSPAN III of IP": lambda p: gre(0x1000, 0x22EB, bytes([0x20]) + bytes(9) + b"\x08\0" + p, bytes(4)),
    "VXLAN": lambda p: by_udp(4789, VXLAN + ethernet(p)),
    "VXLAN of Linux": lambda p: by_udp(8472, VXLAN + ethernet(p)),
    "VXLAN with a group": lambda p: by_udp(4789, b"\x88\x00\x00\x07" + VXLAN[4:] + ethernet(p)),
    "VXLAN in IPv6": lambda p: outer6(17, datagram(4789, VXLAN + ethernet(p))),
    "VXLAN-GPE": lambda p: by_udp(4790, b"\x0c\0\0\3" + VXLAN[4:] + ethernet(p)),
    "VXLAN-GPE of IP": lambda p: by_udp(4790, b"\x0c\0\0" + bytes([1 + (p[0] >> 4 == 6)]) + VXLAN[4:] + p),
    "Geneve": lambda p: by_udp(6081, bytes.fromhex("00006558") + bytes(4) + ethernet(p)),
    "Geneve of IP with options": lambda p: by_udp(6081, b"\x03\0" + struct.pack(">H", kind(p)) + bytes(16) + p),
    "GTP-U": gtp,
    "GTP-U with a number": lambda p: gtp(p, 0x32, bytes(4)),
    "GTP-U with extensions": lambda p: gtp(p, 0x34, bytes.fromhex("00000085 01090985 02090909090900 00")),
    "GTP-U of Ethernet": lambda p: gtp(ethernet(p)),
    "L2TP": lambda p: by_udp(1701, bytes.fromhex("000200010002") + b"\xff\x03" + ppp(p), 1701),
    "L2TP with all options": lambda p: by_udp(
        1701, struct.pack(">HHHHHHH2x", 0x4A02, len(p) + 20, 1, 2, 3, 4, 2) + b"\xff\x03" + ppp(p)[:0] + ppp(p)
    ),
    "MPLS in UDP": lambda p: by_udp(6635, label(5, last=True) + p),
    "MPLS in IP": lambda p: outer(137, label(5, last=True) + p),
    "EtherIP": lambda p: outer(97, b"\x30\0" + ethernet(p)),
    "AH": lambda p: outer(51, bytes([41 if p[0] >> 4 == 6 else 4, 4]) + bytes(22) + p),
    "AH in IPv6": lambda p: outer6(51, bytes([41 if p[0] >> 4 == 6 else 4, 4]) + bytes(22) + p),
    "TZSP": lambda p: tzsp(ethernet(p)),
    "Teredo": lambda p: by_udp(3544, outer6(41 if p[0] >> 4 == 6 else 4, p)),
}
"""IP packets in IP packets."""


def framed(packet: bytes, *names: str) -> bytes:
    """In tunnels, from the innermost on, and in the last, which is a link."""
    *inner, link = names
    for name in inner:
        packet = TUNNELS[name](packet)
    return LINKS[link](packet)
