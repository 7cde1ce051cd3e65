"""A port where nobody listens is known as such by the kernel's word, and a call to it does not take Timer B."""

import math
import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from agent.contract.call import Call
from agent.contract.plan import Credentials
from agent.contract.registration import RegistrationObservation, RegistrationOutcome
from agent.contract.verdict import Check, Reason, Role
from agent.judge.checks.answered import TIMER_B_MS
from agent.run.closed_ports import CLOSED_S, KEEP_ALIVE, KNOCK_S, UdpDoor
from tests.component.agents import Agent, make_group, make_plan
from tests.component.field import not_hindered

SOON_S = 0.2
T1_S = 0.5
"""A request is sent again after it (RFC 3261 §17.1.1.1)."""
LIMIT_S = 15.0
"""It took 32 s before, and takes 6.5 s; the rest is for a busy machine."""
ASKED_FOR = range(9000, 10_000)
"""Ports that nobody gets who does not ask for them: our RTP's begin above (10000), and those that the kernel gives away
(32768)."""


def bound(family: socket.AddressFamily, host: str, number: int = 0) -> socket.socket:
    sut = socket.socket(family, socket.SOCK_DGRAM)
    sut.bind((host, number))
    sut.settimeout(5)
    return sut


@pytest.fixture(params=[(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=["IPv4", "IPv6"])
def port(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    try:
        made = bound(*request.param)
    except OSError:
        if request.param[0] is socket.AF_INET:
            raise
        pytest.skip("this machine has no ::1")
    with made as sut:
        yield sut


def door_to(sut: socket.socket) -> UdpDoor:
    host, number = sut.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return UdpDoor(f"{shown}:5060", f"{shown}:{number}")


def test_a_closed_port_is_refused_and_an_open_one_is_not(port: socket.socket) -> None:
    door = door_to(port)
    door.knock()
    assert port.recv(64) == KEEP_ALIVE
    time.sleep(SOON_S)
    assert not door.refused()
    port.close()
    for _ in range(2):
        door.knock()
        time.sleep(SOON_S)
        assert door.refused()
    door.close()


def test_a_port_that_answers_a_keep_alive_is_open(port: socket.socket) -> None:
    door = door_to(port)
    door.knock()
    _, sender = port.recvfrom(64)
    port.sendto(b"\r\n", sender)
    port.close()
    time.sleep(SOON_S)
    assert not door.refused()
    door.close()


def test_each_keep_alive_is_another_flow_than_the_one_before(port: socket.socket) -> None:
    door = door_to(port)
    senders = []
    for _ in range(200):
        door.knock()
        senders.append(port.recvfrom(64)[1])
    assert all(before != after for before, after in pairwise(senders))
    door.close()


@pytest.mark.parametrize(
    ("local", "peer"),
    [("192.0.2.1:5060", "127.0.0.1:5060"), ("127.0.0.1:5060", "192.0.2.1:5060"), ("127.0.0.1:5060", "[::1]:5060")],
    ids=["not from here", "no way there", "another family"],
)
def test_what_cannot_be_asked_is_not_refused(local: str, peer: str) -> None:
    door = UdpDoor(local, peer)
    door.knock()
    time.sleep(SOON_S)
    assert not door.refused()
    door.close()


# The agent

pytest.importorskip("pjsua2")


def address_of(sut: socket.socket) -> str:
    return "{}:{}".format(*sut.getsockname())


def closed_address() -> str:
    """Of a port that stays closed: nobody else happens to get it meanwhile."""
    while True:
        # Not by `random`: that is seeded alike in all workers.
        with suppress(OSError), bound(socket.AF_INET, "127.0.0.1", secrets.choice(ASKED_FOR)) as sut:
            return address_of(sut)


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Callable[..., Agent]]:
    made: list[Agent] = []

    def start(address: str, *, credentials: Credentials | None = None) -> Agent:
        group = make_group(answer_timeout_seconds=30)
        made.append(Agent(tmp_path / "caller", make_plan(Role.CALLER, group, address=address, credentials=credentials)))
        return made[-1]

    yield start
    for each in made:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


def test_calls_that_were_left_take_no_room_from_those_that_come_after() -> None:
    """pjsip has each of them until Timer B (RFC 3261 §17.1.1.2), and so many calls at a time."""
    left_after_s = T1_S + CLOSED_S + KNOCK_S
    at_once: int = msgspec.json.schema(Call)["$defs"]["Call"]["properties"]["concurrency"]["maximum"]
    from agent.phone.pjsua.configuration import MAX_CALLS  # noqa: PLC0415  # pjsua2 is asked for above

    assert at_once * math.ceil(TIMER_B_MS / 1000 / left_after_s) <= MAX_CALLS


def test_a_call_to_a_closed_port_is_failed_soon_and_the_agent_goes_on(agent: Callable[..., Agent]) -> None:
    caller = agent(address := closed_address())
    caller.signal(go=0)
    caller.wait_for(lambda progress: progress.done == 1)
    caller.signal(prepare=1, go=0)
    assert caller.exit_code() == 0
    (leg,) = caller.legs
    assert leg.progress.ended_ms is not None
    assert leg.progress.ended_ms < LIMIT_S * 1000
    assert leg.asked.refused is not None
    assert leg.asked.refused.over_ms >= CLOSED_S * 1000
    not_hindered(leg.findings, Reason.NO_RESPONSE)
    (finding,) = leg.findings
    assert (finding.check, finding.reason) == (Check.ANSWERED, Reason.NO_RESPONSE)
    assert f"to {address}; the port is closed" in (finding.note or "")
    assert "Traceback" not in caller.errors


def test_a_port_that_opens_meanwhile_is_called(agent: Callable[..., Agent]) -> None:
    """As a system that restarts: closed for 2.5 s, and then it refuses the retransmission that it gets."""
    address = closed_address()
    caller = agent(address)
    caller.wait_for(lambda progress: progress.ready == 1)
    caller.signal(go=0)
    time.sleep(2.5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sut:
        sut.bind(("127.0.0.1", int(address.rpartition(":")[2])))
        sut.settimeout(10)
        invite, sender = KEEP_ALIVE, ("", 0)
        while not invite.startswith(b"INVITE"):
            invite, sender = sut.recvfrom(65535)
        head = [line for line in invite.decode().split("\r\n") if line.startswith(("Via", "From", "Call-ID", "CSeq"))]
        to = next(line for line in invite.decode().split("\r\n") if line.startswith("To:"))
        answer = ["SIP/2.0 486 Busy Here", *head, f"{to};tag=t", "Content-Length: 0", "", ""]
        sut.sendto("\r\n".join(answer).encode(), sender)
        caller.wait_for(lambda progress: progress.done == 1)
    (leg,) = caller.legs
    assert (leg.final_code, leg.asked.refused) == (486, None)


def test_a_register_to_a_closed_port_is_concluded_soon(agent: Callable[..., Agent], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    for key in ("username", "password"):
        (secret / key).write_text("alice")
    caller = agent(closed_address(), credentials=Credentials(directory=str(secret), secret_name="alice"))
    caller.wait_for(lambda progress: progress.ready == 1)
    caller.signal(prepare=1, go=0)
    assert caller.exit_code() == 0
    (seen,) = caller.detail
    assert isinstance(seen, RegistrationObservation)
    assert (seen.outcome, seen.local_reason) == (RegistrationOutcome.TIMEOUT, None)
    assert seen.asked.refused is not None
    assert CLOSED_S * 1000 <= seen.asked.refused.over_ms < LIMIT_S * 1000
