"""Which SIP URIs a test may use, and which may be dialled, whoever names them: a test, or a 3xx. Pure.

Toll fraud goes through the SUT's trunk: users that look like phone numbers need the administrator's permission, and
emergency numbers are never dialled. URIs end up in SIP messages, so they are parsed strictly (no header injection).
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from agent.contract.address import IpFamily, family_of
from agent.contract.plan import Transport, for_endpoint
from agent.contract.verdict import Reason

EMERGENCY_NUMBERS: Final = frozenset(
    {
        "000",  # Australia
        "110",  # Germany, China, Japan
        "111",  # New Zealand
        "112",  # Europe, GSM, most of the world
        "113",  # Norway, Vietnam, Italy
        "114",  # Vietnam, Korea
        "115",  # Italy, Iran, Vietnam
        "117",  # Switzerland, Philippines
        "118",  # Italy, Switzerland, Japan
        "119",  # Japan, Korea, China
        "120",  # China
        "122",  # China, Egypt
        "123",  # Egypt, Colombia
        "133",  # Austria, Chile
        "144",  # Austria, Switzerland
        "190",  # Brazil
        "191",  # Thailand
        "192",  # Brazil
        "193",  # Brazil
        "911",  # North America
        "988",  # United States, Canada
        "995",  # Singapore
        "997",  # Saudi Arabia, Poland
        "998",  # Saudi Arabia, Poland
        "999",  # United Kingdom, Hong Kong, Gulf states
    }
)
"""Never dialled, whatever the settings say. 100 to 108, emergency numbers of a few countries, are extensions of most
PBXs in the world and not in here: where they are dangerous, the SUT under test must not route them."""

MIN_PHONE_DIGITS: Final = 7
_KEYPAD: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999")
"""ITU-T E.161: +1900FLOWERS is dialled as +19003569377."""
_PAUSE: Final = re.compile(r"(?<=[0-9*#])[pPwW]+(?=[0-9*#])")
"""Written as a letter between keys (3GPP TS 22.101): dialled as a comma is."""
_NO_KEY: Final = re.compile(r"[^0-9A-Za-z+*#]")
"""Whatever a number is written with for the eye, and the pauses of a dial string (RFC 3966 §3)."""
_EMERGENCY: Final = re.compile(
    r"(?:^|[*#,](?:[0-9]{2,3})?)"  # alone, behind what was dialled before, or behind a feature code: *67911
    r"(?:\+[0-9]{0,3}|00[0-9]{0,3}|0|99?|1(?=911))?"  # a country code, or the way to an outside line
    rf"(?:{'|'.join(sorted(EMERGENCY_NUMBERS))})(?=[*#,]|$)"
)
_LABEL: Final = r"[A-Za-z0-9](?:[-A-Za-z0-9]{0,61}[A-Za-z0-9])?"
_URI: Final = re.compile(
    r"(?P<scheme>sips?):(?:(?P<user>(?:[-A-Za-z0-9_.!~*'()&=+$,;/]|%[0-9A-Fa-f]{2})+)@)?"
    rf"(?P<host>\[[0-9A-Fa-f:.]+\]|{_LABEL}(?:\.{_LABEL})*)(?::(?P<port>[0-9]{{1,5}}))?"
    r"(?P<parameters>(?:;[-A-Za-z0-9_.!~*'+%]+(?:=[-A-Za-z0-9_.!~*'+%/:]+)?)*)"
)
_PASSWORD: Final = re.compile(r"(\bsips?:[^:@]*:)[^@]*(?=@)", re.IGNORECASE)
"""RFC 3261 §19.1.1."""
_REFUSED_PARAMETERS: Final = frozenset({"maddr", "method", "ttl"})


class DialError(ValueError):
    """A URI that is not used, and why; who names it is not in the text."""

    def __init__(self, reason: Reason, fault: str) -> None:
        super().__init__(fault)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class SipUri:
    """A SIP URI of the kind that a test may use."""

    user: str
    """Percent-decoded; empty when there is none."""
    host: str
    """An IPv6 address in its brackets."""
    port: int | None
    parameters: tuple[tuple[str, str], ...]
    secure: bool = False
    """`sips:` (RFC 3261 §19.1)."""

    @property
    def address_of_record(self) -> str:
        """For comparing identities: user and host (RFC 3261 §19.1.4: the user's case counts, the host's does not)."""
        return f"{self.user}@{self.host.lower()}"


def parse_uri(text: str) -> SipUri:
    """A URI as RFC 3261 §19.1.1 writes it, but strict; DialError says what is wrong.

    No password, no headers (`?`), nothing that sends the request elsewhere (maddr).
    """
    match = _URI.fullmatch(text)
    if match is None:
        raise _refused(text, 'must be like "sip:bob@example.com" (no password, no headers)')
    raw_user = unquote_to_bytes(match["user"] or "")
    if not all(0x21 <= byte <= 0x7E for byte in raw_user):
        raise _refused(text, "its user contains a character that is not printable ASCII")
    if b"%" in raw_user:
        raise _refused(text, "its user has an escaped %: decoded twice, it would be another")
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 1 <= port <= 65535:
        raise _refused(text, f"{port} is no port")
    host = match["host"]
    if re.fullmatch(r"[0-9.]+", host) and family_of(host) is None:
        raise _refused(text, f"{host} is no IPv4 address")
    if host.startswith("[") and family_of(host[1:-1]) is not IpFamily.IPV6:
        raise _refused(text, f"{host} is no IPv6 address")
    parameters = tuple(_parameter(item) for item in match["parameters"].split(";")[1:])
    for name, value in parameters:
        if name in _REFUSED_PARAMETERS or (name == "transport" and value.upper() not in [*Transport]):
            raise _refused(text, f"its parameter {name} is not allowed")
    secure = match["scheme"] == "sips"
    return SipUri(user=raw_user.decode(), host=host, port=port, parameters=parameters, secure=secure)


def check_transport(uri: SipUri, transport: Transport) -> None:
    """DialError where the URI says another transport than the test's; `sips` says TLS (RFC 3261 §26.2.2)."""
    said = dict(uri.parameters).get("transport", transport)
    if uri.secure and transport is not Transport.TLS:
        message = f"is a sips URI, which asks for TLS on every hop, and target.transport is {transport}"
        raise DialError(Reason.INVALID_TEST, message)
    if said.upper() != transport:
        message = f"says ;transport={said}, and target.transport is {transport}"
        raise DialError(Reason.INVALID_TEST, message)


