"""RTP headers (RFC 3550 §5.1) of what may be RTP, as columns."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from agent.trace.ip import Datagrams, chosen
from agent.trace.records import Bytes, Ints, load_u16

RTP_HEADER: Final = 12
_RTCP: Final = (64, 96)
"""Payload types that RTCP's packet types take when both share a port: RFC 5761 §4."""
_LOWEST_PORT_HIGH_BYTE: Final = 4
"""Ports below 1024 are DNS and its like."""


@dataclass(slots=True, kw_only=True)
class Rtp:
    """Packets that look like RTP, in arrival order; all columns of one length."""

    data: Bytes
    row: Ints
    time_ns: Ints
    hosts: npt.NDArray[np.uint64]
    rest: npt.NDArray[np.uint64]
    """Ports in the lower half (as Datagrams.ports), SSRC in the upper (as loaded)."""
    sequence: npt.NDArray[np.uint16]
    timestamp: npt.NDArray[np.uint32]
    payload_type: npt.NDArray[np.uint8]
    offset: Ints
    """Of the payload, behind CSRCs and extension."""
    captured: Ints
    """Bytes of the payload in `data`, padding not counted where it is known; 0 where the cut is before it."""
    wire: Ints
    """Bytes the payload had."""

    def __len__(self) -> int:
        return len(self.row)


def rtp(found: Datagrams) -> Rtp:
    """Those of the datagrams that have an RTP header and are not known to be something else."""
    first = found.head[:, 0].byteswap()
    payload_type = (first >> np.uint32(16)).astype(np.uint8) & np.uint8(0x7F)
    good = (first >> np.uint32(30) == 2) & (found.captured >= RTP_HEADER)
    good &= (payload_type < _RTCP[0]) | (payload_type >= _RTCP[1])
    low = np.uint32(0xFF)
    good &= found.ports & low >= _LOWEST_PORT_HIGH_BYTE
    good &= found.ports >> np.uint32(16) & low >= _LOWEST_PORT_HIGH_BYTE
    if not good.all():
        found, first, payload_type = chosen(found, good), first[good], payload_type[good]
    headers = Rtp(
        data=found.data,
        row=found.row,
        time_ns=found.time_ns,
        hosts=found.hosts,
        rest=found.ports.astype(np.uint64) | found.head[:, 2].astype(np.uint64) << np.uint64(32),
        sequence=first.astype(np.uint16),
        timestamp=found.head[:, 1].byteswap(),
        payload_type=payload_type,
        offset=found.offset + RTP_HEADER,
        captured=found.captured - RTP_HEADER,
        wire=found.wire - RTP_HEADER,
    )
    odd = np.flatnonzero(first & np.uint32(0x3F000000))
    return _longer(headers, first, odd) if len(odd) else headers


def _longer(headers: Rtp, first: npt.NDArray[np.uint32], odd: Ints) -> Rtp:
    """Takes CSRCs, extension and padding from the payloads of the rows `odd`. Rows too short for them are no RTP."""
    flags = (first[odd] >> np.uint32(24)).astype(np.int64)
    end = headers.offset[odd] + headers.captured[odd]
    more = 4 * (flags & 15)
    extended = (flags & 0x10) > 0
    # A cut before the extension's length leaves the payload unknown, and there is none to read then.
    at = np.minimum(headers.offset[odd] + more, len(headers.data) - 4)
    there = extended & (at + 4 <= end)
    more += np.where(there, 4 + 4 * load_u16(headers.data, np.where(there, at + 2, 0)), np.where(extended, 4, 0))
    whole = headers.captured[odd] == headers.wire[odd]
    last = headers.data[np.maximum(end - 1, 0)].astype(np.int64)
    padding = np.where((flags & 0x20 > 0) & whole & (headers.captured[odd] > 0), last, 0)
    headers.offset[odd] += np.minimum(more, headers.captured[odd])
    headers.wire[odd] -= more + padding
    headers.captured[odd] = np.clip(headers.captured[odd] - more - padding, 0, None)
    good = headers.wire >= 0
    return headers if good.all() else pick(headers, good)


def pick(headers: Rtp, which: Ints | npt.NDArray[np.bool_]) -> Rtp:
    """Some of the rows, or all in another order."""
    return Rtp(
        data=headers.data,
        row=headers.row[which],
        time_ns=headers.time_ns[which],
        hosts=headers.hosts[which],
        rest=headers.rest[which],
        sequence=headers.sequence[which],
        timestamp=headers.timestamp[which],
        payload_type=headers.payload_type[which],
        offset=headers.offset[which],
        captured=headers.captured[which],
        wire=headers.wire[which],
    )
