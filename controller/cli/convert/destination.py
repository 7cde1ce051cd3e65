"""Where pjsua sends its requests first, as a CallTest's target. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from agent.contract.address import IpFamily, family_of
from agent.contract.plan import Transport
from agent.sip.dialling import DialError, SipUri, parse_uri
from controller.cli.convert.arguments import Given
from controller.cli.convert.ledger import Ledger
from controller.cli.convert.materials import Materials
from controller.cli.convert.settings import Account, Settings
from controller.cli.convert.table import Fate

PORT: Final = 5060
TLS_PORT: Final = 5061
_IN_BRACKETS: Final = re.compile(r"[^<>]*<(?P<uri>[^<>]+)>[^<>]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """The first hop."""

    host: str
    """An IPv6 address without its brackets."""
    port: int
    transport: Transport
    by: Given
    """What says so."""


def uri_of(given: Given) -> tuple[str, SipUri]:
    """The URI of a name-addr or of itself; UnusableInputError names the option."""
    found = _IN_BRACKETS.fullmatch(given.value)
    text = (found["uri"] if found else given.value).strip()
    if not text.lower().startswith(("sip:", "sips:")):  # not shown: of a password with a blank it may be the rest
        raise given.fault("is no sip: or sips: URI; quotes hold a value with blanks together")
    try:
        return text, parse_uri(text)
    except DialError as error:
        raise given.fault(f"{error}: calltest takes no other URIs") from error


def destination(
    settings: Settings, account: Account | None, others: Sequence[Given | None], ledger: Ledger
) -> Destination:
    """By --outbound, --proxy, else the first of `others` that there is: the registrar, the URI to call, the account."""
    outbound = settings.every("outbound")
    hops = (*outbound, *(() if account is None else account.proxies))
    by = next(given for given in (*hops, *others) if given is not None)
    for given in hops[:1]:
        ledger.mapped(given, "spec.target.address")
    for given in hops[1:]:
        ledger.dropped(given, "agents send all through one proxy, the first: further ones are not there yet")
    _, uri = uri_of(by)
    transport = _transport(uri, settings, by)
    _tell_transport(transport, settings, by, ledger)
    port = uri.port or (TLS_PORT if transport is Transport.TLS else PORT)
    return Destination(host=uri.host.strip("[]"), port=port, transport=transport, by=by)


def _transport(uri: SipUri, settings: Settings, by: Given) -> Transport:
    said = dict(uri.parameters).get("transport", "").upper()
    if uri.secure or said:
        return Transport.TLS if uri.secure else Transport(said)
    if "no-udp" not in settings.options:
        return Transport.UDP
    if "no-tcp" not in settings.options:
        return Transport.TCP
    if "use-tls" not in settings.options:
        raise settings.options["no-udp"].fault("and --no-tcp without --use-tls leave no transport: remove one")
    raise by.fault(f"{by.value}: says no transport, and pjsua goes by UDP then, which is off: add ;transport=tls")


def _tell_transport(transport: Transport, settings: Settings, by: Given, ledger: Ledger) -> None:
    options = settings.options
    for name, off in (("no-udp", Transport.UDP), ("no-tcp", Transport.TCP)):
        if transport is off:
            ledger.dropped(options.get(name), f"{by.value} ({by.place}) goes by {off}: pjsua could not reach it")
        else:
            ledger.tell(options.get(name), Fate.DEFAULT, f"all goes by {transport}: spec.target.transport")
    if transport is Transport.TLS:
        ledger.mapped(options.get("use-tls"), "spec.target.transport")
        if "use-tls" not in options:
            ledger.not_given("--use-tls", f"{by.value} goes by TLS, and so does the test")
    else:
        ledger.tell(options.get("use-tls"), Fate.UNUSED, f"opens a port for TLS, and all goes by {transport}")


def target_of(to: Destination, settings: Settings, materials: Materials, ledger: Ledger) -> dict[str, Any]:
    """`spec.target`."""
    target: dict[str, Any] = {"address": {"host": to.host}, "port": to.port}
    family = family_of(to.host)
    ipv6 = settings.options.get("ipv6")
    if family is IpFamily.IPV6 or (ipv6 is not None and family is None):
        target["ipFamily"] = str(IpFamily.IPV6)
        ledger.mapped(ipv6, "spec.target.ipFamily")
    else:
        ledger.tell(ipv6, Fate.UNUSED, f"{to.host} is an IPv4 address")
    if to.transport is not Transport.UDP:
        target["transport"] = str(to.transport)
    if to.transport is Transport.TLS:
        target["tls"] = _tls(to, settings, materials, ledger)
    return target


def _tls(to: Destination, settings: Settings, materials: Materials, ledger: Ledger) -> dict[str, Any]:
    options = settings.options
    tls: dict[str, Any] = {} if family_of(to.host) else {"serverName": to.host}
    tls["verify"] = "tls-verify-server" in options
    ledger.mapped(options.get("tls-verify-server"), "spec.target.tls.verify")
    if not tls["verify"]:
        ledger.not_given("--tls-verify-server", "spec.target.tls.verify is false, and any certificate is taken")
    if (authorities := options.get("tls-ca-file")) is not None:
        tls["caSecretName"], held = materials.secret("ca", {"ca.crt": authorities})
        ledger.mapped(authorities, f"spec.target.tls.caSecretName: {held}")
    certificate, key = options.get("tls-cert-file"), options.get("tls-privkey-file")
    if certificate is not None and key is not None:
        tls["clientSecretName"], held = materials.secret("tls", {"tls.crt": certificate, "tls.key": key})
        ledger.mapped(certificate, f"spec.target.tls.clientSecretName: {held}")
        ledger.mapped(key, f"spec.target.tls.clientSecretName: {held}")
    else:
        ledger.dropped(certificate, "a certificate needs its key: --tls-privkey-file")
        ledger.dropped(key, "a key needs its certificate: --tls-cert-file")
    return tls
