"""A pjsua configuration file as a CallTest. Pure, but for the files that it names (`read`)."""

from dataclasses import dataclass
from typing import Any, Final

from controller.api import API_VERSION
from controller.api.parse import SpecError, parse_test
from controller.cli.convert.actions import UNANSWERED, call_of, evidence_of, refusal_of
from controller.cli.convert.arguments import Arguments, Given, read_arguments
from controller.cli.convert.destination import Destination, destination, target_of, uri_of
from controller.cli.convert.ledger import Ledger, Told
from controller.cli.convert.materials import Materials, Read
from controller.cli.convert.media import media_of, srtp_of
from controller.cli.convert.parties import Cast, cast_of, party_of
from controller.cli.convert.settings import Account, Settings, read_settings
from controller.cli.convert.table import Fate
from controller.cli.convert.words import read_words
from controller.faults import UnusableInputError
from controller.plan.cause import PlanningError
from controller.plan.limits import UNLIMITED
from controller.plan.planning import check_test

DEADLINE_S: Final = 600
"""Of a run, where nothing is said."""
AROUND_S: Final = 300
"""Of a run, beside its one call's holdSeconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """What came of a file."""

    test: dict[str, Any]
    config_maps: tuple[dict[str, Any], ...]
    secrets: tuple[dict[str, Any], ...]
    report: tuple[Told, ...]

    @property
    def lacks(self) -> bool:
        """Something that the file says of the calls is not in the test."""
        return any(told.fate is Fate.DROPPED for told in self.report)


def convert(where: str, raw: bytes, *, name: str, uri: str | None, read: Read) -> Converted:
    """UnusableInputError names file, line and option. `uri`: to call, beside the file's."""
    arguments = _with_uri(read_arguments(where, read_words(where, raw)), uri)
    ledger, materials = Ledger(where), Materials(name, read)
    settings = read_settings(where, arguments, ledger)
    cast = cast_of(settings, ledger)
    spec = _spec(settings, cast, materials, ledger, name)
    test = {"apiVersion": API_VERSION, "kind": "CallTest", "metadata": {"name": name}, "spec": spec}
    _require_valid(where, test)
    return Converted(
        test=test,
        config_maps=tuple(materials.config_maps),
        secrets=tuple(materials.secrets),
        report=ledger.all(arguments),
    )


def _with_uri(arguments: Arguments, uri: str | None) -> Arguments:
    if uri is None:
        return arguments
    if arguments.uri is not None:
        called, _ = uri_of(arguments.uri)
        raise arguments.uri.fault(f"{called} is called already: leave out {uri}")
    return Arguments(options=arguments.options, uri=Given(name="URI", value=uri, place="command line"))


def _spec(settings: Settings, cast: Cast, materials: Materials, ledger: Ledger, name: str) -> dict[str, Any]:
    uri, first = settings.arguments.uri, cast.first
    own = () if first is None else (first.options.get("registrar"), uri, first.options["id"])
    to = destination(settings, first, own or (uri,), ledger)
    spec: dict[str, Any] = {"target": target_of(to, settings, materials, ledger)}
    has_callee, common = cast.callee is not None, media_of(settings, ledger)

    def media(account: Account | None) -> dict[str, Any]:
        """An account has what was said within it, and who has none what was said last."""
        options = settings.options if account is None else account.options
        srtp = srtp_of(options, to.transport, ledger, has_callee=has_callee)
        said = common | ({} if srtp is None else {"srtp": srtp})
        return {"media": said} if said else {}

    spec["caller"] = _caller(settings, cast, to, materials, ledger) | media(cast.caller)
    if cast.callee is not None:
        spec["callee"] = _callee(settings, cast.callee, to, materials, ledger) | media(cast.callee)
    spec["calls"] = []
    if uri is None and not cast.is_called:
        ledger.not_given("URI", "nobody is called: the registration alone is the test")
    else:
        call = call_of(settings, cast, to, materials, ledger)
        spec["calls"].append(call)
        if call.get("holdSeconds", 0) + AROUND_S > DEADLINE_S:
            spec["activeDeadlineSeconds"] = call["holdSeconds"] + AROUND_S
    return spec | evidence_of(settings, name, ledger)


def _caller(settings: Settings, cast: Cast, to: Destination, materials: Materials, ledger: Ledger) -> dict[str, Any]:
    if cast.caller is None:
        called = settings.arguments.uri or settings.accounts[-1].options["id"]
        _, uri = uri_of(called)
        # Who calls a sips URI has one (RFC 3261 §8.1.1.8).
        made_up = f"{'sips' if uri.secure else 'sip'}:calltest@{uri.host}"
        ledger.not_given("--id", f"spec.caller.uri is made up, {made_up}: put in who is to call")
        return {"uri": made_up}
    party, registers = party_of(cast.caller, "caller", to, materials, ledger)
    if registers != ("credentials" in party):
        party["register"] = registers
    return party


def _callee(
    settings: Settings, account: Account, to: Destination, materials: Materials, ledger: Ledger
) -> dict[str, Any]:
    party, registers = party_of(account, "callee", to, materials, ledger)
    if not registers:
        party["route"] = "CalleeService"
        ledger.not_given(
            "--registrar", "spec.callee.route is CalleeService: the SUT is to dial port 5060 of the callee"
        )
    loop = settings.options.get("auto-loop")
    if (refusal := refusal_of(settings)) is not None:
        ledger.tell(loop, Fate.UNUSED, UNANSWERED)
        return party | refusal[0]
    ledger.mapped(loop, "spec.callee.behaviour")
    if loop is None:
        party["behaviour"] = "Absorber"
        ledger.not_given("--auto-loop", "spec.callee.behaviour is Absorber: it listens, and sends silence")
    return party


def _require_valid(where: str, test: dict[str, Any]) -> None:
    try:
        check_test(parse_test(test).spec, UNLIMITED)
    except (SpecError, PlanningError) as error:
        raise UnusableInputError(f"{where}: no CallTest can say so: {error}") from error
