"""Each patch of pjproject says which fault it mends, why that matters, and which test fails without it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PATCHES = sorted((ROOT / "dev/pjsua2/patches").glob("*.patch"))


@pytest.mark.parametrize("patch", PATCHES, ids=lambda path: path.stem)
def test_a_patch_says_what_it_mends_and_what_fails_without_it(patch: Path) -> None:
    head, found, _ = patch.read_text().partition("\ndiff --git ")
    assert found, "no patch"
    said = re.findall(r"^([A-Z]\w+): (\S)", head, re.MULTILINE)
    assert [name for name, _ in said[:3]] == ["Fault", "Why", "Test"], head
    assert {name for name, _ in said[3:]} <= {"Test"}
    for test in re.findall(r"^Test: (.*)", head, re.MULTILINE):
        if test.startswith("none: "):
            continue
        file, _, name = test.partition(" ")[0].partition("::")
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.MULTILINE), f"there is no {test}"


def test_patches_are_numbered_apart() -> None:
    numbers = [path.name.partition("-")[0] for path in PATCHES]
    assert len(set(numbers)) == len(numbers)
    assert all(re.fullmatch(r"\d\d", number) for number in numbers)
