"""Peers that speak SRTP: keys by SDES (RFC 4568) or DTLS (RFC 5763), packets by libsrtp."""

import base64
import re
import secrets
import socket
from typing import Final

from OpenSSL import SSL, crypto
from pylibsrtp import Error, Policy, Session

from tests.component.certificates import certificate
from tests.component.peers.rtp import Source
from tests.component.peers.uas import Address, Call, Uas

SUITE: Final = "AES_CM_128_HMAC_SHA1_80"
KEY_BYTES: Final = 30
DTLS: Final = range(20, 64)
"""The first byte of a record of DTLS (RFC 7983)."""


class Sealed(Source):
    """Sends what a session makes of it."""

    def __init__(self, like: Source, key: bytes) -> None:
        super().__init__(like.socket)
        self.target = like.target
        self.session = outbound(key)

    def raw(self, datagram: bytes) -> None:
        super().raw(self.session.protect(datagram))


def outbound(key: bytes) -> Session:
    return Session(Policy(key, Policy.SSRC_ANY_OUTBOUND, Policy.SRTP_PROFILE_AES128_CM_SHA1_80))


def inbound(key: bytes) -> Session:
    return Session(Policy(key, Policy.SSRC_ANY_INBOUND, Policy.SRTP_PROFILE_AES128_CM_SHA1_80))


class SrtpUas(Uas):
    """Takes SDES, and plays back what it deciphers."""

    profile = "RTP/SAVP"

    def answer_sdp(self, call: Call) -> str:
        return self.sdp(call, more=tuple(self.attributes(call))).replace("RTP/AVP", self.profile)

    def attributes(self, call: Call) -> list[str]:
        """What the answer says of keys."""
        tag, theirs = self.offered(call)
        if "key" not in call.noted:
            call.noted["key"] = secrets.token_bytes(KEY_BYTES)
            self.key(call, call.noted["key"], theirs)
        return [f"crypto:{tag} {SUITE} inline:{written(call.noted['key'])}"]

    def key(self, call: Call, own: bytes, theirs: bytes) -> None:
        """From here on both ways are SRTP."""
        call.noted["inbound"] = inbound(theirs)
        call.source = Sealed(call.source, own)

    def offered(self, call: Call) -> tuple[int, bytes]:
        """Tag and key of the line with the suite that we take."""
        found = re.search(rf"a=crypto:(\d+) {SUITE} inline:([^|\s]+)", call.invite.body)
        assert found is not None, "no such suite was offered"
        return int(found[1]), base64.b64decode(found[2])

    def _media(self, call: Call, data: bytes) -> None:
        if "inbound" not in call.noted:
            return
        try:
            super()._media(call, call.noted["inbound"].unprotect(data))
        except Error:
            call.noted["undeciphered"] = call.noted.get("undeciphered", 0) + 1


def written(key: bytes) -> str:
    return base64.b64encode(key).decode()


class DtlsUas(SrtpUas):
    """Takes DTLS; `setup`: who begins."""

    profile = "UDP/TLS/RTP/SAVP"
    setup = "passive"

    def attributes(self, call: Call) -> list[str]:
        if "dtls" not in call.noted:
            call.noted["dtls"] = self.handshake(call)
            if self.setup == "active":
                self.later(0.02, call.noted["dtls"].advance)
                self.later(0.3, call.noted["dtls"].advance)
        return [f"fingerprint:sha-256 {self.fingerprint(call)}", f"setup:{self.setup}"]

    def fingerprint(self, call: Call) -> str:
        return str(call.noted["dtls"].fingerprint)

    def handshake(self, call: Call) -> "Handshake":
        return Handshake(call.rtp, call.source.target, active=self.setup == "active")

    def _media(self, call: Call, data: bytes) -> None:
        if data[:1] and data[0] in DTLS:
            self.record(call, data)
        else:
            super()._media(call, data)

    def record(self, call: Call, data: bytes) -> None:
        """Of the handshake."""
        keys = call.noted["dtls"].took(data)
        if keys is not None and "inbound" not in call.noted:
            self.key(call, *keys)


class Handshake:
    """DTLS on a socket, by OpenSSL."""

    def __init__(self, sock: socket.socket, target: Address | None, *, active: bool) -> None:
        made = certificate(common_name="media")
        context = SSL.Context(SSL.DTLS_METHOD)
        context.use_privatekey_file(str(made.key))
        context.use_certificate_file(str(made.certificate))
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        context.set_tlsext_use_srtp(b"SRTP_AES128_CM_SHA1_80")
        shown = crypto.load_certificate(crypto.FILETYPE_PEM, made.certificate.read_bytes())
        self.fingerprint = shown.digest("sha256").decode()
        self.socket, self.target, self.active = sock, target, active
        self.connection = SSL.Connection(context)
        self.connection.set_ciphertext_mtu(1200)
        (self.connection.set_connect_state if active else self.connection.set_accept_state)()
        self.done = False

    def took(self, data: bytes) -> tuple[bytes, bytes] | None:
        """A record that came. Our key and theirs, once there are any (RFC 5764 §4.2)."""
        self.connection.bio_write(data)
        return self.advance()

    def advance(self) -> tuple[bytes, bytes] | None:
        try:
            self.connection.do_handshake()
            self.done = True
        except SSL.WantReadError:
            pass
        finally:
            self.flush()
        if not self.done:
            return None
        made = self.connection.export_keying_material(b"EXTRACTOR-dtls_srtp", 60)
        client, server = made[:16] + made[32:46], made[16:32] + made[46:60]
        return (client, server) if self.active else (server, client)

    def flush(self) -> None:
        """What OpenSSL has to say goes out, a record or more in a datagram."""
        try:
            while self.target is not None:
                self.socket.sendto(self.connection.bio_read(1500), self.target)
        except SSL.WantReadError:
            return
