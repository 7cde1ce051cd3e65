"""The words of a verdict: result, reason, check. Closed lists; text stays in messages, never in labels."""

from enum import StrEnum

import msgspec


class Result(StrEnum):
    """What a check, leg, call, endpoint or run came to. Failed beats Inconclusive beats Passed when rolled up."""

    PASSED = "Passed"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"


class Role(StrEnum):
    """The SIP role of an agent, and the name of the leg that it sees."""

    CALLER = "Caller"
    CALLEE = "Callee"


class Check(StrEnum):
    """One expectation on one leg."""

    REGISTERED = "registered"
    """The agent's REGISTER was answered 200 (implicit where the agent registers)."""
    CONNECTION = "connection"
    """A TCP or TLS connection came up, and carried each request that began on it (implicit, but over UDP)."""
    ANSWERED = "answered"
    """The INVITE's final response has the expected code and came in time (implicit)."""
    PHRASE = "phrase"
    PROVISIONAL = "provisional"
    """The 1xx that a test asks for came, in its order."""
    RINGING = "ringing"
    """The first 18x came in the time that a test asks for."""
    ANSWER_TIME = "answerTime"
    """The final response did."""
    ANSWER = "answer"
    """The SDP of a 2xx is an answer to the offer (implicit)."""
    DELIVERED = "delivered"
    """The caller's INVITE arrived at our callee (implicit where a callee is declared)."""
    COMPLETED = "completed"
    """The call lasted until the side that should end it did, and the BYE was answered (implicit)."""
    ENDED = "ended"
    """The SUT ended the call, and when it was to, where a test asks that."""
    DTMF = "dtmf"
    AUDIO = "audio"
    RTP_PACKETS = "rtpPackets"
    RTP_LOSS = "rtpLoss"
    RTP_JITTER = "rtpJitter"
    RTP_GAP = "rtpGap"
    RTP_SOURCE = "rtpSource"
    RUN = "run"
    """Not one call's: the run itself could not be done."""


