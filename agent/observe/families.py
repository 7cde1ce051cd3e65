"""Where a peer wants media, against the IP family that is spoken with it. Pure."""

from collections.abc import Iterable, Sequence

from agent.contract.address import family_of, host_of, place
from agent.contract.media import Section
from agent.phone.protocol import Event, MessageSeen
from agent.sip.dialogs import Signalling
from agent.sip.sdp import NOWHERE, parse_sdp, sdp_of


def other_family(events: Iterable[Event], leg: Signalling, sections: Sequence[Section]) -> str | None:
    """The first `ip:port` of the peer's audio that is of another family than this agent's, which has no other.

    Of what was agreed, and of an INVITE that came, be it that the stack refused it.
    """
    own = next((family_of(host_of(event.local)) for event in events if isinstance(event, MessageSeen)), None)
    places = [section.remote for section in sections if section.remote is not None]
    offered = _offered(leg)
    for at in (*places, *([] if offered is None else [offered])):
        if family_of(host_of(at)) not in (None, own):
            return at
    return None


def _offered(leg: Signalling) -> str | None:
    """Where the INVITE that came wants audio."""
    invite = leg.tries[-1].request.first if leg.tries else None
    sdp = None if invite is None or invite.sent else sdp_of(invite.head, invite.text)
    audio = None if sdp is None else parse_sdp(sdp).audio
    if audio is None or not audio.port or audio.address in NOWHERE:
        return None
    return place(audio.address, audio.port)
