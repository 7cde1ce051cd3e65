"""Drives a plan: stage after stage, as the signal allows, with one thread and one event at a time."""

import contextlib
import logging
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from agent.clock import Clock
from agent.contract.headers import Header, Headers
from agent.contract.observation import LegObservation
from agent.contract.plan import CALLEE_SHARED, REFUSED_HEADER, Plan, Signal
from agent.contract.registration import RegistrationObservation
from agent.contract.result import TurnedAway
from agent.contract.steps import Answer
from agent.contract.verdict import Role
from agent.judge.registrations import registration_faults
from agent.observe.leg import LegFacts, read_invite
from agent.observe.secured import turned_away
from agent.phone.protocol import (
    CallHandle,
    ConnectionSeen,
    Event,
    IncomingCall,
    MessageSeen,
    Phone,
    PhoneError,
    PortClosed,
)
from agent.report.evidence import Evidence
from agent.report.lines import Report
from agent.run.callee import Callee, callee_steps
from agent.run.caller import Caller, Dialling
from agent.run.closed_ports import ClosedPorts, Door
from agent.run.health import HealthMonitor
from agent.run.inputs import SignalSource, is_allowed, not_allowed
from agent.run.legs import LegBook
from agent.run.party import HANG_UP_LIMIT_S, Party
from agent.run.playlist import Playlist
from agent.run.progress import ProgressTeller
from agent.run.registration import Login, Registration
from agent.run.stopping import Stop, Stopping
from agent.tap.model import TapConnection
from agent.timers import Timers

POLL_S: Final = 0.05
"""The signal file is read this often."""
HEALTH_S: Final = 0.25
LAST_CALLS_S: Final = 2.0
"""What a callee's calls get to end by themselves once their stage is over."""
STOP_S: Final = 3.0
"""What hanging up gets when told to stop: a pod has some 30 s before it is killed."""
SPARE_CALLS: Final = 20
"""More calls at a time than planned that a callee takes: strays are reported, a flood is refused."""

log = logging.getLogger(__name__)


class Phase(Enum):
    """Where the agent stands in its current stage."""

    WAITING = auto()
    """For the signal to prepare it."""
    REGISTERING = auto()
    READY = auto()
    CALLING = auto()
    HOLDING = auto()
    """A callee, for as long as the stage lasts."""
    LAST_CALLS = auto()
    LAST_BYES = auto()
    LEAVING = auto()
    """Unregistering."""
    STOPPING = auto()
    FINISHED = auto()


