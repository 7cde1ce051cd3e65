"""What is asked of a registration that there is none of, or that no SUT can meet, is refused by name."""

import re
from typing import Any

import pytest

from agent.contract.plan import Account, Credentials
from agent.contract.registering import Auth, ExpectRegistration, Registration
from agent.contract.verdict import Reason, Role
from controller.api.parse import SpecError
from controller.plan.cause import PlanningError
from controller.plan.limits import Limits
from controller.plan.planning import check_test, plan_run
from controller.plan.registering import callee_account, caller_account
from tests.unit.controller.objects import RUN, endpoints, spec

KNOWN = {"secretName": "sip-alice"}


def refusal(**changes: Any) -> str:
    with pytest.raises(PlanningError) as refused:
        check_test(spec({name.replace("__", "."): value for name, value in changes.items()}), Limits())
    assert refused.value.cause.reason is Reason.INVALID_TEST
    return str(refused.value)


def test_an_account_has_what_its_party_says():
    asked = {"expiresSeconds": 60, "expect": {"auth": "Required"}}
    test = spec({"caller.credentials": KNOWN, "caller.registration": asked})
    assert caller_account(test, "/secrets") == Account(
        uri="sip:alice@example.com",
        credentials=Credentials(directory="/secrets/sip-alice", secret_name="sip-alice"),
        register=True,
        registration=Registration(expires_seconds=60, expect=ExpectRegistration(auth=Auth.REQUIRED)),
    )
    assert callee_account(test, "/secrets").registration == Registration()


def test_who_does_not_register_is_asked_nothing_of_it():
    said = refusal(caller__credentials=None, caller__registration={"expiresSeconds": 60})
    assert said == "caller.registration: the caller does not register: it needs register: true"
    said = refusal(callee__route="RequestURI", callee__registration={})
    assert said == "callee.registration: the callee does not register: it needs route: Register"


@pytest.mark.parametrize(
    ("asks", "field"), [({"auth": "Required"}, "auth"), ({"authAlgorithm": "MD5"}, "authAlgorithm")]
)
def test_a_challenge_that_nobody_could_answer_is_not_asked_for(asks, field):
    said = refusal(callee__credentials=None, callee__registration={"expect": asks})
    assert said == (
        f"callee.registration.expect.{field}: needs callee.credentials: without them a challenge ends the registration"
    )


def test_bounds_that_nothing_is_within_are_refused():
    asks = {"expect": {"minExpiresSeconds": 61, "maxExpiresSeconds": 60}}
    said = refusal(callee__registration=asks)
    assert said == "callee.registration.expect.minExpiresSeconds: 61 is more than maxExpiresSeconds, 60"
    check_test(spec({"callee.registration": {"expect": {"minExpiresSeconds": 60, "maxExpiresSeconds": 60}}}), Limits())


def test_a_challenge_that_the_credentials_answer_may_be_asked_for():
    asks = {"expect": {"auth": "Required", "authAlgorithm": "MD5"}}
    check_test(spec({"callee.credentials": KNOWN, "callee.registration": asks}), Limits())


def test_a_challenge_of_an_invite_needs_credentials_where_it_is_to_be_answered():
    asks = {"caller.credentials": None, "calls.0.expect.auth": "Required"}
    with pytest.raises(
        PlanningError, match=r"^calls\[0\].expect.auth: needs caller.credentials: without them the call"
    ):
        check_test(spec(asks), Limits())
    bare = {"calls.0.expect.caller": None, "calls.0.expect.callee": None, "calls.0.caller.dtmf": None}
    check_test(spec({**asks, **bare, "calls.0.expect.sipCode": 407}), Limits())


ELSEWHERE = spec({"callee.registerAt": "NextEndpoint"})


@pytest.mark.covers("callee.registerAt")
@pytest.mark.parametrize("lanes", [1, 2])
def test_a_callee_may_register_at_the_endpoint_after_the_called_one(lanes):
    parallel = {
        "target.endpointParallelism": lanes,
        "callee.uri": "sip:b{endpoint}@x.org",
        "caller.uri": "sip:a{endpoint}@x.org",
    }
    test = spec({"callee.registerAt": "NextEndpoint", **parallel, "calls.0.to": "sip:b{endpoint}@x.org"})
    plans = plan_run(RUN, test, endpoints(3), Limits(allow_dial=re.compile(".*")))
    stages = {stage.endpoint: stage for plan in plans if plan.role is Role.CALLEE for stage in plan.stages}
    called = {stage.endpoint: stage for plan in plans if plan.role is Role.CALLER for stage in plan.stages}
    for index in range(3):
        other = called[(index + 1) % 3]
        assert (stages[index].address, stages[index].registrar) == (other.address, other.name)
        assert (stages[index].name, called[index].registrar) == (called[index].name, None)


def test_with_one_endpoint_there_is_no_other_to_register_at():
    with pytest.raises(PlanningError, match=r"^callee.registerAt: NextEndpoint needs another endpoint") as refused:
        plan_run(RUN, ELSEWHERE, endpoints(1), Limits())
    assert refused.value.cause.reason is Reason.TOO_FEW_ENDPOINTS


@pytest.mark.parametrize("changes", [{"callee.route": "RequestURI"}, {"target.via": "Service"}])
def test_who_does_not_register_at_an_endpoint_registers_at_no_other(changes):
    with pytest.raises(SpecError, match=r"spec.callee.registerAt: NextEndpoint needs route: Register, and target.via"):
        spec({"callee.registerAt": "NextEndpoint", **changes})


def test_registrations_alone_are_a_test():
    plans = plan_run(RUN, spec({"calls": []}), endpoints(2), Limits())
    assert [plan.calls for plan in plans] == [(), ()]
    with pytest.raises(SpecError, match=r"spec.calls: may be empty only where caller or callee registers"):
        spec({"calls": [], "callee": None, "caller.register": False})
    spec({"calls": [], "callee": None, "caller.register": None, "caller.credentials": KNOWN})
