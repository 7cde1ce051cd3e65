"""The legs that are up: which event belongs to which, and what is made of a leg once it is over."""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import msgspec

from agent.clock import Clock
from agent.contract.observation import Action, Health, LegObservation, Trouble
from agent.contract.plan import Plan, asks_tone, call_key, identity_code
from agent.contract.verdict import Role
from agent.judge.leg import judge_leg
from agent.judge.unnamed import is_broken_unnamed
from agent.observe.connections import Carriers
from agent.observe.leg import LegFacts, observe_leg
from agent.observe.messages import asked
from agent.observe.signalling import LegWire, ms, read_leg
from agent.observe.sips import asks_sips, downgraded
from agent.observe.sound import MAX_OTHERS, Sought
from agent.phone.protocol import (
    CallConfirmed,
    CallEnded,
    CallHandle,
    ConnectionSeen,
    Event,
    IncomingCall,
    MessageSeen,
    NotSent,
    PortClosed,
    PutOff,
    RegistrationConcluded,
    StackRefused,
    Unparsed,
)
from agent.report.evidence import Evidence
from agent.run.health import HealthMonitor, Window, health_of
from agent.run.leg_events import LegEvents
from agent.run.leg_files import delete_files, tracks_of
from agent.run.tones import tones_heard
from agent.sip.text import CALL_ID, SipHead, parse_head
from agent.timers import Timers

SETTLE_S: Final = 0.2
"""A leg is judged this long after its end, for the last messages to be seen."""
MAX_UNCLAIMED_CALL_IDS: Final = 64
MAX_UNCLAIMED_MESSAGES: Final = 16
"""Messages are kept this many per Call-ID that is no leg's yet: what we send is seen before its call is told."""
MAX_WAITING: Final = 64
"""Legs whose INVITE is there and whose call is not told yet. In a flood of INVITEs, calls alone make legs."""
REFUSED_S: Final = 1.0
"""An INVITE that the stack refused by itself may come again, otherwise, within this time: it is the same leg."""
UNANSWERED_S: Final = 40.0
"""An INVITE that our stack neither refused nor made a call of: its caller has given up by then (Timer B, 32 s)."""
MAX_PAST: Final = 1024
"""Legs that are over and whose INVITE is known again: a client sends it for 32 s (RFC 3261, Timer B)."""
MAX_ACTIONS: Final = 64
"""Of one leg: a parrot may send digits back again and again."""


@dataclass(slots=True, kw_only=True, eq=False)
class Leg:
    """A leg that is up, or has just ended."""

    facts: LegFacts
    handle: CallHandle | None
    """None: its INVITE came in, and the stack has not told of a call yet, or refused it."""
    from_tag: str = ""
    """Of the INVITE that began it, where it came in."""
    events: LegEvents = field(default_factory=LegEvents)
    began_s: float = 0.0
    window: Window | None = None
    setup: Trouble | None = None
    """Once it was answered."""
    health: Health = field(default_factory=Health)
    own_reason: str | None = None
    """Why this agent ended it."""
    told_to_stop: bool = False
    concluded: bool = False
    actions: list[tuple[str, float | None, str | None]] = field(default_factory=list)
    """What this agent did: step, when (None: not), why not."""


