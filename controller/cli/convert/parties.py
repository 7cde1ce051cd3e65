"""Who calls and who is called: pjsua's accounts as a CallTest's caller and callee. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from agent.contract.plan import Transport
from controller.cli.convert.arguments import Given
from controller.cli.convert.destination import Destination, uri_of
from controller.cli.convert.ledger import Ledger
from controller.cli.convert.materials import Materials
from controller.cli.convert.settings import Account, Settings
from controller.cli.convert.table import Fate
from controller.faults import UnusableInputError

MIN_EXPIRES_S: Final = 10
_EXPIRES_S: Final = 300
_SAID: Final = {"use-timer": 1, "timer-se": 1800, "timer-min-se": 90}
"""Session timers as agents have them, and pjsua by default."""
_BOUNDS: Final = {"use-timer": (0, 3), "timer-se": (90, 2**31), "timer-min-se": (90, 2**31)}
ANOTHER_WAY: Final = "without its ;transport, which is not that of spec.target"
_OTHER: Final = "of another account: a test has one caller and one callee"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Which account does what."""

    caller: Account | None
    """None: it has no account of its own."""
    callee: Account | None
    is_called: bool
    """The test is of a callee, and the file has nobody who calls."""

    @property
    def first(self) -> Account | None:
        """Whose way is the test's."""
        return self.callee if self.is_called else self.caller


def cast_of(settings: Settings, ledger: Ledger) -> Cast:
    """As pjsua has it, the last account calls; UnusableInputError where the file makes no test."""
    uri, accounts, answers = settings.arguments.uri, settings.accounts, "auto-answer" in settings.options
    if uri is not None:
        caller = accounts[-1] if accounts else None
        callee = next((each for each in accounts[:-1] if answers and _is_of(each, uri)), None)
        cast = Cast(caller=caller, callee=callee, is_called=False)
    elif answers and accounts:
        caller = accounts[0] if len(accounts) > 1 else None
        cast = Cast(caller=caller, callee=accounts[-1], is_called=True)
    elif accounts and "registrar" in accounts[-1].options:
        cast = Cast(caller=accounts[-1], callee=None, is_called=False)
    else:
        raise UnusableInputError(
            f"{settings.where}: nobody is called, answers or registers: give the URI to call behind the file, as to"
            " pjsua, or add --auto-answer with --id, or --registrar with --id"
        )
    for account in accounts:
        if account is not cast.caller and account is not cast.callee:
            _tell_other(account.all, ledger)
    return cast


def _is_of(account: Account, uri: Given) -> bool:
    return uri_of(account.options["id"])[1].address_of_record == uri_of(uri)[1].address_of_record


def _tell_other(given: Iterable[Given], ledger: Ledger) -> None:
    for each in given:
        ledger.dropped(each, _OTHER)


def party_of(
    account: Account, role: str, to: Destination, materials: Materials, ledger: Ledger
) -> tuple[dict[str, Any], bool]:
    """`spec.caller` or `spec.callee` without its media, and whether it registers."""
    identity = account.options["id"]
    uri, is_whole = identity_of(identity, to.transport)
    party: dict[str, Any] = {"uri": uri}
    named = identity.value.partition("<")[0].strip() if "<" in identity.value else ""
    if named:
        ledger.dropped(identity, f"spec.{role}.uri: without the name before it, for which there is no field yet")
    elif is_whole:
        ledger.mapped(identity, f"spec.{role}.uri")
    else:
        ledger.dropped(identity, f"spec.{role}.uri: {ANOTHER_WAY}")
    if account.credentials:
        party["credentials"] = {"secretName": _credentials(account, role, materials, ledger)}
    registers = "registrar" in account.options
    if registers:
        party |= _registration(account, role, to, ledger)
    _tell_timers(account, ledger)
    return party, registers


def identity_of(given: Given, transport: Transport) -> tuple[str, bool]:
    """Without a `;transport` that is not the test's, which a test cannot have; whether it is whole."""
    text, uri = uri_of(given)
    said = dict(uri.parameters).get("transport")
    if said is None or said.upper() == transport:
        return text, True
    kept = [part for part in text.split(";") if not part.lower().startswith("transport=")]
    return ";".join(kept), False


def _credentials(account: Account, role: str, materials: Materials, ledger: Ledger) -> str:
    if len(account.credentials) > 1:
        second = account.credentials[1]["username"]
        raise second.fault("a second pair of credentials: a party has one: remove --next-cred and all but one")
    (given,) = account.credentials
    name = materials.credentials(role, given)
    for key in ("username", "password"):
        ledger.mapped(given.get(key), f"spec.{role}.credentials: Secret {name}, key {key}")
    if "password" not in given:
        ledger.not_given("--password", f"Secret {name} has an empty one: put it there")
    if (realm := given.get("realm")) is None:
        ledger.not_given("--realm", "any realm may ask, where pjsua answers none without it")
    elif realm.value == "*":
        ledger.tell(realm, Fate.DEFAULT, "any realm may ask")
    else:
        ledger.mapped(realm, f"spec.{role}.credentials: Secret {name}, key realm")
    return name


def _registration(account: Account, role: str, to: Destination, ledger: Ledger) -> dict[str, Any]:
    registrar, identity = account.options["registrar"], account.options["id"]
    asked, own = uri_of(registrar)[1], uri_of(identity)[1]
    if (asked.host.lower(), asked.port) != (own.host.lower(), own.port):
        ledger.dropped(
            registrar, f"spec.{role} registers by {to.host}, but its REGISTER asks for the host of --id, {own.host}"
        )
    else:
        ledger.mapped(registrar, f"spec.{role} registers")
    if (use_proxy := account.options.get("reg-use-proxy")) is not None:
        if use_proxy.number(0, 3) == 3:
            ledger.tell(use_proxy, Fate.DEFAULT, "a REGISTER goes the way of the calls")
        else:
            ledger.dropped(use_proxy, "a REGISTER goes the way of the calls")
    timeout = account.options.get("reg-timeout")
    if timeout is None:
        return {}
    expires_s = timeout.number(1, 3600)
    if expires_s < MIN_EXPIRES_S:
        ledger.dropped(timeout, f"{MIN_EXPIRES_S} s is the least that is asked for")
    elif expires_s == _EXPIRES_S:
        ledger.tell(timeout, Fate.DEFAULT, f"registrations are asked for {_EXPIRES_S} s")
        return {}
    else:
        ledger.mapped(timeout, f"spec.{role}.registration.expiresSeconds")
    return {"registration": {"expiresSeconds": max(expires_s, MIN_EXPIRES_S)}}


def _tell_timers(account: Account, ledger: Ledger) -> None:
    for name, usual in _SAID.items():
        given = account.options.get(name)
        if given is not None and given.number(*_BOUNDS[name]) == usual:
            ledger.tell(given, Fate.DEFAULT, "agents offer session timers as pjsua does by default")
        else:
            ledger.dropped(given, "agents offer session timers as pjsua does by default: others are not there yet")
