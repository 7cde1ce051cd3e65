"""What one end of a call does, as timed steps: data, walked by agent/run/party.py, and asked by the judge. Pure.

    caller    Start: Place. Answered + dtmf.after: SendDigits. Answered + hold: HangUp. No answer in time: HangUp.
              Answered where a refusal is expected: HangUp.
    Parrot    Start: PlayBack, Ring. Start + 100 ms: Answer. Digits + 700 ms: RepeatDigits. No ACK for 64 × T1: HangUp.
    Absorber  Start: Ring. Start + 100 ms: Answer. No ACK for 64 × T1: HangUp.
    Busy      Start: Answer 486.
    Refuse    Start: Answer as it says.
    RingOnly  Start: Ring.

With answerAfterMilliseconds, Answer is so long after Start, and Ring at Start.

Whatever is due after the end of its call is not done.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from agent.contract.call import Acting, Behaviour, Call, InfoType, Play, SendDtmf
from agent.contract.document import Document
from agent.contract.expect import DtmfMethod
from agent.contract.headers import Headers, SentOn, at_endpoint
from agent.contract.verdict import Role

RING_MS: Final = 100
"""From ringing to the answer: a 180 and a 200 that a peer can tell apart."""
REPEAT_AFTER_MS: Final = 700
"""After the end of the last digit: longer than the gap between the digits of one number."""
REPEAT_TONE_MS: Final = 100
BUSY_HERE: Final = 486
UNACKNOWLEDGED_MS: Final = 32_000
"""64 × T1: a 2xx without an ACK until then ends its call with a BYE (RFC 3261 §13.3.1.4)."""


class On(StrEnum):
    """What happened to a leg, that a step's time counts from."""

    START = "Start"
    """It began: its INVITE is to be sent, or came."""
    ANSWERED = "Answered"
    """Its 2xx came, or was sent."""
    ACKNOWLEDGED = "Acknowledged"
    """The ACK to it was sent, or came."""
    DIGITS = "Digits"
    """A digit that came has ended; with each one the time counts anew."""


class Place(Document, frozen=True, kw_only=True, tag_field="do"):
    """Sends the INVITE, and plays this once it is answered."""

    play: Play


class Ring(Document, frozen=True, kw_only=True, tag_field="do"):
    """Answers 180."""

    headers: Headers = ()


class Answer(Document, frozen=True, kw_only=True, tag_field="do"):
    """Answers with a final code, and headers of ours; media starts on 2xx."""

    code: int = 200
    headers: Headers = ()


class PlayBack(Document, frozen=True, kw_only=True, tag_field="do"):
    """From the answer on, what is heard is played back. Done before it."""


class SendDigits(Document, frozen=True, kw_only=True, tag_field="do"):
    """Sends digits one after the other, each `tone_ms` long."""

    digits: str
    tone_ms: int
    method: DtmfMethod = DtmfMethod.RFC4733
    """That, or INFO."""
    info_type: InfoType = InfoType.RELAY
    """With INFO."""


class RepeatDigits(Document, frozen=True, kw_only=True, tag_field="do"):
    """Sends the digits that have come and were not sent back yet, each by the method that it came by."""

    tone_ms: int


class HangUp(Document, frozen=True, kw_only=True, tag_field="do"):
    """CANCEL, BYE or a final response, as the leg's state asks."""

    because: str | None = None
    """Why, where the call does not end as planned by it."""
    cancel: Headers = ()
    """Where it is a CANCEL, these are on it."""
    bye: Headers = ()
    """Where it is a BYE."""
    unheard: bool = False
    """Nobody is there to hear it: the call is over here and now, whatever our own stack still sends."""


Do = Place | Ring | Answer | PlayBack | SendDigits | RepeatDigits | HangUp


class Step(Document, frozen=True, kw_only=True):
    """One timed action of a leg."""

    on: On = On.START
    after_ms: int = 0
    do: Do
    unless: On | None = None
    """Not done where this has happened by then."""


Steps = tuple[Step, ...]


def steps_of(call: Call, role: Role) -> Steps:
    """What one end does in a call of the plan."""
    return callee_steps(call.callee) if role is Role.CALLEE else _caller(call)


def refusal(code: int, headers: Headers = ()) -> Steps:
    """What a callee does with a call that it does not take."""
    return (Step(do=Answer(code=code, headers=headers)),)


def with_headers(steps: Steps, on: Mapping[SentOn, Headers]) -> Steps:
    """The same steps, and these headers on the messages that they send."""
    return tuple(msgspec.structs.replace(step, do=_with_headers(step.do, on)) for step in steps)


def _with_headers(do: Do, on: Mapping[SentOn, Headers]) -> Do:
    responses = on.get(SentOn.RESPONSES, ())
    match do:
        case Ring():
            return Ring(headers=(*do.headers, *responses))
        case Answer(code=code) if code < 300:
            return Answer(code=code, headers=(*do.headers, *responses, *on.get(SentOn.ANSWER, ())))
        case HangUp():
            return msgspec.structs.replace(do, cancel=on.get(SentOn.CANCEL, ()), bye=on.get(SentOn.BYE, ()))
    return do


