"""Codecs, packet time and SRTP of pjsua as a party's `media`. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from agent.contract.codecs import Codec
from agent.contract.plan import Transport
from agent.contract.srtp import Keying, SrtpSignalling, SrtpUse
from controller.cli.convert.arguments import Given
from controller.cli.convert.ledger import Ledger
from controller.cli.convert.settings import Settings
from controller.cli.convert.table import Fate
from controller.faults import UnusableInputError

_NORMAL: Final = 128
_OFF: Final = 0
_ADDED: Final = 137
"""Priority of the first --add-codec, each further one above it: the last one is offered first (pjsua_app.c)."""
_PRIORITIES: Final = {
    "speex/16000/1": _NORMAL + 2,
    "speex/8000/1": _NORMAL + 1,
    "speex/32000/1": _NORMAL,
    "iLBC/8000/1": _NORMAL,
    "GSM/8000/1": _NORMAL,
    "PCMU/8000/1": _NORMAL,
    "PCMA/8000/1": _NORMAL,
    "G722/16000/1": _NORMAL,
    "L16/8000/1": _OFF,
    "opus/48000/2": _OFF,
    "G729/8000/1": _OFF,
}
"""pjsua's codecs in its order. Its build says whether it has the last two: only who adds them has them here."""
_OURS: Final = {
    "speex/8000/1": Codec.SPEEX,
    "GSM/8000/1": Codec.GSM,
    "PCMU/8000/1": Codec.PCMU,
    "PCMA/8000/1": Codec.PCMA,
    "G722/16000/1": Codec.G722,
    "L16/8000/1": Codec.L16,
    "opus/48000/2": Codec.OPUS,
    "G729/8000/1": Codec.G729,
}
MAX_PTIME_MS: Final = 120
_USES: Final = (SrtpUse.DISABLED, SrtpUse.OPTIONAL, SrtpUse.MANDATORY, SrtpUse.OPTIONAL)
_SIGNALLING: Final = (SrtpSignalling.NONE, SrtpSignalling.TLS, SrtpSignalling.SIPS)
_TLS: Final = 1
_SIPS: Final = 2


def media_of(settings: Settings, ledger: Ledger) -> dict[str, Any]:
    """What all accounts have in common of it."""
    media: dict[str, Any] = {}
    if codecs := _codecs(settings, ledger):
        media["codecs"] = codecs
    if (ptime := settings.options.get("ptime")) is not None:
        ptime_ms = ptime.number(10, 1000)
        if ptime_ms <= MAX_PTIME_MS:
            media["ptimeMilliseconds"] = ptime_ms
            ledger.mapped(ptime, "media.ptimeMilliseconds")
        else:
            ledger.dropped(ptime, f"{MAX_PTIME_MS} ms at most can be asked for")
    if "no-vad" not in settings.options:
        ledger.not_given("--no-vad", "agents send silence as any other sound, where pjsua sends less of it")
    return media


def _codecs(settings: Settings, ledger: Ledger) -> list[str]:
    disabled, added = settings.every("dis-codec"), settings.every("add-codec")
    if not disabled and not added:
        ledger.not_given("--add-codec", "PCMU and PCMA are offered, where pjsua offers all that it was built with")
        return []
    order = dict(_PRIORITIES)
    for given in disabled:
        order = _set(order, given, _OFF)
        ledger.mapped(given, "media.codecs")
    for index, given in enumerate(added):
        found = [each for each in order if _is(each, given)]
        order = _set(order, given, _ADDED + index)
        if any(each in _OURS for each in found):
            ledger.mapped(given, "media.codecs: the last one of them first, as pjsua has it")
        else:
            ledger.dropped(given, f"{given.value}: calltest has {', '.join(Codec)} (speex and L16 of 8 kHz)")
    codecs = [str(_OURS[each]) for each, priority in order.items() if priority and each in _OURS]
    if not codecs:
        raise UnusableInputError(f"{(*disabled, *added)[-1].place}: --dis-codec, --add-codec: leave no codec: add one")
    return codecs


def _is(codec: str, given: Given) -> bool:
    """A codec is named by how its name begins, in any case; `*` is all."""
    return given.value == "*" or codec.lower().startswith(given.value.lower())


def _set(order: Mapping[str, int], given: Given, priority: int) -> dict[str, int]:
    """Those of that name; then all sorted as pjmedia sorts them, which moves equals (sort_codecs in its codec.c)."""
    left = [(codec, priority if _is(codec, given) else old) for codec, old in order.items()]
    for index in range(len(left)):
        highest = max(range(index, len(left)), key=lambda at: (left[at][1], -at))
        left[index], left[highest] = left[highest], left[index]
    return dict(left)


def srtp_of(
    options: Mapping[str, Given], transport: Transport, ledger: Ledger, *, has_callee: bool
) -> dict[str, Any] | None:
    """`media.srtp` of an account; UnusableInputError where pjsua would make no call."""
    use, secure, keying = (options.get(name) for name in ("use-srtp", "srtp-secure", "srtp-keying"))
    used = SrtpUse.DISABLED if use is None else _USES[use.number(0, 3)]
    level = _TLS if secure is None else secure.number(0, 2)
    dtls_first = keying is not None and keying.number(0, 1) == 1
    if use is None or used is SrtpUse.DISABLED:
        ledger.tell(use, Fate.DEFAULT, "media.srtp.use is Disabled")
        return None
    if level and transport is not Transport.TLS:
        raise use.fault(
            f"pjsua makes no such call by {transport}, unless --srtp-secure is 0 (it is {level}): say --srtp-secure 0,"
            " or go by TLS (;transport=tls)"
        )
    ledger.mapped(
        use, "media.srtp.use" + (" is Optional: pjsua 2.17 itself doubles no offer" if use.value == "3" else "")
    )
    ledger.mapped(keying, "media.srtp.keying")
    if level == _SIPS and not has_callee:
        ledger.dropped(
            secure, "media.srtp.signalling is TLS: without a callee nothing tells of the hops behind the SUT"
        )
        level = _TLS
    elif secure is None:
        ledger.not_given("--srtp-secure", "media.srtp.signalling is TLS, which is pjsua's default")
    else:
        ledger.mapped(secure, "media.srtp.signalling")
    order = (Keying.DTLS, Keying.SDES) if dtls_first else (Keying.SDES, Keying.DTLS)
    return {"use": str(used), "keying": _texts(order), "signalling": str(_SIGNALLING[level])}


def _texts(values: Sequence[str]) -> list[str]:
    return [str(value) for value in values]
