"""What `calltest report` is given, as a page: evidence, a run, captures. An edge: it reads files and the cluster."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from agent.trace.kernel import KernelError
from agent.trace.model import Progress, UnusableCaptureError
from controller.faults import IncompleteInstallationError, UnusableInputError
from controller.page.calls import Kept, Known, run_page
from controller.page.capture import capture_page
from controller.page.evidence import folders, read_folder, read_legs, read_run, runs_in
from controller.page.files import LEGS, RUN
from controller.page.model import Page
from controller.page.reading import Room, read
from controller.page.run import NoRunError, RunFacts, runs_of

MAX_FOLDERS: Final = 200
"""Whose captures are read."""
Watch = Callable[[str], Progress | None]
"""Told what is read now; shows how far that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the user typed."""

    sources: tuple[Path, ...] = ()
    run: str | None = None
    """Of the cluster."""
    namespace: str = "default"
    sound: bool = True


def page_of(request: Request, watch: Watch) -> Page:
    """Reads it all; UnusableInputError where something is not what it should be. IncompleteInstallationError."""
    directories = [path for path in request.sources if path.is_dir()]
    files = [path for path in request.sources if not path.is_dir()]
    documents = [path for path in files if _is_json(path)]
    captures = [path for path in files if path not in documents]
    if captures and (directories or documents or request.run):
        raise UnusableInputError(f"{captures[0]}: give captures alone, or a run and its evidence")
    if len(documents) + (request.run is not None) > 1:
        raise UnusableInputError("several runs are given: a page shows one")
    room = Room()
    try:
        if captures:
            recording = read(captures, room, listen=request.sound, progress=watch)
            return capture_page(recording, [path.name for path in captures], _left_out(room))
        known = _known(request, documents)
        return _run_page(known, directories, room, watch, sound=request.sound)
    except UnusableCaptureError as error:
        raise UnusableInputError(str(error)) from error
    except KernelError as error:
        raise IncompleteInstallationError(str(error)) from error
    except OSError as error:
        raise UnusableInputError(f"{error.filename}: {error.strerror}") from error


def _run_page(known: Known, directories: Sequence[Path], room: Room, watch: Watch, *, sound: bool) -> Page:
    found = [folder for directory in directories for folder in folders(directory)]
    names = runs_in(found)
    roots = _roots(directories, found)
    beside = [root for root in roots if (root / RUN).is_file()]
    if known.facts is not None:
        found = _of_run(found, known.facts.name, directories)
    elif len(set(names) | {root.name for root in beside}) > 1:
        raise UnusableInputError(f"{directories[0]}: holds several runs: name the folder of one: {', '.join(names)}")
    if known.facts is None and beside:
        known = _beside(beside[0])
    elif known.facts is None and not found:
        raise UnusableInputError(
            f"{directories[0]}: no evidence is in it: give a folder that calltest run --evidence wrote, or a part of it"
        )
    elif not known.seen:
        known = _with_legs(known, roots)
    if len(found) > MAX_FOLDERS:
        room.left_out["folders of evidence that were not read"] = len(found) - MAX_FOLDERS
    kept: list[Kept] = [read_folder(folder, room, listen=sound, progress=watch) for folder in found[:MAX_FOLDERS]]
    made_of = (*known.made_of, *(str(path) for path in directories))
    known = replace(known, made_of=made_of, left_out=(*known.left_out, *_left_out(room)))
    return run_page(known, kept)


def _known(request: Request, documents: Sequence[Path]) -> Known:
    if request.run is not None:
        # The client of the cluster takes most of a second to load.
        from controller.page.clusters import from_cluster  # noqa: PLC0415

        return from_cluster(request.run, request.namespace)
    if not documents:
        return Known(facts=None, seen=(), made_of=())
    (path,) = documents
    return Known(facts=_facts(path), seen=(), made_of=(str(path),))


def _facts(path: Path) -> RunFacts:
    try:
        runs = runs_of(read_run(path))
    except (NoRunError, ValueError) as error:
        hint = "give what calltest run -o json or kubectl get calltestrun NAME -o json prints"
        raise UnusableInputError(f"{path}: {error}: {hint}") from error
    if len(runs) > 1:
        raise UnusableInputError(f"{path}: holds {len(runs)} runs ({', '.join(run.name for run in runs)}): give one")
    return runs[0]


def _roots(directories: Sequence[Path], found: Sequence[Path]) -> list[Path]:
    """The folders of runs: those above the legs', and what was named where it is one."""
    above = [folder.parents[2] for folder in found]
    inside = [path.parent for directory in directories for path in directory.resolve().glob(f"*/{RUN}")]
    return list(dict.fromkeys([*above, *inside, *(path.resolve() for path in directories)]))


def _of_run(found: Sequence[Path], name: str, directories: Sequence[Path]) -> list[Path]:
    """The legs of one run; UnusableInputError where there are others' only."""
    ours = [folder for folder in found if f"{folder.parents[2].name}-".startswith(f"{name}-")]
    if directories and found and not ours:
        others = ", ".join(runs_in(found))
        raise UnusableInputError(f"{directories[0]}: no evidence of run {name} is in it, but of: {others}")
    return ours


def _beside(root: Path) -> Known:
    """What `calltest run --evidence` wrote beside the legs."""
    return _with_legs(Known(facts=_facts(root / RUN), seen=(), made_of=()), [root])


def _with_legs(known: Known, roots: Sequence[Path]) -> Known:
    for root in roots:
        path = root / LEGS
        of_run = known.facts is None or f"{root.name}-".startswith(f"{known.facts.name}-")
        if of_run and path.is_file():
            lines = read_legs(path.read_bytes(), str(path))
            return replace(known, seen=lines.seen, left_out=(*known.left_out, *lines.left_out))
    return known


def _is_json(path: Path) -> bool:
    """Whether a file begins as an object does; UnusableInputError where there is none."""
    try:
        if not path.is_file():
            raise UnusableInputError(f"{path}: no such file or folder: name evidence, a run's JSON or a capture")
        with path.open("rb") as file:
            begin = file.read(64)
    except OSError as error:
        raise UnusableInputError(f"{path}: {error.strerror}") from error
    if not begin:
        raise UnusableInputError(f"{path}: empty: name evidence, a run's JSON or a capture")
    return begin.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"["))


def _left_out(room: Room) -> tuple[str, ...]:
    return tuple(f"{count} {what}" for what, count in room.left_out.items())