class Reason(StrEnum):
    """Why a check did not pass. Each stands for one result: `result_of` in agent/judge/reasons.py."""

    REGISTRATION_REJECTED = "RegistrationRejected"
    REGISTRATION_TIMEOUT = "RegistrationTimeout"
    CONNECTION_REFUSED = "ConnectionRefused"
    CONNECTION_RESET = "ConnectionReset"
    """As it was being opened."""
    CONNECTION_TIMEOUT = "ConnectionTimeout"
    """Nobody answered, or the network said that nobody is there."""
    TLS_TIMEOUT = "TlsTimeout"
    """The connection was there, and the SUT did not answer the handshake."""
    TLS_NOT_SPOKEN = "TlsNotSpoken"
    TLS_HANDSHAKE_FAILED = "TlsHandshakeFailed"
    """No version or cipher in common, or another alert."""
    TLS_CLIENT_REFUSED = "TlsClientRefused"
    """The SUT wanted a certificate of the agent's, or another one than it has."""
    TLS_CERTIFICATE_UNTRUSTED = "TlsCertificateUntrusted"
    TLS_CERTIFICATE_EXPIRED = "TlsCertificateExpired"
    TLS_NAME_MISMATCH = "TlsNameMismatch"
    CONNECTION_LOST = "ConnectionLost"
    """The SUT ended it, and a request of ours that it carried was never answered."""
    SIP_CODE_MISMATCH = "SipCodeMismatch"
    NO_RESPONSE = "NoResponse"
    """Not one response to the INVITE within the answer timeout."""
    NO_ANSWER = "NoAnswer"
    """Provisional responses at most: no final one within the answer timeout."""
    PHRASE_MISMATCH = "PhraseMismatch"
    PROVISIONAL_MISSING = "ProvisionalMissing"
    RINGING_MISSING = "RingingMissing"
    """No 18x came before the final response."""
    RINGING_LATE = "RingingLate"
    ANSWERED_LATE = "AnsweredLate"
    """The final response came within the answer timeout, and after the bound that the test sets."""
    INVALID_ANSWER = "InvalidAnswer"
    """The SDP of the 2xx is malformed, answers what was not offered, or lets no audio run where some is to."""
    ANSWERED_ELSEWHERE = "AnsweredElsewhere"
    """The caller was answered, and no INVITE reached our callee."""
    CALL_DROPPED = "CallDropped"
    """The call ended before the side that should end it did."""
    NOT_HUNG_UP = "NotHungUp"
    """The SUT was to end the call, and had not when the hold was over."""
    HUNG_UP_EARLY = "HungUpEarly"
    HUNG_UP_LATE = "HungUpLate"
    BYE_UNANSWERED = "ByeUnanswered"
    BYE_MISSING = "ByeMissing"
    """The caller hung up, and no BYE reached the callee."""
    ACK_MISSING = "AckMissing"
    """The callee answered, and no ACK reached it: a real phone would drop the call after 32 s (RFC 3261 §13.3.1.4)."""
    BYE_REJECTED = "ByeRejected"
    """A final response to the caller's BYE other than 2xx: it did not end the call at the other end."""
    DTMF_MISMATCH = "DtmfMismatch"
    DTMF_NOT_NEGOTIATED = "DtmfNotNegotiated"
    """Digits were missing, and the SDP of that leg had no telephone-event (RFC 4733)."""
    DTMF_OTHER_METHOD = "DtmfOtherMethod"
    """Digits came by another method than the expected one, instead of by it or beside it."""
    DTMF_NOT_ENDED = "DtmfNotEnded"
    """No end packet of a digit came (RFC 4733 §2.3.2), long before the call was over."""
    DTMF_CUT_SHORT = "DtmfCutShort"
    """A digit came too short to be one, or at less than half the length it was sent with."""
    NO_RTP = "NoRtp"
    MEDIA_STOPPED = "MediaStopped"
    """RTP came, and no more of it long before the call was over."""
    TOO_FEW_PACKETS = "TooFewPackets"
    UNNEGOTIATED_PAYLOAD = "UnnegotiatedPayload"
    """RTP came with a payload type that offer and answer did not agree on."""
    PACKET_LOSS = "PacketLoss"
    JITTER = "Jitter"
    MEDIA_GAP = "MediaGap"
    """No packet for too long, while the SDP let the peer send."""
    UNSIGNALLED_SOURCE = "UnsignalledSource"
    """Media came from another port or address than the SDP's."""
    LOOPED = "Looped"
    """The caller's own signal came back to it, and nothing of it reached the callee."""
    NO_AUDIO = "NoAudio"
    """RTP may have arrived, but what it carried was silence."""
    WRONG_AUDIO = "WrongAudio"
    """Audio was heard, but not this call's signal."""
    UNEXPECTED_AUDIO = "UnexpectedAudio"
    """Silence was expected."""

    AGENT_LOST = "AgentLost"
    AGENT_OVERLOADED = "AgentOverloaded"
    AGENT_ERROR = "AgentError"
    CALLEE_SHARED = "CalleeShared"
    """Another run's callee has the URI of this one's, and refused the call."""
    PEER_LOST = "PeerLost"
    NOT_MEASURED = "NotMeasured"
    NO_ENDPOINTS = "NoEndpoints"
    TOO_FEW_ENDPOINTS = "TooFewEndpoints"
    NOT_SETTLED = "NotSettled"
    AGENT_UNSCHEDULABLE = "AgentUnschedulable"
    AGENT_IMAGE_PULL_FAILED = "AgentImagePullFailed"
    AGENT_NOT_CREATED = "AgentNotCreated"
    """The API server refused the agent's pod (quota, admission, terminating namespace)."""
    AGENT_START_TIMEOUT = "AgentStartTimeout"
    INPUT_MISSING = "InputMissing"
    """A Secret, ConfigMap or claim, or a key of it, that the test names is not there, or cannot be used."""
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    ABORTED = "Aborted"
    NAME_CONFLICT = "NameConflict"
    INVALID_TEST = "InvalidTest"
    TARGET_NOT_ALLOWED = "TargetNotAllowed"
    NUMBER_NOT_ALLOWED = "NumberNotAllowed"
    LIMIT_EXCEEDED = "LimitExceeded"
    ACCESS_DENIED = "AccessDenied"
    RESULT_REJECTED = "ResultRejected"
    """A result of another run, agent or plan, or one that is not a valid document."""

    ENDPOINT_REMOVED = "EndpointRemoved"
    ENDPOINT_RESTARTED = "EndpointRestarted"


class Finding(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, rename="camel"
):
    """One check on one leg that did not pass: what was expected, what was observed."""

    call: str
    number: int
    """0-based, within the call's name and endpoint."""
    endpoint: int
    leg: Role
    check: Check
    reason: Reason
    expected: str | None = None
    observed: str | None = None
    call_id: str | None = None
    note: str | None = None
    """What a reader needs beside the numbers: direction, the peer's view, what to do."""
