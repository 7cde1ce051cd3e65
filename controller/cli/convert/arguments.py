"""A file's words as options and their values, as pjsua's getopt_long takes them. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from controller.cli.convert.table import MISSPELT, ROWS, Takes
from controller.cli.convert.words import Word
from controller.faults import UnusableInputError

MAX_TOLD: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Given:
    """An option as it was given once; two of them are never the same."""

    name: str
    """As in the table, whatever was written for it."""
    value: str = ""
    place: str
    """`alice.cfg:3`."""

    def fault(self, what: str) -> UnusableInputError:
        """The error that says so of this option."""
        return UnusableInputError(f"{self.place}: --{self.name}: {what}")

    def number(self, low: int, high: int) -> int:
        """Its value; UnusableInputError where it is none from `low` to `high`."""
        if not (self.value.isascii() and self.value.isdigit() and low <= int(self.value) <= high):
            raise self.fault(f"{self.value!r}: give a number from {low} to {high}")
        return int(self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """All that a file says."""

    options: tuple[Given, ...]
    uri: Given | None
    """What is to be called."""


def read_arguments(where: str, words: Sequence[Word]) -> Arguments:
    """UnusableInputError names file, line and option of what pjsua would not take."""
    options: list[Given] = []
    others: list[Word] = []
    left = iter(words)
    for word in left:
        if word.text == "--":
            others += left
        elif word.text.startswith("--"):
            options.append(_option(where, word, left))
        elif word.text.startswith("-") and word.text != "-":
            named = word.text.partition("=")[0]
            raise UnusableInputError(f"{where}:{word.line}: {named}: options of pjsua begin with --")
        else:
            others.append(word)
    if len(others) > 1:
        raise UnusableInputError(
            f"{where}:{others[1].line}: a second word that is no option, behind that of line {others[0].line}: one URI"
            " can be called; quotes hold a value with blanks together where they are at its beginning and its end"
        )
    uri = Given(name="URI", value=others[0].text, place=f"{where}:{others[0].line}") if others else None
    return Arguments(options=tuple(options), uri=uri)


def _option(where: str, word: Word, left: Iterator[Word]) -> Given:
    written, has_value, value = word.text[2:].partition("=")
    place = f"{where}:{word.line}"
    name = _name(place, written)
    takes = ROWS[name].takes
    if has_value and takes is Takes.NOTHING:
        raise UnusableInputError(f"{place}: --{name}: takes no value: leave out what is behind =")
    if not has_value and takes is Takes.VALUE:
        following = next(left, None)
        if following is None:
            raise UnusableInputError(f"{place}: --{name}: its value is missing: write it behind the option")
        value = following.text
    return Given(name=name, value=value, place=place)


def _name(place: str, written: str) -> str:
    """The option of that name, or the only one that begins so."""
    if written in ROWS:
        return written
    if written in MISSPELT:
        return MISSPELT[written]
    found = sorted(name for name in ROWS if name.startswith(written))
    if len(found) > 1:
        shown = ", ".join(f"--{name}" for name in found[:MAX_TOLD]) + (" …" if len(found) > MAX_TOLD else "")
        raise UnusableInputError(f"{place}: --{written}: may be {shown}: write out the one that is meant")
    if not found:
        raise UnusableInputError(f"{place}: --{written}: pjsua 2.17 has no such option: correct or remove it")
    return found[0]


def last_of(options: Sequence[Given]) -> Mapping[str, Given]:
    """Of each name the last one: what pjsua goes by."""
    return {given.name: given for given in options}
