"""What a flow's row tells, in the document's words."""

import numpy as np

from agent.trace.model import Format
from agent.trace.streams.analysis import Analysis
from agent.trace.streams.formats import COMFORT_NOISE, EVENT, UNKNOWN
from agent.trace.streams.signalling import port


def start_s(row: np.void) -> float:
    """As `Stream.start`: it tells flows of the same addresses and SSRC apart."""
    return int(row["first_ns"]) / 1e9


def never(row: np.void) -> int:
    """A bit for each payload type that was not declared, and is too long for an event."""
    low, high = row["not_event"].tolist()
    return int(low | high << 64)


def endpoints(analysis: Analysis, hosts: int, rest: int) -> tuple[str, str]:
    """Source and destination of a flow with these keys."""
    addresses = analysis.wire.addresses
    return addresses.endpoint(hosts & 0xFFFFFFFF, port(rest)), addresses.endpoint(hosts >> 32, port(rest >> 16))


def ssrc(rest: int) -> str:
    """Of a flow with this key, as the document has it."""
    return f"0x{int.from_bytes((rest >> 32).to_bytes(4, 'little'), 'big'):08x}"


def is_event(analysis: Analysis, flow: int, payload_type: int) -> bool:
    """Whether the flow's packets of this type are RFC 4733 events, by SDP, else by their looks."""
    streams = analysis.streams
    row = streams.flows.rows[flow]
    kind = int(streams.meanings.kind[int(row["heard"]), payload_type])
    if kind != UNKNOWN:
        return kind == EVENT
    return payload_type >= 96 and not never(row) >> payload_type & 1


def audio_type(analysis: Analysis, flow: int) -> int | None:
    """The payload type of most of a flow's audio; comfort noise only where there is nothing else."""
    counts = analysis.streams.flows.by_type[flow]
    types = [one for one in np.flatnonzero(counts).tolist() if not is_event(analysis, flow, one)]
    return max(types, key=lambda one: (one != COMFORT_NOISE, int(counts[one]), -one), default=None)


def formats(analysis: Analysis, flow: int) -> list[Format]:
    """What the flow's payload types mean, as far as that is known."""
    known = analysis.streams.meanings.formats[int(analysis.streams.flows.rows["heard"][flow])]
    return [known[one] for one in np.flatnonzero(analysis.streams.flows.by_type[flow]).tolist() if one in known]
