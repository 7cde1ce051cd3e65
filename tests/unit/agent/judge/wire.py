"""A call as it crossed the wire at both its ends, for tests to break in one place at a time: events in, verdict out.

A good call: 4 s, PCMU both ways through 10.0.0.1, this call's signal heard at both ends, two digits there and back.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from agent.contract.call import Behaviour, Call, SendDtmf
from agent.contract.expect import Audio, ExpectDtmf, ExpectLeg, ExpectRtp
from agent.contract.observation import Action, Health, LegObservation, Trouble
from agent.contract.plan import Plan, asks_tone, call_key, identity_code
from agent.contract.registering import Registration
from agent.contract.registration import RegistrationObservation
from agent.contract.result import TurnedAway
from agent.contract.srtp import SrtpSection
from agent.contract.verdict import Role
from agent.judge.run import AgentReport, CallVerdict, judge_run
from agent.observe.leg import LegFacts, observe_leg
from agent.observe.messages import asked
from agent.observe.sound import Sought
from agent.phone.protocol import CallEnded, CallHandle, Event, NotSent, PutOff
from agent.sip.text import parse_head
from agent.sound.identity import Samples, encode
from agent.tap.model import TapConnection, TapGuard, TapSecure, TapStream
from tests.unit.agent.line import sine
from tests.unit.builders import RUN_UID, change, plan, report
from tests.unit.sip_messages import message, request, response, sdp, with_sdp
from tests.unit.taps import tap_digit, tap_stream

KEY = call_key(RUN_UID, 0, "pin", 0)
CODE = identity_code(KEY)
OURS, RELAY, SUT = "10.0.0.9:4000", "10.0.0.1:30000", "10.0.0.1:5060"
EXPECT = ExpectLeg(
    audio=Audio.OWN,
    dtmf=ExpectDtmf(digits="12"),
    rtp=ExpectRtp(min_packets=150, max_loss_percent="1", max_jitter_milliseconds=30),
)
DIGITS = (tap_digit("1", 11.0), tap_digit("2", 11.3))
SIGNAL = encode(CODE, frames=9)[: 4 * 8000]


def silence(seconds: float = 4.0) -> Samples:
    return np.zeros(int(8000 * seconds), dtype=SIGNAL.dtype)


def noise(seconds: float = 4.0) -> Samples:
    """Nobody's signal, and loud."""
    return np.random.default_rng(7).integers(-8000, 8000, int(8000 * seconds)).astype(SIGNAL.dtype)


def tone(hertz: float, seconds: float = 4.0, amplitude: float = 8000.0) -> Samples:
    """A sine."""
    return np.rint(sine(hertz, seconds, amplitude)).astype(SIGNAL.dtype)


def rtp(**changes: Any) -> TapStream:
    """One direction of a good call."""
    usual: dict[str, Any] = {
        "local": OURS, "remote": RELAY, "mark": 1, "packets": 200, "expected": 200, "first_s": 10.12, "last_s": 14.09,
        "payload_types": {0: 184, 101: 16}, "media_ms": 3680.0, "lost_ms": 0.0, "pause_ms": 0.0, "event_ms": 320.0,
        "span_ms": 4000.0, "jitter_samples": 183, "max_gap_ms": 22.0, "digits": DIGITS,
    }  # fmt: skip
    return tap_stream(**(usual | changes))


def carrier(**changes: Any) -> TapConnection:
    """The caller's connection to the SUT, up before its INVITE."""
    usual: dict[str, Any] = {
        "number": 1, "protocol": "TCP", "outgoing": True, "local": "10.0.0.9:40001", "remote": SUT, "opened_s": 9.98,
        "up_s": 9.99, "closed_s": None, "status": 0, "ours": False,
    }  # fmt: skip
    return TapConnection(**(usual | changes))


HEALTHY = Health()
PHRASES = {
    200: "OK", 302: "Moved Temporarily", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    407: "Proxy Authentication Required", 420: "Bad Extension", 480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here",
    500: "Server Internal Error", 503: "Service Unavailable",
}  # fmt: skip


_TROUBLES: ContextVar[Mapping[Role, Health | None]] = ContextVar("troubles", default={})  # noqa: B039  # never changed


@contextmanager
def trouble(role: Role, health: Health | None) -> Iterator[None]:
    """Within it, the agent at that end of every call is in trouble, and as it registers; None: it is lost."""
    before = _TROUBLES.set({role: health})
    try:
        yield
    finally:
        _TROUBLES.reset(before)


def _in_trouble(seen: RegistrationObservation, role: Role) -> RegistrationObservation:
    health = _TROUBLES.get().get(role)
    if health is None:
        return seen
    parts = [part for part in ("lapse", "leaving") if getattr(seen, part) is not None]
    return change(seen, trouble=health.setup, **{f"{part}__trouble": health.setup for part in parts})


