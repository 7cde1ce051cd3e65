"""What one agent measured of its registration at one endpoint: records as the wire had them.

None, which is absent on the wire, means 'not measured', as in agent/contract/observation. Times in ms are since the
first message.
"""

from enum import StrEnum

from agent.contract.connection import Connection
from agent.contract.document import Document
from agent.contract.observation import Asked, SipMessage, Trouble
from agent.contract.verdict import Role


class RegistrationOutcome(StrEnum):
    """How a REGISTER concluded."""

    REGISTERED = "Registered"
    REJECTED = "Rejected"
    TIMEOUT = "Timeout"
    UNFINISHED = "Unfinished"
    """Its last try was not answered yet when the agent stopped waiting."""
    ERROR = "Error"
    """Our own doing: it could not be sent."""


class Bindings(Document, frozen=True, kw_only=True, omit_defaults=True):
    """What the registrar's 2xx say of the address of record (RFC 3261 §10.3): each lists all its bindings."""

    own: bool | None = True
    """Every one of them lists ours. None: it may stand behind what is read of one (256 Contacts)."""
    whole: bool = True
    """False: one of them lists more than is read of it."""
    granted_s: tuple[int | None, ...] = ()
    """For how long, each figure once: our binding's `expires`, else Expires (RFC 3261 §10.2.4); null: not said."""
    others: tuple[str, ...] = ()
    """Contacts of others, of the 2xx that lists most of them; four are named."""
    others_left_out: int = 0
    """More of them."""


class Lapse(Document, frozen=True, kw_only=True, omit_defaults=True):
    """A refresh that was not answered 2xx before our binding ran out, or was given up before: the first one."""

    due_ms: float
    """When the binding ran out, since the first message; likewise the other times."""
    sent_ms: float | None = None
    """When its first try crossed. None: none did."""
    unsent: str | None = None
    """Why its last try did not cross, in our stack's words."""
    answered_ms: float | None = None
    """A final response to its last try; None: none came."""
    code: int | None = None
    phrase: str | None = None
    asked: Asked = Asked()
    trouble: Trouble = Trouble()
    """Of the agent, while it waited for that response."""


class Leaving(Document, frozen=True, kw_only=True, omit_defaults=True):
    """The REGISTER that takes the binding back, once all calls of the stage are over."""

    sent: bool = True
    """False: it did not leave the agent."""
    code: int | None = None
    """Final response to its last try; None: none came in 32 s (Timer F), or:"""
    unfinished: bool = False
    """The agent stopped waiting before that."""
    phrase: str | None = None
    bound: bool | None = False
    """Its 2xx lists our binding still. None: it lists more than is read."""
    asked: Asked = Asked()
    trouble: Trouble = Trouble()
    """Of the agent, from when it asked for that."""


class RegistrationObservation(
    Document, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="registration"
):
    """How the agent's registration at one endpoint went: told once it concluded, again where it lapsed, and at its end.

    Each line has all that the ones before had.
    """

    role: Role
    endpoint: int
    outcome: RegistrationOutcome
    """Of the first attempt; likewise what follows."""
    code: int | None = None
    """The last response received on the wire."""
    phrase: str | None = None
    asked: Asked = Asked()
    """The REGISTER, with all its tries."""
    trouble: Trouble = Trouble()
    """Of the agent, from the making of its account to the end of the first attempt."""
    local_reason: str | None = None
    duration_ms: float | None = None
    expires_s: int | None = None
    """What the REGISTER asked for; more than the test says after a 423 (Min-Expires)."""
    bindings: Bindings | None = None
    """None: no 2xx came."""
    refreshes: int = 0
    """Those that were answered 2xx before the binding ran out."""
    lapse: Lapse | None = None
    leaving: Leaving | None = None
    """None: it did not come to that, or is not over."""
    connections: tuple[Connection, ...] = ()
    unparsed: SipMessage | None = None
    """What came instead of a final response, and the stack could not read."""
    messages: tuple[SipMessage, ...] = ()
    evidence: str | None = None
    """As of a leg: `<run>-<uid>/ep<endpoint>/registration/<role>`."""
    evidence_fault: str | None = None
