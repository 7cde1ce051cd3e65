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
from typing import Any

import numpy as np
import pytest

from agent.contract.expect import Expect, ExpectDtmf, ExpectLeg
from agent.contract.plan import Credentials, Evidence, Keep
from agent.contract.verdict import Reason, Role
from tests.component.agents import Agent, Lane, lane, make_group, make_plan
from tests.component.field import PASSED, not_hindered, undisturbed
from tests.component.peers.b2bua import B2bua, Far, Repacketiser
from tests.component.peers.rtp import PCMU, Rtp
from tests.component.peers.running import Case, Outcome, both, run
from tests.component.peers.sip import Message
from tests.component.peers.uas import Call

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


def not_hindered_beyond(pair: Lane, *expected: Reason) -> None:
    """An agent that was overloaded keeps evidence of its leg for that."""
    not_hindered([finding for leg in (*pair.caller.legs, *pair.callee.legs) for finding in leg.findings], *expected)


def test_a_leg_that_failed_leaves_what_crossed_its_wire_and_the_other_nothing_where_nobody_asks(tmp_path):
    with lane(tmp_path, make_group(hold_seconds=HOLD_S, expect=WRONG), evidence=keeping(tmp_path / "kept")) as pair:
        pair.go()
        pair.finish()
    not_hindered_beyond(pair, Reason.DTMF_MISMATCH)
    (caller,), (callee,) = pair.caller.legs, pair.callee.legs
    (finding,) = callee.findings
    assert finding.reason is Reason.DTMF_MISMATCH
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
    not_hindered_beyond(pair)
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
    not_hindered_beyond(pair)
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


# what both ends together show, as `calltest run` tells its agents


class NoHeader(B2bua):
    """Nothing that names the call goes through, and no digits do."""

    def far_request(self, far: Far, method: str, cseq: int, **more: Any) -> None:
        invite = far.call.invite
        kept = tuple(header for header in invite.headers if header[0] != "x-calltest-call")
        far.call.invite = Message(invite.start, kept, invite.body)
        super().far_request(far, method, cseq, **more)

    def _pass(self, call: Call, way: str, packet: Rtp) -> None:
        if way == "ba" or packet.payload_type == PCMU:
            super()._pass(call, way, packet)


class Hides(Repacketiser):
    """Loses a tenth of the audio, and says so nowhere: neither end alone can see it."""

    packet_ms, lost_each, renumbers = 20, 10, True


COUNTED = 'rtp: {maxLossPercent: "1"}'
SILENT_LOSS = Case(name="hidden loss", peer=Hides, test=both(COUNTED, COUNTED))
FILES = {"capture.pcap", "received.wav", "sent.wav", "sip.txt"}


def folders(directory: Path) -> dict[str, set[str]]:
    """The files in each leg's folder: what else is there tells of the run."""
    found: dict[str, set[str]] = {}
    for path in directory.glob("*/ep*/*/*/*.*"):
        found.setdefault(str(path.parent.relative_to(directory)), set()).add(path.name)
    return found


def of_kind(outcome: Outcome, kind: str) -> dict[str, dict[str, Any]]:
    return {line["role"]: line for line in outcome.told if line["kind"] == kind}


def test_behind_a_path_that_names_no_call_a_broken_leg_leaves_its_evidence(tmp_path):
    outcome = run(Case(name="no header", peer=NoHeader, test=both()), "--evidence", str(tmp_path))
    undisturbed(outcome, "Failed/DtmfMismatch")
    legs = of_kind(outcome, "leg")
    assert [legs["Callee"].get(name) for name in ("call", "callKey")] == [None, None]
    callee = legs["Callee"]["evidence"]
    assert re.fullmatch(r"field-[0-9a-f]{8}/ep0/leg-0-[0-9a-f]{8}/Callee", callee)
    named = {each["leg"]: each for each in outcome.run["status"]["failures"]}
    assert named["Callee"]["evidence"] == callee
    assert named["Callee"]["peerEvidence"].endswith("/ep0/pin-0/Caller")
    assert {folder.rpartition("/")[2]: files for folder, files in folders(tmp_path).items()} == {
        "Caller": FILES,
        "Callee": FILES,
    }


def test_what_only_both_ends_show_leaves_both_legs_evidence(tmp_path):
    outcome = run(SILENT_LOSS, "--evidence", str(tmp_path))
    undisturbed(outcome, "Failed/PacketLoss")
    legs, kept = of_kind(outcome, "leg"), of_kind(outcome, "kept")
    assert [leg.get("findings", []) for leg in legs.values()] == [[], []]
    assert [leg.get("evidence") for leg in legs.values()] == [None, None]
    assert set(kept) == {"Caller", "Callee"}
    assert folders(tmp_path) == {line["evidence"]: FILES for line in kept.values()}
    assert {each["evidence"] for each in outcome.run["status"]["failures"]} <= set(folders(tmp_path))


def test_without_a_place_for_evidence_the_detail_has_both_legs_messages():
    outcome = run(SILENT_LOSS)
    undisturbed(outcome, "Failed/PacketLoss")
    for line in of_kind(outcome, "kept").values():
        assert [line.get(name) for name in ("evidence", "evidenceFault")] == [None, None]
        methods = [message["text"].partition(" ")[0] for message in line["messages"]]
        assert {"INVITE", "ACK", "BYE"} <= set(methods)
    assert len(of_kind(outcome, "kept")) == 2


def test_a_run_that_passed_leaves_no_evidence_and_no_messages(tmp_path):
    outcome = run(Case(name="fine", peer=B2bua, test=both()), "--evidence", str(tmp_path))
    undisturbed(outcome, PASSED)
    assert folders(tmp_path) == {}
    assert of_kind(outcome, "kept") == {}
    assert [leg.get("messages", []) for leg in of_kind(outcome, "leg").values()] == [[], []]
