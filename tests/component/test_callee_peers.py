"""A real callee agent, and peers that flood it with calls, chatter in one, or never acknowledge its answer."""

import contextlib
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.contract.call import Behaviour
from agent.contract.observation import Side
from agent.contract.room import GUESTS
from agent.contract.verdict import Role
from controller.kube.manifests import DEFAULT_LIMITS
from tests.component.agents import Agent, make_plan
from tests.component.network import own_network
from tests.component.phones import message, response, sdp

pytest.importorskip("pjsua2")
INVITES, PER_S = 12_000, 500
LIMIT_BYTES = int(DEFAULT_LIMITS["memory"].removesuffix("Gi")) * 2**30


@contextlib.contextmanager
def callee(directory: Path) -> Iterator[tuple[Agent, tuple[str, int]]]:
    """An absorber that takes calls, and its address, in a network of their own."""
    with own_network():
        agent = Agent(directory / "callee", make_plan(Role.CALLEE, behaviour=Behaviour.ABSORBER))
        yield from _ready(agent)


def _ready(agent: Agent) -> Iterator[tuple[Agent, tuple[str, int]]]:
    try:
        host, _, port = (agent.wait_for(lambda progress: progress.ready == 1).address or "").partition(":")
        agent.signal(go=0)
        yield agent, (host, int(port))
    finally:
        if agent.process.poll() is None:
            agent.process.kill()
            agent.process.wait()


def peak_bytes(agent: Agent) -> int:
    """The most memory that its process has had at a time."""
    status = Path(f"/proc/{agent.process.pid}/status").read_text()
    return 1024 * int(re.findall(r"VmHWM:\s+(\d+)", status)[0])


def request(method: str, me: str, call: str, cseq: int, *, to_tag: str = "", body: str = "") -> bytes:
    headers = [
        f"Via: SIP/2.0/UDP {me};branch=z9hG4bK{call}{method}{cseq}",
        "From: <sip:eve@example.com>;tag=e",
        f"To: <sip:bob@127.0.0.1>{to_tag and ';tag=' + to_tag}",
        f"Call-ID: {call}",
        f"CSeq: {cseq} {method}",
        f"Contact: <sip:eve@{me}>",
        "Max-Forwards: 70",
    ]
    return message(f"{method} sip:bob@127.0.0.1 SIP/2.0", headers, body=body).encode()


def drained(peer: socket.socket) -> list[str]:
    """Whatever came."""
    came = []
    with contextlib.suppress(BlockingIOError):
        while True:
            came.append(peer.recv(65536).decode())
    return came


@pytest.mark.flood
def test_a_flood_of_invites_stays_under_the_pods_memory_limit(tmp_path):
    """Nobody acknowledges anything: each response is kept and sent again for 32 s (RFC 3261, Timer H)."""
    with callee(tmp_path) as (agent, address), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.setblocking(False)
        me, began_s = f"127.0.0.1:{peer.getsockname()[1]}", time.monotonic()
        peak = 0
        for number in range(INVITES):
            with contextlib.suppress(BlockingIOError):
                peer.sendto(request("INVITE", me, f"flood-{number}", 1, body=sdp(900)), address)
            drained(peer)
            if number % 500 == 0 and agent.process.poll() is None:
                peak = peak_bytes(agent)
            time.sleep(max(0.0, began_s + number / PER_S - time.monotonic()))
        if agent.process.poll() is None:
            peak = peak_bytes(agent)
            agent.process.terminate()
        assert agent.exit_code() == 0, agent.errors
        assert agent.result.final
        assert agent.digest_agrees()
        assert agent.result.legs == len(agent.legs) + agent.result.legs_left_out
        assert len(agent.legs) <= GUESTS + 1
        assert peak < LIMIT_BYTES * 3 // 4, f"{peak / 2**20:.0f} MiB"


@pytest.mark.flood
@pytest.mark.parametrize("method", ["OPTIONS", "MESSAGE"])
def test_two_thousand_messages_in_one_call_lose_no_bye(tmp_path, method):
    with callee(tmp_path) as (agent, address), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(5)
        me = f"127.0.0.1:{peer.getsockname()[1]}"
        peer.sendto(request("INVITE", me, "chatty", 1, body=sdp(900)), address)
        while " 200 " not in (answer := peer.recv(65536).decode()).partition("\r\n")[0]:
            pass
        tag = re.findall(r"(?m)^To:.*;tag=(\S+)", answer)[0]
        peer.sendto(request("ACK", me, "chatty", 1, to_tag=tag), address)
        for number in range(2, 2002):
            peer.sendto(request(method, me, "chatty", number, to_tag=tag), address)
            peer.recv(65536)
        peer.sendto(request("BYE", me, "chatty", 2002, to_tag=tag), address)
        agent.wait_for(lambda progress: progress.ended == 1)
        (leg,) = agent.legs
        assert (leg.final_code, leg.acknowledged, leg.ended_by) == (200, True, Side.REMOTE)
        assert leg.progress.bye_ms is not None
        assert leg.events_left_out > 1000


def test_a_call_that_is_never_acknowledged_is_hung_up_after_64_t1(tmp_path):
    """RFC 3261 §13.3.1.4: by the stack's timer or by our own step, and once."""
    with callee(tmp_path) as (agent, address), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(45)
        me = f"127.0.0.1:{peer.getsockname()[1]}"
        peer.sendto(request("INVITE", me, "unheard", 1, body=sdp(900)), address)
        answered_s = None
        while not (came := peer.recv(65536).decode()).startswith("BYE "):
            if answered_s is None and " 200 " in came.partition("\r\n")[0]:
                answered_s = time.monotonic()
        assert answered_s is not None
        assert time.monotonic() - answered_s == pytest.approx(32.0, abs=2.0)
        peer.sendto(response(came, "200 OK").encode(), address)
        agent.wait_for(lambda progress: progress.ended == 1)
        (leg,) = agent.legs
        assert (leg.final_code, leg.acknowledged, leg.ended_by, leg.bye_answered) == (200, False, Side.LOCAL, True)


def test_messages_of_any_length_are_sent_whole(tmp_path):
    """pjsip's buffer for what it sends is small at first (dev/pjsua2/patches/06), and as large as need be then."""
    with callee(tmp_path) as (_, address), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(5)
        me, lengths = f"127.0.0.1:{peer.getsockname()[1]}", set()
        for size in (*range(1200, 1600), 4000, 16_000, 50_000):
            via = f"Via: SIP/2.0/UDP {me};branch=z9hG4bK{size};pad={'x' * size}"
            asked = request("OPTIONS", me, f"o{size}", 1).decode()
            peer.sendto(re.sub(r"Via: .*", via, asked).encode(), address)
            answer = peer.recv(65536).decode()
            lengths.add(len(answer))
            assert answer.startswith("SIP/2.0 200 "), answer[:80]
            assert ";pad=" + "x" * size in answer
            assert answer.partition("\r\n\r\n")[1]
        assert set(range(1990, 2020)) <= lengths, "the first buffer's edge was not tried"
