"""README and CONTRIBUTING name what is there."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from controller.api.parse import parse_test
from controller.plan.planning import Limits, check_test

ROOT = Path(__file__).parents[2]
PATH = re.compile(r"(?P<names>(?:`\w+`(?:, | and )?)+) (?:in|of) `(?P<path>[\w/]+\.py)`")


def test_contributing_names_functions_that_there_are() -> None:
    named = [
        (name, match["path"])
        for match in PATH.finditer((ROOT / "CONTRIBUTING.md").read_text())
        for name in re.findall(r"`(\w+)`", match["names"])
    ]
    assert len(named) > 15
    for name, path in named:
        assert re.search(rf"^\s*(def|class) {name}\b", (ROOT / path).read_text(), re.MULTILINE), f"{name} in {path}"


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "docs/calltest.md", "docs/metrics.md", "docs/trace.md"]
)
def test_links_lead_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    links = re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / page).read_text())
    assert [link for link in links if not (folder / link).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_make_targets_are_there(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"\bmake ([a-z][a-z0-9-]*)", (ROOT / page).read_text()))
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_the_readme_s_test_can_be_run() -> None:
    example = (ROOT / "README.md").read_text().split("```yaml\n")[1].split("```")[0]
    check_test(parse_test(yaml.safe_load(example)).spec, Limits())


def test_nobody_is_told_to_install_calltest_from_the_package_index() -> None:
    """There it is somebody else's, and ours has no releases (pyproject: calltest-operator)."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    installs = re.compile(
        r"(?:pipx?3? install|uv tool install|uvx|pipx run)\b[^\n]*?\bcalltest\b(?!/)|install[\s'\"`]+calltest\b"
    )
    for name in filter(None, listed):
        text = (ROOT / name).read_bytes().decode(errors="replace")
        assert not installs.search(text) or name == "tests/unit/test_documents.py", name
