"""Which SIP URIs a test may use, and which it may dial. Pure.

Toll fraud goes through the SUT's trunk: users that look like phone numbers need the administrator's permission, and
emergency numbers are never dialled. URIs end up in SIP messages, so they are parsed strictly (no header injection).
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final
from urllib.parse import unquote_to_bytes

from agent.contract.plan import for_endpoint
from agent.contract.verdict import Reason
from controller.limits import Limits, PlanningError

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
_SEPARATORS: Final = re.compile(r"[-.()\s_/]")
_LABEL: Final = r"[A-Za-z0-9](?:[-A-Za-z0-9]{0,61}[A-Za-z0-9])?"
_URI: Final = re.compile(
    r"sip:(?:(?P<user>(?:[-A-Za-z0-9_.!~*'()&=+$,;/]|%[0-9A-Fa-f]{2})+)@)?"
    rf"(?P<host>{_LABEL}(?:\.{_LABEL})*)(?::(?P<port>[0-9]{{1,5}}))?"
    r"(?P<parameters>(?:;[-A-Za-z0-9_.!~*'+%]+(?:=[-A-Za-z0-9_.!~*'+%/:]+)?)*)"
)
_REFUSED_PARAMETERS: Final = frozenset({"maddr", "method", "ttl"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SipUri:
    """A SIP URI of the kind that a test may use."""

    user: str
    """Percent-decoded; empty when there is none."""
    host: str
    port: int | None
    parameters: tuple[tuple[str, str], ...]

    @property
    def address_of_record(self) -> str:
        """For comparing identities: user and host (RFC 3261 §19.1.4: the user's case counts, the host's does not)."""
        return f"{self.user}@{self.host.lower()}"


def parse_uri(text: str, field: str) -> SipUri:
    """A URI as RFC 3261 §19.1.1 writes it, but strict; PlanningError names the field.

    Only `sip:`, no password, no headers (`?`), no IPv6, nothing that sends the request elsewhere (maddr).
    """
    match = _URI.fullmatch(text)
    if match is None:
        raise _refused(field, text, 'must be like "sip:bob@example.com" (no password, headers or IPv6)')
    raw_user = unquote_to_bytes(match["user"] or "")
    if not all(0x21 <= byte <= 0x7E for byte in raw_user):
        raise _refused(field, text, "its user contains a character that is not printable ASCII")
    port = int(match["port"]) if match["port"] else None
    if port is not None and not 1 <= port <= 65535:
        raise _refused(field, text, f"{port} is no port")
    host = match["host"]
    if re.fullmatch(r"[0-9.]+", host) and not _is_ipv4(host):
        raise _refused(field, text, f"{host} is no IPv4 address")
    parameters = tuple(_parameter(item) for item in match["parameters"].split(";")[1:])
    for name, value in parameters:
        if name in _REFUSED_PARAMETERS or (name == "transport" and value.lower() != "udp"):
            raise _refused(field, text, f"its parameter {name} is not allowed")
    return SipUri(user=raw_user.decode(), host=host, port=port, parameters=parameters)


def parse_identity(text: str, field: str) -> SipUri:
    """The URI of a caller or callee: one with a user."""
    uri = parse_uri(for_endpoint(text, 0), field)
    if not uri.user:
        raise _refused(field, text, "has no user")
    return uri


def check_dial(text: str, field: str, limits: Limits) -> None:
    """PlanningError NUMBER_NOT_ALLOWED when the URI's user is a number that may not be dialled."""
    number = dialled_number(parse_uri(text, field).user)
    # `112#` ends the number, `#31#112` dials it without caller identity.
    if any(part.lstrip("+") in EMERGENCY_NUMBERS for part in number.split("#")):
        raise PlanningError(Reason.NUMBER_NOT_ALLOWED, f"{field}: {number} is an emergency number: never dialled")
    if not looks_like_a_phone_number(number):
        return
    if limits.allow_dial is None or not limits.allow_dial.fullmatch(number):
        message = f"{field}: {number} looks like a phone number, and the operator's --allow-dial does not permit it"
        raise PlanningError(Reason.NUMBER_NOT_ALLOWED, message)


def looks_like_a_phone_number(number: str) -> bool:
    """Seven digits or more and no letter: also where a feature code or trunk prefix stands before it (`*67+49…`)."""
    return sum(char.isdigit() for char in number) >= MIN_PHONE_DIGITS and not any(char.isalpha() for char in number)


def dialled_number(user: str) -> str:
    """What a SUT would dial for a user: without parameters (`;phone-context=…`) and visual separators (RFC 3966)."""
    return _SEPARATORS.sub("", user.partition(";")[0].partition(",")[0])


def _parameter(text: str) -> tuple[str, str]:
    name, _, value = unquote_to_bytes(text).decode(errors="replace").partition("=")
    return name.lower(), value


def _is_ipv4(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True


def _refused(field: str, text: str, fault: str) -> PlanningError:
    return PlanningError(Reason.INVALID_TEST, f"{field}: {text!r} {fault}")
