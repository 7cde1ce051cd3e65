"""The legs that are up: which event belongs to which, and what is made of a leg once it is over."""

import logging
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from agent.clock import Clock
from agent.contract.observation import Action, Health, Heard, LegObservation
from agent.contract.plan import Plan
from agent.judge.leg import judge_leg
from agent.observe.leg import LegFacts, observe_leg
from agent.phone.protocol import (
    CallEnded,
    CallHandle,
    Event,
    IncomingCall,
    MediaActive,
    MessageSeen,
    RegistrationConcluded,
)
from agent.report.evidence import Evidence
from agent.run.health import HealthMonitor, Window
from agent.run.leg_events import LegEvents
from agent.sip.text import parse_head
from agent.sound.samples import SoundError, hear, read_wav
from agent.timers import Timers

SETTLE_S: Final = 0.2
"""A leg is judged this long after its end, for the last messages to be seen."""
MAX_UNCLAIMED_CALL_IDS: Final = 64
MAX_UNCLAIMED_MESSAGES: Final = 16
"""Messages are kept this many per Call-ID that is no leg's yet: the INVITE is seen before its call is told."""
MAX_ACTIONS: Final = 64
"""Of one leg: a parrot may send digits back again and again."""

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Leg:
    """A leg that is up, or has just ended."""

    facts: LegFacts
    handle: CallHandle | None
    events: LegEvents = field(default_factory=LegEvents)
    window: Window | None = None
    health: Health = field(default_factory=Health)
    own_reason: str | None = None
    """Why this agent ended it."""
    told_to_stop: bool = False
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
    ) -> None:
        self._plan = plan
        self._clock = clock
        self._timers = timers
        self._health = health
        self._evidence = evidence
        self._on_leg = on_leg
        self._by_handle: dict[CallHandle, Leg] = {}
        self._by_call_id: dict[str, list[Leg]] = {}
        self._unclaimed: OrderedDict[str, list[MessageSeen]] = OrderedDict()

    @property
    def open(self) -> int:
        """Legs up or settling."""
        return len(self._by_handle)

    def begin(self, facts: LegFacts, handle: CallHandle) -> None:
        """A call was placed or came in."""
        leg = Leg(facts=facts, handle=handle)
        self._by_handle[handle] = leg
        if facts.sip_call_id is not None:
            for message in self._unclaimed.pop(facts.sip_call_id, ()):
                leg.events.add(message, parse_head(message.text))
            self._by_call_id.setdefault(facts.sip_call_id, []).append(leg)

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
            case RegistrationConcluded() | IncomingCall():
                pass
            case _:
                if (leg := self._by_handle.get(event.call)) is not None:
                    self._record_call_event(leg, event)
                elif isinstance(event, CallEnded):  # of a leg that was given up before
                    _delete_files(event)

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
        for handle, leg in list(self._by_handle.items()):
            self.abandon(handle, "it was not over when the agent had to go on")
            self._conclude(leg)

    def _record_message(self, message: MessageSeen) -> None:
        head = parse_head(message.text)
        if head is None or head.method == "REGISTER":
            return
        if legs := self._by_call_id.get(head.call_id):
            for leg in legs:
                leg.events.add(message, head)
            return
        unclaimed = self._unclaimed.setdefault(head.call_id, [])
        if len(unclaimed) < MAX_UNCLAIMED_MESSAGES:
            unclaimed.append(message)
        if len(self._unclaimed) > MAX_UNCLAIMED_CALL_IDS:
            self._unclaimed.popitem(last=False)

    def _record_call_event(self, leg: Leg, event: Event) -> None:
        if isinstance(event, CallEnded):
            self._end(leg, event)
        else:
            leg.events.add(event)
        if isinstance(event, MediaActive) and leg.window is None:
            leg.window = self._health.begin(event.at_s)

    def _end(self, leg: Leg, event: CallEnded) -> None:
        if leg.events.ended is not None:
            _delete_files(event)
            return
        leg.events.add(event)
        if leg.window is not None:
            leg.health = self._health.end(leg.window, event.at_s)
        self._timers.at(self._clock.monotonic_s() + SETTLE_S, lambda: self._conclude(leg))

    def _conclude(self, leg: Leg) -> None:
        """Observes, judges, tells; once."""
        if leg.handle is not None and self._by_handle.pop(leg.handle, None) is None:
            return
        self._forget(leg)
        observation = observe_leg(
            leg.facts, leg.events, own_reason=leg.own_reason, heard=_heard(leg.events.ended), health=leg.health
        )
        observation = msgspec.structs.replace(
            observation,
            told_to_stop=leg.told_to_stop,
            actions=_actions(leg),
            events_left_out=leg.events.left_out,
        )
        findings = judge_leg(self._plan, observation)
        capture = leg.events.ended.capture if leg.events.ended else None
        self._evidence.take(msgspec.structs.replace(observation, findings=findings), capture, self._on_leg)

    def _forget(self, leg: Leg) -> None:
        call_id = leg.facts.sip_call_id
        if call_id is None or leg.handle is None:
            return
        sharing = self._by_call_id[call_id]
        sharing.remove(leg)
        if not sharing:
            del self._by_call_id[call_id]


def _actions(leg: Leg) -> tuple[Action, ...]:
    """With times since the leg's first message, as everything that tells of its signalling."""
    began_s = next((event.at_s for event in leg.events if isinstance(event, MessageSeen)), None)
    return tuple(
        Action(
            name=name, at_ms=None if at_s is None or began_s is None else round(1000 * (at_s - began_s), 1), error=error
        )
        for name, at_s, error in leg.actions
    )


def _heard(ended: CallEnded | None) -> Heard | None:
    """What the recording of most packets held; the files are deleted.

    None where there is none, it is empty, or it cannot be read.
    """
    if ended is None or not ended.recordings:
        return None
    packets = Counter[str]()
    for stream in ended.tapped or ():
        packets[stream.remote] += stream.packets if stream.audio is not None else 0
    try:
        samples = read_wav(ended.recordings[max(ended.recordings, key=lambda remote: packets[remote])])
        return hear(samples) if len(samples) else None
    except SoundError as error:
        log.warning("recording of what was heard: %s", error)
        return None
    finally:
        _delete_recordings(ended)


def _delete(file: Path | None) -> None:
    if file is not None:
        file.unlink(missing_ok=True)


def _delete_recordings(event: CallEnded) -> None:
    for file in event.recordings.values():
        _delete(file)


def _delete_files(event: CallEnded) -> None:
    _delete_recordings(event)
    _delete(event.capture)
