"""A test × its endpoints → one plan per agent, or a refusal. Pure, and the same plans for the same input.

Agents come in lanes: caller-N and callee-N walk the endpoints dealt to lane N, one stage after the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import Any, Final

import msgspec

from agent.contract import plan as contract
from agent.contract.address import host_of, only
from agent.contract.call import Call, CallCallee
from agent.contract.outcome import EndedBy
from agent.contract.plan import MAX_PLAN_BYTES, DialRoute, Plan, RunRef, Stage, for_endpoint
from agent.contract.room import DETAIL_BYTES, GUESTS_BYTES, SCRATCH_BYTES, SPARE_SHARE, legs_bytes, scratch_bytes
from agent.contract.verdict import Reason, Role
from agent.sip.dialling import SipUri
from controller.api.parties import Route, SecretReference
from controller.api.run import Endpoint
from controller.api.test import CallTestSpec
from controller.plan.acting import acting_in, check_acting
from controller.plan.cause import PlanningError
from controller.plan.expectations import check_expectations
from controller.plan.identities import check_dial, check_transport, parse_identity, parse_uri
from controller.plan.limits import Limits
from controller.plan.media import check_media, media_of
from controller.plan.registering import (
    callee_account,
    caller_account,
    check_elsewhere,
    check_registrations,
    elsewhere,
    registers_elsewhere,
)

__all__ = ["CALLEE_SERVICE_PORT", "POD_MOUNTS", "Limits", "Mounts", "check_test", "plan_run"]

CALLEE_SERVICE_PORT: Final = 5060


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounts:
    """Where an agent finds its inputs: `<credentials>/<Secret>/<key>` and `<wav>/<ConfigMap>/<key>`."""

    credentials: str
    wav: str
    evidence: str | None = None
    """Where it keeps evidence. None: it keeps none, whatever the test says."""


POD_MOUNTS: Final = Mounts(
    credentials="/etc/calltest-credentials", wav="/etc/calltest-wav", evidence="/var/calltest-evidence"
)


def check_test(test: CallTestSpec, limits: Limits) -> None:
    """PlanningError for a test that no endpoint could make runnable; said before any is looked for."""
    _check_identities(test, 0)
    _check_secret(test.caller.credentials, "caller", limits)
    if test.callee is not None:
        _check_secret(test.callee.credentials, "callee", limits)
    _check_tls(test, limits)
    _check_claim(test, limits)
    check_registrations(test)
    for index, call in enumerate(test.calls):
        field = _to_field(call, index)
        _check_to(test, parse_uri(for_endpoint(_to(test, call), 0), field), field)
        check_dial(for_endpoint(_to(test, call), 0), field, limits)
    check_media(test)
    check_acting(test)
    check_expectations(test)


def _check_identities(test: CallTestSpec, endpoint: int) -> None:
    caller = parse_identity(for_endpoint(test.caller.uri, endpoint), "caller.uri")
    check_transport(caller, "caller.uri", test.target.transport)
    if test.callee is None:
        return
    callee = parse_identity(for_endpoint(test.callee.uri, endpoint), "callee.uri")
    check_transport(callee, "callee.uri", test.target.transport)
    if callee.address_of_record == caller.address_of_record:
        message = "callee.uri: is the caller's too; the SUT could not tell the two agents apart"
        raise PlanningError(Reason.INVALID_TEST, message)


def _check_to(test: CallTestSpec, uri: SipUri, field: str) -> None:
    check_transport(uri, field, test.target.transport)
    if uri.secure and not parse_identity(test.caller.uri, "caller.uri").secure:
        message = f"{field}: is a sips URI, and caller.uri is not: the INVITE's Contact must be (RFC 3261 §8.1.1.8)"
        raise PlanningError(Reason.INVALID_TEST, message)


def plan_run(
    run: RunRef,
    test: CallTestSpec,
    endpoints: Sequence[Endpoint],
    limits: Limits,
    *,
    also_allowed: Sequence[str] = (),
    mounts: Mounts = POD_MOUNTS,
) -> tuple[Plan, ...]:
    """The plans of a run: for each lane its caller's and, where the test has a callee, its callee's.

    `also_allowed`: IPs of the target beside its endpoints' (Discovery.addresses). Raises PlanningError.
    """
    check_test(test, limits)
    if not endpoints:
        raise PlanningError(Reason.NO_ENDPOINTS, "there are no endpoints to call")
    _check_dialled(test, endpoints, limits)
    lanes = min(test.target.endpoint_parallelism, len(endpoints))
    _check_caps(test, len(endpoints), lanes, limits)
    ips = {*(host_of(endpoint.address) for endpoint in endpoints), *also_allowed}
    allowed = tuple(sorted(map(only, ips))) + limits.allow_targets
    rate = limits.max_calls_per_second / lanes
    plans = tuple(
        _plan(
            run=run,
            test=test,
            role=role,
            lane=lane,
            lanes=lanes,
            endpoints=endpoints,
            allowed=allowed,
            allow_dial=None if limits.allow_dial is None else limits.allow_dial.pattern,
            rate=rate,
            mounts=mounts,
        )
        for lane in range(lanes)
        for role in ((Role.CALLER,) if test.callee is None else (Role.CALLER, Role.CALLEE))
    )
    _check_size(plans)
    return plans


def _check_dialled(test: CallTestSpec, endpoints: Sequence[Endpoint], limits: Limits) -> None:
    check_elsewhere(test, endpoints)
    for endpoint in endpoints:
        _check_identities(test, endpoint.index)
        for index, call in enumerate(test.calls):
            check_dial(for_endpoint(_to(test, call), endpoint.index), _to_field(call, index), limits)


def _check_size(plans: Sequence[Plan]) -> None:
    for plan in plans:
        if (size := len(plan.encode())) > MAX_PLAN_BYTES:
            message = f"the plan of {plan.agent} has {size} bytes, at most {MAX_PLAN_BYTES}: fewer endpoints or calls"
            raise PlanningError(Reason.LIMIT_EXCEEDED, message)


def _plan(
    *,
    run: RunRef,
    test: CallTestSpec,
    role: Role,
    lane: int,
    lanes: int,
    endpoints: Sequence[Endpoint],
    allowed: tuple[str, ...],
    allow_dial: str | None,
    rate: float,
    mounts: Mounts,
) -> Plan:
    is_callee = role is Role.CALLEE
    callee = test.callee
    route = callee.route if callee is not None else None
    stages = tuple(Stage(endpoint=item.index, address=item.address, name=item.name) for item in endpoints[lane::lanes])
    if is_callee and registers_elsewhere(test):
        stages = elsewhere(stages, endpoints)
    return Plan(
        run=run,
        agent=f"{role.lower()}-{lane}",
        role=role,
        account=(callee_account if is_callee else caller_account)(test, mounts.credentials),
        transport=test.target.transport,
        tls=_tls(test, mounts),
        sip_port=CALLEE_SERVICE_PORT if is_callee and route is Route.CALLEE_SERVICE else 0,
        acting=None if callee is None else callee.acting,
        callee_declared=callee is not None,
        dial=DialRoute.PEER if route is Route.REQUEST_URI else DialRoute.TARGET,
        stages=stages,
        calls=tuple(_call(test, call) for call in test.calls),
        wav_directory=mounts.wav,
        allowed_targets=allowed,
        allow_dial=allow_dial,
        max_calls_per_second=rate,
        deadline_s=float(test.active_deadline_seconds),
        evidence=_evidence(test, mounts),
    )


def _evidence(test: CallTestSpec, mounts: Mounts) -> contract.Evidence | None:
    if mounts.evidence is None or not keeps_evidence(test):
        return None
    assert test.evidence is not None
    if mounts == POD_MOUNTS and test.evidence.claim_name is None:
        raise PlanningError(Reason.INVALID_TEST, "evidence.claimName: is needed: the claim that evidence goes to")
    return contract.Evidence(keep=test.evidence.keep, directory=mounts.evidence)


def keeps_evidence(test: CallTestSpec) -> bool:
    """Whether the test asks for it."""
    return test.evidence is not None and test.evidence.keep is not contract.Keep.NEVER


def _tls(test: CallTestSpec, mounts: Mounts) -> contract.Tls | None:
    given = test.target.tls
    if given is None:
        return None
    return contract.Tls(
        server_name=given.server_name,
        verify=given.verify,
        ca=_files(given.ca_secret_name, mounts),
        client=_files(given.client_secret_name, mounts),
    )


def _files(secret_name: str | None, mounts: Mounts) -> contract.Files | None:
    if secret_name is None:
        return None
    return contract.Files(directory=f"{mounts.credentials}/{secret_name}", secret_name=secret_name)


def _call(test: CallTestSpec, call: Call) -> Call:
    """With what it leaves to the test."""
    caller_media, callee_media = media_of(test, call)
    return msgspec.structs.replace(
        call,
        to=_to(test, call),
        caller=msgspec.structs.replace(call.caller, media=caller_media),
        callee=CallCallee(media=callee_media, **_acting(test, call)),
    )


def _acting(test: CallTestSpec, call: Call) -> dict[str, Any]:
    """What the callee does in it, as fields."""
    return {} if test.callee is None else msgspec.structs.asdict(acting_in(test.callee, call))


def _to(test: CallTestSpec, call: Call) -> str:
    """The Request-URI of a call, by default the callee's URI."""
    if call.to is not None:
        return call.to
    assert test.callee is not None  # parse_test refuses a call without either
    return test.callee.uri


