"""A SIP user agent server that is called over TCP: as `Uas`, and its connections."""

import contextlib
import re
import socket
import struct

from agent.contract.address import host_of, place
from tests.component.peers.trouble import Trouble
from tests.component.peers.uas import Address, Uas

LINGER = struct.pack("ii", 1, 0)
"""SO_LINGER with which a close is a reset."""


class Streams(Trouble):
    """Reads connections as well: what a listener takes, and what they bring."""

    def __init__(self, peer: "TcpUas") -> None:
        super().__init__()
        self.peer = peer

    def receive(self, sock: socket.socket) -> tuple[bytes, Address]:
        """As `recvfrom` has it."""
        if sock is self.peer.sip:
            connection, address = sock.accept()
            self.peer.took(connection, address)
            return b"", address
        if sock.type is not socket.SOCK_STREAM:
            return super().receive(sock)
        address = next((key for key, value in self.peer.connections.items() if value is sock), None)
        if address is None:  # it was dropped a moment ago
            raise BlockingIOError
        data = b""
        with contextlib.suppress(ConnectionError):
            data = sock.recv(65_536)
        if not data:
            self.peer.drop(address)
            raise BlockingIOError
        return data, address


class TcpUas(Uas):
    """It answers on the connection that a request came by."""

    protocol = "TCP"
    backlog = 64

    def __init__(self) -> None:
        super().__init__()
        self._selector.unregister(self.sip)
        self.sip.close()
        self.trouble = Streams(self)
        self.connections = dict[Address, socket.socket]()
        """By whose they are; those that it opened by its own end."""
        self.taken = 0
        self._unread = dict[Address, bytes]()
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        self.sip = socket.create_server((self.host, 0), family=family, backlog=self.backlog)
        self.address = place(self.host, self.sip.getsockname()[1])
        self.contact = f"<sip:sut@{self.address};transport=tcp>"
        self.listen(self.sip, lambda _data, _peer: None)

    def took(self, connection: socket.socket, address: Address) -> None:
        self.taken += 1
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections[address], self._unread[address] = connection, b""
        self.listen(connection, self._stream)

    def dial(self, address: str) -> Address:
        """A connection of its own to there; what comes on it is read as on the others.

        Its name is that of our end: there may be several to one address.
        """
        host, port = host_of(address), address.rpartition(":")[2]
        connection = socket.create_connection((host, int(port)), 5)
        self.took(connection, connection.getsockname())
        return connection.getsockname()  # type: ignore[no-any-return]

    def drop(self, address: Address, *, reset: bool = False) -> None:
        """Closes it."""
        connection = self.connections.pop(address)
        self._selector.unregister(connection)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
        connection.close()

    def deafen(self) -> None:
        """From here on nobody listens."""
        self._selector.unregister(self.sip)
        self.sip.close()

    def send(self, raw: bytes, to: Address) -> None:
        if to in self.connections:
            self.connections[to].sendall(raw)

    def _stream(self, data: bytes, peer: Address) -> None:
        """Whole messages, by their Content-Length (RFC 3261 §18.3)."""
        self._unread[peer] += data
        while True:
            head, found, body = self._unread[peer].lstrip(b"\r\n").partition(b"\r\n\r\n")
            length = re.search(rb"(?im)^(?:content-length|l)[ \t]*:[ \t]*(\d+)", head)
            size = int(length[1]) if length else 0
            if not found or len(body) < size:
                return
            self._unread[peer] = body[size:]
            self._datagram(head + found + body[:size], peer)
