"""The Asterisk of the examples: what its entry program makes of the features it is asked for."""

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest

from tests.sut.base import ASTERISK, KAMAILIO

TRANSPORTS = {"OPEN", "TCP", "TLS"}
"""Words that bring more, or less, than an option."""


@pytest.fixture
def pbx(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """pbx.py, in an environment as its pod has."""
    monkeypatch.syspath_prepend(KAMAILIO.folder)
    for name, password in {"alice": "one", "bob": "two"}.items():
        (tmp_path / "users" / name).mkdir(parents=True)
        (tmp_path / "users" / name / "username").write_text(name)
        (tmp_path / "users" / name / "password").write_text(password)
    settings = {"SUT_ADDRESS": "192.0.2.7", "SUT_USERS": str(tmp_path / "users"), "SUT_FEATURES": ""}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    spec = importlib.util.spec_from_file_location("pbx", ASTERISK.folder / "pbx.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pjsip(pbx: ModuleType, run: Path, *features: str) -> list[tuple[str, Mapping[str, str]]]:
    found: list[tuple[str, Mapping[str, str]]] = pbx.configuration(set(features), run)["pjsip.conf"]
    return found


def of_type(kind: str, sections: list[tuple[str, Mapping[str, str]]]) -> dict[str, Mapping[str, str]]:
    return {name: options for name, options in sections if options["type"] == kind}


def test_each_feature_changes_what_asterisk_is_told(pbx: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    without = pjsip(pbx, tmp_path)
    for feature in pbx.FEATURES.keys() - {"TLS", "MUTUAL_TLS", "OPTIMISTIC"}:
        assert pjsip(pbx, tmp_path, feature) != without, feature


def test_a_feature_says_options_of_objects_that_there_are(pbx: ModuleType) -> None:
    for feature, options in pbx.FEATURES.items():
        assert options.keys() <= {"tls", "endpoint", "aor", "auth"}, feature
        assert bool(options) == (feature not in TRANSPORTS), feature


def test_every_context_that_a_feature_puts_users_into_is_in_the_dialplan(pbx: ModuleType) -> None:
    written = set(re.findall(r"^\[(.+)\]$", (ASTERISK.folder / "extensions.conf").read_text(), re.MULTILINE))
    asked = {
        options["endpoint"]["context"] for options in pbx.FEATURES.values() if "context" in options.get("endpoint", {})
    }
    assert asked
    assert asked | {"calls"} <= written


def test_users_are_known_by_digests_of_every_algorithm(pbx: ModuleType, tmp_path: Path) -> None:
    """RFC 7616 §3.9.1, for MD5 and SHA-256 of `Mufasa`."""
    (user,) = [tmp_path / "users" / "bob"]
    (user / "username").write_text("Mufasa")
    (user / "password").write_text("Circle of Life")
    pbx.os.environ["SUT_REALM"] = "http-auth@example.org"
    digests = of_type("auth", pjsip(pbx, tmp_path))["Mufasa"]["password_digest"].split(",")
    assert digests[:2] == [
        "MD5:3d78807defe7de2157e2b0b6573a855f",
        "SHA-256:7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232",
    ]
    assert digests[2].startswith("SHA-512-256:")


def test_each_user_gets_media_from_an_address_of_its_own(
    pbx: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUT_MEDIA", "192.0.2.8 192.0.2.9")
    endpoints = of_type("endpoint", pjsip(pbx, tmp_path))
    assert {name: options.get("media_address") for name, options in endpoints.items()} == {
        "alice": "192.0.2.8",
        "bob": "192.0.2.9",
        "probe": None,
    }


@pytest.mark.parametrize(
    ("features", "said"),
    [("NO_SUCH", "NO_SUCH not known"), ("MUTUAL_TLS", "needs TLS"), ("BUSY SILENT", "more than one says context")],
)
def test_features_that_cannot_be_are_refused(
    features: str, said: str, pbx: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUT_FEATURES", features)
    with pytest.raises(SystemExit, match=said):
        pbx.wanted_features()


def test_every_module_that_it_loads_must_load() -> None:
    """Without one of them, calls would fail later, and for another reason."""
    lines = (ASTERISK.folder / "modules.conf").read_text().splitlines()
    loaded = [line for line in lines if line and not line.startswith((";", "["))]
    assert loaded[0] == "autoload=no"
    assert all(re.fullmatch(r"require=\w+\.so", line) for line in loaded[1:])
