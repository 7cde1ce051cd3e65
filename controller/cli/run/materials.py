"""What a test names and a cluster would mount: Secrets and ConfigMaps, from the same file or from directories."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from controller.api.parse import CallTest
from controller.cli.run.inputs import NAME, Inputs
from controller.faults import UnusableInputError
from controller.plan.planning import Mounts

SECRET_KEYS: Final = ("username", "password")
"""Needed in one for digest."""
CA_KEYS: Final = ("ca.crt",)
TLS_KEYS: Final = ("tls.crt", "tls.key")
REALM: Final = "realm"
"""A key that may be there too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Directories:
    """Directories that the user gave for Secrets and ConfigMaps, by name: one file per key."""

    secrets: Mapping[str, Path] = field(default_factory=dict)
    config_maps: Mapping[str, Path] = field(default_factory=dict)


def read_directories(texts: Sequence[str], option: str) -> dict[str, Path]:
    """NAME=DIR of `--secret` and `--config-map`; UnusableInputError says what is wrong with it."""
    found: dict[str, Path] = {}
    for text in texts:
        name, separator, path = text.partition("=")
        if not (name and separator and path):
            raise UnusableInputError(f"{option} {text!r}: give NAME=DIR, where DIR holds one file per key")
        if not NAME.fullmatch(name):
            raise UnusableInputError(f"{option} {text!r}: {name!r} is no name that Kubernetes would take")
        if not Path(path).is_dir():
            raise UnusableInputError(f"{option} {text!r}: {path} is no directory")
        found[name] = Path(path).absolute()
    return found


def provide(test: CallTest, place: Callable[[str], str], inputs: Inputs, given: Directories, directory: Path) -> Mounts:
    """Puts every Secret and ConfigMap that the test names into `directory`, as pods would mount them.

    UnusableInputError has a line for each field, with what is missing. `place`: where a field stands, for messages.
    """
    secrets, config_maps = directory / "secrets", directory / "config-maps"
    faults: list[str] = []
    for path, name, keys in _secret_names(test):
        at = f"{place(path)}: {path}: Secret {name}"
        held = inputs.secrets.get((test.namespace, name))
        with _noting(faults):
            _provide_secret(at, secrets / name, given.secrets.get(name), held, keys=keys)
    for path, name, key in _wav_files(test):
        at = f"{place(path)}: {path}: ConfigMap {name}"
        held = inputs.config_maps.get((test.namespace, name))
        with _noting(faults):
            _provide_sound(at, config_maps / name, given.config_maps.get(name), held, key=key)
    if faults:
        raise UnusableInputError("\n".join(faults))
    return Mounts(credentials=str(secrets), wav=str(config_maps))


@contextmanager
def _noting(faults: list[str]) -> Iterator[None]:
    try:
        yield
    except UnusableInputError as error:
        faults.append(str(error))


def _provide_secret(
    at: str, place: Path, given: Path | None, held: Mapping[str, bytes] | None, *, keys: Sequence[str]
) -> None:
    if not _mount(place, given, held):
        files = f"with the file{'s' if len(keys) > 1 else ''} {' and '.join(keys)}"
        raise UnusableInputError(f"{at} is not here: put it into the file, or give --secret {place.name}=DIR, {files}")
    for key in keys:
        if keys == SECRET_KEYS:
            _require_text(at, place, key)
        else:
            _read(at, place, key)  # what is in it is looked at by the agent
    if keys == SECRET_KEYS and (place / REALM).exists():
        _require_text(at, place, REALM)


def _provide_sound(at: str, place: Path, given: Path | None, held: Mapping[str, bytes] | None, *, key: str) -> None:
    if not _mount(place, given, held):
        raise UnusableInputError(f"{at} is not here: put it into the file, or give --config-map {place.name}=DIR")
    _require_playable(at, place, key)


def _secret_names(test: CallTest) -> list[tuple[str, str, Sequence[str]]]:
    """Field, name and keys of each Secret of the test."""
    spec = test.spec
    found: list[tuple[str, str, Sequence[str]]] = []
    if spec.caller.credentials is not None:
        found.append(("spec.caller.credentials.secretName", spec.caller.credentials.secret_name, SECRET_KEYS))
    if spec.callee is not None and spec.callee.credentials is not None:
        found.append(("spec.callee.credentials.secretName", spec.callee.credentials.secret_name, SECRET_KEYS))
    tls = spec.target.tls
    if tls is not None and tls.ca_secret_name is not None:
        found.append(("spec.target.tls.caSecretName", tls.ca_secret_name, CA_KEYS))
    if tls is not None and tls.client_secret_name is not None:
        found.append(("spec.target.tls.clientSecretName", tls.client_secret_name, TLS_KEYS))
    return found


def _wav_files(test: CallTest) -> list[tuple[str, str, str]]:
    """Field, ConfigMap and key of each WAV file of the test."""
    return [
        (f"spec.calls[{index}].caller.play.wav", wav.config_map_name, wav.key)
        for index, call in enumerate(test.spec.calls)
        if (wav := call.caller.play.wav) is not None
    ]


def _mount(place: Path, given: Path | None, held: Mapping[str, bytes] | None) -> bool:
    """Links the given directory, else writes the file's document; False where there is neither."""
    if place.exists():  # named twice in the test
        return True
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if given is not None:
        place.symlink_to(given, target_is_directory=True)
    elif held is not None:
        place.mkdir(mode=0o700)
        for key, content in held.items():
            (place / key).touch(mode=0o600)
            (place / key).write_bytes(content)
    return given is not None or held is not None


def _read(at: str, directory: Path, key: str) -> bytes:
    try:
        return (directory / key).read_bytes()
    except FileNotFoundError:
        raise UnusableInputError(f"{at} has no key {key}") from None
    except OSError as error:
        raise UnusableInputError(f"{at}: key {key}: {error.strerror}") from error


def _require_text(at: str, directory: Path, key: str) -> None:
    """As the agent will read it: a line break would become a line of its own in a SIP message."""
    try:
        text = _read(at, directory, key).decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UnusableInputError(f"{at}: key {key}: is no UTF-8 text") from error
    if not text.isprintable():
        raise UnusableInputError(f"{at}: key {key}: contains a control character")


def _require_playable(at: str, directory: Path, key: str) -> None:
    from agent.sound.samples import SoundError, check_playable  # noqa: PLC0415 - numpy, for tests that play files only

    _read(at, directory, key)
    try:
        check_playable(directory / key)
    except SoundError as error:
        raise UnusableInputError(f"{at}: key {error}") from error
