"""A planned call, and a leg known to be one of it: what the checks look at."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from agent.contract.call import Call
from agent.contract.codecs import Media
from agent.contract.expect import DtmfMethod, ExpectLeg
from agent.contract.observation import WAS_OVER, Bye, Digit, LegObservation, Side
from agent.contract.outcome import EndedBy
from agent.contract.plan import Plan, call_key
from agent.contract.srtp import Srtp
from agent.contract.steps import Steps, steps_of
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.overload import Excuse, call_troubles, media_troubles, overload

HOLD_TOLERANCE_MS: Final = 500.0
"""How much shorter than its hold a call may be: an announcement of the same length, timers with different starts."""

NOTHING_SAID: Final = ("OK", "Normal call clearing", "")
"""What our SIP stack says of any call that is over."""

CallId = tuple[int, str, int]
"""Endpoint, call, number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """One call that a plan asks for."""

    plan: Plan
    """Of either agent of the lane: what matters here is the same in both."""
    endpoint: int
    group: Call
    number: int

    @property
    def id(self) -> CallId:
        """Names it within the run."""
        return self.endpoint, self.group.name, self.number

    @property
    def key(self) -> str:
        """The value of its X-Calltest-Call header."""
        return call_key(self.plan.run.uid, self.endpoint, self.group.name, self.number)

    @property
    def expects_answer(self) -> bool:
        """It is to be answered 2xx: only then is there media to judge."""
        return self.group.expect.is_answer

    @property
    def sut_ends_it(self) -> bool:
        """The SUT is to end it, within the hold."""
        return self.group.expect.ended_by is EndedBy.SUT

    @property
    def hold_ms(self) -> float:
        """From the answer to the caller's BYE, at the latest."""
        return self.group.hold_seconds * 1000

    @property
    def is_acted_unnamed(self) -> bool:
        """The callee does the same in one that does not say which it is."""
        return self.plan.acting_in(None) == self.group.callee.acting

    def expected(self, role: Role) -> ExpectLeg:
        """What that leg must have received."""
        return self.group.expect.caller if role is Role.CALLER else self.group.expect.callee

    def finding(
        self,
        role: Role,
        check: Check,
        reason: Reason,
        *,
        expected: str | None = None,
        observed: str | None = None,
        note: str | None = None,
        sip_call_id: str | None = None,
    ) -> Finding:
        """A check of one of its legs that did not pass."""
        return Finding(
            call=self.group.name,
            number=self.number,
            endpoint=self.endpoint,
            leg=role,
            check=check,
            reason=reason,
            expected=expected,
            observed=observed,
            call_id=sip_call_id,
            note=note,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallLeg:
    """A leg, and the call that it is one of."""

    call: PlannedCall
    leg: LegObservation

    @property
    def expect(self) -> ExpectLeg:
        """What this leg must have received."""
        return self.call.expected(self.leg.role)

    @property
    def media(self) -> Media:
        """What this end's media is to be."""
        return self.call.group.media(self.leg.role)

    @property
    def srtp(self) -> Srtp:
        """What is asked of this end's media."""
        return self.media.srtp

    @property
    def knew_its_media(self) -> bool:
        """Its agent could do as that asks: a callee knows its call by the INVITE, where calls differ."""
        return self._named or self.call.plan.usual_media(self.leg.role) is not None

    @property
    def steps(self) -> Steps:
        """What this end does in this call."""
        return steps_of(self.call.group, self.leg.role)

    @property
    def knew_its_steps(self) -> bool:
        """Likewise of what it was to do."""
        is_usual = self.call.plan.usual_acting is not None
        return self._named or is_usual or (self.leg.call_key is None and self.call.is_acted_unnamed)

    @property
    def _named(self) -> bool:
        """It was known as what it is: not by another call's header, which some path copied."""
        return self.leg.role is Role.CALLER or self.leg.call_key == self.call.key

    def failed_to(self, *steps: str) -> str | None:
        """Why its agent could not do one of these steps, whose time came; None: it could."""
        errors = (
            f"{action.name}: {action.error}"
            for action in self.leg.actions
            if action.name in steps and action.error not in (None, WAS_OVER)
        )
        return next(errors, None)

    @property
    def name(self) -> str:
        """As sentences have it: `caller`, `callee`."""
        return self.leg.role.lower()

    @property
    def answered(self) -> bool:
        """A 2xx crossed this leg."""
        return self.leg.final_code is not None and is_success(self.leg.final_code)

    @property
    def call_ms(self) -> float | None:
        """From the answer to the BYE (or the end, where there was none), on this leg's own clock.

        None where not measured, and where an end before the answer says that the times are wrong.
        """
        times = self.leg.progress
        end_ms = times.ended_ms if times.bye_ms is None else times.bye_ms
        if times.answered_ms is None or end_ms is None or end_ms < times.answered_ms:
            return None
        return end_ms - times.answered_ms

    @property
    def media_end_ms(self) -> float | None:
        """Until when media is due, since the answer: a path may take its time to pass the BYE on."""
        return None if self.call_ms is None else min(self.call_ms, self.call.hold_ms)

    @property
    def held(self) -> bool:
        """It is known to have lasted for the call's hold."""
        return self.call_ms is not None and self.call_ms >= self.call.hold_ms - HOLD_TOLERANCE_MS

    @property
    def cut_short(self) -> bool:
        """Our own agent is what ended it early, or may be; or could not send its messages where they were to go."""
        return self.answered and (self.leg.detour is not None or not (self.ended_by_peer or self.held))

    @property
    def bye(self) -> Bye | None:
        """The end of the leg's own dialog; None where none was seen."""
        return None if self.leg.dialog is None else self.leg.dialog.bye

    @property
    def ended_by_peer(self) -> bool:
        """The first BYE of its dialog was the other side's."""
        return self.bye is not None and self.bye.by is Side.REMOTE

    @property
    def overload(self) -> str | None:
        """The agent's own troubles while this leg's media ran that leave nothing of what it measured."""
        return overload(self.leg.health, self._media_ms)

    def trouble(self, kinds: Collection[Excuse], *, media: bool) -> str | None:
        """Those, and lesser ones, of these kinds, that may have broken what did not hold on this leg or its peer's.

        Of its media, or of its signalling from the INVITE on.
        """
        found = (media_troubles if media else call_troubles)(self.leg.health, self._media_ms)
        return "; ".join(dict.fromkeys(text for kind, text in found.items() if kind in kinds)) or None

    @property
    def _media_ms(self) -> float:
        return self.call.hold_ms if self.call_ms is None else self.call_ms

    @property
    def digits_go_by(self) -> DtmfMethod:
        """How this end sends digits: a parrot as they came."""
        if self.leg.role is Role.CALLEE:
            return _came_by(self.leg.dtmf_received)
        planned = self.call.group.caller.dtmf
        return DtmfMethod.RFC4733 if planned is None else planned.by

    @property
    def digits_come_by(self) -> DtmfMethod:
        """How they are to come to this leg; where nothing is asked of that, how they came."""
        asked = self.expect.dtmf
        return _came_by(self.leg.dtmf_received) if asked is None else asked.by

    @property
    def digits_sent(self) -> str:
        """The digits that this leg has sent to their end."""
        return dialled(self.leg.dtmf_sent, self.digits_go_by)

    @property
    def digits_received(self) -> str:
        """The digits that arrived as they are to."""
        return dialled(self.leg.dtmf_received, self.digits_come_by)

    @property
    def said(self) -> str | None:
        """What the agent, or its SIP stack, said of the leg; None where that is no more than the wire says."""
        return None if self.leg.local_reason in (*NOTHING_SAID, self.leg.final_phrase) else self.leg.local_reason

    def finding(
        self,
        check: Check,
        reason: Reason,
        *,
        expected: str | None = None,
        observed: str | None = None,
        note: str | None = None,
    ) -> Finding:
        """A check of this leg that did not pass."""
        return self.call.finding(
            self.leg.role,
            check,
            reason,
            expected=expected,
            observed=observed,
            note=note,
            sip_call_id=self.leg.sip_call_id,
        )


def planned_calls(plan: Plan) -> Iterator[PlannedCall]:
    """Every call of a plan, by stage, group, number."""
    for stage in plan.stages:
        yield from calls_at(plan, stage.endpoint)


def calls_at(plan: Plan, endpoint: int) -> Iterator[PlannedCall]:
    """Every call of a plan at one of its endpoints, by group, number."""
    for group in plan.calls:
        for number in range(group.count):
            yield PlannedCall(plan=plan, endpoint=endpoint, group=group, number=number)


def is_success(code: int) -> bool:
    """A 2xx."""
    return 200 <= code < 300


def _came_by(digits: tuple[Digit, ...]) -> DtmfMethod:
    """The one method of all digits; RFC 4733 where there are none, or more methods."""
    methods = {digit.method for digit in digits}
    return methods.pop() if len(methods) == 1 else DtmfMethod.RFC4733


def dialled(digits: tuple[Digit, ...], method: DtmfMethod) -> str:
    """The digits that came by one method, in order."""
    return "".join(digit.digit for digit in digits if digit.method is method)


def own_words(leg: CallLeg, note: str) -> str:
    """A note, with what the agent itself said of the leg."""
    return f"{note} ({leg.said})" if leg.said else note
