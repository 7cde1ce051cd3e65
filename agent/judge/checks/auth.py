"""auth: a request was taken only with credentials, and these by the digest that is wanted."""

from typing import Final

from agent.contract.expect import Expect
from agent.contract.observation import Asked
from agent.contract.plan import Plan
from agent.contract.registering import Algorithm, Auth
from agent.contract.registration import RegistrationObservation, RegistrationOutcome
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.call_leg import CallLeg
from agent.judge.checks.check import CheckRule, Fault, Row
from agent.judge.words import listed


def _expected(wanted: Auth, algorithm: Algorithm | None) -> str | None:
    if algorithm is not None:
        return f"a challenge for {algorithm}"
    return None if wanted is Auth.ANY else "a challenge"


def _faults(request: str, asked: Asked, wanted: Auth, algorithm: Algorithm | None) -> list[Fault]:
    """What was asked before a request had its final response.

    Its digest is judged by what each challenger offers first: of several with nonces of their own, our SIP stack
    answers the last, which no phone has to.
    """
    expected = _expected(wanted, algorithm)
    if expected is None:
        return []
    if not asked.challenges:
        observed = f"{request} was not challenged"
        return [Fault(reason=Reason.AUTH_NOT_REQUIRED, expected=expected, observed=observed)]
    if algorithm is None or asked.auth.topmost == (algorithm,):
        return []
    observed = f"{request} was challenged for {listed(asked.auth.offered) or 'no digest'}"
    return [Fault(reason=Reason.AUTH_ALGORITHM_MISMATCH, expected=expected, observed=observed)]


def _registering(plan: Plan, seen: RegistrationObservation) -> list[Fault]:
    if seen.outcome is not RegistrationOutcome.REGISTERED:
        return []
    expect = plan.account.registration.expect
    return _faults("REGISTER, which was taken,", seen.asked, expect.auth, expect.auth_algorithm)


def _asked(expect: Expect) -> str | None:
    return _expected(expect.auth, expect.auth_algorithm)


def _leg(leg: CallLeg) -> list[Finding]:
    """Of the caller's INVITE, whose final response is the expected one."""
    expect, code = leg.call.group.expect, leg.leg.final_code
    if leg.leg.role is Role.CALLEE or code is None:
        return []
    faults = _faults(f"INVITE, which got {code},", leg.leg.asked, expect.auth, expect.auth_algorithm)
    return [leg.finding(Check.AUTH, f.reason, expected=f.expected, observed=f.observed, note=f.note) for f in faults]


RULE: Final = CheckRule(
    check=Check.AUTH,
    asked_of_call=_asked,
    leg=_leg,
    outcome=True,
    registration=_registering,
    rows=(
        Row(
            reason=Reason.AUTH_NOT_REQUIRED,
            meaning="a request was taken without a challenge, though the test says that it must be challenged",
            seen="A 2xx to an agent's REGISTER, or the expected final response to the caller's INVITE, and no 401 or "
            "407 before it.",
            usually="A registrar that does not ask (a route without `auth_check`, an endpoint without `auth`), or that "
            "trusts the agent's address. Anybody who reaches it can take the calls of that URI.",
            look="The SUT's rule for this user and this source address; lists of trusted addresses.",
        ),
        Row(
            reason=Reason.AUTH_ALGORITHM_MISMATCH,
            meaning="the SUT challenges for another digest than the test wants",
            seen="The algorithms of the challenges (WWW-Authenticate, Proxy-Authenticate), the topmost first: of a "
            "realm that asks, none is the wanted one, or it is not the topmost that our SIP stack has, which a phone "
            "answers (RFC 8760 §2.4). Of a REGISTER the 401s count, which are the registrar's; 407s where there is no "
            "401.",
            usually="The SUT's default, MD5; or a list of algorithms with the weaker one first.",
            look='The SUT\'s setting of the digest (Kamailio: `modparam("auth", "algorithm", "SHA-256")`; Asterisk: '
            "`supported_algorithms_uas`).",
        ),
    ),
    subject="authentication",
    sentence="{leg}'s {observed}, expected {expected}",
    on="an agent that registers; the caller",
    asked_by="`auth`, `authAlgorithm`, of `registration.expect` and of `expect`",
    holds="the REGISTER, or the INVITE, is challenged, and for the digest that is wanted",
)
