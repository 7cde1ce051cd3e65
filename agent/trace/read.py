"""The way in: captures to a `Trace`, and, in a second pass, the packets of its streams."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.trace.model import Progress, RtpPackets, Trace


def trace(paths: Sequence[Path | str], *, progress: Progress | None = None) -> Trace:
    """Reads captures, one after the other as if they were one (`tcpdump -C` cuts them so); `-` is standard input.

    Memory does not grow with the files. Raises UnusableCaptureError where a file cannot be opened or is no capture;
    damage inside one is survived and counted in `File.skipped`.
    """
    raise NotImplementedError


def rtp_packets(paths: Sequence[Path | str], found: Trace, *, progress: Progress | None = None) -> Iterator[RtpPackets]:
    """The packets of all streams of `found` (from `trace` of the same paths), in arrival order per stream.

    Reads the files a second time, some MB at once: chunks of different streams come mixed, those of one stream in
    order, and a chunk has one meaning of its payload types (a re-INVITE begins a new one). Payloads of encrypted
    streams are yielded too: look at `found.streams[packets.stream].encrypted`. Standard input cannot be read twice:
    write it to a file first. Raises UnusableCaptureError.
    """
    raise NotImplementedError
