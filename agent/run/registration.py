"""The agent's identity at one endpoint: its account, its credentials, and how its registration goes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.clock import Clock
from agent.contract.headers import SentOn, headers_on
from agent.contract.plan import Credentials, Plan, Stage, for_endpoint
from agent.contract.registration import RegistrationObservation, RegistrationOutcome
from agent.observe.connections import Carriers
from agent.observe.registration import Beside, observe_registration
from agent.phone.protocol import (
    AccountId,
    ConnectionSeen,
    Event,
    MessageSeen,
    NotSent,
    Phone,
    PhoneError,
    PortClosed,
    PutOff,
    RegistrationConcluded,
    SipAccount,
    Unparsed,
)
from agent.run.health import HealthMonitor
from agent.run.inputs import InputMissingError
from agent.run.waits import Waits
from agent.sip.text import CALL_ID, SipHead
from agent.tap.model import TapConnection

REGISTER_LIMIT_S: Final = 40.0
"""A REGISTER ends by Timer F after 32 s (RFC 3261 §17.1.2.2); its connection may have taken some seconds before."""
REGISTERING_S: Final = 120.0
"""All tries of an attempt: three that are each answered just in time. More are not waited for."""
SETTLE_S: Final = 0.5
MAX_MESSAGES: Final = 8192
"""Of a stage; a refresh with its challenge takes four. What is lost after so many is not measured."""
MAX_STRANGE: Final = 200
"""Of those, with a Call-ID of which nothing of ours was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A digest identity."""

    username: str
    password: str
    realm: str = "*"


def read_login(credentials: Credentials) -> Login:
    """From one file per key; only `realm` may be absent. InputMissingError names Secret and key."""
    directory = Path(credentials.directory)
    values: dict[str, str] = {}
    for key in ("username", "password", "realm"):
        try:
            values[key] = (directory / key).read_text().rstrip("\r\n")
        except FileNotFoundError:
            if key == "realm":
                continue
            raise InputMissingError(f"Secret {credentials.secret_name} has no key {key}, or is not there") from None
        except (OSError, UnicodeDecodeError) as error:
            raise InputMissingError(f"Secret {credentials.secret_name}, key {key}: cannot be read: {error}") from error
        if not values[key].isprintable():  # it would become lines of its own in a SIP message
            raise InputMissingError(f"Secret {credentials.secret_name}, key {key}: contains a control character")
    return Login(**values)


class Registration:
    """The account at one stage's endpoint, from its making to its end."""

    def __init__(
        self, *, plan: Plan, stage: Stage, phone: Phone, clock: Clock, health: HealthMonitor, login: Login | None,
        past: Registration | None,
    ) -> None:  # fmt: skip
        """Makes the account; registers where the plan says so. `past`: the one before, whose messages may linger."""
        self._plan, self._stage = plan, stage
        self._phone, self._clock = phone, clock
        self._began_s = self._asked_s = clock.monotonic_s()
        """The latter: when its last REGISTER was handed over, or crossed; retransmissions left out."""
        self._asked_cseq = 0
        self._waits = Waits(health, self._began_s)
        self._left_by_s: float | None = None
        self._past_call_ids: frozenset[str] = past.call_ids if past else frozenset()
        self.call_ids: frozenset[str] = self._past_call_ids
        """Of all REGISTERs so far."""
        self._messages: list[MessageSeen] = []
        self._unsent: NotSent | None = None
        self._closed: PortClosed | None = None
        self._unread: Unparsed | None = None
        """The last."""
        self._waiting: PutOff | None = None
        self.carriers: Carriers = past.carriers if past else Carriers()
        """The connections so far."""
        self._word: RegistrationConcluded | None = None
        """The last one."""
        self._first_word: RegistrationConcluded | None = None
        """That of the first attempt, where there was one in time."""
        self._told: RegistrationConcluded | None = None
        """The word that `observation` is made of."""
        self._takes_back = False
        """It left while there was a binding."""
        self._is_untold = False
        """It left, and that the stack had ended it was still to be told."""
        self._is_over = False
        """The last that there is to tell was told."""
        self._failure: str | None = None
        self.observation: RegistrationObservation | None = None
        """Once concluded, again where it lapsed, and at its end; None where nothing was to be registered."""
        self.account = self._made(login)
        """None where it could not be made."""

    def _made(self, login: Login | None) -> AccountId | None:
        try:
            return self._phone.add_account(self._sip_account(login))
        except PhoneError as error:
            self._failure = str(error)
            return None

    def _sip_account(self, login: Login | None) -> SipAccount:
        return SipAccount(
            uri=for_endpoint(self._plan.account.uri, self._stage.endpoint),
            proxy=self._stage.address,
            register=self._plan.account.register,
            expires_s=self._plan.account.registration.expires_seconds,
            username=login.username if login else None,
            password=login.password if login else None,
            realm=login.realm if login else "*",
            headers=headers_on(self._stage.endpoint, self._plan.account.headers).get(SentOn.REGISTER, ()),
        )

    def handle(self, event: Event) -> None:
        """Takes note of REGISTER messages and of the stack's word; what an earlier account's is, is ignored."""
        match event:
            case MessageSeen(head=head) | NotSent(head=head) | PutOff(head=head) if self._is_past(head):
                pass
            case MessageSeen(head=head) if head and head.method == "REGISTER":
                self._note(event, head)
            case PutOff(head=head) if head and head.method == "REGISTER":
                self._waiting = event
                self._asked_s = event.at_s
                self._waits.begin(event.at_s)
            case ConnectionSeen():
                self.carriers.saw(event)
            case NotSent(head=head) if head and head.method == "REGISTER":
                self.call_ids |= {head.call_id}
                self._unsent = event if self.observation else self._unsent or event
            case PortClosed(sip_call_id=call_id) if call_id in self.call_ids - self._past_call_ids:
                self._closed = event
            case Unparsed(text=text) if (found := CALL_ID.search(text)) and found[
                1
            ] in self.call_ids - self._past_call_ids:
                self._unread = event
            case RegistrationConcluded() if event.account == self.account:
                self._word = event

    def _note(self, message: MessageSeen, head: SipHead) -> None:
        call_id = head.call_id
        if message.sent:
            self._waits.begin(message.at_s)
        elif call_id in self.call_ids and head.code is not None and 200 <= head.code < 300:
            self._waits.end(self._clock.monotonic_s())
        if message.sent and head.cseq > self._asked_cseq:
            self._asked_s, self._asked_cseq = message.at_s, head.cseq
        if len(self._messages) < (MAX_MESSAGES if call_id in self.call_ids else MAX_STRANGE) or message.sent:
            self.call_ids |= {call_id}
            self._messages.append(message)

    def _is_past(self, head: SipHead | None) -> bool:
        return head is not None and head.call_id in self._past_call_ids

    def lapsed(self) -> RegistrationObservation | None:
        """What to tell where, after it was registered, a refresh failed or the stack gave it up; once."""
        before, word = self.observation, self._word
        if before is None or word is None or word is self._told or self._left_by_s is not None:
            return None
        if self._has_ended and not self._is_settled:
            return None
        has_ended, self._told = self._has_ended, word
        now = self._observe()
        if before.lapse is not None or (now.lapse is None and not has_ended):
            return None
        self.observation = now
        return now

    @property
    def _has_ended(self) -> bool:
        """By the stack's last word, which is still to be told, it is registered no more."""
        return self.usable and self._word is not None and not self._word.active and self._word is not self._told

    def end(self) -> RegistrationObservation | None:
        """What to tell of the whole of it once it was left; once, and None where there is no more than was told."""
        if self._is_over or not (self._takes_back or self._is_untold):
            return None
        self._is_over = True
        self.observation = self._observe()
        return self.observation

    def _observe(self) -> RegistrationObservation:
        beside = Beside(
            unsent=self._unsent,
            closed=self._closed,
            carriers=self._carried(),
            unread=self._unread,
            at_s=self._clock.monotonic_s(),
            last_word=None if self._word is self._first_word else self._word,
            leaves=self._takes_back,
            hurried=self._is_waiting and self._word is None and not self._closed,
            waits=self._waits.so_far(self._clock.monotonic_s()),
        )
        return observe_registration(
            self._plan.role, self._stage.endpoint, self._messages, self._first_word, beside
        )  # fmt: skip

    @property
    def _is_waiting(self) -> bool:
        """For what the first attempt comes to, or the last REGISTER."""
        return self.observation is None or self._takes_back

    def _carried(self) -> tuple[TapConnection, ...]:
        return self.carriers.of(event for event in (*self._messages, self._unsent, self._waiting) if event)

    @property
    def _is_settled(self) -> bool:
        """Why its connection did not come up is told just after the stack's word that it could not send.

        What came for it in time, and was read too late, likewise: the stack's timers may be ahead of its sockets.
        """
        if self._word is None or self._clock.monotonic_s() >= self._word.at_s + SETTLE_S:
            return True
        if self._unsent is None:
            return self._word.active or self._is_answered
        return not any(one.up_s is None and one.closed_s is None for one in self._carried())

    @property
    def _is_answered(self) -> bool:
        last = self._messages[-1].head if self._messages else None
        return last is not None and last.code is not None and last.code >= 200

    @property
    def _is_late(self) -> bool:
        return self._is_overdue or self._clock.monotonic_s() >= self._began_s + REGISTERING_S

    @property
    def _is_overdue(self) -> bool:
        """The answer to the last REGISTER."""
        return self._clock.monotonic_s() >= self._asked_s + REGISTER_LIMIT_S

    def concluded(self) -> bool:
        """True once it is known whether calls can be made; `observation` is there from then on."""
        if self.observation is None and not self._is_idle:
            if self._failure is not None:
                self.observation = RegistrationObservation(
                    role=self._plan.role,
                    endpoint=self._stage.endpoint,
                    outcome=RegistrationOutcome.ERROR,
                    local_reason=self._failure,
                )
            elif (self._word and self._is_settled) or self._closed or self._is_late:
                self._told = self._first_word = self._word
                self.observation = self._observe()
        return self.observation is not None or self._is_idle

    @property
    def _is_idle(self) -> bool:
        """Nothing was to be registered, and the account is there."""
        return self._failure is None and not self._plan.account.register

    @property
    def usable(self) -> bool:
        """Calls can be made: registered, or nothing was to be registered."""
        if self.observation is None:
            return self._is_idle
        return self.observation.outcome is RegistrationOutcome.REGISTERED

    def leave(self) -> None:
        """Unregisters and forgets the account, once."""
        if self._left_by_s is not None:
            return
        self._left_by_s = self._clock.monotonic_s()
        if self.account is None:
            return
        if self.observation is not None and self.usable and self._word is not None and self._word.active:
            self._takes_back = True
            self._left_by_s += REGISTERING_S
            self._asked_s = self._clock.monotonic_s()
            self._waits.end(self._asked_s)
            self._waits.begin(self._asked_s)
            self._word = None
        elif self._has_ended:
            self._is_untold = True
            self._left_by_s += SETTLE_S
        self._phone.remove_account(self.account)

    def left(self) -> bool:
        """After leave: there is nothing more to wait for."""
        if self._takes_back and ((self._word is not None and self._is_settled) or self._is_overdue):
            return True
        return self._left_by_s is not None and self._clock.monotonic_s() >= self._left_by_s
