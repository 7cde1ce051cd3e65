"""Link layers: where the IP packet of each record begins."""

from typing import Final

import numpy as np
import numpy.typing as npt

from agent.trace.records import Ints, Records, Skipped, load_u16

NULL, ETHERNET, LOOP, RAW, SLL, SLL2, IPV4, IPV6 = 0, 1, 108, 101, 113, 276, 228, 229
_RAW: Final = (RAW, IPV4, IPV6, 12, 14)
"""12 and 14 are DLT_RAW of some BSDs."""
_TYPED: Final = {ETHERNET: (12, 14), SLL: (14, 16), SLL2: (0, 20)}
"""Where the EtherType stands, and where what it speaks of begins."""
_BARE: Final = {NULL: 4, LOOP: 4, **dict.fromkeys(_RAW, 0)}
_TAGS: Final = (0x8100, 0x88A8, 0x9100)
"""VLAN tags of 802.1Q, 802.1ad and, older, of some switches."""
_MAX_TAGS: Final = 4
_IPV4, _IPV6 = 0x0800, 0x86DD


def ip_offsets(records: Records, skipped: Skipped) -> Ints:
    """Where each record's IP packet begins in `records.data`; -1 where it is none."""
    offsets = np.full(len(records), -1)
    first = int(records.link[0])
    kinds = [first] if (records.link == first).all() else np.unique(records.link).tolist()
    for kind in kinds:
        where = slice(None) if len(kinds) == 1 else np.flatnonzero(records.link == kind)
        start, captured = records.offset[where], records.captured[where]
        if kind in _TYPED:
            offsets[where] = _typed(records, start, captured, *_TYPED[kind])
        elif kind in _BARE:
            offsets[where] = np.where(captured > _BARE[kind], start + _BARE[kind], -1)
        else:
            skipped[f"link type {kind}"] += len(start)
    return offsets


def _typed(records: Records, start: Ints, captured: Ints, type_at: int, payload_at: int) -> Ints:
    """IP behind an EtherType, with any VLAN tags between."""
    kinds = load_u16(records.data, start + type_at)
    begin = start + payload_at
    enough = captured > payload_at
    if (enough & (kinds == _IPV4)).all():
        return begin
    end = start + captured
    for _ in range(_MAX_TAGS):
        tagged = np.flatnonzero(_is_tag(kinds) & (begin + 4 < end))
        if not len(tagged):
            break
        kinds[tagged] = load_u16(records.data, begin[tagged] + 2)
        begin[tagged] += 4
    return np.where(enough & ((kinds == _IPV4) | (kinds == _IPV6)), begin, -1)


def _is_tag(kinds: Ints) -> npt.NDArray[np.bool_]:
    return np.isin(kinds, _TAGS)
