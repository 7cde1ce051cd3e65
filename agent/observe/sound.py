"""Which of the recordings are the leg's, and what they held. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agent.contract.media import Heard
from agent.observe.sections import Agreed
from agent.observe.sources import place, since_answer, unproven
from agent.sound.hearing import hear, overlay
from agent.sound.identity import Samples, find
from agent.tap.model import TapStream

MAX_OTHERS: Final = 256
"""Codes that are looked for beside the call's own; any is decoded where the sound is good."""

SILENCE: Final = ""
"""The address of a track where nobody sent anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What is listened for: whose signals a leg may hear (agent/sound/identity.py), and tones."""

    own: int | None = None
    """None: the leg does not know which call it is."""
    others: tuple[int, ...] = ()
    """Of calls that were up beside it; where `own` is None, of all calls that it may be."""
    tones: bool = False
    """Single ones, whatever their frequency: it takes a second or two for each 1,000 s of other sound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """What was heard."""

    heard: Heard | None = None
    """Of all accepted addresses together. None: nothing of theirs was recorded."""
    proven: frozenset[str] = frozenset()
    """Addresses that no SDP named, and whose sound is this call's signal."""


def listen(
    tracks: Mapping[str, Samples],
    rows: Iterable[TapStream],
    sections: Sequence[Agreed],
    sought: Sought,
    *,
    outgoing: bool,
) -> Sound:
    """The sound of the leg's own media. `tracks`: by the remote address (`ip:port`), all from the answer on.

    Of addresses that no SDP named only those are heard that nothing but their sound can prove.
    """
    others = sought.others[:MAX_OTHERS]
    wanted = others if sought.own is None else (sought.own,)
    media = since_answer(rows, outgoing=outgoing)
    proven = frozenset(
        address for address in unproven(media, sections) if address in tracks and find(tracks[address], wanted)
    )
    placed = place(media, sections, proven)
    accepted = {SILENCE, *(one.row.remote for one in placed if one.accepted and not one.row.sent)}
    samples = overlay([track for address, track in tracks.items() if address in accepted])
    heard = hear(samples, sought.own, others, with_tones=sought.tones) if len(samples) else None
    return Sound(heard=heard, proven=proven)
