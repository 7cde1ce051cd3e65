"""`calltest run` against registrars: by each digest, with each wrong thing that one may do."""

from typing import Any

import pytest

from agent.contract.verdict import Reason
from tests.component.field import PASSED, case, cases, judged
from tests.component.peers.registrar import PASSWORD, Registrar, TcpRegistrar, TlsRegistrar, odd
from tests.component.peers.running import Case, Runs, echo
from tests.component.peers.sip import Message
from tests.component.peers.uas import Address
from tests.component.test_field_tls import over_tls

pytest.importorskip("pjsua2")
SECRET = f"""\
---
apiVersion: v1
kind: Secret
metadata: {{name: alice}}
stringData: {{username: alice, password: {PASSWORD}}}
"""
OF_A_MINUTE = "expiresSeconds: 60, "
STRAY = "<sip:alice@192.0.2.7:5060>;expires=99"


def registers(registration: str = "", *, hold_s: int = 1, transport: str = "UDP") -> str:
    """A caller that registers, and calls once."""
    said = f", registration: {{{registration}}}" if registration else ""
    caller = f'{{uri: "sip:alice@example.com", credentials: {{secretName: alice}}{said}}}'
    test = echo("", holdSeconds=str(hold_s)).replace('caller: {dtmf: {digits: "12#"}}', "caller: {}")
    test = test.replace('{uri: "sip:alice@example.com"}', caller)
    return (test if transport == "UDP" else test.replace("sip}", f"sip, transport: {transport}}}")) + SECRET


def expecting(expect: str, more: str = "") -> str:
    return registers(f"{more}expect: {{{expect}}}")


ALL = "auth: Required, authAlgorithm: {}, minExpiresSeconds: 60, maxExpiresSeconds: 60, maxBindings: 1"


def every(algorithm: str) -> str:
    """All that can be asked of a registration of 60 s."""
    return "expiresSeconds: 60, expect: {" + ALL.format(algorithm) + "}"


def sha(name: str, base: type) -> type[Any]:
    return odd("Sha", base, algorithms=(name,))


