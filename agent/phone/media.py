"""What the media of a phone's calls is to be: told by what their INVITE says they are. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.contract.codecs import Codec, Media
from agent.contract.plan import CALL_HEADER, Plan
from agent.contract.srtp import Srtp, SrtpUse
from agent.sip.text import SipHead
from agent.tap.model import TapSrtp


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaOfCalls:
    """Of the calls that a phone places and takes."""

    usual: Media = field(default_factory=Media)
    """Of those that do not say which they are: a SUT may take the header away."""
    calls: Mapping[str, Media] = field(default_factory=dict)
    """By the call's name, which is the last but one part of its CALL_HEADER."""

    def of(self, call_key: str | None) -> Media:
        """That of the call whose INVITE has this value as its CALL_HEADER."""
        *_, name, _ = ("", *(call_key or "").rsplit("/", 2))
        return self.calls.get(name, self.usual)

    def of_invite(self, head: SipHead | None) -> Media:
        """That of an INVITE."""
        return self.of(head.header(CALL_HEADER) if head else None)

    @property
    def srtp_use(self) -> SrtpUse:
        """Of an account: what all its calls share; Optional, which takes any, where they do not."""
        uses = {media.srtp.use for media in (self.usual, *self.calls.values())}
        return uses.pop() if len(uses) == 1 else SrtpUse.OPTIONAL

    @property
    def codecs(self) -> tuple[Codec, ...]:
        """Of any call: what the phone has to know."""
        wanted = {codec for media in (self.usual, *self.calls.values()) for codec in media.taken}
        return tuple(codec for codec in Codec if codec in wanted)


def planned(plan: Plan) -> MediaOfCalls:
    """Of a plan's agent: a call that names none is as all are, or, where they differ, as its account."""
    calls = {call.name: call.media(plan.role) for call in plan.calls}
    return MediaOfCalls(usual=plan.usual_media(plan.role) or plan.account.media, calls=calls)


def tap_srtp(srtp: Srtp) -> TapSrtp:
    """As the tap sets it."""
    return TapSrtp(use=srtp.use, keying=srtp.keying, suites=tuple(suite.value for suite in srtp.suites))
