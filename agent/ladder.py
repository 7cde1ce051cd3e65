"""A leg's SIP messages as people read them: first one line each, then the messages themselves. Pure."""

from datetime import UTC, datetime

from agent.contract.result import LegObservation, SipMessage

RULE = "-" * 72


def ladder(leg: LegObservation) -> str:
    """The text of `sip.txt`. Messages are printable and without digests already (`kept_messages`)."""
    began = datetime.fromtimestamp(leg.started_at, UTC).isoformat(sep=" ", timespec="milliseconds")
    name = "a call of nobody's plan" if leg.call is None else f"{leg.call}/{leg.number}"
    lines = [
        f"{leg.role} of {name} at endpoint {leg.endpoint}, Call-ID {leg.sip_call_id or 'unknown'}",
        f"begun {began}; times are seconds since the first message",
        "",
        *(f"{_crossing(message)}  {_start_line(message)}" for message in leg.messages),
    ]
    for message in leg.messages:
        lines += ["", RULE, _crossing(message), RULE, message.text.replace("\r\n", "\n").rstrip("\n")]
    return "\n".join(lines) + "\n"


def _crossing(message: SipMessage) -> str:
    direction = "sent to      " if message.sent else "received from"
    return f"{message.at_ms / 1000:10.4f}  {direction} {message.peer}"


def _start_line(message: SipMessage) -> str:
    return message.text.lstrip("\r\n").partition("\n")[0].rstrip("\r")
