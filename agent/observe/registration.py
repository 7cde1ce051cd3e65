"""How a registration went, out of its REGISTER messages and the stack's word. Pure."""

from collections.abc import Sequence

from agent.contract.connection import Connection
from agent.contract.observation import Asked, RegistrationObservation, RegistrationOutcome
from agent.contract.verdict import Role
from agent.observe.asking import tries_told
from agent.observe.connections import connections
from agent.observe.signalling import crossings, kept_messages, kept_unparsed, ms
from agent.phone.protocol import Event, MessageSeen, NotSent, PortClosed, RegistrationConcluded, Unparsed
from agent.sip.dialogs import Registering, registrations
from agent.sip.transactions import Conversation
from agent.tap.model import TapConnection

NEVER: str = "the SIP stack did not conclude it in time"


def observe_registration(
    role: Role,
    endpoint: int,
    messages: Sequence[MessageSeen],
    concluded: RegistrationConcluded | None,
    *,
    unsent: NotSent | None = None,
    closed: PortClosed | None = None,
    carriers: Sequence[TapConnection] = (),
    unread: Unparsed | None = None,
) -> RegistrationObservation:
    """By the last attempt (a refresh is one), and its last try; `concluded` None: the stack did not give its word.

    401, then silence, is no rejection; and an unregistering is no attempt.
    """
    register = [message for message in messages if message.head and message.head.method == "REGISTER"]
    attempts = [it for it in registrations(Conversation(crossings(register))) if not it.leaving]
    last = attempts[-1] if attempts else None
    final = last.final if last else None
    is_instead = last is not None and final is None and unread is not None and unread.at_s >= last.began_s
    return RegistrationObservation(
        role=role,
        endpoint=endpoint,
        outcome=_outcome(last, concluded),
        code=final.code if final else None,
        phrase=final.first.head.phrase if final else None,
        asked=tries_told(last.tries, final, closed) if last else Asked(),
        local_reason=_local_reason(concluded, unsent, closed),
        duration_ms=ms(last.began_s, final.at_s) if last and final else None,
        connections=_connections(register, concluded, unsent, carriers),
        unparsed=kept_unparsed(unread, register[0].at_s) if is_instead and unread is not None else None,
        messages=kept_messages(register),
    )


def _connections(
    register: Sequence[MessageSeen],
    concluded: RegistrationConcluded | None,
    unsent: NotSent | None,
    carriers: Sequence[TapConnection],
) -> tuple[Connection, ...]:
    events: list[Event] = [*register, *([unsent] if unsent else [])]
    began_s = register[0].at_s if register else None
    return connections(events, carriers, began_s=began_s, over_s=concluded.at_s if concluded else None)


def _local_reason(
    concluded: RegistrationConcluded | None, unsent: NotSent | None, closed: PortClosed | None
) -> str | None:
    never = None if closed else NEVER
    said = (concluded.local_reason or None) if concluded else never
    return f"REGISTER not sent: {unsent.reason}" if unsent else said


def _outcome(last: Registering | None, concluded: RegistrationConcluded | None) -> RegistrationOutcome:
    """Registered needs both the stack's word and a 2xx on the wire."""
    if last is None:
        return RegistrationOutcome.ERROR
    if last.final is None:
        return RegistrationOutcome.TIMEOUT
    if last.final.code >= 300:
        return RegistrationOutcome.REJECTED
    return RegistrationOutcome.REGISTERED if concluded and concluded.active else RegistrationOutcome.ERROR
