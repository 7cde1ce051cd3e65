"""A pjsua file, and what is made of it."""

import io
import wave
from typing import Any

import pytest

from controller.api.parse import parse_test
from controller.api.test import CallTestSpec
from controller.cli.convert.conversion import Converted, convert
from controller.cli.convert.table import Fate
from controller.faults import UnusableInputError

ECHO = "--id sip:alice@example.com\n--proxy sip:192.0.2.1;lr\n"
TO = "\nsip:echo@example.com"


def wav(seconds: float = 1.0, *, rate: int = 8000, channels: int = 1) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"\1\0" * channels * int(rate * seconds))
    return held.getvalue()


FILES = {
    "a.wav": wav(2.5),
    "two.wav": wav(channels=2),
    "short.wav": wav(0.01),
    "ca.pem": b"CA",
    "c.pem": b"C",
    "k": b"K",
}
FILES |= {"long.wav": wav(3700, rate=8000)[:600_000], "bytes.pem": b"\xff"}


def read(path: str) -> bytes:
    try:
        return FILES[path]
    except KeyError:
        raise FileNotFoundError(2, "No such file or directory", path) from None


def made(text: str, uri: str | None = None) -> Converted:
    return convert("a.cfg", text.encode(), name="a", uri=uri, read=read)


def spec(text: str, uri: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = made(text, uri).test["spec"]
    return found


def parsed(text: str, uri: str | None = None) -> CallTestSpec:
    return parse_test(made(text, uri).test).spec


def told(converted: Converted, name: str) -> list[tuple[Fate, str]]:
    """Of an option, or of what is not given."""
    return [(each.fate, each.why) for each in converted.report if each.name == name]


def fates(text: str, name: str) -> list[Fate]:
    return [fate for fate, _ in told(made(text), name)]


def fault(text: str, uri: str | None = None) -> str:
    with pytest.raises(UnusableInputError) as raised:
        made(text, uri)
    return str(raised.value)
