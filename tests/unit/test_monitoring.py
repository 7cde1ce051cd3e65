"""deploy/monitoring beside the operator's own manifests: what it selects is there, and what it needs is granted."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from agent.contract.plan import Plan
from controller.kube.manifests import agent_pod
from controller.plan.limits import Limits
from controller.plan.planning import plan_run
from tests.unit.controller.objects import RUN, endpoints, spec

DEPLOY = Path(__file__).parents[2] / "deploy"
MONITORING = DEPLOY / "monitoring"


def objects(path: Path) -> dict[str, Any]:
    """By kind."""
    return {item["kind"]: item for item in yaml.safe_load_all(path.read_text())}


def selects(monitor: dict[str, Any], pod: dict[str, Any]) -> bool:
    """Whether a PodMonitor scrapes a pod, by labels and by the name of its port."""
    labels = monitor["spec"]["selector"]["matchLabels"]
    ports = {port["name"] for container in pod["spec"]["containers"] for port in container.get("ports", ())}
    wanted = {endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]}
    return labels.items() <= pod["metadata"]["labels"].items() and wanted <= ports


def agents_pod() -> dict[str, Any]:
    test = spec(None)
    plan: Plan = next(iter(plan_run(RUN, test, endpoints(1), Limits())))
    return agent_pod(plan, test, "agent:1")


def test_each_podmonitor_finds_its_pods_and_no_others() -> None:
    operator = objects(DEPLOY / "operator" / "deployment.yaml")["Deployment"]["spec"]["template"]
    for_operator = objects(MONITORING / "podmonitor.yaml")["PodMonitor"]
    for_agents = objects(MONITORING / "agents" / "podmonitor.yaml")["PodMonitor"]
    assert selects(for_operator, operator)
    assert selects(for_agents, agents_pod())
    assert not selects(for_operator, agents_pod())
    assert not selects(for_agents, operator)


def test_the_namespace_of_a_metric_is_the_calltests() -> None:
    (endpoint,) = objects(MONITORING / "podmonitor.yaml")["PodMonitor"]["spec"]["podMetricsEndpoints"]
    assert endpoint["honorLabels"] is True


def test_prometheus_may_read_pods_and_nothing_else() -> None:
    found = objects(MONITORING / "role.yaml")
    assert found["Role"]["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    assert found["RoleBinding"]["roleRef"]["name"] == found["Role"]["metadata"]["name"]


def test_the_dashboard_is_found_by_grafanas_sidecar() -> None:
    built = objects(MONITORING / "kustomization.yaml")["Kustomization"]
    (made,) = built["configMapGenerator"]
    assert made["options"]["labels"] == {"grafana_dashboard": "1"}
    (file,) = (MONITORING / name.partition("=")[2] for name in made["files"])
    board = json.loads(file.read_text())
    assert "__inputs" not in board
    assert [one["name"] for one in board["templating"]["list"]] == ["datasource", "namespace", "calltest"]
    assert all((MONITORING / name).is_file() for name in built["resources"])


def test_every_alert_says_how_bad_it_is_and_what_it_means() -> None:
    (group,) = objects(MONITORING / "alerts.yaml")["PrometheusRule"]["spec"]["groups"]
    for rule in group["rules"]:
        assert rule["alert"].startswith("CallTest")
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        summary, description = rule["annotations"]["summary"], rule["annotations"]["description"]
        assert summary.endswith("."), rule["alert"]
        assert "$" not in summary, "one text for a group of alerts"
        assert description.endswith("."), rule["alert"]


def test_the_demo_shows_metrics_that_there_are() -> None:
    named = set(re.findall(r"calltest_[a-z_]+", (DEPLOY.parent / "dev" / "demo").read_text()))
    page = (DEPLOY.parent / "docs" / "metrics.md").read_text()
    described = set(re.findall(r"^\| `(calltest_[a-z_]+)`", page, re.MULTILINE))
    assert len(named) > 3
    assert named <= described
