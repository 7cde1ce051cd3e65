"""The words for what a call must come to: final response, what came before it, who ends it (`calls[].expect`)."""

from enum import StrEnum
from typing import Annotated, Final

from msgspec import Meta

from agent.contract.document import Document
from agent.contract.field import TEXT_PATTERN, about
from agent.contract.pattern import MAX_PATTERN

CLASS_PATTERN: Final = r"^[2-6]xx$"
RINGING_PATTERN: Final = r"^18x$"
MAX_EXPECTED_PHRASE: Final = 120
"""Characters: fewer than are kept of a phrase that came (agent/sip/text.py)."""

SipCode = (
    Annotated[int, Meta(ge=200, le=699)] | Annotated[str, Meta(max_length=3, pattern=CLASS_PATTERN, examples=["4xx"])]
)
"""A final response, or a class of them."""
ProvisionalCode = Annotated[
    Annotated[int, Meta(ge=100, le=199)]
    | Annotated[str, Meta(max_length=3, pattern=RINGING_PATTERN, examples=["18x"])],
    Meta(
        extra_json_schema={
            "x-kubernetes-validations": [
                {
                    "rule": "type(self) == int ? self >= 100 && self <= 199 : self == '18x'",
                    "message": "a provisional response is a number from 100 to 199, or 18x",
                }
            ]
        }
    ),
]
"""A 1xx, or any of 180 to 189."""


def is_of(expected: int | str, code: int) -> bool:
    """The code, or one of the class: `486`, `4xx`, `18x`."""
    shape = str(expected)
    return len(shape) == len(str(code)) and all(
        wanted in ("x", digit) for wanted, digit in zip(shape, str(code), strict=True)
    )


class ExpectPhrase(Document, frozen=True, kw_only=True):
    """The reason phrase of the final response: exactly one of equals, matches."""

    equals: (
        Annotated[
            str,
            about(
                "Exactly this, case and all.",
                example="Busy Here",
                min_length=1,
                max_length=MAX_EXPECTED_PHRASE,
                pattern=TEXT_PATTERN,
            ),
        ]
        | None
    ) = None
    matches: (
        Annotated[
            str,
            about(
                "An expression (RE2) that some of it matches, or all where it says so (`^…$`).",
                example="(?i)^busy",
                min_length=1,
                max_length=MAX_PATTERN,
            ),
        ]
        | None
    ) = None


class EndedBy(StrEnum):
    """Who ends an answered call."""

    CALLER = "Caller"
    SUT = "SUT"
    """The system under test: an IVR that has said all, a limit on the length of calls."""


class OnRedirect(StrEnum):
    """What a caller does with a 3xx."""

    STOP = "Stop"
    """It is the final response."""
    FOLLOW = "Follow"
    """Its contacts are called (RFC 3261 §8.1.3.4), through the endpoint."""


class Wanted(StrEnum):
    """Whether something is to happen."""

    ALLOWED = "Allowed"
    REQUIRED = "Required"
    FORBIDDEN = "Forbidden"


class Forking(StrEnum):
    """Whether more than one may answer."""

    ALLOWED = "Allowed"
    FORBIDDEN = "Forbidden"


class ExpectReason(Document, frozen=True, kw_only=True):
    """A Reason header (RFC 3326); of several in a message, one must be it."""

    protocol: Annotated[
        str,
        about(
            "Whose causes they are: SIP, Q.850.",
            example="Q.850",
            min_length=1,
            max_length=32,
            pattern=r"^[-A-Za-z0-9.!%*_+`'~]+$",
        ),
    ]
    cause: Annotated[int, about("Its cause; default: any.", example=17, ge=0, le=999_999)] | None = None
    text: (
        Annotated[
            str,
            about(
                "Its text, exactly; default: any, or none.",
                example="User busy",
                min_length=1,
                max_length=100,
                pattern=TEXT_PATTERN,
            ),
        ]
        | None
    ) = None
