"""The Secrets and the ConfigMap that a converted test names. Pure, but for what `read` does."""

import io
import math
import wave
from collections.abc import Callable, Mapping
from typing import Any, Final

from controller.cli.convert.arguments import Given

Read = Callable[[str], bytes]
"""A file that the pjsua file names; OSError where it cannot be read, or is too large."""
MAX_SOUND_BYTES: Final = 700 * 1024
"""As base64 in a ConfigMap, which holds 1 MiB."""
SOUND_KEY: Final = "play.wav"


class Materials:
    """What was made so far."""

    def __init__(self, name: str, read: Read) -> None:
        self._name, self._read = name, read
        self.secrets: list[dict[str, Any]] = []
        self.config_maps: list[dict[str, Any]] = []

    def credentials(self, role: str, given: Mapping[str, Given]) -> str:
        """A Secret for digest; its name. A realm of `*`, and none, are any (CallTest: no key)."""
        data = {"username": given["username"].value}
        data["password"] = given["password"].value if "password" in given else ""
        if "realm" in given and given["realm"].value != "*":
            data["realm"] = given["realm"].value
        name = f"{self._name}-{role}"
        self.secrets.append(_document("Secret", name, stringData=data))
        return name

    def secret(self, role: str, files: Mapping[str, Given]) -> tuple[str, str]:
        """One of TLS files; its name, and what is to be said of it."""
        name = f"{self._name}-{role}"
        kind = {"type": "kubernetes.io/tls"} if "tls.key" in files else {}
        data: dict[str, str] = {}
        for key, given in files.items():
            try:
                data[key] = self._read(given.value).decode()
            except OSError as error:
                return name, f"{given.value}: {error.strerror}: put it into Secret {name}, key {key}"
            except UnicodeDecodeError:
                return name, f"{given.value} is no PEM: put one into Secret {name}, key {key}"
        self.secrets.append(_document("Secret", name, **kind, stringData=data))
        return name, f"Secret {name}"

    def sound(self, given: Given) -> tuple[dict[str, str], float | None, str]:
        """`play.wav` of a file, its length in seconds where that is known, and what is to be said of it."""
        name = f"{self._name}-sound"
        reference = {"configMapName": name, "key": SOUND_KEY}
        try:
            raw = self._read(given.value)
            length_s = _length_s(raw)
        except OSError as error:
            advice = f"give calltest run --config-map {name}=DIR, with it as DIR/{SOUND_KEY}"
            return reference, None, f"{given.value}: {error.strerror}: {advice}"
        except (wave.Error, EOFError, ValueError) as error:
            message = f"{given.value}: {error}: play a mono 16-bit PCM WAV file of 8 or 16 kHz"
            raise given.fault(message) from error
        self.config_maps.append(_document("ConfigMap", name, binaryData={SOUND_KEY: raw}))
        return reference, length_s, f"ConfigMap {name}"


def _document(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **more}


def _length_s(raw: bytes) -> float:
    """ValueError, wave.Error, EOFError for what calltest does not play (agent/sound/samples.py)."""
    with wave.open(io.BytesIO(raw)) as file:
        kind = file.getnchannels(), 8 * file.getsampwidth(), file.getframerate()
        if kind not in ((1, 16, 8000), (1, 16, 16_000)):
            raise ValueError(f"{kind[0]} channels of {kind[1]} bits, {kind[2]} Hz")
        length_s: float = file.getnframes() / file.getframerate()
    if length_s < 0.02:
        raise ValueError("shorter than 20 ms")
    return length_s


def whole_seconds(length_s: float) -> int:
    """So many that it is in them."""
    return math.ceil(length_s)
