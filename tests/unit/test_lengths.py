"""Functions are short, but for those that are tables: fields, options, wiring, one a line."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAX_LINES = 40
TABLES = {
    "agent/tap/raw.py:stream_of",
    "agent/trace/notices.py:_beyond",
    "controller/cli/report/command.py:report",
    "controller/cli/convert/command.py:pjsua",
    "controller/cli/run/command.py:run",
    "controller/cli/trace/command.py:trace",
    "controller/kube/manifests.py:agent_pod",
    "controller/operator/settings.py:_parser",
}


def long_functions() -> set[str]:
    return {
        f"{path.relative_to(ROOT)}:{node.name}"
        for room in ("agent", "controller")
        for path in (ROOT / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= MAX_LINES
    }


def test_functions_that_are_no_tables_have_40_lines_at_most() -> None:
    assert long_functions() == TABLES
