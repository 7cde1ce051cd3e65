"""What is known of a capture. `Trace` is the document of `calltest trace --json` (calltest.dev/trace/v1).

Definitions are RFC 3550's where it has one; where tools differ, the field says which one is meant.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from agent.contract.expect import DtmfMethod

SCHEMA: Final = "calltest.dev/trace/v1"

Progress = Callable[[int, int | None], None]
"""Called now and then with the bytes read and the bytes in all (of the files as they lie on disk, compressed or not);
None where nobody knows, as for standard input."""


class Side(StrEnum):
    """Whose: A's, who began what was captured of a call, or B's, of whoever else takes part."""

    A = "A"
    B = "B"


class CallSide(Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """Who sent a stream, as far as SIP tells."""

    call_id: str
    leg: int
    """1, 2, …: of a Call-ID whose hops have media of their own (a relay between them, that is no B2BUA)."""
    side: Side
    medium: int
    """For which m= line, from 1."""


class Digit(Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """One digit, or another named event (RFC 4733 §3), once, however many packets carried it."""

    digit: str
    """0-9 * # A-D, "flash" (event 16); any other event by its number: "event 66"."""
    method: DtmfMethod
    start: float
    """Seconds since 1970 at which its first packet arrived."""
    duration_ms: float | None
    """By its end packet, else its last, over all segments of a long event. None: not said (an INFO without one), or the
    clock is not known: no SDP told it, and the stream's pace does not either."""
    volume_dbm0: int | None
    """As in the event's packets: 0 is loudest, -63 the least. None: the method has none."""
    packets: int
    """Copies included. An INFO counts 1."""
    end_packets: int
    """Those of them with the E bit."""
    complete: bool
    """Its end was seen. False: the duration is the last that was heard of, the digit may have been longer."""
    call_id: str | None = None
    """Of an INFO; the other methods' is the stream's."""


class Stream(Struct, frozen=True, kw_only=True, rename="camel"):
    """One RTP stream: one SSRC from one address and port to another, in one call.

    What plays the same again in the next call, or after a silence, is another.
    """

    src: str
    """`10.0.0.1:4000`, `[2001:db8::1]:4002`."""
    dst: str
    ssrc: str
    """`0x1234abcd`."""
    codec: str | None
    """Encoding name as in SDP, of the audio payload type with the most packets. None: dynamic, never declared."""
    payload_types: list[int]
    """All that were seen, ascending."""
    clock_rate_hz: int | None
    """Of `codec`; of the events where there is no audio. None: not known, and then the jitter is not either."""
    call_id: str | None
    """The first of `calls`."""
    calls: list[CallSide] = []
    """By the SDP that declared the address the stream goes to, else the one it comes from. Several where calls were
    joined: a B2BUA that tells phones to send to each other. Empty: no SDP named them."""
    start: float
    """Seconds since 1970, arrival of the first packet."""
    end: float
    packets: int
    """That arrived, copies included."""
    expected: int
    """Highest minus lowest extended sequence number, plus 1; the sum over the lives of the source (`restarts`)."""
    lost: int
    """expected minus distinct sequence numbers; never negative."""
    duplicates: int
    """Packets with a sequence number that had been seen before."""
    reordered: int
    """Packets that came first with a lower sequence number than one already seen (RFC 4737): a copy is none of them."""
    restarts: int = 0
    """How often the source began its sequence numbers or timestamps anew (RFC 3550 A.1); nothing is lost by that."""
    jitter_ms: float | None
    """RFC 3550 A.8 after the last audio packet: all audio packets in arrival order, late ones and copies included,
    events and types of unknown clock left out, arrival times not rounded to ticks."""
    max_jitter_ms: float | None
    """The largest value it ever had."""
    max_delta_ms: float | None
    """The longest time between two consecutive arrivals. None: one packet."""
    encrypted: bool | None
    """SRTP: by offer and answer (RTP/SAVP, or keys that both sides named), because DTLS ran between the two addresses,
    or by the looks of its events. Its digits cannot be read. None: the SDP that was captured leaves it open, and so do
    the packets."""
    wav: str | None = None
    """Where its audio was written."""
    digits: list[Digit]


class Warning(Struct, frozen=True, kw_only=True, rename="camel"):  # noqa: A001  # the document's word
    """Something that makes the answer less than complete, or that the reader of a capture must know."""

    code: str
    """CamelCase, stable: a program may depend on it."""
    message: str


class File(Struct, frozen=True, kw_only=True, rename="camel"):
    """What was read of one file."""

    path: str
    """As given; `-` is standard input."""
    format: str
    """`pcap`, `pcapng`, with `+gzip` or `+zstd`."""
    packets: int
    """Records read, of any kind."""
    bytes: int
    """Of the capture, after decompression."""
    skipped: dict[str, int]
    """Records, or parts of the file, that could not be used, by reason: a count each."""


class Trace(Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer."""

    schema: Literal["calltest.dev/trace/v1"] = SCHEMA
    files: list[File]
    streams: list[Stream]
    """In the order of their first packets."""
    digits: list[Digit]
    """Those that belong to no stream: SIP INFO of calls whose media was not captured."""
    warnings: list[Warning]


class UnusableCaptureError(Exception):
    """A file cannot be opened, or is no capture: the message says which, why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One payload type's meaning: of SDP (RFC 8866 §6.6), or of the static table (RFC 3551 §6)."""

    name: str
    """`PCMU`, `telephone-event`: as registered, whatever case the SDP used."""
    clock_rate_hz: int
    channels: int = 1
    fmtp: str = ""
    """The SDP's format parameters, as written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturedMessage:
    """One SIP message as it was captured. Everything in it is the network's word: escape it where it is shown."""

    time_ns: int
    """Nanoseconds since 1970; over TCP, of the segment that completed it."""
    src: str
    """As `Stream.src`."""
    dst: str
    transport: Literal["UDP", "TCP"]
    call_id: str | None
    """None: it has none, or no CSeq, and could not be read as SIP."""
    start_line: str
    text: str
    """All of it, as far as it was captured; digests, from which passwords could be guessed, have x in their place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpPackets:
    """Consecutive arrivals of one stream (all arrays of one length n ≥ 1), for decoders.

    The arrays belong to the receiver: nothing writes to them later.
    """

    stream: int
    """Index in `Trace.streams`."""
    sequence: npt.NDArray[np.int64]
    """Extended: counts on over wraps; may start anywhere, also below zero. Late packets and copies stay where they
    arrived."""
    timestamp: npt.NDArray[np.int64]
    """Extended RTP timestamp, in ticks of the stream's clock; counts on over wraps."""
    arrival_ns: npt.NDArray[np.int64]
    """Nanoseconds since 1970."""
    payload_type: npt.NDArray[np.uint8]
    is_event: npt.NDArray[np.bool_]
    """RFC 4733: no audio; its time on the line is silence."""
    payloads: list[bytes]
    """RTP payloads without header, extension and padding; cut short where the capture was."""
    formats: Mapping[int, Format]
    """The payload types known where these packets went, at their time."""
