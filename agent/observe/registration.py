"""How a registration went, out of its REGISTER messages and the stack's word. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from agent.contract.connection import Connection
from agent.contract.observation import Asked, SipMessage, Trouble
from agent.contract.registration import Bindings, Lapse, Leaving, RegistrationObservation, RegistrationOutcome
from agent.contract.verdict import Role
from agent.observe.asking import tries_told
from agent.observe.connections import connections
from agent.observe.signalling import crossings, kept_messages, kept_unparsed, ms
from agent.phone.protocol import Event, MessageSeen, NotSent, PortClosed, RegistrationConcluded, Unparsed
from agent.sip.bindings import Binding, bindings, expires_s, has_more, kept, same_place
from agent.sip.dialogs import Registering, kept_contacts, registrations
from agent.sip.transactions import Conversation
from agent.tap.model import TapConnection

NEVER: str = "the SIP stack did not conclude it in time"
KEPT_FIRST, KEPT_LAST = 20, 44
"""Messages that are told."""
MAX_OTHERS: Final = 4
MAX_GRANTED: Final = 4
"""Three of them are the one that is not said, the shortest and the longest."""
MAX_URI: Final = 120
NOT_SAID_S: Final = 3600
"""How long a binding holds where neither the request nor its 2xx says (as our SIP stack has it)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """A stretch of time in which a REGISTER of ours, with all its tries, had no 2xx yet."""

    began_s: float
    """When it was asked for, or crossed first."""
    trouble: Trouble
    """Of the agent, within it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What else is known of a registration than its messages."""

    unsent: NotSent | None = None
    closed: PortClosed | None = None
    carriers: Sequence[TapConnection] = ()
    unread: Unparsed | None = None
    """The last."""
    at_s: float = 0.0
    """When it is observed."""
    last_word: RegistrationConcluded | None = None
    """The stack's last one, where that is not of the first attempt."""
    hurried: bool = False
    """The agent stopped waiting before the last REGISTER could have had its answer."""
    leaves: bool = False
    """The agent was to take its binding back, and all there is to wait for is over."""
    waits: Sequence[Wait] = ()
    """As they came."""

    def trouble(self, attempt: Registering | None) -> Trouble:
        """Of the agent, while an attempt waited; None: none crossed. Without figures where nobody measured it."""
        before = [wait for wait in self.waits if attempt is not None and wait.began_s <= attempt.began_s]
        its = before[-1:] or self.waits[:1]
        return its[0].trouble if its else Trouble()


def observe_registration(
    role: Role,
    endpoint: int,
    messages: Sequence[MessageSeen],
    concluded: RegistrationConcluded | None,
    beside: Beside = Beside(),  # frozen
) -> RegistrationObservation:
    """Its first attempt, by that one's last try; what became of the binding from then on; and its end.

    401, then silence, is no rejection. `concluded`: of the first attempt; None: the stack did not give its word.
    """
    register = [message for message in messages if message.head and message.head.method == "REGISTER"]
    attempts = _as_they_went_on(registrations(Conversation(crossings(register))), beside.unsent)
    holding, leaving = [it for it in attempts if not it.leaving], [it for it in attempts if it.leaving]
    first = holding[0] if holding else None
    final = first.final if first else None
    began_s = register[0].at_s if register else 0.0
    over_s = leaving[0].began_s if leaving else None
    course = _course(holding, beside, began_s, over_s)
    return RegistrationObservation(
        role=role,
        endpoint=endpoint,
        outcome=_outcome(first, concluded, beside),
        code=final.code if final else None,
        phrase=final.first.head.phrase if final else None,
        asked=tries_told(first.tries, final, beside.closed) if first else Asked(),
        trouble=beside.trouble(first),
        local_reason=_local_reason(concluded, beside),
        duration_ms=ms(first.began_s, final.at_s) if first and final else None,
        expires_s=_asked_s(first) if first else None,
        bindings=_bindings(holding),
        refreshes=course.refreshes,
        lapse=course.lapse,
        leaving=_leaving(leaving, beside),
        connections=_connections(register, _over_s(concluded, course.lapse, beside), beside),
        unparsed=_unparsed(holding, beside.unread, began_s),
        messages=kept_messages([*register[:KEPT_FIRST], *register[KEPT_FIRST:][-KEPT_LAST:]]),
    )


def _unparsed(holding: Sequence[Registering], unread: Unparsed | None, began_s: float) -> SipMessage | None:
    """Where the last attempt was not answered."""
    is_instead = bool(holding) and holding[-1].final is None and unread is not None
    return kept_unparsed(unread, began_s) if is_instead and unread and unread.at_s >= holding[-1].began_s else None


