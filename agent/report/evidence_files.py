"""Evidence as files, and the folder that a leg's gets: of nothing that a peer sent, but for a hash of a Call-ID."""

import hashlib
import os
import shutil
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from agent.contract.observation import LegObservation
from agent.contract.plan import RunRef
from agent.contract.registration import RegistrationObservation
from agent.report.ladder import ladder

CAPTURE: Final = "capture.pcap"
SIP: Final = "sip.txt"
MAX_FOLDERS: Final = 100
"""Of one name: a call that comes twice, or calls that nobody planned, get numbers."""


class EvidenceError(Exception):
    """Something was not kept; the text says why."""


def folder_of(run: RunRef, seen: LegObservation | RegistrationObservation) -> PurePosixPath:
    """`<run>-<uid>/ep<endpoint>/<call>-<number>/<role>`: a run's name may come again, with its uid it does not."""
    uid = run.uid[:8]
    name = run.name if uid in run.name else f"{run.name}-{uid}"
    return PurePosixPath(name) / f"ep{seen.endpoint}" / _what(seen) / seen.role.value


def _what(seen: LegObservation | RegistrationObservation) -> str:
    """No two are alike: a call's ends in its number, a leg that nothing names in what is known of it."""
    if isinstance(seen, RegistrationObservation):
        return "registration"
    if seen.call is not None:
        return f"{seen.call}-{seen.number}"
    return f"leg-{seen.index}-{hashlib.sha256((seen.sip_call_id or '').encode(errors='replace')).hexdigest()[:8]}"


class EvidenceFiles:
    """Writes into one directory, and no more than `max_bytes` in all. Used by one thread."""

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._bytes = 0

    def write(
        self, folder: PurePosixPath, seen: LegObservation | RegistrationObservation, capture: Path | None
    ) -> PurePosixPath:
        """Moves the capture and writes the SIP messages; the folder that they got, numbered where there is one.

        Raises OSError and EvidenceError; nothing is left of it then.
        """
        text = ladder(seen).encode(errors="replace")
        self._take(len(text) + (capture.stat().st_size if capture else 0))
        made = self._make(folder)
        try:
            with _new(self._directory / made / SIP) as file:
                file.write(text)
            if capture is not None:
                self._move(capture, made / CAPTURE)
        except OSError:
            shutil.rmtree(self._directory / made, ignore_errors=True)
            raise
        return made

    def add(self, file: Path, path: PurePosixPath) -> None:
        """Moves one more file into a folder. Raises OSError and EvidenceError."""
        self._take(file.stat().st_size)
        try:
            self._move(file, path)
        except OSError:
            self.path(path).unlink(missing_ok=True)
            raise

    def path(self, path: PurePosixPath) -> Path:
        """Where it is, for this process."""
        return self._directory / path

    def _move(self, file: Path, path: PurePosixPath) -> None:
        """Out of the agent's own directory, often to another file system."""
        with file.open("rb") as source, _new(self._directory / path) as target:
            shutil.copyfileobj(source, target)
        file.unlink()

    def _take(self, size: int) -> None:
        if self._bytes + size > self._max_bytes:
            raise EvidenceError(f"this agent has kept {self._bytes} bytes, and may keep {self._max_bytes}")
        self._bytes += size

    def _make(self, folder: PurePosixPath) -> PurePosixPath:
        """A new folder: what is there is another's, and stays."""
        (self._directory / folder.parent).mkdir(parents=True, exist_ok=True)
        for number in range(1, MAX_FOLDERS + 1):
            made = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
            try:
                (self._directory / made).mkdir()
            except FileExistsError:
                continue
            return made
        raise EvidenceError(f"{folder}: there are {MAX_FOLDERS} of this name")


def _new(path: Path) -> BinaryIO:
    """A new file, also for the group: that of a shared volume can read it."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640), "wb")
