"""Digits as tones in what a leg heard, where those that it was to receive did not come. Samples in, digits out."""

from collections.abc import Mapping
from typing import Final

from agent.contract.observation import LegObservation
from agent.contract.plan import Plan
from agent.contract.verdict import Role
from agent.sound.hearing import overlay
from agent.sound.identity import SAMPLE_RATE, Samples
from agent.trace.audio.tones import detect

MAX_S: Final = 120
"""Of the sound: listening takes its time, and other calls are up."""
MAX_DIGITS: Final = 64


def tones_heard(plan: Plan, leg: LegObservation, tracks: Mapping[str, Samples]) -> str | None:
    """The digits, in order; None: none were missing, or there was nothing to listen to.

    `tracks`: what was recorded of each remote address, from the answer on.
    """
    accepted = {source.remote for source in leg.received or () if source.accepted}
    samples = overlay([track for address, track in tracks.items() if address in accepted])
    if not _are_missing(plan, leg) or not len(samples):
        return None
    found = detect([samples[: MAX_S * SAMPLE_RATE]], SAMPLE_RATE)
    return "".join(tone.digit for tone in found)[:MAX_DIGITS]


def _are_missing(plan: Plan, leg: LegObservation) -> bool:
    expect = next((group.expect for group in plan.calls if group.name == leg.call), None)
    wanted = None if expect is None else (expect.caller if leg.role is Role.CALLER else expect.callee).dtmf
    if wanted is None:
        return False
    return sum(digit.method is wanted.by for digit in leg.dtmf_received) < len(wanted.digits)
