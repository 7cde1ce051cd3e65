"""Codecs of a leg against those that the test has it take, in words. Pure."""

from collections.abc import Iterable
from typing import Final

from agent.contract.codecs import Codec
from agent.judge.call_leg import CallLeg
from agent.judge.refusals import OFFER_CODES
from agent.judge.words import listed

NOTHING: Final = "no audio"


def format_of(codec: Codec) -> str:
    """As an rtpmap has it, and as agents tell: `opus/48000/2`."""
    return f"{codec}/{codec.clock_hz}" + (f"/{codec.channels}" if codec.channels > 1 else "")


def is_of(codec: Codec, format_: str) -> bool:
    """Names are compared without case (RFC 8866 §6.6)."""
    return format_.lower() == format_of(codec).lower()


def has_any(formats: Iterable[str], codecs: Iterable[Codec]) -> bool:
    """One of those codecs is among the formats."""
    wanted = list(codecs)
    return any(is_of(codec, format_) for format_ in formats for codec in wanted)


def offered(leg: CallLeg) -> str:
    """What its INVITE offered, in words."""
    return f"an offer of {listed(leg.leg.codecs_offered) or NOTHING}"


def untakeable(leg: CallLeg) -> str | None:
    """What a callee's INVITE was to offer, whose stack could take nothing of it; None: that is not why it refused."""
    wanted = leg.media.codecs  # a test that says nothing of them asks for no offer
    if wanted is None or leg.leg.final_code not in OFFER_CODES or not leg.knew_its_media:
        return None
    if not leg.leg.codecs_offered or has_any(leg.leg.codecs_offered, wanted):
        return None
    return f"an offer of {listed(wanted, 'or')}"
