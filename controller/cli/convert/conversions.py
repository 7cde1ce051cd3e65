"""What `calltest convert pjsua` does: reads files, writes the CallTest, tells what became of each option."""

import os
import re
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from controller.api.test import MAX_NAME
from controller.cli.convert.conversion import Converted, convert
from controller.cli.convert.materials import MAX_SOUND_BYTES
from controller.cli.convert.table import Fate
from controller.cli.convert.words import MAX_BYTES
from controller.cli.saying import say, tell
from controller.faults import UnusableInputError

STDIN: Final = "-"
NAMELESS: Final = "pjsua"
_MODE: Final = 0o644
_SECRET_MODE: Final = 0o600
_NUMBERS: Final = re.compile(
    r"^(?:[-+]?(?:\.[0-9_]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9_]+)?|[-+]?0[bBoOxX][0-9A-Fa-f_]+|[yYnN])$"
)
"""What Kubernetes' YAML takes for a number or a boolean, and Python's for text: a password 1e3, an 0o17, a `y`."""
_COUNTED: Final = {
    Fate.MAPPED: "mapped",
    Fate.DEFAULT: "as calltest does",
    Fate.DROPPED: "dropped",
    Fate.UNUSED: "of no use to a test",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command's arguments as typed."""

    file: str
    uri: str | None
    output: Path | None
    secrets: Path | None
    name: str | None
    force: bool


def run(asked: Asked) -> bool:
    """Writes what comes of it; whether something of the calls was dropped. UnusableInputError, OSError."""
    _require_writable(asked)
    where, raw = _read(asked.file)
    folder = Path() if asked.file == STDIN else Path(asked.file).parent
    name = _name(asked.file) if asked.name is None else asked.name
    made = convert(where, raw, name=name, uri=asked.uri, read=lambda path: _named(path, folder))
    apart = asked.secrets is not None
    documents = [made.test, *made.config_maps, *(() if apart else made.secrets)]
    if asked.secrets is not None and made.secrets:
        _write(asked.secrets, _yaml(made.secrets), _SECRET_MODE)
    if asked.output is None:
        tell(_yaml(documents))
    else:
        _write(asked.output, _yaml(documents), _SECRET_MODE if made.secrets and not apart else _MODE)
    _report(where, made, asked)
    return made.lacks


def _require_writable(asked: Asked) -> None:
    """UnusableInputError where an output would be lost, or take the place of what it should not."""
    for path in (asked.output, asked.secrets):
        if path is not None and not path.parent.is_dir():
            raise UnusableInputError(f"{path}: {path.parent} is no folder that is there: make it first")
        if path is None or not path.exists():
            continue
        if not asked.force:
            raise UnusableInputError(f"{path}: is there already: name another one, or give --force")
        if not path.is_file():
            raise UnusableInputError(f"{path}: is no file, and is not written over: name another one")
    if asked.output and asked.secrets and asked.output.resolve() == asked.secrets.resolve():
        raise UnusableInputError(f"{asked.secrets}: is --output and --secrets: name two files, or leave out --secrets")


def _read(file: str) -> tuple[str, bytes]:
    if file == STDIN:
        return "standard input", sys.stdin.buffer.read(MAX_BYTES + 1)
    try:
        with Path(file).open("rb") as opened:
            return file, opened.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise UnusableInputError(f"{file}: {said}: name a pjsua configuration file") from error


def _named(path: str, folder: Path) -> bytes:
    """A file that the file names, from here as pjsua has it, else from beside it; OSError."""
    here = Path(path)
    beside = folder / here
    found = here if here.exists() or not beside.exists() else beside
    if found.exists() and not found.is_file():  # a pipe's end may never come
        raise OSError(0, "is no file", path)
    with found.open("rb") as opened:
        raw = opened.read(MAX_SOUND_BYTES + 1)
    if len(raw) > MAX_SOUND_BYTES:
        raise OSError(0, f"is larger than {MAX_SOUND_BYTES // 1024} KiB, which Kubernetes does not hold", path)
    return raw


def _name(file: str) -> str:
    """A name of a CallTest, of the file's."""
    words = re.findall("[a-z0-9]+", Path(file).stem.lower())
    return "-".join(words)[:MAX_NAME].strip("-") or NAMELESS


class _Dumper(yaml.SafeDumper):
    """Puts all text in quotes that one of its readers takes for something else."""


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBERS, list("-+.0123456789yYnN"))


def _yaml(documents: Iterable[dict[str, Any]]) -> str:
    """In ASCII, whatever the locale."""
    text: str = yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=120)
    return text


def _write(path: Path, text: str, mode: int) -> None:
    """As a whole, or not at all; a Secret is nobody else's to read from its first byte on."""
    made = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
            file.write(text)
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)


def _report(where: str, made: Converted, asked: Asked) -> None:
    for told in made.report:
        say(str(told))
    counted = Counter(told.fate for told in made.report if not told.why.startswith("not given"))
    say(f"calltest: {where}: " + ", ".join(f"{counted[fate]} {text}" for fate, text in _COUNTED.items()))
    if made.secrets:
        names = ", ".join(secret["metadata"]["name"] for secret in made.secrets)
        said = f"in {asked.secrets}" if asked.secrets else "in the output: --secrets FILE keeps what is secret apart"
        say(f"calltest: Secret {names}: {said}")
