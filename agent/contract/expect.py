"""What must come out of a call (`CallTest.spec.calls[].expect`)."""

from enum import StrEnum
from typing import Annotated, Literal

from agent.contract.codecs import Codec
from agent.contract.document import Document
from agent.contract.field import DIGITS_PATTERN, MAX_URI, URI_PATTERN, about, rule
from agent.contract.messages import MAX_EXPECTED, ExpectedHeader, ExpectedRequestUri, ExpectMessage
from agent.contract.outcome import EndedBy, ExpectPhrase, ExpectReason, Forking, ProvisionalCode, SipCode, Wanted, is_of
from agent.contract.registering import Algorithm, Auth

PERCENT_PATTERN = r"^(100|[0-9]{1,2}(\.[0-9]{1,3})?)$"


class DtmfMethod(StrEnum):
    """How a digit was sent."""

    RFC4733 = "RFC4733"
    INFO = "INFO"
    IN_BAND = "InBand"
    """As tones in the audio: found in captures only, for now."""


OutOfBand = Literal["RFC4733", "INFO"]
"""The methods by which digits can be sent and expected."""


class Audio(StrEnum):
    """What a leg is expected to hear."""

    OWN = "Own"
    """This call's identity signal."""
    ANY = "Any"
    """Anything but silence."""
    SILENCE = "Silence"


class MediaSource(StrEnum):
    """Whose media a leg may get."""

    ANY = "Any"
    """Also that of the SDP's host by another port, and of the one other source that proves itself by its signal."""
    SIGNALLED = "Signalled"
    """Only that of an address of the SDP in force."""


class ExpectDtmf(Document, frozen=True, kw_only=True):
    """The digits a leg must receive: exactly these, in this order, by one method."""

    digits: Annotated[
        str, about("The digits, in order.", example="1234#", min_length=1, max_length=64, pattern=DIGITS_PATTERN)
    ]

    method: Annotated[
        OutOfBand,
        about(
            "How they must come, whatever the caller sends them by: the SUT may have to convert them. By another"
            " method, or by another one as well, is Failed/DtmfOtherMethod.",
            example="INFO",
        ),
    ] = "RFC4733"

    @property
    def by(self) -> DtmfMethod:
        """How they must come."""
        return DtmfMethod(self.method)


class ExpectRtp(Document, frozen=True, kw_only=True):
    """Bounds on the RTP that a leg receives."""

    min_packets: (
        Annotated[
            int,
            about(
                "At least so many packets, of whatever length: 50 per second of 20 ms, 25 of 40 ms.",
                example=350,
                ge=1,
                le=1_000_000,
            ),
        ]
        | None
    ) = None
    max_loss_percent: (
        Annotated[
            str,
            about(
                "At most this loss: media time lost ÷ due × 100, a decimal.",
                example="0.5",
                max_length=6,
                pattern=PERCENT_PATTERN,
            ),
        ]
        | None
    ) = None
    max_jitter_milliseconds: (
        Annotated[int, about("At most this mean interarrival jitter (RFC 3550 A.8).", example=30, ge=1, le=10_000)]
        | None
    ) = None
    max_gap_milliseconds: (
        Annotated[
            int,
            about(
                "Longest time between two arrivals of the section's accepted source, by the kernel's clock, while its"
                " direction allows sending. Without it a pause is no fault: who wants continuity asks for it.",
                example=500,
                ge=20,
                le=60_000,
            ),
        ]
        | None
    ) = None
    source: Annotated[
        MediaSource,
        about(
            "Whose media it may be. Any: also that of the SDP's host by another port, and of another address if it"
            " carries this call's signal. Signalled: media from another port or address than the SDP's is Failed.",
            example="Signalled",
        ),
    ] = MediaSource.ANY


