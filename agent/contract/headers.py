"""Headers that agents send beside those of the SIP stack: which, on what messages, and what is not to be set. Pure."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated, Final, Literal

from agent.contract.document import Document
from agent.contract.field import about, rule

MAX_SENT: Final = 20
"""Of a party, and of a call."""
MAX_NAME: Final = 64
MAX_VALUE: Final = 1024
HEADER_NAME_PATTERN: Final = r"^[-A-Za-z0-9.!%*_+`'~]+$"
"""RFC 3261 §25.1."""
VALUE_PATTERN: Final = r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?$"
"""One line, nothing at its ends: whoever reads it would take that away (RFC 3261 §7.3.1)."""

RESERVED: Final = {
    "Via": "v",
    "From": "f",
    "To": "t",
    "Call-ID": "i",
    "CSeq": "",
    "Max-Forwards": "",
    "Contact": "m",
    "Route": "",
    "Record-Route": "",
    "Authorization": "",
    "Proxy-Authorization": "",
    "Content-Type": "c",
    "Content-Length": "l",
    "Content-Encoding": "e",
    "Content-Disposition": "",
    "Content-Language": "",
    "Content-ID": "",
    "MIME-Version": "",
    "Expires": "",
    "Session-Expires": "x",
    "Min-SE": "",
    "RSeq": "",
    "RAck": "",
    "Event": "o",
    "User-Agent": "",
}
"""What the agent writes by itself and can be there only once, or says how its dialogs go; with the compact forms."""
_OURS: Final = "x-calltest-"
_NAMES: Final = {each.lower(): name for name, short in RESERVED.items() for each in (name, short) if each}
_RESERVED_PATTERN: Final = f"(?i)^({'|'.join(sorted(_NAMES))}|content-.*|{_OURS}.*)$"


class SentOn(StrEnum):
    """A message of an agent's that a header goes on."""

    INVITE = "INVITE"
    """On each try of it."""
    CANCEL = "CANCEL"
    BYE = "BYE"
    REGISTER = "REGISTER"
    """Each of them: refreshes, and the one that takes the binding back."""
    RESPONSES = "Responses"
    """Of a callee: 180, and 200, which our SIP stack makes of the former."""
    ANSWER = "Answer"
    """Of a callee: the 200 alone."""


_NAME = Annotated[
    str,
    about(
        "Name. Not one that the agent writes by itself (Via, From, To, Call-ID, CSeq, Max-Forwards, Contact, Route,"
        " Record-Route, Authorization, Proxy-Authorization, Content-*, Expires, Session-Expires, Min-SE, RSeq, RAck,"
        " Event, User-Agent, X-Calltest-*), in whichever case or compact form.",
        example="X-Tenant",
        min_length=1,
        max_length=MAX_NAME,
        pattern=HEADER_NAME_PATTERN,
        rules=(rule(f"!self.matches('{_RESERVED_PATTERN}')", "this header is the agent's own to write"),),
    ),
]
_VALUE = Annotated[
    str,
    about(
        "Value. {endpoint} stands for the endpoint's index, from 0.",
        example="blue",
        min_length=1,
        max_length=MAX_VALUE,
        pattern=VALUE_PATTERN,
    ),
]
_ATOMIC: Final = {"x-kubernetes-list-type": "atomic"}


class Header(Document, frozen=True, kw_only=True):
    """One header of a message."""

    name: _NAME
    value: _VALUE


Headers = tuple[Header, ...]


class CallHeader(Header, frozen=True, kw_only=True):
    """A header that the caller sends in the calls of one kind."""

    messages: Annotated[
        tuple[Literal["INVITE", "CANCEL", "BYE"], ...],
        about(
            "Which messages it is on. A CANCEL that has to wait for a first response to its INVITE (RFC 3261 §9.1)"
            " carries none.",
            example=["INVITE", "BYE"],
            min_length=1,
            max_length=3,
            schema=_ATOMIC,
        ),
    ] = ("INVITE",)


class CallerHeader(Header, frozen=True, kw_only=True):
    """A header that the caller sends in all its calls, or as it registers."""

    messages: Annotated[
        tuple[Literal["INVITE", "CANCEL", "BYE", "REGISTER"], ...],
        about("Which messages it is on.", example=["INVITE", "REGISTER"], min_length=1, max_length=4, schema=_ATOMIC),
    ] = ("INVITE",)


class CalleeHeader(Header, frozen=True, kw_only=True):
    """A header that the callee sends in all calls that it takes, or as it registers."""

    messages: Annotated[
        tuple[Literal["Responses", "Answer", "BYE", "REGISTER"], ...],
        about(
            "Which messages it is on. Responses: its 180 and its 200. Answer: the 200 alone.",
            example=["Answer"],
            min_length=1,
            max_length=4,
            schema=_ATOMIC,
        ),
    ] = ("Responses",)


class PlannedHeader(Header, frozen=True, kw_only=True):
    """A header of an agent, as its plan has it."""

    messages: tuple[SentOn, ...]


def reserved(name: str) -> str | None:
    """What a header that is not to be set is, in its long form; None: it can be set."""
    low = name.lower()
    return _NAMES.get(low) or (name if low.startswith(("content-", _OURS)) else None)


def headers_on(
    endpoint: int, own: Iterable[PlannedHeader], of_call: Iterable[CallHeader] = ()
) -> Mapping[SentOn, Headers]:
    """What goes on each message, where anything does: a party's own, but for those that its call has by that name."""
    every = {message: _on(message, endpoint, tuple(own), tuple(of_call)) for message in SentOn}
    return {message: headers for message, headers in every.items() if headers}


def _on(message: SentOn, endpoint: int, own: Iterable[PlannedHeader], of_call: Iterable[CallHeader]) -> Headers:
    special = [header for header in of_call if message in header.messages]
    names = {header.name.lower() for header in special}
    usual = [header for header in own if message in header.messages and header.name.lower() not in names]
    return at_endpoint(endpoint, (*usual, *special))


def at_endpoint(endpoint: int, headers: Iterable[Header]) -> Headers:
    """As they are sent there."""
    return tuple(
        Header(name=header.name, value=header.value.replace("{endpoint}", str(endpoint))) for header in headers
    )


def value_of(headers: Headers, name: str) -> str | None:
    """Of the first of that name, written the same; None where there is none."""
    return next((header.value for header in headers if header.name == name), None)
