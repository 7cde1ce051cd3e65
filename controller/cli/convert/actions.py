"""What pjsua does in a call, as a CallTest's call. Pure."""

from typing import Any, Final

from agent.contract.call import Behaviour
from agent.contract.steps import BUSY_HERE
from agent.judge.own_answer import REQUEST_TERMINATED
from controller.cli.convert.arguments import Given
from controller.cli.convert.destination import Destination, uri_of
from controller.cli.convert.ledger import Ledger
from controller.cli.convert.materials import Materials, whole_seconds
from controller.cli.convert.parties import ANOTHER_WAY, Cast, identity_of
from controller.cli.convert.settings import Settings
from controller.cli.convert.table import Fate
from controller.plan.acting import NOT_OURS

MAX_HOLD_S: Final = 3600
UNANSWERED: Final = "no call is answered: --auto-answer"
_RINGING: Final = 180
_HOLD_S: Final = 5
_TONE_HZ: Final = range(50, 3901)
_FOLLOWED: Final = (1, 2)
_ASKED: Final = 3


def call_of(settings: Settings, cast: Cast, to: Destination, materials: Materials, ledger: Ledger) -> dict[str, Any]:
    """The one call of the test."""
    call: dict[str, Any] = {"name": "call"}
    uri = settings.arguments.uri
    if uri is not None and cast.callee is None:
        call["to"], is_whole = identity_of(uri, to.transport)
        if to.by.name == "registrar" and uri_of(uri)[1].host != uri_of(to.by)[1].host:
            ledger.dropped(uri, f"spec.calls[0].to: it is called by way of {to.host}, and by pjsua directly")
        elif is_whole:
            ledger.mapped(uri, "spec.calls[0].to")
        else:
            ledger.dropped(uri, f"spec.calls[0].to: {ANOTHER_WAY}")
    else:
        ledger.mapped(uri, "spec.callee.uri")
    _answer(settings, cast, ledger)
    caller: dict[str, Any] = {}
    length_s = None
    if cast.is_called:
        for name in ("play-file", "play-tone", "auto-play", "auto-play-hangup"):
            for given in settings.every(name):
                ledger.dropped(given, "a callee plays back what it hears, or nothing: spec.callee.behaviour")
    else:
        caller, length_s = _played(settings, cast, materials, ledger)
        caller |= _redirects(settings, ledger)
    call |= {"caller": caller} if caller else {}
    refusal = None if cast.callee is None else refusal_of(settings)
    if refusal is not None:
        ledger.tell(settings.options.get("duration"), Fate.UNUSED, UNANSWERED)
        return call | {"expect": {"sipCode": refusal[1]}}
    ledger.not_given("expect", "the call is to be answered and to end in order: say in calls[0].expect what is heard")
    return call | _hold(settings, length_s, ledger, is_called=cast.is_called)


def refusal_of(settings: Settings) -> tuple[dict[str, Any], int] | None:
    """What of `spec.callee` has it refuse or only ring, and the code that the caller gets then; None: it answers."""
    given = settings.options.get("auto-answer")
    code = 200 if given is None else given.number(100, 699)
    if code == _RINGING:
        return {"behaviour": str(Behaviour.RING_ONLY)}, REQUEST_TERMINATED
    if code == BUSY_HERE:
        return {"behaviour": str(Behaviour.BUSY)}, code
    if code < 400 or code in NOT_OURS:
        return None
    return {"behaviour": str(Behaviour.REFUSE), "refuse": {"code": code}}, code


def _answer(settings: Settings, cast: Cast, ledger: Ledger) -> None:
    given = settings.options.get("auto-answer")
    if given is None:
        return
    code = given.number(100, 699)
    if cast.callee is None:
        ledger.dropped(given, "no call comes to a caller: a callee is an account of the file that the URI calls")
    elif code == 200:
        ledger.mapped(given, "spec.callee")
    elif (refusal := refusal_of(settings)) is not None:
        ledger.mapped(given, f"spec.callee.behaviour, and spec.calls[0].expect.sipCode is {refusal[1]}")
    elif code < 200:
        ledger.dropped(given, f"a callee that only says {code} is not there yet: this one answers with 200")
    else:
        ledger.dropped(given, f"a callee of calltest does not give {code}: this one answers with 200")


