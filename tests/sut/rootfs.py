"""A Debian folder with a SUT's packages: what its image holds, without building an image.

    python -m tests.sut --prepare      make all of them (about 90 s each), print where they are

Kept in the cache, keyed by the package list; made under another name and renamed, so that half of one is never used.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from tests.sut.base import REPO, Base

TIMEOUT_S: Final = 900


def cache_folder() -> Path:
    """Where built things are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("CALLTEST_CACHE") or Path(base) / "calltest")


def sut_rootfs(base: Base) -> Path:
    """The folder; made when it is not there yet (root, debootstrap)."""
    key = hashlib.sha256(f"{base.suite} {base.packages}".encode()).hexdigest()[:16]
    made = cache_folder() / f"sut-rootfs-{key}"
    made.parent.mkdir(parents=True, exist_ok=True)
    with made.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several that need it, one makes it
        if not made.is_dir():
            _make(made, base)
    return made


def _make(made: Path, base: Base) -> None:
    if not shutil.which("debootstrap"):
        raise RuntimeError("debootstrap is not installed: apt-get install --no-install-recommends debootstrap")
    partial = made.with_name(f"{made.name}.{os.getpid()}")
    log = made.with_name(f"{made.name}.log")
    began = time.monotonic()
    print(f"making {made} for {base.name} (about 90 s, log: {log})", file=sys.stderr)
    mirror = subprocess.run([REPO / "dev" / "debian-mirror"], stdout=subprocess.PIPE, text=True, check=True).stdout
    include = f"--include={','.join(base.packages)}"
    command = ["debootstrap", "--variant=minbase", include, base.suite, str(partial), mirror.strip()]
    try:
        with log.open("w") as out:
            subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, timeout=TIMEOUT_S, check=True)
        shutil.rmtree(partial / "var" / "cache" / "apt", ignore_errors=True)
        partial.rename(made)
    except subprocess.SubprocessError as error:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
        raise RuntimeError(f"the SUT's root folder could not be made, see {log}:\n{tail}") from error
    finally:
        _unmount_below(partial)
        shutil.rmtree(partial, ignore_errors=True)
    print(f"made in {time.monotonic() - began:.0f} s", file=sys.stderr)


def _unmount_below(folder: Path) -> None:
    """A debootstrap that was stopped leaves proc and sys mounted; those must not be deleted through."""
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for point in sorted((p for p in points if p.startswith(f"{folder}/")), reverse=True):
        subprocess.run(["umount", point], check=True, timeout=30)
