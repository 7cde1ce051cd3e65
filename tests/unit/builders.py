"""Plans, legs and reports of calls that went well, for tests to break in one place at a time.

A good call: 8 s, PCMU, 400 packets each way, "1234#" to a parrot and back, this call's signal heard at both ends.
"""

from itertools import accumulate
from typing import Any, TypeVar

import msgspec

from agent.contract.call import Acting, Call, CallCaller, SendDtmf
from agent.contract.expect import Audio, Expect, ExpectDtmf, ExpectLeg, ExpectRtp
from agent.contract.expect import DtmfMethod as Method
from agent.contract.media import Heard, Origin, Section, Source, Stretch
from agent.contract.observation import Bye, Dialog, Digit, Health, LegObservation, Progress, Side, Trouble
from agent.contract.plan import Account, Plan, RunRef, Stage, call_key, identity_code
from agent.contract.registration import RegistrationObservation, RegistrationOutcome
from agent.contract.verdict import Role
from agent.judge.run import AgentReport

Value = TypeVar("Value", bound=msgspec.Struct)

RUN_UID = "0f5b3c4e-run"
DIGITS = "1234#"
EXPECT_LEG = ExpectLeg(
    dtmf=ExpectDtmf(digits=DIGITS),
    audio=Audio.OWN,
    rtp=ExpectRtp(min_packets=350, max_loss_percent="1", max_jitter_milliseconds=30),
)


def change(value: Value, **changes: Any) -> Value:
    """The value with some fields changed; `a__b=` changes field b of field a, or of all its values."""
    own: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = {}
    for name, new in changes.items():
        head, _, rest = name.partition("__")
        if rest:
            nested.setdefault(head, {})[rest] = new
        else:
            own[head] = new
    for head, inner in nested.items():
        field = getattr(value, head)
        own[head] = (
            tuple(change(each, **inner) for each in field) if isinstance(field, tuple) else change(field, **inner)
        )
    return msgspec.structs.replace(value, **own)


def digits(text: str, method: Method = Method.RFC4733) -> tuple[Digit, ...]:
    return tuple(
        Digit(digit=digit, method=method, at_ms=500.0 + 200 * place, duration_ms=100.0)
        for place, digit in enumerate(text)
    )


def heard(codes: dict[str, int], *, active_ms: float = 7500.0, duration_ms: float = 8000.0) -> Heard:
    """Frames of these codes one after the other, and behind them other sound for the rest of `active_ms`."""
    parts = [(int(code), frames * 480.0) for code, frames in codes.items() if frames]
    ends = list(accumulate((length_ms for _, length_ms in parts), initial=0.0))
    stretches = [
        Stretch(begin_ms=begin_ms, end_ms=end_ms, code=code)
        for (code, _), begin_ms, end_ms in zip(parts, ends[:-1], ends[1:], strict=True)
    ]
    if active_ms > ends[-1]:
        stretches.append(Stretch(begin_ms=ends[-1], end_ms=active_ms, code=None))
    return Heard(
        duration_ms=duration_ms, level_dbfs=-18.0, active_ms=active_ms, codes=codes, stretches=tuple(stretches)
    )


SILENT = Heard(duration_ms=8000.0, level_dbfs=-120.0, active_ms=0.0, codes={})

SECTION = Section(
    begin_ms=0.0,
    local="10.0.0.9:4000",
    remote="10.0.0.1:30000",
    receives=True,
    sends=True,
    codec="PCMU",
    clock_hz=8000,
    ptime_ms=20,
    telephone_event_payload_type=120,
    protocol="RTP/AVP",
    types={0: "PCMU/8000", 120: "telephone-event/8000"},
    theirs={0: "PCMU/8000", 120: "telephone-event/8000"},
)
SOURCE = Source(
    section=0,
    remote="10.0.0.1:30000",
    ssrc=77,
    origin=Origin.SIGNALLED,
    packets=400,
    media_ms=7500.0,
    lost_ms=0.0,
    pause_ms=0.0,
    event_ms=500.0,
    first_ms=20.0,
    last_ms=7990.0,
    max_gap_ms=22.0,
    jitter_ms=0.5,
    max_jitter_ms=2.0,
    jitter_samples=374,
    payload_types={0: 375, 120: 25},
)
"""8 s of PCMU, half a second of them digits."""


def call_group(**changes: Any) -> Call:
    group = Call(
        name="pin",
        to="sip:bob@example.com",
        hold_seconds=8,
        answer_timeout_seconds=30,
        caller=CallCaller(dtmf=SendDtmf(digits=DIGITS)),
        expect=Expect(caller=EXPECT_LEG, callee=EXPECT_LEG),
    )
    return change(group, **changes)


