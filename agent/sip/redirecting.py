"""Which contacts of a 3xx a caller goes on to: none of them may lead where the test itself could not. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import unquote

from agent.sip.bindings import bindings, has_more
from agent.sip.dialling import DialError, SipUri, check_dial, parse_uri
from agent.sip.text import parse_head

MAX_FOLLOWED: Final = 5
"""Contacts, of one call."""
MAX_CONTACT: Final = 255
"""Characters of one: as of a URI that people write."""
NO_TARGETS: Final = {
    305: "of a 305 it is the proxy to call through (RFC 3261 §21.3.4), which is the endpoint's part",
    380: "of a 380 it is another service than the call (RFC 3261 §21.3.5)",
}
"""Contacts that are not called in the place of who was."""


@dataclass(slots=True, kw_only=True)
class Redirects:
    """Of one call. What it goes on to goes through the endpoint all the same, as its INVITE did.

    So a host's name is the SUT's to find; an address must be one that the agent may send to. Not locked: asked in the
    SIP stack's thread alone.
    """

    allow_dial: re.Pattern[str] | None
    networks: Sequence[str]
    """CIDRs."""
    secure: bool = False
    """The test is over TLS: a sips URI may be called (RFC 3261 §26.2.2)."""
    followed: int = 0
    contacts: list[tuple[str, int]] = field(default_factory=list)
    """Of all 3xx so far, each with the code of its own."""
    whole: bool = True
    """All of them are known."""

    def came(self, text: str) -> None:
        """A response came, or none where the text is empty: a 3xx adds its contacts."""
        head = parse_head(text)
        if head is None:
            self.whole = self.whole and not text
        elif head.code is not None and 300 <= head.code < 400:
            self.contacts += [(contact.uri, head.code) for contact in bindings(text)]
            self.whole = self.whole and not has_more(text)

    def why_not(self, target: str) -> str | None:
        """Why the call does not go on to what the stack takes next; None: it does.

        The stack shows of it no more than user and host: of the contacts that it may be, each must be one to go on to.
        """
        fault = self._fault(target.rpartition("<")[2].partition(">")[0])
        if fault is None and self.followed == MAX_FOLLOWED:
            fault = f"{target}: after {MAX_FOLLOWED} of them this agent goes on to no other"
        self.followed += fault is None
        return fault

    def _fault(self, target: str) -> str | None:
        if not self.whole:
            return f"{target}: which contact that is is not known, as not all of the 3xx could be read"
        maybe = [(contact, code) for contact, code in self.contacts if _place(contact) == _place(target)]
        faults = (self._fault_of(contact, code) for contact, code in maybe)
        unknown = None if maybe else f"{target}: which contact that is was not found"
        return next((fault for fault in faults if fault is not None), unknown)

    def _fault_of(self, contact: str, code: int) -> str | None:
        if (other := NO_TARGETS.get(code)) is not None:
            return f"{contact[:MAX_CONTACT]}: {other}"
        if len(contact) > MAX_CONTACT:
            return f"{contact[:MAX_CONTACT]}…: it has more than {MAX_CONTACT} characters"
        try:
            uri = parse_uri(contact)
            check_dial(uri, self.allow_dial)
        except DialError as error:
            return str(error) if contact in str(error) else f"{contact}: {error}"
        if uri.secure and not self.secure:
            return f"{contact}: it is a sips URI, and the test is not over TLS"
        return None if _may_be(uri, self.networks) else f"{contact}: this agent may not send there (--allow-target)"


def _place(uri: str) -> tuple[str, str]:
    """User and host, as far as they can be read without reading all of it."""
    _, _, rest = uri.partition(":")
    before, _, after = rest.rpartition("@")
    host = re.match(r"\[[^\]]*\]|[^:;?]*", after)
    return unquote(before), host[0].lower() if host else ""


def _may_be(uri: SipUri, networks: Sequence[str]) -> bool:
    """A name, or an address in one of the CIDRs."""
    try:
        address = ip_address(uri.host.strip("[]"))
    except ValueError:
        return True
    return any(address in ip_network(network, strict=False) for network in networks)
