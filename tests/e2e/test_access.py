"""What the operator may do: exactly the shipped Role, and what it says when some of that is missing."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.operator.access import OWN_RULES, Rule
from tests.e2e.calltests import EACH_REPLICA, Object, call_test
from tests.e2e.kube import ROOT, KubectlError, Namespace, namespace, until
from tests.sut.base import EXAMPLES

ROLE: Object = yaml.safe_load((ROOT / "deploy" / "rbac" / "role.yaml").read_text())
DEPLOYMENT: Object = yaml.safe_load((ROOT / "deploy" / "operator" / "deployment.yaml").read_text())
ASKS_EVERY_S = 60
REFUSED = re.compile(r"forbidden|: 40[13]:|Traceback|cannot (get|list|watch|create|patch|update|delete)", re.IGNORECASE)


@pytest.fixture(scope="module")
def space() -> Iterator[Namespace]:
    with namespace("e2e-access") as made:
        made.kubectl("apply", "-f", str(ROOT / "deploy" / "crd" / "calltests.yaml"))
        made.kubectl("apply", "-f", str(ROOT / "deploy" / "crd" / "calltestruns.yaml"))
        yield made


def lacking(rules: list[Any]) -> Object:
    """The shipped Role with other rules."""
    return ROLE | {"rules": rules}


def named(body: Any, name: str) -> Any:
    """The object under another name, its labels too, so that several can stand side by side."""
    text = yaml.safe_dump(body)
    body = yaml.safe_load(text.replace("name: calltest-operator", f"name: {name}"))
    return yaml.safe_load(
        yaml.safe_dump(body)
        .replace("serviceAccountName: calltest-operator", f"serviceAccountName: {name}")
        .replace("app.kubernetes.io/component: operator", f"app.kubernetes.io/component: {name}")
    )


def start(space: Namespace, name: str, rules: list[Any]) -> None:
    """An operator of its own name with these rules."""
    folder = ROOT / "deploy"
    space.apply(named(yaml.safe_load((folder / "operator" / "serviceaccount.yaml").read_text()), name))
    space.apply(named(lacking(rules), name))
    space.apply(named(yaml.safe_load((folder / "rbac" / "rolebinding.yaml").read_text()), name))
    space.apply(named(DEPLOYMENT, name))


def is_unready(space: Namespace, name: str) -> bool:
    """Whether /readyz answers 503."""
    pod = space.items("pods", "-l", f"app.kubernetes.io/component={name}")[0]["metadata"]["name"]
    try:
        space.kubectl("get", "--raw", f"/api/v1/namespaces/{space.name}/pods/{pod}:8080/proxy/readyz")
    except KubectlError as error:
        return "ServiceUnavailable" in str(error)
    return False


def said(space: Namespace, name: str) -> str:
    """Its log."""
    return space.kubectl("logs", f"deployment/{name}")


def missing_lines(rule: Rule) -> list[str]:
    """How the log names what a rule gives."""
    group = f".{rule.group}" if rule.group else ""
    return [f"{verb} {rule.resource}{group} in namespace e2e-access" for verb in rule.verbs]


@pytest.fixture
def without(space: Namespace) -> Iterator[dict[str, Rule]]:
    """Operators by name, each without another rule, and one more, `robbed`, with all of them."""
    # All at once: one after the other, each would wait for the operator's minute.
    made = {f"without-{index}": rule for index, rule in enumerate(OWN_RULES)}
    for index, name in enumerate(made):
        start(space, name, [rule for number, rule in enumerate(ROLE["rules"]) if number != index])
    start(space, "robbed", ROLE["rules"])
    yield made
    for name in (*made, "robbed"):
        space.kubectl("delete", "deployment", name, "--wait=false")


def test_each_missing_rule_is_named_until_it_is_granted(space: Namespace, without: dict[str, Rule]) -> None:
    for name, rule in without.items():
        until(functools.partial(speaks, space, name), f"{name} speaks", timeout_s=90, every_s=1)
        named_lines = {line.strip() for line in said(space, name).splitlines() if line.startswith("  ")}
        assert named_lines == set(missing_lines(rule)), name
        assert is_unready(space, name)
    space.rolled_out("robbed")

    for name in without:
        space.apply(named(ROLE, name))
    space.apply(named(lacking([rule for rule in ROLE["rules"] if rule["resources"] != ["pods/log"]]), "robbed"))
    for name in without:
        space.rolled_out(name, timeout_s=ASKS_EVERY_S + 30)
        assert said(space, name).count("every permission is granted") == 1
        restarts = space.items("pods", "-l", f"app.kubernetes.io/component={name}")[0]["status"]["containerStatuses"]
        assert restarts[0]["restartCount"] == 0, "it waits for its rights, and is not restarted for it"
    until(functools.partial(speaks, space, "robbed"), "it says what it lost while it ran", timeout_s=ASKS_EVERY_S + 20)
    assert "get pods/log in namespace" in said(space, "robbed")
    assert is_unready(space, "robbed")


def speaks(space: Namespace, name: str) -> bool:
    """Whether it has said that it lacks something."""
    return "access is missing" in said(space, name)


def test_with_exactly_the_shipped_role_nothing_is_refused(voice: Namespace) -> None:
    until(lambda: not other_operators(voice), "the operators of other tests are gone", timeout_s=100)
    until(lambda: not ending(voice), "the namespaces of other tests are gone", timeout_s=100)
    until(lambda: not agents(voice), "the agents of other tests are gone", timeout_s=100)
    before = refusals(voice)
    voice.apply(call_test("granted", target=EACH_REPLICA))
    assert voice.finished("granted", timeout_s=90)["status"]["lastRun"]["result"] == "Passed"
    voice.kubectl("delete", "calltest", "granted")
    assert refusals(voice) == before
    log = voice.kubectl("logs", voice.operator()["metadata"]["name"])
    assert [line for line in log.splitlines() if REFUSED.search(line)] == []


def other_operators(space: Namespace) -> list[str]:
    """Those outside this namespace: without their rights, or in a namespace that ends, they are refused many things."""
    pods = space.items("pods", "--all-namespaces", "-l", "app.kubernetes.io/name=calltest")
    return [pod["metadata"]["name"] for pod in pods if pod["metadata"]["namespace"] != space.name]


def ending(space: Namespace) -> list[str]:
    """Namespaces on their way out: the kubelet is refused what its pods had there (node authorization)."""
    found = space.items("namespaces")
    return [one["metadata"]["name"] for one in found if one["status"].get("phase") == "Terminating"]


def agents(space: Namespace) -> list[str]:
    """Pods of runs: the kubelet is refused what one had whose objects were deleted with it."""
    return [pod["metadata"]["name"] for pod in space.items("pods", "-l", "calltest.dev/run")]


def refusals(space: Namespace) -> float:
    """Requests that the API server answered 403, of anybody."""
    found = space.kubectl("get", "--raw", "/metrics")
    return sum(
        float(line.rpartition(" ")[2])
        for line in found.splitlines()
        if line.startswith("apiserver_request_total{") and 'code="403"' in line
    )


@pytest.mark.covers("target.namespace")
def test_a_target_in_another_namespace_needs_its_role_there(voice: Namespace, tmp_path: Path) -> None:
    target = EACH_REPLICA | {"namespace": voice.name}
    with namespace("e2e-tester") as tester:
        tester.apply_folder(ROOT / "deploy", tmp_path)
        tester.kubectl("apply", "-f", str(EXAMPLES / "sut" / "users" / "secrets.yaml"))
        tester.rolled_out("calltest-operator")
        tester.apply(call_test("outside", target=target, readyDeadlineSeconds=45))
        status = tester.finished("outside", timeout_s=90)["status"]["lastRun"]
        assert (status["result"], status["reason"]) == ("Inconclusive", "AccessDenied"), status
        assert "deploy/target-access" in status["message"]

        voice.kubectl("apply", "-k", str(ROOT / "deploy" / "target-access"))
        to = ("--role=calltest-target", f"--serviceaccount={tester.name}:calltest-operator")
        voice.kubectl("create", "rolebinding", "calltest-target", *to)
        tester.apply(call_test("inside", target=target))
        status = tester.finished("inside", timeout_s=90)["status"]["lastRun"]
        assert status["result"] == "Passed", status
    voice.kubectl("delete", "rolebinding", "calltest-target")
