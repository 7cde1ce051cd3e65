"""What the caches of dev/ promise: same inputs, same key; and nothing unfinished counts."""

from pathlib import Path

import pytest
from devkit import artefacts


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CALLTEST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def _tree(folder: Path, text: str = "x") -> Path:
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "file").write_text(text)
    return folder


def test_the_key_of_a_folder_does_not_depend_on_where_it_is(tmp_path: Path) -> None:
    assert artefacts.files_key([_tree(tmp_path / "one")]) == artefacts.files_key([_tree(tmp_path / "two")])


@pytest.mark.parametrize("change", ["content", "name", "mode"])
def test_the_key_of_a_folder_depends_on_all_that_is_in_it(tmp_path: Path, change: str) -> None:
    folder = _tree(tmp_path / "one")
    before = artefacts.files_key([folder])
    file = folder / "sub" / "file"
    if change == "content":
        file.write_text("y")
    elif change == "name":
        file.rename(file.with_name("other"))
    else:
        file.chmod(0o755)
    assert artefacts.files_key([folder]) != before


def test_the_parts_of_a_key_do_not_run_into_each_other() -> None:
    assert artefacts.key_of("ab", "c") != artefacts.key_of("a", "bc")


def test_an_artefact_is_built_once() -> None:
    builds = []

    def build(part: Path) -> None:
        builds.append(part)
        (part / "result").write_text("done")

    first = artefacts.artefact("thing", "key", build)
    assert artefacts.artefact("thing", "key", build) == first
    assert len(builds) == 1
    assert (first / "result").read_text() == "done"


def test_a_build_that_failed_is_built_again_and_leaves_nothing(cache: Path) -> None:
    def fail(part: Path) -> None:
        (part / "half").write_text("x")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        artefacts.artefact("thing", "key", fail)
    folder = artefacts.artefact("thing", "key", lambda part: (part / "whole").touch())
    assert [path.name for path in folder.iterdir()] == ["whole"]
    assert [path.name for path in (cache / "thing").iterdir() if path.is_dir()] == ["key"]
