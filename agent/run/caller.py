"""The caller: places a stage's calls, as pace and concurrency allow; what is done in them are their steps."""

import logging
import re
from collections import deque
from dataclasses import dataclass
from typing import Final

from agent.clock import Clock
from agent.contract.call import Call
from agent.contract.headers import Header, SentOn, headers_on
from agent.contract.outcome import OnRedirect
from agent.contract.plan import (
    CALL_HEADER,
    DialRoute,
    Plan,
    Stage,
    Transport,
    call_key,
    for_endpoint,
    identity_code,
    transport_parameter,
)
from agent.contract.steps import steps_of, with_headers
from agent.contract.verdict import Role
from agent.observe.leg import LegFacts
from agent.phone.protocol import AccountId, CallHandle, Phone, PhoneError
from agent.run.legs import LegBook
from agent.run.party import Party
from agent.run.playlist import Playlist
from agent.sip.redirecting import Redirects
from agent.sound.samples import SoundError
from agent.timers import Timers

log = logging.getLogger(__name__)
_URI_USER: Final = re.compile(r"sips?:([^@>\s]+)@", re.IGNORECASE)
"""With its parameters, which are the user part's own (`+123;phone-context=x`, RFC 3261 §19.1.6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    group: Call
    code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialling:
    """Where a stage's calls go."""

    stage: Stage
    account: AccountId
    peer_address: str | None
    """For DialRoute.PEER."""


class Caller:
    """Places the calls of one stage after the other: groups in the plan's order, each call held and hung up."""

    def __init__(
        self,
        *,
        plan: Plan,
        phone: Phone,
        party: Party,
        book: LegBook,
        clock: Clock,
        timers: Timers,
        playlist: Playlist,
    ) -> None:
        self._plan = plan
        self._phone = phone
        self._party = party
        self._book = book
        self._clock = clock
        self._timers = timers
        self._playlist = playlist
        self._calls: dict[CallHandle, _Call] = {}
        self._waiting: deque[tuple[Call, int]] = deque()
        self._dialling: Dialling | None = None
        self._next_call_s = float("-inf")
        self._is_paced = False
        """A timer is pending that places more: one is enough, however many calls end meanwhile."""

    @property
    def idle(self) -> bool:
        """All calls that were asked for have been placed and have ended."""
        return not self._waiting and not self._calls

    def begin(self, dialling: Dialling) -> None:
        """Places all calls of the plan at one stage."""
        self._dialling = dialling
        self._waiting.extend((group, number) for group in self._plan.calls for number in range(group.count))
        self._place_more()

    def over(self, handle: CallHandle) -> None:
        """A call has ended, perhaps one of these."""
        call = self._calls.pop(handle, None)
        if call is not None:
            self._playlist.over(call.code)
            self._place_more()

    def hang_up_all(self) -> list[CallHandle]:
        """Ends all calls, and places no more; gives those that were not about to end."""
        self._waiting.clear()
        return [handle for handle in list(self._calls) if self._party.hang_up(handle)]

    def _place_more(self) -> None:
        """Places what pace and concurrency allow; a group waits for the one before it to end."""
        while self._waiting and self._has_room(self._waiting[0][0]):
            now_s = self._clock.monotonic_s()
            if now_s < self._next_call_s:
                self._pace()
                return
            self._next_call_s = max(now_s, self._next_call_s) + 1 / self._plan.max_calls_per_second
            self._place(*self._waiting.popleft())

    def _pace(self) -> None:
        """Goes on when the next call may be placed."""
        if not self._is_paced:
            self._is_paced = True
            self._timers.at(self._next_call_s, self._paced)

    def _paced(self) -> None:
        self._is_paced = False
        self._place_more()

    def _has_room(self, group: Call) -> bool:
        return len(self._calls) < group.concurrency and all(call.group is group for call in self._calls.values())

    def _place(self, group: Call, number: int) -> None:
        assert self._dialling is not None
        stage = self._dialling.stage
        key = call_key(self._plan.run.uid, stage.endpoint, group.name, number)
        code = identity_code(key)
        sent = headers_on(stage.endpoint, self._plan.account.headers, group.caller.headers)
        try:
            playback = self._playlist.playback(group.caller.play, code)
            headers = (Header(name=CALL_HEADER, value=key), *sent.get(SentOn.INVITE, ()))
            handle, sip_call_id = self._phone.call(
                self._dialling.account, self._request_uri(group), headers, playback, self._redirects(group)
            )
        except (PhoneError, SoundError, OSError) as error:
            log.warning("call %s/%d: not placed: %s", group.name, number, error)
            self._playlist.over(code)
            self._book.never_began(self._facts(group, number, key, None), f"not placed: {error}")
            return
        self._calls[handle] = _Call(group=group, code=code)
        self._book.begin(self._facts(group, number, key, sip_call_id), handle)
        self._party.begin(handle, with_headers(steps_of(group, Role.CALLER), sent))

    def _redirects(self, group: Call) -> Redirects | None:
        """Where contacts of a 3xx are called: the test's rules hold of them, and the callee may be among them."""
        assert self._dialling is not None
        if group.caller.redirects is OnRedirect.STOP:
            return None
        pattern, peer = self._plan.allow_dial, self._dialling.peer_address
        own = [address.rpartition(":")[0].strip("[]") for address in (self._phone.address, peer) if address]
        return Redirects(
            allow_dial=None if pattern is None else re.compile(pattern),
            networks=(*self._plan.allowed_targets, *own),
            secure=self._plan.transport is Transport.TLS,
        )

    def _facts(self, group: Call, number: int, key: str, sip_call_id: str | None) -> LegFacts:
        assert self._dialling is not None
        return LegFacts(
            role=Role.CALLER,
            endpoint=self._dialling.stage.endpoint,
            call=group.name,
            number=number,
            call_key=key,
            sip_call_id=sip_call_id,
            started_at=self._clock.unix_s(),
        )

    def _request_uri(self, group: Call) -> str:
        """As the plan says, or the callee's own address with the user that the plan says."""
        assert self._dialling is not None
        assert group.to is not None  # a plan without is refused
        uri = for_endpoint(group.to, self._dialling.stage.endpoint)
        if self._plan.dial is DialRoute.TARGET:
            return uri
        if self._dialling.peer_address is None:
            raise PhoneError("the callee's address is not known: signal.peerAddress is null")
        user = _URI_USER.match(uri)
        peer = self._dialling.peer_address
        if uri.lower().startswith("sips:"):  # that says TLS
            return f"sips:{user[1]}@{peer}" if user else f"sips:{peer}"
        peer += transport_parameter(self._plan.transport)
        return f"sip:{user[1]}@{peer}" if user else f"sip:{peer}"
