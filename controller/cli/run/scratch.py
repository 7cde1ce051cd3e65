"""A directory for what a run needs, Secrets among it: it goes with us, also where we are killed."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

ORPHANS_S: Final = 15
"""By then agents whose run is gone have hung up and ended."""
_JANITOR: Final = f'read -r over && exit; rm -rf -- "$1"; sleep {ORPHANS_S}; rm -rf -- "$1"'
"""Waits for a word, or for the end of its input, which comes when we are gone: then the directory goes."""


@contextmanager
def scratch_directory() -> Iterator[Path]:
    """A directory of this process's own. OSError where none can be made."""
    with (
        TemporaryDirectory(prefix="calltest-", ignore_cleanup_errors=True) as directory,
        subprocess.Popen(  # noqa: S603
            # A session of its own: what is sent to our process group is not for it.
            ["/bin/sh", "-c", _JANITOR, "calltest-scratch", directory],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as janitor,
    ):
        try:
            yield Path(directory)
        finally:
            janitor.communicate(b"over\n")
