"""The way in: captures to a `Trace`, and, in a second pass, the packets of its streams."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from agent.trace.audio.payloads import Payloads
from agent.trace.file.capture import CHUNK_BYTES, batches
from agent.trace.file.records import Records
from agent.trace.model import (
    CapturedMessage,
    File,
    Progress,
    RtpPackets,
    Trace,
    Warning,  # noqa: A004  # the document's word
)
from agent.trace.results import results
from agent.trace.streams.analysis import Analysis
from agent.trace.streams.signalling import Wire, captured_messages


def trace(
    paths: Sequence[Path | str],
    *,
    decrypted: bool = False,
    progress: Progress | None = None,
    chunk_bytes: int = CHUNK_BYTES,
) -> Trace:
    """Reads captures, one after the other as if they were one (`tcpdump -C` cuts them so); `-` is standard input.

    `decrypted`: media is in plain though an SDP says SRTP.
    Memory does not grow with the files. Raises UnusableCaptureError where a file cannot be opened or is no capture;
    damage inside one is survived and counted in `File.skipped`.
    """
    analysis, files, begun = Analysis(decrypted=decrypted), list[File](), dict[str, int]()
    for records in _records(paths, analysis.wire, files, progress, chunk_bytes):
        begun.setdefault(str(paths[len(files)]), int(records.table["time_ns"][0]))
        analysis.add(records)
    streams, digits, warnings = results(analysis)
    return Trace(files=files, streams=streams, digits=digits, warnings=[*_order(begun), *warnings])


def _order(begun: dict[str, int]) -> Iterator[Warning]:
    """Files that were not given in the order of their captures."""
    for (earlier, first_ns), (later, second_ns) in pairwise(begun.items()):
        if second_ns < first_ns:
            message = f"{later} was captured before {earlier}: give files in the order of their capture"
            yield Warning(code="FilesOutOfOrder", message=message)


def _records(
    paths: Sequence[Path | str],
    wire: Wire,
    files: list[File],
    progress: Progress | None,
    chunk_bytes: int,
) -> Iterator[Records]:
    sizes = [Path(path).stat().st_size if str(path) != "-" and Path(path).is_file() else None for path in paths]
    known = [size for size in sizes if size is not None]
    total = sum(known) if len(known) == len(sizes) else None
    before = 0
    for path, size in zip(paths, sizes, strict=True):
        wire.skipped.clear()
        for records, read in batches(path, files.append, skipped=wire.skipped, chunk_bytes=chunk_bytes):
            yield records
            if progress:
                progress(before + read, total)
        before += size or 0


def rtp_packets(
    paths: Sequence[Path | str], found: Trace, *, progress: Progress | None = None, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[RtpPackets]:
    """The packets of all streams of `found` (from `trace` of the same paths), in arrival order per stream.

    Reads the files a second time, some MB at once: chunks of different streams come mixed, those of one stream in
    order, and a chunk has one meaning of its payload types (a re-INVITE begins a new one). Payloads of encrypted
    streams are yielded too: look at `found.streams[packets.stream].encrypted`. Standard input cannot be read twice:
    write it to a file first. Raises UnusableCaptureError.
    """
    numbers = {
        (stream.src, stream.dst, stream.ssrc, stream.start): number for number, stream in enumerate(found.streams)
    }
    analysis = Analysis()
    payloads = Payloads(analysis, numbers)
    for records in _records(paths, analysis.wire, [], progress, chunk_bytes):
        analysis.add(records, payloads.add)
        yield from payloads.taken()


def messages(paths: Sequence[Path | str], *, chunk_bytes: int = CHUNK_BYTES) -> Iterator[CapturedMessage]:
    """The SIP messages of captures, in arrival order, one by one: how many are kept is the caller's word.

    Each hop's and each repetition is one. Standard input cannot be read after `trace`. Raises UnusableCaptureError.
    """
    wire = Wire()
    return captured_messages(_records(paths, wire, [], None, chunk_bytes), wire)
