"""The legs that are up: which event belongs to which, and what is made of a leg once it is over."""

import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from agent.clock import Clock
from agent.contract.observation import Health, LegObservation
from agent.contract.plan import Plan, call_key, identity_code
from agent.judge.leg import judge_leg
from agent.observe.leg import LegFacts, observe_leg
from agent.observe.sound import MAX_OTHERS, Codes
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
from agent.sip.text import parse_head
from agent.sound.identity import Samples
from agent.sound.samples import SoundError, read_wav
from agent.timers import Timers

SETTLE_S: Final = 0.2
"""A leg is judged this long after its end, for the last messages to be seen."""
MAX_UNCLAIMED_CALL_IDS: Final = 64
MAX_UNCLAIMED_MESSAGES: Final = 16
"""Messages are kept this many per Call-ID that is no leg's yet: the INVITE is seen before its call is told."""
MAX_LEG_EVENTS: Final = 2000
"""More than any call of good faith brings; the end of a call is always taken."""

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Leg:
    """A leg that is up, or has just ended."""

    facts: LegFacts
    handle: CallHandle | None
    events: list[Event] = field(default_factory=list)
    window: Window | None = None
    health: Health = field(default_factory=Health)
    own_reason: str | None = None
    """Why this agent ended it."""


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
        self._unclaimed: OrderedDict[str, list[Event]] = OrderedDict()
        self._codes_begun: deque[int] = deque(maxlen=MAX_OTHERS)
        """Of the last legs that began: those that are up are among them."""

    @property
    def open(self) -> int:
        """Legs up or settling."""
        return len(self._by_handle)

    def begin(self, facts: LegFacts, handle: CallHandle) -> None:
        """A call was placed or came in."""
        leg = Leg(facts=facts, handle=handle)
        self._by_handle[handle] = leg
        if (code := _own_code(facts)) is not None:
            self._codes_begun.append(code)
        if facts.sip_call_id is not None:
            leg.events += self._unclaimed.pop(facts.sip_call_id, ())
            self._by_call_id.setdefault(facts.sip_call_id, []).append(leg)

    def never_began(self, facts: LegFacts, reason: str) -> None:
        """A call that could not be placed is a leg as well."""
        self._conclude(Leg(facts=facts, handle=None, own_reason=reason))

    def because(self, handle: CallHandle, reason: str) -> None:
        """Says why this agent is about to end a call; the first reason stands."""
        leg = self._by_handle.get(handle)
        if leg and leg.own_reason is None:
            leg.own_reason = reason

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
            recording=None,
        )
        self.record(ended)

    def conclude_all(self) -> None:
        """Judges whatever is left, as it is."""
        for leg in list(self._by_handle.values()):
            self._conclude(leg)

    def _record_message(self, message: MessageSeen) -> None:
        head = parse_head(message.text)
        if head is None or head.method == "REGISTER":
            return
        if legs := self._by_call_id.get(head.call_id):
            for leg in legs:
                if len(leg.events) < MAX_LEG_EVENTS:
                    leg.events.append(message)
            return
        unclaimed = self._unclaimed.setdefault(head.call_id, [])
        if len(unclaimed) < MAX_UNCLAIMED_MESSAGES:
            unclaimed.append(message)
        if len(self._unclaimed) > MAX_UNCLAIMED_CALL_IDS:
            self._unclaimed.popitem(last=False)

    def _record_call_event(self, leg: Leg, event: Event) -> None:
        if isinstance(event, CallEnded):
            self._end(leg, event)
        elif len(leg.events) < MAX_LEG_EVENTS:
            leg.events.append(event)
        if isinstance(event, MediaActive) and leg.window is None:
            leg.window = self._health.begin(event.at_s)

    def _end(self, leg: Leg, event: CallEnded) -> None:
        if any(isinstance(earlier, CallEnded) for earlier in leg.events):
            _delete_files(event)
            return
        leg.events.append(event)
        if leg.window is not None:
            leg.health = self._health.end(leg.window, event.at_s)
        self._timers.at(self._clock.monotonic_s() + SETTLE_S, lambda: self._conclude(leg))

    def _conclude(self, leg: Leg) -> None:
        """Observes, judges, tells; once."""
        if leg.handle is not None and self._by_handle.pop(leg.handle, None) is None:
            return
        self._forget(leg)
        observation = observe_leg(
            leg.facts,
            leg.events,
            own_reason=leg.own_reason,
            health=leg.health,
            tracks=_tracks(leg.events),
            codes=self._codes(leg.facts),
        )
        findings = judge_leg(self._plan, observation)
        capture = next((event.capture for event in leg.events if isinstance(event, CallEnded)), None)
        self._evidence.take(msgspec.structs.replace(observation, findings=findings), capture, self._on_leg)

    def _codes(self, facts: LegFacts) -> Codes:
        own = _own_code(facts)
        if own is not None:
            return Codes(own=own, others=tuple(code for code in self._codes_begun if code != own))
        calls = ((group.name, number) for group in self._plan.calls for number in range(group.count))
        keys = (
            call_key(self._plan.run.uid, facts.endpoint, name, number) for name, number in islice(calls, MAX_OTHERS)
        )
        return Codes(others=tuple(identity_code(key) for key in keys))

    def _forget(self, leg: Leg) -> None:
        call_id = leg.facts.sip_call_id
        if call_id is None or leg.handle is None:
            return
        sharing = self._by_call_id[call_id]
        sharing.remove(leg)
        if not sharing:
            del self._by_call_id[call_id]


def _own_code(facts: LegFacts) -> int | None:
    """None where it is not known to be a call of this run."""
    return identity_code(facts.call_key) if facts.call is not None and facts.call_key is not None else None


def _tracks(events: list[Event]) -> dict[str, Samples]:
    """What was recorded of each remote address; the files are deleted. Without those that cannot be read."""
    ended = next((event for event in events if isinstance(event, CallEnded)), None)
    tracks: dict[str, Samples] = {}
    for address, file in ended.recordings.items() if ended else ():
        try:
            tracks[address] = read_wav(file)
        except SoundError as error:
            log.warning("recording of what was heard: %s", error)
        _delete(file)
    return tracks


def _delete(file: Path | None) -> None:
    if file is not None:
        file.unlink(missing_ok=True)


def _delete_files(event: CallEnded) -> None:
    for file in event.recordings.values():
        _delete(file)
    _delete(event.recording)
    _delete(event.capture)
