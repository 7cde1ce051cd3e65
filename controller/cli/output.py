"""What commands have in common in what they print."""

from enum import StrEnum
from typing import Final

WIDE: Final = 240
"""Columns of a table that no terminal shows."""
NOT_MEASURED: Final = "–"


class Output(StrEnum):
    """How the result is printed."""

    TABLE = "table"
    YAML = "yaml"
    JSON = "json"
    JUNIT = "junit"
