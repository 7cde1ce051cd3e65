"""HEP 3 (the Homer Encapsulation Protocol, EEP): copies of SIP and its like that a proxy sends to a capture server."""

import struct
from typing import Final

import numpy as np

from agent.trace.file.source import Bytes
from agent.trace.kernel import ODD, GivenKind, Table
from agent.trace.wire.addresses import Addresses

_SOURCE_4, _DESTINATION_4, _SOURCE_6, _DESTINATION_6, _SOURCE_PORT, _DESTINATION_PORT = 3, 4, 5, 6, 7, 8
_PAYLOAD: Final = 15
_HEADER: Final = 6


def chunks(packet: bytes) -> dict[int, tuple[int, int]]:
    """Begin and end of each chunk's value, of those that HEP itself defines (vendor 0), the first of each kind."""
    found: dict[int, tuple[int, int]] = {}
    at, end = _HEADER, min(len(packet), int.from_bytes(packet[4:6]))
    while at + _HEADER <= end:
        vendor, kind, size = struct.unpack_from(">HHH", packet, at)
        if size < _HEADER or at + size > end:
            break
        if vendor == 0:
            found.setdefault(kind, (at + _HEADER, at + size))
        at += size
    return found


def payloads(data: Bytes, odds: Table, addresses: Addresses) -> tuple[Table, int]:
    """What packets of HEP carry (GivenKind.PAYLOAD), and how many there were that could not be read."""
    given = [_payload(data[odd["begin"] : odd["end"]].tobytes(), odd, addresses) for odd in odds]
    known = [one for one in given if one]
    return np.array(known, ODD), len(given) - len(known)


def _payload(packet: bytes, odd: np.void, addresses: Addresses) -> tuple[int, ...] | None:
    found = {kind: packet[begin:end] for kind, (begin, end) in chunks(packet).items()}
    source = found.get(_SOURCE_4) or found.get(_SOURCE_6) or b""
    destination = found.get(_DESTINATION_4) or found.get(_DESTINATION_6) or b""
    ports = found.get(_SOURCE_PORT, b"") + found.get(_DESTINATION_PORT, b"")
    if _PAYLOAD not in found or {len(source), len(destination)} - {4, 16} or len(ports) != 4:  # of IPv4, IPv6
        return None
    begin, end = (int(odd["begin"]) + at for at in chunks(packet)[_PAYLOAD])
    hosts = addresses.number(source) | addresses.number(destination) << 32
    return int(odd["row"]), begin, end, hosts, int.from_bytes(ports, "little"), GivenKind.PAYLOAD