class Runner:
    """One agent. `run` returns when the plan is done, or it was told to stop: the final result is written then."""

    def __init__(
        self,
        *,
        plan: Plan,
        phone: Phone,
        login: Login | None,
        signals: SignalSource,
        stop_asked: Callable[[], bool],
        clock: Clock,
        health: HealthMonitor,
        playlist: Playlist,
        evidence: Evidence,
        report: Report,
        open_door: Callable[[str], Door],
        on_leg: Callable[[LegObservation], None],
    ) -> None:
        """`stop_asked`: whether SIGTERM came. `open_door`: to an `ip:port`. `on_leg`: for metrics."""
        self._plan = plan
        self._phone = phone
        self._login = login
        self._signals = signals
        self._stopping = Stopping(clock=clock, stop_asked=stop_asked, deadline_s=plan.deadline_s)
        self._clock = clock
        self._health = health
        self._report = report
        self._progress = ProgressTeller(report=report, clock=clock)
        self._on_leg = on_leg
        self._timers = Timers()
        self._evidence = evidence
        self._book = self._new_book()
        self._party = Party(phone=phone, clock=clock, timers=self._timers, ledger=self._book, on_over=self._call_over)
        self._caller, self._callee = self._new_caller(playlist), self._new_callee()
        self._ports = ClosedPorts(open_door=open_door, clock=clock, timers=self._timers, on_closed=self._handle)
        self._registration: Registration | None = None
        self._phase, self._index = Phase.WAITING, 0
        self._allow()
        self._until_s = 0.0
        self._stopped: Stop | None = None
        self._blocked = False
        """The current stage's address is not allowed."""

    def _new_book(self) -> LegBook:
        return LegBook(
            plan=self._plan,
            clock=self._clock,
            timers=self._timers,
            health=self._health,
            evidence=self._evidence,
            on_leg=self._leg_over,
            on_invite=self._invite_came,
        )

    def _new_caller(self, playlist: Playlist) -> Caller:
        return Caller(
            plan=self._plan,
            phone=self._phone,
            party=self._party,
            book=self._book,
            clock=self._clock,
            timers=self._timers,
            playlist=playlist,
        )

    def _new_callee(self) -> Callee:
        return Callee(
            party=self._party,
            steps=lambda event: callee_steps(
                self._plan, self._plan.stages[self._stage_of_calls].endpoint, event.invite
            ),
            capacity=calls_at_once(self._plan),
            on_call=self._call_came,
        )

    def run(self) -> bool:
        """Until finished; then writes the final result. Whether the plan was done to its end."""
        self._report.write()
        self._timers.at(self._clock.monotonic_s(), self._watch_health)
        while self._phase is not Phase.FINISHED:
            self.step()
        self._book.conclude_all()  # a stray may have come after the last stage
        self._evidence.keep(self._signals.poll().keep or (), self._report.kept)
        self._evidence.settle(lambda: self._stopping.why(self._signals.poll()) is not None)
        self._tell_progress()
        self._report.write(final=True, stopped=self._stopped.cause if self._stopped else None)
        return self._stopped is None

    def step(self) -> None:
        """One event at most, then whatever is due."""
        now_s = self._clock.monotonic_s()
        wait_s = max(0.0, self._timers.next_s(now_s + POLL_S) - now_s)
        event = self._phone.next_event(wait_s)
        woke_s = self._clock.monotonic_s()
        if event is not None:
            self._handle(event)
        self._timers.run(self._clock.monotonic_s())
        self._evidence.poll()
        self._was_late(now_s + wait_s, woke_s)  # before what did not come in time is told for it
        self._tell_lapse()
        self._advance(self._signals.poll())
        self._tell_progress()
        self._was_late(now_s + wait_s, woke_s)

    def _was_late(self, due_s: float, woke_s: float) -> None:
        """What became due while it slept too long, or was busy with something else, was late by that much."""
        now_s = self._clock.monotonic_s()
        self._health.loop_was_late(now_s, max(woke_s - due_s, now_s - woke_s))

    @property
    def active(self) -> int:
        """Legs up."""
        return self._book.open

    # --- events ------------------------------------------------------------------------------------------------

    def _handle(self, event: Event) -> None:
        """To the book first: a leg's end is on record before anybody acts on it."""
        self._book.record(event)
        if isinstance(event, MessageSeen):
            now_s, unread_s = self._clock.monotonic_s(), event.unread_ms / 1000
            self._health.loop_was_late(now_s, max(0.0, now_s - event.at_s - unread_s))
            if not event.sent:
                self._health.stack_was_late(now_s, unread_s)
        if self._registration is not None:
            self._registration.handle(event)
        if isinstance(event, ConnectionSeen):
            self._connected(event.connection)
        self._ports.handle(event)
        self._party.handle(event)
        if isinstance(event, PortClosed):
            for handle in self._book.calls(event.sip_call_id):
                self._party.leave_unheard(handle)
        if isinstance(event, IncomingCall):
            self._incoming(event)

    def _connected(self, one: TapConnection) -> None:
        if (alert := turned_away(one)) is not None and self._index < len(self._plan.stages):
            endpoint = self._plan.stages[self._index].endpoint
            self._report.turned_away(TurnedAway(role=self._plan.role, endpoint=endpoint, peer=one.remote, alert=alert))

    def _incoming(self, event: IncomingCall) -> None:
        if self._plan.role is Role.CALLEE:
            self._callee.take(event)
            return
        log.warning("call %s came to the caller: refused", event.sip_call_id)
        with contextlib.suppress(PhoneError):  # it has gone meanwhile
            self._phone.perform(event.call, Answer(code=480))

    def _call_over(self, handle: CallHandle) -> None:
        self._caller.over(handle)
        self._callee.over(handle)

    def _invite_came(self, message: MessageSeen) -> LegFacts | None:
        """Begins a callee's leg, also of an INVITE that the stack refuses by itself; a caller takes no calls."""
        if self._plan.role is Role.CALLER or message.head is None:
            return None
        return self._facts(message.text, message.head.call_id, message.head.branch)

    def _call_came(self, event: IncomingCall) -> Headers | None:
        """The INVITE's call. None: it is for us; else the headers to refuse it with.

        Another run's call, which names that run, has a callee of its own.
        """
        if not self._book.attach(event):
            self._book.begin(self._facts(event.invite, event.sip_call_id, None), event.call)
        if self._stopped is not None:
            self._book.because(event.call, self._stopped.words, told_to_stop=True)
            return ()
        key = read_invite(self._plan, event.invite).call_key
        is_ours = key is None or key.startswith(f"{self._plan.run.uid}/")
        return None if is_ours else (Header(name=REFUSED_HEADER, value=CALLEE_SHARED),)

    def _facts(self, invite: str, sip_call_id: str, branch: str | None) -> LegFacts:
        facts = read_invite(self._plan, invite)
        return LegFacts(
            role=self._plan.role,
            endpoint=self._plan.stages[self._stage_of_calls].endpoint,
            call=facts.call,
            number=facts.number,
            call_key=facts.call_key,
            sip_call_id=sip_call_id,
            started_at=self._clock.unix_s(),
            branch=branch,
        )

    @property
    def _stage_of_calls(self) -> int:
        """Of a call that comes now: between two stages, or after the last, it belongs to the one before.

        Nobody places calls at a stage before all its agents are ready there.
        """
        is_between = self._phase in (Phase.WAITING, Phase.REGISTERING, Phase.FINISHED)
        return max(0, self._index - 1 if is_between else self._index)

    def _leg_over(self, leg: LegObservation) -> None:
        self._report.leg(leg)
        self._on_leg(leg)

    def _registered(self, seen: RegistrationObservation) -> None:
        broken = bool(registration_faults(self._plan, [seen]))
        self._evidence.take(seen, None, self._report.registration, broken=broken)

    def _watch_health(self) -> None:
        if self._book.open or self._registration is not None:
            self._health.sample(self._clock.monotonic_s())
        self._timers.at(self._clock.monotonic_s() + HEALTH_S, self._watch_health)

    # --- stages ------------------------------------------------------------------------------------------------

    def _advance(self, signal: Signal) -> None:
        """Takes the next steps, as far as what they need is there."""
        if self._phase not in (Phase.STOPPING, Phase.FINISHED) and (why := self._stopping.why(signal)):
            self._stop(why)
        before = None
        while self._phase is not before:
            before = self._phase
            self._advance_once(signal)

    def _advance_once(self, signal: Signal) -> None:
        match self._phase:
            case Phase.WAITING:
                self._prepare(signal)
            case Phase.REGISTERING:
                self._register()
            case Phase.READY:
                self._begin(signal)
            # Whoever is told that a stage is done has been told all its legs.
            case Phase.LEAVING if self._has_left() and not self._evidence.pending:
                self._index += 1
                self._phase = Phase.WAITING
            case _:
                self._wait_for_calls(signal)

    def _prepare(self, signal: Signal) -> None:
        if signal.prepare < self._index:
            return
        if self._index == len(self._plan.stages):
            if signal.keep is not None or not self._evidence.holding:
                self._phase = Phase.FINISHED
            return
        stage = self._plan.stages[self._index]
        if not is_allowed(stage.address, self._plan.allowed_targets):
            self._report.finding(not_allowed(self._plan, stage))
            self._blocked = True
            self._phase = Phase.READY
            return
        self._blocked = False
        self._registration = Registration(
            plan=self._plan,
            stage=stage,
            phone=self._phone,
            clock=self._clock,
            health=self._health,
            login=self._login,
            past=self._registration,
        )
        self._phase = Phase.REGISTERING

    def _tell_lapse(self) -> None:
        if self._registration is not None and (lapsed := self._registration.lapsed()) is not None:
            self._registered(lapsed)

    def _has_left(self) -> bool:
        """Of a registration that was taken back, all is told then."""
        if self._registration is None:
            return True
        if self._registration.left() and (ended := self._registration.end()) is not None:
            self._registered(ended)
        return self._registration.left()

    def _register(self) -> None:
        assert self._registration is not None
        if not self._registration.concluded():
            return
        if self._registration.observation is not None:
            self._registered(self._registration.observation)
        self._phase = Phase.READY

    def _begin(self, signal: Signal) -> None:
        """A caller calls when it may, or moves on where the stage is over already; a callee waits for calls."""
        if self._plan.role is Role.CALLEE:
            self._phase = Phase.HOLDING
        elif signal.prepare > self._index:
            self._leave()
        elif signal.go >= self._index:
            self._phase = Phase.CALLING
            self._allow(signal.peer_address)
            registration = self._registration
            if not self._blocked and registration and registration.usable and registration.account is not None:
                stage = self._plan.stages[self._index]
                self._caller.begin(
                    Dialling(stage=stage, account=registration.account, peer_address=signal.peer_address)
                )

    def _allow(self, *agents: str | None) -> None:
        """SIP goes to the plan's targets and to our own agents, wherever a Contact or Record-Route would have it go."""
        own = [address.rpartition(":")[0].strip("[]") for address in (self._phone.address, *agents) if address]
        self._phone.allow((*self._plan.allowed_targets, *own))

    def _wait_for_calls(self, signal: Signal) -> None:
        """Waits for the stage's calls to end; some phases do so for a limited time."""
        over = not self._book.open
        late = self._clock.monotonic_s() >= self._until_s
        match self._phase:
            case Phase.CALLING if self._caller.idle and over:
                self._leave()
            case Phase.HOLDING if signal.prepare > self._index:
                self._limit(Phase.LAST_CALLS, LAST_CALLS_S)
            case Phase.LAST_CALLS if late and not over:
                self._hang_up_all("the stage was over")
                self._limit(Phase.LAST_BYES, HANG_UP_LIMIT_S)
            case Phase.LAST_CALLS | Phase.LAST_BYES if over or late:
                self._leave()
            case Phase.STOPPING if over or late:
                self._leave()
                self._phase = Phase.FINISHED

    def _limit(self, phase: Phase, limit_s: float) -> None:
        self._phase, self._until_s = phase, self._clock.monotonic_s() + limit_s

    def _leave(self) -> None:
        self._book.conclude_all()
        if self._registration is not None and not self._blocked:
            self._registration.leave()
        self._phase = Phase.LEAVING

    def _hang_up_all(self, reason: str, *, told_to_stop: bool = False) -> None:
        for handle in (*self._caller.hang_up_all(), *self._callee.hang_up_all()):
            self._book.because(handle, reason, told_to_stop=told_to_stop)

    # --- the end -----------------------------------------------------------------------------------------------

    def _stop(self, why: Stop) -> None:
        log.warning("stopping: %s", why.words)
        if self._index == len(self._plan.stages):  # it only waited to be let go: its plan is done
            self._phase = Phase.FINISHED
            return
        self._stopped = why
        self._hang_up_all(why.words, told_to_stop=True)
        self._limit(Phase.STOPPING, STOP_S)

    def _tell_progress(self) -> None:
        prepared = self._phase not in (Phase.WAITING, Phase.REGISTERING)
        ready = min(self._index + prepared, len(self._plan.stages))
        self._progress.tell(ready=ready, done=self._index, active=self._book.open, address=self._phone.address)


def calls_at_once(plan: Plan) -> int:
    """So many are up at most, strays included."""
    return max((group.concurrency for group in plan.calls), default=0) + SPARE_CALLS
