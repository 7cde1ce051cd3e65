"""Bytes of captures to an answer."""

from pathlib import Path
from tempfile import TemporaryDirectory

from agent.trace.model import Trace
from agent.trace.read import trace


def read(*contents: bytes, chunk_bytes: int = 1 << 16) -> Trace:
    """The trace of files with these contents."""
    with TemporaryDirectory() as folder:
        paths = [Path(folder, f"{number}.pcap") for number in range(len(contents))]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        return trace(paths, chunk_bytes=chunk_bytes)
