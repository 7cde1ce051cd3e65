import _ctypes
import importlib.util
from importlib.machinery import ModuleSpec

import pytest

from agent.tap import Tap, TapError


def test_without_pjsua2_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(TapError, match="not installed: run dev/pjsua2/install"):
        Tap()


def test_a_wheel_without_the_tap_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    other = _ctypes.__file__
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: ModuleSpec(name, None, origin=other))
    with pytest.raises(TapError, match=rf"{other} was built without the tap: run dev/pjsua2/install"):
        Tap()
