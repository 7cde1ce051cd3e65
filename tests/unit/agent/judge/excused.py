"""What is not blamed on the system: of each check, a case that fails it, and troubles of our agents that may be why.

test_excused.py runs them, and docs/features.md has them as a table.
"""

from collections.abc import Mapping
from typing import Final

from agent.contract.observation import Health, Trouble
from agent.contract.verdict import Check, Reason, Result
from agent.judge.checks import RULES
from agent.judge.checks.check import CheckRule, Row
from agent.judge.overload import Excuse
from tests.unit.agent.judge import behaving, registrar
from tests.unit.agent.judge.test_reasons import NO_DIGITS, WIRE, both_streams
from tests.unit.agent.judge.wire import Case, callee, caller, noise, verdict

_WELL: Final = {"rtp_lateness_ms": 20.0, "sent_ratio": 1.0}


def _troubled(**trouble: float) -> Health:
    """From the INVITE on, or while a REGISTER waits."""
    window = Trouble(over_ms=9000.0, **trouble)
    return Health(setup=window, media=window, **_WELL)


TROUBLES: Final[Mapping[Excuse, tuple[Health, ...]]] = {
    Excuse.LATE: (_troubled(loop_ms=900.0), _troubled(stack_ms=900.0), _troubled(throttled_ms=900.0)),
    Excuse.LATE_MEDIA: (Health(rtp_lateness_ms=900.0, sent_ratio=1.0),),
    Excuse.DROPPED: (Health(setup=Trouble(socket_drops=2), media=Trouble(socket_drops=2), rtp_drops=2, **_WELL),),
    Excuse.UNSENT: (Health(rtp_lateness_ms=20.0, sent_ratio=0.5),),
}
"""An agent in each kind of trouble, at both its sockets."""

CASES: Final[Mapping[Reason, Case]] = {
    **WIRE,
    Reason.REFRESH_FAILED: lambda: verdict(
        registrations=[registrar.registering(registrar.FIRST, (registrar.asked(295.0, 2),), leaves=False)]
    ),
    Reason.UNREGISTER_FAILED: lambda: verdict(
        registrations=[registrar.registering(registrar.FIRST, (registrar.asked(200.0, 3, expires=0),))]
    ),
    Reason.ANSWERED_ELSEWHERE: lambda: verdict(caller(bye_s=10.13), behaving.refusing(487), **behaving.BUSY),
    Reason.WRONG_AUDIO: lambda: verdict(caller(sound=noise()), callee(sound=noise()), **NO_DIGITS),
    Reason.DTMF_OTHER_METHOD: lambda: verdict(callee=callee(streams=both_streams(digits=()), tones="12")),
}
"""What fails for a reason: where that is a thing that came or one that did not, what did not."""

UNTOUCHED: Final[Mapping[Check, str]] = {
    Check.ADDRESS_FAMILY: "an address that stands in an SDP stands there, whenever it is read",
    Check.BINDING: "a 200 that was read has all that the registrar lists; an agent's lateness takes nothing out of it",
    Check.CODEC: "the codecs stand in the SDP that came, and a packet that came has its payload type",
    Check.PHRASE: "the phrase is in the response that came",
    Check.REASON: "the header is in the refusal or BYE that came, or is not; without that message it is not measured",
    Check.ANSWER: "the answer that came is what it is",
    Check.SIPS: "the URI stands in the message that came",
    Check.FORKING: "two answers came: nobody reads more of them than there are",
    Check.REQUEST_URI: "the URI stands in the request that came",
    Check.HEADERS: "what stands in a message that came; one that did not is not measured",
    Check.AUTH: "a request that was taken without a challenge was taken; a lost 401 makes nobody take it",
    Check.EXPIRY: "the figure stands in the 200 that came",
    Check.RTP_SOURCE: "a packet comes from where it comes from",
}
"""Checks of which no reason can be brought about by our agents' troubles, and why."""


def rows() -> list[tuple[CheckRule, Row]]:
    """Every reason that fails a call, with its check."""
    return [(rule, row) for rule in RULES for row in rule.rows if row.result is Result.FAILED]


def excusable() -> list[tuple[Check, Reason, Excuse]]:
    """What trouble of the agent itself may have brought about."""
    return [
        (rule.check, row.reason, excuse)
        for rule, row in rows()
        for excuse in sorted(row.excused_by)
    ]  # fmt: skip


def opposite() -> list[tuple[Check, Reason, Excuse | None]]:
    """And what trouble of the agent at the other end may have; None: that it was lost."""
    return [
        (rule.check, row.reason, excuse)
        for rule, row in rows()
        for excuse in (*sorted(row.excused_by), None)
        if rule.shared and row.shared and row.excused_by
    ]  # fmt: skip


def standing() -> list[tuple[Check, Reason]]:
    """And what none can."""
    return [(rule.check, row.reason) for rule, row in rows() if not row.excused_by]
