"""pjsua2's objects as the phone uses them: what their callbacks copy out, and how they are configured.

Callbacks run in pjsip's threads, often with its locks held. They copy data, wire media and put an item on the phone's
queue; nothing else.
"""

import functools
import logging
import os
import queue
import select
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ParamSpec

import pjsua2 as pj

from agent.contract.headers import Headers
from agent.contract.media import Negotiated
from agent.contract.steps import SendDigits
from agent.phone.pjsua.facts import Digits, Spread, StreamCount, media_s, rtp_received, rtp_sent, rtt_ms
from agent.phone.protocol import (
    AccountId,
    CallConfirmed,
    CallEnded,
    CallHandle,
    Event,
    MediaActive,
    NotFollowed,
    RegistrationConcluded,
    StackRefused,
)
from agent.sip.offering import Offering
from agent.sip.redirecting import Redirects
from agent.sip.text import SipHead, parse_head, printable
from agent.sip.transactions import Conversation
from agent.tap.call import TappedCall
from agent.tap.model import TapGuard

LOG = logging.getLogger(__name__)
P = ParamSpec("P")

DTMF_UPDATE, DTMF_END = 1, 2
"""PJMEDIA_STREAM_DTMF_IS_UPDATE and _END, which the binding leaves out."""
MAX_COMPLAINTS = 200
"""Errors of pjsip that are logged, per phone: it complains about every datagram that is no SIP, in full."""
LOG_LEVEL = 1
"""Errors. Messages come from the tap: to log each costs a third of the calls per second."""


@dataclass(frozen=True, slots=True)
class Invited:
    """An INVITE came in; the call exists."""

    at_s: float
    leg: "Leg"
    account: AccountId | None
    invite: str


@dataclass(frozen=True, slots=True)
class Over:
    """pjsip says that the call is over."""

    at_s: float
    leg: "Leg"
    reason: str


Item = Event | Invited | Over


class Queue:
    """Items of pjsip's threads for the phone's own, which waits for `descriptor` to be readable."""

    def __init__(self) -> None:
        self._items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self.descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def put(self, item: Item) -> None:
        """From any thread."""
        self._items.put(item)
        os.eventfd_write(self.descriptor, 1)

    def get(self) -> Item | None:
        """The next one; None where there is none."""
        try:
            return self._items.get_nowait()
        except queue.Empty:
            return None

    def wait(self, timeout_s: float) -> None:
        """Until something was put, or the tap saw a message."""
        if select.select([self.descriptor], [], [], timeout_s)[0]:
            os.eventfd_read(self.descriptor)


@dataclass(slots=True, kw_only=True, eq=False)
class Leg:
    """One call, from the first to the last we know of it."""

    handle: CallHandle
    digits: Digits
    sip_call_id: str
    outgoing: bool
    tapped: TappedCall
    offering: Offering
    call: "Call | None" = None
    messages: Conversation = field(default_factory=Conversation)
    branch: str | None = None
    """Of an incoming call's INVITE."""
    to_send: deque[tuple[str, SendDigits]] = field(default_factory=deque)
    sending: bool = False
    echo: bool = False
    said: Headers = ()
    """Of ours, on the responses to its INVITE so far."""
    player: pj.AudioMediaPlayer | None = None
    answered: bool = False
    """An outgoing call's 2xx has come."""
    early: dict[int, StreamCount] = field(default_factory=dict)
    """What media lines had counted before the answer."""
    stream_began_s: dict[int, float] = field(default_factory=dict)
    streams: list[StreamCount] = field(default_factory=list)
    redirects: Redirects | None = None
    over: Over | None = None
    unheard: bool = False
    """Nobody is there who would answer what we sent last."""


def why(error: pj.Error) -> str:
    """The stack's words for what went wrong."""
    return printable(error.reason or error.info())


def guarded(callback: Callable[P, None]) -> Callable[P, None]:
    """Keeps exceptions inside a callback: one that escapes keeps references to pjsua2 objects alive."""

    @functools.wraps(callback)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            callback(*args, **kwargs)
        except pj.Error as error:
            LOG.warning("%s: %s", callback.__name__, printable(error.info()))
        except Exception:
            LOG.exception("%s failed", callback.__name__)

    return run


class Log(pj.LogWriter):  # type: ignore[misc]
    """Takes errors out of pjsip's log. Called in any thread."""

    def __init__(self) -> None:
        super().__init__()
        self.complaints = 0

    @guarded
    def write(self, entry: pj.LogEntry) -> None:
        """Logs an error, drops everything else."""
        if entry.level <= LOG_LEVEL and self.complaints < MAX_COMPLAINTS:
            self.complaints += 1
            LOG.warning("pjsip: %s", printable(entry.msg.strip()[:300]))


