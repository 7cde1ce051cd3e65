"""A phone without a network: SIP as an honest stack would send it, and a peer that a test makes misbehave."""

import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.contract.expect import DtmfMethod
from agent.contract.media import Negotiated, Rtp
from agent.contract.steps import Answer, HangUp, PlayBack, Ring, SendDigits
from agent.phone.protocol import (
    AccountId,
    CallConfirmed,
    CallEnded,
    CallHandle,
    DigitEnded,
    DigitReceived,
    DigitSent,
    Event,
    IncomingCall,
    MediaActive,
    PhoneError,
    Playback,
    RegistrationConcluded,
    SipAccount,
)
from agent.sip.redirecting import Redirects
from agent.sound.samples import read_wav, write_wav
from agent.tap.model import TapDigit, TapStream
from tests.unit.fake_clock import FakeClock
from tests.unit.sip_messages import message, request, response, sdp, with_sdp
from tests.unit.taps import tap_digit, tap_stream

ANSWER_S = 0.05
TIMER_F_S = 32.0
DIGIT_S = 0.2
OURS, THEIRS = "127.0.0.1:1", "127.0.0.1:2"
"""Where RTP is received."""


@dataclass(kw_only=True)
class Peer:
    """What the other side does. The defaults are those of a parrot in good health."""

    rings: bool = True
    answers_after_s: float | None = 0.1
    code: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    """In its final response."""
    hangs_up_after_s: float | None = None
    answers_bye: bool = True
    answers_cancel: bool = True
    answer_crosses_cancel: bool = False
    repeats_digits: int = 1
    register_code: int | None = 200
    answers_unregister: bool = True
    ends_calls: bool = True
    """False: the stack itself forgets to say that a call has ended."""
    telephone_event: int | None = 120
    acknowledges: bool = True
    """Our 2xx gets its ACK."""
    sent_again_s: tuple[float, ...] = ()
    """When our INVITE or REGISTER is sent again."""


@dataclass(kw_only=True)
class FakeCall:
    handle: CallHandle
    call_id: str
    account: AccountId | None
    outgoing: bool
    to: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    playback: Playback = field(default_factory=Playback)
    redirects: Redirects | None = None
    echo: bool = False
    answered_s: float | None = None
    hung_up: bool = False
    over: bool = False
    digits: list[tuple[bool, TapDigit]] = field(default_factory=list)
    """Sent or received."""


CONTACT = "Contact: <sip:alice@127.0.0.1:5070>\r\n"
"""Of the fake phone."""


