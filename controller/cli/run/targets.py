"""Where `calltest run` sends its calls: what the user typed, resolved to `ip:port`, one endpoint each."""

import ipaddress
import re
import shlex
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from agent.contract.address import IpFamily, family_of, host_of, place
from agent.contract.plan import Transport
from controller.api.run import MAX_ENDPOINTS, Endpoint
from controller.api.target import Target, Via
from controller.faults import UnusableInputError

SIP_PORT: Final = 5060
_HOST_PORT = re.compile(
    r"(?P<host>[A-Za-z0-9]([-A-Za-z0-9.]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?"
)
_SIP_URI = re.compile(r"(?:(sips?):)?([^;]*?)(?:;transport=([A-Za-z]+))?", re.IGNORECASE)

Lookup = Callable[[str, IpFamily], Sequence[str]]
"""A host's addresses of a family; OSError where it has none."""
_AF: Final = {IpFamily.IPV4: socket.AF_INET, IpFamily.IPV6: socket.AF_INET6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A host and port as somebody wrote them."""

    host: str
    port: int

    def __str__(self) -> str:
        return place(self.host, self.port)


def read_destination(text: str, default_port: int, transport: Transport) -> Destination:
    """HOST, HOST:PORT or sip:HOST:PORT of `--target`; UnusableInputError says what is wrong with it."""
    scheme, plain, named = _parts(text)
    if scheme == "sips" or named.upper() not in {"", *Transport}:
        raise UnusableInputError(f"--target {text!r}: {', '.join(Transport)} are the transports, said in the test")
    if named and named.upper() != transport:
        raise UnusableInputError(f"--target {text!r}: the test's target.transport is {transport}")
    found = _HOST_PORT.fullmatch(f"[{plain}]" if family_of(plain) is IpFamily.IPV6 else plain)
    if found is None:
        raise UnusableInputError(f"--target {text!r}: {_advice(plain)}")
    port = int(found["port"] or default_port)
    if not 1 <= port <= 65535:
        raise UnusableInputError(f"--target {text!r}: a port is a number from 1 to 65535")
    return Destination(host=found["host"].strip("[]"), port=port)


def _parts(text: str) -> tuple[str, str, str]:
    """Scheme, host and port, transport, the first and last in lower case and '' where they are not there."""
    found = _SIP_URI.fullmatch(text)
    return ((found[1] or "").lower(), found[2], (found[3] or "").lower()) if found else ("", text, "")


def _advice(text: str) -> str:
    if "," in text and all(text.split(",")):
        return f"give each by its own: {' '.join(f'-t {shlex.quote(each.strip())}' for each in text.split(','))}"
    if "@" in text:
        return "give HOST or HOST:PORT; whom to call is the test's calls[].to"
    if "://" in text:
        return "it is no URL: give HOST or HOST:PORT, such as 127.0.0.1:5060"
    more = ", of IPv6 [HOST]:PORT" if text.count(":") > 1 or text.startswith("[") else ""
    return f"give HOST or HOST:PORT{more}, such as 127.0.0.1:5060"


def destinations(target: Target, typed: Sequence[str], field: str) -> tuple[Destination, ...]:
    """Where this test goes: the typed targets, else the address that the test names."""
    port = target.port if isinstance(target.port, int) else SIP_PORT
    if typed:
        if target.via is Via.SERVICE and len(typed) > 1:
            raise UnusableInputError(f"{field}.via is Service, which is one endpoint: give one --target")
        return tuple(read_destination(text, port, target.transport) for text in typed)
    if target.address is not None:
        return (Destination(host=target.address.host, port=port),)
    kind = "service" if target.service is not None else "podSelector"
    raise UnusableInputError(
        f"{field}.{kind} can only be found on a cluster: say where the system under test is, with --target HOST:PORT"
    )


def endpoints(wanted: Sequence[Destination], lookup: Lookup, target: Target) -> tuple[Endpoint, ...]:
    """Every address of every destination, each once, in order; via Service: only the first."""
    family, once = target.ip_family, target.via is Via.SERVICE
    found = dict.fromkeys(address for destination in wanted for address in _resolved(destination, lookup, family))
    chosen = list(found)[: 1 if once else None]
    if len(chosen) > MAX_ENDPOINTS:
        raise UnusableInputError(f"{len(chosen)} targets, at most {MAX_ENDPOINTS}")
    return tuple(Endpoint(index=index, address=address) for index, address in enumerate(chosen))


def _resolved(destination: Destination, lookup: Lookup, family: IpFamily) -> list[str]:
    if family_of(destination.host) not in (None, family):
        message = f"target {destination}: is no {family} address, and the test's target.ipFamily is {family}"
        raise UnusableInputError(message)
    try:
        found = lookup(destination.host, family)
    except (OSError, UnicodeError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UnusableInputError(
            f"target {destination}: no {family} address for this host: {said}: is the name right, and known here?"
        ) from error
    for ip in found:
        address = ipaddress.ip_address(ip)
        if address.is_multicast or address.is_unspecified or ip == "255.255.255.255" or family_of(ip) is None:
            raise UnusableInputError(f"target {destination}: {ip} is no address of one host")
    return [place(ip, destination.port) for ip in found]


def addresses(host: str, family: IpFamily) -> Sequence[str]:
    """All addresses of a host, as the system's resolver orders them."""
    found = socket.getaddrinfo(host, None, family=_AF[family], type=socket.SOCK_DGRAM)
    return [str(item[4][0]) for item in found]


def source_address(to: Sequence[str]) -> str:
    """The local address that packets to these `ip:port` leave from; UnusableInputError where that is not one."""
    sources = {address: _source(address) for address in to}
    if len(set(sources.values())) > 1:
        told = ", ".join(f"{address} from {source}" for address, source in sources.items())
        raise UnusableInputError(
            f"the targets are reached from different local addresses ({told}): run them one by one"
        )
    return next(iter(sources.values()))


def _source(address: str) -> str:
    host, port = host_of(address), address.rpartition(":")[2]
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            # Connecting a UDP socket sends nothing: it only asks the kernel for the route.
            sock.connect((host, int(port)))
        except OSError as error:
            raise UnusableInputError(f"target {address}: no route to it: {error.strerror}") from error
        return str(sock.getsockname()[0])
