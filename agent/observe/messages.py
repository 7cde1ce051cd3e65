"""What is asked of single messages of a leg, or of a registration, and what they say. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from agent.contract.call import Call
from agent.contract.headers import Headers, SentOn, headers_on
from agent.contract.messages import ExpectHeader, ExpectMessage, ExpectRequestUri, Found, Looked, Message
from agent.contract.pattern import MAX_TEXT, found_in
from agent.contract.plan import Plan, asked_of, for_endpoint
from agent.contract.verdict import Role
from agent.sip.dialogs import Signalling
from agent.sip.fields import Field, field_of, long_name, one_spaced, written_alike
from agent.sip.text import blank_secrets
from agent.sip.transactions import Crossed, Times

MAX_TOLD: Final = 80
"""Characters of a value that are told."""
MAX_VALUES: Final = 3
"""Values that are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a leg's messages are looked at for."""

    endpoint: int
    expected: tuple[tuple[int, ExpectMessage], ...] = ()
    """With their numbers."""
    sent: Mapping[SentOn, Headers] = field(default_factory=dict)
    """What is to be on messages of its own."""


def asked(plan: Plan, endpoint: int, call: str | None) -> Asked:
    """Of a leg of that call; None: of one that does not know which it is."""
    groups = [group for group in plan.calls if call in (None, group.name)]
    wanted = set(asked_of(groups, plan.role))
    numbered = enumerate(asked_of(plan.calls, plan.role))
    return Asked(
        endpoint=endpoint,
        expected=tuple((number, expected) for number, expected in numbered if expected in wanted),
        sent=headers_sent(plan, endpoint, groups[0] if call is not None and groups else None),
    )


def headers_sent(plan: Plan, endpoint: int, group: Call | None) -> Mapping[SentOn, Headers]:
    """What an agent's messages carry at an endpoint, in calls of that group; None: it does not know which it is."""
    of_call = group.caller.headers if group is not None and plan.role is Role.CALLER else ()
    return headers_on(endpoint, plan.account.headers, of_call)


# --- what came


def looked_at(asked: Asked, leg: Signalling, *, outgoing: bool) -> tuple[Looked, ...]:
    """At what is asked of a leg's messages."""
    return tuple(
        _looked(number, expected, _message(expected, leg, outgoing=outgoing), asked.endpoint)
        for number, expected in asked.expected
    )


def _message(expected: ExpectMessage, leg: Signalling, *, outgoing: bool) -> Crossed | None:
    """The one that is meant; None: it did not come."""
    code = expected.code if isinstance(expected, ExpectHeader) else None
    answer, tries = leg.acknowledgement, leg.tries
    found: dict[str, Times | None] = {
        Message.INVITE: tries[-1].request if tries and not outgoing else None,
        Message.ACK: answer.ack if answer and not outgoing else None,
        Message.BYE: leg.bye_received.requests[0] if leg.bye_received else None,
        Message.PROVISIONAL: _provisional(leg, code) if outgoing else None,
        Message.FINAL: leg.final if outgoing else None,
        Message.BYE_RESPONSE: leg.bye_sent.final if leg.bye_sent else None,
    }
    times = found[expected.message]
    return None if times is None else times.first


def _provisional(leg: Signalling, code: int | None) -> Times | None:
    """Of the leg's own dialog, else of any: who rings first need not be who answers (RFC 3261 §12.1)."""
    if not leg.tries:
        return None
    found = [
        response for response in leg.tries[-1].provisionals if response.code > 100 and code in (None, response.code)
    ]
    own = [response for response in found if leg.dialog and response.to_tag == leg.dialog.remote_tag]
    return next(iter(own or found), None)


def _looked(number: int, expected: ExpectMessage, message: Crossed | None, endpoint: int) -> Looked:
    if message is None:
        return Looked(asked=number, found=Found.UNSEEN)
    if isinstance(expected, ExpectRequestUri):
        said = _request_uri(message.head.uri)
    else:
        said = field_of(message.text, expected.name)
    found = _found(expected, said, endpoint)
    if found is Found.HELD:
        return Looked(asked=number)
    told = tuple(_told(said.name, value) for value in (*said.values, *said.cut)[:MAX_VALUES])
    count = len(said.values) + len(said.cut)
    return Looked(asked=number, found=found, code=message.head.code, count=count, values=told)


