"""The shipped Roles are the access list, and the preflight asks for exactly that."""

from pathlib import Path

import pytest
import yaml

from controller.operator.access import OWN_RULES, TARGET_RULES, files, permissions
from controller.operator.preflight import missing, report
from tests.unit.controller.fake_cluster import FakeCluster

DEPLOY = Path(__file__).parents[4] / "deploy"


@pytest.mark.parametrize("name", sorted(files()))
def test_the_shipped_files_are_those_that_are_written_from_the_list(name: str) -> None:
    assert (DEPLOY / name).read_text() == files()[name], "run: uv run python -m controller.operator.access"


@pytest.mark.parametrize("name", sorted(files()))
def test_no_rule_has_a_wildcard_or_touches_secrets(name: str) -> None:
    for rule in yaml.safe_load(files()[name])["rules"]:
        assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
        assert "secrets" not in rule["resources"]


def test_access_to_a_target_is_reading_only() -> None:
    assert {verb for rule in TARGET_RULES for verb in rule.verbs} <= {"get", "list", "watch"}


def test_every_rule_is_asked_for_in_every_namespace() -> None:
    asked = list(permissions(("a", "b")))
    assert len(asked) == 2 * sum(len(rule.verbs) for rule in OWN_RULES)
    assert {item.namespace for item in asked} == {"a", "b"}
    assert {item.namespace for item in permissions(())} == {""}


def test_nothing_is_missing_with_the_shipped_role() -> None:
    lacking = missing(FakeCluster(), ("voice",))
    assert lacking == ()
    assert report(lacking) == ""


@pytest.mark.parametrize("rule", OWN_RULES, ids=lambda rule: rule.resource)
def test_what_is_missing_is_named_by_verb_and_resource(rule) -> None:
    cluster = FakeCluster()
    cluster.denied = {(rule.verbs[0], rule.resource)}
    group = f".{rule.group}" if rule.group else ""
    assert f"{rule.verbs[0]} {rule.resource}{group} in namespace voice" in report(missing(cluster, ("voice",)))
    assert f"{rule.verbs[0]} {rule.resource}{group} in all namespaces" in report(missing(cluster, ()))
