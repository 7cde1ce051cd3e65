"""What stays of real calls: captures that `calltest trace` reads, sound, and SIP messages without digests."""

import json
import re
import socket
import subprocess
import sys
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from agent.contract.call import Expect, ExpectDtmf, ExpectLeg
from agent.contract.plan import Credentials, Evidence, Keep
from agent.contract.verdict import Reason, Role
from tests.component.agents import Agent, lane, make_group, make_plan

pytest.importorskip("pjsua2")

HOLD_S = 3
WRONG = Expect(callee=ExpectLeg(dtmf=ExpectDtmf(digits="9")))
"""The caller sends 1234#."""


def keeping(directory: Path, keep: Keep = Keep.ON_FAILURE) -> Evidence:
    return Evidence(keep=keep, directory=str(directory))


def calltest_trace(capture: Path) -> dict:
    command = [sys.executable, "-m", "controller.cli", "trace", str(capture), "--json"]
    return json.loads(subprocess.run(command, capture_output=True, timeout=60, check=True).stdout)


def loudness(path: Path) -> float:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate()) == (1, 8000)
        assert file.getnframes() > 8000 * (HOLD_S - 0.5)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return float(np.sqrt(np.mean(samples.astype(float) ** 2)))


def test_a_leg_that_failed_leaves_what_crossed_its_wire_and_the_other_leaves_nothing(tmp_path):
    with lane(tmp_path, make_group(hold_seconds=HOLD_S, expect=WRONG), evidence=keeping(tmp_path / "kept")) as pair:
        pair.go()
        pair.finish()
    (caller,), (callee,) = pair.caller.legs, pair.callee.legs
    (finding,) = callee.findings
    assert finding.reason in {Reason.DTMF_MISMATCH, Reason.AGENT_OVERLOADED}  # the latter on a loaded machine
    assert callee.evidence == "pin-g1-uid-1/ep0/pin-0/Callee"
    assert (caller.findings, caller.evidence, callee.evidence_fault) == ((), None, None)
    files = sorted(
        str(path.relative_to(tmp_path / "kept")) for path in (tmp_path / "kept").rglob("*") if path.is_file()
    )
    assert files == [f"{callee.evidence}/{name}" for name in ("capture.pcap", "received.wav", "sent.wav", "sip.txt")]
    folder = tmp_path / "kept" / callee.evidence
    streams = calltest_trace(folder / "capture.pcap")["streams"]
    received = [stream for stream in streams if stream["dst"] == callee.local_rtp]
    assert ["".join(digit["digit"] for digit in stream["digits"]) for stream in received] == ["1234#"]
    assert min(loudness(folder / name) for name in ("received.wav", "sent.wav")) > 100
    text = (folder / "sip.txt").read_text()
    assert re.search(r"received from 127\.0\.0\.1:\d+  INVITE sip:bob@", text)
    assert "m=audio" in text
    for agent in (pair.caller, pair.callee):
        assert agent.digest_agrees()


def test_a_call_that_passed_leaves_nothing(tmp_path):
    (tmp_path / "kept").mkdir()
    with lane(tmp_path, make_group(hold_seconds=1, dtmf=None), evidence=keeping(tmp_path / "kept")) as pair:
        pair.go()
        pair.finish()
    for leg in (*pair.caller.legs, *pair.callee.legs):
        assert (leg.final_code, leg.findings, leg.evidence, leg.evidence_fault) == (200, (), None, None)
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_directory_that_cannot_be_written_changes_no_verdict(tmp_path):
    (tmp_path / "kept").write_text("a file")
    with lane(
        tmp_path, make_group(hold_seconds=1, dtmf=None), evidence=keeping(tmp_path / "kept", Keep.ALWAYS)
    ) as pair:
        pair.go()
        pair.finish()
    for agent in (pair.caller, pair.callee):
        (leg,) = agent.legs
        assert (leg.findings, leg.evidence) == ((), None)
        assert leg.evidence_fault
        assert (agent.result.final, agent.result.error) == (True, None)


@contextmanager
def challenger() -> Iterator[str]:
    """Wants a digest for everything, and then refuses calls with 503."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))

    def serve() -> None:
        while (got := sock.recvfrom(65535))[0] != b"end":
            text, peer = got[0].decode(), got[1]
            method = text.split(" ")[0]
            if method in {"ACK", "SIP/2.0", ""}:
                continue
            final = "200 OK" if method == "REGISTER" else "503 Service Unavailable"
            status = final if "uthorization: Digest" in text else "401 Unauthorized"
            copied = [line for line in text.split("\r\n") if re.match(r"(Via|From|To|Call-ID|CSeq|Contact):", line)]
            copied = [line + ";tag=them" if line.startswith("To:") and "tag=" not in line else line for line in copied]
            challenge = 'WWW-Authenticate: Digest realm="them", nonce="abc", algorithm=MD5'
            lines = [f"SIP/2.0 {status}", *copied, challenge, "Content-Length: 0", "", ""]
            sock.sendto("\r\n".join(lines).encode(), peer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield "{}:{}".format(*sock.getsockname())
    finally:
        sock.sendto(b"end", sock.getsockname())
        thread.join(5)
        sock.close()


def test_no_digest_is_left_in_what_is_kept(tmp_path):
    (tmp_path / "secret").mkdir()
    for key, value in {"username": "alice", "password": "wonderland"}.items():
        (tmp_path / "secret" / key).write_text(value)
    credentials = Credentials(directory=str(tmp_path / "secret"), secret_name="sip-alice")
    with challenger() as address:
        plan = make_plan(Role.CALLER, address=address, credentials=credentials, evidence=keeping(tmp_path / "kept"))
        agent = Agent(tmp_path / "caller", plan)
        try:
            agent.signal(go=0)
            agent.wait_for(lambda progress: progress.done == 1)
            agent.signal(prepare=1, go=0)
            assert agent.exit_code() == 0
        finally:
            agent.process.kill()
            agent.process.wait()
    (leg,) = agent.legs
    assert [finding.reason for finding in leg.findings] == [Reason.SIP_CODE_MISMATCH]
    folder = tmp_path / "kept" / (leg.evidence or "nothing")
    for kept in (folder / "sip.txt", folder / "capture.pcap"):
        responses = re.findall(rb'Authorization: Digest .*?response="([^"]*)"', kept.read_bytes())
        assert responses == [b"x" * 32]
    assert 'response="' + "x" * 32 in next(m.text for m in leg.messages if "Authorization" in m.text)
