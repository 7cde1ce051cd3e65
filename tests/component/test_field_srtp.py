"""SRTP with peers that answer it rightly, wrongly or not at all, and with a SUT between two agents that changes it."""

import re
import secrets
from typing import Any

from tests.component.field import PASSED, case, cases, judged
from tests.component.peers.b2bua import Far, OutOfIt
from tests.component.peers.rtp import Source
from tests.component.peers.running import OWN, Case, Runs, both, echo
from tests.component.peers.srtp import KEY_BYTES, SUITE, DtlsUas, Sealed, SrtpUas, inbound, written
from tests.component.peers.tls import TlsUas
from tests.component.peers.uas import Call, Uas
from tests.component.test_field_tls import over_tls

ALICE, BOB = '"sip:alice@example.com"', '"sip:bob@example.com"'
NOTHING = ""


def media(use: str = "Mandatory", **more: str) -> str:
    said = "".join(f", {name}: {value}" for name, value in more.items())
    return f"media: {{srtp: {{use: {use}{said}}}}}"


def to_sut(expected: str = OWN, use: str = "Mandatory", *, keying: str = "[SDES]", hold_s: int = 4) -> str:
    """The SUT itself answers a caller with SRTP."""
    caller = f"{{uri: {ALICE}, {media(use, keying=keying)}}}"
    return echo(expected, caller=caller, holdSeconds=str(hold_s))


def through(caller: str, callee: str, *, asked: str = OWN) -> str:
    """From a caller to a callee, with `media` each."""
    text = both(asked, asked).replace(f"caller: {{uri: {ALICE}}}", f"caller: {{uri: {ALICE}, {caller}}}")
    return text.replace(f"callee: {{uri: {BOB}}}", f"callee: {{uri: {BOB}, {callee}}}")


DTLS = to_sut(keying="[DTLS]")
OSRTP = to_sut(use="Optional")
ENCRYPTED = to_sut(f"encrypted: true, {OWN}", "Optional")
REFUSED = to_sut(NOTHING)
BY_DTLS = to_sut(NOTHING, keying="[DTLS]", hold_s=7)


# --- what is right


class Optional(SrtpUas):
    """RFC 8643: SRTP under the profile of plain RTP."""

    profile = "RTP/AVP"


class Active(DtlsUas):
    setup = "active"


class AtSession(DtlsUas):
    """RFC 8122 §5: above the media."""

    def answer_sdp(self, call: Call) -> str:
        lines = super().answer_sdp(call).split("\r\n")
        moved = [line for line in lines if line.startswith("a=fingerprint")]
        rest = [line for line in lines if line not in moved]
        place = next(index for index, line in enumerate(rest) if line.startswith("m="))
        return "\r\n".join([*rest[:place], *moved, *rest[place:]])


class Lifetime(SrtpUas):
    """RFC 4568 §6.1: with a lifetime, and a session parameter that changes nothing."""

    def attributes(self, call: Call) -> list[str]:
        return [f"{line}|2^31 WSH=128" for line in super().attributes(call)]


class Copies(SrtpUas):
    """Sends each packet twice: copies are no attack (RFC 3711 §3.3.2)."""

    def key(self, call: Call, own: bytes, theirs: bytes) -> None:
        super().key(call, own, theirs)
        call.source = Twice(call.source, own)


class Twice(Sealed):
    def raw(self, datagram: bytes) -> None:
        sealed = self.session.protect(datagram)
        for _ in range(2):
            Source.raw(self, sealed)


