"""The examples fit the API and each other, before any cluster sees them."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from agent.contract.verdict import Result
from agent.judge.reasons import result_of
from controller.api.parse import parse_test
from controller.api.parties import Route
from tests.sut.base import BASES, EXAMPLES, KAMAILIO, Base
from tests.sut.scenario import load_scenario, scenarios


def sut_module(name: str, base: Base = KAMAILIO) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, base.folder / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def folders() -> list[str]:
    return sorted(
        path.name for path in EXAMPLES.iterdir() if path.is_dir() and path not in {base.folder for base in BASES}
    )


def test_every_folder_is_a_scenario() -> None:
    assert folders() == sorted(scenarios())


@pytest.mark.parametrize("name", folders())
def test_calltest_is_valid_and_named_like_its_folder(name: str) -> None:
    test = parse_test(yaml.safe_load((EXAMPLES / name / "calltest.yaml").read_text()))
    assert test.name == name


@pytest.mark.parametrize("name", folders())
def test_expectation_agrees_with_itself(name: str) -> None:
    scenario = load_scenario(name)
    expected = scenario.expected
    calls = expected.calls
    assert calls.planned == calls.passed + calls.failed + calls.inconclusive
    assert (expected.reason is None) == (expected.result is Result.PASSED)
    assert expected.reason is None or result_of(expected.reason) is expected.result
    assert (Result.FAILED in expected.endpoints) == (expected.result is Result.FAILED)
    assert name.startswith("failing-") == (expected.result is Result.FAILED)
    assert any(f.reason is expected.reason for f in expected.failures) == (expected.result is Result.FAILED)


@pytest.mark.parametrize("name", folders())
def test_planned_calls_are_the_tests_calls_at_each_endpoint(name: str) -> None:
    scenario = load_scenario(name)
    test = parse_test(yaml.safe_load(scenario.calltest.read_text()))
    per_endpoint = sum(call.count for call in test.spec.calls)
    assert scenario.expected.calls.planned == per_endpoint * len(scenario.expected.endpoints)


@pytest.mark.parametrize("name", folders())
def test_features_are_ones_that_the_sut_knows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(KAMAILIO.folder)  # all files of an image are in one folder
    for replica in load_scenario(name).replicas:
        monkeypatch.setenv("SUT_FEATURES", " ".join(replica.features))
        sut_module(Path(replica.base.files[0]).stem, replica.base).wanted_features()


def test_only_the_service_of_a_callee_is_dialled() -> None:
    """By name on a cluster; the harness puts the agent's own address there without one."""
    dialled = {name: {replica.dial for replica in load_scenario(name).replicas} for name in scenarios()}
    assert {name: hosts for name, hosts in dialled.items() if hosts - {None}} == {
        "callee-service": {"callee-service-callee:5060"}
    }


@pytest.mark.parametrize(
    ("name", "route"), [("callee-service", Route.CALLEE_SERVICE), ("request-uri", Route.REQUEST_URI)]
)
def test_a_route_other_than_register_is_the_only_one(name: str, route: Route) -> None:
    """With registrations, the call would find its way although the route did nothing."""
    scenario = load_scenario(name)
    test = parse_test(yaml.safe_load(scenario.calltest.read_text()))
    assert test.spec.callee is not None
    assert test.spec.callee.route is route
    assert all("REFUSE_REGISTRATION" in replica.features for replica in scenario.replicas)


def test_one_replica_of_two_is_broken() -> None:
    assert [replica.features for replica in load_scenario("failing-one-replica").replicas] == [(), ("ONE_WAY_AUDIO",)]


def test_a_scenario_runs_somewhere() -> None:
    assert all(it.expected.local or it.expected.cluster for it in map(load_scenario, scenarios()))


def test_a_scenario_that_runs_without_a_cluster_has_a_replica_for_each_endpoint() -> None:
    for scenario in map(load_scenario, scenarios()):
        number = len(scenario.replicas) + scenario.parrots
        assert not scenario.expected.local or number == len(scenario.expected.endpoints)


def test_sut_refuses_a_feature_that_it_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUT_FEATURES", "ANSWER_504")
    with pytest.raises(SystemExit, match="ANSWER_504"):
        sut_module("sut").wanted_features()


def test_sut_refuses_a_fault_of_the_relay_without_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUT_FEATURES", "DIRECT_MEDIA SWAP_AUDIO")
    with pytest.raises(SystemExit, match="SWAP_AUDIO"):
        sut_module("sut").wanted_features()


def test_every_feature_of_the_sut_is_in_its_configuration() -> None:
    config = (EXAMPLES / "sut" / "kamailio.cfg").read_text()
    for feature in sut_module("sut").FEATURES:
        assert f"ifdef {feature}\n" in config or f"ifndef {feature}\n" in config


def test_users_become_ha1_of_rfc_2617(tmp_path: Path) -> None:
    for key, value in {"username": "Mufasa", "password": "Circle Of Life\n"}.items():
        (tmp_path / "m").mkdir(exist_ok=True)
        (tmp_path / "m" / key).write_text(value)
    users = sut_module("sut").read_users(tmp_path, "testrealm@host.com")
    assert users == {"Mufasa": "939e7578ed9e3c518a452acee763bce9"}


def test_announcement_is_audible_g711() -> None:
    phone = sut_module("phone")
    assert phone.ulaw(0) == 0xFF
    assert phone.ulaw(32767) == 0x80
    assert phone.ulaw(-32768) == 0x00
    assert len(phone.announcement()) == 16000