class ExpectLeg(Document, frozen=True, kw_only=True):
    """What one leg must receive."""

    dtmf: Annotated[
        ExpectDtmf | None, about("Digits that this leg must receive, exactly.", example={"digits": "1234#"})
    ] = None
    audio: Annotated[
        Audio | None,
        about(
            "What this leg must hear. Own: this call's Identity signal. Any: anything but silence. Silence: nothing.",
            example="Own",
        ),
    ] = None
    tone_hertz: (
        Annotated[
            int,
            about(
                "A single tone of this frequency must be heard, for 200 ms in all; within 1.5 %, or 10 Hz where that is"
                " more. Bursts of less than 170 ms do not count. Other sound may be there before and after it.",
                example=425,
                ge=50,
                le=3900,
            ),
        ]
        | None
    ) = None
    max_foreign_percent: (
        Annotated[
            str,
            about(
                "At most this share of the audible time may be other sound than this call's Identity signal, a decimal."
                " Without it, up to 10 passes, 10 to 50 is Inconclusive and more is Failed where audio is Own.",
                example="5",
                max_length=6,
                pattern=PERCENT_PATTERN,
            ),
        ]
        | None
    ) = None
    codec: Annotated[
        Codec | None,
        about(
            "The codec that offer and answer of this leg must agree on, and that all audio must come in: one of the"
            " party's media.codecs.",
            example="G722",
        ),
    ] = None
    encrypted: Annotated[
        bool,
        about(
            "This leg's media must be SRTP, each way. Without it that is asked where its media.srtp.use is Mandatory"
            " alone: what ends in plain RTP is right for Optional.",
            example=True,
        ),
    ] = False
    reason: Annotated[
        ExpectReason | None,
        about(
            "Why the call is over, as a Reason header says (RFC 3326) in what tells this leg so: the final refusal, or"
            " the BYE that comes to it.",
            example={"protocol": "Q.850", "cause": 17},
        ),
    ] = None
    rtp: Annotated[
        ExpectRtp | None, about("Bounds on the RTP that this leg receives.", example={"minPackets": 350})
    ] = None
    headers: Annotated[
        tuple[ExpectedHeader, ...],
        about(
            "Headers of messages that this leg receives: of each, exactly one of present, equals, matches, count.",
            example=[{"message": "INVITE", "name": "X-Tenant", "equals": "blue"}],
            max_length=MAX_EXPECTED,
            schema={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()
    request_uris: Annotated[
        tuple[ExpectedRequestUri, ...],
        about(
            "Request-URIs of requests that this leg receives: of each, exactly one of equals, matches.",
            example=[{"matches": "^sip:bob@"}],
            max_length=MAX_EXPECTED,
            schema={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()

    @property
    def hears(self) -> bool:
        """Sound is to come to it."""
        return self.audio in (Audio.OWN, Audio.ANY) or self.tone_hertz is not None

    @property
    def messages(self) -> tuple[ExpectMessage, ...]:
        """All that is asked of single messages."""
        return (*self.headers, *self.request_uris)


class Expect(Document, frozen=True, kw_only=True):
    """What must be true of each call. That it arrives, is answered and ends in order is always checked."""

    sip_code: Annotated[
        SipCode,
        about(
            "Final response that the caller must receive to its INVITE: a code, or a class (4xx). An answer where"
            " another one is expected is acknowledged and ended with a BYE at once. A 3xx is a final response like"
            " others.",
            example=486,
            rules=(
                rule(
                    "type(self) == int ? self >= 200 && self <= 699 : self.matches('^[2-6]xx$')",
                    "a final response is a number from 200 to 699, or a class: 2xx to 6xx",
                ),
            ),
        ),
    ] = 200
    phrase: Annotated[
        ExpectPhrase | None,
        about(
            "Reason phrase of that response. It is for people, and any server or proxy may say another (RFC 3261"
            " §7.2): what programs go by is the code.",
            example={"equals": "Busy Here"},
            rules=(rule("has(self.equals) != has(self.matches)", "exactly one of equals, matches"),),
        ),
    ] = None
    provisional: Annotated[
        tuple[ProvisionalCode, ...],
        about(
            "Provisional responses that must come before it, in this order: others may come between. Those of all early"
            " dialogs count. 100 is of the next hop alone, and no proxy passes it on (RFC 3261 §16.7). 18x: any of 180"
            " to 189.",
            example=[183, "18x"],
            max_length=8,
            schema={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()
    ringing_within_milliseconds: (
        Annotated[
            int,
            about(
                "The first 18x must come so soon after the first INVITE, challenges and redirects included.",
                example=2000,
                ge=1,
                le=180_000,
            ),
        ]
        | None
    ) = None
    answered_within_milliseconds: (
        Annotated[
            int,
            about(
                "The final response must come so soon after the first INVITE, challenges and redirects included. A"
                " callee of ours answers 100 ms after its INVITE, or as its behaviour and answerAfterMilliseconds say.",
                example=5000,
                ge=1,
                le=180_000,
            ),
        ]
        | None
    ) = None
    auth: Annotated[
        Auth,
        about(
            "Required: the INVITE must be challenged (401, 407) before it is taken. A SUT that takes it without is"
            " Failed/AuthNotRequired.",
            example="Required",
        ),
    ] = Auth.ANY
    auth_algorithm: Annotated[
        Algorithm | None,
        about(
            "The digest by which the INVITE must be challenged: the topmost one that the SUT offers (RFC 8760 §2.4).",
            example="SHA-256",
        ),
    ] = None
    redirect: Annotated[
        Wanted,
        about(
            "Whether a 3xx must come to the INVITE, or must not; what the caller does with one is caller.redirects.",
            example="Required",
        ),
    ] = Wanted.ALLOWED
    redirect_to: (
        Annotated[
            str,
            about(
                "A 3xx must come, with this contact among its own (RFC 3261 §19.1.4). {endpoint} stands for the"
                " endpoint's index, from 0.",
                example="sip:carol@example.com",
                max_length=MAX_URI,
                pattern=URI_PATTERN,
            ),
        ]
        | None
    ) = None
    forking: Annotated[
        Forking,
        about(
            "Whether more than one may answer the INVITE. Allowed: the first answer is the call, others are ended and"
            " told of (RFC 3261 §13.2.2.4). Forbidden: a second 2xx is Failed/AnsweredTwice.",
            example="Forbidden",
        ),
    ] = Forking.ALLOWED
    ended_by: Annotated[
        EndedBy,
        about(
            "Who ends the call. Caller: after holdSeconds, and a BYE before that is Failed/CallDropped. SUT: it does,"
            " within holdSeconds; the caller hangs up only where it has not. Media is due until then.",
            example="SUT",
        ),
    ] = EndedBy.CALLER
    min_call_seconds: (
        Annotated[
            int, about("With endedBy SUT: the call lasts at least so long, from its answer.", example=3, ge=1, le=3600)
        ]
        | None
    ) = None
    max_call_seconds: (
        Annotated[
            int,
            about(
                "With endedBy SUT: the call lasts at most so long, from its answer; no more than holdSeconds.",
                example=12,
                ge=1,
                le=3600,
            ),
        ]
        | None
    ) = None
    caller: Annotated[ExpectLeg, about("What the caller must receive.", example={"audio": "Own"})] = ExpectLeg()
    callee: Annotated[ExpectLeg, about("What the callee must receive.", example={"audio": "Own"})] = ExpectLeg()

    @property
    def is_answer(self) -> bool:
        """A 2xx is what is expected: only then is there media to judge."""
        return str(self.sip_code).startswith("2")

    def takes(self, code: int) -> bool:
        """It is the final response that is expected."""
        return is_of(self.sip_code, code)
