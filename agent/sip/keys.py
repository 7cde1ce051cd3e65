"""What an SDP says of SRTP's keys: a=crypto (RFC 4568 §9), a=fingerprint (RFC 8122 §5), a=setup (RFC 4145 §4).

Pure, and never raises. No key is kept, only how long it is written: texts that were kept have it blanked.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_LINES: Final = 64
"""Of each kind, of one medium."""
_CRYPTO: Final = re.compile(
    r"(\d{1,9}) +([A-Za-z0-9_]{1,64}) +(inline:\S{1,1024})((?: +\S{1,64}){0,16}) *", re.IGNORECASE
)
_KEY: Final = re.compile(r"inline:([A-Za-z0-9+/]+)(=*)((?:\|.*)?)", re.IGNORECASE)
_FINGERPRINT: Final = re.compile(r"([A-Za-z0-9-]{1,16}) +((?:[0-9A-Fa-f]{2}:)*[0-9A-Fa-f]{2}) *")
_KEY_BYTES: Final = {
    "AES_CM_128": 30, "F8_128": 30, "AES_192_CM": 38, "AES_CM_192": 38, "AES_256_CM": 46, "AES_CM_256": 46,
    "AEAD_AES_128_GCM": 28, "AEAD_AES_256_GCM": 44, "SEED_CTR_128": 30, "SEED_128_CCM": 28, "SEED_128_GCM": 28,
}  # fmt: skip
"""Master key and salt, of suites that begin so (RFC 4568 §6.2, 5669, 6188 §4, 7714 §14.2)."""
_HASH_BYTES: Final = {"sha-1": 20, "sha-224": 28, "sha-256": 32, "sha-384": 48, "sha-512": 64, "md5": 16, "md2": 16}


class Setup(StrEnum):
    """Who begins the handshake."""

    ACTIVE = "active"
    PASSIVE = "passive"
    ACTPASS = "actpass"
    HOLDCONN = "holdconn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crypto:
    """An a=crypto line."""

    tag: int
    suite: str
    """As written; names are compared without case (RFC 4568 §9.1 is ABNF)."""
    keys: tuple[int, ...]
    """How many base64 characters each of its keys has, without padding."""
    parameters: tuple[str, ...]
    """Of the session (§6.3), in capitals."""
    has_mki: bool = False
    """A key has an index, which stands in each packet then (§6.1; RFC 3711 §3.1)."""

    @property
    def unheeded(self) -> tuple[str, ...]:
        """What changes the packets of its sender, and our SIP stack passes over; a lifetime and WSH do not."""
        return (*(("MKI",) if self.has_mki else ()), *(one for one in self.parameters if not one.startswith("WSH=")))

    @property
    def key_bytes(self) -> int | None:
        """How long a key of that suite is, salt included; None: it is not one that we know."""
        return next((size for name, size in _KEY_BYTES.items() if self.suite.upper().startswith(name)), None)

    @property
    def of_right_length(self) -> bool:
        """Its keys are, or nobody knows how long they are to be."""
        size = self.key_bytes
        return size is None or all(-(-size * 4 // 3) <= count <= -(-size // 3) * 4 for count in self.keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Of the certificate that DTLS will show."""

    hash: str
    """`sha-256`."""
    value: str
    """In capitals, with colons."""

    def __str__(self) -> str:
        """As in SDP."""
        return f"{self.hash} {self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """All of one medium; what stands above the first m= line holds where the medium says nothing else."""

    cryptos: tuple[Crypto, ...] = ()
    fingerprints: tuple[Fingerprint, ...] = ()
    setup: Setup | None = None
    unread: tuple[str, ...] = ()
    """Names of attributes of these kinds that cannot be read."""

    def over(self, session: "Keys") -> "Keys":
        """These, and the session's where there are none: a=crypto is a medium's alone (RFC 4568 §5)."""
        return Keys(
            cryptos=self.cryptos,
            fingerprints=self.fingerprints or session.fingerprints,
            setup=self.setup or session.setup,
            unread=(*self.unread, *(session.unread if not self.fingerprints else ())),
        )

    def read(self, attribute: str) -> "Keys":
        """With one more; another kind of attribute changes nothing."""
        name, _, value = attribute.partition(":")
        cryptos, fingerprints, setup = self.cryptos, self.fingerprints, self.setup
        unread = self.unread
        match name.lower():
            case "crypto":
                crypto = _crypto(value)
                cryptos += () if crypto is None else (crypto,)
                unread += () if crypto else (name,)
            case "fingerprint":
                fingerprint = _fingerprint(value)
                fingerprints += () if fingerprint is None else (fingerprint,)
                unread += () if fingerprint else (name,)
            case "setup":
                setup = next((one for one in Setup if one == value.strip().lower()), setup)
            case _:
                return self
        return Keys(
            cryptos=cryptos[:MAX_LINES], fingerprints=fingerprints[:MAX_LINES], setup=setup, unread=unread[:MAX_LINES]
        )


def _crypto(value: str) -> Crypto | None:
    found = _CRYPTO.fullmatch(value)
    keys = [] if found is None else [_KEY.fullmatch(key) for key in found[3].split(";")]
    if found is None or not all(keys):
        return None
    return Crypto(
        tag=int(found[1]),
        suite=found[2],
        keys=tuple(len(key[1]) for key in keys if key),
        parameters=tuple(found[4].upper().split()),
        has_mki=any(":" in key[3] for key in keys if key),
    )


def _fingerprint(value: str) -> Fingerprint | None:
    found = _FINGERPRINT.fullmatch(value)
    if found is None or _HASH_BYTES.get(found[1].lower(), found[2].count(":") + 1) != found[2].count(":") + 1:
        return None
    return Fingerprint(hash=found[1].lower(), value=found[2].upper())


# --- an offer and its answer -----------------------------------------------------------------------------------

_WEAKENING: Final = frozenset({"UNENCRYPTED_SRTP", "UNENCRYPTED_SRTCP", "UNAUTHENTICATED_SRTP"})
"""Session parameters that both sides must agree on (RFC 4568 §6.3.2)."""


def crypto_faults(offered: Keys, answered: Keys) -> list[str]:
    """What of an answer's a=crypto lines RFC 4568 forbids, where it has any."""
    if "crypto" in answered.unread:
        return ["an a=crypto line without `tag suite inline:key` (RFC 4568 §9.1)"]
    if len(answered.cryptos) > 1:
        return [f"{len(answered.cryptos)} a=crypto lines, where one of the offer's is to be chosen (RFC 4568 §5.1.3)"]
    return [fault for one in answered.cryptos if (fault := _fault(offered, one)) is not None]


