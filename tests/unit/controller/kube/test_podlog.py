"""A log read piece by piece is the log read at once."""

from agent.contract.result import ProgressLine, encode_line
from controller.kube.podlog import MAX_BYTES, PodLog
from controller.kube.sightings import Sightings


def stamped(number: int, text: bytes) -> bytes:
    return b"2026-01-01T00:00:00.%09dZ " % number + text


LINES = [stamped(number, b"line %d\n" % number) for number in range(10)]


def test_pieces_that_overlap_are_the_whole() -> None:
    log = PodLog()
    for start, end in ((0, 3), (1, 5), (5, 5), (2, 10)):
        log.add(b"".join(LINES[start:end]), now=float(end))
    assert log.lines == [b"line %d\n" % number for number in range(10)]


def test_equal_texts_at_other_times_are_other_lines() -> None:
    log = PodLog()
    log.add(stamped(1, b"same\n") + stamped(2, b"same\n"), now=0)
    assert log.lines == [b"same\n"] * 2


def test_a_line_that_is_still_being_written_is_left_for_the_next_time() -> None:
    log = PodLog()
    log.add(LINES[0] + LINES[1][:-4], now=0)
    assert log.lines == [b"line 0\n"]
    log.add(LINES[0] + LINES[1], now=1)
    assert log.lines == [b"line 0\n", b"line 1\n"]


def test_it_is_read_from_the_start_and_then_from_before_the_last_time() -> None:
    log = PodLog()
    assert log.since_s(100.0) is None
    log.add(b"", now=100.0)
    assert log.since_s(103.5) == 5


def test_the_whole_log_replaces_the_pieces() -> None:
    log = PodLog()
    log.add(LINES[5], now=0)
    log.add(b"".join(LINES), now=1, is_whole=True)
    assert len(log.lines) == 10
    assert log.is_whole


def test_the_last_progress_line_counts() -> None:
    log = PodLog()
    for ready in (1, 2):
        line = encode_line(ProgressLine(run_uid="u", agent="a", ready=ready, done=0, active=0, ended=0, failed=0))
        log.add(stamped(ready, line), now=0)
    log.add(stamped(9, b"noise\n"), now=0)
    assert log.progress is not None
    assert log.progress.ready == 2


def test_a_log_without_end_is_cut() -> None:
    log = PodLog()
    chunk = b"x" * (MAX_BYTES // 2) + b"\n"
    for number in range(5):
        log.add(stamped(number, chunk), now=0)
    assert sum(len(line) for line in log.lines) < 2 * MAX_BYTES


def pod(version: str, uid: str = "1") -> dict:
    return {"metadata": {"uid": uid, "resourceVersion": version}}


def test_the_newest_sighting_of_a_pod_stands() -> None:
    sightings = Sightings()
    for version in ("5", "9", "7", "text"):
        sightings.saw("ns", "run", pod(version))
    assert [seen.pod["metadata"]["resourceVersion"] for seen in sightings.of_run("ns", "run")] == ["9"]
    sightings.forget("ns", "run")
    assert sightings.of_run("ns", "run") == []
