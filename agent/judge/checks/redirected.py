"""redirected: a 3xx came, or did not, as a test asks; and one that was followed led to what could be called."""

from typing import Final

from agent.contract.call import Call
from agent.contract.expect import Expect
from agent.contract.observation import Dialog, Side
from agent.contract.outcome import OnRedirect, Wanted
from agent.contract.plan import for_endpoint
from agent.contract.steps import Steps
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import CheckRule, Impossible, Row
from agent.judge.overload import Excuse
from agent.judge.words import joined, listed, spoken
from agent.sip.dialling import DialError, parse_uri, same_uri

_SIP: Final = ("sip:", "sips:")
_MISSED: Final = "a 3xx"


def _asked(expect: Expect) -> str | None:
    if expect.redirect_to is not None:
        return f"a 3xx to {expect.redirect_to}"
    return {Wanted.REQUIRED: _MISSED, Wanted.FORBIDDEN: "no 3xx"}.get(expect.redirect)


def _impossible(call: Call, _: Steps | None) -> Impossible | None:
    expect, follows = call.expect, call.caller.redirects is OnRedirect.FOLLOW
    is_final = str(expect.sip_code).startswith("3")
    if expect.redirect_to is not None and (fault := _fault(expect.redirect_to)) is not None:
        return Impossible(field="expect.redirectTo", fault=fault)
    if expect.redirect is Wanted.FORBIDDEN and (is_final or expect.redirect_to is not None):
        return Impossible(field="expect.redirect", fault="is Forbidden, and a 3xx is expected all the same")
    wanted = expect.redirect is Wanted.REQUIRED or expect.redirect_to is not None
    if wanted and not follows and not is_final:
        field = "expect.redirect" if expect.redirect_to is None else "expect.redirectTo"
        fault = f"a 3xx is final where caller.redirects is Stop, and expect.sipCode is {expect.sip_code}"
        return Impossible(field=field, fault=fault)
    return None


def _fault(uri: str) -> str | None:
    try:
        parse_uri(for_endpoint(uri, 0))
    except DialError as error:
        return str(error)
    return None


def _leg(leg: CallLeg) -> list[Finding]:
    """Of a caller's INVITE that got a final response of the SUT's own accord."""
    code, dialog = leg.leg.final_code, leg.leg.dialog
    given_up = leg.leg.ended_by is Side.LOCAL and not leg.answered
    if leg.leg.role is Role.CALLEE or code is None or dialog is None or given_up:
        return []
    if (unlike := _unlike(leg, code, dialog)) is not None:
        return [unlike]
    if leg.call.group.caller.redirects is OnRedirect.STOP or leg.call.group.expect.takes(code):
        return []
    return _unfollowed(leg, code, dialog)


def _unlike(leg: CallLeg, code: int, dialog: Dialog) -> Finding | None:
    """What came otherwise than the test asks, by the responses and what was called after them."""
    expect, was_redirected = leg.call.group.expect, 300 <= code < 400 or bool(dialog.followed)
    to = listed(dialog.redirects) or "nowhere"
    if expect.redirect is Wanted.FORBIDDEN:
        observed = f"a 3xx to {to}"
        return _broken(leg, Reason.REDIRECT_UNEXPECTED, "no 3xx", observed, came_to(leg)) if was_redirected else None
    asked = _asked(expect)
    if asked is not None and not was_redirected:
        return _broken(leg, Reason.REDIRECT_MISSING, asked, spoken(code, leg.leg.final_phrase))
    wanted = None if expect.redirect_to is None else for_endpoint(expect.redirect_to, leg.call.endpoint)
    if wanted is None or any(same_uri(wanted, uri) for uri in dialog.redirects):
        return None
    expected, observed = f"a 3xx to {wanted}", f"one to {to}"
    if dialog.redirects_cut:
        note = "it has more contacts, or longer ones, than are told"
        return leg.finding(Check.REDIRECTED, Reason.NOT_MEASURED, expected=expected, observed=observed, note=note)
    return _broken(leg, Reason.REDIRECT_TARGET_MISMATCH, expected, observed, came_to(leg))


