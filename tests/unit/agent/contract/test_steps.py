"""What both ends do in a call, as data; and what the judge asks of it."""

import msgspec
import pytest

from agent.contract.call import Acting, Behaviour, Call, CallCaller, InfoType, Play, PlaySignal, SendDtmf, Silence
from agent.contract.expect import DtmfMethod, Expect
from agent.contract.headers import Header, SentOn
from agent.contract.steps import (
    Answer,
    HangUp,
    On,
    Place,
    PlayBack,
    RepeatDigits,
    Ring,
    SendDigits,
    Step,
    Steps,
    callee_steps,
    ends_call,
    final_after_ms,
    plays_back,
    refusal,
    sends_audio,
    sends_digits,
    steps_of,
    takes_calls,
    with_headers,
)
from agent.contract.verdict import Role

CALL = Call(
    name="pin",
    to="sip:b@x",
    hold_seconds=8,
    answer_timeout_seconds=30,
    caller=CallCaller(dtmf=SendDtmf(digits="12#", tone_milliseconds=80, after_milliseconds=700)),
)
QUIET = Call(name="q", to="sip:b@x", caller=CallCaller(play=Play(silence=Silence())))
CALLER = steps_of(CALL, Role.CALLER)
PARROT, ABSORBER = (callee_steps(Acting(behaviour=behaviour)) for behaviour in (Behaviour.PARROT, Behaviour.ABSORBER))


@pytest.mark.covers(
    "calls[].holdSeconds",
    "calls[].caller.dtmf.digits",
    "calls[].caller.dtmf.toneMilliseconds",
    "calls[].caller.dtmf.afterMilliseconds",
)
def test_a_caller_places_speaks_holds_and_hangs_up():
    assert (
        Step(do=Place(play=Play(signal=PlaySignal.IDENTITY))),
        Step(after_ms=30_000, do=HangUp(because="no answer within 30 s"), unless=On.ANSWERED),
        Step(on=On.ANSWERED, after_ms=700, do=SendDigits(digits="12#", tone_ms=80)),
        Step(on=On.ANSWERED, after_ms=8000, do=HangUp()),
    ) == CALLER


@pytest.mark.covers("calls[].caller.dtmf.method", "calls[].caller.dtmf.infoType")
def test_a_caller_sends_its_digits_as_it_is_told():
    dtmf = SendDtmf(digits="1", method="INFO", info_type=InfoType.BARE)
    steps = steps_of(msgspec.structs.replace(CALL, caller=CallCaller(dtmf=dtmf)), Role.CALLER)
    assert [step.do for step in steps if isinstance(step.do, SendDigits)] == [
        SendDigits(digits="1", tone_ms=100, method=DtmfMethod.INFO, info_type=InfoType.BARE)
    ]


def test_a_caller_that_was_not_to_be_answered_hangs_up_at_once():
    for code, after_ms in ((486, 0), ("4xx", 0), ("3xx", 0), ("2xx", 8000), (202, 8000)):
        steps = steps_of(msgspec.structs.replace(CALL, expect=Expect(sip_code=code)), Role.CALLER)
        assert steps[-1] == Step(on=On.ANSWERED, after_ms=after_ms, do=HangUp())


@pytest.mark.covers("callee.behaviour")
def test_a_parrot_is_an_absorber_that_gives_back_what_it_hears():
    assert [type(step.do) for step in PARROT] == [PlayBack, Ring, Answer, RepeatDigits, HangUp]
    assert tuple(step for step in PARROT if not isinstance(step.do, PlayBack | RepeatDigits)) == ABSORBER
    assert steps_of(CALL, Role.CALLEE) == PARROT


def test_a_callee_without_an_ack_hangs_up_after_64_t1():
    (last,) = (step for step in ABSORBER if isinstance(step.do, HangUp))
    assert (last.on, last.after_ms, last.unless) == (On.ANSWERED, 32_000, On.ACKNOWLEDGED)


def test_headers_go_on_the_messages_that_steps_send():
    a, b, c, d = (Header(name="X", value=value) for value in "abcd")
    on = {SentOn.RESPONSES: (a,), SentOn.ANSWER: (b,), SentOn.BYE: (c,), SentOn.CANCEL: (d,)}
    callee = with_headers(PARROT, on)
    assert [step.do for step in callee if isinstance(step.do, Ring | Answer)] == [
        Ring(headers=(a,)),
        Answer(headers=(a, b)),
    ]
    for steps in (callee, with_headers(CALLER, on)):
        assert {(step.do.bye, step.do.cancel) for step in steps if isinstance(step.do, HangUp)} == {((c,), (d,))}
    assert with_headers(CALLER, {}) == CALLER
    assert with_headers(PARROT, {}) == PARROT
    assert with_headers(refusal(486), on) == refusal(486)


@pytest.mark.parametrize("steps", [CALLER, PARROT, ABSORBER, refusal(480, (Header(name="X-A", value="b"),))])
def test_steps_are_a_document(steps: Steps):
    assert msgspec.json.decode(msgspec.json.encode(steps), type=Steps) == steps


@pytest.mark.parametrize(
    ("steps", "ends", "answers_ms", "audio", "echo", "digits"),
    [
        (CALLER, True, None, True, False, "12#"),
        (steps_of(QUIET, Role.CALLER), True, None, False, False, ""),
        (PARROT, False, 100, True, True, "89"),
        (ABSORBER, False, 100, False, False, ""),
        (refusal(486), False, None, False, False, ""),
        ((), False, None, False, False, ""),
    ],
)
def test_the_judge_asks_what_an_end_would_have_done(steps, ends, answers_ms, audio, echo, digits):
    assert ends_call(steps) is ends
    assert (final_after_ms(steps) if takes_calls(steps) else None) == answers_ms
    assert sends_audio(steps) is audio
    assert plays_back(steps) is echo
    assert sends_digits(steps, received="89") == digits
