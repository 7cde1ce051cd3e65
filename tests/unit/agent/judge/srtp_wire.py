"""Calls with SRTP as they crossed the wire, for tests to break in one place at a time: see wire.py."""

from typing import Any, Final

from agent.contract.codecs import Media
from agent.contract.srtp import Dtls, DtlsEnd, Keying, Srtp, SrtpSection, SrtpSignalling, SrtpUse, SrtpWay
from agent.contract.verdict import Reason
from agent.phone.protocol import Event
from agent.tap.model import Fate, TapStream
from tests.unit.agent.judge.wire import EXPECT, OURS, RELAY, Case, End, callee, caller, carrier, rtp, verdict
from tests.unit.builders import change
from tests.unit.sip_messages import message, request, response, sdp, with_sdp

SUITE: Final = "AES_CM_128_HMAC_SHA1_80"
HASH: Final = ":".join(["AB"] * 32)


def crypto(tag: int = 1, suite: str = SUITE, *, key: str = "k" * 40, more: str = "") -> str:
    return f"a=crypto:{tag} {suite} inline:{key}{more}"


def secure(place: str = RELAY, *lines: str, protocol: str = "RTP/SAVP") -> str:
    """SDP of SDES."""
    return sdp(place, *(lines or (crypto(),)), protocol=protocol)


def dtls_sdp(place: str = RELAY, setup: str = "active", *, print_of: str = HASH) -> str:
    """SDP of DTLS."""
    lines = (f"a=fingerprint:sha-256 {print_of}", f"a=setup:{setup}")
    return sdp(place, *lines, protocol="UDP/TLS/RTP/SAVP")


GOOD: Final = SrtpSection(
    section=0,
    active=True,
    keying=Keying.SDES,
    sent_suite=SUITE,
    received_suite=SUITE,
    sent=SrtpWay(packets=200, passed=200),
    received=SrtpWay(packets=200, passed=200),
)


def below(**changes: Any) -> tuple[SrtpSection, ...]:
    """Of a call of one section."""
    return (change(GOOD, **changes),)


def shaken(**changes: Any) -> tuple[SrtpSection, ...]:
    """Likewise, by DTLS."""
    handshake = {"sent": 3, "received": 3, "hellos_sent": 2, "end": DtlsEnd.DONE, "took_ms": 40.0}
    return below(keying=Keying.DTLS, dtls=Dtls(**(handshake | changes)))


def sdes_caller(**changes: Any) -> End:
    """The good caller, with SRTP by SDES."""
    usual: dict[str, Any] = {"offer": secure(OURS), "answer": secure(RELAY), "srtp": below()}
    return caller(**(usual | changes))


def sdes_callee(**changes: Any) -> End:
    """The good callee, likewise."""
    usual: dict[str, Any] = {"offer": secure(RELAY), "answer": secure(OURS), "srtp": below()}
    return callee(**(usual | changes))


def dtls_caller(**changes: Any) -> End:
    """The good caller, with SRTP by DTLS."""
    usual: dict[str, Any] = {"offer": dtls_sdp(OURS, "actpass"), "answer": dtls_sdp(RELAY, "active"), "srtp": shaken()}
    return caller(**(usual | changes))


def unkeyed_caller(*, answer: str = "passive", **changes: Any) -> End:
    """A caller whose handshake came to nothing, and which heard nothing for it."""
    nothing: dict[str, Any] = {"end": None, "took_ms": None, "received": 0, "sent": 5, "hellos_sent": 5}
    facts = change(shaken(**(nothing | changes))[0], sent=SrtpWay(), received=SrtpWay())
    return dtls_caller(answer=dtls_sdp(RELAY, answer), srtp=(facts,))


def again(
    at_s: float, offer: str, answer: str, *, epoch: int = 0, cseq: int = 20, by_caller: bool = False
) -> tuple[Event, ...]:
    """A re-INVITE of the SUT's, answered at once; `epoch`: of what comes behind it; `by_caller`: to our callee."""
    ends = {"from_tag": "f", "to_tag": "t"} if by_caller else {"from_tag": "t", "to_tag": "f"}
    tags: dict[str, Any] = {"cseq": cseq} | ends
    return (
        message(at_s, request(**tags, **with_sdp(offer)), False, epoch=epoch),
        message(at_s + 0.02, response(200, **tags, **with_sdp(answer)), True, epoch=epoch),
        message(at_s + 0.03, request("ACK", **tags), False, epoch=epoch),
    )


