"""Addresses as all documents write them: `ip:port`, and `[ip]:port` of IPv6 (RFC 3986 §3.2.2). Pure."""

from enum import StrEnum
from ipaddress import ip_address


class IpFamily(StrEnum):
    """Which IP, as Kubernetes calls them."""

    IPV4 = "IPv4"
    IPV6 = "IPv6"


def place(ip: str, port: int) -> str:
    """An address with its port."""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def host_of(at: str) -> str:
    """The address of an `ip:port`, without brackets."""
    return at.rpartition(":")[0].strip("[]")


def family_of(ip: str) -> IpFamily | None:
    """None: it is no address, or one of a link (`fe80::1%eth0`), which is no place to others."""
    try:
        found = ip_address(ip)
    except ValueError:
        return None
    if found.version == 4:
        return IpFamily.IPV4
    return None if found.scope_id else IpFamily.IPV6


def only(ip: str) -> str:
    """The network (CIDR) of that address alone."""
    return f"{ip}/{128 if ':' in ip else 32}"