def _unfollowed(leg: CallLeg, code: int, dialog: Dialog) -> list[Finding]:
    """Why the last response is a 3xx, though contacts of 3xx are called: our rules, or there was no new one."""
    expected, observed = f"{leg.call.group.expect.sip_code}", spoken(code, leg.leg.final_phrase)
    if dialog.not_followed is not None:
        note = f"a contact was not called, by the rules of this agent: {dialog.not_followed}"
        return [leg.finding(Check.REDIRECTED, Reason.NOT_MEASURED, expected=expected, observed=observed, note=note)]
    places = [uri for uri in dialog.redirects if uri.lower().startswith(_SIP)]
    called = (for_endpoint(leg.call.group.to or "", leg.call.endpoint), *dialog.followed)
    were_called = all(any(same_uri(uri, one) for one in called) for uri in places)
    if not 300 <= code < 400 or not places or dialog.redirects_cut or not were_called:
        return []
    back = f"{observed} back to {listed(dict.fromkeys(places))}"
    return [_broken(leg, Reason.REDIRECT_LOOP, expected, back, came_to(leg))]


def came_to(leg: CallLeg) -> str | None:
    """What was called after a 3xx, and what that came to; None: nothing was."""
    dialog, code = leg.leg.dialog, leg.leg.final_code
    if dialog is None or not dialog.followed or code is None:
        return None
    return f"redirected, it called {listed(dialog.followed)}, and got {spoken(code, leg.leg.final_phrase)}"


def _broken(leg: CallLeg, reason: Reason, expected: str, observed: str, *notes: str | None) -> Finding:
    return leg.finding(Check.REDIRECTED, reason, expected=expected, observed=observed, note=joined(*notes))


RULE: Final = CheckRule(
    check=Check.REDIRECTED,
    asked_of_call=_asked,
    impossible=_impossible,
    leg=_leg,
    outcome=True,
    rows=(
        Row(
            reason=Reason.REDIRECT_MISSING,
            meaning="`redirect: Required` or `redirectTo` is asked, and no 3xx came",
            seen="The final response to the caller's INVITE, and no 3xx before it.",
            usually="The SUT routed the call itself (a forwarding that is done as a B2BUA or proxy), or the user has "
            "no forwarding.",
            look="The forwarding settings of the user, and how the SUT carries them out.",
            excused_by=frozenset({Excuse.DROPPED}),
        ),
        Row(
            reason=Reason.REDIRECT_UNEXPECTED,
            meaning="`redirect: Forbidden` is asked, and a 3xx came",
            seen="A 3xx to the caller's INVITE, with its contacts; followed or not.",
            usually="A forwarding that was left set, a user that has moved, a redirect server in the place of a proxy.",
            look="The contacts of the 3xx, and who sent it (Server, To tag).",
        ),
        Row(
            reason=Reason.REDIRECT_TARGET_MISMATCH,
            meaning="a 3xx came, without the contact of `redirectTo` (compared as RFC 3261 §19.1.4 says)",
            seen="The contacts of the 3xx that came.",
            usually="Another forwarding than expected; a host or port that the SUT writes of its own (`advertise`), "
            "a parameter `transport` more or less.",
            look="The Contact headers of the 3xx in the detail.",
        ),
        Row(
            reason=Reason.REDIRECT_LOOP,
            meaning="`redirects: Follow`, and a 3xx named no contact that had not been called before",
            seen="Which contacts were called, one after the other, and the 3xx that led back to one of them (RFC 3261 "
            "§8.1.3.4).",
            usually="Two users that are forwarded to each other, or one to itself under another spelling; a redirect "
            "server whose contact leads back to it.",
            look="The forwardings of the users that are named, in their order.",
        ),
    ),
    subject="redirect",
    sentence="{leg} got {observed}, expected {expected}",
    on="the caller",
    asked_by="`redirect`, `redirectTo`; with `redirects: Follow` always",
    holds="a 3xx comes, or none, as asked, with this contact; what is followed leads to contacts that can be called",
)
