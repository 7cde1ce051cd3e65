"""Evidence on a cluster: it is in the claim where a failure says, and a claim that is not there is named."""

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.calltests import Object, call_test, deleted, detail_of
from tests.e2e.kube import IN_NODE, KubectlError, Namespace

CLAIM = "calltest-evidence"
AGENT_GROUP = "10001"
WRONG: Object = {
    "holdSeconds": 4,
    "caller": {"dtmf": {"digits": "1234#"}},
    "expect": {"callee": {"dtmf": {"digits": "9"}}, "caller": {"audio": "Own"}},
}
"""Does not pass at the callee, and passes at the caller."""


def in_node(*words: str) -> bytes:
    """What a command printed on the node."""
    return subprocess.run([*IN_NODE, *words], capture_output=True, timeout=60, check=True).stdout


@pytest.fixture(scope="module")
def volume(voice: Namespace) -> Iterator[str]:
    """A claim, and the node's directory behind it: root's own, so that agents can write there by fsGroup alone."""
    directory = in_node("mktemp", "--directory", "/var/tmp/calltest-evidence.XXXXXX").decode().strip()
    name = f"calltest-evidence-{uuid.uuid4().hex[:8]}"
    node = voice.items("nodes")[0]["metadata"]["name"]
    host = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    shape: Object = {"accessModes": ["ReadWriteOnce"], "storageClassName": ""}
    try:
        voice.apply(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": name},
                "spec": shape
                | {
                    "capacity": {"storage": "1Gi"},
                    "persistentVolumeReclaimPolicy": "Retain",
                    "local": {"path": directory},
                    "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [host]}]}},
                },
            }
        )
        voice.apply(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": CLAIM},
                "spec": shape | {"volumeName": name, "resources": {"requests": {"storage": "1Gi"}}},
            }
        )
        yield directory
    finally:
        voice.kubectl("delete", "pvc", CLAIM, "--ignore-not-found", "--wait=false")
        voice.kubectl("delete", "pv", name, "--ignore-not-found", "--wait=false")
        in_node("rm", "-rf", directory)


def files(directory: str) -> dict[str, tuple[int, str]]:
    """Size and group of each file below, by its path."""
    found = in_node("find", directory, "-type", "f", "-printf", r"%P\t%s\t%G\n").decode().splitlines()
    return {path: (int(size), group) for path, size, group in (line.split("\t") for line in found)}


def test_a_failed_leg_leaves_its_evidence_where_the_failure_says(voice: Namespace, volume: str, tmp_path: Path) -> None:
    voice.apply(call_test("evidence", call=WRONG, evidence={"claimName": CLAIM}))
    voice.finished("evidence")
    run = voice.run_of("evidence")
    (failure,) = run["status"]["failures"]
    assert (failure["leg"], failure["reason"]) == ("Callee", "DtmfMismatch"), run["status"]
    uid = run["metadata"]["uid"][:8]
    assert failure["evidence"] == f"{run['metadata']['name']}-{uid}/ep0/pin-0/Callee"
    kept = files(volume)
    names = ("capture.pcap", "received.wav", "sent.wav", "sip.txt")
    caller = failure["evidence"].replace("Callee", "Caller")  # what it sent, the callee should have got
    assert set(kept) == {f"{folder}/{name}" for folder in (caller, failure["evidence"]) for name in names}
    assert {group for _, group in kept.values()} == {AGENT_GROUP}
    legs = {line["role"]: line.get("evidence") for line in detail_of(voice, run) if line["kind"] == "leg"}
    assert legs == {"Caller": None, "Callee": failure["evidence"]}
    assert [line["evidence"] for line in detail_of(voice, run) if line["kind"] == "kept"] == [caller]
    capture = tmp_path / "capture.pcap"
    capture.write_bytes(in_node("cat", f"{volume}/{failure['evidence']}/capture.pcap"))
    trace = [sys.executable, "-m", "controller.cli", "trace", str(capture), "--json"]
    streams = json.loads(subprocess.run(trace, capture_output=True, timeout=60, check=True).stdout)["streams"]
    assert {stream["codec"] for stream in streams} == {"PCMU"}
    assert "1234#" in ["".join(digit["digit"] for digit in stream["digits"]) for stream in streams]
    deleted(voice, "evidence")


def test_a_run_that_passed_leaves_nothing(voice: Namespace, volume: str) -> None:
    before = files(volume)
    voice.apply(call_test("no-evidence", evidence={"claimName": CLAIM}))
    voice.finished("no-evidence")
    assert voice.run_of("no-evidence")["status"]["result"] == "Passed"
    assert files(volume) == before
    deleted(voice, "no-evidence")


def test_a_claim_that_is_not_there_is_named_long_before_the_deadline(voice: Namespace) -> None:
    voice.apply(call_test("no-claim", evidence={"claimName": "nobodys"}))
    voice.finished("no-claim", timeout_s=40)
    status = voice.run_of("no-claim")["status"]
    assert (status["result"], status["reason"]) == ("Inconclusive", "InputMissing")
    assert "PersistentVolumeClaim nobodys (evidence.claimName) is not there" in status["message"]
    deleted(voice, "no-claim")


def test_keeping_needs_a_claim(voice: Namespace) -> None:
    with pytest.raises(KubectlError, match="keep needs claimName"):
        voice.apply(call_test("nowhere", evidence={"keep": "Always"}))
