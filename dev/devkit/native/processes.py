"""Our processes, found by what their environment says, started into a node's namespaces, and ended."""

import dataclasses
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from devkit import steps
from devkit.native import layout

PART = "CALLTEST_PART"  # "node0/kubelet": which part of the cluster a process is
DIGEST = "CALLTEST_DIGEST"  # of its command and configuration: another digest means that it has to be restarted
PROGRAM = "CALLTEST_PROGRAM"  # the file it runs: tells it from its children, which inherit its environment
ANCHOR = "anchor"
STOP_TIMEOUT_S = 10.0

# PID 1 of a node. Children that lost their parents are its own: ignoring SIGCHLD lets the kernel reap them.
ANCHOR_CODE = "import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nwhile True: signal.pause()"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process of ours. `start_ticks` makes the pid unmistakable."""

    pid: int
    pid_inside: int
    part: str
    digest: str
    program: str
    executable: str
    start_ticks: int

    @property
    def is_main(self) -> bool:
        """Whether it is the component, not nsenter before it nor a child of it."""
        return self.executable.removesuffix(" (deleted)") == self.program

    @property
    def is_anchor(self) -> bool:
        """Whether it is PID 1 of a node."""
        return self.part.endswith(f"/{ANCHOR}") and self.pid_inside == 1 and self.pid != 1

    def age_s(self) -> float:
        """Seconds since it was started."""
        uptime_s = float(Path("/proc/uptime").read_text().split()[0])
        return uptime_s - self.start_ticks / os.sysconf("SC_CLK_TCK")


def ours() -> list[Process]:
    """All processes of the cluster outside of pods, oldest first."""
    found = [process for path in Path("/proc").iterdir() if path.name.isdigit() and (process := _read(path))]
    return sorted(found, key=lambda process: process.start_ticks)


def _read(path: Path) -> Process | None:
    """The process if it is one of ours; None if not, or if it ended meanwhile."""
    try:
        environment = (path / "environ").read_bytes()
        if f"{PART}=".encode() not in environment:
            return None
        values = dict(entry.partition("=")[::2] for entry in environment.decode(errors="replace").split("\0"))
        stat = (path / "stat").read_text().rpartition(")")[2].split()
        inside = next(line for line in (path / "status").read_text().splitlines() if line.startswith("NSpid:"))
        return Process(
            pid=int(path.name),
            pid_inside=int(inside.split()[-1]),
            part=values[PART],
            digest=values.get(DIGEST, ""),
            program=values.get(PROGRAM, ""),
            executable=str((path / "exe").readlink()),
            start_ticks=int(stat[19]),
        )
    except (OSError, KeyError, StopIteration, IndexError, ValueError):
        return None


def anchor(node: layout.Node) -> Process | None:
    """PID 1 of a node, if the node is there."""
    return next((each for each in ours() if each.is_anchor and each.part == f"{node.name}/{ANCHOR}"), None)


def component(node: layout.Node, name: str) -> Process | None:
    """The running component, if it runs."""
    return next((each for each in ours() if each.is_main and each.part == f"{node.name}/{name}"), None)


def start_anchor(node: layout.Node) -> Process:
    """Makes the node's namespaces, held by its anchor."""
    unshare = ["unshare", "--mount", "--pid", "--net", "--uts", "--fork", "--mount-proc", "--kill-child"]
    _spawn([*unshare, "/usr/bin/python3", "-ISc", ANCHOR_CODE], {PART: f"{node.name}/{ANCHOR}"}, node, ANCHOR)
    steps.wait_until(f"namespaces of {node.name}", lambda: anchor(node) is not None, timeout_s=10)
    started = anchor(node)
    assert started is not None
    return started


def enter(anchor_pid: int) -> list[str]:
    """The words before a command that run it inside a node."""
    return ["nsenter", "--target", str(anchor_pid), "--mount", "--pid", "--net", "--uts", "--"]


def inside(node: layout.Node, argv: Sequence[str], *, check: bool = True) -> str:
    """What a command printed that was run inside a node."""
    holder = anchor(node)
    if holder is None:
        raise steps.StepError(f"{node.name} is not there: run dev/cluster up")
    return steps.output([*enter(holder.pid), *argv], check=check)


def start(node: layout.Node, name: str, argv: Sequence[str], digest: str) -> None:
    """Starts a component inside a node, its output appended to its log."""
    holder = anchor(node)
    if holder is None:
        raise steps.StepError(f"{node.name} went away while {name} was to be started")
    marks = {PART: f"{node.name}/{name}", DIGEST: digest, PROGRAM: os.path.realpath(argv[0])}
    _spawn([*enter(holder.pid), *argv], marks, node, name)


def _spawn(argv: Sequence[str], marks: Mapping[str, str], node: layout.Node, name: str) -> None:
    log = log_path(node, name)
    log.parent.mkdir(parents=True, exist_ok=True)
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
    with log.open("ab") as out:
        subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            cwd="/",
            env={"PATH": path, "HOME": "/root", "LANG": "C.UTF-8", **marks},
        )


def log_path(node: layout.Node, name: str) -> Path:
    """The log of a component."""
    return layout.LOGS / f"{node.name}-{name}.log"


def stop(process: Process) -> None:
    """Ends a process: SIGTERM, and SIGKILL if it is still there after a while."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        _signal(process, number)
        deadline_s = time.monotonic() + STOP_TIMEOUT_S
        while time.monotonic() < deadline_s:
            if not _alive(process):
                return
            time.sleep(0.05)
    raise steps.StepError(f"{process.part} (pid {process.pid}) survives SIGKILL")


def kill_all(chosen: Sequence[layout.Node]) -> int:
    """Kills everything of the nodes, anchors first, and waits until it is gone; how many processes that were."""
    prefixes = tuple(f"{node.name}/" for node in chosen)
    seen: set[int] = set()
    deadline_s = time.monotonic() + STOP_TIMEOUT_S
    while found := [each for each in ours() if each.part.startswith(prefixes)]:
        for process in sorted(found, key=lambda each: not each.is_anchor):
            seen.add(process.pid)
            _signal(process, signal.SIGKILL)
        if time.monotonic() > deadline_s:
            names = ", ".join(f"{each.part} ({each.pid})" for each in found)
            raise steps.StepError(f"still there {STOP_TIMEOUT_S:.0f} s after SIGKILL: {names}")
        time.sleep(0.1)
    return len(seen)


def _alive(process: Process) -> bool:
    now = _read(Path("/proc") / str(process.pid))
    return now is not None and now.start_ticks == process.start_ticks


def _signal(process: Process, number: signal.Signals) -> None:
    """Signals the process itself: a pidfd taken before the last look can't come to mean another one."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        if _alive(process):
            signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        pass
    finally:
        os.close(descriptor)
