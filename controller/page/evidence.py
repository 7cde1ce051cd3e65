"""Folders of evidence, as agents write them (agent/report/evidence_files.py): which legs are in them. An edge."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from agent.contract.observation import LegObservation
from agent.contract.registration import RegistrationObservation
from agent.contract.result import KeptLine, ProgressLine, ResultError, TurnedAway, decode_line
from agent.contract.verdict import Role
from agent.report.evidence_files import CAPTURE, SIP
from agent.report.ladder import RULE
from agent.trace.model import Progress
from controller.page.calls import REGISTRATION, UNNAMED, CallKey, Kept
from controller.page.messages import Crossing
from controller.page.reading import Room, read

MAX_SIP_BYTES: Final = 1 << 20
_LEG: Final = re.compile(r"(Caller|Callee)(?:-\d+)?")
_CALL: Final = re.compile(r"(.+)-(\d+)")
_ENDPOINT: Final = re.compile(r"ep(\d+)")
_BEGUN: Final = re.compile(r"^begun (\S+ \S+);", re.MULTILINE)
_MESSAGE: Final = re.compile(
    rf"^{RULE}\n *(\d+\.\d+)  (sent to|received from) +(\S+)\n{RULE}\n(.*?)(?=\n\n{RULE}\n|\Z)",
    re.MULTILINE | re.DOTALL,
)


def folders(directory: Path) -> list[Path]:
    """The folders of legs and registrations in a directory, or it itself, in the order of their names."""
    absolute = directory.resolve()
    found = [absolute, *(path for path in absolute.rglob("*") if path.is_dir())]
    return sorted(path for path in found if key_of(path) is not None and _is_kept(path))


def _is_kept(folder: Path) -> bool:
    return (folder / CAPTURE).is_file() or (folder / SIP).is_file()


def key_of(folder: Path) -> tuple[CallKey, Role] | None:
    """Whose a folder is, by its path `…/ep<endpoint>/<call>-<number>/<role>`; None: no leg's."""
    if len(folder.parts) < 3:
        return None
    endpoint, call, role = folder.parts[-3:]
    at, which = _ENDPOINT.fullmatch(endpoint), _LEG.fullmatch(role)
    if at is None or which is None:
        return None
    numbered = _CALL.fullmatch(call)
    if call == REGISTRATION or numbered is None or UNNAMED.fullmatch(call):
        return CallKey(endpoint=int(at[1]), call=call, number=0), Role(which[1])
    return CallKey(endpoint=int(at[1]), call=numbered[1], number=int(numbered[2])), Role(which[1])


def runs_in(found: Sequence[Path]) -> list[str]:
    """The names of the runs whose legs these folders are."""
    return sorted({folder.parents[2].name for folder in found})


def read_folder(folder: Path, room: Room, *, listen: bool, progress: Callable[[str], Progress | None]) -> Kept:
    """One leg's or registration's. UnusableCaptureError, OSError."""
    known = key_of(folder)
    assert known is not None  # of `folders`
    key, role = known
    shown = "/".join(folder.parts[-4:])
    capture = folder / CAPTURE
    if capture.is_file():
        recording = read([capture], room, listen=listen, progress=progress)
        return Kept(key=key, role=role, folder=shown, recording=recording)
    text = (folder / SIP).read_bytes()[:MAX_SIP_BYTES].decode("utf-8", "replace")
    own = f"{role.lower()} agent"
    return Kept(key=key, role=role, folder=shown, recording=None, crossings=tuple(crossings_of(text, own)))


def crossings_of(text: str, own: str) -> Iterator[Crossing]:
    """The messages of a sip.txt (agent/report/ladder.py); `own` stands for the agent, whose address is not in it."""
    begun = _BEGUN.search(text)
    try:
        began_s = datetime.fromisoformat(begun[1]).timestamp() if begun else 0.0
    except ValueError:
        began_s = 0.0
    for at_s, way, peer, message in _MESSAGE.findall(text):
        ends = (own, peer) if way == "sent to" else (peer, own)
        body = message.replace("\n", "\r\n") + "\r\n"
        yield Crossing(at_s=began_s + float(at_s), source=ends[0], target=ends[1], text=body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """What agents told of legs and registrations."""

    seen: tuple[LegObservation | RegistrationObservation, ...]
    left_out: tuple[str, ...]
    """What of it could not be read."""


def read_legs(raw: bytes, where: str) -> Lines:
    """Lines as agents write them, each leg's with what was told of it later; `where` they stand."""
    found: list[LegObservation | RegistrationObservation] = []
    unread = 0
    later: dict[tuple[Role, int, int], KeptLine] = {}
    for line in raw.splitlines():
        try:
            decoded = decode_line(line)
        except ResultError:
            unread += 1
            continue
        if isinstance(decoded, KeptLine):
            later[decoded.role, decoded.endpoint, decoded.index] = decoded
        elif not isinstance(decoded, ProgressLine | TurnedAway):
            found.append(decoded)
    left_out = (f"{unread} lines of {where}: another version of calltest wrote them, or they are damaged",)
    return Lines(seen=tuple(_with(one, later) for one in found), left_out=left_out if unread else ())


def _with(
    seen: LegObservation | RegistrationObservation, later: Mapping[tuple[Role, int, int], KeptLine]
) -> LegObservation | RegistrationObservation:
    told = later.get((seen.role, seen.endpoint, seen.index)) if isinstance(seen, LegObservation) else None
    if told is None:
        return seen
    return msgspec.structs.replace(
        seen,
        messages=told.messages or seen.messages,
        evidence=seen.evidence or told.evidence,
        evidence_fault=seen.evidence_fault or told.evidence_fault,
    )


def read_run(path: Path) -> object:
    """The JSON of a file; ValueError, OSError."""
    try:
        return msgspec.json.decode(path.read_bytes())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"no JSON: {error}") from error