def plan(role: Role = Role.CALLER, *, lane: int = 0, endpoints: tuple[int, ...] = (0,), **changes: Any) -> Plan:
    """A plan with one call group; `group__…` changes that."""
    group_changes = {name[7:]: changes.pop(name) for name in list(changes) if name.startswith("group__")}
    result = Plan(
        run=RunRef(uid=RUN_UID, namespace="voice", name="pin-g1", call_test="pin"),
        agent=f"{role.value.lower()}-{lane}",
        role=role,
        account=Account(uri=f"sip:{'alice' if role is Role.CALLER else 'bob'}@example.com", register=True),
        acting=Acting(),
        callee_declared=True,
        stages=tuple(
            Stage(endpoint=index, address=f"10.0.0.{index + 1}:5060", name=f"sut-{index}") for index in endpoints
        ),
        calls=(call_group(**group_changes),),
        allowed_targets=("10.0.0.0/8",),
        max_calls_per_second=10.0,
        deadline_s=600.0,
    )
    return change(result, **changes)


def _leg(role: Role, *, endpoint: int, call: str, number: int, start_s: float) -> LegObservation:
    key = call_key(RUN_UID, endpoint, call, number)
    return LegObservation(
        role=role,
        endpoint=endpoint,
        call=call,
        number=number,
        call_key=key,
        sip_call_id=f"{endpoint}-{call}-{number}@10.0.0.9",
        from_user="alice",
        started_at=1e9,
        began_s=start_s,
        final_code=200,
        final_phrase="OK",
        dtmf_sent=digits(DIGITS),
        dtmf_received=digits(DIGITS),
        sections=(SECTION,),
        sent=(SOURCE,),
        received=(SOURCE,),
        rtt_ms=1.0,
        heard=heard({str(identity_code(key)): 15}, active_ms=7200.0),
        health=Health(media=Trouble(over_ms=8000.0, throttled_ms=0.0, lateness_ms=3.0, socket_drops=0), sent_ratio=1.0),
    )


def dialog(**changes: Any) -> Dialog:
    return change(Dialog(local_tag="a", remote_tag="b", answers=1), **changes)


def caller_leg(*, endpoint: int = 0, call: str = "pin", number: int = 0, **changes: Any) -> LegObservation:
    """A good caller's leg. Calls of one endpoint follow each other, ten seconds apart."""
    leg = _leg(Role.CALLER, endpoint=endpoint, call=call, number=number, start_s=1e9 + 100 * endpoint + 10 * number)
    times = Progress(first_response_ms=5.0, ringing_ms=20.0, answered_ms=50.0, bye_ms=8050.0, ended_ms=8060.0)
    own = dialog(ack_ms=1.0, bye=Bye(by=Side.LOCAL, at_ms=8050.0, code=200, crossed=False))
    return change(change(leg, progress=times, dialog=own), **changes)


def callee_leg(*, endpoint: int = 0, call: str = "pin", number: int = 0, **changes: Any) -> LegObservation:
    """A good callee's leg, by a clock an hour apart from the caller's."""
    leg = _leg(Role.CALLEE, endpoint=endpoint, call=call, number=number, start_s=2e9 + 100 * endpoint + 10 * number)
    times = Progress(ringing_ms=2.0, answered_ms=30.0, bye_ms=8045.0, ended_ms=8046.0)
    own = dialog(ack_ms=20.0, bye=Bye(by=Side.REMOTE, at_ms=8045.0, code=200, crossed=False))
    return change(change(leg, progress=times, dialog=own), **changes)


def registration(role: Role, *, endpoint: int = 0, **changes: Any) -> RegistrationObservation:
    return change(
        RegistrationObservation(
            role=role, endpoint=endpoint, outcome=RegistrationOutcome.REGISTERED, code=200, phrase="OK", duration_ms=9.0
        ),
        **changes,
    )


def report(its_plan: Plan, *legs: LegObservation, **changes: Any) -> AgentReport:
    """A complete report, registered at every stage."""
    fields: dict[str, Any] = {
        "plan": its_plan,
        "legs": legs,
        "registrations": tuple(registration(its_plan.role, endpoint=stage.endpoint) for stage in its_plan.stages),
        "complete": True,
    }
    return AgentReport(**(fields | changes))


def good_reports(*, endpoints: tuple[int, ...] = (0,), **changes: Any) -> list[AgentReport]:
    """Caller and callee of one lane, all calls good; `changes` as of `plan`."""
    caller, callee = (
        plan(Role.CALLER, endpoints=endpoints, **changes),
        plan(Role.CALLEE, endpoints=endpoints, **changes),
    )
    places = [(endpoint, group.name, n) for endpoint in endpoints for group in caller.calls for n in range(group.count)]
    return [
        report(caller, *(caller_leg(endpoint=endpoint, call=call, number=n) for endpoint, call, n in places)),
        report(callee, *(callee_leg(endpoint=endpoint, call=call, number=n) for endpoint, call, n in places)),
    ]
