"""What becomes of each option that was given: told once for each, and of none nothing. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.sip.text import printable
from controller.cli.convert.arguments import Arguments, Given
from controller.cli.convert.table import ROWS, Fate


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A line of the report. No value of a file is in it that may be a secret."""

    place: str
    name: str
    """Of the option; empty: of what the file does not say."""
    fate: Fate
    why: str

    def __str__(self) -> str:
        return printable(f"{self.place}: {self.name}: {self.fate}: {self.why}")


class Ledger:
    """What was told so far."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._told: dict[Given, tuple[Fate, str]] = {}
        self._absent: list[Told] = []

    def tell(self, given: Given | None, fate: Fate, why: str) -> None:
        """What becomes of it; None: it was not given, and nothing is to be told."""
        if given is not None:
            self._told[given] = (fate, why)

    def mapped(self, given: Given | None, why: str) -> None:
        """It is in the test, at that field."""
        self.tell(given, Fate.MAPPED, why)

    def dropped(self, given: Given | None, why: str) -> None:
        """It is not in the test, and should be."""
        self.tell(given, Fate.DROPPED, why)

    def not_given(self, name: str, why: str) -> None:
        """What is so because the file does not say it."""
        self._absent.append(Told(place=self._where, name=name, fate=Fate.DEFAULT, why=f"not given: {why}"))

    def all(self, arguments: Arguments) -> tuple[Told, ...]:
        """In the file's order, then what it does not say."""
        uri = () if arguments.uri is None else (arguments.uri,)
        told = [self._of(given) for given in (*arguments.options, *uri)]
        return (*_once(told), *self._absent)

    def _of(self, given: Given) -> Told:
        row = ROWS.get(given.name)
        name = given.name if row is None else f"--{given.name}"
        said = self._told.get(given)
        if said is None:
            assert row is not None  # each URI is told of
            said = (Fate.UNUSED if row.fate is Fate.MAPPED else row.fate), row.why
        return Told(place=given.place, name=name, fate=said[0], why=said[1])


def _once(told: Sequence[Told]) -> list[Told]:
    """What was given again and comes to the same is told once, with all its lines."""
    places: dict[tuple[str, Fate, str], list[str]] = {}
    for each in told:
        places.setdefault((each.name, each.fate, each.why), []).append(each.place)
    return [Told(place=_and(found), name=name, fate=fate, why=why) for (name, fate, why), found in places.items()]


def _and(places: Sequence[str]) -> str:
    """`alice.cfg:3,9`."""
    first, *others = dict.fromkeys(places)
    return ",".join([first, *(place.rpartition(":")[2] for place in others)])
