"""The words of a call: what is called, played and sent (`CallTest.spec.calls`).

Written here once: the CRD is generated from them, people write them, and a plan carries them as they were written.
"""

from enum import StrEnum
from typing import Annotated, Final

from agent.contract.codecs import Media
from agent.contract.document import Document
from agent.contract.expect import DtmfMethod, Expect, OutOfBand
from agent.contract.field import DIGITS_PATTERN, MAX_URI, NAME_PATTERN, SUBDOMAIN_PATTERN, URI_PATTERN, about, rule
from agent.contract.headers import MAX_SENT, CallHeader, Header
from agent.contract.outcome import OnRedirect
from agent.contract.verdict import Role


class Behaviour(StrEnum):
    """What a callee does with a call: a short word for steps (agent/contract/steps.py)."""

    PARROT = "Parrot"
    """Plays the audio back, and re-sends the digits it received after the last one, by the method they came by."""
    ABSORBER = "Absorber"
    """Takes the call and only listens (sends silence)."""
    BUSY = "Busy"
    """Refuses it with 486."""
    REFUSE = "Refuse"
    """Refuses it as `refuse` says."""
    RING_ONLY = "RingOnly"
    """Rings until it is cancelled."""


class Refusal(Document, frozen=True, kw_only=True):
    """How a callee refuses."""

    code: Annotated[
        int,
        about(
            "The final response, 400 to 699. Not 401, 407 (a callee has no realm), 487 (that is of a CANCEL), nor 400,"
            " 406, 415, 420, 421, 488, 606: so does the agent's SIP stack by itself refuse what it cannot take. Of a"
            " 503 a proxy makes a 500 (RFC 3261 §16.7).",
            example=603,
            ge=400,
            le=699,
        ),
    ]
    headers: Annotated[
        tuple[Header, ...],
        about(
            "Headers of it. Those of `callee.headers` that are on Responses it has where the callee has rung before.",
            example=[{"name": "Reason", "value": "Q.850;cause=21"}],
            max_length=MAX_SENT,
            schema={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()


WHAT_IT_DOES: Final = (
    "Parrot plays the audio back and re-sends the digits it received, after the last one. Absorber takes the call and"
    " only listens. Busy refuses it with 486, Refuse as `refuse` says. RingOnly sends 180, and 487 once cancelled."
)


class Acting(Document, frozen=True, kw_only=True):
    """What a callee does with a call: a word, and what belongs to it."""

    behaviour: Annotated[
        Behaviour | None,
        about(
            f"What the callee does; default: `callee.behaviour`. {WHAT_IT_DOES}",
            example="Busy",
        ),
    ] = None
    refuse: Annotated[
        Refusal | None, about("How it refuses: with behaviour Refuse, and needed there.", example={"code": 603})
    ] = None
    answer_after_milliseconds: (
        Annotated[
            int,
            about(
                "From the INVITE, at which it sends 180, to its final response. By default a Parrot and an Absorber"
                " answer after 100 ms; Busy and Refuse refuse at once, and do not ring.",
                example=3000,
                ge=0,
                le=170_000,
            ),
        ]
        | None
    ) = None

    @property
    def acting(self) -> "Acting":
        """These fields alone, with the word that stands for none."""
        return Acting(
            behaviour=self.behaviour or Behaviour.PARROT,
            refuse=self.refuse,
            answer_after_milliseconds=self.answer_after_milliseconds,
        )


class PlaySignal(StrEnum):
    """A signal that the agents make themselves."""

    IDENTITY = "Identity"


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


class InfoType(StrEnum):
    """What the body of an INFO that carries a digit is: there is no standard for it but use."""

    RELAY = "application/dtmf-relay"
    """`Signal=5` and `Duration=100`."""
    BARE = "application/dtmf"
    """`5`."""


class SendDtmf(Document, frozen=True, kw_only=True):
    """Digits that the caller sends."""

    digits: Annotated[
        str, about("The digits, in order.", example="1234#", min_length=1, max_length=64, pattern=DIGITS_PATTERN)
    ]
    method: Annotated[
        OutOfBand,
        about(
            "How the digits travel. RFC4733: as events in RTP. INFO: each in a SIP request in the dialog (RFC 6086),"
            " the next when the one before is answered; one that is refused is Failed/InfoRefused.",
            example="INFO",
        ),
    ] = "RFC4733"
    info_type: Annotated[
        InfoType,
        about("With method INFO: the type of its body.", example="application/dtmf"),
    ] = InfoType.RELAY
    tone_milliseconds: Annotated[
        int,
        about("Length of each digit; an INFO of application/dtmf does not tell it.", example=100, ge=40, le=2000),
    ] = 100
    after_milliseconds: Annotated[
        int, about("Time from the answer to the first digit.", example=500, ge=0, le=600_000)
    ] = 500

    @property
    def by(self) -> DtmfMethod:
        """How they are sent."""
        return DtmfMethod(self.method)


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
        SendDtmf | None,
        about(
            "Digits that the caller sends once answered.",
            example={"digits": "1234#"},
            rules=(
                rule(
                    f"self.method == 'INFO' || self.infoType == '{InfoType.RELAY}'",
                    "infoType is of method INFO alone",
                ),
            ),
        ),
    ] = None
    media: Annotated[
        Media | None,
        about("What its media is in these calls, instead of caller.media.", example={"srtp": {"use": "Mandatory"}}),
    ] = None
    """None in a plan: as where nothing is said."""
    headers: Annotated[
        tuple[CallHeader, ...],
        about(
            "Headers that the caller sends in these calls; one of `caller.headers` of the same name is not sent where"
            " these are.",
            example=[{"name": "X-Tenant", "value": "blue"}],
            max_length=MAX_SENT,
            schema={"x-kubernetes-list-type": "atomic"},
        ),
    ] = ()
    redirects: Annotated[
        OnRedirect,
        about(
            "What becomes of a 3xx. Stop: it is the final response. Follow: its contacts are called, the one with the"
            " highest q first, at most 5, and always through the endpoint; one with headers, with a number that must"
            " not be dialled, or at an address that the operator does not allow is not, nor is one of a 305 or 380, and"
            " ends the call (Inconclusive/NotMeasured where another outcome was expected).",
            example="Follow",
        ),
    ] = OnRedirect.STOP


class CallCallee(Acting, frozen=True, kw_only=True):
    """What the callee does in a call, instead of what `callee` says. A plan has it all here."""

    media: Annotated[
        Media | None,
        about("What its media is in these calls, instead of callee.media.", example={"srtp": {"use": "Optional"}}),
    ] = None
    """None in a plan: as where nothing is said."""


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
        int,
        about(
            "A call with no final response by then is cancelled, and Failed/NoAnswer; with `expect.sipCode: 487` that"
            " CANCEL is what is tested.",
            example=30,
            ge=1,
            le=180,
        ),
    ] = 30
    caller: Annotated[CallCaller, about("What the caller does in the call.", example={"dtmf": {"digits": "1234#"}})] = (
        CallCaller()
    )
    callee: Annotated[
        CallCallee,
        about("What the callee does in the call.", example={"media": {"srtp": {"use": "Mandatory"}}}),
    ] = CallCallee()
    expect: Annotated[Expect, about("What must be true of each call.", example={"callee": {"audio": "Own"}})] = Expect()

    def media(self, role: Role) -> Media:
        """What that end's media is, in a plan."""
        return (self.caller.media if role is Role.CALLER else self.callee.media) or Media()

    @property
    def at_once(self) -> int:
        """How many of them there can be at the same time, per endpoint."""
        return min(self.concurrency, self.count)
