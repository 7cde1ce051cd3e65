"""Plans: who does what where, and what is refused."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agent.contract import call as words
from agent.contract import plan as contract
from agent.contract.call import Acting, Behaviour, CallCallee
from agent.contract.expect import Audio, Expect, ExpectDtmf, ExpectLeg, ExpectRtp
from agent.contract.headers import PlannedHeader, SentOn
from agent.contract.plan import MAX_PLAN_BYTES, DialRoute, decode_plan
from agent.contract.room import DETAIL_BYTES, DIGIT_BYTES, GUESTS_BYTES, LEG_BYTES
from agent.contract.verdict import Reason, Role
from controller.api.run import Endpoint
from controller.plan.cause import PlanningError
from controller.plan.limits import Limits
from controller.plan.planning import Mounts, check_test, plan_run
from tests.unit.controller.objects import NO_CALLEE, RUN, endpoints, spec

LANES = {"caller.uri": "sip:a{endpoint}@x", "callee.uri": "sip:b{endpoint}@x", "calls.0.to": "sip:b{endpoint}@x"}
LINE_BYTES = LEG_BYTES + 5 * DIGIT_BYTES
"""Of a leg of the example, with its five digits."""
ROOM_BYTES = DETAIL_BYTES - GUESTS_BYTES
WIDE = Limits(max_agents=200, max_calls=1_000_000, max_concurrent_calls=10_000, max_calls_per_second=1000)


@pytest.mark.covers("<party>.headers[].name", "<party>.headers[].value", "<party>.headers[].messages")
def test_headers_of_a_party_are_its_agents():
    own = {
        "caller.headers": [{"name": "X-A", "value": "lane {endpoint}"}],
        "callee.headers": [
            {"name": "X-B", "value": "b", "messages": ["Answer", "REGISTER"]},
            {"name": "X-C", "value": "c"},
        ],
    }
    caller, callee = plan_run(RUN, spec(own), endpoints(1), Limits())
    assert caller.account.headers == (PlannedHeader(name="X-A", value="lane {endpoint}", messages=(SentOn.INVITE,)),)
    assert callee.account.headers == (
        PlannedHeader(name="X-B", value="b", messages=(SentOn.ANSWER, SentOn.REGISTER)),
        PlannedHeader(name="X-C", value="c", messages=(SentOn.RESPONSES,)),
    )
    assert decode_plan(callee.encode()) == callee


@pytest.mark.covers("<party>.uri")
def test_the_example_becomes_a_callers_and_a_callees_plan():
    caller, callee = plan_run(RUN, spec(), endpoints(2), Limits(), also_allowed=["10.244.0.9"])
    assert (caller.agent, caller.role) == ("caller-0", Role.CALLER)
    assert (callee.agent, callee.role) == ("callee-0", Role.CALLEE)
    assert caller.acting == callee.acting == callee.calls[0].callee.acting == Acting(behaviour=Behaviour.PARROT)
    assert caller.account == contract.Account(
        uri="sip:alice@example.com",
        register=True,
        credentials=contract.Credentials(directory="/etc/calltest-credentials/sip-alice", secret_name="sip-alice"),
    )
    assert callee.account == contract.Account(uri="sip:bob@example.com", register=True)
    for plan in (caller, callee):
        assert plan.run == RUN
        assert plan.stages == (
            contract.Stage(endpoint=0, address="10.244.0.5:5060", name="kamailio-0"),
            contract.Stage(endpoint=1, address="10.244.0.6:5060", name="kamailio-1"),
        )
        assert plan.allowed_targets == ("10.244.0.5/32", "10.244.0.6/32", "10.244.0.9/32")
        assert (plan.callee_declared, plan.dial, plan.sip_port) == (True, DialRoute.TARGET, 0)
        assert (plan.deadline_s, plan.max_calls_per_second) == (600, 10)
        assert decode_plan(plan.encode()) == plan
    assert (
        caller.calls
        == callee.calls
        == (
            words.Call(
                name="pin",
                to="sip:bob@example.com",
                count=10,
                concurrency=5,
                hold_seconds=8,
                answer_timeout_seconds=30,
                caller=words.CallCaller(
                    play=words.Play(signal=words.PlaySignal.IDENTITY),
                    dtmf=words.SendDtmf(digits="1234#", tone_milliseconds=100, after_milliseconds=500),
                ),
                callee=CallCallee(behaviour=Behaviour.PARROT),
                expect=Expect(
                    sip_code=200,
                    caller=ExpectLeg(
                        dtmf=ExpectDtmf(digits="1234#"),
                        audio=Audio.OWN,
                        rtp=ExpectRtp(min_packets=350, max_loss_percent="1"),
                    ),
                    callee=ExpectLeg(
                        dtmf=ExpectDtmf(digits="1234#"),
                        audio=Audio.OWN,
                        rtp=ExpectRtp(min_packets=350, max_loss_percent="1", max_jitter_milliseconds=30),
                    ),
                ),
            ),
        )
    )


@pytest.mark.covers("calls[].to")
def test_a_plan_has_its_calls_as_they_were_written_and_each_with_its_destination():
    wav = {"play": {"wav": {"configMapName": "prompts", "key": "a.wav"}}}
    calls = [{"name": "x", "count": 2, "concurrency": 5, "caller": wav}, {"name": "y", "to": "sip:carol@example.com"}]
    test = spec({"calls": calls})
    plan = plan_run(RUN, test, endpoints(1), Limits(), mounts=Mounts(credentials="/c", wav="/w"))[0]
    written = [replace(call, to=None, callee=CallCallee(behaviour=Behaviour.PARROT)) for call in test.calls]
    assert [replace(call, to=None) for call in plan.calls] == written
    assert [call.to for call in plan.calls] == ["sip:bob@example.com", "sip:carol@example.com"]
    assert plan.account.credentials.directory == "/c/sip-alice"
    assert plan.wav_directory == "/w"


@pytest.mark.covers("caller.register")
@pytest.mark.parametrize(
    ("caller", "registers"),
    [
        ({"credentials": None}, False),
        ({"credentials": None, "register": True}, True),
        ({"register": False}, False),
        ({}, True),
    ],
)
def test_a_caller_with_credentials_registers_unless_told_otherwise(caller, registers):
    test = spec({f"caller.{name}": value for name, value in caller.items()})
    assert plan_run(RUN, test, endpoints(1), Limits())[0].account.register is registers


def test_agents_speak_the_tests_transport():
    assert [plan.transport for plan in plan_run(RUN, spec(), endpoints(1), WIDE)] == ["UDP", "UDP"]
    over_tcp = spec({"target.transport": "TCP", "calls.0.to": "sip:b@x;transport=tcp"})
    assert [plan.transport for plan in plan_run(RUN, over_tcp, endpoints(1), WIDE)] == ["TCP", "TCP"]


TLS = {"target.transport": "TLS"}


def test_agents_find_what_they_need_for_tls():
    named = {"serverName": "sip.example.com", "verify": False, "caSecretName": "ca", "clientSecretName": "agent"}
    (plan, other) = plan_run(RUN, spec(TLS | {"target.tls": named}), endpoints(1), WIDE)
    assert plan.tls == other.tls
    assert plan.tls is not None
    assert (plan.tls.server_name, plan.tls.verify) == ("sip.example.com", False)
    assert [(files.secret_name, files.directory) for files in (plan.tls.ca, plan.tls.client) if files is not None] == [
        ("ca", "/etc/calltest-credentials/ca"),
        ("agent", "/etc/calltest-credentials/agent"),
    ]


def test_what_tls_needs_has_defaults():
    assert plan_run(RUN, spec(TLS), endpoints(1), WIDE)[0].tls is None
    (plan, _) = plan_run(RUN, spec(TLS | {"target.tls": {}}), endpoints(1), WIDE)
    assert plan.tls is not None
    assert (plan.tls.server_name, plan.tls.verify, plan.tls.ca, plan.tls.client) == (None, True, None, None)


SECURE = (
    TLS
    | {"caller.uri": "sips:alice@example.com", "callee.uri": "sips:bob@example.com"}
    | {"calls.0.to": "sips:bob@example.com"}
)


@pytest.mark.parametrize("field", ["caller.uri", "callee.uri", "calls.0.to"])
@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_a_sips_uri_is_of_tls(field, transport):
    with pytest.raises(PlanningError, match=r"is a sips URI, .*, and target.transport is") as caught:
        check_test(spec({"target.transport": transport, field: "sips:z@x"}), WIDE)
    assert str(caught.value).startswith(field.replace(".0", "[0]"))


def test_a_sips_call_has_a_caller_with_a_sips_contact():
    check_test(spec(SECURE), WIDE)
    with pytest.raises(PlanningError, match=r"calls\[0\].to: is a sips URI, and caller.uri is not"):
        check_test(spec(SECURE | {"caller.uri": "sip:alice@example.com"}), WIDE)


def test_agents_may_send_to_endpoints_of_either_family_and_nowhere_else():
    (endpoint,) = endpoints(1)
    over_ipv6 = replace(endpoint, address="[fd00::5]:5060")
    (plan, _) = plan_run(RUN, spec({"target.ipFamily": "IPv6"}), [over_ipv6], WIDE, also_allowed=["fd00::6"])
    assert plan.stages[0].address == "[fd00::5]:5060"
    assert plan.allowed_targets == ("fd00::5/128", "fd00::6/128", *WIDE.allow_targets)


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
def test_tls_is_of_its_transport(transport):
    with pytest.raises(PlanningError, match=f"target.tls: is of transport TLS, and target.transport is {transport}"):
        check_test(spec({"target.transport": transport, "target.tls": {}}), WIDE)


@pytest.mark.parametrize("field", ["caSecretName", "clientSecretName"])
def test_secrets_of_tls_have_the_prefix_too(field):
    with pytest.raises(PlanningError, match=f"target.tls.{field}: mine does not begin with 'sip-'"):
        check_test(spec(TLS | {"target.tls": {field: "mine"}}), Limits(secret_prefix="sip-"))


@pytest.mark.parametrize("field", ["caller.uri", "callee.uri", "calls.0.to"])
def test_a_uri_that_says_another_transport_is_refused(field):
    with pytest.raises(PlanningError, match=r"says ;transport=udp, and target.transport is TCP"):
        check_test(spec({"target.transport": "TCP", field: "sip:z@x;transport=udp"}), WIDE)


def test_where_the_sut_answers_there_are_only_callers():
    (plan,) = plan_run(RUN, spec(NO_CALLEE), endpoints(1), Limits())
    assert plan.role is Role.CALLER
    assert not plan.callee_declared


@pytest.mark.covers("callee.route")
def test_a_callee_behind_a_service_has_a_fixed_port_and_does_not_register():
    caller, callee = plan_run(RUN, spec({"callee.route": "CalleeService"}), endpoints(1), Limits())
    assert (caller.sip_port, callee.sip_port) == (0, 5060)
    assert not callee.account.register


@pytest.mark.covers("callee.route")
def test_a_callee_can_be_dialled_by_its_own_address():
    test = spec({"callee.route": "RequestURI", "callee.credentials": {"secretName": "sip-bob"}})
    caller, callee = plan_run(RUN, test, endpoints(1), Limits())
    assert caller.dial is DialRoute.PEER
    assert not callee.account.register
    assert callee.account.credentials.secret_name == "sip-bob"


@pytest.mark.covers("target.endpointParallelism")
@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.integers(1, 8))
def test_each_endpoint_is_dealt_to_exactly_one_lane(count, parallelism):
    test = spec({**LANES, "target.endpointParallelism": parallelism, "activeDeadlineSeconds": 86400})
    plans = plan_run(RUN, test, endpoints(count), WIDE)
    lanes = min(count, parallelism)
    assert len({plan.agent for plan in plans}) == len(plans) == 2 * lanes
    for role in Role:
        dealt = sorted(stage.endpoint for plan in plans if plan.role is role for stage in plan.stages)
        assert dealt == list(range(count))
    for lane in range(lanes):
        caller, callee = (plan for plan in plans if plan.agent.endswith(f"-{lane}"))
        assert caller.stages == callee.stages
    assert sum(plan.max_calls_per_second for plan in plans if plan.role is Role.CALLER) == pytest.approx(1000)
    assert plan_run(RUN, test, endpoints(count), WIDE) == plans


def refusal(test, count=1, limits=WIDE) -> PlanningError:
    with pytest.raises(PlanningError) as error:
        plan_run(RUN, test, endpoints(count), limits)
    return error.value


def test_nothing_to_call_is_refused():
    assert refusal(spec(), 0).cause.reason is Reason.NO_ENDPOINTS


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"caller.uri": "sip:example.com"}, "caller.uri"),
        ({"caller.uri": "sip:alice@example.com?x=y"}, "caller.uri"),
        ({"callee.uri": "sip:bob:secret@example.com"}, "callee.uri"),
        ({"callee.uri": "sip:alice@EXAMPLE.com"}, "callee.uri"),
        ({"calls.0.to": "sip:bob@example.com;maddr=1.1.1.1"}, "calls[0].to"),
        ({"calls.0.expect.caller.rtp.minPackets": 5000}, "calls[0].expect.caller.rtp.minPackets"),
    ],
)
def test_an_invalid_test_is_refused_before_endpoints_are_looked_for(changes, field):
    with pytest.raises(PlanningError) as error:
        check_test(spec(changes), Limits())
    assert error.value.cause.reason is Reason.INVALID_TEST
    assert error.value.cause.message.startswith(field + ": ")


def test_a_number_that_only_one_endpoint_gives_is_refused():
    test = spec({"calls.0.to": "sip:1{endpoint}2@example.com"})
    check_test(test, Limits())
    refused = refusal(test, 2)
    assert refused.cause.reason is Reason.NUMBER_NOT_ALLOWED
    assert "112" in refused.cause.message


def test_a_number_that_is_dialled_because_it_is_the_callees_is_refused_where_it_is_written():
    with pytest.raises(PlanningError, match=r"^callee\.uri: \+4930123456 looks like a phone number"):
        check_test(spec({"callee.uri": "sip:+4930123456@example.com", "calls.0.to": None}), Limits())


def test_a_callee_that_is_the_caller_at_one_endpoint_is_refused():
    test = spec({"caller.uri": "sip:user{endpoint}@x", "callee.uri": "sip:user1@x"})
    plan_run(RUN, test, endpoints(1), Limits())
    assert refusal(test, 2).cause.message.startswith("callee.uri: is the caller's too")


def test_the_default_destination_obeys_the_same_rule():
    test = spec({"callee.uri": "sip:+493012345@x", "calls.0.to": None})
    assert refusal(test).cause.reason is Reason.NUMBER_NOT_ALLOWED
    plan_run(RUN, test, endpoints(1), Limits(allow_dial=re.compile(r"\+4930.*")))


@pytest.mark.covers("evidence.keep")
@pytest.mark.parametrize(
    ("evidence", "planned"),
    [
        ({"keep": "Never"}, None),
        ({"claimName": "kept"}, contract.Keep.ON_FAILURE),
        ({"keep": "Always", "claimName": "kept"}, contract.Keep.ALWAYS),
    ],
)
def test_evidence_is_kept_as_the_test_says(evidence, planned):
    for plan in plan_run(RUN, spec({"evidence": evidence}), endpoints(1), Limits()):
        directory = "/var/calltest-evidence"
        assert plan.evidence == (planned and contract.Evidence(keep=planned, directory=directory))


def test_evidence_stays_where_the_host_says_and_nowhere_if_it_says_nothing():
    test = spec({"evidence": {"keep": "Always"}})
    here, nowhere = Mounts(credentials="/c", wav="/w", evidence="/e"), Mounts(credentials="/c", wav="/w")
    assert plan_run(RUN, test, endpoints(1), Limits(), mounts=here)[0].evidence.directory == "/e"
    assert plan_run(RUN, test, endpoints(1), Limits(), mounts=nowhere)[0].evidence is None


def test_on_a_cluster_evidence_needs_a_claim():
    refused = refusal(spec({"evidence": {"keep": "Always"}}))
    assert refused.cause.reason is Reason.INVALID_TEST
    assert refused.cause.message.startswith("evidence.claimName: is needed")


def test_a_claim_outside_the_prefix_is_refused():
    limits = Limits(claim_prefix="calltest-")
    check_test(spec({"evidence": {"claimName": "calltest-kept"}}), limits)
    with pytest.raises(PlanningError, match=r"evidence.claimName: database .*--claim-prefix") as error:
        check_test(spec({"evidence": {"claimName": "database"}}), limits)
    assert error.value.cause.reason is Reason.INVALID_TEST


def test_evidence_takes_room_in_results_and_on_the_disk():
    many = {"calls.0.count": ROOM_BYTES // (3 * LINE_BYTES), "activeDeadlineSeconds": 86400}
    kept = {"evidence": {"claimName": "kept"}}
    plan_run(RUN, spec(many), endpoints(3), WIDE)
    assert "of results" in refusal(spec(many | kept), 3, WIDE).cause.message
    long = {"calls.0.count": 16, "calls.0.concurrency": 16, "calls.0.holdSeconds": 3600, "activeDeadlineSeconds": 86400}
    plan_run(RUN, spec(long), endpoints(1), WIDE)
    assert "recordings may take 4.4 GiB" in refusal(spec(long | kept), 1, WIDE).cause.message


@pytest.mark.parametrize("role", ["caller", "callee"])
def test_a_secret_outside_the_prefix_is_refused(role):
    limits = Limits(secret_prefix="sip-")
    with pytest.raises(PlanningError, match=f"{role}.credentials.secretName: admin") as error:
        check_test(spec({f"{role}.credentials": {"secretName": "admin"}}), limits)
    assert error.value.cause.reason is Reason.INVALID_TEST


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(max_calls=29), "30 calls"),
        (Limits(max_concurrent_calls=9), "10 concurrent calls"),
        (Limits(max_agents=3), "4 agents"),
    ],
)
def test_more_than_the_operator_allows_is_refused(limits, words):
    refused = refusal(spec({**LANES, "target.endpointParallelism": 2}), 3, limits)
    assert refused.cause.reason is Reason.LIMIT_EXCEEDED
    assert words in refused.cause.message


def test_more_recordings_than_an_agent_can_hold_are_refused():
    long = {
        "calls.0.count": 50,
        "calls.0.concurrency": 50,
        "calls.0.holdSeconds": 3000,
        "activeDeadlineSeconds": 86_400,
    }
    refused = refusal(spec(long))
    assert refused.cause.reason is Reason.LIMIT_EXCEEDED
    assert "recordings may take 8.9 GiB at a time, and an agent has room for 3.6 GiB" in refused.cause.message
    plan_run(RUN, spec({**long, "calls.0.concurrency": 20}), endpoints(1), WIDE)


def test_more_results_than_an_agent_can_tell_are_refused():
    count = ROOM_BYTES // (3 * LINE_BYTES) + 1
    test = spec({**LANES, "calls.0.count": count, "calls.0.concurrency": 200, "activeDeadlineSeconds": 86_400})
    refused = refusal(test, 3)
    assert refused.cause.reason is Reason.LIMIT_EXCEEDED
    told = f"{3 * count * LINE_BYTES / 2**20:.1f} MiB of results, and it tells at most 3.9 MiB"
    assert told in refused.cause.message
    plan_run(RUN, replace(test, target=replace(test.target, endpoint_parallelism=2)), endpoints(3), WIDE)


UNREGISTERED = {"caller.register": False, "callee.route": "RequestURI", "readyDeadlineSeconds": 5}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"callee.route": "RequestURI"}, "the caller registers"),
        ({"callee.route": "RequestURI"}, "caller.register: false"),
        ({"caller.register": False}, "the callee registers"),
        ({"caller.register": False}, "another callee.route"),
        ({**NO_CALLEE, "calls.0.expect": None, "calls.0.to": "sip:x@y"}, "the caller registers"),
    ],
)
def test_a_ready_deadline_that_a_silent_registrar_outlasts_is_refused(changes, words):
    """It would be told as AgentStartTimeout, our own trouble; it is RegistrationTimeout."""
    with pytest.raises(PlanningError, match=r"^readyDeadlineSeconds: 44 .*32 s .*RFC 3261.*; 45 at least") as error:
        check_test(spec({**changes, "readyDeadlineSeconds": 44}), Limits())
    assert error.value.cause.reason is Reason.INVALID_TEST
    assert words in error.value.cause.message
    check_test(spec({**changes, "readyDeadlineSeconds": 45}), Limits())
    with pytest.raises(PlanningError, match=r"^activeDeadlineSeconds: 40 is too short where"):
        check_test(spec({**changes, "readyDeadlineSeconds": None, "activeDeadlineSeconds": 40}), Limits())


def test_where_nobody_registers_a_ready_deadline_may_be_short():
    check_test(spec(UNREGISTERED), Limits())


@pytest.mark.parametrize(
    ("changes", "count", "seconds"),
    [
        ({"calls.0.holdSeconds": 300}, 1, 600),
        ({}, 2, 32),
        # Two groups, one after the other.
        ({"calls": [{"name": n, "holdSeconds": 6} for n in "ab"]}, 1, 12),
        ({"calls.0.expect.endedBy": "SUT", "calls.0.expect.minCallSeconds": 7, "calls.0.holdSeconds": 300}, 1, 14),
        # 10 calls per second are allowed: 1000 calls take 99.9 s, however short they are.
        ({"calls": [{"name": "x", "to": "sip:x@y", "count": 1000, "expect": {"sipCode": 404}}]}, 1, 100),
    ],
)
def test_a_run_that_cannot_end_in_time_is_refused(changes, count, seconds):
    limits = Limits(max_concurrent_calls=1000)
    plan_run(RUN, spec({**UNREGISTERED, **changes, "activeDeadlineSeconds": seconds}), endpoints(count), limits)
    late = spec({**UNREGISTERED, **changes, "activeDeadlineSeconds": seconds - 1})
    refused = refusal(late, count, limits)
    assert refused.cause.reason is Reason.INVALID_TEST
    assert refused.cause.message.startswith(f"activeDeadlineSeconds: {seconds - 1} is too short")


def test_a_plan_that_does_not_fit_its_annotation_is_refused():
    call = {"to": "sip:" + "x" * 200 + "@example.com", "expect": {"sipCode": 404}}
    test = spec({"calls": [{"name": f"call-{n}", **call} for n in range(6)], "activeDeadlineSeconds": 86400})
    far = tuple(replace(endpoint, address="255.255.255.255:65535", pod="x" * 253) for endpoint in endpoints(200))
    with pytest.raises(PlanningError) as error:
        plan_run(RUN, test, far, WIDE)
    assert error.value.cause.reason is Reason.LIMIT_EXCEEDED
    assert str(MAX_PLAN_BYTES) in error.value.cause.message


def test_permitted_destinations_go_to_the_agents():
    plan = plan_run(
        RUN, spec(), [Endpoint(index=0, address="192.0.2.1:5060")], Limits(allow_targets=("192.0.2.0/24",))
    )[0]
    assert plan.allowed_targets == ("192.0.2.1/32", "192.0.2.0/24")
    assert plan.stages[0].name == "192.0.2.1:5060"


def test_what_may_be_dialled_goes_with_the_plan_for_contacts_of_redirects():
    dialled = Limits(allow_dial=re.compile(r"\+4930[0-9]+"))
    assert {plan.allow_dial for plan in plan_run(RUN, spec(), endpoints(1), dialled)} == {r"\+4930[0-9]+"}
    assert {plan.allow_dial for plan in plan_run(RUN, spec(), endpoints(1), Limits())} == {None}
