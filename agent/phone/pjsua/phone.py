"""The real phone: pjsua2 2.17, one endpoint on one socket of one transport.

The pattern: one pjsip worker thread; callbacks only queue (objects.py), the rest happens in `next_event`
on the one thread that uses the phone; every pjsua2 object is owned here for longer than pjsip needs it, and dropped
before `libDestroy`. After `close` the process should end with `os._exit`: interpreter teardown can hang.
"""

import gc
import itertools
import logging
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import pjsua2 as pj

from agent.contract.address import host_of, place
from agent.contract.codecs import Media
from agent.contract.headers import Headers, value_of
from agent.contract.plan import CALL_HEADER, Transport
from agent.contract.steps import Answer, HangUp, PlayBack, Ring, SendDigits
from agent.phone.media import MediaOfCalls, tap_srtp
from agent.phone.pjsua.configuration import Socket, account_config, call_settings, start
from agent.phone.pjsua.digits import DigitSender
from agent.phone.pjsua.facts import Digits, Epochs, seen_message, taken_digit
from agent.phone.pjsua.lines import Lines
from agent.phone.pjsua.objects import (
    Account,
    Call,
    Endpoint,
    Invited,
    Item,
    Leg,
    Log,
    Over,
    Queue,
    call_ended,
    why,
)
from agent.phone.protocol import (
    AccountId,
    Action,
    CallHandle,
    ConnectionSeen,
    Event,
    IncomingCall,
    Listener,
    MessageSeen,
    PhoneError,
    Playback,
    RegistrationConcluded,
    SipAccount,
    TlsFiles,
)
from agent.sip.dialogs import settled
from agent.sip.offering import Offering
from agent.sip.redirecting import Redirects
from agent.sip.text import SipHead, parse_head, printable
from agent.sip.transactions import Crossed
from agent.tap import Tap, TapError
from agent.tap.call import Captures, TappedCall
from agent.tap.model import TapMessage
from agent.timers import Timers

LOG = logging.getLogger(__name__)

SETTLE_S = 8.0
"""How long a call that is over waits for the answer to its BYE (sent 5 times by then, RFC 3261 §17.1.2.1) or CANCEL."""
SETTLE_POLL_S = 0.02
OF_SYSTEM = range(120_000, 170_000)
"""A pj_status_t that is an errno (PJ_STATUS_FROM_OS)."""
UNREAD_S = 2.0
"""Messages of which the rest has not come for so long are told of: as long as a connection may retransmit twice."""
MESSAGES_AT_ONCE = 64
"""Read from the tap: the rest of a flood waits there, in bounded memory."""


