"""A phone's accounts, from their making until nothing of them is left at a registrar."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pjsua2 as pj

from agent.phone.pjsua.objects import Account, why
from agent.phone.protocol import AccountId, PhoneError, RegistrationConcluded, SipAccount

LOG = logging.getLogger(__name__)

PJSIP_EBUSY: Final = 171_001
"""A REGISTER of the account waits for its answer."""


@dataclass(slots=True, eq=False)
class _Line:
    """An account and where its registration stands."""

    uri: str
    account: Account
    concluded: bool
    registered: bool = False
    leaving: bool = False
    taken_back: bool = False
    """The REGISTER that ends the binding was sent."""


class Lines:
    """The accounts that there are, those included that were left and whose registrar has not answered yet."""

    def __init__(self, make: Callable[[AccountId, SipAccount], Account]) -> None:
        """`make`: of pjsua2; may raise pj.Error."""
        self._make = make
        self._lines: dict[AccountId, _Line] = {}
        self._dropped: list[Account] = []
        """Call objects refer to them."""

    def account(self, identifier: AccountId) -> Account:
        """That account."""
        return self._lines[identifier].account

    @property
    def registered(self) -> bool:
        """Some account has a binding."""
        return any(line.registered for line in self._lines.values())

    def add(self, identifier: AccountId, account: SipAccount) -> None:
        """Makes the account; registers when it says so. PhoneError names what pjsip does not take."""
        try:
            made = self._make(identifier, account)
        except pj.Error as error:
            raise PhoneError(f"account {account.uri} by way of {account.proxy}: {why(error)}") from error
        self._lines[identifier] = _Line(account.uri, made, concluded=not account.register)

    def leave(self, identifier: AccountId) -> None:
        """Takes the binding back, and forgets the account once that is answered.

        An answer that is due is waited for: a registrar that was away may yet take a REGISTER that is sent again.
        """
        line = self._lines[identifier]
        line.leaving = True
        if line.concluded and not (line.registered and self._take_back(line)):
            self._forget(identifier)

    def concluded(self, event: RegistrationConcluded) -> bool:
        """Takes note of the end of a REGISTER; False: it is of no interest to anybody."""
        line = self._lines.get(event.account)
        if line is None:
            return False
        line.concluded, line.registered = True, event.active
        if not line.leaving:
            return True
        if not event.active or line.taken_back:
            self._forget(event.account)
            return True
        if self._has_successor(line):  # replicas may share their bindings: it would lose the one that is in use
            LOG.warning("%s: registered after it was left; unregistered when the agent ends", line.uri)
        elif not self._take_back(line):
            self._forget(event.account)
        return False

    def _has_successor(self, line: _Line) -> bool:
        return any(other.uri == line.uri and not other.leaving for other in self._lines.values())

    def _take_back(self, line: _Line) -> bool:
        """Whether its answer, or before it that of a REGISTER that is under way, is to be waited for."""
        try:
            line.account.setRegistration(False)
        except pj.Error as error:
            if error.status == PJSIP_EBUSY:
                return True
            LOG.warning("cannot unregister: %s", why(error))
            return False
        line.taken_back = True
        return True

    def _forget(self, identifier: AccountId) -> None:
        line = self._lines.pop(identifier)
        line.account.shutdown()
        self._dropped.append(line.account)

    def clear(self) -> None:
        """Lets go of all; pjsip takes back what is registered when it ends."""
        self._lines.clear()
        self._dropped.clear()
