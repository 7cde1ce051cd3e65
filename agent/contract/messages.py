"""What a leg's messages must say: their headers and Request-URIs (`calls[].expect.<leg>.headers`, `requestUris`)."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Final, Literal

from msgspec import Meta

from agent.contract.document import Document
from agent.contract.field import TEXT_PATTERN, about, rule
from agent.contract.headers import HEADER_NAME_PATTERN, MAX_NAME, MAX_VALUE
from agent.contract.pattern import MAX_PATTERN

MAX_EXPECTED: Final = 20
"""Of a leg, of either kind."""


class Message(StrEnum):
    """A message that a leg receives: one of them all, and the same one however often it is sent."""

    INVITE = "INVITE"
    """At a callee: the one that began the leg, of its last try."""
    ACK = "ACK"
    """At a callee: the first to its 2xx."""
    BYE = "BYE"
    """The first of the leg's dialog."""
    PROVISIONAL = "Provisional"
    """At a caller: the first above 100, of the dialog that was answered where that had one."""
    FINAL = "Final"
    """At a caller: the first response of 200 or more to the last try of its INVITE."""
    BYE_RESPONSE = "ByeResponse"
    """The final one to the last try of this leg's BYE."""


_RE2: Final = (
    "An expression of RE2 (github.com/google/re2/wiki/Syntax) that must be found in it: ^ and $ bind it to the begin"
    " and the end, (?i) lets case not count. {endpoint} stands for the endpoint's index, from 0."
)


class ExpectHeader(Document, frozen=True, kw_only=True):
    """What one message that a leg receives must say in one header."""

    message: Annotated[
        Message,
        about(
            "Which message. INVITE, of the callee: the one that began the leg. ACK, of the callee: the first to its"
            " 2xx. BYE: the first in the leg's dialog. Provisional, of the caller: the first response above 100, or of"
            " `code`, in the dialog that was answered, else in any. Final, of the caller: the response to the last try"
            " of its INVITE. ByeResponse: that to the last try of the leg's own BYE. What is sent again is the same"
            " message; re-INVITEs, other branches of a fork and challenges are none of these. Where it did not come,"
            " the check is NotMeasured.",
            example="INVITE",
        ),
    ]
    name: Annotated[
        str,
        about(
            "Name of the header, in any case; its compact form is the same header.",
            example="P-Asserted-Identity",
            min_length=1,
            max_length=MAX_NAME,
            pattern=HEADER_NAME_PATTERN,
        ),
    ]
    code: Annotated[int, about("Of Provisional: only a response of this code.", example=183, ge=101, le=199)] | None = (
        None
    )
    present: Annotated[bool | None, about("true: it must be there. false: it must not.", example=False)] = None
    equals: (
        Annotated[
            str,
            about(
                "One of its lines must be this, case and all, white space counted as one space; of a list (RFC 3261"
                " §7.3.1) one of its values, or all of them. {endpoint} stands for the endpoint's index, from 0.",
                example="blue",
                min_length=1,
                max_length=MAX_VALUE,
                pattern=TEXT_PATTERN,
            ),
        ]
        | None
    ) = None
    matches: Annotated[str, about(_RE2, example="^<sip:alice@", min_length=1, max_length=MAX_PATTERN)] | None = None
    count: (
        Annotated[int, about("So many lines of it must be there; of a list, values.", example=1, ge=1, le=100)] | None
    ) = None


class ExpectRequestUri(Document, frozen=True, kw_only=True):
    """Which Request-URI one request that a leg receives must have."""

    message: Annotated[
        Literal["INVITE", "ACK", "BYE"],
        about("Which request, as of `headers`: INVITE and ACK are the callee's.", example="INVITE"),
    ] = "INVITE"
    equals: (
        Annotated[
            str,
            about(
                "It must be this, as it is written; case does not count in scheme and host. {endpoint} stands for the"
                " endpoint's index, from 0.",
                example="sip:bob@example.com",
                min_length=1,
                max_length=MAX_VALUE,
                pattern=TEXT_PATTERN,
            ),
        ]
        | None
    ) = None
    matches: Annotated[str, about(_RE2, example="^sip:bob@[^;]*$", min_length=1, max_length=MAX_PATTERN)] | None = None


ExpectMessage = ExpectHeader | ExpectRequestUri


class Found(StrEnum):
    """What came of something that is asked of a message."""

    HELD = "Held"
    MISSING = "Missing"
    """The header is not there, or not so often."""
    UNEXPECTED = "Unexpected"
    """It is there, or more often."""
    OTHER = "Other"
    """None of what is there is what is asked for."""
    CUT = "Cut"
    """What was kept of the message is not enough to tell."""
    UNSEEN = "Unseen"
    """The message did not come."""


class Looked(Document, frozen=True, kw_only=True, omit_defaults=True):
    """What an agent found where a test asks something of a message."""

    asked: int
    """Which, of `asked_of` the plan's calls and the agent's role."""
    found: Found = Found.HELD
    code: int | None = None
    """Of the message, where that is a response. This and what follows: where it did not hold."""
    count: int = 0
    """Lines, or of a list values."""
    values: tuple[str, ...] = ()
    """The first of them; each cut, without secrets."""


_CONDITIONS: Final = ("present", "equals", "matches", "count")


def _rules(names: Iterable[str], *more: dict[str, str]) -> Meta:
    has = ", ".join(f"has(self.{name})" for name in names)
    one = rule(f"[{has}].filter(x, x).size() == 1", f"exactly one of {', '.join(names)}")
    return Meta(extra_json_schema={"x-kubernetes-validations": [one, *more]})


_CODE: Final = rule("!has(self.code) || self.message == 'Provisional'", "code is of Provisional alone")
ExpectedHeader = Annotated[ExpectHeader, _rules(_CONDITIONS, _CODE)]
ExpectedRequestUri = Annotated[ExpectRequestUri, _rules(("equals", "matches"))]


def conditions_of(expected: ExpectMessage) -> tuple[str, ...]:
    """Those that can be asked of it: exactly one is."""
    return _CONDITIONS if isinstance(expected, ExpectHeader) else ("equals", "matches")
