"""Phones that end with their test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.component.phones import Make, PhoneProcess


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Make]:
    """Makes phones that end with the test."""
    made: list[PhoneProcess] = []

    def make(**options: object) -> PhoneProcess:
        made.append(PhoneProcess(tmp_path / f"phone{len(made)}", **options))
        return made[-1]

    yield make
    for each in made:
        each.let_go()
    for each in made:
        each.close()