class LegBook:
    """All legs that are up or settling: gives each its events and, when it is over, its observation to `on_leg`.

    By way of `evidence`, which keeps what is to be kept of it.
    """

    def __init__(
        self,
        *,
        plan: Plan,
        clock: Clock,
        timers: Timers,
        health: HealthMonitor,
        evidence: Evidence,
        on_leg: Callable[[LegObservation], None],
        on_invite: Callable[[MessageSeen], LegFacts | None],
    ) -> None:
        """`on_invite`: what an INVITE that came in begins; None: no leg."""
        self._plan = plan
        self._clock = clock
        self._timers = timers
        self._health = health
        self._evidence = evidence
        self._on_leg = on_leg
        self._on_invite = on_invite
        self._by_handle: dict[CallHandle, Leg] = {}
        self._by_call_id: dict[str, list[Leg]] = {}
        self._waiting: list[Leg] = []
        self._unclaimed: OrderedDict[str, list[MessageSeen]] = OrderedDict()
        self._past: OrderedDict[tuple[str, str], None] = OrderedDict()
        """Call-ID and branch of the INVITEs that made the last legs that are over."""
        self._carriers = Carriers()
        self._over = 0
        """Legs that are over."""
        self._codes_begun: deque[int] = deque(maxlen=MAX_OTHERS)
        """Of the last legs that began: those that are up are among them."""

    @property
    def open(self) -> int:
        """Legs up or settling."""
        return len(self._by_handle) + len(self._waiting)

    def calls(self, call_id: str) -> list[CallHandle]:
        """Those of a Call-ID that are up."""
        return [leg.handle for leg in self._by_call_id.get(call_id, ()) if leg.handle is not None]

    def begin(self, facts: LegFacts, handle: CallHandle) -> None:
        """A call was placed, or came in with an INVITE that could not be read."""
        self._by_handle[handle] = self._new(facts, handle)

    def attach(self, event: IncomingCall) -> bool:
        """The call that an INVITE made; False: no leg waits for it."""
        head = parse_head(event.invite)
        branch = head.branch if head else None
        waiting = [leg for leg in self._waiting if leg.facts.sip_call_id == event.sip_call_id]
        # Told to come again (422, say), it did so under another branch: the leg is the same.
        leg = next((leg for leg in waiting if leg.facts.branch == branch), waiting[0] if waiting else None)
        if leg is None:
            return head is not None and self._attach_again(event, head)
        self._waiting.remove(leg)
        leg.handle = event.call
        self._by_handle[event.call] = leg
        return True

    def _attach_again(self, event: IncomingCall, head: SipHead) -> bool:
        """The stack had made a call of the first try too, and ended it as it refused that (422, say)."""
        sharing = self._by_call_id.get(event.sip_call_id, ())
        leg = next((leg for leg in sharing if leg.from_tag == head.from_tag and leg.events.ended is not None), None)
        if leg is None or leg.handle is None:
            return False
        if (ended := leg.events.go_on()) is not None:
            delete_files(ended)
        del self._by_handle[leg.handle]
        leg.handle = event.call
        self._by_handle[event.call] = leg
        return True

    def _new(self, facts: LegFacts, handle: CallHandle | None) -> Leg:
        if (code := _own_code(facts)) is not None:
            self._codes_begun.append(code)
        began_s = self._clock.monotonic_s()
        leg = Leg(facts=facts, handle=handle, began_s=began_s, window=self._health.begin(began_s))
        if facts.sip_call_id is not None:
            for message in self._unclaimed.pop(facts.sip_call_id, ()):
                leg.events.add(message, parse_head(message.text))
            self._by_call_id.setdefault(facts.sip_call_id, []).append(leg)
        return leg

    def never_began(self, facts: LegFacts, reason: str) -> None:
        """A call that could not be placed is a leg as well."""
        self._conclude(Leg(facts=facts, handle=None, own_reason=reason, actions=[("Place", None, reason)]))

    def did(self, handle: CallHandle, name: str, at_s: float | None, error: str | None) -> None:
        """A step of a leg was done, or (`error`) could not be, or its time never came (neither time)."""
        leg = self._by_handle.get(handle)
        if leg is not None and len(leg.actions) < MAX_ACTIONS:
            leg.actions.append((name, at_s, error))

    def because(self, handle: CallHandle, reason: str, *, told_to_stop: bool = False) -> None:
        """Says why this agent is about to end a call; the first reason stands."""
        leg = self._by_handle.get(handle)
        if leg and leg.own_reason is None and leg.events.ended is None:
            leg.own_reason, leg.told_to_stop = reason, told_to_stop

    def record(self, event: Event) -> None:
        """Gives the event to its leg, or legs where one Call-ID has come twice."""
        match event:
            case MessageSeen():
                self._record_message(event)
            case ConnectionSeen():
                self._carriers.saw(event)
            case NotSent() | PutOff() | Unparsed():
                if (call_id := _call_id(event)) is not None:
                    self._record_of(call_id, event)
            case StackRefused() | PortClosed():
                self._record_of(event.sip_call_id, event)
            case RegistrationConcluded() | IncomingCall():
                pass
            case _:
                if (leg := self._by_handle.get(event.call)) is not None:
                    self._record_call_event(leg, event)
                elif isinstance(event, CallEnded):  # of a leg that was given up before
                    delete_files(event)

    def abandon(self, handle: CallHandle, reason: str) -> None:
        """Ends a leg that the phone never ended."""
        self.because(handle, reason)
        now_s = self._clock.monotonic_s()
        ended = CallEnded(
            at_s=now_s,
            call=handle,
            local_reason=reason,
            stack_sent=None,
            stack_received=None,
            rtt_ms=None,
            media_s=None,
            recordings={},
        )
        self.record(ended)

    def conclude_all(self) -> None:
        """Judges whatever is left, as it is: what the phone has not ended by now lasted until now."""
        for handle in list(self._by_handle):
            self.abandon(handle, "it was not over when the agent had to go on")
        for leg in [*self._by_handle.values(), *self._waiting]:
            self._conclude(leg)

    def _record_message(self, message: MessageSeen) -> None:
        head = message.head
        if head is None or head.method == "REGISTER":
            return
        self._begin_with(message, head)
        if legs := self._by_call_id.get(head.call_id):
            for leg in legs:
                leg.events.add(message, head)
                if head.method == "INVITE" and 200 <= (head.code or 0) < 300:
                    self._answered(leg, message.at_s)
            return
        unclaimed = self._unclaimed.setdefault(head.call_id, [])
        if len(unclaimed) < MAX_UNCLAIMED_MESSAGES:
            unclaimed.append(message)
        if len(self._unclaimed) > MAX_UNCLAIMED_CALL_IDS:
            self._unclaimed.popitem(last=False)

    def _begin_with(self, message: MessageSeen, head: SipHead) -> None:
        """An INVITE that came in begins a leg, also where the stack makes no call of it.

        The same by another way, or tried again, does not (RFC 3261 §8.2.2.2).
        """
        begins = head.method == "INVITE" and head.code is None and not message.sent and not head.in_dialog
        if begins and (head.call_id, head.branch) in self._past:
            return  # sent again, as its response was lost: of a leg that is over
        sharing = self._by_call_id.get(head.call_id, ())
        if not begins or len(self._waiting) >= MAX_WAITING or any(leg.from_tag == head.from_tag for leg in sharing):
            return
        facts = self._on_invite(message)
        if facts is None:
            return
        leg = self._new(facts, None)
        leg.from_tag = head.from_tag
        self._waiting.append(leg)
        began_s = self._clock.monotonic_s()
        self._timers.at(began_s + REFUSED_S, lambda: self._watch(leg, began_s))

    def _watch(self, leg: Leg, began_s: float) -> None:
        """Until its call is told, or it was refused; a leg that the stack forgot ends too."""
        if leg.handle is not None or leg.concluded:
            return
        now_s = self._clock.monotonic_s()
        wire = self._wire(leg)
        refused = wire.final is not None and now_s - wire.final.at_s >= REFUSED_S
        if refused or now_s - began_s >= UNANSWERED_S:
            leg.own_reason = leg.own_reason or (None if refused else self._why_unanswered(leg))
            self._measure(leg, now_s)
            self._conclude(leg)
        else:
            self._timers.at(now_s + REFUSED_S, lambda: self._watch(leg, began_s))

    def _wire(self, leg: Leg) -> LegWire:
        return read_leg(leg.events, outgoing=leg.facts.role is Role.CALLER, branch=leg.facts.branch)

    def _why_unanswered(self, leg: Leg) -> str:
        """The stack knows a request by its branch alone, not by who sent it as well (RFC 3261 §17.2.3)."""
        up = ((other.facts.sip_call_id, other.facts.branch) for legs in self._by_call_id.values() for other in legs)
        others = {branch for call_id, branch in (*up, *self._past) if branch and call_id != leg.facts.sip_call_id}
        why = ", which has the branch of another call's (RFC 3261 §8.1.1.7)" if leg.facts.branch in others else ""
        return f"our SIP stack did not answer the INVITE{why}"

    def _record_of(self, call_id: str, event: NotSent | PutOff | Unparsed | StackRefused | PortClosed) -> None:
        for leg in self._by_call_id.get(call_id, ()):
            leg.events.add(event)

    def _answered(self, leg: Leg, at_s: float) -> None:
        """From here on it is media."""
        if leg.setup is None and leg.window is not None:
            leg.setup = self._health.end(leg.window, at_s)
            leg.window = self._health.begin(at_s)

    def _measure(self, leg: Leg, at_s: float) -> None:
        if leg.window is not None:
            last = self._health.end(leg.window, at_s)
            rtp_drops = self._health.rtp_drops(leg.events.rtp_ports, leg.began_s)
            leg.health = health_of(leg.setup or last, last if leg.setup else None, rtp_drops)

    def _record_call_event(self, leg: Leg, event: Event) -> None:
        if isinstance(event, CallEnded):
            self._end(leg, event)
        else:
            leg.events.add(event)
        if isinstance(event, CallConfirmed):
            self._answered(leg, event.at_s)

    def _end(self, leg: Leg, event: CallEnded) -> None:
        if leg.events.ended is not None:
            delete_files(event)
            return
        leg.events.add(event)
        self._measure(leg, event.at_s)
        # Unless another try goes on with it.
        self._timers.at(
            self._clock.monotonic_s() + SETTLE_S, lambda: self._conclude(leg) if leg.events.ended is event else None
        )

    def _conclude(self, leg: Leg) -> None:
        """Observes, judges, tells; once."""
        if leg.concluded:
            return
        leg.concluded = True
        self._forget(leg)
        self._over += 1
        tracks = tracks_of(leg.events.ended)
        observation = observe_leg(
            leg.facts,
            leg.events,
            own_reason=leg.own_reason,
            health=leg.health,
            tracks=tracks,
            sought=self._sought(leg.facts),
            carriers=self._carriers.of(leg.events),
            asked=asked(self._plan, leg.facts.endpoint, leg.facts.call),
        )
        observation = msgspec.structs.replace(
            observation,
            index=self._over - 1,
            told_to_stop=leg.told_to_stop,
            downgraded=downgraded(self._wire(leg).leg) if asks_sips(self._plan) else None,
            dtmf_tones=tones_heard(self._plan, observation, tracks),
            actions=(*observation.actions, *_actions(leg)),
            events_left_out=leg.events.left_out,
        )
        findings = judge_leg(self._plan, observation)
        self._evidence.take(
            msgspec.structs.replace(observation, findings=findings),
            leg.events.ended.capture if leg.events.ended else None,
            self._on_leg,
            broken=bool(findings) or is_broken_unnamed(self._plan, observation),
        )

    def _sought(self, facts: LegFacts) -> Sought:
        tones = asks_tone(self._plan.calls)
        own = _own_code(facts)
        if own is not None:
            others = tuple(code for code in self._codes_begun if code != own)
            return Sought(own=own, others=others, tones=tones)
        calls = ((group.name, number) for group in self._plan.calls for number in range(group.count))
        keys = (
            call_key(self._plan.run.uid, facts.endpoint, name, number) for name, number in islice(calls, MAX_OTHERS)
        )
        return Sought(others=tuple(identity_code(key) for key in keys), tones=tones)

    def _forget(self, leg: Leg) -> None:
        if leg.handle is not None:
            self._by_handle.pop(leg.handle, None)
        elif leg in self._waiting:
            self._waiting.remove(leg)
        if leg.facts.sip_call_id and leg.facts.branch:
            self._past[leg.facts.sip_call_id, leg.facts.branch] = None
            if len(self._past) > MAX_PAST:
                self._past.popitem(last=False)
        sharing = self._by_call_id.get(leg.facts.sip_call_id or "", [])
        if leg in sharing:
            sharing.remove(leg)
        if not sharing:
            self._by_call_id.pop(leg.facts.sip_call_id or "", None)


def _own_code(facts: LegFacts) -> int | None:
    """None where it is not known to be a call of this run."""
    return identity_code(facts.call_key) if facts.call is not None and facts.call_key is not None else None


def _actions(leg: Leg) -> tuple[Action, ...]:
    """With times since the leg's first message, as everything that tells of its signalling."""
    began_s = next((event.at_s for event in leg.events if isinstance(event, MessageSeen)), None)
    return tuple(
        Action(name=name, at_ms=None if at_s is None or began_s is None else ms(began_s, at_s), error=error)
        for name, at_s, error in leg.actions
    )


def _call_id(event: NotSent | PutOff | Unparsed) -> str | None:
    """None where it has none."""
    if isinstance(event, Unparsed):
        return found[1] if (found := CALL_ID.search(event.text)) is not None else None
    return event.head.call_id if event.head is not None else None
