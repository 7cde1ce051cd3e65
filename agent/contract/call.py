"""The words of a call: what is called, played and sent, and what must come out (`CallTest.spec.calls`).

Written here once: the CRD is generated from them, people write them, and a plan carries them as they were written.
"""

from enum import StrEnum
from typing import Annotated, Literal

from agent.contract.document import Document
from agent.contract.field import MAX_URI, NAME_PATTERN, SUBDOMAIN_PATTERN, URI_PATTERN, about, rule

DIGITS_PATTERN = r"^[0-9A-D*#]+$"
PERCENT_PATTERN = r"^(100|[0-9]{1,2}(\.[0-9]{1,3})?)$"


class Behaviour(StrEnum):
    """What a callee does with an answered call."""

    PARROT = "Parrot"
    """Plays the audio back, and re-sends the RFC 4733 digits it received after the last one."""
    ABSORBER = "Absorber"
    """Takes the call and only listens (sends silence)."""


class DtmfMethod(StrEnum):
    """How a digit was sent."""

    RFC4733 = "RFC4733"
    INFO = "INFO"
    """Received only, for now."""
    IN_BAND = "InBand"
    """As tones in the audio: found in captures only, for now."""


class PlaySignal(StrEnum):
    """A signal that the agents make themselves."""

    IDENTITY = "Identity"


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


class Tone(Document, frozen=True, kw_only=True):
    """A continuous sine."""

    frequency_hertz: Annotated[int, about("Frequency of the tone.", example=440, ge=50, le=3900)] = 440


class WavReference(Document, frozen=True, kw_only=True):
    """A mono 16-bit PCM WAV file of 8 or 16 kHz in a ConfigMap (binaryData), played in a loop."""

    config_map_name: Annotated[
        str,
        about("Name of the ConfigMap.", example="prompts", min_length=1, max_length=253, pattern=SUBDOMAIN_PATTERN),
    ]
    key: Annotated[
        str,
        about(
            "Key of the file.",
            example="hello.wav",
            min_length=1,
            max_length=253,
            pattern=r"^[-_a-zA-Z0-9][-._a-zA-Z0-9]*$",
        ),
    ]


class Silence(Document, frozen=True, kw_only=True):
    """Nothing but silence."""


class Play(Document, frozen=True, kw_only=True):
    """What the caller plays: exactly one of signal, tone, wav, silence."""

    signal: Annotated[
        PlaySignal | None,
        about(
            "Identity is a tone sequence that codes the call, so that the other end knows whose audio it hears.",
            example="Identity",
        ),
    ] = None
    tone: Annotated[Tone | None, about("A continuous sine.", example={"frequencyHertz": 440})] = None
    wav: Annotated[
        WavReference | None, about("A WAV file.", example={"configMapName": "prompts", "key": "hello.wav"})
    ] = None
    silence: Annotated[Silence | None, about("Silence.", example={})] = None


class SendDtmf(Document, frozen=True, kw_only=True):
    """Digits that the caller sends."""

    digits: Annotated[
        str, about("The digits, in order.", example="1234#", min_length=1, max_length=64, pattern=DIGITS_PATTERN)
    ]
    method: Annotated[Literal["RFC4733"], about("How the digits travel.", example="RFC4733")] = "RFC4733"
    """The one DtmfMethod that can be sent, for now."""
    tone_milliseconds: Annotated[int, about("Length of each digit.", example=100, ge=40, le=2000)] = 100
    after_milliseconds: Annotated[
        int, about("Time from the answer to the first digit.", example=500, ge=0, le=600_000)
    ] = 500


class CallCaller(Document, frozen=True, kw_only=True):
    """What the caller does in a call."""

    play: Annotated[
        Play,
        about(
            "What the caller plays: exactly one of signal, tone, wav, silence.",
            example={"signal": "Identity"},
            rules=(
                rule(
                    "[has(self.signal), has(self.tone), has(self.wav), has(self.silence)].filter(x, x).size() == 1",
                    "exactly one of signal, tone, wav, silence",
                ),
            ),
        ),
    ] = Play(signal=PlaySignal.IDENTITY)
    dtmf: Annotated[
        SendDtmf | None, about("Digits that the caller sends once answered.", example={"digits": "1234#"})
    ] = None


class ExpectDtmf(Document, frozen=True, kw_only=True):
    """The digits a leg must receive by RFC 4733: exactly these, in this order."""

    digits: Annotated[
        str, about("The digits, in order.", example="1234#", min_length=1, max_length=64, pattern=DIGITS_PATTERN)
    ]

    @property
    def method(self) -> DtmfMethod:
        """How they must come."""
        return DtmfMethod.RFC4733


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
    rtp: Annotated[
        ExpectRtp | None, about("Bounds on the RTP that this leg receives.", example={"minPackets": 350})
    ] = None


class Expect(Document, frozen=True, kw_only=True):
    """What must be true of each call. That it arrives, is answered and ends in order is always checked."""

    sip_code: Annotated[
        int, about("Final response that the caller must receive to its INVITE.", example=200, ge=200, le=699)
    ] = 200
    caller: Annotated[ExpectLeg, about("What the caller must receive.", example={"audio": "Own"})] = ExpectLeg()
    callee: Annotated[ExpectLeg, about("What the callee must receive.", example={"audio": "Own"})] = ExpectLeg()


class Call(Document, frozen=True, kw_only=True):
    """Equal calls, made to each endpoint."""

    name: Annotated[
        str,
        about(
            "Name of the calls, unique in the test.", example="pin", min_length=1, max_length=32, pattern=NAME_PATTERN
        ),
    ]
    to: (
        Annotated[
            str,
            about(
                "Request-URI; default: callee.uri, so it is needed where the SUT itself answers. {endpoint} stands for"
                " the endpoint's index, from 0.",
                example="sip:bob@example.com",
                max_length=MAX_URI,
                pattern=URI_PATTERN,
            ),
        ]
        | None
    ) = None
    """Never None in a plan."""
    count: Annotated[int, about("How many calls, per endpoint.", example=10, ge=1, le=1000)] = 1
    concurrency: Annotated[
        int, about("At most so many of them at the same time, per endpoint.", example=5, ge=1, le=200)
    ] = 1
    hold_seconds: Annotated[int, about("Time from the answer until the caller hangs up.", example=8, ge=1, le=3600)] = 5
    answer_timeout_seconds: Annotated[
        int, about("A call with no final response by then is Failed/NoAnswer.", example=30, ge=1, le=180)
    ] = 30
    caller: Annotated[CallCaller, about("What the caller does in the call.", example={"dtmf": {"digits": "1234#"}})] = (
        CallCaller()
    )
    expect: Annotated[Expect, about("What must be true of each call.", example={"callee": {"audio": "Own"}})] = Expect()

    @property
    def at_once(self) -> int:
        """How many of them there can be at the same time, per endpoint."""
        return min(self.concurrency, self.count)
