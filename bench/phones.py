"""For the commands of this folder: two phones of agents, each in a process of its own, call each other on loopback.

CPU is user and system time of both (from /proc), by legs: each call has two.
"""

import logging
import multiprocessing
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NoReturn

from agent.contract.codecs import Media
from agent.contract.plan import Transport
from agent.contract.srtp import SrtpUse
from agent.contract.steps import Answer, HangUp
from agent.phone.media import MediaOfCalls
from agent.phone.protocol import (
    CallConfirmed,
    CallEnded,
    CallHandle,
    Event,
    IncomingCall,
    Playback,
    SipAccount,
    TlsFiles,
)
from agent.tap import Tap, TapError

OUTSTANDING = 20
"""Calls being set up at the same time."""


@dataclass(frozen=True, kw_only=True)
class Mode:
    """How both phones of a run are made."""

    name: str
    tapped: bool = True
    captured: bool = False
    transport: Transport = Transport.UDP
    tls: TlsFiles | None = None
    media: Media = field(default_factory=Media)
    preloaded: str | None = None
    """A library (path or soname) that takes the place of what the phones have."""


class NoTap(Tap):
    """In the tap's place: nothing is hooked into pjsip, and no call is tapped, as where a phone's tap fails."""

    def install(self, *_: object) -> None:
        """Not at all."""

    def open(self, *_: object) -> None:
        """Of no call."""
        raise TapError("the tap is left out")


def phone(pipe: Connection, mode: Mode, folder: Path) -> None:
    """One phone in a process of its own; obeys the pipe."""
    made = opened(mode, folder)
    pipe.send(made.address)
    line = Line(made, mode, pipe)
    while True:
        while pipe.poll():
            line.obey(*pipe.recv())
        line.saw(made.next_event(0.005))


def opened(mode: Mode, folder: Path) -> Any:
    """The phone. pjsua2 starts threads: only the children load it."""
    import agent.phone.pjsua.phone as module  # noqa: PLC0415
    from agent.tap.call import Captures  # noqa: PLC0415

    if not mode.tapped:
        module.Tap = NoTap  # type: ignore[misc]
        logging.disable()  # it warns of each call
    captures = Captures(directory=folder) if mode.captured else None
    return module.PjsuaPhone(
        bind="127.0.0.1",
        sip_port=0,
        transport=mode.transport,
        tls=mode.tls,
        media=MediaOfCalls(usual=mode.media),
        recordings=folder,
        captures=captures,
    )


class Line:
    """What a phone's process does."""

    def __init__(self, made: Any, mode: Mode, pipe: Connection) -> None:
        self.phone, self.pipe = made, pipe
        self.account = made.add_account(SipAccount(uri=f"sip:a@{made.address}", proxy="", register=False))
        self.parameter = "" if mode.transport is Transport.UDP else f";transport={mode.transport.lower()}"
        self.began = dict[CallHandle, float]()
        self.seen, self.ended, self.answered_ms = Counter[str](), list[CallEnded](), list[float]()

    def obey(self, command: str, *more: str) -> None:
        """One command of the pipe."""
        match command:
            case "call":
                at_s = time.monotonic()
                call, _ = self.phone.call(self.account, f"sip:b@{more[0]}{self.parameter}", (), Playback())
                self.began[call] = at_s
            case "hang up":
                for call in self.began:
                    self.phone.perform(call, HangUp())
                self.began.clear()
            case "seen":
                self.pipe.send(self.seen)
            case "told":
                self.pipe.send((self.ended, self.phone._tap.live_calls, self.answered_ms))  # noqa: SLF001
                self.seen, self.ended, self.answered_ms = Counter(), [], []
            case _:
                self.phone.close()
                os._exit(0)

    def saw(self, event: Event | None) -> None:
        """Counts it; calls are answered."""
        self.seen[type(event).__name__] += 1
        match event:
            case IncomingCall():
                self.phone.perform(event.call, Answer())
            case CallConfirmed(call=call) if call in self.began:
                self.answered_ms.append(1000 * (event.at_s - self.began[call]))
            case CallEnded():
                self.ended.append(event)


def cpu_s(pids: Sequence[int]) -> float:
    """User and system time of these processes."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(f[11]) + int(f[12]) for f in fields) / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Phone:
    """A phone's process, as its commander sees it."""

    pipe: Connection
    process: BaseProcess
    address: str

    @property
    def pid(self) -> int:
        """Of the process."""
        assert self.process.pid is not None
        return self.process.pid

    def tell(self, *command: str) -> None:
        """Commands it. SystemExit: it is no more."""
        try:
            self.pipe.send(command)
        except OSError:
            self._gone()

    def ask(self, *command: str) -> Any:
        """Commands it and waits for its reply. SystemExit: it is no more."""
        self.tell(*command)
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            self._gone()

    def _gone(self) -> NoReturn:
        self.process.join(5)
        raise SystemExit(f"bench: a phone ended, exit status {self.process.exitcode}")

    def until(self, event: str, count: int) -> None:
        """Waits until it has seen so many of that event: a minute at most."""
        until_s = time.monotonic() + 60
        while (seen := self.ask("seen")[event]) < count:
            if time.monotonic() > until_s:
                raise SystemExit(f"bench: {seen} of {count} {event} after a minute")
            time.sleep(0.02)


