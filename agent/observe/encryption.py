"""What SRTP came to in each section of a leg: the tap's rows and guards → the contract's records. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Final

import msgspec

from agent.contract.media import MAX_SECTIONS
from agent.contract.srtp import Dtls, DtlsEnd, DtlsRole, Keying, SrtpSection, SrtpWay
from agent.observe.sections import Agreed
from agent.observe.secured import alert_name
from agent.observe.sources import Placed
from agent.tap.model import Fate, TapGuard

FINGERPRINT_DIFFERS: Final = 220_242
"""PJMEDIA_SRTP_DTLS_EFPNOTMATCH."""
MAX_SAID: Final = 80
DTLS_PROFILE: Final = "TLS/RTP/"
"""In the protocol of a section that is to have a handshake (RFC 5764 §8)."""


def encryption(
    placed: Collection[Placed], guards: Iterable[TapGuard], sections: Sequence[Agreed]
) -> tuple[SrtpSection, ...]:
    """Section by section, of accepted sources; empty where there was nothing of SRTP, nor was to be.

    Without those of which it is not known what crossed in which: a row of the tap goes on where there is no room.
    """
    made: list[SrtpSection] = []
    by_section = _by_section(guards, sections)
    latest: TapGuard | None = None
    for index, agreed in enumerate(sections[:MAX_SECTIONS]):
        own = by_section[index]
        latest = own[-1] if own else latest
        told = _section(index, agreed, own, latest, placed)
        goes_on = index > 0 and _goes_on(made[-1], told) and _peer_is_same(sections[index - 1], agreed)
        made.append(_as_before(told) if goes_on else told)
    is_any = any(_is_of_srtp(one) for one in made) or any("SAVP" in agreed.section.protocol for agreed in sections)
    unknown = _unknown(placed, sections)
    return tuple(one for one in made if one.section not in unknown) if is_any else ()


def _unknown(placed: Iterable[Placed], sections: Sequence[Agreed]) -> frozenset[int]:
    found: set[int] = set()
    for one in placed:
        last = max((i for i, agreed in enumerate(sections) if agreed.epoch <= one.row.last_epoch), default=-1)
        if one.accepted and last > one.section:
            found |= {*range(one.section, last + 1)}
    return frozenset(found)


def keyed_s(guards: Iterable[TapGuard], sections: Sequence[Agreed]) -> tuple[float | None, ...]:
    """From when on each section could send, on the tap's clock: not before its handshake was over; None: never."""
    begins: list[float | None] = []
    has_keys = False
    for agreed, own in zip(sections, _by_section(guards, sections), strict=True):
        since_s = next((guard.keyed_s for guard in own if guard.keyed_s is not None), None)
        if not _is_of_dtls(agreed, own) or (since_s is None and has_keys):
            begins.append(agreed.begin_s)
        else:
            begins.append(None if since_s is None else max(since_s, agreed.begin_s))
        has_keys = own[-1].active if own else has_keys
    return tuple(begins)


def _is_of_dtls(agreed: Agreed, own: Iterable[TapGuard]) -> bool:
    crossed = any(guard.keying is Keying.DTLS or guard.dtls_sent or guard.dtls_received for guard in own)
    return crossed or DTLS_PROFILE in agreed.section.protocol


def _by_section(guards: Iterable[TapGuard], sections: Sequence[Agreed]) -> list[list[TapGuard]]:
    """What comes before any section is of the first."""
    found: list[list[TapGuard]] = [[] for _ in sections]
    for guard in guards if sections else ():
        found[max((i for i, agreed in enumerate(sections) if agreed.epoch <= guard.epoch), default=0)].append(guard)
    return found


