"""Who registers where, as what, and what of it cannot come true. Pure."""

from collections.abc import Sequence
from typing import Final

import msgspec

from agent.contract import plan as contract
from agent.contract.codecs import Media
from agent.contract.expect import Expect
from agent.contract.headers import CalleeHeader, CallerHeader, PlannedHeader, SentOn
from agent.contract.registering import Auth, ExpectRegistration, Registration
from agent.contract.verdict import Reason
from controller.api.parties import Callee, Caller, RegisterAt, SecretReference
from controller.api.run import Endpoint
from controller.api.test import CallTestSpec
from controller.plan.cause import PlanningError

REGISTERING_S: Final = 45
"""An agent's start, and its REGISTER until Timer F (32 s) or a challenge's second try has told how that went."""


def caller_registers(test: CallTestSpec) -> bool:
    """As the test says, by default where the caller has credentials."""
    return test.caller.registers


def callee_registers(test: CallTestSpec) -> bool:
    """By its route."""
    return test.callee is not None and test.callee.registers


def registers_elsewhere(test: CallTestSpec) -> bool:
    """The callee does, than at the endpoint that is called."""
    return test.callee is not None and test.callee.register_at is RegisterAt.NEXT_ENDPOINT


def check_elsewhere(test: CallTestSpec, endpoints: Sequence[Endpoint]) -> None:
    """PlanningError TOO_FEW_ENDPOINTS where the callee is to register at another one, and there is none."""
    if registers_elsewhere(test) and len(endpoints) == 1:
        message = "callee.registerAt: NextEndpoint needs another endpoint than the one that is called, and there is one"
        raise PlanningError(Reason.TOO_FEW_ENDPOINTS, message)


def elsewhere(stages: Sequence[contract.Stage], endpoints: Sequence[Endpoint]) -> tuple[contract.Stage, ...]:
    """The stages of a callee that registers at the endpoint after that which is called; the first one's after the last.

    `endpoints`: all of the run, two at least.
    """
    after = {one.index: other for one, other in zip(endpoints, [*endpoints[1:], endpoints[0]], strict=True)}
    return tuple(
        msgspec.structs.replace(stage, address=after[stage.endpoint].address, registrar=after[stage.endpoint].name)
        for stage in stages
    )


def caller_account(test: CallTestSpec, directory: str) -> contract.Account:
    """`directory`: of all Secrets."""
    return _account(test.caller, directory, registers=caller_registers(test))


def callee_account(test: CallTestSpec, directory: str) -> contract.Account:
    """Of a test that has a callee."""
    assert test.callee is not None
    return _account(test.callee, directory, registers=callee_registers(test))


def _account(party: Caller | Callee, directory: str, *, registers: bool) -> contract.Account:
    return contract.Account(
        uri=party.uri,
        credentials=_credentials(party.credentials, directory),
        register=registers,
        registration=party.registration or Registration(),
        media=party.media or Media(),
        headers=_planned(party.headers),
    )


def _planned(headers: Sequence[CallerHeader] | Sequence[CalleeHeader]) -> tuple[PlannedHeader, ...]:
    return tuple(
        PlannedHeader(name=header.name, value=header.value, messages=tuple(map(SentOn, header.messages)))
        for header in headers
    )


def _credentials(reference: SecretReference | None, directory: str) -> contract.Credentials | None:
    if reference is None:
        return None
    return contract.Credentials(directory=f"{directory}/{reference.secret_name}", secret_name=reference.secret_name)


def check_registrations(test: CallTestSpec) -> None:
    """PlanningError INVALID_TEST for what is asked of a registration that there is none of, or that no SUT can meet."""
    _check(test.caller, "caller", registers=caller_registers(test), way="register: true")
    if test.callee is not None:
        _check(test.callee, "callee", registers=callee_registers(test), way="route: Register")
    for index, call in enumerate(test.calls):
        if test.caller.credentials is None and call.expect.is_answer:
            _check_challenge(call.expect, f"calls[{index}].expect", "caller", "the call is refused")
    _check_readiness(test)


def _check_challenge(expect: Expect | ExpectRegistration, field: str, role: str, else_: str) -> None:
    """Without credentials."""
    if expect.auth is Auth.REQUIRED or expect.auth_algorithm is not None:
        asks = "auth" if expect.auth is Auth.REQUIRED else "authAlgorithm"
        raise _invalid(f"{field}.{asks}", f"needs {role}.credentials: without them {else_}")


def _check(party: Caller | Callee, role: str, *, registers: bool, way: str) -> None:
    asked = party.registration
    if asked is None:
        return
    if not registers:
        raise _invalid(f"{role}.registration", f"the {role} does not register: it needs {way}")
    expect, field = asked.expect, f"{role}.registration.expect"
    if party.credentials is None:
        _check_challenge(expect, field, role, "a challenge ends the registration")
    least, most = expect.min_expires_seconds, expect.max_expires_seconds
    if least is not None and most is not None and least > most:
        raise _invalid(f"{field}.minExpiresSeconds", f"{least} is more than maxExpiresSeconds, {most}")


def _check_readiness(test: CallTestSpec) -> None:
    """A silent registrar must be found out before the agents are given up: it is the SUT's fault, and not theirs."""
    if test.ready_deadline_s >= REGISTERING_S:
        return
    if not caller_registers(test) and not callee_registers(test):
        return
    role, way_out = (
        ("caller", "caller.register: false") if caller_registers(test) else ("callee", "another callee.route")
    )
    field = "readyDeadlineSeconds" if test.ready_deadline_seconds is not None else "activeDeadlineSeconds"
    value = test.ready_deadline_seconds or test.active_deadline_seconds
    message = (
        f"{value} is too short where the {role} registers: that a registrar"
        " does not answer is known after 32 s (Timer F, RFC 3261 §17.1.2.2), and until then an agent is not ready;"
        f" {REGISTERING_S} at least, or {way_out}"
    )
    raise _invalid(field, message)


def _invalid(field: str, fault: str) -> PlanningError:
    return PlanningError(Reason.INVALID_TEST, f"{field}: {fault}")
