"""Media that a TURN server relays (RFC 8656): whose datagram a ChannelData, Send or Data message carries.

A stream is told between the client and its peer, as ChannelBind and the messages name it; where the capture began after
the ChannelBind, between the client and the server.
"""

import struct
from collections import OrderedDict
from typing import Final

import numpy as np
import numpy.typing as npt

from agent.trace.file.records import load
from agent.trace.file.source import Bytes
from agent.trace.kernel import ODD, GivenKind, Table
from agent.trace.wire.addresses import Addresses

MAX_CHANNELS: Final = 65_536
_BIND, _SEND, _DATA = 0x0009, 0x0016, 0x0017
_CHANNEL_NUMBER, _PEER, _CONTENT = 0x000C, 0x0012, 0x0013
_COOKIE: Final = bytes.fromhex("2112a442")
_HEADER: Final = 20
_IPV4, _IPV6 = 1, 2
_KEY: Final = np.dtype([("hosts", "<u8"), ("ports", "<u4"), ("channel", "<u4")])
_ODD: Final = np.uint64(0x9E3779B97F4A7C15)

Place = tuple[int, int]
"""An address as Addresses numbers it, and its port's two bytes loaded little-endian."""


def attributes(message: bytes) -> dict[int, tuple[int, int]]:
    """Begin and end of each attribute's value in a STUN message (RFC 8489 §14), the first of each kind."""
    found: dict[int, tuple[int, int]] = {}
    at, end = _HEADER, min(len(message), _HEADER + int.from_bytes(message[2:4]))
    while at + 4 <= end:
        kind, size = struct.unpack_from(">HH", message, at)
        if at + 4 + size > end:
            break
        found.setdefault(kind, (at + 4, at + 4 + size))
        at += 4 + size + -size % 4
    return found


class Turn:
    """The channels that were bound."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self.forgotten = 0
        """Channels for which there was no room: their media stays between client and server."""
        self._peers: OrderedDict[tuple[Place, Place, int], Place | None] = OrderedDict()
        """By client, server, channel. None: data came before a ChannelBind was seen; it stays where it is then, so that
        a stream is one."""

    def messages(self, data: Bytes, odds: Table) -> Table:
        """STUN messages (kernel.ODD): what they bind is remembered, what they carry given back (GivenKind.PAYLOAD)."""
        given = [self._message(data[odd["begin"] : odd["end"]].tobytes(), odd) for odd in odds]
        return np.array([one for one in given if one], ODD)

    def _message(self, message: bytes, odd: np.void) -> tuple[int, ...] | None:
        kind, found = int.from_bytes(message[:2]), attributes(message)
        source, destination = _places(int(odd["hosts"]), int(odd["ports"]))
        peer = self._peer(message, found)
        if kind == _BIND and peer and _CHANNEL_NUMBER in found:
            begin, _ = found[_CHANNEL_NUMBER]
            key = (source, destination, int.from_bytes(message[begin : begin + 2]))
            if self._peers.get(key, peer) is not None:
                self._remember(key, peer)
        if kind not in (_SEND, _DATA) or _CONTENT not in found or not peer:
            return None
        begin, end = (int(odd["begin"]) + at for at in found[_CONTENT])
        hosts, ports = _pair(source, peer) if kind == _SEND else _pair(peer, destination)
        return int(odd["row"]), begin, end, hosts, ports, GivenKind.PAYLOAD

    def _peer(self, message: bytes, found: dict[int, tuple[int, int]]) -> Place | None:
        """XOR-PEER-ADDRESS (RFC 8489 §14.2)."""
        begin, end = found.get(_PEER, (0, 0))
        size = {_IPV4: 4, _IPV6: 16}.get(message[begin + 1]) if end - begin >= 8 else None
        if size is None or end - begin < 4 + size:
            return None
        mask, value = _COOKIE + message[8:_HEADER], message[begin + 4 : begin + 4 + size]
        port = bytes(a ^ b for a, b in zip(message[begin + 2 : begin + 4], mask, strict=False))
        address = bytes(a ^ b for a, b in zip(value, mask, strict=False))
        return self._addresses.number(address), int.from_bytes(port, "little")

    def channels(self, data: Bytes, odds: Table) -> Table:
        """What ChannelData carries, between those that it is for (GivenKind.CHANNEL)."""
        if not len(odds):
            return odds
        head = load(data, odds["begin"] - 4, 4).view(">u2").reshape(len(odds), 2)[:, 0]
        keys = np.empty(len(odds), _KEY)
        keys["hosts"], keys["ports"], keys["channel"] = odds["hosts"], odds["ports"], head
        distinct, index = _distinct(keys)
        pairs = [self._between(*one) for one in distinct.tolist()]
        given = odds.copy()
        given["hosts"] = np.array([hosts for hosts, _ in pairs], np.uint64)[index]
        given["ports"] = np.array([ports for _, ports in pairs], np.uint32)[index]
        given["kind"] = GivenKind.CHANNEL
        return given

    def _between(self, hosts: int, ports: int, channel: int) -> tuple[int, int]:
        """Hosts and ports of a channel's datagrams."""
        source, destination = _places(hosts, ports)
        if peer := self._peers.get((source, destination, channel)):
            return _pair(source, peer)
        if peer := self._peers.get((destination, source, channel)):
            return _pair(peer, destination)
        for key in ((source, destination, channel), (destination, source, channel)):
            self._remember(key, None)
        return hosts, ports

    def _remember(self, key: tuple[Place, Place, int], peer: Place | None) -> None:
        self._peers[key] = peer
        if len(self._peers) > MAX_CHANNELS:
            self._peers.popitem(last=False)
            self.forgotten += 1


def _distinct(keys: Table) -> tuple[Table, npt.NDArray[np.intp]]:
    """The different ones, and which of them each is."""
    mixed = keys["hosts"] * _ODD + (keys["ports"].astype(np.uint64) << np.uint64(16) | keys["channel"])
    _, first, index = np.unique(mixed, return_index=True, return_inverse=True)
    distinct, which = keys[first], index.ravel()
    if (distinct[which] == keys).all():
        return distinct, which
    distinct, index = np.unique(keys, return_inverse=True)  # takes ten times as long
    return distinct, index.ravel()


def _places(hosts: int, ports: int) -> tuple[Place, Place]:
    return (hosts & 0xFFFFFFFF, ports & 0xFFFF), (hosts >> 32, ports >> 16)


def _pair(source: Place, destination: Place) -> tuple[int, int]:
    return source[0] | destination[0] << 32, source[1] | destination[1] << 16
