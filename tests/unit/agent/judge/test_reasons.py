"""Reasons: each is one check's, stands for one result, and is said by no other check."""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.contract.call import SendDtmf
from agent.contract.expect import Audio, ExpectLeg, MediaSource
from agent.contract.messages import ExpectHeader, ExpectRequestUri, Message
from agent.contract.observation import Health
from agent.contract.outcome import EndedBy, ExpectPhrase, ExpectReason, Forking, OnRedirect, Wanted
from agent.contract.registering import Algorithm, Auth, ExpectRegistration, Registration
from agent.contract.registration import RegistrationObservation
from agent.contract.verdict import Check, Reason, Result, Role
from agent.judge.checks import RULES, run
from agent.judge.reasons import result_of
from agent.observe.registration import Beside, observe_registration
from agent.phone.protocol import AccountId, Event, PortClosed, RegistrationConcluded, Unparsed
from agent.sound.identity import encode
from agent.tap.model import TapStream
from tests.unit.agent.judge import registrar
from tests.unit.agent.judge.behaving import given_up, refused_by_callee, ring_on
from tests.unit.agent.judge.codec_wire import CODECS
from tests.unit.agent.judge.srtp_wire import SRTP
from tests.unit.agent.judge.wire import (
    CODE,
    DIGITS,
    EXPECT,
    PHRASES,
    RELAY,
    SIGNAL,
    Case,
    callee,
    caller,
    carrier,
    rtp,
    silence,
    tone,
    unbelieved,
    unconnected,
    unsecured,
    verdict,
)  # fmt: skip
from tests.unit.builders import change
from tests.unit.sip_messages import message, request, response, sdp
from tests.unit.taps import tap_digit

FAILED = {
    "RegistrationRejected", "RegistrationTimeout", "SipCodeMismatch", "NoResponse", "NoAnswer", "AnsweredElsewhere",
    "RefusedElsewhere", "CancelMissing",
    "CallDropped", "ByeUnanswered", "ByeMissing", "DtmfMismatch", "DtmfNotNegotiated", "DtmfOtherMethod",
    "DtmfNotEnded", "DtmfCutShort", "NoRtp", "MediaStopped", "TooFewPackets", "UnnegotiatedPayload", "PacketLoss",
    "InvalidAnswer", "AckMissing", "ByeRejected", "Jitter", "NoAudio", "WrongAudio", "UnexpectedAudio",
    "WrongTone", "MediaGap", "UnsignalledSource", "Looped", "ConnectionRefused", "ConnectionReset", "ConnectionTimeout",
    "ConnectionLost", "TlsTimeout", "TlsNotSpoken", "TlsHandshakeFailed", "TlsClientRefused", "TlsCertificateUntrusted",
    "TlsCertificateExpired", "TlsNameMismatch", "PhraseMismatch", "ProvisionalMissing", "RingingMissing",
    "RingingLate", "AnsweredLate", "NotHungUp", "HungUpEarly", "HungUpLate", "AddressFamilyMismatch",
    "SipsDowngraded", "HeaderMissing", "HeaderUnexpected", "HeaderMismatch", "RequestUriMismatch",
    "SrtpDowngraded", "SrtpKeyingMismatch", "SrtpSuiteMismatch",
    "SrtpAnswerInvalid", "DtlsRoleConflict", "SrtpOverPlainSignalling", "SrtpRefused", "DtlsFingerprintMismatch",
    "DtlsFailed", "DtlsTimeout", "PlainMedia", "SrtpUndecryptable", "SrtpRejectedPackets", "NotEncrypted",
    "RedirectMissing", "RedirectUnexpected", "RedirectTargetMismatch", "RedirectLoop", "AnsweredTwice",
    "ReasonMissing", "ReasonMismatch",
    "AuthNotRequired", "AuthAlgorithmMismatch", "BindingMissing", "StrayBinding",
    "RegistrationExpiryMismatch", "RefreshFailed", "UnregisterFailed",
    "CodecRefused", "CodecNotOffered", "CodecMismatch", "UnexpectedCodec", "InfoRefused", "InfoUnanswered",
}  # fmt: skip
CHECKS = Path(run.__file__).parent


@pytest.mark.parametrize("reason", Reason)
def test_only_what_was_measured_and_broken_is_failed(reason):
    assert result_of(reason) is (Result.FAILED if reason.value in FAILED else Result.INCONCLUSIVE)


