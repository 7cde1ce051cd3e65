"""What of a call's media an agent's own SRTP kept from it, or from the other end: no fault of the path's. Pure."""

from collections.abc import Callable, Iterator
from typing import Final

from agent.contract.srtp import DtlsEnd, Keying, SectionKeys, SrtpSection
from agent.contract.verdict import Check, Finding, Reason
from agent.judge.call_leg import CallLeg
from agent.judge.checks import RULE_OF
from agent.judge.checks.dtls import NEVER_USED, gave_up, never_used
from agent.judge.checks.srtp import not_heeded
from agent.judge.ends import CallEnds, peer_of
from agent.judge.findings import inconclusive
from agent.judge.reasons import failed
from agent.judge.words import many

OF_CONTENT: Final = frozenset({Check.AUDIO, Check.DTMF})
"""What is known only of packets that were deciphered; the others are counted below SRTP."""


def as_opened(ends: CallEnds, finding: Finding) -> Finding:
    """The finding, or what an agent's own stack makes of it: its reader opened nothing, or its sender sent nothing."""
    if not (failed(finding.reason) and RULE_OF[finding.check].media):
        return finding
    reader, sender = ends.leg(finding.leg), ends.leg(peer_of(finding.leg))
    why = _first(sender, _keyless)
    if why is None:
        why = _first(reader, _unread if finding.check in OF_CONTENT else _keyless)
    return finding if why is None else inconclusive(finding, Reason.NOT_MEASURED, why)


def _first(leg: CallLeg | None, why: Callable[[SectionKeys, SrtpSection], str | None]) -> str | None:
    return None if leg is None else next((found for one in _sections(leg) if (found := why(*one)) is not None), None)


def _sections(leg: CallLeg) -> Iterator[tuple[SectionKeys, SrtpSection]]:
    """Those of SRTP since the answer."""
    facts = {one.section: one for one in leg.leg.srtp or ()}
    for index, section in enumerate(leg.leg.sections):
        fact = facts.get(index)
        if section.keys and section.keys.keying and fact and section.begin_ms is not None and section.begin_ms >= 0:
            yield section.keys, fact


def _keyless(keys: SectionKeys, fact: SrtpSection) -> str | None:
    """Why our stack had no keys, and so neither sent nor opened anything."""
    if fact.dtls is None or keys.keying is not Keying.DTLS:
        return None
    if never_used(fact):
        return NEVER_USED
    return gave_up(keys, fact.dtls)


def _unread(keys: SectionKeys, fact: SrtpSection) -> str | None:
    """Why it could not open what came."""
    came = fact.received
    if keys.keying is Keying.SDES and keys.unheeded and came.unauthentic + came.failed:
        return not_heeded(keys)
    early = came.keyless if fact.dtls is not None and fact.dtls.end is DtlsEnd.DONE else 0
    if came.failed + early > came.passed + came.plain + came.unauthentic:  # of most it is known what they were
        before = f", {many(early, 'packet')} before its DTLS handshake was over" if early else ""
        return f"this agent's own stack dropped {many(came.failed + early, 'packet')}{before}"
    return _keyless(keys, fact)
