"""RTP packets of one stream as a capture's second pass yields them."""

from dataclasses import replace

import numpy as np

from agent.trace.model import CallSide, Format, RtpPackets, Side, Stream, Trace

PCMU = Format(name="PCMU", clock_rate_hz=8000)
PCMA = Format(name="PCMA", clock_rate_hz=8000)
EVENTS = Format(name="telephone-event", clock_rate_hz=8000)
FORMATS = {0: PCMU, 8: PCMA, 101: EVENTS}
START_NS = 1_700_000_000 * 10**9


def arrivals(payloads, *, stream=0, first=1000, timestamp=5000, step=160, start_ns=START_NS, every_ns=20_000_000,
             payload_type=0, formats=None, event=False):  # fmt: skip
    """Payloads that follow each other in time and number."""
    count = len(payloads)
    rows = np.arange(count)
    return RtpPackets(
        stream=stream,
        sequence=first + rows,
        timestamp=timestamp + step * rows,
        arrival_ns=start_ns + every_ns * rows,
        payload_type=np.full(count, payload_type, np.uint8),
        is_event=np.full(count, event),
        payloads=list(payloads),
        formats=FORMATS if formats is None else formats,
    )


def rows(packets, order):
    """The same arrivals' packets in another order, some never, some twice; they arrive when those of this order did."""
    order = list(order)
    return replace(
        packets,
        sequence=packets.sequence[order],
        timestamp=packets.timestamp[order],
        arrival_ns=packets.arrival_ns[order],
        payload_type=packets.payload_type[order],
        is_event=packets.is_event[order],
        payloads=[packets.payloads[row] for row in order],
    )


def side(call_id, whose="A", *, leg=1, medium=1):
    return CallSide(call_id=call_id, leg=leg, side=Side(whose), medium=medium)


def stream(**changes):
    """`call_id` alone: sent by side A, by B where it comes from the higher address."""
    known = {
        "src": "10.0.0.1:4000", "dst": "10.0.0.2:5000", "ssrc": "0x00000001", "codec": "PCMU", "payload_types": [0],
        "clock_rate_hz": 8000, "call_id": None, "start": START_NS / 1e9, "end": START_NS / 1e9 + 60, "packets": 200,
        "expected": 200, "lost": 0, "duplicates": 0, "reordered": 0, "jitter_ms": 0.0, "max_jitter_ms": 0.0,
        "max_delta_ms": None, "encrypted": False, "digits": [],
    }  # fmt: skip
    known.update(changes)
    if known["call_id"] is not None and "calls" not in known:
        known["calls"] = [side(known["call_id"], "A" if known["src"] < known["dst"] else "B")]
    return Stream(**known)


def trace(*streams):
    return Trace(files=[], streams=list(streams), digits=[], warnings=[])