@cases(
    case("SDES", SrtpUas, to_sut()),
    case("SDES, lifetime", Lifetime, to_sut()),
    case("SDES, copies", Copies, to_sut()),
    case("OSRTP taken", Optional, OSRTP),
    case("OSRTP taken, and asked", Optional, ENCRYPTED),
    case("OSRTP passed over", Uas, OSRTP),
    case("DTLS, passive", DtlsUas, DTLS),
    case("DTLS, active", Active, DTLS),
    case("DTLS, fingerprint of the session", AtSession, DTLS),
)
def test_what_answers_srtp_as_the_standards_have_it_passes(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


# --- answers


class Refuses(Uas):
    def answer(self, call: Call) -> None:
        self.respond(call.invite, "488 Not Acceptable Here", call.peer, tag=call.tag)


class Answers(SrtpUas):
    """With lines of its own for keys."""

    def __init__(self, *lines: str) -> None:
        super().__init__()
        self.lines = lines

    def attributes(self, call: Call) -> list[str]:
        return [line.replace("KEY", written(secrets.token_bytes(KEY_BYTES))) for line in self.lines]


def line_of(tag: int, suite: str = SUITE) -> str:
    return f"crypto:{tag} {suite} inline:KEY"


@cases(
    case("plain", Uas, REFUSED),
    case("plain to DTLS", Uas, BY_DTLS),
    case("keys under plain RTP", Optional, REFUSED),
)
def test_an_answer_that_is_weaker_than_the_offer_is_a_downgrade(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/SrtpDowngraded")


@cases(
    case("no line", Answers, REFUSED),
    case("two lines", lambda: Answers(line_of(1), line_of(3)), REFUSED),
    case("a tag that was not offered", lambda: Answers(line_of(77)), REFUSED),
    case("another suite for the tag", lambda: Answers(line_of(3, "F8_128_HMAC_SHA1_80")), REFUSED),
    case("a key of another length", lambda: Answers(line_of(1, "AES_256_CM_HMAC_SHA1_80")), REFUSED),
    case("a parameter that weakens it", lambda: Answers(f"{line_of(3)} UNENCRYPTED_SRTP"), REFUSED),
)
def test_keys_that_do_not_answer_the_offer_are_named(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/SrtpAnswerInvalid")


def test_a_refusal_of_srtp_is_told_from_others(runs: Runs) -> None:
    judged(runs, case("488", Refuses, REFUSED), "Failed/SrtpRefused")


def test_optional_srtp_that_is_to_be_encrypted_and_is_passed_over_is_failed(runs: Runs) -> None:
    judged(runs, case("plain", Uas, ENCRYPTED), "Failed/NotEncrypted")


# --- packets


class OtherKey(SrtpUas):
    """Encrypts with another key than that of its SDP."""

    def key(self, call: Call, own: bytes, theirs: bytes) -> None:
        super().key(call, secrets.token_bytes(KEY_BYTES), theirs)


class InTheClear(SrtpUas):
    def key(self, call: Call, own: bytes, theirs: bytes) -> None:
        call.noted["inbound"] = inbound(theirs)


class Flips(Sealed):
    """A bit of each tenth packet is changed on the way."""

    def raw(self, datagram: bytes) -> None:
        sealed = bytearray(self.session.protect(datagram))
        sealed[20] ^= self.sent % 10 == 0
        Source.raw(self, bytes(sealed))


class Changed(SrtpUas):
    def key(self, call: Call, own: bytes, theirs: bytes) -> None:
        call.noted["inbound"] = inbound(theirs)
        call.source = Flips(call.source, own)


@cases(
    case("SrtpUndecryptable", OtherKey, REFUSED),
    case("PlainMedia", InTheClear, REFUSED),
    case("SrtpRejectedPackets", Changed, REFUSED),
)
def test_packets_that_are_not_what_was_agreed_on_are_failed(runs: Runs, case: Case) -> None:
    judged(runs, case, f"Failed/{case.name}")


# --- handshakes


class OtherCertificate(DtlsUas):
    def fingerprint(self, call: Call) -> str:
        return ":".join(["AB"] * 32)


class OtherCertificateAgain(OtherCertificate):
    """A session is refreshed, and its SDP the same."""

    def answered(self, call: Call) -> None:
        self.later(2.0, lambda: self.request(call, "INVITE", body=self.answer_sdp(call)))


class BothOrNone(DtlsUas):
    setup = "actpass"


class Silent(DtlsUas):
    def record(self, call: Call, data: bytes) -> None:
        """Not a word."""


class NeverBegins(Silent):
    def attributes(self, call: Call) -> list[str]:
        return [line.replace("passive", "active") for line in super().attributes(call)]


class Alerts(DtlsUas):
    def record(self, call: Call, data: bytes) -> None:
        if data[0] == 22:
            call.source.socket.sendto(bytes.fromhex("15fefd0000000000000000000202") + b"\x28", call.source.target)


@cases(
    case("DtlsFingerprintMismatch", OtherCertificate, BY_DTLS),
    case("DtlsRoleConflict", BothOrNone, BY_DTLS),
    case("DtlsTimeout", Silent, BY_DTLS),
    case("DtlsFailed", Alerts, BY_DTLS),
)
def test_a_handshake_that_gives_no_keys_is_failed_with_its_reason(runs: Runs, case: Case) -> None:
    judged(runs, case, f"Failed/{case.name}")


def test_a_certificate_that_differs_stays_another_one(runs: Runs) -> None:
    judged(runs, case("re-INVITE", OtherCertificateAgain, BY_DTLS), "Failed/DtlsFingerprintMismatch")


def test_a_peer_that_is_to_begin_the_handshake_and_does_not_is_waited_for(runs: Runs) -> None:
    judged(runs, case("never", NeverBegins, BY_DTLS), "Failed/DtlsTimeout")


# --- between two agents


class Passes(OutOfIt):
    """Both SDPs go through, as `towards_callee` and `towards_caller` make them."""

    def far_sdp(self, far: Far) -> str:
        return self.towards_callee(super().far_sdp(far))

    def answer_sdp(self, call: Call) -> str:
        return self.towards_caller(super().answer_sdp(call))

    def towards_callee(self, body: str) -> str:
        return body

    def towards_caller(self, body: str) -> str:
        return body


class Strips(Passes):
    """A proxy that has heard of RTP/AVP alone."""

    def towards_callee(self, body: str) -> str:
        return re.sub(r"a=crypto:[^\r]*\r\n", "", body.replace("RTP/SAVP", "RTP/AVP"))


class OneSuite(Passes):
    def towards_callee(self, body: str) -> str:
        return re.sub(rf"a=crypto:\d+ (?!{SUITE})[^\r]*\r\n", "", body)


SDES_BOTH, DTLS_BOTH = through(media(), media()), through(media(keying="[DTLS]"), media(keying="[DTLS]"))
OPTIONAL_BOTH = through(media("Optional"), media("Optional"), asked=f"encrypted: true, {OWN}")


@cases(
    case("SDES", Passes, SDES_BOTH),
    case("DTLS", Passes, DTLS_BOTH),
    case("DTLS or SDES", Passes, through(media(keying="[SDES]"), media(keying="[DTLS, SDES]"))),
    case("optional, and taken", Passes, OPTIONAL_BOTH),
    case("optional, and stripped", Strips, through(media("Optional"), media("Optional"))),
    case("one suite", OneSuite, SDES_BOTH),
)
def test_two_agents_have_srtp_with_each_other(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


@cases(
    case("stripped", Strips, SDES_BOTH),
    case("optional to mandatory", Passes, through(media("Optional"), media())),
    case("stripped, and the callee asks for nothing", Strips, through(media(), media("Disabled"))),
)
def test_a_callee_that_is_offered_less_or_answers_for_it_was_downgraded(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/SrtpDowngraded")


@cases(
    case("SrtpKeyingMismatch", Passes, through(media(), media(keying="[DTLS]"))),
    case("SrtpSuiteMismatch", OneSuite, through(media(), media(suites="[AES_256_CM_HMAC_SHA1_80]"))),
    case("SrtpRefused", Passes, through(media(), media("Disabled"))),
    case("NotEncrypted", Strips, OPTIONAL_BOTH),
)
def test_a_callee_that_is_offered_what_it_is_not_to_take_says_so(runs: Runs, case: Case) -> None:
    judged(runs, case, f"Failed/{case.name}")


# --- whether the keys of SDES travel in the clear


class Between(Passes, TlsUas):
    """Over TLS, to the callee too."""


class UdpBefore(Between):
    """Another proxy of theirs has it by UDP."""

    def far_request(self, far: Far, method: str, cseq: int, **more: Any) -> None:
        hop = "Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKbefore"
        super().far_request(far, method, cseq, **more, extra=(hop,))


AT_EACH_HOP = over_tls(test=through(media(signalling="SIPS"), media()))


@cases(case("TLS", Between, AT_EACH_HOP))
def test_keys_that_travelled_over_tls_alone_are_secret(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


@cases(case("a hop by UDP", UdpBefore, AT_EACH_HOP))
def test_keys_that_a_hop_had_in_the_clear_are_not(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/SrtpOverPlainSignalling")
