"""Which streams are SRTP: by what SDP said, by DTLS, and where that leaves it open, by the packets."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from agent.trace.flow_facts import audio_type
from agent.trace.streams.analysis import Analysis
from agent.trace.streams.calls import Leg
from agent.trace.streams.formats import EVENT

TICKS_PER_BYTE: Final = {"PCMU": 1, "PCMA": 1, "G722": 1, "G729": 8}
"""Of codecs whose packets are as long as their time."""
MAX_ADDED: Final = 32
"""Bytes that SRTP adds: a tag of 4, 10 or 16, and maybe an MKI (RFC 3711 §3.1)."""


def encryption(analysis: Analysis, numbers: Sequence[int]) -> dict[int, bool | None]:
    """By flow; None where neither SDP nor packets tell. What one direction of a leg shows, the other is too."""
    found = {flow: is_said(analysis, flow) or _shown(analysis, flow) for flow in numbers}
    shown: dict[Leg, bool] = {}
    for flow, sealed in found.items():
        for leg, _ in analysis.streams.senders(flow):
            if sealed is not None and _is_unsure(analysis, flow):
                shown[leg] = sealed or shown.get(leg, False)
    for flow in [flow for flow, sealed in found.items() if sealed is None]:
        found[flow] = next((shown[leg] for leg, _ in analysis.streams.senders(flow) if leg in shown), None)
    return found


def is_said(analysis: Analysis, flow: int) -> bool:
    """By SDP, or by DTLS between the same addresses and ports."""
    row = analysis.streams.flows.rows[flow]
    by_sdp = bool(analysis.streams.meanings.encrypted[int(row["heard"])])
    return by_sdp or (int(row["hosts"]), int(row["rest"]) & 0xFFFFFFFF) in analysis.dtls


def _is_unsure(analysis: Analysis, flow: int) -> bool:
    return analysis.streams.meanings.unsure[int(analysis.streams.flows.rows["heard"][flow])]


def _shown(analysis: Analysis, flow: int) -> bool | None:
    """By the packets: events that are too long, and audio that is, where SDP leaves it open."""
    row, streams = analysis.streams.flows.rows[flow], analysis.streams
    unsure = _is_unsure(analysis, flow)
    is_event = streams.meanings.kind[int(row["heard"])] == EVENT
    events, odd, wild = (
        int(streams.flows.by_type[flow][is_event].sum()),
        int(row["odd_events"]),
        int(row["wild_events"]),
    )
    if 2 * odd > events and (wild or unsure):
        return True
    if not unsure:
        return False
    return False if events else _shown_by_audio(analysis, flow, row)


def _shown_by_audio(analysis: Analysis, flow: int, row: np.void) -> bool | None:
    audio = audio_type(analysis, flow)
    known = analysis.streams.meanings.formats[int(row["heard"])]
    ticks_per_byte = TICKS_PER_BYTE.get(known[audio].name) if audio in known else None
    step = int(row["sequence"]["now"]["line"]["step"])
    if not step or ticks_per_byte is None:
        return None
    added = int(row["audio_bytes"]) - step // ticks_per_byte
    if added == 0:
        return False
    return True if 0 < added <= MAX_ADDED else None
