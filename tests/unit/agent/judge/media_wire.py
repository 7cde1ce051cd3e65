"""A call as it crossed the wire at both our agents: messages, rows of the tap and sound in, a verdict out.

Caller 10.0.0.9:4000 ↔ 10.0.0.1:30000 the SUT 10.0.0.1:30002 ↔ 10.0.0.8:4000 callee. Answered at 10.0, BYE 8 s later.
"""

from typing import Any

import numpy as np

from agent.contract.expect import ExpectLeg
from agent.contract.observation import Health, LegObservation, Trouble
from agent.contract.plan import call_key, identity_code
from agent.contract.verdict import Role
from agent.judge.run import CallVerdict, judge_run
from agent.observe.leg import LegFacts, observe_leg
from agent.observe.sound import Sought
from agent.phone.protocol import CallEnded, CallHandle, MessageSeen
from agent.sound.identity import SAMPLE_RATE, Samples, encode
from agent.tap.model import TapStream
from tests.unit.builders import RUN_UID, plan, report
from tests.unit.sip_messages import message, request, response, sdp, with_sdp
from tests.unit.taps import tap_stream

KEY = call_key(RUN_UID, 0, "pin", 0)
CODE = identity_code(KEY)
PLACES = {Role.CALLER: ("10.0.0.9:4000", "10.0.0.1:30000"), Role.CALLEE: ("10.0.0.8:4000", "10.0.0.1:30002")}
"""Where each agent receives, and where the SUT does from it."""
ANSWERED_S, HOLD_S = 10.0, 8.0
NOTHING: dict[str, Any] = {"group__expect__caller": ExpectLeg(), "group__expect__callee": ExpectLeg(),
                           "group__caller__dtmf": None}  # fmt: skip
SIGNAL: Samples = encode(CODE, frames=17)[: int(HOLD_S * SAMPLE_RATE)]
SILENCE: Samples = np.zeros(int(HOLD_S * SAMPLE_RATE), dtype=np.int16)


def row(role: Role, *, sent: bool = False, **changes: Any) -> TapStream:
    """8 s of PCMU in 400 packets, from or to the SUT."""
    local, remote = PLACES[role]
    usual: dict[str, Any] = {
        "sent": sent, "local": local, "remote": remote, "mark": int(role is Role.CALLER), "epoch": 2, "packets": 400,
        "expected": 400, "jitter_samples": 399, "first_s": ANSWERED_S + 0.02, "last_s": ANSWERED_S + HOLD_S - 0.01,
        "payload_types": {0: 400}, "media_ms": 8000.0, "lost_ms": 0.0, "pause_ms": 0.0, "audio": 0,
    }  # fmt: skip
    return tap_stream(**(usual | changes))


def offer_and_answer(
    role: Role, answer_lines: tuple[str, ...] = (), *, remote: str | None = None
) -> tuple[MessageSeen, ...]:
    """INVITE, 200 and ACK; `answer_lines` are added to the SUT's SDP (the callee's: to its offer)."""
    local, theirs = PLACES[role]
    ours, its = with_sdp(sdp(local)), with_sdp(sdp(remote or theirs, *answer_lines))
    invite, answer = (ours, its) if role is Role.CALLER else (its, ours)
    by_us = role is Role.CALLER
    return (
        message(ANSWERED_S - 0.1, request(key=KEY, **invite), by_us, epoch=1),
        message(ANSWERED_S, response(200, **answer), not by_us, epoch=2),
        message(ANSWERED_S + 0.01, request("ACK", to_tag="t"), by_us, epoch=2),
    )


def changed_to(role: Role, at_s: float, line: str, *, cseq: int, epoch: int) -> tuple[MessageSeen, ...]:
    """A re-INVITE of the SUT with this direction, answered at once with what it leaves."""
    left = {"a=sendonly": "a=recvonly", "a=inactive": "a=inactive", "a=sendrecv": "a=sendrecv"}[line]
    local, theirs = PLACES[role]
    tags = {"from_tag": "t", "to_tag": "f"} if role is Role.CALLER else {"from_tag": "f", "to_tag": "t"}
    return (
        message(at_s, request(cseq=cseq, **tags, **with_sdp(sdp(theirs, line))), False, epoch=epoch - 1),
        message(at_s, response(200, cseq=cseq, **tags, **with_sdp(sdp(local, left))), True, epoch=epoch),
        message(at_s + 0.01, request("ACK", cseq=cseq, **tags), False, epoch=epoch),
    )


def leg(
    role: Role,
    *rows: TapStream,
    sound: Samples | dict[str, Samples] = SIGNAL,
    signalling: tuple[MessageSeen, ...] = (),
    changes: tuple[MessageSeen, ...] = (),
) -> LegObservation:
    """What the agent observed; without rows: all came and went."""
    facts = LegFacts(
        role=role, endpoint=0, call="pin", number=0, call_key=KEY, sip_call_id="c1", started_at=1.7e9,
    )  # fmt: skip
    by_us, end_s = role is Role.CALLER, ANSWERED_S + HOLD_S
    seen = rows or (row(role), row(role, sent=True))
    events = [
        *(signalling or offer_and_answer(role)),
        *changes,
        message(end_s, request("BYE", cseq=9, to_tag="t"), by_us, epoch=2),
        message(end_s + 0.01, response(200, cseq=9, method="BYE"), not by_us, epoch=2),
        CallEnded(
            at_s=end_s + 0.02, call=CallHandle(1), local_reason="", rtt_ms=None, media_s=HOLD_S, tapped=seen,
            recordings={}, stack_sent=None, stack_received=None,
        ),
    ]  # fmt: skip
    tracks = sound if isinstance(sound, dict) else {PLACES[role][1]: sound}
    health = Health(media=Trouble(over_ms=8000.0, throttled_ms=0.0, lateness_ms=1.0, socket_drops=0))
    return observe_leg(facts, events, own_reason=None, health=health, tracks=tracks, sought=Sought(own=CODE))


def verdict(caller: LegObservation | None = None, callee: LegObservation | None = None, **its_plan: Any) -> CallVerdict:
    """The call judged from both ends; an end that is not given went well."""
    legs = {Role.CALLER: caller or leg(Role.CALLER), Role.CALLEE: callee or leg(Role.CALLEE)}
    reports = [report(plan(role, **(NOTHING | its_plan)), legs[role]) for role in (Role.CALLER, Role.CALLEE)]
    return judge_run(reports).calls[0]


def alone(caller: LegObservation, **its_plan: Any) -> CallVerdict:
    """A call to a SUT that answers itself."""
    expected = NOTHING | its_plan | {"group__expect__callee": ExpectLeg()}
    return judge_run([report(plan(Role.CALLER, callee_declared=False, **expected), caller)]).calls[0]
