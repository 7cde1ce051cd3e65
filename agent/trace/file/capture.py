"""Captures of any format, as batches of records."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agent.trace.file.pcap import FILE_HEADER, MAGICS, Pcap
from agent.trace.file.records import Records, Skipped
from agent.trace.file.source import COMPRESSIONS, Source, opened
from agent.trace.model import File, UnusableCaptureError

if TYPE_CHECKING:
    from agent.trace.file.pcapng import Pcapng

CHUNK_BYTES: Final = 1 << 19
_PCAPNG: Final = b"\x0a\x0d\x0d\x0a"


def batches(
    path: Path | str, done: Callable[[File], None], *, skipped: Skipped, chunk_bytes: int
) -> Iterator[tuple[Records, int]]:
    """The records of one file, and the bytes of it (as it lies on disk) read so far.

    `done` is told what the file was, at its end. Raises UnusableCaptureError.
    """
    with opened(path, max(chunk_bytes, 64)) as source:
        capture = _format(path, source, skipped)
        packets = 0
        for batch in capture.batches():
            packets += len(batch)
            yield batch, source.disk_bytes
        if source.fault:
            skipped[source.fault] += 1
        done(
            File(
                path=str(path),
                format=capture.name + source.compression,
                packets=packets,
                bytes=source.bytes,
                skipped=dict(sorted(skipped.items())),
            )
        )


def _format(path: Path | str, source: Source, skipped: Skipped) -> "Pcap | Pcapng":
    source.advance(0)
    magic = source.data[:4].tobytes()
    if magic in MAGICS and len(source.data) >= FILE_HEADER:
        return Pcap(source, skipped)
    if magic == _PCAPNG:
        from agent.trace.file.pcapng import Pcapng  # noqa: PLC0415 - each format's reader for its files

        return Pcapng(source, skipped)
    if not magic:
        raise UnusableCaptureError(f"{path}: {source.fault or 'empty'}: no capture")
    for begin, name in COMPRESSIONS.items():
        if source.data[: len(begin)].tobytes() == begin:
            within = f" within {source.compression[1:]}" if source.compression else ""
            raise UnusableCaptureError(f"{path}: {name} data{within}: unpack it first, it is not read")
    raise UnusableCaptureError(
        f"{path}: neither pcap nor pcapng (begins with {magic.hex(' ')}): give a capture of tcpdump or Wireshark"
    )