@dataclass(frozen=True, kw_only=True)
class End:
    """One end of the call: what crossed its wire, in the caller's order; the callee's is the mirror of it."""

    role: Role
    key: str | None = KEY
    """Which call its INVITE says it is."""
    sip_call_id: str = "c1"
    offer: str | None = sdp(OURS)
    answer: str | None = sdp(RELAY)
    asks: str = ""
    """Headers of the INVITE; likewise of other requests: `route`, of ACK and BYE, `farewell`, of the BYE."""
    tries: int = 1
    """How often the INVITE crosses."""
    trying: bool = False
    ringing: bool = True
    rings: dict[str, str] = field(default_factory=dict)
    """Headers of the 180."""
    code: int | None = 200
    refusal: dict[str, str] = field(default_factory=dict)
    """Headers of the final response; `goodbye`: of that to the BYE."""
    route: str = ""
    farewell: str = ""
    goodbye: dict[str, str] = field(default_factory=dict)
    tones: str | None = None
    """Digits that were heard."""
    answers: int = 1
    acknowledged: bool = True
    bye_s: float = 14.1
    bye_sent: bool | None = None
    """By this end; None: no BYE crossed. The default is the caller."""
    bye_code: int | None = 200
    streams: tuple[TapStream, ...] = (rtp(), rtp(sent=True))
    sound: Samples | None = None
    extra: tuple[Event, ...] = ()
    actions: tuple[Action, ...] = ()
    """What the agent did, or could not."""
    health: Health = HEALTHY
    own_reason: str | None = None
    ended_s: float | None = None
    srtp: tuple[SrtpSection, ...] | None = None
    """What crossed below SRTP; told by the rows and `guards`, where there are any."""
    guards: tuple[TapGuard, ...] = ()
    uncounted: int = 0
    carriers: tuple[TapConnection, ...] = ()
    """TCP connections, beside which nothing was."""
    downgraded: tuple[str, ...] | None = None
    unsent: int | None = None
    """The stack's status: the INVITE never crossed; 0: it waits for its connection."""

    def leg(self, its_plan: Plan | None = None) -> LegObservation:
        """As this end's agent observes it."""
        its_plan = its_plan or the_plan(self.role)
        facts = LegFacts(
            role=self.role, endpoint=0, call="pin", number=0, call_key=self.key, sip_call_id=self.sip_call_id,
            started_at=1e9,
        )  # fmt: skip
        last_s = self.ended_s if self.ended_s is not None else self.bye_s + 0.05
        ended = CallEnded(
            at_s=last_s, call=CallHandle(1), local_reason="", stack_sent=None, stack_received=None, rtt_ms=None,
            media_s=4.0, recordings={}, tapped=self.streams if self.code == 200 else None, guards=self.guards,
            uncounted=self.uncounted,
        )  # fmt: skip
        events = sorted((*self._messages(), *self.extra, ended), key=lambda event: event.at_s)
        sound = SIGNAL if self.sound is None else self.sound
        tracks = dict.fromkeys((RELAY, *(row.remote for row in self.streams)), sound) if self.code == 200 else {}
        seen = observe_leg(
            facts, events, own_reason=self.own_reason, health=self.health, tracks=tracks,
            sought=Sought(own=CODE, tones=asks_tone(its_plan.calls)), carriers=self.carriers,
            asked=asked(its_plan, 0, "pin"),
        )  # fmt: skip
        below = seen.srtp if self.guards else self.srtp
        health = _TROUBLES.get().get(self.role) or seen.health
        return change(
            seen,
            dtmf_tones=self.tones,
            downgraded=self.downgraded,
            srtp=below,
            health=health,
            actions=(*seen.actions, *self.actions),
        )

    def _messages(self) -> Sequence[Event]:
        out = self.role is Role.CALLER
        offer = {"extra": ""} if self.offer is None else with_sdp(self.offer)
        invite = request(**offer | {"extra": self.asks + offer["extra"]})
        if self.unsent == 0:
            return [PutOff(at_s=10.0, head=parse_head(invite), connection=1)]
        if self.unsent is not None:
            head, refused = parse_head(invite), "the stack's words"
            return [NotSent(at_s=10.0, peer=SUT, head=head, reason=refused, status=self.unsent, connection=1)]
        found = [message(10.0 + 0.5 * (2**time - 1), invite, out) for time in range(self.tries)]
        if self.trying:
            found.append(message(10.01, response(100, to_tag="", phrase="Trying"), not out))
        if self.ringing:
            found.append(message(10.02, response(180, headers=self.rings), not out))
        if self.code is None:
            return found
        body = {} if self.answer is None or self.code != 200 else with_sdp(self.answer)
        final = response(self.code, headers=self.refusal, phrase=PHRASES.get(self.code, "Phrase"), **body)
        found += [message(10.1 + 0.5 * (2**time - 1), final, not out) for time in range(self.answers)]
        if self.code != 200:
            return found
        if self.acknowledged:
            found.append(message(10.12, request("ACK", to_tag="t", extra=self.route), out))
        return [*found, *self._ending(out)]

    def _ending(self, out: bool) -> list[Event]:  # noqa: FBT001
        if self.bye_sent is None:
            return []
        own = self.bye_sent is out
        tags = {"cseq": 7, **({"to_tag": "t"} if own else {"from_tag": "t", "to_tag": "f"})}
        bye = request("BYE", extra=self.route + self.farewell, **tags)
        found: list[Event] = [message(self.bye_s, bye, self.bye_sent)]
        if self.bye_code is not None:
            phrase = PHRASES.get(self.bye_code, "Phrase")
            said = response(self.bye_code, method="BYE", headers=self.goodbye, phrase=phrase, **tags)
            found.append(message(self.bye_s + 0.02, said, not self.bye_sent))
        return found