def _connections(register: Sequence[MessageSeen], over_s: float | None, beside: Beside) -> tuple[Connection, ...]:
    events: list[Event] = [*register, *([beside.unsent] if beside.unsent else [])]
    began_s = register[0].at_s if register else None
    return connections(events, beside.carriers, began_s=began_s, over_s=over_s)


def _over_s(concluded: RegistrationConcluded | None, lapse: Lapse | None, beside: Beside) -> float | None:
    """When the attempt was over that its connections are told for: the first, or the one that had no answer."""
    if lapse is None or lapse.code is not None:
        return concluded.at_s if concluded else None
    return beside.last_word.at_s if beside.last_word and not beside.last_word.active else beside.at_s


def _local_reason(concluded: RegistrationConcluded | None, beside: Beside) -> str | None:
    never = None if beside.closed else NEVER
    said = (concluded.local_reason or None) if concluded else never
    return f"REGISTER not sent: {beside.unsent.reason}" if beside.unsent else said


def _as_they_went_on(attempts: Sequence[Registering], unsent: NotSent | None) -> list[Registering]:
    """A challenge whose answer did not cross is no final response to the last one: `unsent` is known of that try."""
    return [
        replace(one, final=None) if one is attempts[-1] and not _is_granted(one) and _is_next(one, unsent) else one
        for one in attempts
    ]


def _is_next(attempt: Registering, unsent: NotSent | None) -> bool:
    """A REGISTER that did not cross, behind all that did."""
    return unsent is not None and unsent.head is not None and unsent.head.cseq > attempt.tries[-1].cseq


def _outcome(first: Registering | None, concluded: RegistrationConcluded | None, beside: Beside) -> RegistrationOutcome:
    """Registered needs both the stack's word and a 2xx on the wire."""
    if first is None:
        return RegistrationOutcome.ERROR
    if beside.hurried and not _is_granted(first):
        return RegistrationOutcome.UNFINISHED
    if first.final is None:
        return RegistrationOutcome.ERROR if _is_next(first, beside.unsent) else RegistrationOutcome.TIMEOUT
    if not _is_granted(first):
        return RegistrationOutcome.REJECTED
    return RegistrationOutcome.REGISTERED if concluded and concluded.active else RegistrationOutcome.ERROR


def _is_granted(attempt: Registering) -> bool:
    return attempt.final is not None and attempt.final.code < 300


# --- the bindings ----------------------------------------------------------------------------------------------


def _bindings(holding: Sequence[Registering]) -> Bindings | None:
    """Of all 2xx: a binding that is listed by the first and not by the next is missing."""
    granted = [attempt for attempt in holding if _is_granted(attempt)]
    if not granted:
        return None
    listed = [_is_listed(attempt) for attempt in granted]
    others = max((_others(attempt) for attempt in granted), key=len)
    return Bindings(
        own=False if False in listed else None if None in listed else True,
        whole=not any(_is_cut(attempt) for attempt in granted),
        granted_s=_told_s([_granted_s(attempt) for attempt in granted if _is_listed(attempt) is not None]),
        others=tuple(one.uri[:MAX_URI] for one in others[:MAX_OTHERS]),
        others_left_out=max(0, len(others) - MAX_OTHERS),
    )


def _told_s(granted_s: Sequence[int | None]) -> tuple[int | None, ...]:
    """Each figure once, as they came; of many those by which bounds are judged, then the first."""
    once = list(dict.fromkeys(granted_s))
    said = [one for one in once if one is not None]
    ends = [min(said), max(said)] if said else []
    first = dict.fromkeys([*(one for one in once if one is None), *ends, *once])
    return tuple(one for one in once if one in list(first)[:MAX_GRANTED])


def _is_listed(attempt: Registering) -> bool | None:
    """Our binding is in the 2xx. None: it may be behind what is read of it."""
    if _listed(attempt) is not None:
        return True
    return None if _is_cut(attempt) else False


def _is_cut(attempt: Registering) -> bool:
    return attempt.final is not None and has_more(attempt.final.first.text)


def _listed(attempt: Registering) -> Binding | None:
    """Our binding in the 2xx; one that has run out is none."""
    return next((one for one in _current(attempt) if _is_ours(attempt, one)), None)


def _others(attempt: Registering) -> list[Binding]:
    return [one for one in _current(attempt) if not _is_ours(attempt, one)]


