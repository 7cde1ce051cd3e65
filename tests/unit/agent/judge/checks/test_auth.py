"""The check `auth`: that a request is challenged, and for the digest that is wanted; from the wire to the verdict."""

from typing import Any

import pytest

from agent.contract.expect import ExpectLeg
from agent.contract.registering import Algorithm, Auth, ExpectRegistration
from agent.contract.registration import RegistrationObservation
from agent.contract.verdict import Check, Reason
from agent.judge.checks.check import Fault
from agent.judge.registrations import registration_faults
from agent.judge.run import CallVerdict
from tests.unit.agent.judge.judging import CALLER
from tests.unit.agent.judge.judging import said as found
from tests.unit.agent.judge.registrar import SOON, answers, asked, asks, registering, said
from tests.unit.agent.judge.wire import KEY, caller, verdict
from tests.unit.builders import change, plan
from tests.unit.sip_messages import message, request, response


def fault(seen: RegistrationObservation, **expect: Any) -> Fault:
    [(_, one)] = registration_faults(change(plan(), account__registration__expect=ExpectRegistration(**expect)), [seen])
    return one


def faults(seen: RegistrationObservation, **expect: Any) -> list[tuple[Check, Reason]]:
    its_plan = change(plan(), account__registration__expect=ExpectRegistration(**expect))
    return [(check, one.reason) for check, one in registration_faults(its_plan, [seen])]


def challenged(offer: str, answer: str) -> RegistrationObservation:
    return registering((asked(0.8, 1), said(0.9, 1, 401, offer)), (asked(1.0, 2, answer), said(1.1, 2)), SOON)


@pytest.mark.parametrize(
    ("offer", "answer", "reason"),
    [
        (asks("SHA-256") + asks("MD5"), answers("SHA-256"), None),
        (asks("MD5") + asks("SHA-256"), answers("SHA-256"), Reason.AUTH_ALGORITHM_MISMATCH),
        (asks("SHA-256") + asks("MD5"), answers("MD5"), None),
        (asks("SHA-1") + asks("SHA-256"), answers("SHA-256"), None),
        (asks("SHA-256") + asks("MD5"), "", None),
        (asks("MD5") + asks("SHA-256"), answers("MD5"), Reason.AUTH_ALGORITHM_MISMATCH),
        (asks(), answers(), Reason.AUTH_ALGORITHM_MISMATCH),
        ("WWW-Authenticate: Bearer x\r\n", "", Reason.AUTH_ALGORITHM_MISMATCH),
    ],
)
def test_the_digest_is_judged_by_what_is_offered_first(offer, answer, reason):
    seen = faults(challenged(offer, answer), auth_algorithm=Algorithm.SHA_256)
    assert seen == ([] if reason is None else [(Check.AUTH, reason)])


@pytest.mark.parametrize(("of_registrar", "reasons"), [("SHA-256", []), ("MD5", [Reason.AUTH_ALGORITHM_MISMATCH])])
def test_what_a_proxy_before_the_registrar_asks_for_is_not_the_registrars(of_registrar, reasons):
    other = "MD5" if of_registrar == "SHA-256" else "SHA-256"
    of_proxy = asks(other, realm="proxy").replace("WWW-", "Proxy-")
    to_proxy = answers(other).replace("Auth", "Proxy-Auth")
    seen = registering(
        (asked(0.6, 1), said(0.7, 1, 407, of_proxy)),
        (asked(0.8, 2, to_proxy), said(0.9, 2, 401, asks(of_registrar))),
        (asked(1.0, 4, to_proxy + answers(of_registrar)), said(1.1, 4)),
        (asked(200.0, 5, expires=0), said(200.1, 5, extra="")),
    )
    told = faults(seen, auth=Auth.REQUIRED, auth_algorithm=Algorithm.SHA_256)
    assert told == [(Check.AUTH, reason) for reason in reasons]


def test_who_is_not_challenged_is_asked_for_no_digest_either():
    one = fault(registering(), auth_algorithm=Algorithm.MD5)
    assert (one.reason, one.expected) == (Reason.AUTH_NOT_REQUIRED, "a challenge for MD5")


def challenged_call(offer: str, answer: str, **expect: Any) -> CallVerdict:
    """Its INVITE is challenged, and placed again."""
    before = (
        message(9.8, request("INVITE", key=KEY, cseq=0), sent=True),
        message(9.9, response(407, cseq=0, extra=offer.replace("WWW-", "Proxy-")), sent=False),
    )
    return verdict(caller(asks=answer.replace("Auth", "Proxy-Auth"), extra=before), **expect)


@pytest.mark.covers("calls[].expect.auth", "calls[].expect.authAlgorithm")
@pytest.mark.parametrize(
    ("offer", "reason"),
    [
        ("MD5", Reason.AUTH_ALGORITHM_MISMATCH),
        ("SHA-256", None),
        ("SHA-512-256", Reason.AUTH_ALGORITHM_MISMATCH),
    ],
)
def test_an_invite_is_asked_for_the_wanted_digest(offer, reason):
    wanted = {"group__expect__auth": Auth.REQUIRED, "group__expect__auth_algorithm": Algorithm.SHA_256}
    told = challenged_call(asks(offer), answers(offer), **wanted)
    assert found(told.findings) == ([] if reason is None else [(Check.AUTH, reason)])


def test_an_invite_that_is_not_challenged():
    [one] = verdict(group__expect__auth=Auth.REQUIRED).findings
    assert (one.check, one.reason, one.leg, one.observed) == (
        Check.AUTH,
        Reason.AUTH_NOT_REQUIRED,
        CALLER,
        "INVITE, which got 200, was not challenged",
    )


def test_a_refusal_that_is_expected_may_have_to_be_a_challenge_too():
    refused = {"group__expect__sip_code": "4xx", "group__expect__auth": Auth.REQUIRED}
    bare = {"group__expect__caller": ExpectLeg(), "group__expect__callee": ExpectLeg(), "group__caller__dtmf": None}
    asked_for = verdict(caller(code=407, refusal={"Proxy-Authenticate": 'Digest realm="x"'}), None, **refused, **bare)
    assert found(asked_for.findings) == []
    busy = verdict(caller(code=486), None, **refused, **bare)
    assert found(busy.findings) == [(Check.AUTH, Reason.AUTH_NOT_REQUIRED)]
