"""What is wrong with the headers that a test sends and expects, beside what the schema says. Pure."""

from collections.abc import Iterator, Sequence

from agent.contract.headers import CalleeHeader, CallerHeader, Header, reserved
from agent.contract.messages import ExpectHeader, ExpectMessage, Message, conditions_of
from agent.contract.pattern import fault_of
from agent.contract.plan import for_endpoint
from controller.api.faults import Fault
from controller.api.test import CallTestSpec


def header_faults(spec: CallTestSpec, field: str) -> Iterator[Fault]:
    """Of the parties, and of each call."""
    for name, party in (("caller", spec.caller), ("callee", spec.callee)):
        if party is not None:
            yield from _sent(party.headers, f"{field}.{name}")
            yield from () if party.registers else _never_sent(party.headers, f"{field}.{name}")
    if spec.callee is not None and spec.callee.refuse is not None:
        yield from _sent(spec.callee.refuse.headers, f"{field}.callee.refuse")
    for index, call in enumerate(spec.calls):
        path = f"{field}.calls[{index}]"
        if call.callee.refuse is not None:
            yield from _sent(call.callee.refuse.headers, f"{path}.callee.refuse")
        yield from _sent(call.caller.headers, f"{path}.caller")
        for leg, expected in (("caller", call.expect.caller), ("callee", call.expect.callee)):
            yield from _expected(expected.headers, f"{path}.expect.{leg}.headers")
            yield from _expected(expected.request_uris, f"{path}.expect.{leg}.requestUris")


def _sent(headers: Sequence[Header], field: str) -> Iterator[Fault]:
    for index, header in enumerate(headers):
        if (owned := reserved(header.name)) is not None:
            yield Fault(f"{field}.headers[{index}].name", f"{owned} is the agent's own to write")


def _never_sent(headers: Sequence[CallerHeader | CalleeHeader], field: str) -> Iterator[Fault]:
    for index, header in enumerate(headers):
        if "REGISTER" in header.messages:
            yield Fault(f"{field}.headers[{index}].messages", "who does not register sends no REGISTER")


def _expected(expected: Sequence[ExpectMessage], field: str) -> Iterator[Fault]:
    for index, each in enumerate(expected):
        path, conditions = f"{field}[{index}]", conditions_of(each)
        given = [name for name in conditions if getattr(each, name) is not None]
        if len(given) != 1:
            yield Fault(path, f"exactly one of {', '.join(conditions)} is needed, and {_and(given)} is there")
        if isinstance(each, ExpectHeader) and each.code is not None and each.message is not Message.PROVISIONAL:
            yield Fault(f"{path}.code", "is of Provisional alone")
        if each.matches is not None and (fault := fault_of(for_endpoint(each.matches, 0))) is not None:
            yield Fault(f"{path}.matches", f"is no expression of RE2: {fault}")


def _and(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
