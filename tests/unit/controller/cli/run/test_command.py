"""What `calltest` says and returns; no agent is started here."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from agent.contract.verdict import Result
from controller.cli.app import app
from controller.cli.run import runs
from tests.unit.controller.finished import finished_run

RUNNER = CliRunner()
TEST: dict[str, Any] = {
    "apiVersion": "calltest.dev/v1alpha1",
    "kind": "CallTest",
    "metadata": {"name": "pin"},
    "spec": {
        "target": {"service": {"name": "kamailio"}, "port": "sip"},
        "caller": {"uri": "sip:alice@example.com", "credentials": {"secretName": "sip-alice"}},
        "callee": {"uri": "sip:bob@example.com"},
        "calls": [{"name": "pin"}],
    },
}
SECRET: dict[str, Any] = {
    "kind": "Secret",
    "metadata": {"name": "sip-alice"},
    "stringData": {"username": "alice", "password": "secret"},
}


def changed(*path: str | int, to: Any) -> dict[str, Any]:
    """The test with one field set (None: removed)."""
    test: dict[str, Any] = yaml.safe_load(yaml.safe_dump(TEST))
    place: Any = test
    for step in path[:-1]:
        place = place[step]
    if to is None:
        del place[path[-1]]
    else:
        place[path[-1]] = to
    return test


def run(tmp_path: Path, *documents: dict[str, Any], arguments: tuple[str, ...] = ("-t", "127.0.0.1")) -> Any:
    path = tmp_path / "pin.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    return RUNNER.invoke(app, ["run", str(path), *arguments])


def test_version_is_the_package_s() -> None:
    result = RUNNER.invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, "calltest 0.1.0\n")


def test_help_shows_examples_and_exit_status() -> None:
    result = RUNNER.invoke(app, ["run", "--help"])
    assert "calltest run pin.yaml --target 127.0.0.1:5060" in result.stdout
    assert "0 Passed, 1 Failed, 3 Inconclusive, 2 unusable input" in result.stdout


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        ((), "pin.yaml: empty, expected a Kubernetes object (kind: CallTest)"),
        ((SECRET,), "no document of kind CallTest to run; found: Secret ("),
        ((TEST | {"calls": []}, SECRET), "pin.yaml:2: calls: is no field of a CallTest: what it tests is below spec"),
        ((changed("spec", "calls", 0, "count", to=0), SECRET), "spec.calls[0].count: 0: a whole number from 1 to 1"),
        ((changed("spec", "calls", 0, "cuont", to=2), SECRET), "spec.calls[0].cuont: is no field: did you mean count?"),
        ((changed("spec", "caller", to=None), SECRET), "spec.caller: is missing: a mapping with uri, cred"),
        ((changed("spec", "target", to={}), SECRET), "spec.target: exactly one of service, podSelector, address"),
        ((changed("spec", "caller", "uri", to="sip:a b@x"), SECRET), "spec.caller.uri"),
        ((changed("spec", "callee", "uri", to="sip:alice@example.com"), SECRET), "callee.uri: is the caller's too"),
        ((changed("spec", "calls", 0, "to", to="sip:+491512345678@x"), SECRET), "looks like a phone number"),
        ((changed("spec", "calls", 0, "to", to="sip:112@x"), SECRET), "emergency number: never dialled"),
        ((changed("spec", "calls", 0, "count", to=600), SECRET), "activeDeadlineSeconds: 600 is too short"),
        ((changed("spec", "target", "via", to="Service"), SECRET), ""),
        ((TEST,), "spec.caller.credentials.secretName: Secret sip-alice is not here: put it into the file, or give"),
        ((TEST, {**SECRET, "stringData": {"username": "a"}}), "Secret sip-alice has no key password"),
        ((TEST, {**SECRET, "metadata": {"name": "sip-alice", "namespace": "other"}}), "Secret sip-alice is not here"),
    ],
)  # fmt: skip
def test_unusable_tests_exit_2_and_name_the_field(
    tmp_path: Path, documents: tuple[dict[str, Any], ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.cli.run.local.run_agents", _must_not_run)
    arguments = ("-t", "127.0.0.1", "-t", "127.0.0.2") if not said else ("-t", "127.0.0.1")
    result = run(tmp_path, *documents, arguments=arguments)
    assert result.exit_code == 2, result.output
    assert (said or "give one --target") in result.stderr
    assert "pin.yaml" in result.stderr
    assert result.stdout == ""


def _must_not_run(*_: object, **__: object) -> None:
    raise AssertionError("agents were started")


@pytest.mark.parametrize(("given", "expected"), [((), 10.0), (("--max-calls-per-second", "2.5"), 2.5)])
def test_agents_place_no_more_calls_a_second_than_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: tuple[str, ...], expected: float
) -> None:
    rates = []

    def begun(plans: Any, *_: object, **__: object) -> None:
        rates.extend(plan.max_calls_per_second for plan in plans)
        raise OSError("that is all")

    monkeypatch.setattr("controller.cli.run.local.run_agents", begun)
    run(tmp_path, TEST, SECRET, arguments=("-t", "127.0.0.1", *given))
    assert rates == [expected] * 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "spec.target.service can only be found on a cluster"),
        (("-t", "::1"), "is no IPv4 address, and the test's target.ipFamily is IPv4"),
        (("-t", "no-such-host.invalid"), "no IPv4 address for this host"),
        (("-t", "127.0.0.1", "--secret", "sip-alice"), "give NAME=DIR"),
        (("-t", "127.0.0.1", "--secret", "sip-alice=/nonexistent"), "/nonexistent is no directory"),
        (("-t", "127.0.0.1", "--secret", "..=/tmp"), "'..' is no name that Kubernetes would take"),
        (("-t", "127.0.0.1", "--config-map", "x"), "--config-map 'x': give NAME=DIR"),
        (("-t", "127.0.0.1", "--allow-dial", "("), "--allow-dial '(': "),
        (("-t", "127.0.0.1", "--max-calls-per-second", "0"), "--max-calls-per-second 0: give a number above 0"),
        (("-t", "127.0.0.1", "--max-calls-per-second", "inf"), "--max-calls-per-second inf: give a number above 0"),
        (("-t", "127.0.0.1", "--max-calls-per-second", "two"), "two"),
        (("-t", "127.0.0.1", "--allow-target", "192.0.2.1/24"), "--allow-target: 192.0.2.1/24 has host bits set"),
        (("-t", "127.0.0.1", "--evidence", "/dev/null/x"), "--evidence /dev/null/x: Not a directory: name a directory"),
        (("-t", "127.0.0.1", "--keep", "/dev/null/x"), "--keep /dev/null/x: Not a directory: name a directory"),
        (("-t", "127.0.0.1", "-o", "xml"), "xml"),
        (("-t", "127.0.0.1", "/nonexistent.yaml"), "/nonexistent.yaml: No such file or directory"),
        (("127.0.0.1:5060",), "127.0.0.1:5060: No such file or directory: a target is given with -t"),
        (("-t", "http://127.0.0.1:5060"), "--target 'http://127.0.0.1:5060': it is no URL: give HOST or HOST:PORT"),
    ],
)
def test_unusable_arguments_exit_2(
    tmp_path: Path, arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.cli.run.local.run_agents", _must_not_run)
    result = run(tmp_path, TEST, SECRET, arguments=arguments)
    assert result.exit_code == 2, result.output
    assert said in result.stderr


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([Result.PASSED], 0),
        ([Result.FAILED], 1),
        ([Result.INCONCLUSIVE], 3),
        ([Result.PASSED, Result.INCONCLUSIVE], 3),
        ([Result.INCONCLUSIVE, Result.FAILED, Result.PASSED], 1),
    ],
)
def test_exit_status_is_the_worst_result(
    tmp_path: Path, results: list[Result], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = list(results)
    monkeypatch.setattr(runs, "run_test", lambda *_: finished_run(left.pop(0)))
    tests = [changed("metadata", "name", to=f"test-{number}") for number in range(len(results))]
    assert run(tmp_path, *tests, SECRET).exit_code == code


@pytest.mark.parametrize(("output", "start"), [("yaml", "apiVersion:"), ("json", "{"), ("junit", "<?xml")])
def test_standard_output_holds_the_document_and_nothing_else(
    tmp_path: Path, output: str, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "run_test", lambda *_: finished_run(Result.PASSED))
    result = run(tmp_path, TEST, SECRET, arguments=("-t", "127.0.0.1", "-o", output))
    assert result.stdout.startswith(start)
    assert "calltest: pin via 127.0.0.1:5060" in result.stderr


def test_fault_of_ours_is_never_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(runs, "run_test", broken)
    result = run(tmp_path, TEST, SECRET)
    assert result.exit_code == 3
    assert "RuntimeError: a bug" in result.stderr


def test_tests_after_an_interrupt_are_not_begun_and_count_as_inconclusive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        assert arguments[2]() == 1
        return finished_run(Result.PASSED)

    monkeypatch.setattr(runs, "run_test", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    result = run(tmp_path, TEST, changed("metadata", "name", to="second"), SECRET)
    assert result.exit_code == 3
    assert "second was not begun" in result.stderr
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


def test_signals_that_are_ignored_stay_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    def looked(*_: Any) -> Any:
        seen.append(signal.getsignal(signal.SIGHUP))
        return finished_run(Result.PASSED)

    monkeypatch.setattr(runs, "run_test", looked)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert run(tmp_path, TEST, SECRET).exit_code == 0
    finally:
        signal.signal(signal.SIGHUP, before)
    assert seen == [signal.SIG_IGN]


KEPT_BY_FAILURE = {"keep": "OnFailure", "claimName": "kept"}


@pytest.mark.parametrize(
    ("asked", "has_directory", "keep", "said"),
    [
        (None, False, None, ""),
        (None, True, "OnFailure", ""),
        ({"keep": "Always"}, True, "Always", ""),
        (KEPT_BY_FAILURE, True, "OnFailure", ""),
        (
            KEPT_BY_FAILURE,
            False,
            None,
            "pin: no evidence is kept: spec.evidence.claimName is for clusters; give --evid",
        ),
        ({"keep": "Never"}, True, None, "pin: no evidence is kept: spec.evidence.keep is Never"),
        ({"keep": "Never"}, False, None, ""),
    ],
)
def test_evidence_goes_where_the_user_says_as_the_test_says(
    tmp_path: Path,
    asked: dict[str, str] | None,
    has_directory: bool,  # noqa: FBT001
    keep: str | None,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[Any] = []

    def begun(plans: Any, *_: object, **__: object) -> None:
        seen.extend(plans)
        raise RuntimeError("enough")

    monkeypatch.setattr("controller.cli.run.local.run_agents", begun)
    directory = tmp_path / "new" / "evidence"
    arguments = ("-t", "127.0.0.1", *(("--evidence", str(directory)) if has_directory else ()))
    document = changed("spec", "evidence", to=asked) if asked else TEST
    result = run(tmp_path, document, SECRET, arguments=arguments)
    assert len(seen) == 2
    for plan in seen:
        assert (plan.evidence and (plan.evidence.keep, plan.evidence.directory)) == (keep and (keep, str(directory)))
    assert said in result.stderr
    assert ("no evidence" in result.stderr) == bool(said)
    assert directory.is_dir() == has_directory


def test_all_tests_of_all_files_are_checked_before_the_first_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.cli.run.local.run_agents", _must_not_run)
    broken = changed("spec", "calls", 0, "count", to=0)
    broken["metadata"]["name"] = "broken"
    other = changed("metadata", "name", to="other")
    other["spec"]["caller"]["credentials"] = {"secretName": "absent"}
    (tmp_path / "more.yaml").write_text(yaml.safe_dump_all([broken, other]))
    result = run(tmp_path, TEST, SECRET, arguments=(str(tmp_path / "more.yaml"), "-t", "127.0.0.1"))
    assert result.exit_code == 2
    assert f"calltest: {tmp_path}/more.yaml:13: spec.calls[0].count: 0: a whole number" in result.stderr
    assert ": spec.caller.credentials.secretName: Secret absent is not here" in result.stderr


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (OSError(28, "No space left on device", "/tmp/x"), 2, "calltest: /tmp/x: No space left on device"),
        (OSError(11, "Resource temporarily unavailable"), 2, "calltest: Resource temporarily unavailable"),
        (RuntimeError("a bug"), 1, "RuntimeError: a bug"),
    ],
)
def test_what_ran_is_printed_also_where_the_next_cannot_be_run(
    tmp_path: Path, fault: Exception, code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [lambda: finished_run(Result.FAILED)]

    def next_one(*_: object) -> Any:
        if left:
            return left.pop()()
        raise fault

    monkeypatch.setattr(runs, "run_test", next_one)
    second = changed("metadata", "name", to="second")
    result = run(tmp_path, TEST, second, SECRET, arguments=("-t", "127.0.0.1", "-o", "json"))
    assert result.exit_code == code
    assert said in result.stderr
    assert yaml.safe_load(result.stdout)["status"]["result"] == "Failed"


def test_an_interrupt_before_the_first_call_ends_as_it_ends_any_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(runs, "prepare", interrupted)
    result = run(tmp_path, TEST, SECRET)
    assert result.exit_code == 130
    assert "interrupted before anything was begun" in result.stderr
