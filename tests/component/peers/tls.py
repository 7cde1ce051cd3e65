"""A SIP user agent server that is called over TLS: as `TcpUas`, with a certificate."""

import socket
import ssl

from agent.contract.address import host_of
from tests.component.certificates import Pair, authority, certificate
from tests.component.peers.tcp import Streams, TcpUas
from tests.component.peers.uas import Address

HANDSHAKE_S = 5.0


class SecureStreams(Streams):
    """Reads what TLS has for it."""

    def receive(self, sock: socket.socket) -> tuple[bytes, Address]:
        try:
            return super().receive(sock)
        except ssl.SSLWantReadError:
            raise BlockingIOError from None


class TlsUas(TcpUas):
    """Its handshakes are made one after the other, on its own thread."""

    protocol = "TLS"

    def __init__(self) -> None:
        super().__init__()
        self.trouble = SecureStreams(self)
        self.contact = f"<sip:sut@{self.address};transport=tls>"
        self.context = self.configured()
        self.failures = list[str]()
        """What the handshakes that failed ended with."""
        self.asked_for = list[str | None]()
        """SNI."""
        self.shown = list[bytes | None]()
        """Certificates of those who connected."""
        self.certificates = list[bytes | None]()
        """Of those to whom it connected."""

    def own(self) -> Pair:
        """Its certificate."""
        return certificate()

    def configured(self) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.own().certificate, self.own().key)
        made.load_verify_locations(authority().certificate)
        made.sni_callback = lambda _socket, name, _context: self.asked_for.append(name)
        return made

    def took(self, connection: socket.socket, address: Address) -> None:
        connection.settimeout(HANDSHAKE_S)
        try:
            secured = self.context.wrap_socket(connection, server_side=True)
        except (ssl.SSLError, OSError) as error:
            self.failures.append(str(error))
            connection.close()
            return
        self.shown.append(secured.getpeercert(binary_form=True))
        super().took(secured, address)

    def outgoing(self) -> ssl.SSLContext:
        """It does not look at whom it calls."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    def dial(self, address: str) -> Address:
        host, port = host_of(address), address.rpartition(":")[2]
        connection = self.outgoing().wrap_socket(
            socket.create_connection((host, int(port)), HANDSHAKE_S), server_hostname=host
        )
        self.certificates.append(connection.getpeercert(binary_form=True))
        TcpUas.took(self, connection, connection.getsockname())
        return connection.getsockname()  # type: ignore[no-any-return]