def test_every_check_has_one_file_and_every_reason_one_check():
    assert sorted(rule.check for rule in RULES) == sorted(Check)
    assert sorted(row.reason for rule in RULES for row in rule.rows) == sorted(Reason)


def _gives(path: Path) -> set[str]:
    """Names of the reasons that a check's findings are made with."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    made = {"finding", "Fault", "_found", "_failed", "inconclusive", "_undelivered"}
    return {
        arg.attr
        for call in calls
        if getattr(call.func, "attr", getattr(call.func, "id", None)) in made
        for arg in ast.walk(call)
        if isinstance(arg, ast.Attribute) and getattr(arg.value, "id", None) == "Reason"
    }


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.check)
def test_a_check_gives_its_own_reasons_and_those_that_any_may_give(rule):
    path = next(path for path in CHECKS.glob("*.py") if f"check=Check.{rule.check.name}," in path.read_text())
    own = {row.reason.name for row in (*rule.rows, *run.RULE.rows)}

    assert _gives(path) <= own


# Wire → verdict: each reason of an agent's check, from the messages and packets of both ends

BUSY = caller(code=486), callee(code=487, bye_sent=None)
NO_DIGITS: dict[str, Any] = {
    "group__caller__dtmf": None, "group__expect__caller": change(EXPECT, dtmf=None),
    "group__expect__callee": change(EXPECT, dtmf=None),
}  # fmt: skip
NO_MEDIA: dict[str, Any] = NO_DIGITS | {
    "group__expect__caller": ExpectLeg(), "group__expect__callee": ExpectLeg(),
}  # fmt: skip
BY_INFO: dict[str, Any] = NO_DIGITS | {"group__caller__dtmf": SendDtmf(digits="1", method="INFO")}
MOVED = {"Contact": "<sip:carol@example.com>"}
NO_HEADERS: Mapping[str, str] = {}
NO_EVENTS = sdp(RELAY, types="0", rtpmap="")
ONE = rtp(digits=(tap_digit("1", 11.0),))


def registering(
    code: int | None,
    *,
    realm: str = "",
    credentials: bool = False,
    headers: Mapping[str, str] = NO_HEADERS,
    closed: PortClosed | None = None,
    unread: Unparsed | None = None,
) -> RegistrationObservation:
    """A REGISTER and its final response."""
    with_them = {"extra": f'Authorization: Digest realm="{realm}"\r\n'} if credentials else {}
    asked = {"WWW-Authenticate": f'Digest realm="{realm}"'} if realm else {}
    phrase = "" if code is None else PHRASES.get(code, "Phrase")
    seen = [message(1.0, request("REGISTER", **with_them), sent=True)]
    if code is not None:
        said = response(code, method="REGISTER", phrase=phrase, headers={**asked, **headers})
        seen.append(message(1.1, said, sent=False))
    word = RegistrationConcluded(at_s=33.0, account=AccountId(1), active=False, local_reason="")
    return observe_registration(Role.CALLER, 0, seen, None if closed else word, Beside(closed=closed, unread=unread))


def saying(message: Message = Message.INVITE, **asked: Any) -> ExpectLeg:
    """What else is expected of a leg: of a header of a message."""
    return change(EXPECT, headers=(ExpectHeader(message=message, **asked),))


def both_streams(**received: Any) -> tuple[TapStream, ...]:
    return rtp(**received), rtp(sent=True)


def info(at_s: float, digit: str, role: Role, *, cseq: int = 3, code: int = 200) -> tuple[Event, ...]:
    """A digit by INFO from the caller."""
    out = role is Role.CALLER
    body = {"extra": "Content-Type: application/dtmf-relay\r\n", "body": f"Signal={digit}\r\nDuration=100\r\n"}
    tags = {"cseq": cseq, "to_tag": "t"}
    return (
        message(at_s, request("INFO", **tags, **body), out),
        message(at_s + 0.01, response(code, method="INFO", **tags), not out),
    )


LISTED = f"Contact: {registrar.OURS};expires=300, {registrar.OTHERS};expires=99\r\n"
WIRE: dict[Reason, Case] = {
    Reason.REGISTRATION_REJECTED: lambda: verdict(*BUSY, registrations=[registering(403)]),
    Reason.REGISTRATION_TIMEOUT: lambda: verdict(*BUSY, registrations=[registering(None)]),
    Reason.AUTH_NOT_REQUIRED: lambda: verdict(
        registrations=[registrar.registering()],
        registration=Registration(expect=ExpectRegistration(auth=Auth.REQUIRED)),
    ),
    Reason.AUTH_ALGORITHM_MISMATCH: lambda: verdict(
        registrations=[
            registrar.registering(
                (registrar.asked(0.8, 1), registrar.said(0.9, 1, 401, registrar.asks("MD5"))),
                (registrar.asked(1.0, 2, registrar.answers("MD5")), registrar.said(1.1, 2)),
                registrar.SOON,
            )
        ],
        registration=Registration(expect=ExpectRegistration(auth_algorithm=Algorithm.SHA_256)),
    ),
    Reason.BINDING_MISSING: lambda: verdict(
        registrations=[registrar.registering((registrar.asked(1.0, 1), registrar.said(1.1, 1, extra="")), leaves=False)]
    ),
    Reason.STRAY_BINDING: lambda: verdict(
        registrations=[
            registrar.registering(
                (registrar.asked(1.0, 1), registrar.said(1.1, 1, extra=LISTED)), registrar.SOON, at_s=300.0
            )
        ],
        registration=Registration(expect=ExpectRegistration(max_bindings=1)),
    ),
    Reason.REGISTRATION_EXPIRY_MISMATCH: lambda: verdict(
        registrations=[registrar.registering()],
        registration=Registration(expect=ExpectRegistration(max_expires_seconds=120)),
    ),
    Reason.REFRESH_FAILED: lambda: verdict(
        registrations=[
            registrar.registering(
                registrar.FIRST,
                (registrar.asked(296.0, 2), registrar.said(296.1, 2, 403, phrase="Forbidden")),
                leaves=False,
            )
        ]
    ),
    Reason.UNREGISTER_FAILED: lambda: verdict(
        registrations=[
            registrar.registering(
                registrar.FIRST, registrar.REFRESH, (registrar.asked(400.0, 3, expires=0), registrar.said(400.1, 3))
            )
        ]
    ),
    Reason.CONNECTION_REFUSED: lambda: verdict(unconnected(120_111), None),
    Reason.CONNECTION_RESET: lambda: verdict(unconnected(120_104), None),
    Reason.CONNECTION_TIMEOUT: lambda: verdict(unconnected(ended_s=42.0), None),
    Reason.TLS_TIMEOUT: lambda: verdict(unsecured(70_009), None),
    Reason.TLS_NOT_SPOKEN: lambda: verdict(unsecured(494_267), None),
    Reason.TLS_HANDSHAKE_FAILED: lambda: verdict(unsecured(495_070), None),
    Reason.TLS_CLIENT_REFUSED: lambda: verdict(unsecured(495_116), None),
    Reason.TLS_CERTIFICATE_UNTRUSTED: lambda: verdict(unbelieved(0x2), None),
    Reason.TLS_CERTIFICATE_EXPIRED: lambda: verdict(unbelieved(0x4), None),
    Reason.TLS_NAME_MISMATCH: lambda: verdict(unbelieved(0x4000_0000), None),
    Reason.CONNECTION_LOST: lambda: verdict(
        caller(code=None, ringing=False, carriers=(carrier(closed_s=10.5, status=70_016),), ended_s=10.6), None
    ),
    Reason.SIP_CODE_MISMATCH: lambda: verdict(*BUSY),
    Reason.NO_RESPONSE: lambda: verdict(caller(code=None, ringing=False, ended_s=42.0), None),
    Reason.NO_ANSWER: lambda: verdict(caller(code=None, ended_s=40.1), None),
    Reason.REDIRECT_MISSING: lambda: verdict(group__expect__redirect=Wanted.REQUIRED),
    Reason.REDIRECT_UNEXPECTED: lambda: verdict(
        caller(code=302, refusal=MOVED), None, group__expect__redirect=Wanted.FORBIDDEN
    ),
    Reason.REDIRECT_TARGET_MISMATCH: lambda: verdict(
        caller(code=302, refusal=MOVED), None, group__expect__redirect_to="sip:dave@example.com"
    ),
    Reason.REDIRECT_LOOP: lambda: verdict(
        caller(code=302, refusal={"Contact": "<sip:bob@example.com>"}),
        None,
        group__caller__redirects=OnRedirect.FOLLOW,
    ),
    Reason.ANSWERED_TWICE: lambda: verdict(
        caller(extra=(message(10.11, response(200, to_tag="t2"), sent=False),)),
        group__expect__forking=Forking.FORBIDDEN,
    ),
    Reason.PHRASE_MISMATCH: lambda: verdict(group__expect__phrase=ExpectPhrase(equals="Fine")),
    Reason.REASON_MISSING: lambda: verdict(
        caller(code=486),
        None,
        group__expect__sip_code=486,
        group__expect__callee=ExpectLeg(),
        group__expect__caller=ExpectLeg(reason=ExpectReason(protocol="Q.850", cause=17)),
    ),
    Reason.REASON_MISMATCH: lambda: verdict(
        caller(code=486, refusal={"Reason": "Q.850;cause=21"}),
        None,
        group__expect__sip_code=486,
        group__expect__callee=ExpectLeg(),
        group__expect__caller=ExpectLeg(reason=ExpectReason(protocol="Q.850", cause=17)),
    ),
    Reason.PROVISIONAL_MISSING: lambda: verdict(group__expect__provisional=(183, "18x")),
    Reason.RINGING_MISSING: lambda: verdict(caller(ringing=False), group__expect__ringing_within_milliseconds=2000),
    Reason.RINGING_LATE: lambda: verdict(
        caller(ringing=False, extra=(message(10.09, response(180), sent=False),)),
        group__expect__ringing_within_milliseconds=30,
    ),
    Reason.ANSWERED_LATE: lambda: verdict(group__expect__answered_within_milliseconds=50),
    Reason.HEADER_MISSING: lambda: verdict(group__expect__callee=saying(name="X-Tenant", equals="blue")),
    Reason.HEADER_UNEXPECTED: lambda: verdict(
        callee=callee(asks="X-Tenant: blue\r\n"), group__expect__callee=saying(name="X-Tenant", present=False)
    ),
    Reason.HEADER_MISMATCH: lambda: verdict(
        callee=callee(asks="X-Tenant: red\r\n"), group__expect__callee=saying(name="X-Tenant", equals="blue")
    ),
    Reason.REQUEST_URI_MISMATCH: lambda: verdict(
        group__expect__callee=change(EXPECT, request_uris=(ExpectRequestUri(matches="^sip:carol@"),))
    ),
    Reason.INVALID_ANSWER: lambda: verdict(caller(answer=sdp(RELAY, types="8", rtpmap=""))),
    Reason.ANSWERED_ELSEWHERE: lambda: verdict(callee=None),
    Reason.REFUSED_ELSEWHERE: lambda: refused_by_callee(487),
    Reason.CANCEL_MISSING: lambda: given_up(ring_on(603)),
    Reason.CALL_DROPPED: lambda: verdict(caller(bye_s=12.0, bye_sent=False), callee(bye_s=12.0)),
    Reason.NOT_HUNG_UP: lambda: verdict(group__expect__ended_by=EndedBy.SUT),
    Reason.HUNG_UP_EARLY: lambda: verdict(
        caller(bye_s=12.0, bye_sent=False),
        callee(bye_s=12.0),
        **NO_MEDIA,
        group__expect__ended_by=EndedBy.SUT,
        group__expect__min_call_seconds=3,
    ),
    Reason.HUNG_UP_LATE: lambda: verdict(
        caller(bye_s=13.8, bye_sent=False),
        callee(bye_s=13.8),
        **NO_MEDIA,
        group__expect__ended_by=EndedBy.SUT,
        group__expect__max_call_seconds=3,
    ),
    Reason.BYE_UNANSWERED: lambda: verdict(caller(bye_code=None, ended_s=46.1)),
    Reason.BYE_MISSING: lambda: verdict(callee=callee(bye_s=16.1, bye_sent=True)),
    Reason.ACK_MISSING: lambda: verdict(callee=callee(acknowledged=False, answers=4)),
    Reason.BYE_REJECTED: lambda: verdict(caller(bye_code=481)),
    Reason.DTMF_MISMATCH: lambda: verdict(callee=callee(streams=(ONE, rtp(sent=True)))),
    Reason.DTMF_NOT_NEGOTIATED: lambda: verdict(
        callee=callee(offer=NO_EVENTS, streams=(rtp(digits=()), rtp(sent=True, digits=())))
    ),
    Reason.INFO_REFUSED: lambda: verdict(caller(extra=info(11.0, "1", Role.CALLER, code=503)), **BY_INFO),
    Reason.INFO_UNANSWERED: lambda: verdict(caller(extra=info(11.0, "1", Role.CALLER)[:1]), **BY_INFO),
    Reason.DTMF_OTHER_METHOD: lambda: verdict(callee=callee(extra=info(12.5, "1", Role.CALLEE))),
    Reason.DTMF_NOT_ENDED: lambda: verdict(
        callee=callee(streams=both_streams(digits=(DIGITS[0], tap_digit("2", 11.3, end_packets=0))))
    ),
    Reason.DTMF_CUT_SHORT: lambda: verdict(
        callee=callee(streams=both_streams(digits=(DIGITS[0], tap_digit("2", 11.3, duration_ms=20.0))))
    ),
    Reason.NO_RTP: lambda: verdict(caller(sound=silence()), callee(streams=(rtp(sent=True),), sound=silence())),
    Reason.MEDIA_STOPPED: lambda: verdict(
        callee=callee(
            streams=both_streams(packets=90, expected=90, last_s=11.9, media_ms=1600.0, span_ms=1800.0),
            sound=SIGNAL[: 8000 * 2],
        ),
        **NO_DIGITS | {"group__expect__callee": ExpectLeg()},
    ),
    Reason.TOO_FEW_PACKETS: lambda: verdict(callee=callee(streams=both_streams(packets=100, expected=100))),
    Reason.UNNEGOTIATED_PAYLOAD: lambda: verdict(
        callee=callee(streams=both_streams(unnegotiated=100, payload_types={0: 84, 101: 16, 8: 100}))
    ),
    Reason.PACKET_LOSS: lambda: verdict(
        callee=callee(streams=both_streams(packets=180, lost=20, media_ms=3280.0, lost_ms=400.0))
    ),
    Reason.ADDRESS_FAMILY_MISMATCH: lambda: verdict(
        caller(code=500), callee(code=500, bye_sent=None, offer=sdp("::1:4000").replace("IP4", "IP6"))
    ),
    Reason.SIPS_DOWNGRADED: lambda: verdict(
        caller(downgraded=()), callee(downgraded=("INVITE sip:bob@10.0.0.9",)), group__to="sips:bob@example.com"
    ),
    Reason.JITTER: lambda: verdict(callee=callee(streams=both_streams(mean_jitter_ms=80.0, max_jitter_ms=90.0))),
    Reason.MEDIA_GAP: lambda: verdict(
        callee=callee(streams=both_streams(max_gap_ms=900.0)),
        group__expect__callee=change(EXPECT, rtp__max_gap_milliseconds=500),
    ),
    Reason.UNSIGNALLED_SOURCE: lambda: verdict(
        callee=callee(streams=both_streams(remote="10.0.0.1:30002")),
        group__expect__callee=change(EXPECT, rtp__source=MediaSource.SIGNALLED),
    ),
    Reason.LOOPED: lambda: verdict(
        callee=callee(sound=silence(), streams=both_streams()), **NO_DIGITS | {"group__expect__callee": ExpectLeg()}
    ),
    Reason.NO_AUDIO: lambda: verdict(caller(sound=silence()), callee(sound=silence())),
    Reason.WRONG_AUDIO: lambda: verdict(callee=callee(sound=encode(CODE ^ 0x5A5A5A, frames=8))),
    Reason.WRONG_TONE: lambda: verdict(
        caller(sound=tone(425)),
        callee(sound=tone(425)),
        **NO_MEDIA | {"group__expect__callee": ExpectLeg(tone_hertz=1000)},
    ),
    Reason.UNEXPECTED_AUDIO: lambda: verdict(group__expect__callee=change(EXPECT, audio=Audio.SILENCE)),
    Reason.AGENT_OVERLOADED: lambda: verdict(caller(health=Health(rtp_drops=3))),
    Reason.AGENT_ERROR: lambda: verdict(*(end(code=500) for end in (caller, callee))),
    Reason.CALLEE_SHARED: lambda: verdict(caller(code=480, refusal={"X-Calltest-Refused": "CalleeShared"}), None),
    Reason.PEER_LOST: lambda: verdict(BUSY[0], None, callee_lost=True),
    Reason.NOT_MEASURED: lambda: verdict(caller(bye_sent=None)),
    **SRTP,
    **CODECS,
}
"""The worst reason of a call, by what crossed its wire."""

NOT_OF_ONE_CALLS_WIRE = {row.reason for row in run.RULE.rows} - WIRE.keys()
"""What only runs and the controller say; and Aborted and AgentLost, which are of agents that did not get to the end."""


def test_a_good_call_passes() -> None:
    good = verdict()

    assert (good.result, good.findings, good.notes) == (Result.PASSED, (), ())


@pytest.mark.parametrize("reason", sorted(set(Reason) - NOT_OF_ONE_CALLS_WIRE))
def test_every_reason_of_a_check_comes_from_the_wire(reason: Reason) -> None:
    assert WIRE[reason]().reason is reason
