"""A callee for anybody's calls: no plan, no registration, no verdict; the SUT of some examples."""

import logging
from collections.abc import Callable
from typing import Final

from agent.clock import Clock
from agent.contract.call import Acting, Behaviour
from agent.contract.steps import callee_steps
from agent.phone.protocol import CallEnded, CallHandle, IncomingCall, Phone
from agent.run.callee import Callee
from agent.run.party import Party
from agent.sip.text import parse_head
from agent.timers import Timers

POLL_S: Final = 0.2
CAPACITY: Final = 300
LAST_BYES_S: Final = 2.0

log = logging.getLogger(__name__)


def run_standing(phone: Phone, behaviour: Behaviour, clock: Clock, stop_asked: Callable[[], bool]) -> None:
    """Takes calls until told to stop; then hangs up."""
    timers = Timers()

    def over(call: CallHandle) -> None:
        callee.over(call)

    party = Party(phone=phone, clock=clock, timers=timers, ledger=_Silent(), on_over=over)
    callee = Callee(
        party=party,
        steps=lambda _: callee_steps(Acting(behaviour=behaviour)),
        capacity=CAPACITY,
        on_call=_say_who,
    )
    until_s = float("inf")
    while clock.monotonic_s() < until_s and not (until_s < float("inf") and callee.idle):
        now_s = clock.monotonic_s()
        event = phone.next_event(max(0.0, timers.next_s(now_s + POLL_S) - now_s))
        if event is not None:
            party.handle(event)
        if isinstance(event, IncomingCall):
            callee.take(event)
        if isinstance(event, CallEnded):
            log.info("call %d is over: %s", event.call, event.local_reason)
            for recording in event.recordings.values():
                recording.unlink(missing_ok=True)
        timers.run(clock.monotonic_s())
        if until_s == float("inf") and stop_asked():
            callee.hang_up_all()
            until_s = clock.monotonic_s() + LAST_BYES_S


class _Silent:
    """Nobody asks what this callee did."""

    def did(self, call: CallHandle, name: str, at_s: float | None, error: str | None) -> None:
        """As Ledger."""

    def because(self, call: CallHandle, reason: str) -> None:
        """As Ledger."""

    def abandon(self, call: CallHandle, reason: str) -> None:
        """As Ledger."""


def _say_who(event: IncomingCall) -> None:
    head = parse_head(event.invite)
    log.info("call %d from %s", event.call, head.from_user if head else None)
