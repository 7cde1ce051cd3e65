"""SIP messages of a leg or a registration as people read them: one line each, then the messages themselves. Pure."""

from datetime import UTC, datetime

from agent.contract.observation import LegObservation, SipMessage
from agent.contract.registration import RegistrationObservation

RULE = "-" * 72


def ladder(seen: LegObservation | RegistrationObservation) -> str:
    """The text of `sip.txt`. Messages are printable and without digests already (`kept_messages`)."""
    lines = [
        *_heading(seen),
        "",
        *(f"{_crossing(message)}  {_start_line(message)}" for message in seen.messages),
    ]
    for message in seen.messages:
        lines += ["", RULE, _crossing(message), RULE, message.text.replace("\r\n", "\n").rstrip("\n")]
    return "\n".join(lines) + "\n"


def _heading(seen: LegObservation | RegistrationObservation) -> tuple[str, str]:
    times = "times are seconds since the first message"
    if isinstance(seen, RegistrationObservation):
        return f"{seen.role}'s registration at endpoint {seen.endpoint}", times
    began = datetime.fromtimestamp(seen.started_at, UTC).isoformat(sep=" ", timespec="milliseconds")
    name = "a call of nobody's plan" if seen.call is None else f"{seen.call}/{seen.number}"
    who = f"{seen.role} of {name} at endpoint {seen.endpoint}, Call-ID {seen.sip_call_id or 'unknown'}"
    return who, f"begun {began}; {times}"


def _crossing(message: SipMessage) -> str:
    direction = "sent to      " if message.sent else "received from"
    return f"{message.at_ms / 1000:10.4f}  {direction} {message.peer}"


def _start_line(message: SipMessage) -> str:
    return message.text.lstrip("\r\n").partition("\n")[0].rstrip("\r")
