"""Each command of bench/ runs: a figure that nobody can measure any more is a figure that nobody should quote."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.contract.codecs import Codec

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = {"engine", "latency", "tap", "trace/fuzz", "trace/run"}
"""Those that have a test here."""
ON_KUBERNETES = {"operator/run"}
"""Those that need its binaries: tests/e2e/test_operator_bench.py."""
SCAPY = '''
import struct
from collections import namedtuple
Meta = namedtuple("Meta", "sec usec")
def RawPcapReader(path):
    """Of little-endian pcap with microseconds."""
    with open(path, "rb") as file:
        file.read(24)
        while head := file.read(16):
            sec, usec, kept, _ = struct.unpack("<IIII", head)
            yield file.read(kept), Meta(sec, usec)
class UDP:
    def __init__(self, packet): self.payload = packet[42:]
class Ether:
    def __init__(self, packet): self.packet = packet
    def __contains__(self, layer): return self.packet[23] == 17
    def __getitem__(self, layer): return layer(self.packet)
'''
"""As much of scapy as the script of bench/trace/usual_scapy.py asks of it."""


def bench(command: str, *arguments: str, expected: int = 0, **environment: str) -> str:
    """What it printed."""
    done = subprocess.run(
        [sys.executable, ROOT / "bench" / command, *arguments],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env=os.environ | environment,
    )
    assert done.returncode == expected, done.stdout + done.stderr
    return done.stdout


def test_every_command_has_a_test_here_and_says_how_it_is_used() -> None:
    found = {str(path.relative_to(ROOT / "bench")) for path in (ROOT / "bench").rglob("*") if path.stat().st_mode & 1}
    assert {name for name in found if (ROOT / "bench" / name).is_file()} == COMMANDS | ON_KUBERNETES
    for name in COMMANDS | ON_KUBERNETES:
        assert "usage:" in bench(name, "--help")


def test_tap_has_a_row_for_phones_without_it_counted_and_captured() -> None:
    pytest.importorskip("pjsua2")
    said = bench("tap", "--calls", "2", "--hold", "1", "--rounds", "1")
    rows = {row[0]: row[1:] for row in table(said)}
    assert list(rows) == ["tap", "none", "counted", "captured"]
    assert set(rows["none"][1:4:2]) <= {"1.00", "-"}, said  # two calls may take no tick of the kernel's clock
    assert all(float(rows[mode][-1]) < 1000 for mode in ("counted", "captured")), "late, in ms"
    assert "4 legs" in said


def test_engine_has_a_row_for_each_transport_keying_and_codec() -> None:
    pytest.importorskip("pjsua2")
    said = bench("engine", "--calls", "2", "--hold", "4", "--rounds", "1")
    rows = {row[0]: row[1:] for row in table(said)}
    names = ["UDP", "TCP", "TCP, not sent at once", "TLS", "TLS, SDES", "TLS, DTLS"]
    names += [f"UDP, {codec}" for codec in Codec if codec is not Codec.PCMU]
    assert list(rows)[1 : len(names) + 1] == names
    assert set(list(rows)[len(names) + 1 :]) <= {"TLS, SDES by Debian's"}
    assert all(0 < float(rows[name][-1]) < 30_000 for name in names), "answered, in ms"
    assert "4 legs" in said


def table(said: str) -> list[list[str]]:
    lines = [line for line in said.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_trace_run_finds_the_truth_of_a_small_capture(tmp_path: Path) -> None:
    for name, source in {"utils": SCAPY, "layers/inet": SCAPY, "layers/l2": SCAPY}.items():
        module = tmp_path / "scapy" / f"{name}.py"
        module.parent.mkdir(parents=True, exist_ok=True)
        module.write_text(source)
    said = bench(
        "trace/run",
        *("--streams", "2", "--rounds", "1", "--prefixes", "--scapy", sys.executable, "--folder", str(tmp_path)),
        PYTHONPATH=str(tmp_path),
    )
    assert "truth: every stream and digit exact, all three" in said
    assert re.search(r"^scapy .*packets/s$", said, re.MULTILINE)
    assert re.fullmatch(r"2 \d+", (tmp_path / "scapy.out").read_text().strip()), (
        "streams and digits of the usual script"
    )


def test_trace_fuzz_finds_nothing_in_a_few_captures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where it leaves what it finds
    assert " 0 faults" in bench("trace/fuzz", "--count", "200", "--seed", "3")
    assert list(tmp_path.iterdir()) == []


TEST = {
    "apiVersion": "calltest.dev/v1alpha1",
    "kind": "CallTest",
    "metadata": {"name": "pin"},
    "spec": {"calls": [{"name": "pin", "holdSeconds": 0}]},
}


@pytest.mark.parametrize(("budget", "expected"), [("60", 0), ("0", 1)])
def test_latency_tells_each_step_and_fails_above_its_budget(tmp_path: Path, budget: str, expected: int) -> None:
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(TEST))
    with api_server() as url:
        (tmp_path / "config").write_text(yaml.safe_dump(kubeconfig(url)))
        said = bench(
            "latency",
            *("--namespace", "voice", "--budget", budget, "--times", "2", str(tmp_path / "test.yaml")),
            expected=expected,
            KUBECONFIG=str(tmp_path / "config"),
        )
    assert "pin-g1: Passed" in said
    assert "pin-g2: Passed" in said
    steps = re.findall(r"\+ *[\d.]+  (.*)", said)
    assert steps[: len(steps) // 2] == steps[len(steps) // 2 :]
    assert steps[: len(steps) // 2] == [
        "run created",
        "endpoints resolved",
        "pods created",
        "containers running",
        "stage 0 started",
        "stage 0 done",
        "agents ended",
        "finished",
    ]


def kubeconfig(url: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": url}}],
        "users": [{"name": "me", "user": {}}],
    }


def pod(state: str, *, prepare: int, go: int) -> dict[str, Any]:
    signal = json.dumps({"prepare": prepare, "go": go})
    return {
        "metadata": {"annotations": {"calltest.dev/go": signal}},
        "status": {"containerStatuses": [{"state": {state: {}}}] if state else []},
    }


ENDPOINTS = {"endpoints": [{"index": 0}]}
DONE = ENDPOINTS | {"result": "Passed"}
MOMENTS: tuple[tuple[dict[str, Any] | None, list[dict[str, Any]]], ...] = (
    (None, []),
    ({}, []),
    (ENDPOINTS, []),
    (ENDPOINTS, [pod("", prepare=0, go=-1)]),
    (ENDPOINTS, [pod("running", prepare=0, go=-1)]),
    (ENDPOINTS, [pod("running", prepare=0, go=0)]),
    (ENDPOINTS, [pod("running", prepare=1, go=0)]),
    (ENDPOINTS, [pod("terminated", prepare=1, go=0)]),
    (DONE, [pod("terminated", prepare=1, go=0)]),
)
"""A run's status and its pods, from one look to the next."""


class Api(BaseHTTPRequestHandler):
    """As much of an API server as the command asks."""

    generation, moment = 0, 0

    def do_PATCH(self) -> None:  # the base class's name
        """Of the CallTest: the first time there is none."""
        self.apply(200) if Api.generation else self.reply(404, {})

    def do_POST(self) -> None:
        self.apply(201)

    def apply(self, code: int) -> None:
        Api.generation, Api.moment = Api.generation + 1, 0
        self.reply(code, {"metadata": {"generation": Api.generation}})

    def do_GET(self) -> None:
        status, pods = MOMENTS[min(Api.moment, len(MOMENTS) - 1)]
        if "/pods" in self.path:
            Api.moment += 1
            self.reply(200, {"items": pods})
        elif status is None:
            Api.moment += 1
            self.reply(404, {})
        else:
            self.reply(200, {"status": status})

    def reply(self, code: int, body: dict[str, Any]) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        raw = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def api_server() -> Iterator[str]:
    Api.generation, Api.moment = 0, 0
    with HTTPServer(("127.0.0.1", 0), Api) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
