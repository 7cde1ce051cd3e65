"""Which legs and registrations something is kept of, and the keeping.

Where it goes may be slow, full or gone. So a thread of its own writes there, and whatever fails ends no call and
changes no verdict: the line of it says that nothing was kept, and why.
"""

import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeVar

import msgspec

from agent.clock import Clock
from agent.contract.observation import LegObservation, RegistrationObservation, RegistrationOutcome
from agent.contract.plan import Keep, Plan
from agent.report.evidence_files import CAPTURE, EvidenceFiles, folder_of
from agent.report.evidence_sound import sound_of
from agent.sip.text import printable
from agent.tap import MAX_CAPTURE_BYTES

MAX_BYTES: Final = 1024 * 1024 * 1024
"""Of one agent, so that no run fills a volume."""
WRITE_S: Final = 5.0
"""A leg is told of this late at most, if its files take so long. They are given up then, and all that would follow."""
STOPPED_WRITE_S: Final = 2.0
"""At the end, an agent that is told to stop waits no longer than this."""
SETTLE_POLL_S: Final = 0.05
SCRATCH_BYTES: Final = 1024 * 1024 * 1024
"""For the captures of all calls that are up; a pod's scratch directory has twice that, for recordings too."""
SOUND_S: Final = 10.0
"""No leg's sound is begun later than this. All calls are over then, and the result is written: only the run's end
waits for it."""
MAX_FAULT: Final = 200

LOG = logging.getLogger(__name__)
Seen = TypeVar("Seen", bound=LegObservation | RegistrationObservation)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    """Something whose files are being written."""

    seen: LegObservation | RegistrationObservation
    capture: Path | None
    written: Future[PurePosixPath]
    until_s: float
    tell: Callable[[Any], None]
    """Takes what was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Captured:
    """A folder with a capture, whose sound can be made."""

    folder: PurePosixPath
    local_rtp: str


def capture_bytes(calls_at_once: int) -> int:
    """How much of each call may be captured, so that no flood of packets fills the scratch directory."""
    return min(MAX_CAPTURE_BYTES, SCRATCH_BYTES // calls_at_once)


class Evidence:
    """Takes every leg and registration that is over, keeps what is to be kept of it, and passes it on."""

    def __init__(self, plan: Plan, clock: Clock, max_bytes: int = MAX_BYTES) -> None:
        self._plan = plan
        self._clock = clock
        self._keep = plan.evidence.keep if plan.evidence else Keep.NEVER
        self._files = EvidenceFiles(Path(plan.evidence.directory if plan.evidence else os.devnull), max_bytes)
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="evidence")
        self._pending: deque[_Pending] = deque()
        self._captured: list[_Captured] = []
        self._given_up: str | None = None

    def take(self, seen: Seen, capture: Path | None, tell: Callable[[Seen], None]) -> None:
        """Passes it on to `tell`: at once where nothing of it is kept, else when its files are there (`poll`)."""
        if not self._wants(seen, capture):
            _delete(capture)
            tell(seen)
            return
        if self._given_up is not None:
            _delete(capture)
            tell(_without(seen, self._given_up))
            return
        try:
            written = self._writer.submit(self._files.write, folder_of(self._plan.run, seen), seen, capture)
        except RuntimeError as error:  # no room for one more thread
            _delete(capture)
            tell(_without(seen, str(error)))
            return
        until_s = self._clock.monotonic_s() + WRITE_S
        self._pending.append(_Pending(seen=seen, capture=capture, written=written, until_s=until_s, tell=tell))

    def poll(self) -> None:
        """Passes on that whose files are there, or will not be."""
        while self._pending and (
            self._pending[0].written.done() or self._clock.monotonic_s() >= self._pending[0].until_s
        ):
            self._settle(self._pending.popleft())

    def settle(self, stop_asked: Callable[[], bool] = lambda: False) -> None:
        """Passes on all that is left, and waits for its files as long as is allowed."""
        files, waited_s = [pending.written for pending in self._pending], 0.0
        while wait(files, SETTLE_POLL_S).not_done:
            waited_s += SETTLE_POLL_S
            if waited_s >= (STOPPED_WRITE_S if stop_asked() else WRITE_S):
                break
        while self._pending:
            self._settle(self._pending.popleft())

    def make_sound(self, scratch: Path, stop_asked: Callable[[], bool]) -> None:
        """WAV files beside the captures that were kept, as many as SOUND_S allows: when all calls are over."""
        if self._captured and self._given_up is None and not stop_asked():
            until_s = self._clock.monotonic_s() + SOUND_S
            made = self._writer.submit(
                self._make_sound, scratch, lambda: self._clock.monotonic_s() >= until_s or stop_asked()
            )
            if made not in wait([made], SOUND_S + WRITE_S).done:
                LOG.warning("sound: given up after %g s", SOUND_S + WRITE_S)

    def _wants(self, seen: LegObservation | RegistrationObservation, capture: Path | None) -> bool:
        is_kept = self._keep is Keep.ALWAYS or (self._keep is Keep.ON_FAILURE and _has_failed(seen))
        return is_kept and (capture is not None or bool(seen.messages))

    def _settle(self, pending: _Pending) -> None:
        """Once some files were not there in time, nothing else waits for any."""
        if not pending.written.done():
            self._given_up = f"not written within {WRITE_S:g} s; nothing more is"
            if pending.written.cancel():
                _delete(pending.capture)
            pending.tell(_without(pending.seen, self._given_up))
            return
        error = pending.written.exception()
        if error is not None:
            _delete(pending.capture)
            pending.tell(_without(pending.seen, getattr(error, "strerror", None) or str(error)))
            return
        folder = pending.written.result()
        local_rtp = pending.seen.local_rtp if isinstance(pending.seen, LegObservation) else None
        if pending.capture is not None and local_rtp is not None:
            self._captured.append(_Captured(folder=folder, local_rtp=local_rtp))
        pending.tell(msgspec.structs.replace(pending.seen, evidence=str(folder)))

    def _make_sound(self, scratch: Path, enough: Callable[[], bool]) -> None:
        """In the writer's thread, behind whatever else this machine does: other agents' calls may still be up."""
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)
        for number, captured in enumerate(self._captured):
            if enough():
                LOG.warning("no sound of the last %d calls: there was no time", len(self._captured) - number)
                return
            with TemporaryDirectory(dir=scratch, ignore_cleanup_errors=True) as directory:
                try:
                    self._sound(captured, Path(directory))
                except Exception as error:  # noqa: BLE001  whatever it is, the capture is there
                    LOG.warning("no sound of %s: %s", captured.folder, printable(str(error)))

    def _sound(self, captured: _Captured, directory: Path) -> None:
        """All directions or none: where one has no file, nothing was sent or received."""
        made = sound_of(self._files.path(captured.folder / CAPTURE), captured.local_rtp, directory)
        added: list[PurePosixPath] = []
        try:
            for name, file in made.items():
                self._files.add(file, captured.folder / name)
                added.append(captured.folder / name)
        except BaseException:
            for path in added:
                self._files.path(path).unlink(missing_ok=True)
            raise


def _has_failed(seen: LegObservation | RegistrationObservation) -> bool:
    if isinstance(seen, LegObservation):
        return bool(seen.findings)
    return seen.outcome is not RegistrationOutcome.REGISTERED


def _without(seen: Seen, fault: str) -> Seen:
    said = printable(" ".join(fault.split()))[:MAX_FAULT]
    LOG.warning("no evidence: %s", said)
    return msgspec.structs.replace(seen, evidence_fault=said)


def _delete(capture: Path | None) -> None:
    if capture is not None:
        capture.unlink(missing_ok=True)
