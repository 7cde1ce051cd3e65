"""docs/features.md: every field that people write and every reason that fails a call, who uses it, and its tests.

`python -m tests.features --write`. A test says so by `@pytest.mark.covers("target.tls.verify")`. What both legs have is
named once (`calls[].expect.<leg>.audio`), and so is what caller and callee have (`<party>.uri`).
"""

import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from agent.contract.verdict import Check, Reason, Result
from agent.judge.checks import RULES
from controller.api.reference import fields, meaning, spec_schema
from tests.unit.agent.judge.excused import UNTOUCHED, opposite, rows

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "features.md"
EXCUSED: Final = "../tests/unit/agent/judge/test_excused.py"
TOLD: Final = 3
"""Examples, and tests, of a field: where there are more, one is named."""
HEAD: Final = """# Features

Every field of a CallTest's `spec`, [examples](../deploy/examples/README.md) that use it, and tests that fail when it
does nothing. `<leg>` and `<party>` are `caller` and `callee`. What the values may be is in [calltest.md](calltest.md).
Generated: `python -m tests.features --write`.

## Fields

| feature | field of `spec` | examples | tests |
|---|---|---|---|
"""
REASONS: Final = """
## Reasons

Every reason that fails a call, examples that come to it, and tests in which a peer misbehaves so. What each is:
[reasons.md](reasons.md).

| check | reason | examples | tests |
|---|---|---|---|
"""

EXCUSES: Final = """
## What is not blamed on the system

Of every check: which troubles of the leg's own agent, or of the one that registers, may be why it did not hold, so that
it is Inconclusive/AgentOverloaded ([what each is](verdict.md#what-excuses-what)); and whether those of the agent at the
other end, or that it was lost, may be (Inconclusive/PeerLost). Each pair of them is a test, in which the same
misbehaviour of the peer fails the call where our agents are well. Where nothing excuses a check, it says why.

| check | excused by | by the other agent | tests |
|---|---|---|---|
"""


def page() -> str:
    """The whole page, from the schema, the checks, the examples, and the tests."""
    used, covered, failing, misbehaving = by_example(), by_test(), failing_examples(), peers()
    return (
        HEAD
        + "".join(
            f"| {_sentence(text)} | `{path}` | {_told(used.get(path, ()))} | {_told(covered.get(path, ()))} |\n"
            for path, text in features().items()
        )
        + REASONS
        + "".join(
            f"| `{check}` | `{reason}` | {_told(failing.get(reason, ()))} | {_told(misbehaving.get(reason, ()))} |\n"
            for reason, check in failures().items()
        )
        + EXCUSES
        + "".join(f"| `{check}` | {by} | {other} | {test} |\n" for check, by, other, test in excuses())
    )


def excuses() -> Iterator[tuple[Check, str, str, str]]:
    """Each check that fails calls: what excuses it, whether the other agent does, and the test of that."""
    for check in dict.fromkeys(rule.check for rule, _ in rows()):
        by: dict[tuple[str, ...], list[str]] = {}
        for rule, row in rows():
            if rule.check is check and row.excused_by:
                by.setdefault(tuple(sorted(excuse.lower() for excuse in row.excused_by)), []).append(f"`{row.reason}`")
        told = "; ".join(f"{', '.join(reasons)}: {', '.join(kinds)}" for kinds, reasons in by.items())
        other = "the same; lost" if any(one is check for one, _, _ in opposite()) else "–"
        test = "trouble_excuses" if told else "what_no_trouble_brings_about_stands"
        yield check, told or f"nothing: {UNTOUCHED[check]}", other, f"[{test}[{check}-*]]({EXCUSED})"


def failures() -> dict[str, str]:
    """The reasons that fail a call, and the check that gives each."""
    return {row.reason.value: rule.check.value for rule in RULES for row in rule.rows if row.result is Result.FAILED}