@contextmanager
def preloading(library: str | None) -> Iterator[None]:
    """What is started meanwhile has it."""
    if library is not None:
        os.environ["LD_PRELOAD"] = library
    try:
        yield
    finally:
        os.environ.pop("LD_PRELOAD", None)


def start(mode: Mode, folder: Path) -> Phone:
    """Starts a phone; it ends with us, whatever happens."""
    spawn = multiprocessing.get_context("spawn")
    folder.mkdir()
    ours, theirs = spawn.Pipe()
    with preloading(mode.preloaded):
        process = spawn.Process(target=phone, args=(theirs, mode, folder), daemon=True)
        process.start()
    theirs.close()  # else the end of that process would not be seen here
    return Phone(ours, process, str(ours.recv()))


def placed(caller: Phone, callee: Phone, calls: int) -> None:
    """So many calls, and they are up."""
    for number in range(calls):
        caller.tell("call", callee.address)
        callee.until("CallConfirmed", number + 1 - OUTSTANDING)
    callee.until("CallConfirmed", calls)


def hung_up(caller: Phone, callee: Phone, calls: int) -> None:
    """All of them, and that is over at both ends."""
    caller.tell("hang up")
    for each in (caller, callee):
        each.until("CallEnded", calls)


def measure(mode: Mode, calls: int, hold_s: float) -> dict[str, float]:
    """One run of one mode, once a first call has opened what connections there are. SystemExit: it is no good."""
    with tempfile.TemporaryDirectory() as folder:
        phones = start(mode, Path(folder) / "caller"), start(mode, Path(folder) / "callee")
        placed(*phones, 1)
        hung_up(*phones, 1)
        for each in phones:
            each.ask("told")
        pids = [each.pid for each in phones]
        before_s = cpu_s(pids)
        placed(*phones, calls)
        began_s, up_s = time.monotonic(), cpu_s(pids)
        time.sleep(hold_s)
        held_s, down_s = time.monotonic() - began_s, cpu_s(pids)
        hung_up(*phones, calls)
        after_s = cpu_s(pids)
        ends = [each.ask("told") for each in phones]
        for each in phones:
            each.tell("quit")
    if mode.tapped:
        check(mode, ends)
    streams = [s for ended, *_ in ends for e in ended for s in e.tapped or () if s.sent]
    legs = 2 * calls
    return {
        "media": 100 * (down_s - up_s) / held_s / legs,
        "setup": 1000 * (after_s - down_s + up_s - before_s) / legs,
        "answered": statistics.median(ends[0][2]),
        "packets": sum(e.stack_sent.packets for ended, *_ in ends for e in ended),
        "late": max((s.max_late_ms for s in streams if s.max_late_ms is not None), default=0.0),
    }


def check(mode: Mode, ends: Sequence[Any]) -> None:
    """The tap's counts are pjsip's, media came, as SRTP where it was to be, nothing is lost, and nothing is held."""
    for ended, live, _ in ends:
        wrong = [e for e in ended if sum(s.packets for s in e.tapped if s.sent) != e.stack_sent.packets]
        deaf = [e for e in ended if not any(s.packets for s in e.tapped if not s.sent)]
        lost = sum(s.lost for e in ended for s in e.tapped)
        plain = [e for e in ended if any(g.active for g in e.guards) != (mode.media.srtp.use is not SrtpUse.DISABLED)]
        if wrong or deaf or plain or lost or live:
            told = f"{len(wrong)} calls counted wrong, {len(deaf)} heard nothing, {len(plain)} not keyed as they should"
            raise SystemExit(f"bench: {mode.name}: {told}, {lost} packets lost, {live} calls held")


def rounds(modes: Sequence[Mode], *, calls: int, hold_s: float, count: int) -> dict[str, dict[str, float]]:
    """The medians of each mode's runs, by its name; the modes take turns, another first in each round.

    On a busy machine two runs of one mode differ by a tenth: only the medians and ratios of several rounds of one
    command mean something.
    """
    runs: dict[str, list[dict[str, float]]] = {mode.name: [] for mode in modes}
    width = max(map(len, runs))
    for number in range(count):
        first = number % len(modes)
        for mode in (*modes[first:], *modes[:first]):
            runs[mode.name].append(run := measure(mode, calls, hold_s))
            told = "".join(f" {k} {v:.3f}" for k, v in run.items())
            print(f"round {number + 1} {mode.name:{width}}{told}", flush=True)
    return {name: {key: statistics.median(run[key] for run in got) for key in got[0]} for name, got in runs.items()}


def times(value: float, base: float) -> str:
    """A ratio; a run too short for the kernel's clock (10 ms) has none."""
    return f"{value / base:.2f}" if base else "-"
