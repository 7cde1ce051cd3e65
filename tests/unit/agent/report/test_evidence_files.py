"""Where a leg's files go, and what is left when that fails."""

from pathlib import PurePosixPath

import pytest

from agent.contract.plan import RunRef
from agent.contract.verdict import Role
from agent.report.evidence_files import EvidenceError, EvidenceFiles, folder_of
from tests.unit.builders import callee_leg, caller_leg, change, registration

RUN = RunRef(uid="0f5b3c4e-8a7b-4d1c-9c64-1b5d0a3c2e11", namespace="voice", name="pin-g3", call_test="pin")
FOLDER = PurePosixPath("run/ep0/pin-0/Caller")


@pytest.mark.parametrize(
    ("name", "seen", "folder"),
    [
        ("pin-g3", caller_leg(endpoint=2, number=7), "pin-g3-0f5b3c4e/ep2/pin-7/Caller"),
        ("pin-0f5b3c4e", callee_leg(), "pin-0f5b3c4e/ep0/pin-0/Callee"),
        ("pin-g3", registration(Role.CALLER, endpoint=1), "pin-g3-0f5b3c4e/ep1/registration/Caller"),
        (
            "pin-g3",
            change(callee_leg(), index=12, call=None, number=None, call_key="../../x", sip_call_id="../../x"),
            "pin-g3-0f5b3c4e/ep0/leg-12-9cdf6a50/Callee",
        ),
        (
            "pin-g3",
            change(callee_leg(), call=None, number=None, sip_call_id=None),
            "pin-g3-0f5b3c4e/ep0/leg-0-e3b0c442/Callee",
        ),
    ],
)
def test_a_folder_says_what_it_is_of(name, seen, folder):
    run = RunRef(uid=RUN.uid, namespace="voice", name=name, call_test="pin")
    assert str(folder_of(run, seen)) == folder


@pytest.fixture
def capture(tmp_path):
    path = tmp_path / "scratch.pcap"
    path.write_bytes(b"p" * 1000)
    return path


def test_the_capture_moves_and_the_group_may_read_it(tmp_path, capture):
    kept = tmp_path / "kept"
    assert EvidenceFiles(kept, 10_000).write(FOLDER, caller_leg(), capture) == FOLDER
    assert (kept / FOLDER / "capture.pcap").read_bytes() == b"p" * 1000
    assert (kept / FOLDER / "sip.txt").read_text().startswith("Caller of pin/0")
    assert (kept / FOLDER / "capture.pcap").stat().st_mode & 0o777 == 0o640
    assert not capture.exists()


def test_what_is_there_stays_and_a_second_one_gets_a_number(tmp_path):
    files = EvidenceFiles(tmp_path, 10_000)
    made = [files.write(FOLDER, caller_leg(), None).name for _ in range(3)]
    assert made == ["Caller", "Caller-2", "Caller-3"]


def test_a_flood_of_one_name_ends(tmp_path):
    files = EvidenceFiles(tmp_path, 1_000_000)
    for _ in range(100):
        files.write(FOLDER, caller_leg(), None)
    with pytest.raises(EvidenceError, match="there are 100 of this name"):
        files.write(FOLDER, caller_leg(), None)


def test_no_more_is_kept_than_allowed(tmp_path, capture):
    files = EvidenceFiles(tmp_path / "kept", 1_900)
    files.write(FOLDER, caller_leg(), capture)
    capture.write_bytes(b"q" * 1000)
    with pytest.raises(EvidenceError, match="may keep 1900"):
        files.write(FOLDER, caller_leg(), capture)
    with pytest.raises(EvidenceError, match="may keep 1900"):
        files.add(capture, FOLDER / "sent.wav")
    assert sorted(path.name for path in (tmp_path / "kept" / FOLDER.parent).iterdir()) == ["Caller"]
    assert not (tmp_path / "kept" / FOLDER / "sent.wav").exists()


def test_where_the_disk_is_full_nothing_is_left(tmp_path, capture, monkeypatch):
    files = EvidenceFiles(tmp_path / "kept", 10_000)
    files.write(FOLDER, caller_leg(), None)

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agent.report.evidence_files.shutil.copyfileobj", fail)
    with pytest.raises(OSError, match="No space"):
        files.write(FOLDER, caller_leg(), capture)
    with pytest.raises(OSError, match="No space"):
        files.add(capture, FOLDER / "sent.wav")
    kept = [path.relative_to(tmp_path / "kept" / FOLDER.parent) for path in (tmp_path / "kept").rglob("*.*")]
    assert [str(path) for path in kept] == ["Caller/sip.txt"]