def parse_identity(text: str) -> SipUri:
    """The URI of a caller or callee: one with a user."""
    uri = parse_uri(for_endpoint(text, 0))
    if not uri.user:
        raise _refused(text, "has no user")
    return uri


def check_dial(uri: SipUri, allow_dial: re.Pattern[str] | None) -> None:
    """DialError NUMBER_NOT_ALLOWED when the URI's user is a number that may not be dialled.

    An emergency number is never dialled. What only ends like one (extension 1000) and what looks like a phone number
    needs `allow_dial`, which must match `dialled_number` as a whole.
    """
    number = dialled_number(uri)
    if is_emergency(uri.user):
        raise DialError(Reason.NUMBER_NOT_ALLOWED, f"{number} is an emergency number: never dialled")
    if looks_like_a_phone_number(uri):
        what = "looks like a phone number"
    elif ends_like_an_emergency_number(uri.user):
        what = "ends like an emergency number, which a SUT may take the rest for a prefix of"
    else:
        return
    if allow_dial is None or not allow_dial.fullmatch(number):
        message = f"{number} {what}, and --allow-dial does not permit it"
        raise DialError(Reason.NUMBER_NOT_ALLOWED, message)


def is_emergency(user: str) -> bool:
    """An emergency number is in it: alone, from outside (0112, +49112), behind or before other keys (*67911, 112#)."""
    keys = re.sub(r"[^0-9A-Za-z+*#,]", "", _PAUSE.sub(",", _local_part(user)))
    return _EMERGENCY.search(keys) is not None


def ends_like_an_emergency_number(user: str) -> bool:
    """Digits, `*`, `#` and separators whose end is an emergency number: a SUT's dial plan may strip what is before."""
    keys = _NO_KEY.sub("", _local_part(user))
    return not any(key.isalpha() for key in keys) and keys.rstrip("*#").endswith(tuple(EMERGENCY_NUMBERS))


def looks_like_a_phone_number(uri: SipUri) -> bool:
    """Seven digits or more in the user with its parameters, and in a phone-context; letters switch nothing off.

    Letters of a user that begins like a number are digits (1900FLOWERS).
    """
    keys = _NO_KEY.sub("", uri.user + "".join(value for name, value in uri.parameters if name == "phone-context"))
    if keys[:1] in set("+*#0123456789"):
        base = _NO_KEY.sub("", _local_part(uri.user))
        keys = base.lower().translate(_KEYPAD) + keys[len(base) :]
    return sum(char.isdigit() for char in keys) >= MIN_PHONE_DIGITS


def dialled_number(uri: SipUri) -> str:
    """What a SUT would dial: without separators and parameters; behind a global phone-context (RFC 3966 §5.1.5)."""
    base, *parameters = uri.user.split(";")
    said = dict(_parameter(item) for item in parameters) | dict(uri.parameters)
    context = said.get("phone-context", "")
    return _NO_KEY.sub("", (context if context.startswith("+") else "") + base)


def _local_part(user: str) -> str:
    """Without parameters (`;phone-context=…`)."""
    return user.partition(";")[0]


def _parameter(text: str) -> tuple[str, str]:
    name, _, value = unquote_to_bytes(text).decode(errors="replace").partition("=")
    return name.lower(), value


def _refused(text: str, fault: str) -> DialError:
    """What is refused may have a password in it, and what is said of it goes into logs and statuses."""
    shown = _PASSWORD.sub(r"\1…", text)
    return DialError(Reason.INVALID_TEST, f"{shown!r} {fault}")


def same_uri(one: str, other: str) -> bool:
    """Both name the same (RFC 3261 §19.1.4), where both can be read; else they are the same text."""
    try:
        first, second = parse_uri(one), parse_uri(other)
    except DialError:
        return one == other
    if (first.secure, first.user, first.host.lower(), first.port) != (
        second.secure, second.user, second.host.lower(), second.port,
    ):  # fmt: skip
        return False
    mine, theirs = dict(first.parameters), dict(second.parameters)
    compared = (mine.keys() & theirs.keys()) | {"transport", "user"}
    return all((mine.get(name) or "").lower() == (theirs.get(name) or "").lower() for name in compared)