def rows(epoch: int, *, first_s: float, last_s: float, mark: int = 1, **fates: int) -> tuple[TapStream, ...]:
    """What came by its fates (passed=200), and as much SRTP as went, in one epoch."""
    told = {Fate[name.upper()]: count for name, count in fates.items()}
    when = {"epoch": epoch, "last_epoch": epoch, "first_s": first_s, "last_s": last_s, "mark": mark}
    return (rtp(fates=told, **when), rtp(sent=True, fates={Fate.PASSED: sum(told.values())}, **when))


def media(**changes: Any) -> Media:
    """Mandatory, where nothing else is said."""
    return Media(srtp=Srtp(**({"use": SrtpUse.MANDATORY} | changes)))


CALLER_MANDATORY: Final[dict[str, Any]] = {"group__caller__media": media()}
CALLEE_MANDATORY: Final[dict[str, Any]] = {"group__callee__media": media()}
BOTH_MANDATORY: Final = CALLER_MANDATORY | CALLEE_MANDATORY
OSRTP: Final = secure(OURS, protocol="RTP/AVP")
ENCRYPTED: Final[dict[str, Any]] = {"group__expect__caller": change(EXPECT, encrypted=True)}
TLS_CARRIER: Final = carrier(protocol="TLS", outgoing=False)


def turned_away(code: int = 488, **changes: Any) -> End:
    """A callee whose stack refused its INVITE."""
    return callee(code=code, ringing=False, bye_sent=None, **changes)


def refused_by(end: End, **asked: Any) -> Case:
    """A call that the callee's stack refused, as the test has it do."""
    return lambda: verdict(caller(code=488, ringing=False), end, group__callee__media=media(**asked))


SRTP: Final[dict[Reason, Case]] = {
    Reason.SRTP_DOWNGRADED: lambda: verdict(sdes_caller(answer=sdp(RELAY))),
    Reason.SRTP_KEYING_MISMATCH: lambda: verdict(sdes_caller(answer=dtls_sdp(RELAY).replace("UDP/TLS/", ""))),
    Reason.SRTP_SUITE_MISMATCH: refused_by(turned_away(406, offer=secure(RELAY, crypto(suite="F8_128_HMAC_SHA1_80")))),
    Reason.SRTP_ANSWER_INVALID: lambda: verdict(sdes_caller(answer=secure(RELAY, crypto(2)))),
    Reason.DTLS_ROLE_CONFLICT: lambda: verdict(dtls_caller(answer=dtls_sdp(RELAY, "actpass"))),
    Reason.SRTP_OVER_PLAIN_SIGNALLING: lambda: verdict(
        sdes_caller(carriers=(carrier(),)), group__caller__media=media(signalling=SrtpSignalling.TLS)
    ),
    Reason.SRTP_REFUSED: lambda: verdict(sdes_caller(code=488), None),
    Reason.DTLS_FINGERPRINT_MISMATCH: lambda: verdict(unkeyed_caller(end=DtlsEnd.FINGERPRINT, received=4)),
    Reason.DTLS_FAILED: lambda: verdict(
        unkeyed_caller(end=DtlsEnd.ALERT, received=1, hellos_sent=1, alert="handshake_failure")
    ),
    Reason.DTLS_TIMEOUT: lambda: verdict(unkeyed_caller()),
    Reason.PLAIN_MEDIA: lambda: verdict(sdes_caller(srtp=below(received=SrtpWay(packets=200, passed=150, plain=50)))),
    Reason.SRTP_UNDECRYPTABLE: lambda: verdict(sdes_caller(srtp=below(received=SrtpWay(packets=200, unauthentic=200)))),
    Reason.SRTP_REJECTED_PACKETS: lambda: verdict(
        sdes_caller(srtp=below(received=SrtpWay(packets=200, passed=190, unauthentic=10)))
    ),
    Reason.NOT_ENCRYPTED: lambda: verdict(
        caller(offer=OSRTP, answer=sdp(RELAY)),
        group__caller__media=media(use=SrtpUse.OPTIONAL),
        **ENCRYPTED,
    ),
}
"""The worst reason of a call with SRTP, by what crossed its wire."""
