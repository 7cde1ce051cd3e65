"""Addresses, as documents write them."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.address import IpFamily, family_of, host_of, only, place


@given(st.ip_addresses(), st.integers(1, 65535))
def test_a_place_is_an_address_and_a_port(ip, port):
    at = place(str(ip), port)
    assert (host_of(at), at.rpartition(":")[2]) == (str(ip), str(port))
    assert at.startswith("[") == (ip.version == 6)
    assert family_of(str(ip)) is (IpFamily.IPV4 if ip.version == 4 else IpFamily.IPV6)
    assert ip_address(only(str(ip)).partition("/")[0]) == ip


@pytest.mark.parametrize("text", ["", "example.com", "fe80::1%eth0", "10.0.0", "[::1]"])
def test_what_is_no_address_has_no_family(text):
    assert family_of(text) is None