def _to_field(call: Call, index: int) -> str:
    """Where that is written."""
    return "callee.uri" if call.to is None else f"calls[{index}].to"


def _check_secret(reference: SecretReference | None, role: str, limits: Limits) -> None:
    _check_prefix(None if reference is None else reference.secret_name, f"{role}.credentials.secretName", limits)


def _check_prefix(name: str | None, field: str, limits: Limits) -> None:
    if name is None or name.startswith(limits.secret_prefix):
        return
    message = f"{field}: {name} does not begin with {limits.secret_prefix!r}, as the operator's --secret-prefix demands"
    raise PlanningError(Reason.INVALID_TEST, message)


def _check_tls(test: CallTestSpec, limits: Limits) -> None:
    given = test.target.tls
    if given is None:
        return
    if test.target.transport is not contract.Transport.TLS:
        message = f"target.tls: is of transport TLS, and target.transport is {test.target.transport}"
        raise PlanningError(Reason.INVALID_TEST, message)
    for name, field in ((given.ca_secret_name, "caSecretName"), (given.client_secret_name, "clientSecretName")):
        _check_prefix(name, f"target.tls.{field}", limits)


def _check_claim(test: CallTestSpec, limits: Limits) -> None:
    """A claim is mounted to be written, and given to the agents' group: that is not for any claim of the namespace."""
    claim = None if test.evidence is None else test.evidence.claim_name
    if claim is not None and not claim.startswith(limits.claim_prefix):
        message = (
            f"evidence.claimName: {claim} does not begin with {limits.claim_prefix!r}, as the operator's --claim-prefix"
            " demands"
        )
        raise PlanningError(Reason.INVALID_TEST, message)


