"""A registrar (RFC 3261 §10.3) that looks at passwords (RFC 7616, RFC 8760), and answers calls itself."""

import hashlib
import re
from collections.abc import Callable
from typing import Any, ClassVar

from tests.component.peers.sip import Message
from tests.component.peers.tcp import TcpUas
from tests.component.peers.tls import TlsUas
from tests.component.peers.uas import Address, Uas

PASSWORD = "secret"
HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}


def is_right(credentials: str, method: str, password: str = PASSWORD) -> bool:
    """The digest is that of the password."""
    said = {
        name.lower(): quoted or plain
        for name, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', credentials)
    }
    algorithm = HASHES.get(said.get("algorithm", "MD5").upper())
    if algorithm is None or "response" not in said:
        return False

    def hashed(*parts: str) -> str:
        return hashlib.new(algorithm, ":".join(parts).encode()).hexdigest()

    who, what = hashed(said["username"], said["realm"], password), hashed(method, said["uri"])
    fresh = (said["nc"], said["cnonce"], said["qop"]) if "qop" in said else ()
    return said["response"] == hashed(who, said["nonce"], *fresh, what)


class Registering:
    """What a registrar is like; a subclass says what is odd about it."""

    algorithms: ClassVar[tuple[str, ...]] = ("MD5",)
    """In the order of its challenges; none: it lets anybody in."""
    password = PASSWORD
    granted_s: int | None = None
    """None: what is asked."""
    strays: ClassVar[tuple[str, ...]] = ()
    """Other Contacts, with their parameters."""
    nonces: ClassVar[tuple[str, ...]] = ("n",)
    stale: ClassVar[tuple[str, ...]] = ()
    """Nonces that are too old."""
    more: ClassVar[tuple[str, ...]] = ()
    """Headers of its 200."""

    respond: Callable[..., None]

    def on_register(self, request: Message, peer: Address) -> None:
        seconds = int(request.get("expires") or 3600)
        self.seen: list[int]
        if self.algorithms and not self.trusts(request):
            self.challenge(request, peer)
        elif seconds:
            self.bind(request, peer, seconds)
        else:
            self.unbind(request, peer)

    def trusts(self, request: Message) -> bool:
        have = request.credentials()
        return is_right(have, "REGISTER", self.password) and not any(f'nonce="{old}"' in have for old in self.stale)

    def challenge(self, request: Message, peer: Address) -> None:
        have = request.credentials()
        old = next((nonce for nonce in self.stale if f'nonce="{nonce}"' in have), None)
        nonce = self.nonces[min(self.nonces.index(old) + 1, len(self.nonces) - 1)] if old else self.nonces[0]
        more = ", stale=true" if old else ""
        asked = tuple(
            f'WWW-Authenticate: Digest realm="example.com", nonce="{nonce}", algorithm={name}, qop="auth"{more}'
            for name in self.algorithms
        )
        self.respond(request, "401 Unauthorized", peer, tag="r", contact="", extra=asked)

    def bind(self, request: Message, peer: Address, seconds: int) -> None:
        """Its answer to who may register; the URI of the Contact is as it was."""
        granted = seconds if self.granted_s is None else self.granted_s
        own = (f"Contact: <{request.uri('contact')}>;expires={granted}",)
        self.bound(request, peer, own)

    def bound(self, request: Message, peer: Address, own: tuple[str, ...]) -> None:
        others = tuple(f"Contact: {stray}" for stray in self.strays)
        self.respond(request, "200 OK", peer, tag="r", contact="", extra=(*others, *own, *self.more))

    def unbind(self, request: Message, peer: Address) -> None:
        self.bound(request, peer, ())


class Registrar(Registering, Uas):
    """By UDP."""


class TcpRegistrar(Registering, TcpUas):
    """By TCP."""


class TlsRegistrar(Registering, TlsUas):
    """By TLS."""


def odd(name: str, base: type = Registrar, **what: Any) -> type[Any]:
    """One that is as `what` says."""
    return type(name, (base,), what)
