"""Calls to a callee of ours that refuses them, or only rings."""

from typing import Any

from agent.contract.call import Behaviour, Refusal
from agent.contract.expect import ExpectLeg
from agent.contract.observation import Action
from agent.judge.verdicts import CallVerdict
from agent.phone.protocol import Event
from tests.unit.agent.judge.wire import End, callee, caller, verdict
from tests.unit.sip_messages import message, request, response

NOTHING: dict[str, Any] = {
    "group__caller__dtmf": None, "group__expect__caller": ExpectLeg(), "group__expect__callee": ExpectLeg(),
}  # fmt: skip
BUSY = NOTHING | {"behaviour": Behaviour.BUSY, "group__expect__sip_code": 486}
DECLINES = NOTHING | {
    "behaviour": Behaviour.REFUSE, "group__callee__refuse": Refusal(code=603), "group__expect__sip_code": 603,
}  # fmt: skip
RINGS = NOTHING | {
    "behaviour": Behaviour.RING_ONLY, "group__expect__sip_code": 487, "group__answer_timeout_seconds": 3,
}  # fmt: skip
RANG_ON = (Action(name="Ring", at_ms=0.0), Action(name="HangUp", at_ms=6000.0))


def refusing(code: int | None, **changes: Any) -> End:
    """Our callee, which sent that."""
    return callee(**({"code": code, "ringing": False, "bye_sent": None, "ended_s": 10.2} | changes))


def refused(code: int | None, **changes: Any) -> End:
    """The caller, which got that."""
    return caller(**({"code": code, "ringing": False, "bye_sent": None, "ended_s": 10.2} | changes))


def refused_by_callee(code: int | None, got: int = 486, **changes: Any) -> CallVerdict:
    """A callee that is to be busy sent `code`, and the caller got another one, or the same."""
    return verdict(refused(got), refusing(code), **BUSY | changes)


def cancelled(sent: bool, *, at_s: float = 13.02, code: int | None = 487) -> tuple[Event, ...]:  # noqa: FBT001
    """A CANCEL, its 200, and the INVITE's 487."""
    found = [message(at_s, request("CANCEL"), sent), message(at_s + 0.01, response(200, method="CANCEL"), not sent)]
    if code is not None:
        found.append(message(at_s + 0.02, response(code, phrase="Request Terminated"), not sent))
    return tuple(found)


def gave_up(**changes: Any) -> End:
    """The caller, after 3 s."""
    extra = cancelled(sent=True, **changes)
    return caller(code=None, bye_sent=None, extra=extra, ended_s=13.2)


def ring_on(code: int | None = 603, **changes: Any) -> End:
    """Our callee, to which no CANCEL came: its agent ended it."""
    usual: dict[str, Any] = {"code": None, "bye_sent": None, "actions": RANG_ON, "ended_s": 16.1}
    final = () if code is None else (message(16.0, response(code, phrase="Decline"), sent=True),)
    return callee(**(usual | {"extra": final} | changes))


def rang() -> End:
    """Our callee, which was cancelled."""
    extra = cancelled(sent=False)
    return callee(code=None, bye_sent=None, extra=extra, ended_s=13.2)


def given_up(end: End | None, by: End | None = None, **changes: Any) -> CallVerdict:
    """The caller gave up a call that only rings."""
    return verdict(by or gave_up(), end, **RINGS | changes)
