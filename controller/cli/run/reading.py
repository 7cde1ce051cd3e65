"""The bytes of the files that `calltest run` is given, also of pipes and devices: bounded in size and in time."""

import os
import re
import select
import stat
import time
from typing import Final

from controller.faults import UnusableInputError

MAX_FILE_BYTES: Final = 4 * 1024 * 1024
"""A Kubernetes object holds at most 1.5 MB; a file may hold a few of them."""
READ_LIMIT_S: Final = 60.0
"""For what writes into a pipe, such as `kubectl get`, to end; who types at a terminal has all the time."""
_CHUNK: Final = 256 * 1024
_STDIN: Final = 0
_TARGET: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}(:[0-9]+)?|[A-Za-z0-9.-]+:[0-9]+")
"""An address, or a host with its port, as nobody names a file."""


def read_file(path: str, *, limit_s: float = READ_LIMIT_S) -> tuple[str, bytes]:
    """One file's name for messages and its bytes, `-` for standard input; UnusableInputError says why it has none."""
    where = "standard input" if path == "-" else path
    try:
        # A pipe that nobody writes to would keep even its opening waiting.
        file = os.dup(_STDIN) if path == "-" else os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            return where, _read(where, file, limit_s)
        finally:
            os.close(file)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        advice = "a target is given with -t" if _TARGET.fullmatch(path) else "name a YAML file with a CallTest"
        raise UnusableInputError(f"{where}: {said}: {advice}") from error


def _read(where: str, file: int, limit_s: float) -> bytes:
    is_terminal = os.isatty(file)
    can_wait = not stat.S_ISREG(os.fstat(file).st_mode)
    until_s = time.monotonic() + limit_s
    parts: list[bytes] = []
    size = 0
    while True:
        if can_wait and not is_terminal:
            left_s = until_s - time.monotonic()
            if left_s <= 0 or not select.select([file], [], [], left_s)[0]:
                raise UnusableInputError(f"{where}: has not ended after {limit_s:.0f} s: what writes it must end")
        part = os.read(file, _CHUNK)
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
        if size > MAX_FILE_BYTES:
            raise UnusableInputError(f"{where}: larger than {MAX_FILE_BYTES} bytes: split the file")
