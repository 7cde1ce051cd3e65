"""A leg's SDP messages → offers and answers → sections (RFC 3264, 3261 §13.2.1 and §14, 3262 §5, 3311). Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final

import msgspec

from agent.contract.media import Section
from agent.contract.srtp import Keying, SdpKeys, SectionKeys
from agent.phone.protocol import MessageSeen
from agent.sip.answers import answer_faults, no_media, srtp_faults
from agent.sip.dialogs import Signalling
from agent.sip.keys import role_fault
from agent.sip.sdp import Medium, parse_sdp, sdp_of
from agent.sip.text import SipHead, parse_head
from agent.sip.transactions import DialogId

MAX_FAULTS: Final = 4
MAX_CODECS: Final = 32
"""Our stack reads no more of an m= line."""
MAX_SUITES: Final = 8
_OFFERING: Final = frozenset({"INVITE", "UPDATE", "PRACK"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """A section, and from where it holds on the clocks of the tap."""

    section: Section
    epoch: int
    """Of the message that brought its answer."""
    begin_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """All that a leg's offers and answers came to."""

    sections: tuple[Agreed, ...] = ()
    faults: tuple[str, ...] = ()
    """What of the peer's answers is forbidden, and by what."""
    no_media: str | None = None
    """Why the peer's answer to our INVITE lets no audio run, though nothing forbids that."""
    offered: SdpKeys | None = None
    """What the INVITE's offer says of SRTP, where nothing answered it."""
    codecs_offered: tuple[str, ...] = ()
    """What it offers, whether it was answered or not."""


def agree(messages: Iterable[MessageSeen], leg: Signalling, *, answered_s: float | None) -> Agreement:
    """What the leg's own dialog agreed on; the SDP of another dialog of its Call-ID (a fork) changes nothing.

    `messages`: of the leg's Call-ID, in order; `answered_s`: when its 2xx crossed, None where none did. An answer that
    changes nothing (a session's refresh) begins no section; the leg's 2xx does, also where it repeats an early answer.
    """
    talk = _Talk()
    for said in _own(messages, leg):
        talk.saw(said)
    sections: list[Agreed] = []
    for pair in talk.pairs:
        made = Agreed(section=_section(pair, answered_s), epoch=pair.epoch, begin_s=pair.at_s)
        if not sections or _changes(sections[-1].section, made.section):
            sections.append(made)
        elif made.section.keys and made.section.keys.keying:
            sections[-1] = replace(sections[-1], section=_rekeyed(sections[-1].section))
    return Agreement(
        sections=tuple(sections),
        faults=tuple(dict.fromkeys(talk.faults))[:MAX_FAULTS],
        no_media=talk.no_media,
        offered=None if talk.pairs or talk.offered is None else _asked_for(talk.offered),
        codecs_offered=() if talk.offered is None else _codecs(talk.offered),
    )


def _changes(before: Section, after: Section) -> bool:
    if before.begin_ms is not None and after.begin_ms is not None and before.begin_ms < 0 <= after.begin_ms:
        return True
    alike = {"begin_ms": before.begin_ms, "theirs": before.theirs, "rekeyed": before.rekeyed}
    return before != msgspec.structs.replace(after, **alike)


def _rekeyed(section: Section) -> Section:
    return msgspec.structs.replace(section, rekeyed=section.rekeyed + 1)


# --- which messages, and what they are -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """A message of the leg, not sent before."""

    head: SipHead
    sdp: str | None
    sent: bool
    at_s: float
    epoch: int

    @property
    def exchange(self) -> tuple[str, int, bool]:
        """Its request, and who asked."""
        return self.head.method, self.head.cseq, self.sent if self.head.code is None else not self.sent


def _own(messages: Iterable[MessageSeen], leg: Signalling) -> Iterator[_Said]:
    """The messages of the leg's dialog and of the INVITEs that began it, without retransmissions."""
    tries = {(t.cseq, t.branch) for t in leg.tries}
    seen: set[tuple[object, ...]] = set()
    for message in messages:
        head = message.head or parse_head(message.text)
        if head is None or not (_names(head, leg.dialog) if head.to_tag else (head.cseq, head.branch) in tries):
            continue
        said = _Said(
            head=head, sdp=sdp_of(head, message.text), sent=message.sent, at_s=message.at_s, epoch=message.epoch
        )
        key = (said.exchange, head.code, head.method, said.sdp)
        if key not in seen:
            seen.add(key)
            yield said


