"""What a pjsua file says, by account. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from controller.cli.convert.arguments import Arguments, Given, last_of
from controller.cli.convert.ledger import Ledger
from controller.cli.convert.table import AGAIN, OF_ACCOUNT, ROWS, Fate

_OF_CREDENTIALS: Final = frozenset(("realm", "username", "password"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What stands between two `--next-account`."""

    options: Mapping[str, Given]
    """Those of an account, the last of each."""
    proxies: tuple[Given, ...]
    credentials: tuple[Mapping[str, Given], ...]
    """Of each pair the last `realm`, `username` and `password`; those without a user are none."""
    all: tuple[Given, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A whole file."""

    where: str
    accounts: tuple[Account, ...]
    """Those with an `--id`."""
    options: Mapping[str, Given]
    """All, the last of each."""
    arguments: Arguments

    def every(self, name: str) -> tuple[Given, ...]:
        """Each time that it was given."""
        return tuple(given for given in self.arguments.options if given.name == name)


def read_settings(where: str, arguments: Arguments, ledger: Ledger) -> Settings:
    """UnusableInputError for an account before the last one that has no `--id`."""
    accounts: list[Account] = []
    parts = list(_parts(arguments.options))
    for index, part in enumerate(parts):
        account = _account(part)
        if "id" in account.options:
            accounts.append(account)
        elif index < len(parts) - 1:
            next_one = [given for given in arguments.options if given.name == "next-account"][index]
            raise next_one.fault("the account before it has no --id, which pjsua refuses: give it one")
    for given in arguments.options:
        if given.name == "next-account":
            ledger.mapped(given, "begins another account")
    _tell_passed_over(arguments.options, parts, ledger)
    return Settings(where=where, accounts=tuple(accounts), options=last_of(arguments.options), arguments=arguments)


def _parts(options: Sequence[Given]) -> Iterator[list[Given]]:
    part: list[Given] = []
    for given in options:
        if given.name == "next-account":
            yield part
            part = []
        elif given.name in OF_ACCOUNT:
            part.append(given)
    yield part


def _account(part: Sequence[Given]) -> Account:
    return Account(
        options=last_of(part),
        proxies=tuple(given for given in part if given.name == "proxy"),
        credentials=tuple(_credentials(part)),
        all=tuple(part),
    )


def _credentials(part: Sequence[Given]) -> Iterator[Mapping[str, Given]]:
    found: dict[str, Given] = {}
    for given in part:
        if given.name in _OF_CREDENTIALS:
            found[given.name] = given
        elif given.name == "next-cred":
            yield from _with_user(found)
            found = {}
    yield from _with_user(found)


def _with_user(found: Mapping[str, Given]) -> Iterator[Mapping[str, Given]]:
    if "username" in found:
        yield found


def _tell_passed_over(options: Sequence[Given], parts: Sequence[Sequence[Given]], ledger: Ledger) -> None:
    """Where the last one counts, the others are told as passed over."""
    for group in ([given for given in options if given.name not in OF_ACCOUNT], *parts):
        counts = last_of(group)
        for given in group:
            if given is not counts[given.name] and given.name not in AGAIN and ROWS[given.name].fate is Fate.MAPPED:
                ledger.tell(given, Fate.UNUSED, f"the one behind it counts ({counts[given.name].place})")
