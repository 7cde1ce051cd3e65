"""README and CONTRIBUTING name what is there."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from controller.api.parse import parse_run, parse_test
from controller.plan.planning import Limits, check_test
from tests.documents import BLOCK, EXCUSED, FIRST_TEST, ON_THE_CLUSTER, ON_THIS_MACHINE, PAGES, ROOT, block, blocks
from tests.sut.base import EXAMPLES
from tests.sut.scenario import load_scenario, scenarios

LINK = re.compile(r"\]\((?!https?:)([^)]+)\)")
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


@pytest.mark.parametrize("page", PAGES)
def test_links_and_anchors_lead_somewhere(page: str) -> None:
    folder = (ROOT / page).parent
    dead = []
    for link in LINK.findall(prose(page)):
        path, _, anchor = link.partition("#")
        target = folder / path if path else ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


def prose(page: str) -> str:
    """Without what is fenced."""
    return BLOCK.sub("", (ROOT / page).read_text())


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings: lower case, punctuation gone, a hyphen for each space."""
    headings = re.findall(r"^#+ +(.+?) *$", BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "", text).lower()).replace(" ", "-") for text in headings}


def test_an_anchor_is_made_of_a_heading_as_github_does(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# The tap (`bench/tap --calls 30`)\n## What it *may* do?\n```\n# no heading\n```\n")
    assert anchors(page) == {"the-tap-benchtap---calls-30", "what-it-may-do"}


def test_every_page_can_be_reached_from_the_readme() -> None:
    found, new = set(), {"README.md"}
    while new:
        found |= new
        links = {
            str(((ROOT / page).parent / link.partition("#")[0]).resolve().relative_to(ROOT))
            for page in new
            for link in LINK.findall(prose(page))
            if link.partition("#")[0]
        }
        new = {link for link in links if link.endswith(".md")} - found
    pages = {str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")}
    linked = {f"docs/{name}" for name in re.findall(r"\]\(docs/([\w.]+)\)", (ROOT / "README.md").read_text())}
    assert pages - linked == set(), "from README itself"
    assert set(PAGES) - found == set()


def test_every_block_of_commands_is_run_by_a_test_or_excused() -> None:
    known = (*ON_THIS_MACHINE, *ON_THE_CLUSTER, *EXCUSED)
    texts = {text: page for page in PAGES for text in blocks(page)}
    for text, page in texts.items():
        assert len([start for start in known if text.startswith(start)]) == 1, f"{page}: {text}"
    for start in known:
        assert any(text.startswith(start) for text in texts), f"{start}: on no page"


def test_every_fence_says_what_is_in_it_or_shows_what_was_printed() -> None:
    """A block of commands without its `sh` would be run by nobody."""
    commands = re.compile(r"^(kubectl|make|dev/|calltest|git|sudo) ", re.MULTILINE)
    assert [(page, text) for page in PAGES for text in blocks(page, "") if commands.match(text)] == []


def test_the_table_of_the_long_tests_has_all_of_them() -> None:
    listed = subprocess.run([ROOT / "dev" / "steps", "--list"], capture_output=True, text=True, check=True).stdout
    titles = re.findall(r"^  (.+?)(?: \(|  )", listed.split("test-long:\n")[1].split("\ndemo:")[0], re.MULTILINE)
    page = (ROOT / "docs" / "measured.md").read_text()
    assert len(titles) > 8, "four of them set up"
    assert [title for title in titles[4:] if f"| {title} |" not in page] == []


def test_an_example_whose_fault_is_not_in_its_files_says_so() -> None:
    for name in scenarios():
        text = (EXAMPLES / name / "calltest.yaml").read_text()
        assert bool(load_scenario(name).faults) == ("is in none of these files" in text), name


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_make_targets_are_there(page: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"\bmake ([a-z][a-z0-9-]*)", (ROOT / page).read_text()))
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_the_readme_s_test_can_be_run() -> None:
    example = block("README.md", FIRST_TEST[-1]).split("<<'EOF'\n")[1].split("\nEOF")[0]
    check_test(parse_test(yaml.safe_load(example)).spec, Limits())


def test_the_run_by_hand_of_operator_md_can_be_run() -> None:
    (example,) = (text for text in blocks("docs/operator.md", "yaml") if "kind: CallTestRun" in text)
    check_test(parse_run(yaml.safe_load(example)).spec.test, Limits())


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