class FakePhone:
    """Events come at their time on the fake clock; waiting for one moves the clock."""

    def __init__(self, clock: FakeClock, directory: Path, peer: Peer | None = None) -> None:
        self.clock = clock
        self.directory = directory
        self.peer = peer or Peer()
        self.calls: dict[CallHandle, FakeCall] = {}
        self.accounts: dict[AccountId, SipAccount] = {}
        self.bound: set[AccountId] = set()
        """Those that are registered."""
        self.did: list[tuple] = []
        """Each thing that was asked of the phone, with its time."""
        self.headers: dict[CallHandle, list[tuple[str, dict[str, str]]]] = {}
        """What it was to put on messages after the INVITE; of a HangUp, as a BYE."""
        self.refuses: set[str] = set()
        """Methods that raise PhoneError."""
        self.hooks: dict[str, object] = {}
        self._events: list[tuple[float, int, Event]] = []
        self._numbers = itertools.count(1)

    address = "127.0.0.1:5070"

    # --- the protocol ---

    def allow(self, networks: Sequence[str]) -> None:
        self.allowed = tuple(networks)

    def add_account(self, account: SipAccount) -> AccountId:
        self._asked("add_account", account)
        identifier = AccountId(next(self._numbers))
        self.accounts[identifier] = account
        if account.register:
            self._register(identifier)
        return identifier

    def remove_account(self, account: AccountId) -> None:
        self._asked("remove_account", account)
        del self.accounts[account]
        if account not in self.bound:
            return
        call_id = f"reg-{account}"
        self._send(request("REGISTER", call_id, cseq=9, extra=f"{CONTACT}Expires: 0\r\n"))
        if self.peer.answers_unregister:
            self.received(response(200, call_id, cseq=9, method="REGISTER"), ANSWER_S)
        over_s = ANSWER_S if self.peer.answers_unregister else TIMER_F_S
        self.at(over_s, RegistrationConcluded, account=account, active=False, local_reason="")

    def call(self, account, to, headers, playback, redirects=None):
        headers = {header.name: header.value for header in headers}
        self._asked("call", to, headers)
        handle = CallHandle(next(self._numbers))
        call = FakeCall(
            handle=handle,
            call_id=f"call-{handle}",
            account=account,
            outgoing=True,
            to=to,
            headers=headers,
            playback=playback,
            redirects=redirects,
        )
        self.calls[handle] = call
        self._send(request("INVITE", call.call_id, key=headers.get("X-Calltest-Call"), **with_sdp(sdp(OURS))))
        self._be_called(call)
        return handle, call.call_id

    def perform(self, call: CallHandle, action) -> None:
        fake = self.calls[call]
        if headers := getattr(action, "headers", getattr(action, "bye", ())):
            told = {header.name: header.value for header in headers}
            self.headers.setdefault(call, []).append((type(action).__name__, told))
        match action:
            case Ring():
                self._asked("ring", call)
                self.sent(response(180, fake.call_id))
            case Answer():
                self._asked("answer", call, action.code)
                self._answer(fake, action)
            case PlayBack():
                self._asked("play_back", call)
                fake.echo = True
            case SendDigits():
                self._asked("send_digits", call, action.digits, action.tone_ms, action.method, action.info_type)
                self._send_digits(call, action.digits, action.tone_ms)
            case HangUp():
                self._asked("hang_up", call)
                self._hang_up(fake, unheard=action.unheard)

    def _answer(self, fake: FakeCall, action: Answer) -> None:
        fake.headers = {header.name: header.value for header in action.headers}
        body = with_sdp(sdp(OURS)) if action.code < 300 else {}
        self.sent(response(action.code, fake.call_id, headers=fake.headers, **body))
        if action.code >= 300:
            self.end(fake, after_s=0.01)
            return
        self._confirm(fake, after_s=ANSWER_S)

    def _send_digits(self, call: CallHandle, digits: str, tone_ms: int) -> None:
        for place, digit in enumerate(digits):
            at_s = place * DIGIT_S
            self.at(at_s + tone_ms / 1000, DigitSent, call=call, digit=digit, duration_ms=float(tone_ms))
            crossed = tap_digit(digit, self.clock.now_s + at_s, duration_ms=float(tone_ms))
            self.calls[call].digits.append((True, crossed))
        if self.calls[call].outgoing:
            for turn in range(self.peer.repeats_digits):
                self.receive_digits(call, digits, after_s=(turn + 1) * (len(digits) * DIGIT_S + 0.7))

    def _hang_up(self, fake: FakeCall, *, unheard: bool) -> None:
        again, fake.hung_up = fake.hung_up, True
        if unheard:
            self.end(fake, after_s=0.0)
        if fake.over:
            return
        if fake.answered_s is not None or not fake.outgoing:
            self._send_bye(fake)
        elif not again:
            self._send_cancel(fake)

    def next_event(self, timeout_s: float) -> Event | None:
        until_s = self.clock.now_s + timeout_s
        if self._events and self._events[0][0] <= until_s:
            at_s, _, event = heapq.heappop(self._events)
            self.clock.now_s = max(self.clock.now_s, at_s)
            return event
        self.clock.now_s = until_s
        return None

    def close(self) -> None:
        self._asked("close")

    # --- what the other side does ---

    def at(self, after_s: float, kind, **fields) -> None:
        at_s = self.clock.now_s + after_s
        heapq.heappush(self._events, (at_s, next(self._numbers), kind(at_s=at_s, **fields)))

    def sent(self, text: str, after_s: float = 0.0) -> None:
        self.at(after_s, message, text=text, sent=True)

    def _send(self, text: str) -> None:
        for after_s in (0.0, *self.peer.sent_again_s):
            self.sent(text, after_s)

    def received(self, text: str, after_s: float = 0.0) -> None:
        self.at(after_s, message, text=text, sent=False)

    def invite(self, *, after_s: float = 0.0, key: str | None = None, call_id: str | None = None) -> FakeCall:
        """A call comes in."""
        handle = CallHandle(next(self._numbers))
        call = FakeCall(handle=handle, call_id=call_id or f"in-{handle}", account=None, outgoing=False)
        self.calls[handle] = call
        text = request("INVITE", call.call_id, key=key, **self._sdp())
        self.received(text, after_s)
        self.at(after_s, IncomingCall, call=handle, account=None, sip_call_id=call.call_id, invite=text)
        return call

    def receive_digits(self, call: CallHandle, digits: str, *, after_s: float = 0.0, ends: bool = True) -> None:
        for place, digit in enumerate(digits):
            at_s = after_s + place * DIGIT_S
            self.at(at_s, DigitReceived, call=call, digit=digit, method=DtmfMethod.RFC4733)
            crossed = tap_digit(digit, self.clock.now_s + at_s, end_packets=3 if ends else 0)
            self.calls[call].digits.append((False, crossed))
            if ends:
                self.at(at_s + 0.1, DigitEnded, call=call, digit=digit, duration_ms=100.0)

    def be_hung_up_on(self, call: FakeCall, *, after_s: float) -> None:
        """The peer sends a BYE."""
        tags = {"from_tag": "t", "to_tag": "f"} if call.outgoing else {"from_tag": "f", "to_tag": "t"}
        self.received(request("BYE", call.call_id, cseq=1, **tags), after_s)
        self.sent(response(200, call.call_id, method="BYE", **tags), after_s)
        self.end(call, after_s=after_s)

    def end(self, call: FakeCall, *, after_s: float) -> None:
        """The stack says that a call is over."""
        call.over = True
        if not self.peer.ends_calls:
            return
        media_s = None if call.answered_s is None else self.clock.now_s + after_s - call.answered_s
        packets = None if media_s is None else Rtp(packets=round(50 * media_s), lost=0, jitter_ms=1.0)
        until_s = self.clock.now_s + after_s
        tapped = None if media_s is None else tuple(self._crossed(call, until_s, sent=sent) for sent in (True, False))
        self.at(
            after_s,
            CallEnded,
            call=call.handle,
            local_reason="stack's words",
            stack_sent=packets,
            stack_received=packets,
            tapped=tapped,
            rtt_ms=None,
            media_s=media_s,
            recordings=self._record(call, media_s),
        )

    def _crossed(self, call: FakeCall, until_s: float, *, sent: bool) -> TapStream:
        began_s = call.answered_s or 0.0
        packets = round(50 * (until_s - began_s))
        return tap_stream(
            sent=sent,
            mark=1 if call.outgoing else 0,
            packets=packets,
            expected=packets,
            media_ms=1000 * (until_s - began_s),
            first_s=began_s,
            last_s=until_s,
            digits=tuple(d for was_sent, d in call.digits if was_sent is sent and d.last_s <= until_s),
        )

    def _record(self, call: FakeCall, media_s: float | None) -> dict[str, Path]:
        """The recording: a parrot's echo of what was played, or nothing."""
        if media_s is None:
            return {}
        path = self.directory / f"heard-{call.handle}.wav"
        if call.playback.wav is not None and call.playback.wav.exists():
            write_wav(path, read_wav(call.playback.wav))
        return {"127.0.0.1:2": path} if path.exists() else {}

    def _register(self, account: AccountId) -> None:
        call_id = f"reg-{account}"
        self._send(request("REGISTER", call_id, extra=f"{CONTACT}Expires: 300\r\n"))
        code = self.peer.register_code
        if code == 200:
            self.bound.add(account)
        if code is None:
            self.at(
                TIMER_F_S, RegistrationConcluded, account=account, active=False, local_reason="Request Timeout (408)"
            )
            return
        self.received(response(code, call_id, method="REGISTER", extra=f"{CONTACT}Expires: 300\r\n"), ANSWER_S)
        self.at(ANSWER_S, RegistrationConcluded, account=account, active=code == 200, local_reason=str(code))

    def _be_called(self, call: FakeCall) -> None:
        if self.peer.rings:
            self.received(response(100, call.call_id), 0.01)
            self.received(response(180, call.call_id), 0.02)
        if self.peer.answers_after_s is None:
            return
        body = self._sdp() if self.peer.code < 300 else {}
        text = response(self.peer.code, call.call_id, headers=self.peer.headers, **body)
        self.received(text, self.peer.answers_after_s)
        if self.peer.code >= 300:
            self.end(call, after_s=self.peer.answers_after_s)
            return
        self._confirm(call, after_s=self.peer.answers_after_s)
        if self.peer.hangs_up_after_s is not None:
            self.be_hung_up_on(call, after_s=self.peer.answers_after_s + self.peer.hangs_up_after_s)

    def _sdp(self) -> dict[str, str]:
        """The peer's."""
        event = self.peer.telephone_event
        if event is None:
            return with_sdp(sdp(THEIRS, types="0", rtpmap=""))
        return with_sdp(sdp(THEIRS, types=f"0 {event}", rtpmap=f"a=rtpmap:{event} telephone-event/8000"))

    def _confirm(self, call: FakeCall, *, after_s: float) -> None:
        call.answered_s = self.clock.now_s + after_s
        negotiated = Negotiated(
            codec="PCMU", telephone_event_payload_type=self.peer.telephone_event, remote_rtp="127.0.0.1:9"
        )
        self.at(after_s, MediaActive, call=call.handle, negotiated=negotiated, local_rtp="127.0.0.1:8")
        if not call.outgoing and not self.peer.acknowledges:
            return
        (self.sent if call.outgoing else self.received)(request("ACK", call.call_id, to_tag="t"), after_s)
        self.at(after_s, CallConfirmed, call=call.handle)

    def _send_bye(self, call: FakeCall) -> None:
        tags = {"from_tag": "f", "to_tag": "t"} if call.outgoing else {"from_tag": "t", "to_tag": "f"}
        self.sent(request("BYE", call.call_id, cseq=2, **tags))
        if self.peer.answers_bye:
            self.received(response(200, call.call_id, cseq=2, method="BYE", **tags), ANSWER_S)
        self.end(call, after_s=ANSWER_S if self.peer.answers_bye else TIMER_F_S)

    def _send_cancel(self, call: FakeCall) -> None:
        self.sent(request("CANCEL", call.call_id))
        if self.peer.answer_crosses_cancel:
            self.received(response(200, call.call_id, **self._sdp()), 0.01)
            self._confirm(call, after_s=0.01)
            return
        if self.peer.answers_cancel:
            self.received(response(200, call.call_id, method="CANCEL"), ANSWER_S)
            self.received(response(487, call.call_id), ANSWER_S)
        self.end(call, after_s=ANSWER_S if self.peer.answers_cancel else TIMER_F_S)

    def _asked(self, what: str, *details: object) -> None:
        self.did.append((what, round(self.clock.now_s - 1000, 3), *details))
        if what in self.refuses:
            raise PhoneError(f"{what} refused")