def _names(head: SipHead, dialog: DialogId | None) -> bool:
    return dialog is not None and {head.from_tag, head.to_tag} == {dialog.local_tag, dialog.remote_tag}


# --- offers and answers ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """An offer and its answer, seen from here."""

    local: str
    remote: str
    answered_here: bool
    at_s: float
    epoch: int
    final: bool
    """The answer came with, or behind, a final response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    sdp: str
    sent: bool
    again: bool
    """By a request within the dialog: what is said before its final response holds nothing (RFC 3261 §14.1)."""


class _Talk:
    """The offers and answers of one dialog, message by message."""

    def __init__(self) -> None:
        self.pairs: list[_Pair] = []
        self.faults: list[str] = []
        self.no_media: str | None = None
        self.offered: str | None = None
        """The first offer of an INVITE."""
        self._offers: dict[tuple[str, int, bool], _Offer | None] = {}
        """By the request that made it; None: what it offered has been overtaken by another exchange."""
        self._reversed: _Offer | None = None
        """Made by a response to an INVITE without one; its answer is in the ACK or PRACK."""
        self._answered = False

    def saw(self, said: _Said) -> None:
        """The next one."""
        code = said.head.code
        if code is None:
            self._request(said)
        elif 100 < code < 300 and said.head.method in _OFFERING:
            first_2xx = code >= 200 and said.head.method == "INVITE" and not self._answered
            before = len(self.pairs)
            if said.sdp is not None:
                self._response(said, said.sdp, final=code >= 200)
            if first_2xx:
                self._answer(said, made=len(self.pairs) > before)

    def _request(self, said: _Said) -> None:
        if said.sdp is None:
            return
        if said.head.method in ("ACK", "PRACK") and self._reversed is not None:
            offer, self._reversed = self._reversed, None
            self._pair(offer, said, said.sdp)
        elif said.head.method in _OFFERING:
            self.offered = self.offered or said.sdp
            self._offers[said.exchange] = _Offer(sdp=said.sdp, sent=said.sent, again=bool(said.head.to_tag))

    def _response(self, said: _Said, sdp: str, *, final: bool) -> None:
        if said.exchange not in self._offers:
            if said.head.method == "INVITE":
                self._reversed = _Offer(sdp=sdp, sent=said.sent, again=False)
                self.faults += parse_sdp(sdp).faults if final and not said.sent else ()
            return
        offer = self._offers[said.exchange]
        if offer is None or (offer.again and not final):
            return
        self._pair(offer, said, sdp)
        if said.head.method != "INVITE":
            self._offers = dict.fromkeys(self._offers)

    def _pair(self, offer: _Offer, said: _Said, answer: str) -> None:
        local, remote = (offer.sdp, answer) if offer.sent else (answer, offer.sdp)
        final = (said.head.code or 200) >= 200
        self.pairs.append(
            _Pair(local=local, remote=remote, answered_here=said.sent, at_s=said.at_s, epoch=said.epoch, final=final)
        )
        if not said.sent and final:
            self.faults += answer_faults(offer.sdp, answer)

    def _answer(self, said: _Said, *, made: bool) -> None:
        """The leg's 2xx: what was agreed on early holds from here, where it says nothing else."""
        self._answered = True
        if not made and self.pairs:
            self.pairs.append(replace(self.pairs[-1], at_s=said.at_s, epoch=said.epoch, final=True))
        elif not said.sent and self._offers.get(said.exchange) is not None:
            self.no_media = no_media(said.sdp)


# --- a section -------------------------------------------------------------------------------------------------