class PjsuaPhone:
    """A `Phone` (agent/phone/protocol.py) made of pjsua2."""

    def __init__(
        self,
        *,
        bind: str,
        sip_port: int,
        transport: Transport = Transport.UDP,
        tls: TlsFiles | None = None,
        also: Sequence[Listener] = (),
        media: MediaOfCalls | None = None,
        recordings: Path,
        captures: Captures | None = None,
        settle_s: float = SETTLE_S,
    ) -> None:
        """Opens the SIP socket; `sip_port` 0: any free one. PhoneError.

        Anybody's calls are taken `also` at others. One WAV per call goes to `recordings`, one pcap to `captures`, where
        given. `media` None: as of a test that says nothing of it.
        """
        self._items = Queue()
        self._next: Item | None = None
        """It waits for the messages that crossed before it to be read."""
        self._epochs = Epochs()
        self._ready: deque[Event] = deque()
        self._timers = Timers()
        self._digits = DigitSender(self._timers, self._ready)
        self._numbers = itertools.count(1)
        self._legs: dict[CallHandle, Leg] = {}
        self._by_call_id: dict[str, Leg] = {}
        self._lines = Lines(self._make_account)
        self._dropped: list[Call] = []
        self._recordings, self._captures, self._settle_s = recordings, captures, settle_s
        self._media = media or MediaOfCalls()
        self._log = Log()
        self._endpoint = Endpoint(self._items)
        self._open(bind, (Listener(transport=transport, port=sip_port, tls=tls), *also))
        if any(socket.transport is not Transport.UDP for socket in self._sockets):
            self._tell_unread()

    def _open(self, bind: str, wanted: Sequence[Listener]) -> None:
        sockets = [Socket(transport=each.transport, bind=bind, port=each.port, tls=each.tls) for each in wanted]
        try:
            self._tap = Tap()
            self._tap.wake(self._items.descriptor)
            self._sockets = start(self._endpoint, self._log, self._tap, sockets, self._media.codecs)
            self._addresses = [self._local(each) for each in self._sockets]
            self._anybody = [self._for_anybody(each) for each in self._sockets]
        except (TapError, pj.Error, PhoneError) as error:
            self._endpoint.libDestroy()
            raise PhoneError(why(error) if isinstance(error, pj.Error) else str(error)) from error

    def _local(self, socket: Socket) -> str:
        name = str(self._endpoint.transportGetInfo(socket.number).localName)  # of IPv6 without brackets
        return place(host_of(name), int(name.rpartition(":")[2]))

    @property
    def address(self) -> str:
        """`ip:port` of the SIP socket."""
        return self._addresses[0]

    @property
    def also(self) -> Sequence[str]:
        """`ip:port` of the others at which it takes anybody's calls."""
        return self._addresses[1:]

    def allow(self, networks: Sequence[str]) -> None:
        """From now on no SIP leaves for an address outside these CIDRs, whatever a peer names."""
        self._tap.allow(networks)

    # --- accounts ----------------------------------------------------------------------------------------------

    def add_account(self, account: SipAccount) -> AccountId:
        """Makes the account; registers when it says so. PhoneError names what pjsip does not take."""
        identifier = AccountId(next(self._numbers))
        self._lines.add(identifier, account)
        return identifier

    def _make_account(self, identifier: AccountId, account: SipAccount) -> Account:
        made = Account(identifier, self._items, self._adopt)
        made.create(account_config(account, self._sockets[0], self._media.srtp_use))
        return made

    def _for_anybody(self, socket: Socket) -> Account:
        """Of no host: an account whose user is called at this agent's own address comes before it."""
        made = Account(None, self._items, self._adopt)
        nobody = SipAccount(uri="sip:calltest@calltest.invalid", proxy="", register=False)
        made.create(account_config(nobody, socket, self._media.srtp_use), socket is self._sockets[0])
        return made

    def remove_account(self, account: AccountId) -> None:
        """Unregisters (if registered, or once it is) and forgets it."""
        self._lines.leave(account)

    # --- calls -------------------------------------------------------------------------------------------------

    def _adopt(self, account: Account, call_id: int, head: SipHead | None) -> Leg:
        """A leg for an incoming call; runs in a pjsip thread, before the call has media."""
        leg = self._leg(head.call_id if head else "", self._media.of_invite(head), outgoing=False)
        leg.branch = head.branch if head else None
        leg.call = Call(account, leg, call_id)
        return leg

    def _leg(self, sip_call_id: str, media: Media, *, outgoing: bool) -> Leg:
        handle = CallHandle(next(self._numbers))
        tapped = TappedCall(self._tap, sip_call_id, self._captures, f"call-{handle}.pcap")
        tapped.secure(tap_srtp(media.srtp))
        leg = Leg(
            handle=handle,
            digits=Digits(handle),
            sip_call_id=sip_call_id,
            outgoing=outgoing,
            tapped=tapped,
            offering=Offering(codecs=media.taken, ptime_ms=media.ptime_milliseconds),
        )
        self._legs[handle] = leg
        return leg

    def call(
        self,
        account: AccountId,
        to: str,
        headers: Headers,
        playback: Playback,
        redirects: Redirects | None = None,
    ) -> tuple[CallHandle, str]:
        """Begins a call; gives the handle and the SIP Call-ID. PhoneError for what pjsip does not take."""
        param = call_settings(headers=headers)
        # Ours, because a call that is refused at once is gone before pjsip could be asked for its own.
        param.opt.customCallId = str(uuid.uuid4())
        leg = self._leg(param.opt.customCallId, self._media.of(value_of(headers, CALL_HEADER)), outgoing=True)
        leg.redirects = redirects
        self._by_call_id[leg.sip_call_id] = leg
        try:
            self._equip(leg, playback)
            leg.call = Call(self._lines.account(account), leg)
            leg.call.makeCall(to, param)
        except pj.Error as error:
            if error.status in OF_SYSTEM:  # the tap tells that the INVITE could not be sent, and by which connection
                self._items.put(Over(time.monotonic(), leg, why(error)))
                return leg.handle, leg.sip_call_id
            self._unequip(leg)
            leg.tapped.abandon()
            del self._by_call_id[leg.sip_call_id]
            self._bury(leg)
            raise PhoneError(f"cannot call {to}: {why(error)}") from error
        return leg.handle, leg.sip_call_id

    def perform(self, call: CallHandle, action: Action) -> None:
        """Does it now, or, with digits, begins to; where the peer's SDP has no telephone-event none are sent so."""
        leg = self._legs.get(call)
        if leg is None or leg.call is None:
            return
        if leg.over is not None:
            leg.unheard |= isinstance(action, HangUp) and action.unheard  # then no answer is waited for either
            return
        match action:
            case Ring():
                self._respond(leg, leg.call, 180, action.headers)
            case Answer():
                if action.code < 300:
                    self._record(leg)
                self._respond(leg, leg.call, action.code, action.headers)
            case PlayBack():
                leg.echo = True
            case SendDigits():
                self._digits.send(leg, action)
            case HangUp():
                leg.to_send.clear()
                call = leg.call
                if action.unheard:
                    self._leave(leg, call)
                self._hang_up(leg, call, action)

    def _respond(self, leg: Leg, call: Call, code: int, headers: Headers) -> None:
        """A response, unless the caller has gone meanwhile. pjsip makes each of the one before, headers and all."""
        new = tuple(header for header in headers if header not in leg.said)
        leg.said += new
        try:
            call.answer(call_settings(code, new))
        except pj.Error as error:
            if call.isActive():
                raise PhoneError(f"cannot answer {code}: {why(error)}") from error

    def _hang_up(self, leg: Leg, call: Call, action: HangUp) -> None:
        """CANCEL, BYE, or 480 to a call that is not answered yet."""
        try:
            is_up = call.getInfo().state in (pj.PJSIP_INV_STATE_CONNECTING, pj.PJSIP_INV_STATE_CONFIRMED)
            call.hangup(call_settings(0 if leg.outgoing else 480, action.bye if is_up else action.cancel))
        except pj.Error as error:
            if call.isActive():
                raise PhoneError(f"cannot hang up: {why(error)}") from error

    def _leave(self, leg: Leg, call: Call) -> None:
        """Ends a call without any response. pjsip sends the INVITE on until Timer B, and has the call for as long."""
        self._dropped.append(call)
        leg.unheard = True
        self._over(Over(time.monotonic(), leg, ""))

    def _equip(self, leg: Leg, playback: Playback) -> None:
        """Opens what the call plays, and what is recorded of it, before its media starts."""
        if playback.wav is not None:
            leg.player = pj.AudioMediaPlayer()
            leg.player.createPlayer(str(playback.wav))
        self._record(leg)

    def _record(self, leg: Leg) -> None:
        leg.tapped.record(self._recordings / f"call-{leg.handle}.wav")

    def _unequip(self, leg: Leg) -> None:
        leg.player = None

    # --- events ------------------------------------------------------------------------------------------------

    def next_event(self, timeout_s: float) -> Event | None:
        """The next event, or None after `timeout_s`. PhoneError once a message was lost to us.

        No verdict may rest on what is left: a response that we dropped would be one that the SUT never sent.
        """
        until_s = time.monotonic() + timeout_s
        while True:
            self._timers.run(time.monotonic())
            if self._ready:
                return self._ready.popleft()
            if self._pump():
                continue
            now_s = time.monotonic()
            if now_s >= until_s:
                return None
            self._items.wait(max(0.0, self._timers.next_s(until_s) - now_s))

    def _pump(self) -> bool:
        """Takes what has come: the messages first that crossed before an item, for it may be about one of them."""
        if self._next is None:
            self._next = self._items.get()
        self._ready.extend(ConnectionSeen(at_s=time.monotonic(), connection=one) for one in self._tap.connections())
        some = list(itertools.islice(self._tap.messages(), MESSAGES_AT_ONCE))
        for message in some:
            self._message(message)
        if self._tap.missed:
            raise PhoneError(f"{self._tap.missed} SIP messages came faster than they could be read")
        item = self._next
        if item is not None and len(some) < MESSAGES_AT_ONCE:
            self._next = None
            self._take(item)
        return bool(self._ready or some) or item is not None

    def _tell_unread(self) -> None:
        """Again and again: a connection that has brought half a message may bring the rest, or never."""
        self._tap.tell_unread(time.monotonic() - UNREAD_S)
        self._after(UNREAD_S / 2, self._tell_unread)

    def _take(self, item: Item) -> None:
        match item:
            case Invited():
                self._invited(item)
            case RegistrationConcluded():
                if self._lines.concluded(item):
                    self._ready.append(item)
            case Over():
                self._over(item)
            case _:
                self._ready.append(item)

    def _message(self, message: TapMessage) -> None:
        event = seen_message(message, self._epochs, self._status)
        self._ready.append(event)
        if not isinstance(event, MessageSeen) or event.head is None:
            return
        leg = self._by_call_id.get(event.head.call_id)
        if leg is not None:
            text = event.text if event.head.method == "INFO" else ""
            leg.messages.saw(Crossed(at_s=event.at_s, sent=event.sent, head=event.head, text=text))
            if (digit := taken_digit(leg.messages, event, leg.handle)) is not None:
                self._ready.append(digit)

    def _invited(self, item: Invited) -> None:
        leg = item.leg
        self._by_call_id[leg.sip_call_id] = leg
        if (head := parse_head(item.invite)) is not None:  # it was read before its leg was there
            leg.messages.saw(Crossed(at_s=item.at_s, sent=False, head=head))
        self._ready.append(
            IncomingCall(
                at_s=item.at_s,
                call=leg.handle,
                account=item.account,
                sip_call_id=printable(leg.sip_call_id),
                invite=item.invite,
            )
        )

    def _over(self, item: Over) -> None:
        if item.leg.over is not None or item.leg.handle not in self._legs:
            return
        item.leg.over = item
        self._unequip(item.leg)
        self._settle(item.leg)

    def _settle(self, leg: Leg) -> None:
        """Ends the leg once its last request is answered, or the time for that is up."""
        if leg.over is None:
            return
        done = leg.unheard or settled(leg.messages, outgoing=leg.outgoing, branch=leg.branch)
        if not done and time.monotonic() - leg.over.at_s < self._settle_s:
            self._after(SETTLE_POLL_S, lambda: self._settle(leg))
            return
        self._by_call_id.pop(leg.sip_call_id, None)
        self._bury(leg)
        self._ready.append(call_ended(leg, leg.over))

    def _bury(self, leg: Leg) -> None:
        self._legs.pop(leg.handle, None)
        leg.call = None

    def _status(self, status: int) -> str:
        """Pjsip's words for a status of its own."""
        return printable(self._endpoint.utilStrError(status))

    def _after(self, wait_s: float, action: Callable[[], None]) -> None:
        self._timers.at(time.monotonic() + wait_s, action)

    def close(self) -> None:
        """Hangs up, unregisters, and ends pjsip. No events follow; the process ends next (os._exit)."""
        idle = not self._by_call_id and not self._lines.registered
        self._timers.clear()
        self._endpoint.hangupAllCalls()
        for leg in list(self._legs.values()):
            leg.tapped.end()
            self._unequip(leg)
            leg.call = None
        for kept in (self._legs, self._by_call_id, self._dropped):
            kept.clear()
        self._lines.clear()
        self._next = None
        while self._items.get() is not None:  # they refer to legs too
            pass
        self._tap.wake(-1)
        del self._anybody
        gc.collect()
        # Where a call or registration is still up, pjsip stays for a second to hear the answers to its last requests.
        self._endpoint.libDestroy(pj.PJSUA_DESTROY_NO_RX_MSG if idle else 0)