def _request_uri(uri: str) -> Field:
    return Field(name="", lines=(uri,)) if len(uri) <= MAX_TEXT else Field(name="", lines=(), cut=(uri,))


def _found(expected: ExpectMessage, said: Field, endpoint: int) -> Found:
    if isinstance(expected, ExpectHeader):
        if expected.count is not None:
            return _counted(expected.count, said)
        if not (said.lines or said.cut):
            return _without(said, wanted=expected.present is not False)
        if expected.present is not None:
            return Found.HELD if expected.present else Found.UNEXPECTED
    if any(_is(expected, reading, endpoint) for reading in said.readings) or _is_list(expected, said, endpoint):
        return Found.HELD
    unread = not said.whole or said.cut or any(len(reading) > MAX_TEXT for reading in said.readings)
    return Found.CUT if unread else Found.OTHER


def _without(said: Field, *, wanted: bool) -> Found:
    """None of its lines was read."""
    if not said.whole:
        return Found.CUT
    return Found.MISSING if wanted else Found.HELD


def _counted(wanted: int, said: Field) -> Found:
    count = len(said.values)
    if count > wanted:
        return Found.UNEXPECTED
    if said.cut or not said.whole:
        return Found.CUT
    return Found.HELD if count == wanted else Found.MISSING


def _is(expected: ExpectMessage, reading: str, endpoint: int) -> bool:
    if expected.matches is not None:
        return found_in(for_endpoint(expected.matches, endpoint), reading)
    wanted = for_endpoint(expected.equals or "", endpoint)
    if isinstance(expected, ExpectRequestUri):
        return written_alike(reading, wanted)
    return one_spaced(reading) == one_spaced(wanted)


def _is_list(expected: ExpectMessage, said: Field, endpoint: int) -> bool:
    """All values of a list, however they are spread over lines and spaces."""
    if expected.equals is None or isinstance(expected, ExpectRequestUri) or said.cut:
        return False
    wanted = Field(name=said.name, lines=(for_endpoint(expected.equals, endpoint),))
    return list(map(one_spaced, said.values)) == list(map(one_spaced, wanted.values))


def _told(name: str, value: str) -> str:
    shown = blank_secrets(f"{name}: {value}").removeprefix(f"{name}: ") if name else value
    return shown if len(shown) <= MAX_TOLD else f"{shown[: MAX_TOLD - 1]}…"


# --- what was sent


def not_on_the_wire(asked: Asked, leg: Signalling, *, outgoing: bool) -> tuple[str, ...]:
    """Headers that were to be on a message of ours that crossed, and were not."""
    return tuple(
        f"{message} {long_name(header.name)}"
        for message, headers in asked.sent.items()
        for crossed in _sent_messages(message, leg, outgoing=outgoing)
        for header in headers
        if one_spaced(header.value) not in map(one_spaced, field_of(crossed.text, header.name).lines)
    )


def _sent_messages(message: SentOn, leg: Signalling, *, outgoing: bool) -> Iterable[Crossed]:
    """Of a call that a callee takes there is a 2xx at its end: what it refuses has none of its headers."""
    tries = leg.tries[-1:]
    times: Sequence[Times] = ()
    if message is SentOn.BYE:
        times = leg.bye_sent.requests[:1] if leg.bye_sent else ()
    elif message is SentOn.INVITE and outgoing:
        times = [one.request for one in tries]
    elif not outgoing:
        ringing = [each for one in tries for each in one.provisionals if each.code > 100 and one.answers]
        answers = [each for one in tries for each in one.answers]
        times = {SentOn.RESPONSES: [*ringing, *answers], SentOn.ANSWER: answers}.get(message, ())
    return [one.first for one in times]
