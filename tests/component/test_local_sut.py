"""The local SUT itself: it starts, refuses what it should, loses on the path what it is told to, and leaves nothing."""

import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sut import (
    Fault,
    LocalSut,
    Packets,
    Selector,
    Towards,
    apply_faults,
    local_selector,
    local_sut,
    network_namespace,
)
from tests.sut.base import ASTERISK

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the local SUT needs root")

SENDER = """
import socket, sys
source, target, count, payload_type, size = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.bind((source, 0))
into = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
into.bind((target, 4000))
into.setblocking(False)
arrived = 0
for n in range(count):
    out.sendto(bytes((0x80, payload_type)) + n.to_bytes(2, "big") + bytes(8 + size), (target, 4000))
    try:
        arrived += bool(into.recv(2048))  # loopback delivers before sendto returns
    except BlockingIOError:
        pass
print(arrived)
"""


def final_response(sut: LocalSut, method: str, user: str, *, skip: str = "SIP/2.0 1") -> str:
    """Sends one request without credentials; gives the first response that is not provisional."""
    host, _, port = sut.address.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(3)
        sock.connect((host, int(port)))
        local = "{}:{}".format(*sock.getsockname())
        to = f"sip:{user}@example.com" if method == "REGISTER" else "sip:bob@example.com"
        lines = [
            f"{method} {'sip:example.com' if method == 'REGISTER' else to} SIP/2.0",
            f"Via: SIP/2.0/UDP {local};branch=z9hG4bK{uuid.uuid4().hex};rport",
            "Max-Forwards: 70",
            f"From: <sip:{user}@example.com>;tag=1",
            f"To: <{to}>",
            f"Call-ID: {uuid.uuid4().hex}",
            f"CSeq: 1 {method}",
            f"Contact: <sip:{user}@{local}>",
            "Content-Length: 0",
        ]
        sock.send("\r\n".join([*lines, "", ""]).encode())
        while (answer := sock.recv(65535).decode()).startswith(skip):
            pass
        return answer.split("\r\n", 1)[0]


def test_asks_for_passwords() -> None:
    with local_sut() as sut:
        assert final_response(sut, "REGISTER", "alice") == "SIP/2.0 401 Unauthorized"
        assert final_response(sut, "INVITE", "alice") == "SIP/2.0 407 Proxy Authentication Required"


def test_open_sut_registers_anybody_and_knows_who_is_not_registered() -> None:
    with local_sut(["OPEN"]) as sut:
        assert final_response(sut, "REGISTER", "alice") == "SIP/2.0 200 OK"
        assert final_response(sut, "INVITE", "alice") == "SIP/2.0 404 Not Registered"


def test_refuses_registrations() -> None:
    with local_sut(["REFUSE_REGISTRATION"]) as sut:
        assert final_response(sut, "REGISTER", "alice") == "SIP/2.0 403 Forbidden"


def test_refuses_calls() -> None:
    with local_sut(["OPEN", "ANSWER_503"]) as sut:
        assert final_response(sut, "REGISTER", "alice") == "SIP/2.0 200 OK"
        assert final_response(sut, "INVITE", "alice") == "SIP/2.0 503 Service Unavailable"


def test_asterisk_asks_for_passwords() -> None:
    with local_sut(base=ASTERISK) as sut:
        assert final_response(sut, "REGISTER", "alice") == "SIP/2.0 401 Unauthorized"
        assert final_response(sut, "INVITE", "alice") == "SIP/2.0 401 Unauthorized"


def test_asterisk_without_passwords_refuses_as_it_is_told() -> None:
    with local_sut(["OPEN", "NO_CONTACTS"], base=ASTERISK) as sut:
        assert final_response(sut, "REGISTER", "alice") == "SIP/2.0 403 Forbidden"
        assert final_response(sut, "INVITE", "alice") == "SIP/2.0 404 Not Found"


def test_two_at_once_do_not_disturb_each_other() -> None:
    with local_sut(["OPEN"]) as one, local_sut(["REFUSE_REGISTRATION"]) as other:
        assert one.address != other.address
        assert final_response(one, "REGISTER", "alice") == "SIP/2.0 200 OK"
        assert final_response(other, "REGISTER", "alice") == "SIP/2.0 403 Forbidden"


