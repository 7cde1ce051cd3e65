"""What the media of a test's agents is to be, and what of it contradicts itself or the rest of the test. Pure."""

from collections.abc import Iterator

from agent.contract.call import Call
from agent.contract.codecs import Media
from agent.contract.plan import Transport
from agent.contract.srtp import Keying, Srtp, SrtpSignalling, SrtpUse, Suite
from agent.contract.verdict import Reason
from agent.judge.words import listed
from controller.api.test import CallTestSpec
from controller.plan.cause import PlanningError


def media_of(test: CallTestSpec, call: Call) -> tuple[Media | None, Media | None]:
    """The caller's and the callee's in that call: its own, else the party's; None: nothing is said of it."""
    callee = None if test.callee is None else test.callee.media
    return call.caller.media or test.caller.media, call.callee.media or callee


def check_media(test: CallTestSpec) -> None:
    """PlanningError INVALID_TEST for the first field that cannot be."""
    for field, media in _said(test):
        if len(set(media.taken)) < len(media.taken):
            raise PlanningError(Reason.INVALID_TEST, f"{field}.media.codecs: one is there twice")
        fault = _fault(media.srtp, test)
        if fault is not None:
            raise PlanningError(Reason.INVALID_TEST, f"{field}.media.srtp.{fault}")
    for index, call in enumerate(test.calls):
        _check_asked(test, call, f"calls[{index}]")


def _said(test: CallTestSpec) -> Iterator[tuple[str, Media]]:
    """All that is said of media, and where."""
    parties = [("caller", test.caller.media), ("callee", None if test.callee is None else test.callee.media)]
    for index, call in enumerate(test.calls):
        if call.callee.media is not None and test.callee is None:
            message = f"calls[{index}].callee.media: the test has no callee"
            raise PlanningError(Reason.INVALID_TEST, message)
        parties += [(f"calls[{index}].caller", call.caller.media), (f"calls[{index}].callee", call.callee.media)]
    yield from ((field, media) for field, media in parties if media is not None)


def _fault(srtp: Srtp, test: CallTestSpec) -> str | None:
    """Of one `srtp`: the field below it, and what is wrong."""
    if srtp.use is SrtpUse.DISABLED:
        usual = Srtp()
        named = next(
            (name for name in ("keying", "suites", "signalling") if getattr(srtp, name) != getattr(usual, name)), None
        )
        return None if named is None else f"{named}: means nothing where use is Disabled"
    for name, values in (("keying", srtp.keying), ("suites", srtp.suites)):
        if len(set(values)) < len(values):
            return f"{name}: one is there twice"
    if Keying.SDES not in srtp.keying and srtp.suites != tuple(Suite):
        return "suites: are of SDES, and keying is DTLS alone"
    return _signalling_fault(srtp, test)


def _signalling_fault(srtp: Srtp, test: CallTestSpec) -> str | None:
    transport = test.target.transport
    if srtp.signalling is SrtpSignalling.NONE:
        return None
    if transport is not Transport.TLS:
        return f"signalling: is {srtp.signalling}, and target.transport is {transport}"
    if Keying.SDES not in srtp.keying:
        return "signalling: is about keys in SDP (SDES), and keying is DTLS alone"
    if srtp.signalling is SrtpSignalling.SIPS and test.callee is None:
        return "signalling: is SIPS, and without a callee nothing tells of the hops behind the SUT"
    return None


def _check_asked(test: CallTestSpec, call: Call, field: str) -> None:
    """What cannot be encrypted is not to be expected so, nor a codec that the party does not take."""
    for role, media, leg in zip(
        ("caller", "callee"), media_of(test, call), (call.expect.caller, call.expect.callee), strict=True
    ):
        if leg.encrypted and (media is None or media.srtp.use is SrtpUse.DISABLED):
            message = f"{field}.expect.{role}.encrypted: cannot be met: the {role}'s media.srtp.use is Disabled"
            raise PlanningError(Reason.INVALID_TEST, message)
        codecs = (media or Media()).taken
        if leg.codec is not None and leg.codec not in codecs:
            message = f"{field}.expect.{role}.codec: cannot be met: the {role}'s media.codecs are {listed(codecs)}"
            raise PlanningError(Reason.INVALID_TEST, message)