def _caller(call: Call) -> Steps:
    """Hangs up once the call was held, or was not answered in time; at once where it was not to be answered."""
    dtmf, timeout_s = call.caller.dtmf, call.answer_timeout_seconds
    send = () if dtmf is None else (_digits(dtmf),)
    return (
        Step(do=Place(play=call.caller.play)),
        Step(
            after_ms=1000 * timeout_s,
            do=HangUp(because=f"no answer within {timeout_s:g} s"),
            unless=On.ANSWERED,
        ),
        *(Step(on=On.ANSWERED, after_ms=dtmf.after_milliseconds if dtmf else 0, do=digits) for digits in send),
        Step(on=On.ANSWERED, after_ms=1000 * call.hold_seconds if call.expect.is_answer else 0, do=HangUp()),
    )


def _digits(dtmf: SendDtmf) -> SendDigits:
    return SendDigits(digits=dtmf.digits, tone_ms=dtmf.tone_milliseconds, method=dtmf.by, info_type=dtmf.info_type)


def callee_steps(acting: Acting, endpoint: int = 0) -> Steps:
    """What a callee does that acts so, in a call by that endpoint."""
    behaviour, after_ms = acting.behaviour or Behaviour.PARROT, acting.answer_after_milliseconds
    match behaviour:
        case Behaviour.RING_ONLY:
            return (Step(do=Ring()),)
        case Behaviour.BUSY:
            return _refuses(BUSY_HERE, after_ms)
        case Behaviour.REFUSE if acting.refuse is not None:
            return _refuses(acting.refuse.code, after_ms, at_endpoint(endpoint, acting.refuse.headers))
    return _answers(RING_MS if after_ms is None else after_ms, is_parrot=behaviour is Behaviour.PARROT)


def _refuses(code: int, after_ms: int | None, headers: Headers = ()) -> Steps:
    if after_ms is None:
        return refusal(code, headers)
    return (Step(do=Ring()), Step(after_ms=after_ms, do=Answer(code=code, headers=headers)))


def _answers(after_ms: int, *, is_parrot: bool) -> Steps:
    return (
        *((Step(do=PlayBack()),) if is_parrot else ()),
        Step(do=Ring()),
        Step(after_ms=after_ms, do=Answer()),
        *((_REPEAT,) if is_parrot else ()),
        Step(
            on=On.ANSWERED,
            after_ms=UNACKNOWLEDGED_MS,
            do=HangUp(because="no ACK came for 32 s (RFC 3261 §13.3.1.4)"),
            unless=On.ACKNOWLEDGED,
        ),
    )


_REPEAT: Final = Step(on=On.DIGITS, after_ms=REPEAT_AFTER_MS, do=RepeatDigits(tone_ms=REPEAT_TONE_MS))


# What the judge asks: what our own end would have done


def ends_call(steps: Iterable[Step]) -> bool:
    """It is this end that ends an answered call, as planned."""
    return any(isinstance(step.do, HangUp) and step.on is On.ANSWERED and step.unless is None for step in steps)


def final_code(steps: Iterable[Step]) -> int | None:
    """The final response that this end gives; None: none of its own accord."""
    return next((step.do.code for step in steps if isinstance(step.do, Answer)), None)


def final_after_ms(steps: Iterable[Step]) -> int | None:
    """How long after the INVITE came it does; None: never."""
    return next((step.after_ms for step in steps if isinstance(step.do, Answer)), None)


def takes_calls(steps: Iterable[Step]) -> bool:
    """It answers 2xx."""
    code = final_code(steps)
    return code is not None and code < 300


def rings(steps: Iterable[Step]) -> bool:
    """It sends 180."""
    return any(isinstance(step.do, Ring) for step in steps)


def sends_audio(steps: Iterable[Step]) -> bool:
    """More than silence is sent: audio of its own, or what is heard is played back."""
    return any(
        isinstance(step.do, PlayBack) or (isinstance(step.do, Place) and step.do.play.silence is None) for step in steps
    )


def plays_back(steps: Iterable[Step]) -> bool:
    """What this end sends is what it hears."""
    return any(isinstance(step.do, PlayBack) for step in steps)


def sends_digits(steps: Iterable[Step], received: str = "") -> str:
    """The digits that this end sends in a call that lasts long enough, where it got `received`."""
    return "".join(
        step.do.digits if isinstance(step.do, SendDigits) else received
        for step in steps
        if isinstance(step.do, SendDigits | RepeatDigits)
    )


def repeats(steps: Iterable[Step]) -> bool:
    """It sends back the digits that it got."""
    return any(isinstance(step.do, RepeatDigits) for step in steps)