def _fault(offered: Keys, chosen: Crypto) -> str | None:
    asked = next((one for one in offered.cryptos if one.tag == chosen.tag), None)
    if asked is None:
        return f"a=crypto:{chosen.tag}, a tag that was not offered (RFC 4568 §5.1.3)"
    if asked.suite.upper() != chosen.suite.upper():
        return f"a=crypto:{chosen.tag} {chosen.suite}, offered as {asked.suite} (RFC 4568 §5.1.3)"
    if not chosen.of_right_length:
        size = f"{chosen.key_bytes} bytes make {-(-(chosen.key_bytes or 0) // 3) * 4} characters"
        return f"a=crypto:{chosen.tag} with a key of {chosen.keys[0]} characters: {size} (RFC 4568 §6.1)"
    extra = sorted(_WEAKENING & {*chosen.parameters} - {*asked.parameters})
    return f"a=crypto:{chosen.tag} with {extra[0]}, which was not offered (RFC 4568 §6.3.2)" if extra else None


def role_fault(offered: Setup | None, answered: Setup | None) -> str | None:
    """Why both cannot do the handshake (RFC 5763 §5, RFC 8842 §5.3); None: they can, by the defaults of RFC 4145 §4."""
    offer, answer = offered or Setup.ACTIVE, answered or Setup.PASSIVE
    if answer in (Setup.ACTPASS, Setup.HOLDCONN):
        return f"a=setup:{answer} in an answer"
    return f"a=setup:{answer} answers a=setup:{offer}" if offer is answer else None
