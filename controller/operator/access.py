"""What the operator may do: the one list from which the shipped Roles are written and the preflight asks.

`python -m controller.operator.access` writes the files below deploy/. No wildcards, and no rule for Secrets: agents
mount them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Verbs on one resource ('pods', or 'pods/log' for a subresource)."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One question of the preflight."""

    namespace: str
    """'' asks for all of them."""
    group: str
    resource: str
    verb: str

    def __str__(self) -> str:
        where = f"in namespace {self.namespace}" if self.namespace else "in all namespaces"
        group = f".{self.group}" if self.group else ""
        return f"{self.verb} {self.resource}{group} {where}"


OWN_RULES = (
    Rule(group="calltest.dev", resource="calltests", verbs=("get", "list", "watch"), why="the tests"),
    Rule(group="calltest.dev", resource="calltests/status", verbs=("update",), why="their last run, in brief"),
    Rule(
        group="calltest.dev",
        resource="calltestruns",
        verbs=("get", "list", "watch", "create", "delete"),
        why="runs are made, and dropped when history is full",
    ),
    Rule(group="calltest.dev", resource="calltestruns/status", verbs=("update",), why="progress and verdict"),
    Rule(
        group="",
        resource="pods",
        verbs=("get", "list", "watch", "create", "patch", "delete"),
        why="agents; patch gives them their signal; list and watch find the SUT's",
    ),
    Rule(group="", resource="pods/log", verbs=("get",), why="progress and detail of the agents"),
    Rule(group="", resource="configmaps", verbs=("get", "create"), why="detail of the calls"),
    Rule(
        group="",
        resource="services",
        verbs=("get", "list", "watch", "create"),
        why="the SUT's, and <calltest>-callee",
    ),
    Rule(group="", resource="events", verbs=("create",), why="what happened, beside the object"),
    Rule(group="discovery.k8s.io", resource="endpointslices", verbs=("list", "watch"), why="the SUT's replicas"),
)
"""In each namespace that is served."""

TARGET_RULES = (
    Rule(group="", resource="pods", verbs=("list", "watch"), why="who is behind an endpoint"),
    Rule(group="", resource="services", verbs=("get", "list", "watch"), why="the SUT's Service"),
    Rule(group="discovery.k8s.io", resource="endpointslices", verbs=("list", "watch"), why="its replicas"),
)
"""In a namespace that only has the system under test (spec.target.namespace)."""


def permissions(namespaces: tuple[str, ...]) -> Iterator[Permission]:
    """Every permission that the operator needs to serve these namespaces; none given: all of them."""
    for namespace in namespaces or ("",):
        for rule in OWN_RULES:
            for verb in rule.verbs:
                yield Permission(namespace=namespace, group=rule.group, resource=rule.resource, verb=verb)


HEADER = "# Written by `python -m controller.operator.access` from controller/operator/access.py: do not edit.\n"
NAME = "calltest-operator"
LABELS = {"app.kubernetes.io/name": "calltest", "app.kubernetes.io/component": "operator"}


def role(kind: str, name: str, rules: tuple[Rule, ...]) -> str:
    """The YAML of a Role or ClusterRole, each rule under a comment that says what it is for."""
    head = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name, "labels": LABELS},
    }
    lines = [HEADER, yaml.safe_dump(head, sort_keys=False), "rules:\n"]
    for rule in rules:
        body = {"apiGroups": [rule.group], "resources": [rule.resource], "verbs": list(rule.verbs)}
        text = yaml.safe_dump(body, default_flow_style=True, width=200).strip()
        lines.append(f"# {rule.why}\n- {text}\n")
    return "".join(lines)


def files() -> dict[str, str]:
    """The files below deploy/ and their texts."""
    return {
        "rbac/role.yaml": role("Role", NAME, OWN_RULES),
        "cluster-wide/clusterrole.yaml": role("ClusterRole", NAME, OWN_RULES),
        "target-access/role.yaml": role("Role", "calltest-target", TARGET_RULES),
    }


def main() -> None:
    """Writes the files."""
    deploy = Path(__file__).parents[2] / "deploy"
    for name, text in files().items():
        path = deploy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(path.relative_to(deploy.parent))


if __name__ == "__main__":
    main()
