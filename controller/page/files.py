"""What `calltest run` leaves beside the folders of the legs, and the page is made of."""

from typing import Final

RUN: Final = "run.json"
"""As `-o json` prints it."""
LEGS: Final = "legs.jsonl"
"""Each leg's and registration's line, as agents write them (docs/calltest.md)."""
