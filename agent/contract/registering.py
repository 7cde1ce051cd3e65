"""The words of a registration (`CallTest.spec.caller.registration`, and the callee's): what is asked, what must come.

Written here once, as those of a call: the CRD is generated from them, and a plan carries them as they were written.
"""

from enum import StrEnum
from typing import Annotated, Final

from agent.contract.document import Document
from agent.contract.field import about

EXPIRES_S: Final = 300


class Auth(StrEnum):
    """Whether a request may be taken without credentials."""

    ANY = "Any"
    REQUIRED = "Required"
    """It must be challenged (401, 407) before it is taken."""


class Algorithm(StrEnum):
    """Of a digest (RFC 7616, RFC 8760)."""

    MD5 = "MD5"
    SHA_256 = "SHA-256"
    SHA_512_256 = "SHA-512-256"


class ExpectRegistration(Document, frozen=True, kw_only=True):
    """What must be true of a registration, beside what always is: taken, listed, refreshed, taken back."""

    min_expires_seconds: (
        Annotated[
            int,
            about(
                "The registrar must grant at least so long: by the `expires` of our binding in its 200, else by Expires"
                " (RFC 3261 §10.2.4); at each refresh too.",
                example=60,
                ge=1,
                le=604_800,
            ),
        ]
        | None
    ) = None
    max_expires_seconds: (
        Annotated[int, about("The registrar must grant so long at most, likewise.", example=120, ge=1, le=604_800)]
        | None
    ) = None
    auth: Annotated[
        Auth,
        about(
            "Required: the REGISTER must be challenged. A registrar that takes it without is Failed/AuthNotRequired.",
            example="Required",
        ),
    ] = Auth.ANY
    auth_algorithm: Annotated[
        Algorithm | None,
        about(
            "The digest by which the registrar must challenge: the topmost one that it offers (RFC 8760 §2.4).",
            example="SHA-256",
        ),
    ] = None
    max_bindings: (
        Annotated[
            int,
            about(
                "The registrar may have so many bindings for the URI at most, ours included. Others than ours fork the"
                " calls, or take them. Without this, they are a note.",
                example=1,
                ge=1,
                le=100,
            ),
        ]
        | None
    ) = None


class Registration(Document, frozen=True, kw_only=True):
    """How an agent registers, and what must come of it."""

    expires_seconds: Annotated[
        int,
        about(
            "For how long the agent asks to be registered. It refreshes 5 s before what is granted is over. Where the"
            " registrar says 423, the agent asks again for what that wants (Min-Expires).",
            example=120,
            ge=10,
            le=604_800,
        ),
    ] = EXPIRES_S
    expect: Annotated[
        ExpectRegistration,
        about("What must be true of the registration.", example={"auth": "Required", "authAlgorithm": "SHA-256"}),
    ] = ExpectRegistration()
