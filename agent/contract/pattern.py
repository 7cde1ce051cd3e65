"""Regular expressions that people write, for text from the network: RE2, which needs no more than linear time. Pure.

The same library reads them where a test is refused, and where its calls are judged.
"""

from typing import Final

import re2

MAX_PATTERN: Final = 256
MAX_TEXT: Final = 8192
"""Characters that are matched: longer text is not judged."""
_MAX_BYTES: Final = 1024 * 1024
"""Of one expression, compiled and at work; RE2 refuses one that would need more."""


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = _MAX_BYTES
    options.never_nl = options.never_capture = True
    options.log_errors = False
    return options


_OPTIONS: Final = _options()


def fault_of(pattern: str) -> str | None:
    """What is wrong with an expression, in RE2's words; None: nothing."""
    try:
        re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        said = error.args[0]
        return said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return None


def found_in(pattern: str, text: str) -> bool:
    """The expression matches some of the text, or all where it says so (`^…$`). ValueError: it is none."""
    try:
        return re2.compile(pattern, _OPTIONS).search(text[:MAX_TEXT]) is not None
    except re2.error as error:
        raise ValueError(f"{pattern!r}: {fault_of(pattern)}") from error
