"""Which legs and registrations something is kept of, and the keeping.

What an agent itself finds broken is kept at once. Of a leg that it finds nothing wrong with, all is held until the
controller, which knows both ends, says whether it is to be kept.

Where it goes may be slow, full or gone. So a thread of its own writes there, and whatever fails ends no call and
changes no verdict: the line of it says that nothing was kept, and why.
"""

import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Final, TypeVar

import msgspec

from agent.clock import Clock
from agent.contract.kept import Span
from agent.contract.observation import LegObservation
from agent.contract.plan import Keep, Plan
from agent.contract.registration import RegistrationObservation
from agent.contract.result import KeptLine
from agent.report.evidence_files import CAPTURE, EvidenceFiles, folder_of
from agent.report.evidence_held import Held, HeldLeg
from agent.report.evidence_sound import sound_of
from agent.sip.text import printable
from agent.tap import MAX_CAPTURE_BYTES

MAX_BYTES: Final = 1024 * 1024 * 1024
"""Of one agent, so that no run fills a volume."""
WRITE_S: Final = 5.0
"""Where no leg's files come to their end for so long they are given up, and all that would follow."""
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


Done = Callable[[str | None, str | None], None]
"""Takes the folder that there is now, or why there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pending:
    """Something whose files are being written."""

    capture: Path | None
    local_rtp: str | None
    written: Future[PurePosixPath]
    done: Done


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
        self._held = Held()
        self._captured: list[_Captured] = []
        self._moved_s = 0.0
        """When files last came to their end, or were begun with none before them."""
        self._given_up: str | None = None

    @property
    def pending(self) -> bool:
        """Something is not passed on yet, as its files are being written."""
        return bool(self._pending)

    @property
    def holding(self) -> bool:
        """There are legs of which the controller has to say whether they are to be kept."""
        return bool(self._held)

    def take(self, seen: Seen, capture: Path | None, tell: Callable[[Seen], None], *, broken: bool) -> None:
        """Passes it on to `tell`: at once where nothing of it is kept, else when its files are there (`poll`).

        `broken`: the agent itself found something wrong with it. Else it is told without its messages.
        """
        has_files = self._keep is Keep.ALWAYS or (self._keep is Keep.ON_FAILURE and broken)
        waits = self._keep is Keep.ON_FAILURE and not broken
        told = seen if broken else msgspec.structs.replace(seen, messages=())
        if isinstance(seen, LegObservation) and seen.messages and not broken and self._plan.callee_declared:
            self._held.add(seen, capture if waits else None, with_files=waits)
            capture = None if waits else capture
        if has_files and (capture is not None or seen.messages):
            self._write(
                seen,
                capture,
                lambda folder, fault: tell(msgspec.structs.replace(told, evidence=folder, evidence_fault=fault)),
            )
            return
        _delete(capture)
        tell(told)

    def keep(self, kept: Sequence[Span], tell: Callable[[KeptLine], None]) -> None:
        """Keeps these of the legs that are held, and passes on what there is of each now (`poll`); drops the others."""
        for held in self._held.let_go(kept):
            if held.leg is None or not held.with_files:
                _delete(held.capture)
                tell(self._kept(held, None, None))
            else:
                self._write(
                    held.leg,
                    held.capture,
                    lambda folder, fault, held=held: tell(self._kept(held, folder, fault)),  # type: ignore[misc]
                )

    def _kept(self, held: HeldLeg, folder: str | None, fault: str | None) -> KeptLine:
        return KeptLine(
            role=self._plan.role,
            endpoint=held.endpoint,
            index=held.index,
            messages=held.leg.messages if held.leg is not None else (),
            evidence=folder,
            evidence_fault=fault or held.fault,
        )

    def poll(self) -> None:
        """Passes on that whose files are there, or will not be."""
        while self._pending and (
            self._pending[0].written.done() or self._clock.monotonic_s() >= self._moved_s + WRITE_S
        ):
            self._settle(self._pending.popleft())

    def settle(self, stop_asked: Callable[[], bool] = lambda: False) -> None:
        """Passes on all that is left, and waits for its files as long as is allowed."""
        files, waited_s, stopped_s = {pending.written for pending in self._pending}, 0.0, 0.0
        while left := wait(files, SETTLE_POLL_S).not_done:
            waited_s = waited_s + SETTLE_POLL_S if len(left) == len(files) else 0.0
            stopped_s += SETTLE_POLL_S if stop_asked() else 0.0
            files = left
            if waited_s >= WRITE_S or stopped_s >= STOPPED_WRITE_S:
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

    def _write(self, seen: LegObservation | RegistrationObservation, capture: Path | None, done: Done) -> None:
        """Behind all that is being written."""
        if self._given_up is not None:
            _delete(capture)
            done(None, _said(self._given_up))
            return
        try:
            written = self._writer.submit(self._files.write, folder_of(self._plan.run, seen), seen, capture)
        except RuntimeError as error:  # no room for one more thread
            _delete(capture)
            done(None, _said(str(error)))
            return
        if not self._pending:
            self._moved_s = self._clock.monotonic_s()
        local_rtp = seen.local_rtp if isinstance(seen, LegObservation) else None
        self._pending.append(_Pending(capture=capture, local_rtp=local_rtp, written=written, done=done))

    def _settle(self, pending: _Pending) -> None:
        """Once some files were not there in time, nothing else waits for any."""
        if not pending.written.done():
            self._given_up = f"not written within {WRITE_S:g} s; nothing more is"
            if pending.written.cancel():
                _delete(pending.capture)
            pending.done(None, _said(self._given_up))
            return
        self._moved_s = self._clock.monotonic_s()
        error = pending.written.exception()
        if error is not None:
            _delete(pending.capture)
            pending.done(None, _said(getattr(error, "strerror", None) or str(error)))
            return
        folder = pending.written.result()
        if pending.capture is not None and pending.local_rtp is not None:
            self._captured.append(_Captured(folder=folder, local_rtp=pending.local_rtp))
        pending.done(str(folder), None)

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


def _said(fault: str) -> str:
    said = printable(" ".join(fault.split()))[:MAX_FAULT]
    LOG.warning("no evidence: %s", said)
    return said


def _delete(capture: Path | None) -> None:
    if capture is not None:
        capture.unlink(missing_ok=True)
