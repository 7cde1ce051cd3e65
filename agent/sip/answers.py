"""What makes an SDP answer none (RFC 3264 §6), or lets no audio run, or is no answer to an offer of SRTP. Pure."""

from collections.abc import Iterator, Sequence

from agent.sip.keys import crypto_faults
from agent.sip.sdp import MAX_FAULTS, Direction, Medium, parse_sdp


def answer_faults(offer: str, answer: str) -> tuple[str, ...]:
    """What of the answer RFC 8866 or RFC 3264 §6 forbids; nothing where it is a right answer to that offer."""
    asked, said = parse_sdp(offer), parse_sdp(answer)
    return (*said.faults, *_mismatches(asked.media, said.media))[:MAX_FAULTS] if not asked.faults else said.faults


def _mismatches(asked: Sequence[Medium], said: Sequence[Medium]) -> Iterator[str]:
    if len(asked) != len(said):
        yield f"{len(said)} m= lines answer {len(asked)} of the offer (RFC 3264 §6)"
        return
    for offered, answered in zip(asked, said, strict=True):
        where = f"line {answered.line}: m={answered.kind}"
        if offered.kind != answered.kind:
            yield f"{where} answers m={offered.kind} (RFC 3264 §6)"
        elif answered.port and not offered.port:
            yield f"{where} answers a medium that was offered with port 0 (RFC 3264 §6)"
        elif answered.port and answered.protocol != offered.protocol and not weaker(offered, answered):
            yield f"{where} by {answered.protocol} answers {offered.protocol} (RFC 3264 §6)"
        elif answered.port and offered.rtp and not _in_common(offered, answered):
            names = ", ".join(map(str, answered.codecs.values())) or "none"
            yield f"{where}: no codec of the offer among its own ({names[:80]}) (RFC 3264 §6.1)"


def _in_common(offered: Medium, answered: Medium) -> bool:
    return any(one.same(other) for one in answered.codecs.values() for other in offered.codecs.values())


def no_media(answer: str | None) -> str | None:
    """Why an answer lets no audio run, though nothing forbids it; None where it lets some."""
    if answer is None:
        return "no SDP in the answer"
    audio = parse_sdp(answer).audio
    if audio is None:
        return "no m=audio of RTP in the answer"
    if not audio.port:
        return f"line {audio.line}: m=audio 0 (refused)"
    return f"line {audio.line}: a=inactive" if audio.direction is Direction.INACTIVE else None


def weaker(offered: Medium, answered: Medium) -> bool:
    """Plain RTP answers RTP/SAVP, or one of its like."""
    return bool(answered.port) and offered.encrypted and not answered.encrypted and answered.rtp


def srtp_faults(offered: Medium, answered: Medium) -> tuple[str, ...]:
    """What of an answer to SRTP is forbidden, beside a weaker profile and its a=setup (RFC 4568, 5763, 8122)."""
    if not (offered.port and answered.port) or weaker(offered, answered):
        return ()
    line = f"line {answered.line}: m={answered.kind}"
    if "TLS" in answered.protocol:
        return () if answered.keys.fingerprints else (f"{line}: {_no_fingerprint(answered)} (RFC 5763 §5)",)
    faults = crypto_faults(offered.keys, answered.keys)
    if answered.encrypted and not answered.keying:
        faults = ["no a=crypto, where one of the offer's is to be chosen (RFC 4568 §5.1.3)"]
    return tuple(f"{line}: {fault}" for fault in faults)


def _no_fingerprint(answered: Medium) -> str:
    return "an a=fingerprint that is none" if "fingerprint" in answered.keys.unread else "no a=fingerprint"
