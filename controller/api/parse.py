"""Kubernetes objects (dicts) → API types, strictly: SpecError names the field, the fault and what to do."""

import re
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from agent.contract.call import Call, InfoType, Play
from agent.contract.document import Document
from agent.contract.expect import DtmfMethod
from agent.contract.field import NAME_PATTERN
from agent.contract.outcome import ExpectPhrase
from controller.api import API_VERSION, GROUP, cron
from controller.api.calltest_status import CallTestStatus
from controller.api.faults import Fault, schema_faults, shown
from controller.api.field import without_nulls
from controller.api.headers import header_faults
from controller.api.parties import Callee, RegisterAt, Route
from controller.api.run import MAX_RUN_NAME, CallTestRunSpec, CallTestRunStatus
from controller.api.target import Target, Via
from controller.api.test import MAX_NAME, CallTestSpec
from controller.api.trigger import Trigger

T = TypeVar("T")
REQUESTED_AT = f"{GROUP}/requested-at"
MAX_REQUESTED_AT = 256
"""Characters that are told apart: the status has room for so many."""


class SpecError(ValueError):
    """An object that cannot be used; the text names fields and what is wrong with them."""

    def __init__(self, *faults: Fault) -> None:
        super().__init__("; ".join(str(fault) for fault in faults))
        self.faults = faults
        """One or more."""


class CallTest(Document, frozen=True, kw_only=True):
    """A CallTest as read from the API server or a file."""

    name: str
    namespace: str
    uid: str
    """Empty when it came from a file."""
    generation: int
    requested_at: str = ""
    """Its annotation calltest.dev/requested-at: a new value asks for a run."""
    spec: CallTestSpec
    status: CallTestStatus


class CallTestRun(Document, frozen=True, kw_only=True):
    """A CallTestRun as read from the API server."""

    name: str
    namespace: str
    uid: str
    generation: int
    spec: CallTestRunSpec
    status: CallTestRunStatus


def parse_test(obj: dict[str, Any]) -> CallTest:
    """Reads a CallTest; raises SpecError."""
    meta = _metadata(obj, "CallTest", MAX_NAME)
    spec = _convert(obj.get("spec"), CallTestSpec, "spec")
    _require(_check_spec(spec, "spec"))
    requested_at = str((obj["metadata"].get("annotations") or {}).get(REQUESTED_AT) or "")[:MAX_REQUESTED_AT]
    status = _convert(obj.get("status") or {}, CallTestStatus, "status")
    return CallTest(**meta, requested_at=requested_at, spec=spec, status=status)


def parse_run(obj: dict[str, Any]) -> CallTestRun:
    """Reads a CallTestRun; raises SpecError."""
    meta = _metadata(obj, "CallTestRun", MAX_RUN_NAME)
    spec = _convert(obj.get("spec"), CallTestRunSpec, "spec")
    _require(_check_spec(spec.test, "spec.test"))
    return CallTestRun(**meta, spec=spec, status=_convert(obj.get("status") or {}, CallTestRunStatus, "status"))


def _metadata(obj: dict[str, Any], kind: str, max_name: int) -> dict[str, Any]:
    """Name, namespace, uid, generation; those of a file may be missing."""
    if (got := obj.get("apiVersion")) != API_VERSION:
        raise SpecError(Fault("apiVersion", f"{got!r}, must be {API_VERSION}"))
    if (got := obj.get("kind")) != kind:
        raise SpecError(Fault("kind", f"{got!r}, must be {kind}"))
    meta = obj.get("metadata")
    name = meta.get("name") if isinstance(meta, dict) else None
    if not isinstance(meta, dict) or not isinstance(name, str):
        raise SpecError(Fault("metadata.name", "is missing"))
    if len(name) > max_name or not re.fullmatch(NAME_PATTERN.rstrip("$"), name):
        raise SpecError(Fault("metadata.name", f"{name!r} must be a DNS label of at most {max_name} characters"))
    return {
        "name": name,
        "namespace": str(meta.get("namespace") or "default"),
        "uid": str(meta.get("uid") or ""),
        "generation": int(meta.get("generation") or 1),
    }