class Endpoint(pj.Endpoint):  # type: ignore[misc]
    """The stack; tells of the INVITEs that it refuses without a call."""

    def __init__(self, items: Queue) -> None:
        super().__init__()
        self.items = items

    @guarded
    def onRejectedIncomingCall(self, prm: pj.OnRejectedIncomingCallParam) -> None:  # noqa: N802
        """Such an INVITE makes no `onIncomingCall`."""
        head = parse_head(printable(prm.rdata.wholeMsg))
        if head is not None:
            self.items.put(StackRefused(at_s=time.monotonic(), sip_call_id=head.call_id, code=prm.statusCode))


class Account(pj.Account):  # type: ignore[misc]
    """A SIP identity. `identifier` None: the one that takes calls for nobody we know."""

    def __init__(
        self, identifier: AccountId | None, items: Queue, adopt: Callable[["Account", int, SipHead | None], Leg]
    ) -> None:
        super().__init__()
        self.identifier, self.items, self.adopt = identifier, items, adopt

    @guarded
    def onRegState(self, prm: pj.OnRegStateParam) -> None:  # noqa: N802
        """A REGISTER ended: with a response, or without one (then the code is pjsip's own invention)."""
        if self.identifier is not None:
            self.items.put(
                RegistrationConcluded(
                    at_s=time.monotonic(),
                    account=self.identifier,
                    active=prm.code // 100 == 2 and prm.expiration > 0,
                    local_reason=printable(prm.reason),
                )
            )

    @guarded
    def onIncomingCall(self, prm: pj.OnIncomingCallParam) -> None:  # noqa: N802
        """An INVITE made a call: its object has to exist before this returns."""
        at_s, invite = time.monotonic(), printable(prm.rdata.wholeMsg)
        leg = self.adopt(self, prm.callId, parse_head(invite))
        self.items.put(Invited(at_s, leg, self.identifier, invite))


