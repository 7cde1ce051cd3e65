"""CallTest.spec.calls: what is called, played and sent, and what must come out."""

from enum import StrEnum
from typing import Annotated

from msgspec import UNSET, UnsetType

from agent.contract.plan import Audio
from controller.api.field import MAX_URI, NAME_PATTERN, SUBDOMAIN_PATTERN, URI_PATTERN, ApiValue, about, rule

DIGITS_PATTERN = r"^[0-9A-D*#]+$"
PERCENT_PATTERN = r"^(100|[0-9]{1,2}(\.[0-9]{1,3})?)$"


class Signal(StrEnum):
    """A signal that the agents make themselves."""

    IDENTITY = "Identity"


class SendMethod(StrEnum):
    """How the caller sends digits."""

    RFC4733 = "RFC4733"


class Tone(ApiValue, frozen=True, kw_only=True):
    """A continuous sine."""

    frequency_hertz: Annotated[int, about("Frequency of the tone.", example=440, ge=50, le=3900)] = 440


class WavReference(ApiValue, frozen=True, kw_only=True):
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


class Silence(ApiValue, frozen=True, kw_only=True):
    """Nothing but silence."""


class Play(ApiValue, frozen=True, kw_only=True):
    """What the caller plays: exactly one of signal, tone, wav, silence."""

    signal: (
        Annotated[
            Signal,
            about(
                "Identity is a tone sequence that codes the call, so that the other end knows whose audio it hears.",
                example="Identity",
            ),
        ]
        | UnsetType
    ) = UNSET
    tone: Annotated[Tone, about("A continuous sine.", example={"frequencyHertz": 440})] | UnsetType = UNSET
    wav: (
        Annotated[WavReference, about("A WAV file.", example={"configMapName": "prompts", "key": "hello.wav"})]
        | UnsetType
    ) = UNSET
    silence: Annotated[Silence, about("Silence.", example={})] | UnsetType = UNSET


class SendDtmf(ApiValue, frozen=True, kw_only=True):
    """Digits that the caller sends."""

    digits: Annotated[
        str, about("The digits, in order.", example="1234#", min_length=1, max_length=64, pattern=DIGITS_PATTERN)
    ]
    method: Annotated[SendMethod, about("How the digits travel.", example="RFC4733")] = SendMethod.RFC4733
    tone_milliseconds: Annotated[int, about("Length of each digit.", example=100, ge=40, le=2000)] = 100
    after_milliseconds: Annotated[
        int, about("Time from the answer to the first digit.", example=500, ge=0, le=600_000)
    ] = 500


class CallCaller(ApiValue, frozen=True, kw_only=True):
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
    ] = Play(signal=Signal.IDENTITY)
    dtmf: (
        Annotated[SendDtmf, about("Digits that the caller sends once answered.", example={"digits": "1234#"})]
        | UnsetType
    ) = UNSET


class ExpectDtmf(ApiValue, frozen=True, kw_only=True):
    """The digits a leg must receive by RFC 4733: exactly these, in this order."""

    digits: Annotated[
        str, about("The digits, in order.", example="1234#", min_length=1, max_length=64, pattern=DIGITS_PATTERN)
    ]


class ExpectRtp(ApiValue, frozen=True, kw_only=True):
    """Bounds on the RTP that a leg receives."""

    min_packets: (
        Annotated[int, about("At least so many packets; 50 arrive per second.", example=350, ge=1, le=1_000_000)]
        | UnsetType
    ) = UNSET
    max_loss_percent: (
        Annotated[
            str,
            about(
                "At most this loss: lost ÷ expected × 100 (RFC 3550 A.3), a decimal.",
                example="0.5",
                max_length=6,
                pattern=PERCENT_PATTERN,
            ),
        ]
        | UnsetType
    ) = UNSET
    max_jitter_milliseconds: (
        Annotated[int, about("At most this mean interarrival jitter (RFC 3550 A.8).", example=30, ge=1, le=10_000)]
        | UnsetType
    ) = UNSET


class ExpectLeg(ApiValue, frozen=True, kw_only=True):
    """What one leg must receive."""

    dtmf: (
        Annotated[ExpectDtmf, about("Digits that this leg must receive, exactly.", example={"digits": "1234#"})]
        | UnsetType
    ) = UNSET
    audio: (
        Annotated[
            Audio,
            about(
                "What this leg must hear. Own: this call's Identity signal. Any: anything but silence. Silence:"
                " nothing.",
                example="Own",
            ),
        ]
        | UnsetType
    ) = UNSET
    rtp: Annotated[ExpectRtp, about("Bounds on the RTP that this leg receives.", example={"minPackets": 350})] | (
        UnsetType
    ) = UNSET


class Expect(ApiValue, frozen=True, kw_only=True):
    """What must be true of each call. That it arrives, is answered and ends in order is always checked."""

    sip_code: Annotated[
        int, about("Final response that the caller must receive to its INVITE.", example=200, ge=200, le=699)
    ] = 200
    caller: Annotated[ExpectLeg, about("What the caller must receive.", example={"audio": "Own"})] = ExpectLeg()
    callee: Annotated[ExpectLeg, about("What the callee must receive.", example={"audio": "Own"})] = ExpectLeg()


class Call(ApiValue, frozen=True, kw_only=True):
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
        | UnsetType
    ) = UNSET
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
