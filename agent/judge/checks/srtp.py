"""srtp: media is encrypted as offer and answer agreed on (RFC 3711, 4568, 5763), and where the test asks for it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from agent.contract.expect import ExpectLeg
from agent.contract.media import Section
from agent.contract.plan import Transport
from agent.contract.srtp import Keying, SectionKeys, SrtpSection, SrtpSignalling, SrtpUse, SrtpWay
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg
from agent.judge.checks import answered
from agent.judge.checks.check import CheckRule
from agent.judge.checks.dtls import EXPECTED, NEVER_USED, never_used, unkeyed
from agent.judge.checks.srtp_reasons import ROWS
from agent.judge.ends import CallEnds
from agent.judge.keys import ENCRYPTED, SAVP, profile, unfit
from agent.judge.media import IN_FLIGHT, may_be_uncounted
from agent.judge.refusals import REFUSALS
from agent.judge.words import UNNAMED, joined, listed, many, spoken

ENOUGH: Final = 50
"""Packets that came, of which none was authentic, are no accident: a second of audio."""
MAX_REJECTED_SHARE: Final = 0.01
OVER_TLS, AT_EACH_HOP = "SDES keys over TLS alone", ", at each hop"


def _leg(leg: CallLeg) -> list[Finding]:
    if not leg.answered:
        return _refused(leg)
    agreed = [finding for _, section in _answered(leg) for finding in _agreed(leg, section)]
    signalled = _over_plain_signalling(leg)
    if agreed or signalled:
        return [*agreed[:1], *signalled] if leg.knew_its_media else [_unnamed(leg)]
    return _on_the_wire(leg)


def _wanted(leg: CallLeg) -> bool:
    """The test asks that this leg's media is encrypted."""
    return leg.srtp.use is SrtpUse.MANDATORY or leg.expect.encrypted


def _answered(leg: CallLeg) -> Iterator[tuple[int, Section]]:
    """The sections since the answer, in which media can run."""
    for index, section in enumerate(leg.leg.sections):
        if section.begin_ms is not None and section.begin_ms >= 0 and (section.receives or section.sends):
            yield index, section


def _unnamed(leg: CallLeg) -> Finding:
    return _found(leg, Reason.NOT_MEASURED, ENCRYPTED if _wanted(leg) else "SRTP", None, UNNAMED)


def _found(leg: CallLeg, reason: Reason, expected: str, observed: str | None, *notes: str | None) -> Finding:
    return leg.finding(Check.SRTP, reason, expected=expected, observed=observed, note=joined(*notes))


# A call that was not answered


def _refused(leg: CallLeg) -> list[Finding]:
    """Because of SRTP: by the other side, or by this callee's own stack, as the test has it do."""
    code = leg.leg.final_code
    offered = leg.leg.offered
    if leg.leg.role is Role.CALLEE:
        why = unfit(leg)
        itself = f"this agent answered {spoken(code or 0, leg.leg.final_phrase)} to it"
        return [] if why is None else [_found(leg, why.reason, why.expected, why.observed, itself)]
    if offered is None or not offered.is_secure or code not in REFUSALS or leg.call.group.expect.takes(code):
        return []
    observed = spoken(code, leg.leg.final_phrase)
    return [
        _found(leg, Reason.SRTP_REFUSED, f"an answer to its offer of {profile(offered)}", observed, *leg.leg.asked.why)
    ]


# What offer and answer say


def _agreed(leg: CallLeg, section: Section) -> Iterator[Finding]:
    """What of a section's offer and answer is forbidden, or not what is asked; the first of it."""
    keys = section.keys
    if keys is None:
        if _wanted(leg):
            yield _found(leg, Reason.NOT_ENCRYPTED, ENCRYPTED, f"{section.protocol}, offered and answered")
        return
    offered, answer = profile(keys.offered), profile(keys.answered)
    if keys.offered_here and keys.offered.is_secure and not keys.answered.is_secure:
        yield _found(leg, Reason.SRTP_DOWNGRADED, f"an answer of {keys.offered.profile}", answer, f"offered {offered}")
    elif keys.offered_here and keys.answered.keying and keys.keying is None and keys.offered.keying:
        wanted = f"keys by {listed(keys.offered.keying)}"
        yield _found(
            leg, Reason.SRTP_KEYING_MISMATCH, wanted, f"keys by {listed(keys.answered.keying)}", f"answered {answer}"
        )
    elif keys.faults:
        wanted = f"an answer to its offer of {offered}"
        yield _found(leg, Reason.SRTP_ANSWER_INVALID, wanted, keys.faults[0], *keys.faults[1:], f"answered {answer}")
    elif keys.roles is not None:
        yield _found(leg, Reason.DTLS_ROLE_CONFLICT, "one side that begins the handshake", keys.roles)
    elif keys.keying is None and _wanted(leg):
        yield _found(leg, Reason.NOT_ENCRYPTED, ENCRYPTED, answer, f"offered {offered}")


