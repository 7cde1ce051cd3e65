"""A registration as it crossed the wire, for tests to break in one place at a time: events in, observation out.

A good one: 300 s asked and granted, a refresh after 295 s, taken back after 400 s.
"""

from collections.abc import Iterable
from typing import Any, Final

from agent.contract.observation import Trouble
from agent.contract.registration import RegistrationObservation
from agent.contract.verdict import Role
from agent.observe.registration import Beside, Wait, observe_registration
from agent.phone.protocol import AccountId, MessageSeen, RegistrationConcluded
from tests.unit.sip_messages import message, request, response

OURS: Final = "<sip:alice@10.0.0.9:4000>"
OTHERS: Final = "<sip:alice@10.0.0.77:5060>"
CREDENTIALS: Final = 'Authorization: Digest username="alice", realm="pbx", nonce="n", qop=auth'


def asks(algorithm: str | None = None, *, realm: str = "pbx", stale: str = "") -> str:
    """A challenge, as a header's line."""
    more = (f", algorithm={algorithm}" if algorithm else "") + (f", stale={stale}" if stale else "")
    return f'WWW-Authenticate: Digest realm="{realm}", nonce="n", qop="auth"{more}\r\n'


def answers(algorithm: str | None = None) -> str:
    """Credentials, likewise."""
    return CREDENTIALS + (f", algorithm={algorithm}" if algorithm else "") + "\r\n"


def asked(at_s: float, cseq: int, extra: str = "", *, expires: int = 300, contact: str = OURS) -> MessageSeen:
    """A REGISTER."""
    lines = f"Contact: {contact}\r\nExpires: {expires}\r\n{extra}"
    return message(at_s, request("REGISTER", cseq=cseq, branch=f"r{cseq}", extra=lines), sent=True)


def said(at_s: float, cseq: int, code: int = 200, extra: str | None = None, phrase: str = "OK") -> MessageSeen:
    """Its final response; a 200 lists our binding alone."""
    lines = (f"Contact: {OURS};expires=300\r\n" if code == 200 else "") if extra is None else extra
    text = response(code, cseq=cseq, method="REGISTER", branch=f"r{cseq}", phrase=phrase, extra=lines)
    return message(at_s, text, sent=False)


FIRST: Final = (asked(1.0, 1), said(1.1, 1))
REFRESH: Final = (asked(296.1, 2), said(296.2, 2))
LEAVING: Final = (asked(400.0, 3, expires=0), said(400.1, 3, extra=""))

SOON: Final = (asked(200.0, 3, expires=0), said(200.1, 3, extra=""))


def word(at_s: float, *, active: bool) -> RegistrationConcluded:
    return RegistrationConcluded(at_s=at_s, account=AccountId(1), active=active, local_reason="")


def waiting(**trouble: Any) -> dict[str, Any]:
    """An agent in trouble all the time, for `registering`."""
    return {"waits": (Wait(began_s=0.0, trouble=Trouble(**trouble)),)}


def registering(*parts: Iterable[MessageSeen], **changes: Any) -> RegistrationObservation:
    """What the agent tells in the end. By default of the good one."""
    messages = [one for part in parts or (FIRST, REFRESH, LEAVING) for one in part]
    beside = {"at_s": 500.0, "leaves": True, "last_word": word(450.0, active=False)} | changes
    return observe_registration(Role.CALLER, 0, messages, word(1.2, active=True), Beside(**beside))
