"""What is asked of single messages against what their leg's agent found in them: which, and in which words."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from agent.contract.call import Call
from agent.contract.messages import ExpectHeader, ExpectMessage, Found, Looked, Message
from agent.contract.outcome import EndedBy
from agent.contract.plan import asked_of, for_endpoint
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import Impossible
from agent.judge.words import joined, many

NAMES: Final = {
    Message.PROVISIONAL: "provisional response",
    Message.FINAL: "final response",
    Message.BYE_RESPONSE: "response to BYE",
}
"""Of those that are not methods."""


OF_THE_CALLEE: Final = (Message.INVITE, Message.ACK)
OF_THE_CALLER: Final = (Message.PROVISIONAL, Message.FINAL)
OF_AN_ANSWERED_CALL: Final = (Message.ACK, Message.BYE, Message.BYE_RESPONSE)
OF_WHO_HANGS_UP: Final = {
    ("caller", Message.BYE, EndedBy.CALLER): "the caller itself ends the call: one comes to it with endedBy SUT",
    ("caller", Message.BYE_RESPONSE, EndedBy.SUT): "the SUT is to end the call (endedBy): the caller sends no BYE",
    ("callee", Message.BYE_RESPONSE, EndedBy.CALLER): "the callee sends no BYE: the caller ends the call",
    ("callee", Message.BYE_RESPONSE, EndedBy.SUT): "the callee sends no BYE: the SUT ends the call",
}
"""What comes to a leg only where it goes otherwise than the test expects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Something that is asked of a message and is not known to hold."""

    asked: ExpectMessage
    looked: Looked | None
    """None: the agent did not tell."""
    expected: str
    observed: str | None = None
    note: str | None = None


def never(
    call: Call, field: str, caller: Sequence[ExpectMessage], callee: Sequence[ExpectMessage]
) -> Impossible | None:
    """A message that does not come to the leg that it is looked for at."""
    for leg, asked, others in (("caller", caller, OF_THE_CALLEE), ("callee", callee, OF_THE_CALLER)):
        for index, each in enumerate(asked):
            path = f"expect.{leg}.{field}[{index}].message"
            if each.message in others:
                return Impossible(field=path, fault=f"no {_name(each)} comes to the {leg}")
            if each.message in OF_AN_ANSWERED_CALL and not call.expect.is_answer:
                code = call.expect.sip_code
                return Impossible(field=path, fault=f"expect.sipCode is {code}, and such a call has no {_name(each)}")
            if (fault := OF_WHO_HANGS_UP.get((leg, Message(each.message), call.expect.ended_by))) is not None:
                return Impossible(field=path, fault=fault)
    return None


def answers(leg: CallLeg, asked: Iterable[ExpectMessage]) -> Iterator[Answer]:
    """What of it does not hold, or was not measured."""
    numbers = {each: number for number, each in enumerate(asked_of(leg.call.plan.calls, leg.leg.role))}
    told = {looked.asked: looked for looked in leg.leg.looked}
    for each in asked:
        looked = told.get(numbers[each])
        if looked is None or looked.found is not Found.HELD:
            yield _answer(each, looked, leg.call.endpoint)


def _answer(asked: ExpectMessage, looked: Looked | None, endpoint: int) -> Answer:
    expected = wanted(asked, endpoint)
    if looked is None:
        return Answer(asked=asked, looked=None, expected=expected, note="what is in it was not told")
    if looked.found is Found.UNSEEN:
        return Answer(asked=asked, looked=looked, expected=expected, note=f"no {_name(asked)} came")
    if looked.found is Found.CUT:
        note = joined("it is longer than what is read of a message", *(f"it begins {value}" for value in looked.values))
        return Answer(asked=asked, looked=looked, expected=expected, note=note)
    note = f"among {many(looked.count, 'value')}" if looked.count > len(looked.values) > 1 else None
    return Answer(asked=asked, looked=looked, expected=expected, observed=_seen(asked, looked), note=note)


def wanted(asked: ExpectMessage, endpoint: int | None = None) -> str:
    """What is asked, in words; at that endpoint."""
    equals, matches = (
        text if text is None or endpoint is None else for_endpoint(text, endpoint)
        for text in (asked.equals, asked.matches)
    )
    if not isinstance(asked, ExpectHeader):
        what = equals if equals is not None else f"matching {matches}"
        return f"{_name(asked)} with Request-URI {what}"
    if asked.count is not None:
        return f"{_name(asked)} with {asked.count} × {asked.name}"
    if asked.present is False:
        return f"{_name(asked)} without {asked.name}"
    of = "" if asked.present else f": {equals}" if equals is not None else f" matching {matches}"
    return f"{_name(asked)} with {asked.name}{of}"


def _seen(asked: ExpectMessage, looked: Looked) -> str:
    name = _name(asked) if looked.code is None else _response(asked, looked.code)
    values = " | ".join(looked.values)
    if not isinstance(asked, ExpectHeader):
        return f"{name} with Request-URI {values}"
    if asked.count is not None and looked.count:
        return f"{name} with {looked.count} × {asked.name}: {values}"
    return f"{name} with {asked.name}: {values}" if looked.count else f"{name} without {asked.name}"


def _name(asked: ExpectMessage) -> str:
    if isinstance(asked, ExpectHeader) and asked.code is not None:
        return str(asked.code)
    return NAMES.get(Message(asked.message), str(asked.message))


def _response(asked: ExpectMessage, code: int) -> str:
    return f"{code} to BYE" if asked.message == Message.BYE_RESPONSE else str(code)