def failing_examples() -> dict[str, list[str]]:
    """The examples whose system fails a call so."""
    found: dict[str, list[str]] = {}
    for file in sorted((ROOT / "deploy" / "examples").glob("*/expected.yaml")):
        expected = yaml.safe_load(file.read_text())
        told = [expected.get("reason"), *(failure["reason"] for failure in expected.get("failures", ()))]
        for reason in dict.fromkeys(filter(None, told)):
            found.setdefault(reason, []).append(f"[{file.parent.name}](../{file.relative_to(ROOT)})")
    return found


@cache
def peers() -> dict[str, list[str]]:
    """The tests of calls whose peer misbehaves so: those that name the reason."""
    found: dict[str, list[str]] = {}
    for file in sorted((ROOT / "tests" / "component").glob("test_*.py")):
        texts = set(_words(ast.parse(file.read_text())))
        for reason in failures():
            if texts & {reason, f"Failed/{reason}", Reason(reason).name}:
                found.setdefault(reason, []).append(f"[{file.stem.removeprefix('test_')}](../{file.relative_to(ROOT)})")
    return found


@cache
def features() -> dict[str, str]:
    """What each field means in which there is something to choose, by its path. What is repeated comes once."""
    every = [(named(path), field) for path, field in fields(spec_schema())]
    holders = {path.rpartition(".")[0].removesuffix("[]") for path, _ in every}
    return {path: meaning(field) for path, field in every if path not in holders and len(field.get("enum", "ab")) > 1}


def named(path: str) -> str:
    """A field's path as it stands in the table."""
    path = re.sub(r"^(calls\[\]\.expect)\.(caller|callee)\b", r"\1.<leg>", path)
    path = re.sub(r"^(calls\[\])\.(caller|callee)\.media\b", r"\1.<party>.media", path)
    return re.sub(r"^(caller|callee)\.(uri|credentials|headers|media|registration)\b", r"<party>.\2", path)


def by_example() -> dict[str, list[str]]:
    """The examples that say something of each field."""
    found: dict[str, list[str]] = {}
    for file in sorted((ROOT / "deploy" / "examples").glob("*/calltest.yaml")):
        for path in dict.fromkeys(map(named, _said(yaml.safe_load(file.read_text())["spec"], ""))):
            found.setdefault(path, []).append(
                f"[{file.parent.name}](../deploy/examples/{file.parent.name}/calltest.yaml)"
            )
    return found


def _said(value: Any, path: str) -> Iterator[str]:
    """The fields that a document has, at every depth."""
    if path:
        yield path
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _said(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            yield from (said for said in _said(inner, f"{path}[]") if said != f"{path}[]")


@cache
def by_test() -> dict[str, list[str]]:
    """The tests that are marked to cover each field."""
    found: dict[str, list[str]] = {}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        text = file.read_text()
        for test, paths in _marked(ast.parse(text)) if "mark.covers" in text else ():
            for path in paths:
                found.setdefault(path, []).append(f"[{test}](../{file.relative_to(ROOT)})")
    return found


def _marked(module: ast.Module) -> Iterator[tuple[str, list[str]]]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef):
            marks = [mark for mark in node.decorator_list if isinstance(mark, ast.Call)]
            covers = [mark for mark in marks if ast.unparse(mark.func) == "pytest.mark.covers"]
            yield node.name.removeprefix("test_"), [ast.literal_eval(path) for mark in covers for path in mark.args]


def _words(module: ast.Module) -> Iterator[str]:
    """Texts, and what of an enumeration is named: `Reason.NO_RTP`."""
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Attribute):
            yield node.attr


def _sentence(text: str) -> str:
    """The first one of a description."""
    return re.split(r"[.;] ", text)[0].removesuffix(".")


def _told(links: Sequence[str]) -> str:
    told = links if len(links) <= TOLD else links[:1]
    more = f" and {len(links) - len(told)} more" if len(links) > len(told) else ""
    return ", ".join(told) + more


def main(arguments: list[str]) -> int:
    """Prints the page, or writes it (--write)."""
    if arguments not in ([], ["--write"]):
        print("usage: python -m tests.features [--write]", file=sys.stderr)
        return 2
    if arguments:
        PAGE.write_text(page())
    else:
        print(page())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