def _check_caps(test: CallTestSpec, endpoints: int, lanes: int, limits: Limits) -> None:
    calls = endpoints * sum(call.count for call in test.calls)
    concurrent = lanes * max((call.at_once for call in test.calls), default=0)  # one group after the other
    agents = lanes * (1 if test.callee is None else 2)
    for value, cap, what in (
        (calls, limits.max_calls, "calls in the run (count × endpoints)"),
        (concurrent, limits.max_concurrent_calls, "concurrent calls (concurrency × endpointParallelism)"),
        (agents, limits.max_agents, "agents (endpointParallelism, caller and callee)"),
    ):
        if value > cap:
            raise PlanningError(Reason.LIMIT_EXCEEDED, f"{value} {what}, the operator allows {cap}")
    _check_room(test, ceil(endpoints / lanes))
    needed_s = _shortest_s(test, endpoints, lanes, limits)
    if needed_s > test.active_deadline_seconds:
        message = (
            f"activeDeadlineSeconds: {test.active_deadline_seconds} is too short, the calls alone take {needed_s:.0f} s"
        )
        raise PlanningError(Reason.INVALID_TEST, message)


def _check_room(test: CallTestSpec, stages: int) -> None:
    """What one agent of so many stages has to keep and to tell."""
    is_kept = keeps_evidence(test)
    recorded, room = scratch_bytes(test.calls, keeps_evidence=is_kept), (1 - SPARE_SHARE) * SCRATCH_BYTES
    if recorded > room:
        message = (
            f"concurrency × holdSeconds: recordings may take {recorded / 2**30:.1f} GiB at a time, and an agent has"
            f" room for {room / 2**30:.1f} GiB"
        )
        raise PlanningError(Reason.LIMIT_EXCEEDED, message)
    calls, target = [_call(test, call) for call in test.calls], test.target
    one_stage = legs_bytes(calls, keeps_evidence=is_kept, transport=target.transport, family=target.ip_family)
    told, room = stages * one_stage, DETAIL_BYTES - GUESTS_BYTES
    if told > room:
        message = (
            f"the calls of one agent make {told / 2**20:.1f} MiB of results, and it tells at most"
            f" {room / 2**20:.1f} MiB: fewer calls, or a higher endpointParallelism"
        )
        raise PlanningError(Reason.LIMIT_EXCEEDED, message)


def _shortest_s(test: CallTestSpec, endpoints: int, lanes: int, limits: Limits) -> Decimal:
    """The least time that the calls can take, even if the SUT answered at once: one group after the other."""
    holding_s = sum(ceil(call.count / call.at_once) * _least_s(call) for call in test.calls)
    rate = Decimal(limits.max_calls_per_second) / lanes
    placing_s = Decimal(max(0, sum(call.count for call in test.calls) - 1)) / rate
    return ceil(endpoints / lanes) * max(Decimal(holding_s), placing_s)


def _least_s(call: Call) -> int:
    """How long a call lasts at least, from its answer."""
    if not call.expect.is_answer:
        return 0
    return call.hold_seconds if call.expect.ended_by is EndedBy.CALLER else call.expect.min_call_seconds or 0
