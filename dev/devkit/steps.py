"""Steps a person can follow: what is being done, how long it took, and where its log is."""

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

LOG_TAIL_LINES = 15
HEARTBEAT_S = 30


class StepError(Exception):
    """A step failed; the message says which, why, and what to do."""


def say(text: str) -> None:
    """Progress goes to stderr, so that what a command prints on stdout can be read by a program."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Announces a step, then says how long it took (seconds), or that it failed after so long."""
    say(f"… {title}")
    start_s = time.monotonic()
    try:
        yield
    except BaseException:
        say(f"✗ {title}: failed after {time.monotonic() - start_s:.1f} s")
        raise
    say(f"✓ {title} ({time.monotonic() - start_s:.1f} s)")


def tail(log: Path, lines: int = LOG_TAIL_LINES) -> str:
    """The last lines of a log, indented, with its path above them."""
    try:
        text = log.read_text(errors="replace").splitlines()[-lines:]
    except OSError as error:
        text = [f"(cannot be read: {error})"]
    return "\n".join([f"  log: {log}", *(f"  | {line}" for line in text)])


def run(
    argv: Sequence[str | Path], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> None:
    """Runs a command to its end, its output appended to `log`.

    Raises StepError with the log's last lines if the command is missing or fails.
    """
    words = [str(word) for word in argv]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        out.write(f"$ {' '.join(words)}\n".encode())
        out.flush()
        try:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, cwd=cwd)
        except FileNotFoundError as error:
            raise StepError(f"{words[0]} is not installed: run dev/setup ({error})") from None
        with process:
            returncode = _await(process, Path(words[0]).name)
    if returncode != 0:
        raise StepError(f"{words[0]} ended with status {returncode}\n{tail(log)}")


def _await(process: subprocess.Popen[bytes], name: str) -> int:
    """The exit status; a line now and then for who waits, and no child left behind by Ctrl-C."""
    start_s = time.monotonic()
    try:
        while True:
            try:
                return process.wait(timeout=HEARTBEAT_S)
            except subprocess.TimeoutExpired:
                say(f"  {name} still at work after {time.monotonic() - start_s:.0f} s")
    except BaseException:
        process.terminate()
        raise


def output(argv: Sequence[str | Path], *, check: bool = True) -> str:
    """What a command printed; with check=False an absent or failing command gives what there is."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        if check:
            raise StepError(f"{words[0]} is not installed: run dev/setup") from None
        return ""
    if check and done.returncode != 0:
        raise StepError(f"{' '.join(words)} ended with status {done.returncode}:\n{done.stderr.strip()}")
    return done.stdout


def logged_output(argv: Sequence[str | Path], *, log: Path) -> str:
    """What a long command printed on stdout; what it said on stderr is in `log`."""
    words = [str(word) for word in argv]
    with log.open("ab") as err:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err, check=False)
    if done.returncode != 0:
        raise StepError(f"{words[0]} ended with status {done.returncode}\n{tail(log)}")
    return done.stdout.decode()


def wait_until(what: str, ready: Callable[[], bool], *, timeout_s: float, every_s: float = 0.1) -> None:
    """Waits for a condition; raises StepError naming it when it did not come in time."""
    deadline_s = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline_s:
            raise StepError(f"{what}: not after {timeout_s:.0f} s")
        time.sleep(every_s)


@contextlib.contextmanager
def lock(path: Path, what: str) -> Iterator[None]:
    """One at a time, machine-wide; the kernel drops the lock if its holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"… waiting for another process: {what} (lock {path})")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def become_root() -> None:
    """Runs this same command again as root, where it isn't; the cache stays the caller's."""
    if os.geteuid() == 0:
        return
    say(f"… {Path(sys.argv[0]).name} needs root: running it by sudo")
    kept = ["PATH", "CALLTEST_CACHE", "SSL_CERT_FILE", "PIP_CERT", "GOPROXY", "HOME"]
    words = ["sudo", "env", *(f"{name}={os.environ[name]}" for name in kept if name in os.environ)]
    os.execvp("sudo", [*words, sys.executable, *sys.argv])


def give_back(folder: Path) -> None:
    """What root made in the cache of somebody who called sudo becomes theirs, as far as they must change it."""
    if os.geteuid() != 0 or "SUDO_UID" not in os.environ or not folder.is_dir():
        return
    owner, group = int(os.environ["SUDO_UID"]), int(os.environ.get("SUDO_GID", "-1"))
    for path in [folder, *folder.glob("*"), *folder.glob("*/*")]:
        if path.lstat().st_uid == 0:
            os.lchown(path, owner, group)


def command(main: Callable[[], int], cache: Callable[[], Path]) -> None:
    """Runs a command's main function: a failed step is a message and exit status 1, not a traceback."""
    try:
        try:
            status = main()
        finally:
            give_back(cache())
        sys.exit(status)
    except StepError as error:
        say(f"{Path(sys.argv[0]).name}: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
