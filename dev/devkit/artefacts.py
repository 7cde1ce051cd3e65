"""Things that take long to make, kept outside the checkout in a folder named from what went into them.

A folder appears under its final name only when it is complete: a build that was killed leaves nothing that could be
taken for a finished one.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from devkit import steps

REPO = Path(__file__).resolve().parents[2]
KEY_LENGTH = 12


def cache_root() -> Path:
    """`$CALLTEST_CACHE`, else `$XDG_CACHE_HOME/calltest`, else `~/.cache/calltest`; made if absent."""
    chosen = os.environ.get("CALLTEST_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    root = Path(chosen) if chosen else Path(base) / "calltest"
    root.mkdir(parents=True, exist_ok=True)
    return root.resolve()


def log_path(name: str) -> Path:
    """Where the log of a build goes; emptied, since a log tells of one attempt."""
    path = cache_root() / "logs" / f"{name}.log"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    return path


def key_of(*parts: str | bytes) -> str:
    """A short sha256 over the parts; each is framed by its length, so that ("ab", "c") is not ("a", "bc")."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(b"%d:" % len(data) + data)
    return digest.hexdigest()[:KEY_LENGTH]


def files_key(paths: Iterable[Path]) -> str:
    """A key over files and the files below folders: their names, contents, and whether they can be executed.

    Where a folder itself is makes no difference: the same clone elsewhere has the same keys.
    """
    parts: list[str | bytes] = []
    for top in paths:
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                parts += [
                    str(path.relative_to(top if top.is_dir() else top.parent)),
                    str(os.access(path, os.X_OK)),
                    path.read_bytes(),
                ]
    return key_of(*parts)


def artefact(name: str, key: str, build: Callable[[Path], None]) -> Path:
    """The folder of an artefact; `build(folder)` fills it if there is none yet under this key.

    Other keys of the same name stay: clones of different age take turns on a machine.
    """
    kind = cache_root() / name
    final = kind / key
    with steps.lock(kind / ".lock", f"building {name}"):
        if final.is_dir():
            return final
        for leftover in kind.glob(".part-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        part = Path(tempfile.mkdtemp(prefix=".part-", dir=kind))
        part.chmod(0o755)
        build(part)
        part.rename(final)
    return final