def _played(
    settings: Settings, cast: Cast, materials: Materials, ledger: Ledger
) -> tuple[dict[str, Any], float | None]:
    """What the caller plays, and the length of the file."""
    files, automatic = settings.every("play-file"), [settings.options.get(n) for n in ("auto-play", "auto-play-hangup")]
    if files and any(automatic):
        reference, length_s, held = materials.sound(files[0])
        ledger.mapped(files[0], f"spec.calls[0].caller.play.wav: {held}")
        for given in files[1:]:
            ledger.tell(given, Fate.UNUSED, "pjsua plays the first file alone to calls")
        ledger.mapped(automatic[0], "spec.calls[0].caller.play.wav")
        _tell_loop(settings, cast, ledger)
        return {"play": {"wav": reference}}, length_s
    if (tone := _tone(settings, ledger)) is not None:
        _tell_loop(settings, cast, ledger)
        return {"play": {"tone": {"frequencyHertz": tone}}}, None
    if _tell_loop(settings, cast, ledger):
        return {"play": {"silence": {}}}, None
    ledger.not_given("--auto-play", "the caller plays its identity signal, in the place of a microphone")
    return {}, None


def _tell_loop(settings: Settings, cast: Cast, ledger: Ledger) -> bool:
    """Whether a caller is to play back what it hears, which it does not."""
    loop = settings.options.get("auto-loop")
    if loop is None or cast.callee is not None:
        return False
    ledger.dropped(loop, "a caller does not play back what it hears; a callee does: behaviour Parrot")
    return True


def _tone(settings: Settings, ledger: Ledger) -> int | None:
    """Of the first one that can be played."""
    for given in settings.every("play-tone"):
        parts = given.value.split(",")
        if len(parts) != 4 or not all(part.isascii() and part.isdigit() for part in parts):
            raise given.fault(f"{given.value!r}: give F1,F2,ON,OFF: two frequencies in Hz, two times in ms")
        first, second, _, off_ms = map(int, parts)
        if first not in _TONE_HZ:
            ledger.dropped(given, f"a tone has from {_TONE_HZ[0]} to {_TONE_HZ[-1]} Hz")
            continue
        if off_ms or second not in (0, first):
            ledger.dropped(given, f"a sine of {first} Hz that goes on is played: its cadence and second tone are not")
        else:
            ledger.mapped(given, "spec.calls[0].caller.play.tone: pjsua has it ready, and plays it when told to (cc)")
        return first
    return None


def _redirects(settings: Settings, ledger: Ledger) -> dict[str, str]:
    given = settings.options.get("accept-redirect")
    if given is None:
        ledger.not_given("--accept-redirect", "a 3xx is followed, as by pjsua, but that To stays: caller.redirects")
        return {"redirects": "Follow"}
    value = given.number(0, 4)
    if value == _ASKED:
        ledger.dropped(given, "nobody is there to be asked: a 3xx is the final response")
        return {}
    ledger.mapped(given, "spec.calls[0].caller.redirects" + (": To stays" if value == _FOLLOWED[1] else ""))
    return {"redirects": "Follow" if value in _FOLLOWED else "Stop"}


def _hold(settings: Settings, length_s: float | None, ledger: Ledger, *, is_called: bool) -> dict[str, int]:
    """The shorter one of --duration and of a file at whose end pjsua hangs up."""
    found: list[int] = []
    duration, at_end = settings.options.get("duration"), settings.options.get("auto-play-hangup")
    if duration is not None:
        found.append(_bounded(duration, ledger))
        if is_called:
            ledger.dropped(duration, "spec.calls[0].holdSeconds: the caller hangs up then, and of pjsua who is called")
    if length_s is not None:
        ledger.mapped(at_end, "spec.calls[0].holdSeconds: the length of the file, in whole seconds")
        found += [] if at_end is None else [min(whole_seconds(length_s), MAX_HOLD_S)]
    elif settings.every("play-file"):
        ledger.dropped(at_end, "the length of the file is not known: say holdSeconds")
    if not found:
        ledger.not_given("--duration", f"the caller hangs up after {_HOLD_S} s (holdSeconds), pjsua never")
        return {}
    return {"holdSeconds": min(found)}


def _bounded(duration: Given, ledger: Ledger) -> int:
    asked_s = duration.number(0, 2**31 - 1)
    held_s = min(max(asked_s, 1), MAX_HOLD_S)
    if held_s == asked_s:
        ledger.mapped(duration, "spec.calls[0].holdSeconds")
    else:
        ledger.dropped(duration, f"holdSeconds is from 1 to {MAX_HOLD_S}")
    return held_s


def evidence_of(settings: Settings, name: str, ledger: Ledger) -> dict[str, Any]:
    """`spec.evidence` where pjsua records each call."""
    record, file = settings.options.get("auto-rec"), settings.options.get("rec-file")
    if record is None or file is None:
        return {}
    claim = f"{name}-evidence"
    said = f"spec.evidence: in claim {claim}; calltest run keeps it with --evidence DIR"
    ledger.mapped(record, said)
    ledger.mapped(file, said)
    return {"evidence": {"keep": "Always", "claimName": claim}}
