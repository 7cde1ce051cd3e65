"""The script that people write: scapy dissects, a ctypes structure reads RTP, events are on 96 or 101.

usage: python usual_scapy.py FILE PACKETS   (needs scapy)
"""

import ctypes
import sys
from typing import ClassVar

from scapy.layers.inet import UDP
from scapy.layers.l2 import Ether
from scapy.utils import RawPcapReader


class Rtp(ctypes.BigEndianStructure):
    """RFC 3550 §5.1, and an event's payload behind it."""

    _pack_ = 1
    _fields_: ClassVar = [
        ("flags", ctypes.c_uint8),
        ("type", ctypes.c_uint8),
        ("sequence", ctypes.c_uint16),
        ("timestamp", ctypes.c_uint32),
        ("ssrc", ctypes.c_uint32),
        ("event", ctypes.c_uint8),
        ("volume", ctypes.c_uint8),
        ("duration", ctypes.c_uint16),
    ]


streams: dict[tuple[bytes, int], list[float]] = {}
digits = []
for number, (packet, meta) in enumerate(RawPcapReader(sys.argv[1])):
    if number >= int(sys.argv[2]):
        break
    frame = Ether(packet)
    if UDP not in frame:
        continue
    payload = bytes(frame[UDP].payload)
    if len(payload) < 16:
        continue
    rtp = Rtp.from_buffer_copy(payload)
    if rtp.flags >> 6 != 2:
        continue
    time = meta.sec + meta.usec / 1e6
    kind = rtp.type & 0x7F
    if kind in {96, 101}:
        if rtp.volume & 0x80:
            digits.append((time, rtp.event, rtp.duration))
        continue
    state = streams.setdefault((packet[26:38], rtp.ssrc), [0, rtp.sequence, time, rtp.timestamp, 0.0])
    difference = abs((time - state[2]) * 8000 - (rtp.timestamp - state[3]))
    state[4] += (difference - state[4]) / 16
    state[0], state[1], state[2], state[3] = state[0] + 1, rtp.sequence, time, rtp.timestamp
print(len(streams), len(digits))
