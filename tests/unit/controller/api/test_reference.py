"""docs/ against the code: fields, checks, reasons and excuses are those that there are."""

import re
from pathlib import Path

import pytest
import yaml

from agent.contract.verdict import Check, Reason, Result
from agent.judge.reasons import result_of
from controller.api.parse import parse_test
from controller.api.reference import DOCS, PAGES, main, renewed

TEXT = (DOCS / "calltest.md").read_text()
BESIDE = {Reason.ENDPOINT_REMOVED, Reason.ENDPOINT_RESTARTED}


def first_column(heading: str) -> list[str]:
    """The names in the first column of the first table after a line that begins so."""
    table = TEXT[TEXT.index(f"\n{heading}") :].split("|---|", 1)[1].split("\n\n", 1)[0]
    return re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_tables_are_up_to_date(page: str) -> None:
    text = (DOCS / page).read_text()
    assert renewed(text, PAGES[page]) == text, "run `make crd`"


@pytest.mark.parametrize("table", ["fields", "excuses"])
def test_a_page_without_marks_is_refused(table: str) -> None:
    with pytest.raises(ValueError, match=f"there is no <!-- {table}"):
        renewed("# CallTest\n", (table,))


@pytest.mark.parametrize(
    ("heading", "result"), [("Failed: it", Result.FAILED), ("Inconclusive: it", Result.INCONCLUSIVE)]
)
def test_every_reason_is_explained_once_and_where_it_belongs(heading: str, result: Result) -> None:
    assert sorted(first_column(heading)) == sorted(r for r in Reason if result_of(r) is result and r not in BESIDE)
    assert all(f"`{reason}`" in TEXT for reason in BESIDE)


def test_every_check_of_a_call_is_explained() -> None:
    assert sorted(first_column("| check")) == sorted(check for check in Check if check is not Check.RUN)


def test_the_example_is_a_valid_test() -> None:
    example = TEXT.split("```yaml\n")[1].split("```")[0]
    assert parse_test(yaml.safe_load(example)).name == "pin"


def test_tables_are_renewed_where_they_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for page in PAGES:
        (tmp_path / page).write_text((DOCS / page).read_text().replace("| `PacketLoss` |", "| `Loss` |"))
    monkeypatch.setattr("controller.api.reference.DOCS", tmp_path)

    assert main(["--write"]) == 0
    assert all((tmp_path / page).read_text() == (DOCS / page).read_text() for page in PAGES)


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 2
    assert main([]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("| check |")
    assert "| field of `spec` |" in printed
    assert "| `PacketLoss` | late media, dropped |" in printed
