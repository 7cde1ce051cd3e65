"""Flags before environment variables before defaults; what is wrong is said, with what to do."""

import pytest

from controller.operator import settings
from controller.operator.settings import read
from controller.plan.limits import Limits


def test_flags_win_over_the_environment_and_that_over_defaults() -> None:
    found = read(["--namespace", "a", "--port", "1"], {"CALLTEST_PORT": "2", "CALLTEST_AGENT_IMAGE": "x"})
    assert (found.namespaces, found.port, found.agent_image) == (("a",), 1, "x")
    assert found.limits == Limits()


@pytest.mark.parametrize(
    ("arguments", "environment", "namespaces"),
    [
        (["--namespace", "a", "--namespace", "b,c", "--namespace", "a"], {}, ("a", "b", "c")),
        ([], {"CALLTEST_NAMESPACE": "a,b"}, ("a", "b")),
        (["--all-namespaces"], {}, ()),
        ([], {"CALLTEST_ALL_NAMESPACES": "true"}, ()),
    ],
)
def test_namespaces(arguments: list[str], environment: dict[str, str], namespaces: tuple[str, ...]) -> None:
    assert read(arguments, environment).namespaces == namespaces


@pytest.mark.parametrize(
    ("arguments", "permitted"),
    [
        (["--namespace", "a"], None),
        (["--all-namespaces"], ()),
        (["--all-namespaces", "--target-namespace", "b,c", "--target-namespace", "d"], ("b", "c", "d")),
        (["--namespace", "a", "--target-namespace", "b"], ("b",)),
    ],
)
def test_namespaces_of_targets_are_listed_where_no_role_bounds_them(
    arguments: list[str], permitted: tuple[str, ...] | None
) -> None:
    assert read(arguments, {}).limits.target_namespaces == permitted


def test_a_pod_serves_its_own_namespace(tmp_path, monkeypatch) -> None:
    file = tmp_path / "namespace"
    file.write_text("voice\n")
    monkeypatch.setattr(settings, "NAMESPACE_FILE", file)
    assert read([], {}).namespaces == ("voice",)


def test_limits_are_read() -> None:
    flags = ["--max-agents", "2", "--allow-target", "192.0.2.0/24,198.51.100.7", "--allow-dial", r"\+49\d+"]
    limits = read(["--namespace", "a", *flags, "--secret-prefix", "sip-", "--claim-prefix", "c-"], {}).limits
    assert (limits.max_agents, limits.secret_prefix, limits.claim_prefix) == (2, "sip-", "c-")
    assert limits.allow_targets == ("192.0.2.0/24", "198.51.100.7/32")
    assert limits.allow_dial is not None
    assert limits.allow_dial.fullmatch("+4930")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "--namespace"),
        (["--namespace", "a", "--all-namespaces"], "exclude each other"),
        (["--namespace", "a", "--allow-target", "nonsense"], "CIDR"),
        (["--namespace", "a", "--allow-dial", "("], "--allow-dial"),
        (["--namespace", "a", "--port", "x"], "--port"),
        (["--namespace", "a", "--log-level", "LOUD"], "--log-level"),
        (["--namespace", "a", "--max-calls-per-second", "0"], "a number above 0"),
        (["--namespace", "a", "--max-calls-per-second", "nan"], "a number above 0"),
        (["--namespace", "a", "--max-calls", "-1"], "a whole number above 0"),
        (["--namespace", "a", "--resync-seconds", "inf"], "a number above 0"),
    ],
)
def test_what_is_wrong_is_said(arguments: list[str], text: str, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(settings, "NAMESPACE_FILE", tmp_path / "none")
    with pytest.raises(SystemExit) as ended:
        read(arguments, {})
    assert ended.value.code == 2
    assert text in capsys.readouterr().err


def test_help_shows_examples(capsys) -> None:
    with pytest.raises(SystemExit):
        read(["--help"], {})
    assert "--all-namespaces                  serve all of them" in capsys.readouterr().out
