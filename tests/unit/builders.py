"""Plans, legs and reports of calls that went well, for tests to break in one place at a time.

A good call: 8 s, PCMU, 400 packets each way, "1234#" to a parrot and back, this call's signal heard at both ends.
"""

from typing import Any, TypeVar

import msgspec

from agent.contract.call import Audio, Behaviour, Call, CallCaller, Expect, ExpectDtmf, ExpectLeg, ExpectRtp, SendDtmf
from agent.contract.call import DtmfMethod as Method
from agent.contract.observation import (
    Digit,
    Health,
    Heard,
    LegObservation,
    Negotiated,
    Progress,
    RegistrationObservation,
    RegistrationOutcome,
    Rtp,
    Side,
)
from agent.contract.plan import Account, Plan, RunRef, Stage, call_key, identity_code
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
    """The value with some fields changed; `a__b=` changes field b of field a."""
    own: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = {}
    for name, new in changes.items():
        head, _, rest = name.partition("__")
        if rest:
            nested.setdefault(head, {})[rest] = new
        else:
            own[head] = new
    for head, inner in nested.items():
        own[head] = change(getattr(value, head), **inner)
    return msgspec.structs.replace(value, **own)


def digits(text: str, method: Method = Method.RFC4733) -> tuple[Digit, ...]:
    return tuple(
        Digit(digit=digit, method=method, at_ms=500.0 + 200 * place, duration_ms=100.0)
        for place, digit in enumerate(text)
    )


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
        behaviour=Behaviour.PARROT if role is Role.CALLEE else None,
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
        local_rtp="10.0.0.9:4000",
        started_at=start_s,
        final_code=200,
        final_phrase="OK",
        negotiated=Negotiated(codec="PCMU", telephone_event_payload_type=120, remote_rtp="10.0.0.1:30000"),
        dtmf_sent=digits(DIGITS),
        dtmf_received=digits(DIGITS),
        rtp_sent=Rtp(packets=400),
        rtp_received=Rtp(packets=400, lost=0, jitter_ms=0.5, max_jitter_ms=2.0),
        rtt_ms=1.0,
        heard=Heard(duration_ms=8000, level_dbfs=-18.0, active_ms=7000, codes={str(identity_code(key)): 15}),
        health=Health(throttled_ms=0.0, lateness_ms=3.0, socket_drops=0, sent_ratio=1.0),
    )


def caller_leg(*, endpoint: int = 0, call: str = "pin", number: int = 0, **changes: Any) -> LegObservation:
    """A good caller's leg. Calls of one endpoint follow each other, ten seconds apart."""
    leg = _leg(Role.CALLER, endpoint=endpoint, call=call, number=number, start_s=1e9 + 100 * endpoint + 10 * number)
    times = Progress(first_response_ms=5.0, ringing_ms=20.0, answered_ms=50.0, bye_ms=8050.0, ended_ms=8060.0)
    return change(change(leg, progress=times, ended_by=Side.LOCAL, bye_answered=True, bye_code=200), **changes)


def callee_leg(*, endpoint: int = 0, call: str = "pin", number: int = 0, **changes: Any) -> LegObservation:
    """A good callee's leg, by a clock an hour apart from the caller's."""
    leg = _leg(Role.CALLEE, endpoint=endpoint, call=call, number=number, start_s=2e9 + 100 * endpoint + 10 * number)
    times = Progress(ringing_ms=2.0, answered_ms=30.0, bye_ms=8045.0, ended_ms=8046.0)
    return change(change(leg, progress=times, ended_by=Side.REMOTE, acknowledged=True), **changes)


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