@cases(
    case("MD5 by UDP", Registrar, registers(every("MD5"))),
    case("SHA-256 by UDP", sha("SHA-256", Registrar), registers(every("SHA-256"))),
    case("SHA-512-256 by UDP", sha("SHA-512-256", Registrar), registers(every("SHA-512-256"))),
    case("SHA-256 by TCP", sha("SHA-256", TcpRegistrar), registers(every("SHA-256"), transport="TCP")),
    case(
        "SHA-256 by TLS",
        sha("SHA-256", TlsRegistrar),
        over_tls(test=registers(every("SHA-256"))),
    ),
    case("the wanted algorithm first of two", odd("Two", algorithms=("SHA-256", "MD5")), registers(every("SHA-256"))),
    case(
        "a nonce that was stale",
        odd("Stale", nonces=("old", "new"), stale=("old",)),
        registers(every("MD5")),
    ),
    case(
        "Path and Service-Route",
        odd("Routing", more=("Path: <sip:edge.example.com;lr>", "Service-Route: <sip:core.example.com;lr>")),
        registers(every("MD5")),
    ),
)
def test_a_registration_that_is_as_it_should_be(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


class Deaf(Registrar):
    """It does not know who takes a binding back."""

    def unbind(self, request: Message, peer: Address) -> None:
        """No word."""


class Keeping(Registrar):
    """To it every REGISTER is alike."""

    def unbind(self, request: Message, peer: Address) -> None:
        self.bind(request, peer, 60)


class Brief(Registrar):
    """It grants 10 s, and takes no refresh."""

    granted_s = 10
    algorithms = ()
    taken = 0

    def bind(self, request: Message, peer: Address, seconds: int) -> None:
        self.taken += 1
        if self.taken == 1:
            super().bind(request, peer, seconds)
        else:
            self.refuse(request, peer)

    def refuse(self, request: Message, peer: Address) -> None:
        self.respond(request, "503 Service Unavailable", peer, tag="r", extra=("Retry-After: 9",))


class Late(Brief):
    """It takes them when it is too late."""

    def refuse(self, request: Message, peer: Address) -> None:
        if self.taken == 2:
            self.later(7.0, lambda: self.bound(request, peer, (f"Contact: <{request.uri('contact')}>;expires=60",)))


class Refreshing(Registrar):
    """It grants 10 s, again and again."""

    granted_s = 10


class Minimal(Registrar):
    """Less than 600 s are too brief to it."""

    least_s = 600

    def bind(self, request: Message, peer: Address, seconds: int) -> None:
        if seconds < self.least_s:
            self.respond(request, "423 Interval Too Brief", peer, tag="r", extra=(f"Min-Expires: {self.least_s}",))
        else:
            super().bind(request, peer, seconds)


class TooBrief(Registrar):
    """It says that what was asked is too brief, and that less would do."""

    def bind(self, request: Message, peer: Address, seconds: int) -> None:
        self.respond(request, "423 Interval Too Brief", peer, tag="r", extra=("Min-Expires: 60",))


class Anonymous(Registrar):
    """It says 200 to who takes a binding back, and to anybody else."""

    def bound(self, request: Message, peer: Address, own: tuple[str, ...]) -> None:
        super().bound(request, peer, ())


WRONG = (
    (case("a wrong password", odd("Wrong", password="other"), registers()), Reason.REGISTRATION_REJECTED),
    (
        case("a nonce that is stale each time", odd("Old", nonces=("n",), stale=("n",)), registers()),
        Reason.REGISTRATION_REJECTED,
    ),
    (case("423 to a REGISTER that asked for enough", TooBrief, registers()), Reason.REGISTRATION_REJECTED),
    (
        case("no challenge", odd("Open", algorithms=()), expecting("auth: Required")),
        Reason.AUTH_NOT_REQUIRED,
    ),
    (case("another algorithm", Registrar, expecting("authAlgorithm: SHA-256")), Reason.AUTH_ALGORITHM_MISMATCH),
    (
        case("the wanted one last", odd("Two", algorithms=("MD5", "SHA-256")), expecting("authAlgorithm: SHA-256")),
        Reason.AUTH_ALGORITHM_MISMATCH,
    ),
    (case("200, and nothing stored", Anonymous, registers()), Reason.BINDING_MISSING),
    (
        case(
            "a stray binding",
            odd("Stray", strays=(STRAY,)),
            expecting("maxBindings: 1"),
        ),
        Reason.STRAY_BINDING,
    ),
    (
        case(
            "half of what was asked",
            odd("Half", granted_s=30),
            expecting("minExpiresSeconds: 60", OF_A_MINUTE),
        ),
        Reason.REGISTRATION_EXPIRY_MISMATCH,
    ),
    (
        case(
            "twice what was asked",
            odd("Twice", granted_s=120),
            expecting("maxExpiresSeconds: 60", OF_A_MINUTE),
        ),
        Reason.REGISTRATION_EXPIRY_MISMATCH,
    ),
    (case("a refused refresh", Brief, registers(hold_s=8)), Reason.REFRESH_FAILED),
    (case("a refresh that comes too late", Late, registers(hold_s=15)), Reason.REFRESH_FAILED),
    (case("it keeps the binding", Keeping, registers()), Reason.UNREGISTER_FAILED),
    (case("it does not answer at the end", Deaf, registers()), Reason.UNREGISTER_FAILED),
)


@pytest.mark.covers(
    "<party>.registration.expiresSeconds",
    "<party>.registration.expect.auth",
    "<party>.registration.expect.authAlgorithm",
    "<party>.registration.expect.maxBindings",
    "<party>.registration.expect.minExpiresSeconds",
    "<party>.registration.expect.maxExpiresSeconds",
)
@cases(*(one for one, _ in WRONG))
def test_each_wrong_thing_has_its_reason(runs: Runs, case: Case) -> None:
    reason = dict(WRONG)[case]
    judged(runs, case, f"Failed/{reason}")


def test_a_refused_password_is_called_that(runs: Runs) -> None:
    outcome = judged(runs, WRONG[0][0], f"Failed/{Reason.REGISTRATION_REJECTED}")
    assert "credentials refused" in outcome.run["status"]["message"]


MEASURED = (
    case(
        "refreshed in time", Refreshing, expecting("maxExpiresSeconds: 10").replace("holdSeconds: 1", "holdSeconds: 12")
    ),
    case(
        "a stray binding that nobody asks of",
        odd("Stray", strays=(STRAY,)),
        registers(),
    ),
    case("Min-Expires", Minimal, expecting("minExpiresSeconds: 600, maxExpiresSeconds: 600", OF_A_MINUTE)),
)


@cases(*MEASURED)
def test_what_is_no_fault_is_told(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, PASSED)
    (whole,) = [line for line in outcome.told if line.get("kind") == "registration" and "leaving" in line]
    assert whole["leaving"]["code"] == 200
    assert (whole.get("refreshes", 0) >= 1) == (case is MEASURED[0])
    assert ("sip:alice@192.0.2.7:5060" in whole["bindings"].get("others", ())) == (case is MEASURED[1])
    assert (whole["expiresS"] == 600) == (case is MEASURED[2])
