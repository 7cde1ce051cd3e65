"""The words of a pjsua configuration file, read as pjsua 2.17 reads them (`read_config_file`). Pure.

Blanks part words; a quote at a word's beginning, and there alone, keeps blanks in it, to the same quote or the line's
end; nothing escapes. What is behind a word that begins with `#`, in quotes too, is a comment to the line's end. An
empty word is none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from controller.faults import UnusableInputError

MAX_BYTES: Final = 64 * 1024
"""Of a file: 127 words, and much said about them."""
MAX_LINE_BYTES: Final = 199
"""Of a line with its end: pjsua reads a longer one as two, and a word or comment across them as two."""
MAX_WORDS: Final = 127
"""pjsua refuses more: its own name is the 128th."""
_BLANKS: Final = " \t\r"
_QUOTES: Final = "'\""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A word, and where it stands."""

    text: str
    line: int
    """From 1."""


def read_words(where: str, raw: bytes) -> tuple[Word, ...]:
    """All words, in order; UnusableInputError names file and line of what pjsua reads otherwise than it looks."""
    if len(raw) > MAX_BYTES:
        raise UnusableInputError(f"{where}: larger than {MAX_BYTES} bytes: name a pjsua configuration file")
    found: list[Word] = []
    for number, line in enumerate(raw.split(b"\n"), start=1):
        text = _text(f"{where}:{number}", line)
        found += [Word(text=word, line=number) for word in _words(text)]
    if len(found) > MAX_WORDS:
        raise UnusableInputError(
            f"{where}:{found[MAX_WORDS].line}: more than {MAX_WORDS} words, which pjsua does not read: leave out"
            " options that say nothing of calls (--log-level, --add-buddy)"
        )
    return tuple(found)


def _text(place: str, line: bytes) -> str:
    if len(line) > MAX_LINE_BYTES:
        raise UnusableInputError(
            f"{place}: longer than {MAX_LINE_BYTES} bytes, where pjsua breaks a line in two: put options on lines of"
            " their own"
        )
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise UnusableInputError(f"{place}: is no UTF-8 text: is it a pjsua configuration file?") from error
    if not text.replace("\t", "").replace("\r", "").isprintable():
        raise UnusableInputError(f"{place}: contains a control character: is it a pjsua configuration file?")
    return text


def _words(line: str) -> Iterator[str]:
    at = 0
    while at < len(line):
        if line[at] in _BLANKS:
            at += 1
            continue
        quote = line[at] if line[at] in _QUOTES else ""
        begin = at + len(quote)
        at = begin
        while at < len(line) and line[at] not in (quote or _BLANKS):
            at += 1
        word = line[begin:at]
        at += 1  # the quote, or a blank
        if word.startswith("#"):
            return
        if word:
            yield word
