"""deploy/monitoring and docs/metrics.md against a real Prometheus that scrapes everything that we expose."""

import copy
import json
import re
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest

from agent.contract.verdict import Result
from agent.report.metrics import AgentMetrics
from controller.operator import web
from controller.operator.metrics import Metrics
from controller.operator.workqueue import Key
from tests.unit.controller.measured import FAILED, MEASURED, TEST, filled, leg, media, run_once

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
RULES = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["spec"]
ALERTS = [rule["alert"] for group in RULES["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text())
DOCS = (ROOT / "docs" / "metrics.md").read_text()
SCRAPE_EVERY_S = 1
READY_WITHIN_S = 60
VARIABLES = {"$namespace": "voice|lab", "$calltest": ".*", "$__rate_interval": "1m", "$__range": "5m"}
QUIET = {"CallTestOperatorDown"}
"""Alerts whose expression has no metric of ours."""
METRIC = re.compile(r"\bcalltest_\w+")


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder with prometheus and promtool."""
    done = subprocess.run([ROOT / "dev" / "prometheus"], stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.strip())


def promtool(programs: Path, *words: str | Path, given: bytes | None = None) -> subprocess.CompletedProcess[str]:
    text = given.decode() if given is not None else None
    return subprocess.run(
        [programs / "promtool", *words], input=text, capture_output=True, text=True, check=False, timeout=60
    )


def holds(programs: Path, folder: Path, rules: dict[str, Any]) -> bool:
    """Whether these rules pass the tests that are kept beside ours."""
    (folder / "alerts.yaml").write_text(yaml.safe_dump(rules))
    (folder / "alerts_test.yaml").write_text((MONITORING / "alerts_test.yaml").read_text())
    checked = promtool(programs, "check", "rules", folder / "alerts.yaml")
    assert checked.returncode == 0, checked.stderr  # one that cannot be read would fail every test of it
    assert f"{len(ALERTS)} rules found" in checked.stdout
    return promtool(programs, "test", "rules", folder / "alerts_test.yaml").returncode == 0


def test_the_rules_are_what_they_are_tested_to_be(programs: Path, tmp_path: Path) -> None:
    assert holds(programs, tmp_path, RULES)


def gone(rule: dict[str, Any]) -> None:
    rule["expr"] = f"({rule['expr']}) and vector(0) > 1"


def at_once(rule: dict[str, Any]) -> None:
    rule.pop("for")


def late(rule: dict[str, Any]) -> None:
    rule["for"] = f"{int(rule.get('for', '0m').replace('1h', '60m')[:-1]) + 2}m"


def mild(rule: dict[str, Any]) -> None:
    rule["labels"] = {"severity": "info"}


def turned(rule: dict[str, Any]) -> None:
    """The first comparison, the other way round."""
    other = {">=": "<", ">": "<=", "==": "!=", "<": ">="}
    rule["expr"] = re.sub(r" (>=|==|<|>) ", lambda found: f" {other[found[1]]} ", rule["expr"], count=1)


def without_exception(rule: dict[str, Any]) -> None:
    """What says of whom it must not be told."""
    rule["expr"] = re.split(r" unless on| and on", rule["expr"])[0] + ")" * rule["expr"].startswith("(group")


def cases() -> Iterator[tuple[str, Callable[[dict[str, Any]], None]]]:
    for group in RULES["groups"]:
        for rule in group["rules"]:
            wanted = [gone, late, mild]
            wanted += [at_once] if "for" in rule else []
            wanted += [turned] if re.search(r" (>=|==|<|>) ", rule["expr"]) else []
            excepted = (
                re.search(r" (unless|and) on \(namespace", rule["expr"]) and rule["alert"] != "CallTestInconclusive"
            )
            wanted += [without_exception] if excepted else []
            yield from ((rule["alert"], broken) for broken in wanted)


@pytest.mark.parametrize(
    ("alert", "broken"), [pytest.param(*case, id=f"{case[0]}-{case[1].__name__}") for case in cases()]
)
def test_no_rule_can_be_broken_unseen(
    programs: Path, tmp_path: Path, alert: str, broken: Callable[[dict[str, Any]], None]
) -> None:
    rules = copy.deepcopy(RULES)
    (rule,) = [rule for group in rules["groups"] for rule in group["rules"] if rule["alert"] == alert]
    broken(rule)
    assert rules != RULES
    assert not holds(programs, tmp_path, rules)


def agent() -> CollectorRegistry:
    metrics = AgentMetrics()
    metrics.watch(lambda: 1)
    metrics.leg_over(leg(FAILED.calls[0].caller.role, **media(sent=400, packets=300, lost=100, jitter_ms=2.0)))  # type: ignore[union-attr]
    return metrics.registry


@pytest.mark.parametrize("registry", [filled().registry, agent()], ids=["operator", "agent"])
def test_promtool_finds_nothing_in_what_is_exposed(programs: Path, registry: CollectorRegistry) -> None:
    done = promtool(programs, "check", "metrics", given=generate_latest(registry))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


class Server:
    """A Prometheus on loopback, and what it scrapes: an operator with all of its metrics, and an agent."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.seen_at = 0.0
        """When all that the tests look at had been scraped (Unix time)."""
        self.metrics = filled()
        pages = (self.metrics.registry, agent())
        self.scraped = [web.serve(web.application(page, {}), "127.0.0.1", 0) for page in pages]
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        jobs = ("voice/calltest-operator", "voice/calltest-agents")
        scrapes = [
            {"job_name": job, "honor_labels": True, "static_configs": [{"targets": [f"127.0.0.1:{at.server_port}"]}]}
            for job, at in zip(jobs, self.scraped, strict=True)
        ]
        every = {"scrape_interval": f"{SCRAPE_EVERY_S}s", "evaluation_interval": f"{SCRAPE_EVERY_S}s"}
        config = {"global": every, "scrape_configs": scrapes, "rule_files": ["alerts.yaml"]}
        (folder / "alerts.yaml").write_text(yaml.safe_dump(RULES))
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
        words = [f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data"]
        words += [f"--web.listen-address={self.url.removeprefix('http://')}", "--log.level=warn"]
        self.process = subprocess.Popen([programs / "prometheus", *words], stderr=subprocess.PIPE, text=True)

    def get(self, page: str, **query: str) -> Any:
        """The data of an API call; AssertionError with Prometheus' words when it is refused."""
        asked = f"{self.url}/api/v1/{page}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refused:
            raise AssertionError(f"{query}: {refused.read().decode()}") from refused

    def values(self, expression: str, **when: str) -> list[Any]:
        """What an expression has now, or had at that `time`."""
        found: list[Any] = self.get("query", query=expression, **when)["result"]
        return found

    def then(self, expression: str) -> list[Any]:
        """What an expression had when all was there: the rate of what does not increase any more is soon 0, or NaN."""
        return self.values(expression, time=str(self.seen_at))

    def wait_for(self, expression: str) -> None:
        """Until it has a value."""
        self.until(lambda: bool(self.values(expression)), f"a value of {expression}")

    def begin(self) -> None:
        """Until it answers queries: it listens some time before, and says 503 until then."""
        self.until(self._is_ready, "ready")

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=10):
                return True
        except OSError:  # HTTPError is one
            assert self.process.poll() is None, self.process.stderr and self.process.stderr.read()
            return False

    def until(self, look: Callable[[], bool], what: str) -> None:
        """Looks again and again; AssertionError with `what` when it does not come."""
        deadline = time.monotonic() + READY_WITHIN_S
        while not look():
            assert time.monotonic() < deadline, f"not within {READY_WITHIN_S} s: {what}"
            time.sleep(0.2)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        for one in self.scraped:
            one.shutdown()


@pytest.fixture(scope="session")
def server(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With a run before its first look, and one after that: counters have increased."""
    made = Server(programs, tmp_path_factory.mktemp("prometheus"))
    try:
        made.begin()
        made.wait_for('calltest_runs_total{result="Failed"} == 1')
        run_once(made.metrics, "pin-g2", FAILED, Result.FAILED)
        run_once(made.metrics, "edge-g1", FAILED, Result.FAILED, ("lab", "edge"))
        made.metrics.observe_reconcile(Key("CallTest", *TEST), 0.1, False)
        run_once(made.metrics, "pin-g3", MEASURED, Result.PASSED)  # the last: who has scraped this has all
        made.wait_for('calltest_runs_total{result="Passed"} == 1')
        made.wait_for('increase(calltest_runs_total{result="Passed"}[1m]) > 0')
        made.wait_for('calltest_last_run_result{calltest="edge"}')
        made.wait_for("rate(calltest_agent_legs_total[1m])")
        made.seen_at = time.time()
        yield made
    finally:
        made.close()


def shown(expression: str) -> str:
    """With values in the place of the dashboard's variables."""
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


EXPRESSIONS = [
    pytest.param(target["expr"], id=f"{panel['title']}-{target['refId']}")
    for panel in DASHBOARD["panels"]
    for target in panel["targets"]
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_panel_shows_something(server: Server, expression: str) -> None:
    found = server.then(shown(expression))
    assert found
    assert any(series["value"][1] != "NaN" for series in found), found


def test_every_variable_of_the_dashboard_has_values(server: Server) -> None:
    asked = [one["query"]["query"] for one in DASHBOARD["templating"]["list"] if one["type"] == "query"]
    assert len(asked) == 2
    for query in asked:
        match = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
        assert match is not None, query
        assert server.get(f"label/{match[2]}/values", **{"match[]": shown(match[1])}), query


def test_every_panel_says_what_it_is() -> None:
    for panel in DASHBOARD["panels"]:
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
    places = [tuple(panel["gridPos"].values()) for panel in DASHBOARD["panels"]]
    assert len(places) == len(set(places))
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)


@pytest.mark.parametrize("query", re.findall(r"```promql\n(.+?)```", DOCS, re.DOTALL))
def test_every_query_of_the_page_has_an_answer(server: Server, query: str) -> None:
    assert server.then(query), query


def test_prometheus_takes_every_rule(server: Server) -> None:
    def rules() -> list[Any]:
        return [rule for group in server.get("rules")["groups"] for rule in group["rules"]]

    server.until(lambda: all(rule["health"] == "ok" for rule in rules()), "every rule evaluated well")
    assert sorted(rule["name"] for rule in rules()) == sorted(ALERTS)


def test_alerts_and_dashboard_use_metrics_that_there_are(server: Server) -> None:
    """Also those parts of an expression that are empty as long as all is well."""
    rules = {rule["alert"]: rule["expr"] for group in RULES["groups"] for rule in group["rules"]}
    expressions = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    for expression in [*rules.values(), *expressions]:
        for name in set(METRIC.findall(expression)):
            assert server.then(f"last_over_time({name}[5m])"), name
    assert {name for name, expr in rules.items() if not METRIC.search(expr)} == QUIET


def test_the_alerts_that_are_to_fire_do(server: Server) -> None:
    metrics: Metrics = server.metrics
    for name in ("pin-g4", "pin-g5"):
        run_once(metrics, name, FAILED, Result.FAILED)
    server.wait_for('ALERTS{alertname="CallTestFailed",alertstate="firing",severity="critical",calltest="pin"}')
    server.wait_for(
        'ALERTS{alertname="CallTestOperatorStuck",alertstate="pending"}'
    )  # it looked last in 2026's first minutes