def _current(attempt: Registering) -> list[Binding]:
    return list(kept(attempt.final.first.text)) if attempt.final else []


def _is_ours(attempt: Registering, one: Binding) -> bool:
    return any(same_place(one.uri, own.uri) for own in kept_contacts(attempt.tries[-1]))


def _granted_s(attempt: Registering) -> int | None:
    """RFC 3261 §10.2.4."""
    own = _listed(attempt)
    if own is not None:
        return own.expires_s
    return expires_s(attempt.final.first.text) if attempt.final else None


def _asked_s(attempt: Registering) -> int | None:
    own = next(iter(kept_contacts(attempt.tries[-1])), None)
    return own.expires_s if own is not None else expires_s(attempt.tries[-1].request.first.text)


# --- refreshes, and the end ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Course:
    refreshes: int
    lapse: Lapse | None


def _course(holding: Sequence[Registering], beside: Beside, began_s: float, over_s: float | None) -> _Course:
    """How often the binding was held on to."""
    due_s: float | None = None
    refreshes = 0
    for attempt in holding:
        if due_s is not None:
            if _has_lapsed(attempt, due_s, beside):
                lapse = _lapse(attempt, due_s, began_s, beside)
                return _Course(refreshes=refreshes, lapse=lapse)
            refreshes += _is_granted(attempt)
        if _is_granted(attempt):
            due_s = _due_s(attempt)
    if due_s is None:
        return _Course(refreshes=refreshes, lapse=None)
    is_given_up = _is_given_up(holding[-1], beside)
    is_missed = over_s is not None and over_s > due_s
    lapse = Lapse(due_ms=ms(began_s, due_s), unsent=_unsent(holding[-1], beside) if is_given_up else None)
    return _Course(refreshes=refreshes, lapse=lapse if is_missed or is_given_up else None)


def _is_given_up(last: Registering, beside: Beside) -> bool:
    """The stack has ended the registration, and no REGISTER crossed for that.

    It may do so at a 2xx which has no binding of ours, too: of that, the bindings tell.
    """
    word = beside.last_word
    if word is None or word.active or beside.leaves or last.final is None or word.at_s < last.final.at_s:
        return False
    return _is_next(last, beside.unsent) or _listed(last) is not None


def _unsent(attempt: Registering, beside: Beside) -> str | None:
    return beside.unsent.reason if beside.unsent is not None and _is_next(attempt, beside.unsent) else None


def _due_s(attempt: Registering) -> float:
    """When the binding of a 2xx runs out. It was made before the 2xx came, and may so end that much before."""
    assert attempt.final is not None
    granted_s = _granted_s(attempt)
    for_s = granted_s if granted_s is not None else _asked_s(attempt)
    return attempt.final.at_s + (NOT_SAID_S if for_s is None else for_s)


def _has_lapsed(refresh: Registering, due_s: float, beside: Beside) -> bool:
    """One that is under way while its binding still holds has not."""
    if refresh.final is not None:
        return refresh.final.code >= 300 or refresh.final.at_s > due_s
    word = beside.last_word
    is_given_up = word is not None and not word.active and word.at_s >= refresh.began_s
    return is_given_up or beside.at_s > due_s


def _lapse(attempt: Registering, due_s: float, began_s: float, beside: Beside) -> Lapse:
    final = attempt.final
    return Lapse(
        due_ms=ms(began_s, due_s),
        sent_ms=ms(began_s, attempt.began_s),
        unsent=_unsent(attempt, beside),
        answered_ms=ms(began_s, final.at_s) if final else None,
        code=final.code if final else None,
        phrase=final.first.head.phrase if final else None,
        asked=tries_told(attempt.tries, final),
        trouble=beside.trouble(attempt),
    )


def _leaving(leaving: Sequence[Registering], beside: Beside) -> Leaving | None:
    if not beside.leaves:
        return None
    last = leaving[-1] if leaving else None
    if last is None or (last.final is None and _is_next(last, beside.unsent)):
        return Leaving(sent=False)
    text = last.final.first.text if last.final else ""
    own = bindings(last.tries[-1].request.first.text)
    is_bound = any(same_place(one.uri, it.uri) for one in kept(text) for it in own)
    return Leaving(
        code=last.final.code if last.final else None,
        phrase=last.final.first.head.phrase if last.final else None,
        bound=None if not is_bound and has_more(text) else is_bound,
        unfinished=beside.hurried,
        asked=tries_told(last.tries, last.final),
        trouble=beside.trouble(last),
    )
