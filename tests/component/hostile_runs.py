"""Our side of an attack: what is called, watched and counted."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agent.contract.plan import Transport
from agent.contract.result import decode_result
from agent.contract.srtp import Keying
from tests.component.peers.rtp import bound
from tests.component.peers.running import CALLTEST
from tests.component.peers.sip import branch, written
from tests.component.peers.uas import Address

MAX_MB = 512 if "asan" not in os.environ.get("LD_PRELOAD", "") else 4096
"""Of an agent: half of what its pod may have. Under dev/pjsua2/sanitized it has the memory of the checks too."""
DEADLINE_S = 150
HANG_S = DEADLINE_S + 40
TRACEBACK = "Traceback (most recent call last):"
"""In a log: of one that came out of a callback nothing else is seen, until it does harm."""
TEST = f"""\
apiVersion: calltest.dev/v1alpha1
kind: CallTest
metadata: {{name: KIND}}
spec:
  target: {{service: {{name: sut}}, port: sip, transport: TRANSPORT}}
  caller: {{uri: "sip:alice@example.com"MEDIA}}
  CALLEE
  activeDeadlineSeconds: {DEADLINE_S}
  calls:
  - name: pin
    to: "sip:callee@example.com"
    count: COUNT
    concurrency: COUNT
    holdSeconds: 2
    answerTimeoutSeconds: 4
"""
CALLEE = 'callee: {uri: "sip:callee@example.com"MEDIA}'
MEDIA = ", media: {srtp: {use: Mandatory, keying: [KEYING]}}"


@dataclass(kw_only=True)
class Tally:
    """What came of it."""

    sent: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    calls: int = 0
    peak_mb: dict[str, float] = field(default_factory=dict)
    """The most memory of each kind of agent."""
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class How:
    """How our agents call."""

    transport: Transport = Transport.UDP
    keying: Keying | None = None
    """Of SRTP, which they must have then."""
    calls: int = 20
    """Of a run."""


def placed(folder: Path, kind: str, number: int, target: str, how: How, tally: Tally) -> None:
    """One `calltest run`; `kind`: `callers`, or `ends` where a callee of ours is called."""
    kept, test = folder / f"{kind}-{number}", folder / f"{kind}-{number}.yaml"
    transport = how.transport
    words = {"KIND": kind, "COUNT": str(how.calls), "CALLEE": CALLEE if kind == "ends" else ""}
    words["MEDIA"] = MEDIA.replace("KEYING", how.keying) if how.keying else ""
    words["TRANSPORT"] = "TLS, tls: {verify: false}" if transport is Transport.TLS else transport
    text = TEST
    for word, value in words.items():
        text = text.replace(word, value)
    test.write_text(text)
    command = [*CALLTEST, str(test), "--target", target, "-o", "json", "--keep", str(kept)]
    began_s = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while process.poll() is None and time.monotonic() - began_s < HANG_S:
            watch(kind, str(kept), tally)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.5)
        if process.poll() is None:
            process.kill()
            tally.faults.append(f"{kind} {number}: no end after {HANG_S} s")
            return
        out, said = process.communicate()
    judge(f"{kind} {number}", out or said, kept, tally)


def judge(name: str, out: bytes, kept: Path, tally: Tally) -> None:
    """Notes what must not be."""
    tally.runs += 1
    try:
        status = json.loads(out)["status"]
    except ValueError:
        tally.faults.append(f"{name}: no verdict: {out[-2000:].decode()}")
        return
    tally.calls += status["calls"]["planned"]
    tally.verdicts["/".join(filter(None, (status["result"], status.get("reason"))))] += 1
    tally.reasons.update(each["reason"] for each in status.get("failures", ()))
    if status["result"] == "Passed" or status["calls"]["passed"]:
        tally.faults.append(f"{name}: {status['calls']['passed']} calls passed")
    for result in kept.glob("*/*/result"):
        words = f"{name} {result.parent.name}"
        if not result.read_bytes().strip() or not decode_result(result.read_bytes()).final:
            log = (result.parent / "log").read_text(errors="replace")[-2000:]
            tally.faults.append(f"{words}: no final result; {status.get('message')}\n{log}")


def watch(kind: str, words: str, tally: Tally) -> None:
    """Notes the most memory of the agents whose command line has these words."""
    for pid in pids(words):
        note_memory(kind, pid, tally)


def note_memory(kind: str, pid: int, tally: Tally) -> None:
    before, now = tally.peak_mb.get(kind, 0.0), peak_mb(pid)
    tally.peak_mb[kind] = max(before, now)
    if before <= MAX_MB < now:
        tally.faults.append(f"{kind}: an agent of {now:.0f} MB, more than {MAX_MB}")


def pids(words: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if (
                entry.name.isdigit()
                and b"\0agent\0" in (line := (entry / "cmdline").read_bytes())
                and words.encode() in line
            ):
                found.append(int(entry.name))
    return found


def peak_mb(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


@contextlib.contextmanager
def watched_parrot(folder: Path, tally: Tally) -> Iterator[Address]:
    """A parrot that must be there at the end, take a call to its end, and obey SIGTERM."""
    command = [sys.executable, "-m", "agent", "parrot", "--port", "0", "--bind", "127.0.0.1"]
    log = folder / "parrot"
    with log.open("wb") as file, subprocess.Popen(command, stderr=file, stdout=file) as process:
        try:
            place = where(log)
            yield place
            if process.poll() is None and not answers(place):
                tally.faults.append("the parrot does not answer any more")
            note_memory("parrot", process.pid, tally)
            if process.poll() is not None:
                tally.faults.append(f"the parrot died: {process.returncode}\n{log.read_text(errors='replace')[-2000:]}")
            process.send_signal(signal.SIGTERM)
            if process.wait(30):
                tally.faults.append(f"the parrot ended with {process.returncode}")
            if TRACEBACK in (said := log.read_text(errors="replace")):
                tally.faults.append(f"an exception in the parrot:\n{said.partition(TRACEBACK)[2][:2000]}")
        except subprocess.TimeoutExpired:
            tally.faults.append("the parrot does not end")
        finally:
            if process.poll() is None:
                process.kill()


def where(log: Path) -> Address:
    """Of a parrot that has just been started; RuntimeError."""
    for _ in range(600):
        if found := re.search(r"parrot at ([\d.]+):(\d+) \(UDP\)", log.read_text()):
            return found[1], int(found[2])
        time.sleep(0.05)
    raise RuntimeError(f"no parrot: {log.read_text()}")


def answers(place: Address) -> bool:
    """Whether an OPTIONS gets its 200 within 10 s."""
    with contextlib.closing(bound()) as sock:
        sock.settimeout(1)
        via = f"Via: SIP/2.0/UDP 127.0.0.1:{sock.getsockname()[1]};branch={branch()};rport"
        ends = ["From: <sip:a@b>;tag=1", "To: <sip:parrot@b>", f"Call-ID: {branch()}", "CSeq: 1 OPTIONS"]
        asked = written(f"OPTIONS sip:parrot@{place[0]}:{place[1]} SIP/2.0", [via, "Max-Forwards: 70", *ends])
        for _ in range(10):
            sock.sendto(asked, place)
            with contextlib.suppress(TimeoutError):
                if sock.recv(4096).startswith(b"SIP/2.0 200"):
                    return True
    return False