def _section(
    index: int, agreed: Agreed, own: Sequence[TapGuard], latest: TapGuard | None, placed: Iterable[Placed]
) -> SrtpSection:
    received, sent = (
        _way(one for one in placed if one.section == index and one.row.sent is way) for way in (False, True)
    )
    return SrtpSection(
        section=index,
        active=latest is not None and latest.active,
        keying=latest.keying if latest else None,
        sent_suite=(latest.sent_suite or None) if latest else None,
        received_suite=(latest.received_suite or None) if latest else None,
        sent=sent,
        received=received,
        dtls=_dtls(own, agreed.begin_s) if _is_of_dtls(agreed, own) else None,
    )


def _goes_on(before: SrtpSection, after: SrtpSection) -> bool:
    """The association of the section before holds: no new handshake began, and its keys are in use (RFC 5763 §6.6).

    A flight that its sender repeats, or an alert that is not fatal, is no new one.
    """
    was, now = before.dtls, after.dtls
    if was is None or was.end is not DtlsEnd.DONE or now is None or now.end is not None:
        return False
    return before.active and after.active and not (now.hellos_sent or now.hellos_received)


def _peer_is_same(before: Agreed, after: Agreed) -> bool:
    """By its a=fingerprint: with another it has to shake hands anew (RFC 8842 §4)."""
    was, now = before.section.keys, after.section.keys
    return was is None or now is None or was.theirs.fingerprint == now.theirs.fingerprint


def _as_before(told: SrtpSection) -> SrtpSection:
    assert told.dtls is not None
    return msgspec.structs.replace(told, dtls=msgspec.structs.replace(told.dtls, end=DtlsEnd.DONE, took_ms=None))


def _way(placed: Iterable[Placed]) -> SrtpWay:
    fates: Counter[Fate] = Counter()
    for one in placed:
        if one.accepted:
            fates.update(one.row.fates)
    return SrtpWay(
        packets=fates.total(),
        passed=fates[Fate.PASSED],
        plain=fates[Fate.PLAIN],
        unauthentic=fates[Fate.UNAUTHENTIC],
        replayed=fates[Fate.REPLAYED],
        keyless=fates[Fate.KEYLESS],
        failed=fates[Fate.FAILED],
    )


def _dtls(guards: Sequence[TapGuard], begin_s: float) -> Dtls:
    hellos_sent, hellos_received = sum(g.hellos_sent for g in guards), sum(g.hellos_received for g in guards)
    alerted = next((guard for guard in guards if guard.alert is not None), None)
    said = next((guard.said for guard in guards if guard.status), None)
    since_s = next((guard.keyed_s for guard in guards if guard.keyed_s is not None), None)
    return Dtls(
        role=_role(hellos_sent, hellos_received),
        sent=sum(guard.dtls_sent for guard in guards),
        received=sum(guard.dtls_received for guard in guards),
        hellos_sent=hellos_sent,
        hellos_received=hellos_received,
        end=_end(guards),
        alert=alert_name(alerted.alert) if alerted and alerted.alert is not None else None,
        alert_sent=alerted is not None and alerted.alert_sent,
        said=said[:MAX_SAID] if said else None,
        took_ms=None if since_s is None else round(max(0.0, 1000 * (since_s - begin_s)), 1),
    )


def _role(hellos_sent: int, hellos_received: int) -> DtlsRole | None:
    """Who says hello is the active side; where both do, nobody is."""
    if bool(hellos_sent) is bool(hellos_received):
        return None
    return DtlsRole.ACTIVE if hellos_sent else DtlsRole.PASSIVE


def _end(guards: Sequence[TapGuard]) -> DtlsEnd | None:
    """A handshake that came to an end after one that an alert ended counts: that one need not have been the peer's."""
    failed = {guard.status for guard in guards if guard.status}
    if failed:
        return DtlsEnd.FINGERPRINT if FINGERPRINT_DIFFERS in failed else DtlsEnd.FAILED
    if any(guard.done for guard in guards):
        return DtlsEnd.DONE
    return DtlsEnd.ALERT if any(guard.alert is not None for guard in guards) else None


def _is_of_srtp(section: SrtpSection) -> bool:
    return (
        section.active
        or section.dtls is not None
        or any(way.packets != way.plain for way in (section.sent, section.received))
    )
