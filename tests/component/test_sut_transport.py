"""`calltest run` through a local Kamailio and rtpengine by IPv6, over UDP, TCP and TLS."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.component.field import not_overloaded
from tests.component.peers.running import CALLTEST, both
from tests.sut.local import LocalSut, local_sut, network_namespace

pytest.importorskip("pjsua2")
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the local SUT needs root")
V6, V4 = "ipFamily: IPv6", "ipFamily: IPv4"


def called(
    sut: LocalSut, folder: Path, target: str, port: int, route: str = "Register", scheme: str = "sip"
) -> dict[str, Any]:
    """The run's status. As both IPv4 and IPv6 lead there, the test says which."""
    test = both().replace("port: sip}", f"port: sip, {target}}}").replace('"sip:', f'"{scheme}:')
    (folder / "test.yaml").write_text(test.replace('bob@example.com"', f'bob@example.com", route: {route}'))
    host = "[::1]" if "IPv6" in target else "127.0.0.1"
    command = [*sut.enter, *CALLTEST, str(folder / "test.yaml"), "--target", f"{host}:{port}", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout.startswith("{"), done.stderr
    status: dict[str, Any] = json.loads(done.stdout)["status"]
    not_overloaded(status)
    return status


@pytest.mark.parametrize(
    ("target", "port"),
    [
        (V6, 5060),
        (V4, 5060),
        (f"{V6}, transport: TCP", 5060),
        (f"{V6}, transport: TLS, tls: {{verify: false}}", 5061),
    ],
)
def test_calls_go_through_kamailio_by_either_family(tmp_path: Path, target: str, port: int) -> None:
    with network_namespace() as namespace, local_sut(["OPEN", "TCP", "TLS"], namespace=namespace, ipv6=True) as sut:
        status = called(sut, tmp_path, target, port)
        assert status["result"] == "Passed", status["message"]
        assert status["endpoints"][0]["address"] == (f"[::1]:{port}" if "IPv6" in target else f"127.0.0.1:{port}")


def test_a_callee_is_dialled_by_its_own_address(tmp_path: Path) -> None:
    with network_namespace() as namespace, local_sut(["OPEN"], namespace=namespace, ipv6=True) as sut:
        status = called(sut, tmp_path, V6, 5060, "RequestURI")
        assert status["result"] == "Passed", status["message"]


def test_a_sips_call_stays_one_through_kamailio(tmp_path: Path) -> None:
    over_tls = "transport: TLS, tls: {verify: false}"
    with network_namespace() as namespace, local_sut(["OPEN", "TLS"], namespace=namespace, ipv6=True) as sut:
        status = called(sut, tmp_path, over_tls, 5061, scheme="sips")
        assert status["result"] == "Passed", status["message"]
