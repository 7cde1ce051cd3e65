"""The callee: takes every call; a parrot repeats what it hears, an absorber only listens."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from agent.clock import Clock
from agent.contract.call import Behaviour, DtmfMethod
from agent.phone.protocol import (
    CallEnded,
    CallHandle,
    DigitEnded,
    DigitReceived,
    Event,
    IncomingCall,
    Phone,
    PhoneError,
    Playback,
)
from agent.timers import Timers

RING_S: Final = 0.1
"""From ringing to the answer: a 180 and a 200 that a peer can tell apart."""
REPEAT_AFTER_S: Final = 0.7
"""After the end of the last digit: longer than the gap between the digits of one number."""
LONGEST_DIGIT_S: Final = 2.0
"""A digit that has begun has this long to end."""
REPEAT_TONE_MS: Final = 100

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class _Call:
    answered: bool = False
    digits: str = ""
    """Received, and not repeated yet."""
    repeat_s: float = 0.0
    """When they are due; each digit puts it off."""


class Callee:
    """Takes calls, at most `capacity` at a time; the next one is refused with 486."""

    def __init__(
        self,
        *,
        phone: Phone,
        clock: Clock,
        timers: Timers,
        behaviour: Behaviour,
        capacity: int,
        on_call: Callable[[IncomingCall], Mapping[str, str] | None],
    ) -> None:
        """`on_call`: told of each call before anything is answered; gives headers to refuse it, None to take it."""
        self._phone = phone
        self._clock = clock
        self._timers = timers
        self._parrot = behaviour is Behaviour.PARROT
        self._capacity = capacity
        self._on_call = on_call
        self._calls: dict[CallHandle, _Call] = {}

    @property
    def idle(self) -> bool:
        """No call is up."""
        return not self._calls

    def handle(self, event: Event) -> None:
        """Reacts to a call, its digits, its end."""
        match event:
            case IncomingCall():
                self._take(event.call, self._on_call(event))
            case DigitReceived(method=DtmfMethod.RFC4733) if event.call in self._calls:
                self._calls[event.call].digits += event.digit
                self._put_off(event.call, LONGEST_DIGIT_S + REPEAT_AFTER_S)
            case DigitEnded() if event.call in self._calls:
                self._put_off(event.call, REPEAT_AFTER_S)
            case CallEnded():
                self._calls.pop(event.call, None)

    def hang_up_all(self) -> list[CallHandle]:
        """Ends all calls; gives those that were up."""
        up = list(self._calls)
        for handle in up:
            self._try(lambda handle=handle: self._phone.hang_up(handle))  # type: ignore[misc]
        return up

    def _take(self, handle: CallHandle, refusal: Mapping[str, str] | None) -> None:
        self._calls[handle] = _Call()
        if refusal is not None:
            self._try(lambda: self._phone.answer(handle, 480, Playback(), refusal))
            return
        if len(self._calls) > self._capacity:
            self._try(lambda: self._phone.answer(handle, 486, Playback()))
            return
        self._try(lambda: self._phone.ring(handle))
        self._timers.at(self._clock.monotonic_s() + RING_S, lambda: self._answer(handle))

    def _answer(self, handle: CallHandle) -> None:
        if handle in self._calls:
            self._try(lambda: self._phone.answer(handle, 200, Playback(echo=self._parrot)))

    def _put_off(self, handle: CallHandle, by_s: float) -> None:
        if not self._parrot:
            return
        call = self._calls[handle]
        call.repeat_s = self._clock.monotonic_s() + by_s
        self._timers.at(call.repeat_s, lambda: self._repeat(handle))

    def _repeat(self, handle: CallHandle) -> None:
        call = self._calls.get(handle)
        if call is None or not call.digits or self._clock.monotonic_s() < call.repeat_s:
            return
        digits, call.digits = call.digits, ""
        self._try(lambda: self._phone.send_digits(handle, digits, REPEAT_TONE_MS))

    def _try(self, action: Callable[[], None]) -> None:
        """A call that ends at this moment refuses what it is asked; its end is reported by itself."""
        try:
            action()
        except PhoneError as error:
            log.warning("callee: %s", error)