def _over_plain_signalling(leg: CallLeg) -> list[Finding]:
    """Keys of SDES are no secret where a hop of their SDP was not TLS."""
    asked = leg.srtp.signalling
    if asked is SrtpSignalling.NONE or not _by_sdes(leg):
        return []
    plain = [f"{one.protocol} with {one.peer}" for one in leg.leg.connections if one.protocol != Transport.TLS]
    plain += [f"a hop by {via}" for via in leg.leg.plain_hops] if asked is SrtpSignalling.SIPS else []
    if not plain:
        return []
    wanted = OVER_TLS + (AT_EACH_HOP if asked is SrtpSignalling.SIPS else "")
    return [_found(leg, Reason.SRTP_OVER_PLAIN_SIGNALLING, wanted, listed(plain))]


def _by_sdes(leg: CallLeg) -> bool:
    return any(section.keys is not None and section.keys.keying is Keying.SDES for _, section in _answered(leg))


# What crossed the wire


def _on_the_wire(leg: CallLeg) -> list[Finding]:
    """Of each section that is to be SRTP; and, where that is asked, that it was, each way."""
    facts = {one.section: one for one in leg.leg.srtp or ()}
    secure = [(index, section) for index, section in _answered(leg) if section.keys and section.keys.keying]
    found = [finding for index, section in secure for finding in _measured(leg, index, section, facts.get(index))]
    found += _plain_early(leg, facts)
    if secure and not found and may_be_uncounted(leg):
        note = f"{leg.leg.left_out} packets were of more sources or sections than can be counted"
        return [_found(leg, Reason.NOT_MEASURED, "SRTP", None, note)]
    return found if found or not _wanted(leg) else _proven(leg, [(section, facts[index]) for index, section in secure])


def _plain_early(leg: CallLeg, facts: Mapping[int, SrtpSection]) -> Iterator[Finding]:
    """Early media of an offer that nothing but SRTP answers: other forks may have keys of their own, and must have."""
    for index, section in enumerate(leg.leg.sections):
        fact, keys = facts.get(index), section.keys
        is_early = section.begin_ms is not None and section.begin_ms < 0
        is_due = keys is not None and keys.keying and keys.offered.is_secure and not keys.unheeded
        if is_early and fact and fact.active and keys and is_due:
            plain = fact.received.plain
            if plain > IN_FLIGHT:
                observed = f"{plain} of {many(fact.received.packets, 'packet')} in the clear, before the answer"
                yield _found(leg, Reason.PLAIN_MEDIA, f"SRTP by {keys.keying}", observed)


def _lasted_ms(leg: CallLeg, index: int) -> float | None:
    """How long a section was in force."""
    begin_ms = leg.leg.sections[index].begin_ms or 0.0
    later = [one.begin_ms for one in leg.leg.sections[index + 1 :] if one.begin_ms is not None]
    end_ms = later[0] if later else leg.call_ms
    return None if end_ms is None else end_ms - begin_ms


def _measured(leg: CallLeg, index: int, section: Section, fact: SrtpSection | None) -> list[Finding]:
    assert section.keys is not None
    expected = f"SRTP by {section.keys.keying}"
    if fact is None:
        return [_found(leg, Reason.NOT_MEASURED, expected, None, "what crossed the wire below SRTP was not measured")]
    if section.keys.keying is Keying.SDES and section.keys.unheeded:
        return [_found(leg, Reason.NOT_MEASURED, expected, None, not_heeded(section.keys))]
    if section.keys.keying is Keying.DTLS and (found := _handshake(leg, index, section.keys, fact)):
        return found
    if fact.sent.plain > _still_plain(leg, index):
        observed = f"{many(fact.sent.plain, 'packet')} in the clear"
        return [_found(leg, Reason.AGENT_ERROR, expected, observed, "this agent's own stack sent them")]
    return list(_received(leg, index, expected, fact.received))


def not_heeded(keys: SectionKeys) -> str:
    """In words."""
    return f"of the peer's a=crypto line in use this agent's stack does not heed {listed(keys.unheeded)}"


def _handshake(leg: CallLeg, index: int, keys: SectionKeys, fact: SrtpSection) -> list[Finding]:
    """What of it kept a section from having keys."""
    if fact.dtls is None:
        return [_found(leg, Reason.NOT_MEASURED, EXPECTED, None, "whether there was a handshake was not measured")]
    if (why := unkeyed(keys, fact.dtls, _lasted_ms(leg, index))) is not None:
        return [_found(leg, why.reason, EXPECTED, why.observed, why.note)]
    return [_found(leg, Reason.AGENT_ERROR, "SRTP by DTLS", None, NEVER_USED)] if never_used(fact) else []


