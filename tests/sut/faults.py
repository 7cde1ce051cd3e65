"""Faults of the path between SUT and agents: netfilter rules, in a network namespace of ours."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

RTP: Final = "0>>22&0x3C@8>>30=2&&0>>22&0x3C@8>>16&0x7F=0:71,77:127"
"""u32: the UDP payload is RTP, version 2, and not RTCP (whose types 200-204 look like payload types 72-76)."""
DYNAMIC_RTP: Final = "0>>22&0x3C@8>>30=2&&0>>22&0x3C@8>>16&0x7F=96:127"
EVENT_LENGTH: Final = "44"
"""IP 20 + UDP 8 + RTP 12 + telephone-event 4 (RFC 4733 2.3); no codec of ours makes packets that short."""


class Towards(StrEnum):
    """Which way the packets go that a fault takes: from the SUT to one of the agents."""

    CALLER = "Caller"
    CALLEE = "Callee"


class Packets(StrEnum):
    """Which packets a fault takes."""

    RTP = "Rtp"
    TELEPHONE_EVENT = "TelephoneEvent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with the path; `drop_percent` of 100 drops all."""

    towards: Towards
    packets: Packets
    drop_percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """How packets towards each side are told apart: rules that must be there first, and a match for each side."""

    preparation: tuple[tuple[str, ...], ...]
    match: Mapping[Towards, tuple[str, ...]]


def local_selector(media_towards_caller: Sequence[str], media_towards_callee: Sequence[str]) -> Selector:
    """Each local SUT's relay has an address of its own for either side."""
    match = {
        Towards.CALLER: ("-s", ",".join(media_towards_caller)),
        Towards.CALLEE: ("-s", ",".join(media_towards_callee)),
    }
    return Selector(preparation=(), match=match)


def cluster_selector(sut_addresses: Sequence[str]) -> Selector:
    """In a cluster the agents' addresses are not known before they start; their first INVITE tells which is which.

    Who sends an INVITE to the SUT is a caller, whom the SUT sends one is a callee: the `recent` match remembers.
    """
    invite = ("-p", "udp", "-m", "string", "--algo", "bm", "--to", "64", "--string", "INVITE sip:")
    learn: list[tuple[str, ...]] = []
    for address in sut_addresses:
        learn += [
            (*invite, "-d", address, "-m", "recent", "--name", "calltest-Caller", "--set", "--rsource"),
            (*invite, "-s", address, "-m", "recent", "--name", "calltest-Callee", "--set", "--rdest"),
        ]
    match = {side: ("-m", "recent", "--name", f"calltest-{side}", "--rcheck", "--rdest") for side in Towards}
    return Selector(preparation=tuple(learn), match=match)


def rules(faults: Sequence[Fault], selector: Selector) -> list[tuple[str, ...]]:
    """The arguments of `iptables -A CHAIN` for all faults, in order."""
    made = list(selector.preparation) if faults else []
    for fault in faults:
        words = ["-p", "udp", *selector.match[fault.towards]]
        if fault.packets is Packets.TELEPHONE_EVENT:
            words += ["-m", "length", "--length", EVENT_LENGTH, "-m", "u32", "--u32", DYNAMIC_RTP]
        else:
            words += ["-m", "u32", "--u32", RTP]
        if fault.drop_percent < 100:
            words += ["-m", "statistic", "--mode", "random", "--probability", f"{fault.drop_percent / 100:.4f}"]
        made.append((*words, "-j", "DROP"))
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedFaults:
    """The rules in force."""

    enter: tuple[str, ...]
    chain: str

    def dropped(self) -> int:
        """Packets that all faults have dropped so far."""
        listing = _iptables(self.enter, "-nvxL", self.chain)
        return sum(int(line.split()[0]) for line in listing.splitlines() if "DROP" in line.split()[:3])


@contextmanager
def apply_faults(
    faults: Sequence[Fault], selector: Selector, *, enter: tuple[str, ...], hook: str
) -> Iterator[AppliedFaults]:
    """Sets the faults in the network namespace of that path, and takes them away again.

    `enter` stands before a command that is to run in it: `entering(namespace)`, or `dev/cluster exec --`.
    `hook` is INPUT where the agents share the SUT's namespace (dropping in OUTPUT would be told to the sender),
    FORWARD on a cluster's node.
    """
    chain = "CALLTEST-FAULTS"
    _remove(enter, chain, hook)
    _iptables(enter, "-N", chain)
    try:
        for rule in rules(faults, selector):
            _iptables(enter, "-A", chain, *rule)
        _iptables(enter, "-I", hook, "-j", chain)
        yield AppliedFaults(enter=enter, chain=chain)
    finally:
        _remove(enter, chain, hook)


def _remove(enter: tuple[str, ...], chain: str, hook: str) -> None:
    for words in (("-D", hook, "-j", chain), ("-F", chain), ("-X", chain)):
        _iptables(enter, *words, check=False)


def _iptables(enter: tuple[str, ...], *words: str, check: bool = True) -> str:
    command = [*enter, "iptables", "-w", "10", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