class Call(pj.Call):  # type: ignore[misc]
    """One call's callbacks."""

    def __init__(self, account: Account, leg: Leg, call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(account, call_id)
        self.leg, self.items = leg, account.items

    @guarded
    def onCallState(self, _prm: pj.OnCallStateParam) -> None:  # noqa: N802
        """Answered, confirmed, or over. For a call that we hang up, this comes before the BYE is sent."""
        info, at_s = self.getInfo(), time.monotonic()
        if info.state == pj.PJSIP_INV_STATE_CONNECTING and self.leg.outgoing:
            self._leave_early_media(at_s)
        elif info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            self.items.put(CallConfirmed(at_s=at_s, call=self.leg.handle))
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self.items.put(Over(at_s, self.leg, printable(info.lastReason)))

    @guarded
    def onCallSdpCreated(self, prm: pj.OnCallSdpCreatedParam) -> None:  # noqa: N802
        """Ours, offer or answer: pjsip has written all codecs that the phone knows."""
        prm.sdp.wholeSdp = self.leg.offering(prm.sdp.wholeSdp)

    def _leave_early_media(self, at_s: float) -> None:
        """Counts from here on: what the SUT itself said before the answer (a 183's media) is no call's.

        The 2xx has come, and its SDP is not looked at yet: all streams that there are began before it.
        """
        self.leg.answered = True
        self.leg.tapped.answered()
        for index in self.leg.stream_began_s:
            self.leg.stream_began_s[index] = at_s
            self.leg.early[index] = stream_count(self.getStreamStat(index), 0.0)

    @guarded
    def onCallMediaState(self, _prm: pj.OnCallMediaStateParam) -> None:  # noqa: N802
        """Media (again) negotiated: its ports are new, so everything is wired again."""
        info = self.getInfo()  # held: its media list is freed with it
        usable = (pj.PJSUA_CALL_MEDIA_ACTIVE, pj.PJSUA_CALL_MEDIA_REMOTE_HOLD)
        for index, media in enumerate(info.media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status in usable:
                self._wire(index)
                self.items.put(self._media_active(index))

    def _wire(self, index: int) -> None:
        audio = self.getAudioMedia(index)
        if self.leg.player is not None:
            self.leg.player.startTransmit(audio)
        if self.leg.echo:
            audio.startTransmit(audio)

    def _media_active(self, index: int) -> MediaActive:
        stream = self.getStreamInfo(index)
        local = self.getMedTransportInfo(index).localRtpName
        event_type = stream.audTxEventPt if stream.audRxEventPt > 0 else -1
        return MediaActive(
            at_s=time.monotonic(),
            call=self.leg.handle,
            negotiated=Negotiated(
                codec=printable(stream.codecName),
                telephone_event_payload_type=event_type if event_type > 0 else None,
                remote_rtp=stream.remoteRtpAddress or None,
            ),
            local_rtp=local or None,
        )

    @guarded
    def onStreamCreated(self, prm: pj.OnStreamCreatedParam) -> None:  # noqa: N802
        """Remembers when a stream began."""
        self.leg.stream_began_s[prm.streamIdx] = time.monotonic()

    @guarded
    def onStreamDestroyed(self, prm: pj.OnStreamDestroyedParam) -> None:  # noqa: N802
        """Reads the counters for the last time: our build stops the stream's sending before it calls this."""
        index, now_s = prm.streamIdx, time.monotonic()
        began_s = self.leg.stream_began_s.pop(index, now_s)
        if self.leg.outgoing and not self.leg.answered:
            return  # all of it was early media
        sends = self.getStreamInfo(index).dir & pj.PJMEDIA_DIR_ENCODING
        count = stream_count(self.getStreamStat(index), now_s - began_s if sends else 0.0)
        early = self.leg.early.pop(index, None)
        self.leg.streams.append(count if early is None else count.since(early))

    @guarded
    def onDtmfEvent(self, prm: pj.OnDtmfEventParam) -> None:  # noqa: N802
        """One RFC 4733 packet."""
        if prm.method == pj.PJSUA_DTMF_METHOD_SIP_INFO:
            return  # those are among the messages
        at_s = time.monotonic()
        for event in self.leg.digits.packet(
            at_s=at_s,
            digit=prm.digit,
            timestamp=prm.timestamp,
            duration_ms=prm.duration,
            update=bool(prm.flags & DTMF_UPDATE),
            end=bool(prm.flags & DTMF_END),
        ):
            self.items.put(event)

    def onCallRedirected(self, prm: pj.OnCallRedirectedParam) -> int:  # noqa: N802
        """To go on to the next contact, or to end the call; an answer is wanted at once."""
        try:
            return self._redirected(prm)
        except Exception:
            LOG.exception("onCallRedirected failed")
            return int(pj.PJSIP_REDIRECT_STOP)

    def _redirected(self, prm: pj.OnCallRedirectedParam) -> int:
        """Of a 3xx the contacts are in its text: `targetUri` has neither port nor headers."""
        redirects = self.leg.redirects
        if redirects is None:
            return int(pj.PJSIP_REDIRECT_STOP)
        redirects.came(printable(prm.e.body.tsxState.src.rdata.wholeMsg))
        reason = redirects.why_not(printable(prm.targetUri))
        if reason is None:
            return int(pj.PJSIP_REDIRECT_ACCEPT)
        self.items.put(NotFollowed(at_s=time.monotonic(), call=self.leg.handle, reason=reason))
        return int(pj.PJSIP_REDIRECT_STOP)

    @guarded
    def onCallTransferRequest(self, prm: pj.OnCallTransferRequestParam) -> None:  # noqa: N802
        """A REFER is refused: it would let the peer choose whom we call."""
        prm.statusCode = pj.PJSIP_SC_FORBIDDEN

    @guarded
    def onCallReplaceRequest(self, prm: pj.OnCallReplaceRequestParam) -> None:  # noqa: N802
        """An INVITE that wants to take over a running test call is refused."""
        prm.statusCode = pj.PJSIP_SC_FORBIDDEN


def call_ended(leg: Leg, over: Over) -> CallEnded:
    """What is known of a leg that is over; its recordings and its capture end with this."""
    recordings = leg.tapped.recorded(over.at_s) if leg.streams else {}
    tapped, capture = leg.tapped.end()
    return CallEnded(
        at_s=over.at_s,
        call=leg.handle,
        local_reason=over.reason,
        stack_sent=rtp_sent(leg.streams),
        stack_received=rtp_received(leg.streams),
        rtt_ms=rtt_ms(leg.streams),
        media_s=media_s(leg.streams),
        recordings=recordings,
        tapped=None if tapped is None else tapped.rows,
        uncounted=0 if tapped is None else tapped.uncounted,
        strangers=0 if tapped is None else tapped.strangers,
        not_rtp=0 if tapped is None else tapped.other,
        guards=() if tapped is None else tuple(map(explained, tapped.guards)),
        capture=capture,
    )


def explained(guard: TapGuard) -> TapGuard:
    """With the stack's words."""
    return replace(guard, said=printable(pj.Endpoint.instance().utilStrError(guard.status))) if guard.status else guard


def stream_count(stat: pj.StreamStat, sending_s: float) -> StreamCount:
    """The counters of one stream, as a value."""
    received, sent = stat.rtcp.rxStat, stat.rtcp.txStat
    return StreamCount(
        sending_s=sending_s,
        sent=sent.pkt,
        received=received.pkt,
        lost=received.loss,
        jitter=_spread(received.jitterUsec),
        reports=sent.updateCount,
        reported_lost=sent.loss,
        reported_jitter=_spread(sent.jitterUsec),
        rtt=_spread(stat.rtcp.rttUsec),
    )


def _spread(stat: pj.MathStat) -> Spread:
    return Spread(samples=stat.n, mean_us=stat.mean, max_us=stat.max)