def _still_plain(leg: CallLeg, index: int) -> int:
    """So many packets may be in the clear, as the section before had them: either end went on until the answer came."""
    before = leg.leg.sections[index - 1].keys if index else None
    return IN_FLIGHT if index and (before is None or before.keying is None) else 0


def _of_other_keys(leg: CallLeg, index: int) -> int:
    """Likewise, with former keys: those of the section before, or of this one, where it was agreed on again."""
    return IN_FLIGHT * ((1 if index else 0) + leg.leg.sections[index].rekeyed)


def _received(leg: CallLeg, index: int, expected: str, way: SrtpWay) -> Iterator[Finding]:
    """Of what came, beyond what may have been under way when SRTP began."""
    total = many(way.packets, "packet")
    counted = way.passed + way.unauthentic
    if way.plain > _still_plain(leg, index):
        yield _found(leg, Reason.PLAIN_MEDIA, expected, f"{way.plain} of {total} in the clear")
    elif way.unauthentic >= ENOUGH and not way.passed:
        yield _found(leg, Reason.SRTP_UNDECRYPTABLE, expected, f"{total}, none of them authentic")
    elif way.passed and way.unauthentic > _of_other_keys(leg, index) and way.unauthentic > MAX_REJECTED_SHARE * counted:
        yield _found(leg, Reason.SRTP_REJECTED_PACKETS, expected, f"{way.unauthentic} of {total} not authentic")


def _proven(leg: CallLeg, secure: list[tuple[Section, SrtpSection]]) -> list[Finding]:
    """Asked for, and nothing against it: it is shown by packets that SRTP made, and took."""
    came = not any(section.receives for section, _ in secure) or any(fact.received.passed for _, fact in secure)
    went = not any(section.sends for section, _ in secure) or any(fact.sent.passed for _, fact in secure)
    unread = sum(_unread(fact.received) for _, fact in secure)
    if unread:
        note = f"{many(unread, 'packet')} came before there were keys, or were dropped by this agent's own stack"
        return [_found(leg, Reason.NOT_MEASURED, ENCRYPTED, None, f"{note}: more than SRTP opened")]
    if secure and came and went:
        return []
    missing = listed([*(() if came else ("received",)), *(() if went else ("sent",))], "or") or "agreed on"
    note = f"no SRTP was {missing}: nothing shows that media was encrypted each way"
    return [_found(leg, Reason.NOT_MEASURED, ENCRYPTED, None, note)]


def _unread(way: SrtpWay) -> int:
    """Packets of which nobody knows whether they were enciphered, where they outweigh those that were."""
    unread = way.keyless + way.failed
    return unread if unread > way.passed else 0


# As both ends have it


def _ends(ends: CallEnds, _: Sequence[Finding]) -> list[Finding]:
    """A caller that asks for TLS at each hop is told of them by what reached the callee, which may not ask itself."""
    caller, callee = ends.caller, ends.callee
    if caller is None or callee is None or not callee.leg.plain_hops or not _by_sdes(caller):
        return []
    if caller.srtp.signalling is not SrtpSignalling.SIPS or callee.srtp.signalling is SrtpSignalling.SIPS:
        return []
    hops = listed(f"a hop by {via}" for via in callee.leg.plain_hops)
    return [_found(caller, Reason.SRTP_OVER_PLAIN_SIGNALLING, OVER_TLS + AT_EACH_HOP, hops)]


def _attribute(ends: CallEnds, finding: Finding) -> Finding:
    """A refusal may be our own callee's, as that of any other call."""
    return answered.attribute(ends, finding) if finding.reason is Reason.SRTP_REFUSED else finding


def _asked(expect: ExpectLeg) -> str | None:
    return ENCRYPTED if expect.encrypted else None


RULE: Final = CheckRule(
    check=Check.SRTP,
    asked=_asked,
    leg=_leg,
    ends=_ends,
    attribute=_attribute,
    shared=True,
    rows=ROWS,
    subject="encryption",
    sentence="{leg} got {observed}, expected {expected}",
    on="both legs",
    asked_by="always, where offer and answer agree on SRTP; `media.srtp.use: Mandatory`, `expect.<leg>.encrypted`",
    holds=(
        f"an offer of {SAVP} is answered by one, with keys that fit (RFC 4568 §5.1.3, RFC 5763 §5); the keys are come "
        "to, and every packet is SRTP that they open; where it is asked, media was encrypted both ways"
    ),
)
