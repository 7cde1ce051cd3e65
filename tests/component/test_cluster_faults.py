"""Path faults as a cluster's node has them: packets are forwarded, and the first INVITE tells who is who."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.sut import Fault, Packets, Towards, apply_faults, cluster_selector, network_namespace
from tests.sut.local import entering

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")

ADDRESS = {"caller": "10.9.1.2", "sut": "10.9.2.2", "callee": "10.9.3.2"}
LISTEN = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind((sys.argv[1], 4000))
print("listening", flush=True)
sock.settimeout(10)
arrived = 0
while (data := sock.recv(2048)) != b"end":
    arrived += 1
print(arrived)
"""
SEND = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(int(sys.argv[2])):
    sock.sendto(bytes((0x80, 0)) + bytes(170), (sys.argv[1], 4000))
sock.sendto(b"end", (sys.argv[1], 4000))
"""
INVITE = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.sendto(b"INVITE sip:bob@example.com SIP/2.0\\r\\n\\r\\n", (sys.argv[1], 5060))
"""


class Network:
    """Three hosts and the node between them."""

    def __init__(self, node: str, hosts: dict[str, str]) -> None:
        self.node, self.hosts = node, hosts

    def python(self, host: str, code: str, *words: str) -> list[str]:
        return [*entering(self.hosts[host]), sys.executable, "-c", code, *words]

    def invite(self, source: str, target: str) -> None:
        subprocess.run(self.python(source, INVITE, ADDRESS[target]), check=True, timeout=10)

    def arrived(self, source: str, target: str, count: int) -> int:
        command = self.python(target, LISTEN, ADDRESS[target])
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as listener:
            assert listener.stdout
            listener.stdout.readline()
            subprocess.run(self.python(source, SEND, ADDRESS[target], str(count)), check=True, timeout=10)
            return int(listener.stdout.readline())


@pytest.fixture
def network() -> Iterator[Network]:
    with ExitStack() as stack:
        node = stack.enter_context(network_namespace())
        hosts = {name: stack.enter_context(network_namespace()) for name in ADDRESS}
        for number, (name, path) in enumerate(hosts.items(), 1):
            outer = f"v{number}"
            run(node, "ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", path)
            run(node, "ip", "address", "add", f"10.9.{number}.1/24", "dev", outer)
            run(node, "ip", "link", "set", outer, "up")
            run(path, "ip", "address", "add", f"{ADDRESS[name]}/24", "dev", "eth0")
            run(path, "ip", "link", "set", "eth0", "up")
            run(path, "ip", "route", "add", "default", "via", f"10.9.{number}.1")
        run(node, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        yield Network(node, hosts)


def run(namespace: str, *words: str) -> None:
    subprocess.run([*entering(namespace), *words], check=True, timeout=10)


@pytest.mark.parametrize("towards", Towards)
def test_only_packets_towards_that_side_are_lost_once_an_invite_told_which_it_is(
    network: Network, towards: Towards
) -> None:
    fault = Fault(towards=towards, packets=Packets.RTP, drop_percent=100)
    selector = cluster_selector([ADDRESS["sut"]])
    lost, kept = ("caller", "callee") if towards is Towards.CALLER else ("callee", "caller")
    with apply_faults([fault], selector, enter=entering(network.node), hook="FORWARD") as applied:
        assert network.arrived("sut", lost, 20) == 20, "nobody has called yet"
        network.invite("caller", "sut")
        network.invite("sut", "callee")
        assert network.arrived("sut", lost, 20) == 0
        assert applied.dropped() == 20
        assert network.arrived("sut", kept, 20) == 20
        assert network.arrived(lost, "sut", 20) == 20, "the other direction"
    assert network.arrived("sut", lost, 20) == 20
