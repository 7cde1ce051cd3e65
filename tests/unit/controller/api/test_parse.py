"""Reading CallTests and CallTestRuns: strict, with the field at fault named."""

import pytest
from msgspec import UNSET

from agent.contract.call import Behaviour, Play, PlaySignal
from controller.api.parse import SpecError, parse_run, parse_test
from controller.api.parties import Route
from controller.api.run import CauseType
from controller.api.target import Via
from tests.unit.controller.api.faults import FAULTS, RUN
from tests.unit.controller.objects import PIN, changed


def test_every_field_of_the_example_is_read():
    test = parse_test(PIN)
    assert (test.name, test.namespace, test.uid, test.generation) == ("pin", "default", "77aa", 3)
    assert test.spec.target.min_endpoints == 2
    assert test.spec.calls[0].caller.dtmf.digits == "1234#"
    assert test.spec.calls[0].expect.callee.rtp.max_jitter_milliseconds == 30


def test_what_is_left_out_has_its_default():
    minimal = {
        "target": {"podSelector": {"matchLabels": {"app": "sut"}}},
        "caller": {"uri": "sip:alice@example.com"},
        "callee": {"uri": "sip:bob@example.com"},
        "calls": [{"name": "pin"}],
    }
    test = parse_test({"apiVersion": PIN["apiVersion"], "kind": "CallTest", "metadata": {"name": "x"}, "spec": minimal})
    assert (test.namespace, test.uid, test.generation) == ("default", "", 1)
    assert (test.spec.target.port, test.spec.target.via) == (5060, Via.EACH_ENDPOINT)
    assert (test.spec.callee.route, test.spec.callee.behaviour) == (Route.REGISTER, Behaviour.PARROT)
    assert test.spec.calls[0].caller.play == Play(signal=PlaySignal.IDENTITY)
    assert test.spec.caller.register is None
    assert test.status.observed_generation == -1


def test_a_null_field_is_an_absent_one_as_on_a_cluster():
    assert parse_test(changed(PIN, {"spec.agents": None, "spec.trigger": {"runToken": None}})).spec.trigger is not None
    test = changed(PIN, {"spec.trigger": {}})
    test["spec"]["trigger"]["runToken"] = None
    assert parse_test(test).spec.trigger.run_token is None


@pytest.mark.parametrize(("changes", "field"), FAULTS)
def test_a_fault_is_refused_and_names_its_field(changes, field):
    with pytest.raises(SpecError) as error:
        parse_test(changed(PIN, changes))
    assert error.value.faults[0].field == field
    assert str(error.value).startswith(f"{field}: ")


def test_parallel_lanes_need_a_name_of_their_own_only_where_there_are_agents():
    changes = {"spec.target.endpointParallelism": 2, "spec.caller.uri": "sip:a{endpoint}@x", "spec.callee": None}
    assert parse_test(changed(PIN, changes)).spec.target.endpoint_parallelism == 2


def test_an_address_is_a_target_of_its_own():
    target = {"address": {"host": "sbc.example.com"}, "port": 5070}
    assert parse_test(changed(PIN, {"spec.target": target})).spec.target.address.host == "sbc.example.com"


def test_a_run_embeds_its_test():
    run = parse_run(RUN)
    assert run.spec.test == parse_test(PIN).spec
    assert run.spec.cause.type is CauseType.GENERATION
    assert run.status.result is UNSET


def test_a_run_made_by_hand_needs_no_cause():
    assert parse_run(changed(RUN, {"spec.cause": None, "metadata.name": "x" * 57})).spec.cause.type is CauseType.MANUAL


def test_a_run_is_refused_for_its_test():
    with pytest.raises(SpecError) as error:
        parse_run(changed(RUN, {"spec.test.calls.0.caller.play": {}}))
    assert error.value.faults[0].field == "spec.test.calls[0].caller.play"


def test_a_status_of_a_newer_operator_is_read_as_far_as_it_is_known():
    run = changed(RUN, {"status": {"observedGeneration": 1, "result": "Passed", "colour": "green"}})
    assert parse_run(run).status.result == "Passed"


@pytest.mark.parametrize(
    ("trigger", "faults"),
    [
        ({"schedule": "60 * * * *"}, {"schedule": "is no schedule: Bad minute"}),
        ({"schedule": "@hourly", "timeZone": "Europe/Berlim"}, {"timeZone": "there is no time zone 'Europe/Berlim'"}),
        ({"timeZone": "Mars/Olympus"}, {"timeZone": "there is no time zone"}),
        ({"schedule": "61 * * * *", "timeZone": "CEST"}, {"schedule": "Bad minute", "timeZone": "'CEST'"}),
    ],
)
def test_a_schedule_that_the_schema_lets_through_is_refused_and_says_why(trigger, faults):
    with pytest.raises(SpecError) as error:
        parse_test(changed(PIN, {"spec.trigger": trigger}))
    said = {fault.field.removeprefix("spec.trigger."): fault for fault in error.value.faults}
    assert said.keys() == faults.keys()
    assert all(fault in str(said[field]) for field, fault in faults.items())
    parse_test(changed(PIN, {"spec.trigger": {"schedule": "0 4 * * MON", "timeZone": "Europe/Berlin"}}))


@pytest.mark.parametrize(
    ("pattern", "said"),
    [("(", "missing ): ("), ("(?=x)", "invalid perl operator: (?="), ("x{1001}", "repetition size")],
)
def test_an_expression_that_re2_does_not_take_is_refused_and_says_why(pattern, said):
    header = {"message": "INVITE", "name": "X-A", "matches": pattern}
    changes = {"spec.calls.0.expect.callee": {"headers": [header], "requestUris": [{"matches": pattern}]}}
    with pytest.raises(SpecError) as error:
        parse_test(changed(PIN, changes))
    assert [fault.field for fault in error.value.faults] == [
        "spec.calls[0].expect.callee.headers[0].matches",
        "spec.calls[0].expect.callee.requestUris[0].matches",
    ]
    assert all(said in fault.text for fault in error.value.faults)
    header["matches"] = "^lane {endpoint}$"
    del changes["spec.calls.0.expect.callee"]["requestUris"]
    parse_test(changed(PIN, changes))
