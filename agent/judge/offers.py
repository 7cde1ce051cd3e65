"""Codecs of a leg against those that the test has it take, in words. Pure."""

from collections.abc import Iterable
from typing import Final

from agent.contract.codecs import Codec
from agent.judge.call_leg import CallLeg
from agent.judge.refusals import OFFER_CODES
from agent.judge.words import listed
from agent.sip.offering import encoding_of

NOTHING: Final = "no audio"


def is_of(codec: Codec, format_: str) -> bool:
    """That format (`opus/48000/2`) is this codec: names are compared without case (RFC 8866 §6.6)."""
    return format_.lower() == str(encoding_of(codec)).lower()


def has_any(formats: Iterable[str], codecs: Iterable[Codec]) -> bool:
    """One of those codecs is among the formats."""
    wanted = list(codecs)
    return any(is_of(codec, format_) for format_ in formats for codec in wanted)


def may_be_offered(leg: CallLeg, codecs: Iterable[Codec]) -> bool:
    """Its INVITE offered one of them, or more codecs than are told."""
    return leg.leg.codecs_left_out > 0 or has_any(leg.leg.codecs_offered, codecs)


def offered(leg: CallLeg) -> str:
    """What its INVITE offered, in words."""
    more = f" and {leg.leg.codecs_left_out} more" if leg.leg.codecs_left_out else ""
    return f"an offer of {listed(leg.leg.codecs_offered) or NOTHING}{more}"


def untakeable(leg: CallLeg) -> str | None:
    """What a callee's INVITE was to offer, whose stack could take nothing of it; None: that is not why it refused."""
    wanted = leg.media.codecs  # a test that says nothing of them asks for no offer
    if wanted is None or leg.leg.final_code not in OFFER_CODES or not leg.knew_its_media:
        return None
    if not leg.leg.codecs_offered or may_be_offered(leg, wanted):
        return None
    return f"an offer of {listed(wanted, 'or')}"
