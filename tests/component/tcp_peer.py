"""A SIP peer that takes TCP connections, and opens them: what it says is the test's, as of `phones.Peer`."""

import contextlib
import re
import selectors
import socket
import struct
import threading
from collections.abc import Callable, Iterator

POLL_S = 0.02
LINGER = struct.pack("ii", 1, 0)
"""SO_LINGER with which a close is a reset."""


class TcpPeer:
    """One thread; `script` makes replies out of a message, which go where it came from."""

    def __init__(self, script: "Callable[[TcpPeer, str], list[str]]") -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.script = script
        self.got, self.raw = list[str](), b""
        self.accepted, self.connections = 0, list[socket.socket]()
        self._unread = dict[socket.socket, bytes]()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.listener, selectors.EVENT_READ)
        self._open = True
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while self._open:
            for key, _ in self._selector.select(POLL_S):
                if key.fileobj is self.listener:
                    self.accepted += 1
                    self._take(self.listener.accept()[0])
                else:
                    self._read(key.fileobj)  # type: ignore[arg-type]

    def _take(self, connection: socket.socket) -> None:
        self.connections.append(connection)
        self._unread[connection] = b""
        self._selector.register(connection, selectors.EVENT_READ)

    def _read(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(connection)
            return
        self.raw += data
        self._unread[connection] += data
        while (message := self._next(connection)) is not None:
            self.got.append(message)
            for reply in self.script(self, message):
                connection.sendall(reply.encode())

    def _next(self, connection: socket.socket) -> str | None:
        """The next whole message (RFC 3261 §18.3); empty lines before it are no part of it."""
        unread = self._unread[connection].lstrip(b"\r\n")
        head, found, body = unread.partition(b"\r\n\r\n")
        length = re.search(rb"(?im)^(?:content-length|l)[ \t]*:[ \t]*(\d+)", head)
        size = int(length[1]) if length else 0
        if not found or len(body) < size:
            return None
        self._unread[connection] = body[size:]
        return (head + found + body[:size]).decode()

    def connect(self, address: str) -> socket.socket:
        """A connection of its own to there; what comes on it is read as on the others."""
        host, _, port = address.rpartition(":")
        made = socket.create_connection((host, int(port)), 5)
        self._take(made)
        return made

    def say(self, text: str) -> None:
        """On the connection that came last."""
        self.connections[-1].sendall(text.encode())

    def hang_up(self, *, reset: bool = False) -> None:
        """Ends all its connections."""
        for connection in self.connections:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(connection)
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
            connection.close()
        self.connections.clear()

    def close(self) -> None:
        self._open = False
        self._thread.join(5)
        self.hang_up()
        self.listener.close()


@contextlib.contextmanager
def tcp_peer(script: "Callable[[TcpPeer, str], list[str]]") -> Iterator[TcpPeer]:
    made = TcpPeer(script)
    try:
        yield made
    finally:
        made.close()


def unused_address() -> str:
    """Where nobody listens: the port was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"