def test_replicas_share_registrations() -> None:
    with (
        local_sut(["OPEN", "SHARED_LOCATION"], settings={"SUT_PEERS": "127.0.0.1:1"}) as first,
        local_sut(["OPEN", "SHARED_LOCATION"], settings={"SUT_PEERS": f"{first.host}:5062"}) as second,
    ):
        for one, other in ((first, second), (second, first)):
            assert final_response(one, "REGISTER", "bob") == "SIP/2.0 200 OK"
            wait_until(lambda sut=other: "404" not in final_response(sut, "INVITE", "alice", skip="none"))


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_wrong_feature_says_what_the_parts_said() -> None:
    with pytest.raises(RuntimeError, match="NO_SUCH_FEATURE not known"), local_sut(["NO_SUCH_FEATURE"]):
        pass


def test_leaves_no_process_and_no_namespace() -> None:
    with network_namespace() as namespace, local_sut(["OPEN"], phone="announce", namespace=namespace) as sut:
        inode = Path(namespace).stat().st_ino
        assert len(processes_in(inode)) >= 3
    assert processes_in(inode) == []
    assert not Path(namespace).exists()
    assert not sut.logs.exists()


def processes_in(network_inode: int) -> list[str]:
    commands = []
    for path in Path("/proc").glob("[0-9]*/ns/net"):
        try:
            if path.stat().st_ino == network_inode:
                commands.append((path.parents[1] / "cmdline").read_text())
        except OSError:
            continue
    return commands


def selector(sut: LocalSut) -> Selector:
    return local_selector([sut.media_towards_caller], [sut.media_towards_callee])


def arrived(sut: LocalSut, source: str, *, count: int, payload_type: int, size: int) -> int:
    words = [source, "127.0.0.3", str(count), str(payload_type), str(size)]
    command = [*sut.enter, sys.executable, "-c", SENDER, *words]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout)


def test_a_tenth_of_the_rtp_is_lost_in_one_direction_only() -> None:
    fault = Fault(towards=Towards.CALLEE, packets=Packets.RTP, drop_percent=10)
    with network_namespace() as namespace, local_sut(["OPEN"], namespace=namespace) as sut:
        with apply_faults([fault], selector(sut), enter=sut.enter, hook="INPUT") as applied:
            to_callee = arrived(sut, sut.media_towards_callee, count=2000, payload_type=0, size=160)
            assert 1700 < to_callee < 1900
            assert applied.dropped() == 2000 - to_callee
            assert arrived(sut, sut.media_towards_caller, count=500, payload_type=0, size=160) == 500
            assert arrived(sut, sut.media_towards_callee, count=500, payload_type=200 & 0x7F, size=44) == 500, "RTCP"
            assert final_response_inside(sut) == "SIP/2.0 200 OK"
        assert arrived(sut, sut.media_towards_callee, count=500, payload_type=0, size=160) == 500


def test_telephone_events_are_lost_and_audio_is_not() -> None:
    fault = Fault(towards=Towards.CALLEE, packets=Packets.TELEPHONE_EVENT, drop_percent=100)
    with (
        network_namespace() as namespace,
        local_sut(["OPEN"], namespace=namespace) as sut,
        apply_faults([fault], selector(sut), enter=sut.enter, hook="INPUT"),
    ):
        assert arrived(sut, sut.media_towards_callee, count=100, payload_type=120, size=4) == 0
        assert arrived(sut, sut.media_towards_callee, count=100, payload_type=101, size=4) == 0
        assert arrived(sut, sut.media_towards_callee, count=100, payload_type=0, size=160) == 100
        assert arrived(sut, sut.media_towards_caller, count=100, payload_type=120, size=4) == 100


def final_response_inside(sut: LocalSut) -> str:
    """SIP still passes while RTP is lost."""
    code = (
        "from tests.component.test_local_sut import *\n"
        "from types import SimpleNamespace\n"
        f"print(final_response(SimpleNamespace(address={sut.address!r}), 'REGISTER', 'alice'))"
    )
    command = [*sut.enter, sys.executable, "-c", code]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30, cwd=root)
    return done.stdout.strip()
