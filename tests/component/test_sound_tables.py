"""The tables of what is heard through codecs, and of what is not: a part of each; `make test-long` has all of it."""

import subprocess
import sys


def table(name: str, *asked: str) -> list[list[str]]:
    """Its rows; in a process of its own, which has pjsip to itself."""
    command = [sys.executable, "-m", f"tests.component.{name}", *asked]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_no_calls_signal_is_heard_in_speech_music_and_noise() -> None:
    rows = table("foreign_sound", "--frames", "60")
    assert len(rows) == 9 * 11, "of ten kinds and of all together, as they are and by eight codecs"
    assert all(int(frames) >= 5 and [own, other, read] == ["0"] * 3 for _, _, frames, own, other, read in rows)


def test_its_own_signal_is_heard_behind_codecs_in_a_row() -> None:
    rows = table("chains", "--calls", "1", "--seconds", "4", "--kind", "one codec", "that, and back")
    assert [(row[0], row[1], row[2]) for row in rows] == [
        ("one codec", "0 %", "8"), ("one codec", "3 %", "8"),
        ("that, and back", "0 %", "4"), ("that, and back", "3 %", "4"),
    ]  # fmt: skip
    assert all(int(row[3].removesuffix(" %")) >= 90 for row in rows)
