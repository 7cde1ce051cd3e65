"""Bytes of a capture, some MB at once, in one buffer that is used again: plain, gzip, zstd, standard input."""

import io
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from agent.trace.model import UnusableCaptureError

SPARE: Final = 128
"""Bytes behind the data that may be read (they hold nothing): fixed headers are loaded in one piece, cut or not."""
MAX_RECORD: Final = 1 << 20
"""Bytes of one record. Longer is damage (Wireshark draws this line at 256 KiB for packets)."""
_GZIP_INPUT: Final = 16_384
"""Bytes decompressed at once: gzip may make a thousand of each."""
_ZSTD_INPUT: Final = 512
"""zstd may make 32,768 of each."""
MAX_GROWTH: Final = 100
"""Bytes of a capture from each compressed one: RTP of the most even sort gives 40. What grows more is no capture."""
FREE_BYTES: Final = 1 << 26
"""Of a capture, however they were compressed."""
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
COMPRESSIONS: Final = {_GZIP: "gzip", _ZSTD: "zstd", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x04\x22\x4d\x18": "lz4"}
"""What compressed files begin with; the first two are read here."""

Bytes = npt.NDArray[np.uint8]


class _Decompressor(Protocol):
    """zlib's and zstandard's, for one member or frame."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class _Decompressed(io.RawIOBase):
    """Members or frames, one after the other; EOFError where the last one is cut.

    Not gzip.GzipFile: that loses what it has read ahead when it meets damage.
    """

    def __init__(self, file: io.BufferedIOBase, make: Callable[[], _Decompressor], step: int) -> None:
        self._file, self._make, self._step = file, make, step
        self._ready, self._rest = memoryview(b""), b""
        self._part: _Decompressor | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        while not self._ready:
            compressed = self._rest or self._file.read(self._step)
            self._rest = b""
            if self._part is None:
                compressed = compressed.lstrip(b"\0")  # padding, as tapes and some tools leave it
                self._part = self._make() if compressed else None
            if not compressed and self._part is None:
                return 0
            if not compressed:
                raise EOFError
            assert self._part is not None
            self._ready = memoryview(self._part.decompress(compressed))
            if self._part.eof:
                self._rest, self._part = self._part.unused_data, None
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size


class _Counted(io.RawIOBase):
    """The file as it lies on disk, and how much of it was read."""

    def __init__(self, file: io.RawIOBase) -> None:
        self._file, self.count = file, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        size = self._file.readinto(buffer) or 0
        self.count += size
        return size


class Source:
    """A window on the bytes: `data` is what is there now, `advance` moves on."""

    def __init__(self, file: io.RawIOBase, chunk_bytes: int) -> None:
        self._disk = _Counted(file)
        buffered = io.BufferedReader(self._disk, 1 << 16)
        magic = buffered.peek(4)[:4]
        self.compression = ""
        self._file: io.RawIOBase | io.BufferedIOBase = buffered
        self._faults: tuple[type[Exception], ...] = (EOFError, zlib.error)
        if magic[:2] == _GZIP:
            self.compression = "+gzip"
            self._file = _Decompressed(buffered, lambda: zlib.decompressobj(31), _GZIP_INPUT)
        elif magic == _ZSTD:
            import zstandard  # noqa: PLC0415 - few captures need it

            self._faults = (EOFError, zstandard.ZstdError)
            self.compression = "+zstd"
            self._file = _Decompressed(buffered, lambda: zstandard.ZstdDecompressor().decompressobj(), _ZSTD_INPUT)
        self._buffer = np.zeros(chunk_bytes + SPARE, np.uint8)
        self._chunk, self._length, self._drop = chunk_bytes, 0, 0
        self._start = 0
        self.ended = False
        self.bytes = 0
        """Of the capture, decompressed, that came into the window."""
        self.fault: str | None = None
        """Why the compressed file was read no further."""

    @property
    def disk_bytes(self) -> int:
        """Read of the file as it lies on disk."""
        return self._disk.count

    @property
    def data(self) -> Bytes:
        """The window; SPARE more bytes behind it are readable. Valid until the next advance."""
        return self._buffer[self._start : self._length]

    @property
    def readable(self) -> Bytes:
        """The window and the spare bytes behind it."""
        return self._buffer[self._start : self._length + SPARE]

    def advance(self, used: int) -> bool:
        """Drops the first `used` bytes, and fills the window where it is half empty. False: the rest is all there is.

        A window that is full and wholly unused grows, up to a record's largest size; `used` may lie beyond the window.
        """
        used += self._start
        if self._start < used < self._length - self._chunk // 2:
            # Enough is left: to move it for every damaged record would cost more than to read it.
            self._start = used
            return True
        self._start = 0
        rest = max(0, self._length - used)
        self._drop += max(0, used - self._length)
        if rest:
            self._buffer[:rest] = self._buffer[used : self._length].copy()
        if rest >= self._chunk and self._chunk < 2 * MAX_RECORD:
            self._chunk = min(2 * self._chunk + SPARE, 2 * MAX_RECORD)
            self._buffer = np.concatenate([self._buffer, np.zeros(self._chunk + SPARE - len(self._buffer), np.uint8)])
        self._length = rest
        while self._length < self._chunk and not self.ended:
            self._read_some()
        return self._length > rest

    def _told(self, error: Exception) -> str:
        if "memory" in str(error):  # zstd --long=31
            return "zstd data with a window above 128 MB: unpack it first (zstd -d --long=31)"
        return f"damaged {self.compression[1:]} data"

    def _read_some(self) -> None:
        window = memoryview(self._buffer)[self._length : self._chunk]  # type: ignore[arg-type]
        try:
            size = self._file.readinto(window) or 0
        except self._faults as error:
            size, self.fault = 0, self._told(error)
        self.ended = size == 0
        self.bytes += size
        if self.compression and self.bytes > FREE_BYTES + MAX_GROWTH * self.disk_bytes:
            self.ended, self.fault = True, f"compressed data that grows more than {MAX_GROWTH} times: not read on"
        if self._drop:
            dropped = min(self._drop, size)
            self._buffer[self._length : self._length + size - dropped] = self._buffer[
                self._length + dropped : self._length + size
            ].copy()
            self._drop -= dropped
            size -= dropped
        self._length += size


@contextmanager
def opened(path: Path | str, chunk_bytes: int) -> Iterator[Source]:
    """The source of a file, `-` standard input. Raises UnusableCaptureError when it cannot be opened or read."""
    try:
        if str(path) == "-":
            yield Source(io.FileIO(sys.stdin.fileno(), closefd=False), chunk_bytes)
        else:
            with Path(path).open("rb", buffering=0) as file:
                yield Source(file, chunk_bytes)
    except OSError as fault:
        raise UnusableCaptureError(f"{path}: cannot be read: {fault.strerror or fault}") from fault
