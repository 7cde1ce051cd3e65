"""Reasons: the result that each stands for, its rank, and what excuses it; all from the rows of the checks."""

from collections.abc import Iterator, Mapping
from typing import Final

from agent.contract.verdict import Reason, Result
from agent.judge.checks import RULES
from agent.judge.checks.check import Row


def _in_order() -> Iterator[Row]:
    """Rows as they are said: by check and row, each followed by those that belong behind it."""
    rows = [row for rule in RULES[1:] for row in rule.rows] + [*RULES[0].rows]
    behind: dict[Reason, list[Row]] = {}
    for row in rows:
        if row.behind is not None:
            behind.setdefault(row.behind, []).append(row)
    for row in sorted(rows, key=lambda row: row.result is not Result.FAILED):
        if row.behind is None:
            yield row
            yield from behind.get(row.reason, ())


CAUSES_FIRST: Final = tuple(_in_order())
"""Every reason's row once, the most explanatory first."""

ROW_OF: Final[Mapping[Reason, Row]] = {row.reason: row for row in CAUSES_FIRST}


def result_of(reason: Reason) -> Result:
    """The result that a reason stands for: Failed where something was measured and broken, else Inconclusive."""
    return ROW_OF[reason].result


def failed(reason: Reason) -> bool:
    """Something was measured, and is broken."""
    return result_of(reason) is Result.FAILED
