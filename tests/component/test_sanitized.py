"""dev/pjsua2/sanitized: our C with every access checked. `make test-long` runs a hostile peer against it."""

import subprocess
from pathlib import Path

import pytest

SANITIZED = Path(__file__).resolve().parents[2] / "dev/pjsua2/sanitized"
BEYOND = """
import ctypes
from agent.tap import _library
text = ctypes.create_string_buffer(b"Authorization: Digest response=" + bytes(20))
_library().tap_blank_secrets(text, ctypes.c_size_t({length}))
"""


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    """Only where pjsip's objects are there already: they take five minutes."""
    done = subprocess.run([SANITIZED, "--is-built"], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("pjsip was not built for it: make test-long does")


@pytest.mark.parametrize(("length", "code"), [(51, 0), (4000, 1)])
def test_an_access_beyond_a_buffer_is_shown_and_no_success(length: int, code: int) -> None:
    command = [SANITIZED, "python", "-c", BEYOND.format(length=length)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stderr
    assert ("heap-buffer-overflow" in done.stderr) == bool(code)
    assert ("tap_blank_secrets" in done.stderr) == bool(code)