CALLER = End(role=Role.CALLER, bye_sent=True)
CALLEE = End(role=Role.CALLEE, bye_sent=False, offer=sdp(RELAY), answer=sdp(OURS))


def the_plan(role: Role, **changes: Any) -> Plan:
    usual: dict[str, Any] = {
        "group__hold_seconds": 4, "group__caller__dtmf": SendDtmf(digits="12"), "group__expect__caller": EXPECT,
        "group__expect__callee": EXPECT,
    }  # fmt: skip
    return plan(role, **(usual | changes))


def verdict(
    caller: End | None = CALLER,
    callee: End | None = CALLEE,
    *,
    registrations: Sequence[RegistrationObservation] | None = None,
    registration: Registration = Registration(),  # noqa: B008  # frozen
    callee_lost: bool = False,
    turned_away: Sequence[TurnedAway] = (),
    behaviour: Behaviour = Behaviour.PARROT,
    before: tuple[End, ...] = (),
    others: tuple[Call, ...] = (),
    **plan_changes: Any,
) -> CallVerdict:
    """What the call comes to. A leg None was not reported. `registration`: the caller's. `before`: what the callee's
    other INVITEs of it came to. `others`: calls beside it."""
    made: list[AgentReport] = []
    for role, end in ((Role.CALLER, caller), (Role.CALLEE, callee)):
        is_lost = _TROUBLES.get().get(role, HEALTHY) is None
        changes: dict[str, Any] = {"complete": not is_lost and not (callee_lost and role is Role.CALLEE)}
        if registrations is not None and role is Role.CALLER:
            changes["registrations"] = tuple(_in_trouble(seen, role) for seen in registrations)
        if role is Role.CALLEE:
            changes["turned_away"] = tuple(turned_away)
        its_plan = the_plan(role, **{"group__callee__behaviour": behaviour} | plan_changes)
        its_plan = change(its_plan, calls=(*its_plan.calls, *others))
        if role is Role.CALLER:
            its_plan = change(its_plan, account__registration=registration)
        seen = () if end is None or is_lost else (*(before if role is Role.CALLEE else ()), end)
        legs = tuple(each.leg(its_plan) for each in seen)
        made.append(report(its_plan, *legs, **changes))
    return judge_run(made).calls[0]


def caller(**changes: Any) -> End:
    """The good caller's end, changed."""
    return replace(CALLER, **changes)


def callee(**changes: Any) -> End:
    """Likewise."""
    return replace(CALLEE, **changes)


def unconnected(status: int = 0, **changes: Any) -> End:
    """A caller whose connection never came up."""
    closed_s = 10.0 if status else None
    opening = carrier(up_s=None, closed_s=closed_s, status=status)
    usual: dict[str, Any] = {"code": None, "unsent": status, "carriers": (opening,), "ended_s": 10.1}
    return caller(**(usual | changes))


def unsecured(status: int, *, secure: dict[str, Any] | None = None, closed_s: float = 10.05, **changes: Any) -> End:
    """A caller whose TLS never came about; `secure`: what it came to all the same, else its handshake had begun."""
    told = TapSecure(**({"begun": True} | (secure or {})))
    opening = carrier(protocol="TLS", up_s=None, closed_s=closed_s, status=status, secure=told)
    usual: dict[str, Any] = {"code": None, "unsent": status, "carriers": (opening,), "ended_s": 10.1}
    return caller(**(usual | changes))


CERTIFICATE: Final[dict[str, Any]] = {
    "version": "TLSv1.3", "cipher": "TLS_AES_256_GCM_SHA384", "subject": "CN=sut", "issuer": "CN=ca",
    "names": ("sip.example.com", "10.0.0.7"), "not_before_s": 1_700_000_000, "not_after_s": 1_700_086_400,
}  # fmt: skip


def unbelieved(faults: int) -> End:
    """A caller that hung up on a certificate."""
    return unsecured(171_173, secure=CERTIFICATE | {"faults": faults})


def troubled(**trouble: Any) -> Health:
    """An agent in trouble from the INVITE on."""
    return Health(setup=Trouble(**trouble), media=Trouble(**trouble))


Case = Callable[[], CallVerdict]
