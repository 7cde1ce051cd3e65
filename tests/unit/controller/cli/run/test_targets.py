"""Where calls go: --target, or the address of the test."""

from typing import Any

import msgspec
import pytest

from agent.contract.address import IpFamily
from agent.contract.plan import Transport
from controller.api.target import Target
from controller.cli.run.targets import Destination, addresses, destinations, endpoints, read_destination, source_address
from controller.faults import UnusableInputError


def target(**fields: Any) -> Target:
    return msgspec.convert({"service": {"name": "sut"}, **fields} if "address" not in fields else fields, Target)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:5070", "127.0.0.1", 5070),
        ("sbc.example.com", "sbc.example.com", 5062),
        ("x:1", "x", 1),
        ("sip:x:7", "x", 7),
        ("SIP:x;transport=UDP", "x", 5062),
        ("x:7;transport=udp", "x", 7),
        ("[2001:db8::1]:7", "2001:db8::1", 7),
        ("[::1]", "::1", 5062),
        ("::1", "::1", 5062),
        ("sip:[::1]:7;transport=udp", "::1", 7),
    ],
)
def test_target_is_host_and_port(text: str, host: str, port: int) -> None:
    assert read_destination(text, 5062, Transport.UDP) == Destination(host=host, port=port)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "give HOST or HOST:PORT"),
        ("sip:a@b", "whom to call is the test's calls[].to"),
        ("host:", "give HOST or HOST:PORT"),
        ("::1:65536", "of IPv6 [HOST]:PORT"),
        ("[::1", "of IPv6 [HOST]:PORT"),
        ("fe80::1%eth0", "of IPv6 [HOST]:PORT"),
        ("sips:x", "UDP, TCP, TLS are the transports, said in the test"),
        ("x:5060;transport=sctp", "UDP, TCP, TLS are the transports, said in the test"),
        ("x:5060;transport=tls", "the test's target.transport is UDP"),
        ("x:5060;transport=tcp", "the test's target.transport is UDP"),
        ("x;lr", "give HOST or HOST:PORT"),
        ("10.0.0.5,10.0.0.6:7", "give each by its own: -t 10.0.0.5 -t 10.0.0.6:7"),
        ("a,", "give HOST or HOST:PORT"),
        ("sip:x:y", "give HOST or HOST:PORT"),
        ("http://x", "give HOST or HOST:PORT"),
        ("host:0", "a port is a number from 1 to 65535"),
        ("host:65536", "a port is a number from 1 to 65535"),
        ("a b", "give HOST or HOST:PORT"),
        ("host\r\nX: y", "give HOST or HOST:PORT"),
    ],
)
def test_bad_target_is_named(text: str, said: str) -> None:
    with pytest.raises(UnusableInputError, match="--target") as caught:
        read_destination(text, 5060, Transport.UDP)
    assert said in str(caught.value)


def test_the_transport_may_be_said_again() -> None:
    assert read_destination("x:7;transport=tcp", 5060, Transport.TCP) == Destination(host="x", port=7)


def test_typed_targets_replace_the_test_s_own() -> None:
    own = target(address={"host": "sbc.example.com"}, port=5080)
    assert destinations(own, [], "spec.target") == (Destination(host="sbc.example.com", port=5080),)
    assert destinations(own, ["a", "b:7"], "spec.target") == (
        Destination(host="a", port=5080),
        Destination(host="b", port=7),
    )


def test_a_service_needs_a_typed_target() -> None:
    with pytest.raises(UnusableInputError, match=r"spec.target.service can only be found on a cluster: .*--target"):
        destinations(target(), [], "spec.target")
    assert destinations(target(port="sip"), ["a"], "spec.target") == (Destination(host="a", port=5060),)


def test_via_service_is_one_endpoint() -> None:
    with pytest.raises(UnusableInputError, match="give one --target"):
        destinations(target(via="Service"), ["a", "b"], "spec.target")


def test_every_address_of_a_name_is_an_endpoint_once() -> None:
    hosts = {"a": ["192.0.2.1", "192.0.2.2"], "b": ["192.0.2.2"]}
    wanted = [Destination(host="a", port=5060), Destination(host="b", port=5060)]
    found = endpoints(wanted, lambda host, _family: hosts[host], target())
    assert [(item.index, item.address) for item in found] == [(0, "192.0.2.1:5060"), (1, "192.0.2.2:5060")]
    assert len(endpoints(wanted, lambda host, _family: hosts[host], target(via="Service"))) == 1


def test_a_name_is_asked_for_addresses_of_the_tests_family() -> None:
    hosts = {"IPv4": ["192.0.2.1"], "IPv6": ["2001:db8::1", "::1"]}
    over_ipv6 = target(ipFamily="IPv6")
    found = endpoints([Destination(host="a", port=5060)], lambda _host, family: hosts[family], over_ipv6)
    assert [item.address for item in found] == ["[2001:db8::1]:5060", "[::1]:5060"]


@pytest.mark.parametrize(("host", "family"), [("::1", "IPv4"), ("127.0.0.1", "IPv6")])
def test_an_address_of_the_other_family_is_refused(host: str, family: str) -> None:
    said = f"is no {family} address, and the test's target.ipFamily is {family}"
    with pytest.raises(UnusableInputError, match=said):
        endpoints([Destination(host=host, port=5060)], addresses, target(ipFamily=family))


@pytest.mark.parametrize("ip", ["224.0.0.1", "0.0.0.0", "255.255.255.255", "::", "ff02::1", "fe80::1%1"])
def test_addresses_of_no_one_host_are_refused(ip: str) -> None:
    with pytest.raises(UnusableInputError, match="is no address of one host"):
        endpoints([Destination(host="a", port=5060)], lambda *_: [ip], target())


def test_name_without_address_is_named() -> None:
    def lookup(_host: str, _family: IpFamily) -> list[str]:
        raise OSError("Name or service not known")

    with pytest.raises(UnusableInputError, match="target nowhere:5060: no IPv4 address for this host: Name or service"):
        endpoints([Destination(host="nowhere", port=5060)], lookup, target())


def test_too_many_targets_are_refused() -> None:
    many = [Destination(host=f"192.0.2.{i % 250}", port=5060 + i) for i in range(201)]
    with pytest.raises(UnusableInputError, match="201 targets, at most 200"):
        endpoints(many, lambda host, _family: [host], target())


def test_loopback_is_called_from_loopback() -> None:
    assert source_address(["127.0.0.10:5060", "127.3.0.1:5070"]) == "127.0.0.1"
    assert source_address(["[::1]:5060"]) == "::1"
