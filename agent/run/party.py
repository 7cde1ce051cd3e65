"""One end of calls, caller or callee: walks each leg's steps as things happen, and says what was done and what not."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, Protocol

from agent.clock import Clock
from agent.contract.expect import DtmfMethod
from agent.contract.observation import WAS_OVER
from agent.contract.steps import Answer, HangUp, On, Place, PlayBack, RepeatDigits, Ring, SendDigits, Step, Steps
from agent.phone.protocol import (
    Action,
    CallConfirmed,
    CallEnded,
    CallHandle,
    DigitEnded,
    DigitReceived,
    Event,
    Phone,
    PhoneError,
)
from agent.run.walk import Walk
from agent.timers import Timers

LONGEST_DIGIT_S: Final = 2.0
"""A digit that has begun has this long to end."""
HANG_UP_LIMIT_S: Final = 40.0
"""A BYE or CANCEL without an answer ends by Timer F, 32 s (RFC 3261 §17.1.2.2); later, the stack has forgotten it."""

log = logging.getLogger(__name__)


class Ledger(Protocol):
    """Who is told of what a party does."""

    def did(self, call: CallHandle, name: str, at_s: float | None, error: str | None) -> None:
        """A step was done, or (`error`) could not be; None: its time never came."""

    def because(self, call: CallHandle, reason: str) -> None:
        """Why a call is about to be ended other than as planned."""

    def abandon(self, call: CallHandle, reason: str) -> None:
        """The phone never ended a call that was hung up."""


@dataclass(slots=True, kw_only=True)
class _Leg:
    walk: Walk
    is_caller: bool
    hang_up: HangUp
    """How it ends where that is not a step of its own."""
    ending: bool = False
    digits: list[DigitReceived] = field(default_factory=list)
    """Received, and not sent back yet."""
    wakes_s: float = float("inf")


class Party:
    """Walks the steps of all its legs; one timer each at most."""

    def __init__(
        self, *, phone: Phone, clock: Clock, timers: Timers, ledger: Ledger, on_over: Callable[[CallHandle], None]
    ) -> None:
        """`on_over`: told of each call that has ended, or was given up."""
        self._phone = phone
        self._clock = clock
        self._timers = timers
        self._ledger = ledger
        self._on_over = on_over
        self._legs: dict[CallHandle, _Leg] = {}

    def __contains__(self, call: object) -> bool:
        """It is up, or about to be or to end."""
        return call in self._legs

    def begin(self, call: CallHandle, steps: Steps) -> None:
        """A call was placed (its Place is done then), or came in."""
        now_s = self._clock.monotonic_s()
        is_caller = any(isinstance(step.do, Place) for step in steps)
        planned = next((step.do for step in steps if isinstance(step.do, HangUp)), HangUp())
        hang_up = HangUp(cancel=planned.cancel, bye=planned.bye)
        self._legs[call] = _Leg(walk=Walk(steps, now_s), is_caller=is_caller, hang_up=hang_up)
        self._walk(call)

    def handle(self, event: Event) -> None:
        """Takes note of what happened to one of its calls, and does what is due."""
        match event:
            case CallConfirmed(call=call) if call in self._legs:
                self._confirmed(call, event.at_s)
            case DigitReceived(call=call) if call in self._legs:
                self._legs[call].digits.append(event)
                longest_s = LONGEST_DIGIT_S if event.method is DtmfMethod.RFC4733 else 0.0
                self._happened(call, On.DIGITS, self._clock.monotonic_s() + longest_s)
            case DigitEnded(call=call) if call in self._legs:
                self._happened(call, On.DIGITS, self._clock.monotonic_s())
            case CallEnded(call=call) if call in self._legs:
                self._over(call)

    def hang_up(self, call: CallHandle) -> bool:
        """Ends a call now, whatever was planned; False: it is about to end already."""
        leg = self._legs.get(call)
        if leg is None or leg.ending:
            return False
        self._perform(call, leg, leg.hang_up)
        return True

    def leave_unheard(self, call: CallHandle) -> None:
        """Ends a call whose INVITE nobody was there to hear, also one that is about to end."""
        leg = self._legs.get(call)
        if leg is not None and leg.ending:
            self._try(call, HangUp(unheard=True))
        elif leg is not None:
            self._take(call, leg, Step(do=HangUp(because="the port is closed", unheard=True)))

    def _confirmed(self, call: CallHandle, at_s: float) -> None:
        leg = self._legs[call]
        if leg.ending and leg.is_caller:  # the answer crossed our CANCEL: it is a call now, and needs a BYE
            self._try(call, leg.hang_up)
            return
        leg.walk.happened(On.ACKNOWLEDGED, at_s)
        self._happened(call, On.ANSWERED, at_s)

    def _happened(self, call: CallHandle, on: On, at_s: float) -> None:
        self._legs[call].walk.happened(on, at_s)
        self._walk(call)

    def _walk(self, call: CallHandle) -> None:
        """Does what is due; wakes up for what is due next."""
        leg = self._legs.get(call)
        if leg is None:
            return
        for step in leg.walk.take(self._clock.monotonic_s()):
            self._take(call, leg, step)
        next_s = leg.walk.next_s
        if next_s is not None and next_s < leg.wakes_s:
            leg.wakes_s = next_s
            self._timers.at(next_s, lambda: self._wake(call, next_s))

    def _wake(self, call: CallHandle, at_s: float) -> None:
        leg = self._legs.get(call)
        if leg is not None and leg.wakes_s == at_s:
            leg.wakes_s = float("inf")
            self._walk(call)

    def _take(self, call: CallHandle, leg: _Leg, step: Step) -> None:
        match step.do:
            case Place():
                self._ledger.did(call, "Place", self._clock.monotonic_s(), None)
            case RepeatDigits(tone_ms=tone_ms):
                came, leg.digits = leg.digits, []
                for (method, info_type), same in groupby(came, lambda digit: (digit.method, digit.info_type)):
                    digits = "".join(digit.digit for digit in same)
                    send = SendDigits(digits=digits, tone_ms=tone_ms, method=method, info_type=info_type)
                    self._perform(call, leg, send)
            case HangUp(because=reason) if reason is not None:
                self._ledger.because(call, reason)
                self._perform(call, leg, step.do)
            case Ring() | Answer() | PlayBack() | SendDigits() | HangUp():
                self._perform(call, leg, step.do)

    def _perform(self, call: CallHandle, leg: _Leg, do: Action) -> None:
        at_s = self._clock.monotonic_s()
        if isinstance(do, HangUp):
            leg.ending = True
            self._timers.at(at_s + HANG_UP_LIMIT_S, lambda: self._give_up(call))
        error = self._try(call, do)
        self._ledger.did(call, type(do).__name__, None if error else at_s, error)
        if isinstance(do, HangUp):
            self._leave(call, leg)
        elif isinstance(do, Answer) and do.code < 300 and error is None:
            leg.walk.happened(On.ANSWERED, at_s)

    def _try(self, call: CallHandle, do: Action) -> str | None:
        """Why the phone could not; None: it did. A call that ends at this moment refuses what it is asked."""
        try:
            self._phone.perform(call, do)
        except PhoneError as error:
            log.warning("%s: %s", type(do).__name__, error)
            return str(error)
        return None

    def _give_up(self, call: CallHandle) -> None:
        if self._legs.pop(call, None) is not None:
            reason = f"the SIP stack had not ended the call {HANG_UP_LIMIT_S:g} s after the hang-up"
            self._ledger.abandon(call, reason)
            self._on_over(call)

    def _over(self, call: CallHandle) -> None:
        self._leave(call, self._legs.pop(call))
        self._on_over(call)

    def _leave(self, call: CallHandle, leg: _Leg) -> None:
        for step in leg.walk.end():
            self._ledger.did(call, type(step.do).__name__, None, WAS_OVER)
