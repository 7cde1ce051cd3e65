"""Codecs (RFC 3551, 5574, 7587): which an agent offers and takes, and what its media is otherwise."""

from enum import StrEnum
from typing import Annotated, Final

from agent.contract.document import Document
from agent.contract.field import about
from agent.contract.srtp import Srtp


class Codec(StrEnum):
    """A codec of the agents', by its encoding name in SDP."""

    PCMU = "PCMU"
    PCMA = "PCMA"
    G722 = "G722"
    GSM = "GSM"
    SPEEX = "speex"
    L16 = "L16"
    OPUS = "opus"
    G729 = "G729"

    @property
    def clock_hz(self) -> int:
        """Of its RTP timestamps, as its rtpmap has it: of G.722 half of what it samples at (RFC 3551 §4.5.2)."""
        return 48_000 if self is Codec.OPUS else 8000

    @property
    def channels(self) -> int:
        """As its rtpmap has it: of opus always two, whatever is sent (RFC 7587 §4.1)."""
        return 2 if self is Codec.OPUS else 1


USUAL: Final = (Codec.PCMU, Codec.PCMA)
"""Where nothing is said."""


class Media(Document, frozen=True, kw_only=True):
    """What an agent's media is."""

    codecs: (
        Annotated[
            tuple[Codec, ...],
            about(
                "Codecs that it offers, the preferred one first, and the only ones that it takes; without it PCMU and"
                " PCMA. Of those that an offer and a callee have in common, the answer has the one that the offer"
                " prefers (RFC 3264 §6.1). speex and L16 are those of 8 kHz. What is played is of 8 kHz, whatever the"
                " codec could carry.",
                example=["G722", "PCMA"],
                min_length=1,
                max_length=len(Codec),
                schema={"x-kubernetes-list-type": "set"},
            ),
        ]
        | None
    ) = None
    ptime_milliseconds: (
        Annotated[
            int,
            about(
                "How much media the other side is asked to put into a packet (a=ptime, RFC 8866 §6.4); without it"
                " nothing is asked for, which is 20 ms for most. It may send others, and what it sends is taken.",
                example=40,
                ge=10,
                le=120,
            ),
        ]
        | None
    ) = None
    srtp: Annotated[Srtp, about("Whether and how it is encrypted.", example={"use": "Mandatory"})] = Srtp()

    @property
    def taken(self) -> tuple[Codec, ...]:
        """The codecs that it offers and takes."""
        return USUAL if self.codecs is None else self.codecs