def _section(pair: _Pair, answered_s: float | None) -> Section:
    ours, theirs = _audio(pair)
    answer = ours if pair.answered_here else theirs
    codec = next(iter(answer.codecs.values()), None) if answer else None
    events = ours and theirs and ours.telephone_event is not None
    return Section(
        begin_ms=None if answered_s is None else round(1000 * (pair.at_s - answered_s), 1),
        local=_place(ours),
        remote=_place(theirs),
        receives=bool(ours and theirs and ours.receives and theirs.sends),
        sends=bool(ours and theirs and ours.sends and theirs.receives),
        codec=codec.name if codec else None,
        clock_hz=codec.clock_hz if codec else None,
        ptime_ms=theirs.ptime_ms if theirs else None,
        telephone_event_payload_type=theirs.telephone_event if theirs and events else None,
        protocol=answer.protocol if answer else "",
        types=_types(ours),
        theirs=_types(theirs),
        keys=_keys(pair, ours, theirs) if ours and theirs else None,
    )


def _keys(pair: _Pair, ours: Medium, theirs: Medium) -> SectionKeys | None:
    """What both say of SRTP; None where neither does. Faults: of an answer of theirs that counts."""
    offered, answered = (theirs, ours) if pair.answered_here else (ours, theirs)
    offer, answer = _of_srtp(offered), _of_srtp(answered)
    if (offer is None and answer is None) or not (ours.port and theirs.port):
        return None
    keys = SectionKeys(
        offered=offer or SdpKeys(profile=offered.protocol),
        answered=answer or SdpKeys(profile=answered.protocol),
        offered_here=not pair.answered_here,
        unheeded=_unheeded(theirs, answered),
    )
    if pair.answered_here or not pair.final:
        return keys
    by_dtls = keys.keying is Keying.DTLS
    roles = role_fault(offered.keys.setup, answered.keys.setup) if by_dtls else None
    return msgspec.structs.replace(keys, faults=srtp_faults(offered, answered)[:MAX_FAULTS], roles=roles)


def _unheeded(theirs: Medium, answered: Medium) -> tuple[str, ...]:
    """Of their line that the answer's tag names, or is."""
    tags = {one.tag for one in answered.keys.cryptos[:1]}
    in_use = (one for one in theirs.keys.cryptos if one.tag in tags)
    return tuple(word for one in in_use for word in one.unheeded)[:MAX_FAULTS]


def _of_srtp(medium: Medium) -> SdpKeys | None:
    """What an m= line says of it; None where that is nothing."""
    keys = medium.keys
    if not (medium.encrypted or medium.keying):
        return None
    return SdpKeys(
        profile=medium.protocol,
        suites=tuple(one.suite for one in keys.cryptos)[:MAX_SUITES],
        fingerprint=str(keys.fingerprints[0]) if keys.fingerprints else None,
        more_fingerprints=max(0, len({*keys.fingerprints}) + keys.unread.count("fingerprint") - 1),
        setup=keys.setup.value if keys.setup else None,
    )


def _asked_for(offer: str) -> SdpKeys | None:
    audio = parse_sdp(offer).audio
    return None if audio is None else _of_srtp(audio) or SdpKeys(profile=audio.protocol)


def _codecs(offer: str) -> tuple[str, ...]:
    audio = parse_sdp(offer).audio
    return () if audio is None else tuple(map(str, audio.codecs.values()))


def _types(medium: Medium | None) -> dict[int, str]:
    return {number: str(one) for number, one in medium.encodings.items()} if medium else {}


def _audio(pair: _Pair) -> tuple[Medium | None, Medium | None]:
    """The audio that both describe: m= lines of one place belong together (RFC 3264 §6)."""
    ours, theirs = parse_sdp(pair.local), parse_sdp(pair.remote)
    both = zip(ours.media, theirs.media, strict=False)
    audio = [(mine, other) for mine, other in both if mine.rtp and other.rtp and mine.kind == other.kind == "audio"]
    used = [(mine, other) for mine, other in audio if mine.port and other.port]
    return next(iter([*used, *audio]), (ours.audio, theirs.audio))


def _place(medium: Medium | None) -> str | None:
    """Where it receives; None where that is nowhere, or a name."""
    if medium is None or not medium.port:
        return None
    try:
        host = ip_address(medium.address)
    except ValueError:
        return None
    return None if host.is_unspecified else f"[{host}]:{medium.port}" if host.version == 6 else f"{host}:{medium.port}"
