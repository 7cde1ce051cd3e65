"""What the agent is given besides its plan: the signal file, and the rule for where it may send."""

import logging
from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Protocol

from agent.contract.plan import Plan, PlanError, Signal, Stage, decode_signal
from agent.contract.verdict import Check, Finding, Reason

log = logging.getLogger(__name__)


class InputMissingError(Exception):
    """Something that the test names is not there, or cannot be used; the text names object and key."""


class SignalSource(Protocol):
    """Where the agent learns what it may do now."""

    def poll(self) -> Signal:
        """The signal as of now."""


class SignalFile:
    """The signal document: re-read at each poll, taken only when it changed and can be read, and only ever forward."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._raw = b""
        self._signal = Signal()

    def poll(self) -> Signal:
        """The furthest that the file has ever said; absent or malformed counts as nothing new."""
        try:
            raw = self._path.read_bytes()
        except OSError:
            return self._signal
        if raw != self._raw:
            self._raw = raw
            try:
                self._signal = forward(self._signal, decode_signal(raw))
            except PlanError as error:
                log.warning("%s, ignored", error)
        return self._signal


def forward(known: Signal, fresh: Signal) -> Signal:
    """The two as one: what was allowed or told once stays so."""
    return Signal(
        prepare=max(known.prepare, fresh.prepare),
        go=max(known.go, fresh.go),
        peer_address=fresh.peer_address or known.peer_address,
        keep=fresh.keep if known.keep is None else known.keep,
        stop=known.stop or fresh.stop,
    )


def is_allowed(address: str, allowed_targets: Sequence[str]) -> bool:
    """Whether `ip:port` lies in one of the CIDRs. What is not an address and a port is not."""
    host, colon, port = address.rpartition(":")
    try:
        ip = ip_address(host.removeprefix("[").removesuffix("]"))
        networks = [ip_network(cidr, strict=False) for cidr in allowed_targets]
    except ValueError:
        return False
    return bool(colon) and port.isdigit() and any(ip in network for network in networks)


def not_allowed(plan: Plan, stage: Stage) -> Finding:
    """The finding on a stage whose address the operator does not allow."""
    return Finding(
        call="",
        number=0,
        endpoint=stage.endpoint,
        leg=plan.role,
        check=Check.RUN,
        reason=Reason.TARGET_NOT_ALLOWED,
        expected=", ".join(plan.allowed_targets),
        observed=stage.address,
        note="nothing was sent there; the operator allows targets by --allow-target",
    )
