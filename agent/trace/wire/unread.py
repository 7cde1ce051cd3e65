"""What of a capture is not read, by name. Of what is in every capture, and carries no calls, nothing is said."""

from typing import Final

from agent.trace.file.records import Skipped
from agent.trace.kernel import Found, UnreadLayer

MAX_NAMES: Final = 64
OTHERS: Final = "other protocols that are not read"
TOO_DEEP: Final = "more headers in a packet than are followed"
CUT: Final = "packet cut before the end of its RTP header"
CUT_SIP: Final = "SIP message cut by the snap length"
CUT_TUNNEL: Final = "packet damaged or cut within its headers"
DAMAGED_IP: Final = "damaged IP packet"
DAMAGED_UDP: Final = "damaged UDP header"
ODD_HEP: Final = "HEP packet that could not be read"
ODD_RTP: Final = "looks like RTP, but for a header or padding longer than the packet"

_LAYERS: Final = {
    UnreadLayer.LINK: "link type {}",
    UnreadLayer.TYPE: "EtherType 0x{:04x}",
    UnreadLayer.PROTOCOL: "IP protocol {}",
    UnreadLayer.PPP: "PPP protocol 0x{:04x}",
    UnreadLayer.GRE: "GRE protocol 0x{:04x}",
    UnreadLayer.UDP: "UDP port {}",
    UnreadLayer.NSH: "NSH next protocol {}",
    UnreadLayer.MPLS: "MPLS payload",
    UnreadLayer.DEPTH: TOO_DEEP,
}
_NAMES: Final = {
    (UnreadLayer.TYPE, 0x22F0): "AVTP",
    (UnreadLayer.TYPE, 0x8137): "IPX",
    (UnreadLayer.TYPE, 0x88E5): "MACsec",
    (UnreadLayer.TYPE, 0x88F7): "PTP",
    (UnreadLayer.TYPE, 0x8915): "RoCE",
    (UnreadLayer.PROTOCOL, 46): "RSVP",
    (UnreadLayer.PROTOCOL, 50): "ESP",
    (UnreadLayer.PROTOCOL, 55): "minimal encapsulation",
    (UnreadLayer.PROTOCOL, 108): "IPComp",
    (UnreadLayer.PROTOCOL, 115): "L2TP 3",
    (UnreadLayer.PROTOCOL, 132): "SCTP",
    (UnreadLayer.PROTOCOL, 136): "UDP-Lite",
    (UnreadLayer.PPP, 0x003D): "multilink",
    (UnreadLayer.PPP, 0x00FD): "compressed or encrypted",
    (UnreadLayer.UDP, 1701): "L2TP 3",
    (UnreadLayer.UDP, 2152): "GTP-U, neither IP nor Ethernet",
    (UnreadLayer.UDP, 4500): "ESP",
    (UnreadLayer.UDP, 9060): "HEP 1 or 2",
    (UnreadLayer.UDP, 37008): "TZSP, not Ethernet",
}
_CARRIERS: Final = ("MPLS payload", *(f"({name})" for name in dict.fromkeys(_NAMES.values()) if name not in {
    "AVTP", "IPX", "PTP", "RoCE", "RSVP", "SCTP",
}))  # fmt: skip
"""Ends of names: what is made to carry IP packets, whole calls maybe."""
_HARMLESS: Final = ("EtherType ", "IP protocol ", ODD_RTP)


def may_hide_calls(reason: str) -> bool:
    """Whether one of the names below tells of packets that may hold a call which is not seen.

    Of an EtherType or an IP protocol that nothing is known of that is not assumed.
    """
    return reason.endswith(_CARRIERS) or not reason.startswith(_HARMLESS)


def name(layer: int, number: int) -> str:
    """`EtherType 0x88f7 (PTP)`."""
    if layer not in _LAYERS:
        return OTHERS
    known = _NAMES.get((UnreadLayer(layer), number))
    return _LAYERS[UnreadLayer(layer)].format(number) + (f" ({known})" if known else "")


def count(found: Found, skipped: Skipped) -> None:
    """Adds what the kernel passed over in one batch."""
    for reason, times in (
        (CUT, found.cut),
        (CUT_SIP, found.cut_sip),
        (CUT_TUNNEL, found.cut_tunnels),
        (DAMAGED_UDP, found.damaged_udp),
        (ODD_RTP, found.odd_rtp),
    ):
        if times:
            skipped[reason] += times
    for one in found.unread[: found.unread_count]:
        reason = name(one.layer, one.number)
        skipped[reason if reason in skipped or len(skipped) < MAX_NAMES else OTHERS] += one.count