def _convert(raw: object, kind: type[T], field: str) -> T:
    if not isinstance(raw, dict):
        raise SpecError(Fault(field, "is missing" if raw is None else f"{shown(raw)}: a mapping is expected"))
    # Python's $ matches before a final newline: a control character must never get into a SIP message.
    controls = [
        Fault(path, f"{text!r} contains a control character")
        for path, text in _texts(raw, field)
        if not text.isprintable()
    ]
    if controls:
        raise SpecError(*controls)
    given = without_nulls(raw)
    try:
        return msgspec.convert(given, kind)
    except msgspec.ValidationError as error:
        fault, _, path = str(error).partition(" - at ")
        first = Fault(field + path.strip("`").removeprefix("$"), fault)
        raise SpecError(*(tuple(schema_faults(given, kind, field)) or (first,))) from error


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield f"{path} key", str(key)
            yield from _texts(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{path}[{index}]")


def _require(faults: Iterator[Fault]) -> None:
    if found := tuple(faults):
        raise SpecError(*found)


def _check_spec(spec: CallTestSpec, field: str) -> Iterator[Fault]:
    """The rules that the CRD states in CEL, for objects that no API server has seen."""
    yield from _check_target(spec.target, f"{field}.target")
    if not spec.calls and not _registers(spec):
        yield Fault(f"{field}.calls", "may be empty only where caller or callee registers")
    if spec.callee is not None and spec.callee.register_at is RegisterAt.NEXT_ENDPOINT:
        yield from _check_elsewhere(spec.callee, spec.target, f"{field}.callee.registerAt")
    seen: set[str] = set()
    for index, call in enumerate(spec.calls):
        path = f"{field}.calls[{index}]"
        if call.name in seen:
            yield Fault(f"{path}.name", f"{call.name!r} is there twice")
        seen.add(call.name)
        yield from _check_call(call, path, has_callee=spec.callee is not None)
    yield from header_faults(spec, field)
    if spec.trigger is not None:
        yield from _check_trigger(spec.trigger, f"{field}.trigger")
    if spec.ready_deadline_s >= spec.active_deadline_seconds:
        yield Fault(f"{field}.readyDeadlineSeconds", "must be less than activeDeadlineSeconds")
    if spec.target.endpoint_parallelism > 1:
        yield from _check_parallel(spec, field)


def _check_call(call: Call, path: str, *, has_callee: bool) -> Iterator[Fault]:
    yield from _one_of(call.caller.play, f"{path}.caller.play", Play.__struct_fields__)
    dtmf = call.caller.dtmf
    if dtmf is not None and dtmf.by is not DtmfMethod.INFO and dtmf.info_type is not InfoType.RELAY:
        yield Fault(f"{path}.caller.dtmf", "infoType is of method INFO alone: say method: INFO, or leave it out")
    if call.expect.phrase is not None:
        yield from _one_of(call.expect.phrase, f"{path}.expect.phrase", ExpectPhrase.__struct_fields__)
    if call.to is None and not has_callee:
        yield Fault(f"{path}.to", "is needed where there is no callee")


def _check_elsewhere(callee: Callee, target: Target, field: str) -> Iterator[Fault]:
    if callee.route is not Route.REGISTER or target.via is not Via.EACH_ENDPOINT:
        yield Fault(field, "NextEndpoint needs route: Register, and target.via: EachEndpoint")


def _registers(spec: CallTestSpec) -> bool:
    """Somebody does."""
    return spec.caller.registers or (spec.callee is not None and spec.callee.registers)


def _check_trigger(trigger: Trigger, field: str) -> Iterator[Fault]:
    zone = "Etc/UTC"
    try:
        cron.zone_of(trigger.time_zone)
        zone = trigger.time_zone
    except ValueError as error:
        yield Fault(f"{field}.timeZone", str(error))
    try:
        if trigger.schedule is not None:
            cron.read(trigger.schedule, zone, jitter_s=trigger.jitter_seconds, of="")
    except ValueError as error:
        yield Fault(f"{field}.schedule", str(error))


def _check_target(target: Target, field: str) -> Iterator[Fault]:
    yield from _one_of(target, field, ("service", "pod_selector", "address"))
    if target.via is Via.SERVICE and target.service is None:
        yield Fault(f"{field}.via", "Service needs service")
    if target.address is None:
        return
    if not isinstance(target.port, int):
        yield Fault(f"{field}.port", "an address needs a port number")
    if target.namespace is not None:
        yield Fault(f"{field}.namespace", "an address has no namespace")


def _check_parallel(spec: CallTestSpec, field: str) -> Iterator[Fault]:
    users = {"caller": spec.caller.uri}
    if spec.callee is not None:
        users["callee"] = spec.callee.uri
        if spec.callee.route is Route.CALLEE_SERVICE:
            yield Fault(f"{field}.callee.route", "CalleeService needs endpointParallelism 1")
    for role, uri in users.items():
        if "{endpoint}" not in uri:
            yield Fault(f"{field}.{role}.uri", "endpointParallelism above 1 needs {endpoint} in it")
    for index, call in enumerate(spec.calls):
        # Every lane would call one and the same callee, and the others' would be missed there: AnsweredElsewhere.
        if spec.callee is not None and call.to is not None and "{endpoint}" not in call.to:
            yield Fault(f"{field}.calls[{index}].to", "endpointParallelism above 1 needs {endpoint} in it")


def _one_of(value: Document, field: str, names: tuple[str, ...]) -> Iterator[Fault]:
    given = [name for name in names if getattr(value, name) is not None]
    if len(given) != 1:
        wanted = ", ".join(value.__struct_encode_fields__[value.__struct_fields__.index(name)] for name in names)
        has = ", ".join(value.__struct_encode_fields__[value.__struct_fields__.index(name)] for name in given)
        yield Fault(field, f"exactly one of {wanted} is needed, and {has or 'none'} is there")
