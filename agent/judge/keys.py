"""What an offer of SRTP was, in words, and why a callee's stack could not take one. Pure."""

from dataclasses import dataclass
from typing import Final

from agent.contract.srtp import Keying, SdpKeys, SrtpUse
from agent.contract.verdict import Reason
from agent.judge.call_leg import CallLeg
from agent.judge.offers import offered as offered_codecs
from agent.judge.offers import untakeable
from agent.judge.refusals import OFFER_CODES
from agent.judge.words import listed

SAVP: Final = "RTP/SAVP"
ENCRYPTED: Final = "media encrypted each way"
_ATTRIBUTE: Final = {Keying.SDES: "a=crypto", Keying.DTLS: "a=fingerprint"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfit:
    """Why the test has a callee refuse what it was offered."""

    reason: Reason
    expected: str
    observed: str


def profile(keys: SdpKeys) -> str:
    """`RTP/SAVP with a=crypto`."""
    return f"{keys.profile} with{listed(f' {_ATTRIBUTE[one]}' for one in keys.keying) or 'out keys'}"


def unfit(leg: CallLeg) -> Unfit | None:
    """What of the offer a callee's own `media.srtp` had its stack refuse; None: that was not it."""
    offered, asked = leg.leg.offered, leg.srtp
    if offered is None or leg.leg.final_code not in OFFER_CODES or not leg.knew_its_media:
        return None
    if asked.use is SrtpUse.MANDATORY and not offered.is_secure:
        return Unfit(reason=Reason.SRTP_DOWNGRADED, expected=f"an offer of {SAVP}", observed=profile(offered))
    if asked.use is SrtpUse.DISABLED or not offered.is_secure or not offered.keying:
        return None
    common = [keying for keying in asked.keying if keying in offered.keying]
    if not common:
        wanted = f"an offer of keys by {listed(asked.keying, 'or')}"
        return Unfit(reason=Reason.SRTP_KEYING_MISMATCH, expected=wanted, observed=profile(offered))
    if Keying.DTLS in common or any(suite.upper() in {*asked.suites} for suite in offered.suites):
        return None
    wanted = f"an offer of {listed(asked.suites, 'or')}"
    return Unfit(reason=Reason.SRTP_SUITE_MISMATCH, expected=wanted, observed=f"an offer of {listed(offered.suites)}")


def against_the_test(leg: CallLeg) -> str | None:
    """Likewise, in words, for a call that its callee refused; and where its media is to be plain, as the test says."""
    why = unfit(leg)
    if why is not None:
        return f"it was to have {why.expected}, and had {why.observed}"
    if (wanted := untakeable(leg)) is not None:
        return f"it was to have {wanted}, and had {offered_codecs(leg)}"
    said = leg.call.group.callee.media is not None and leg.knew_its_media
    offered = leg.leg.offered
    if not said or leg.srtp.use is not SrtpUse.DISABLED or offered is None or not offered.is_secure:
        return None
    return f"its media.srtp.use is Disabled, and it was offered {profile(offered)}"
