from pathlib import Path

import pytest

from agent.tap.call import Captures, TappedCall
from agent.tap.model import Captured, TapError, TapStreams
from tests.unit.taps import tap_stream

STREAMS = TapStreams(rows=(tap_stream(),), epoch=2)


class FakeTap:
    """Does what it is told; `faults` names what it can't."""

    def __init__(self, *faults: str, captured: int = 1, left_out: int = 0) -> None:
        self.faults, self.said = faults, list[str]()
        self.remotes = ("192.0.2.1:4000", "192.0.2.2:4000", "", "")
        self.captured = Captured(
            packets=captured, bytes=200, left_out=left_out, error="No space left" if left_out else None
        )

    def _do(self, what: str) -> None:
        self.said.append(what)
        if what in self.faults:
            raise TapError(f"cannot {what}")

    def open(self, _call_id: str, capture: Path | None, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._do("open" if capture is None else "capture")
        if capture is not None:
            capture.write_bytes(b"pcap")

    def record(self, _call_id: str, path: Path) -> None:
        for name in (path.name, f"{path.name}.1", f"{path.name}.2"):
            path.with_name(name).write_bytes(b"RIFF")
        self._do("record")

    def record_end(self, _call_id: str, until_s: float) -> tuple[str, ...]:
        self._do(f"record until {until_s:g}")
        return self.remotes

    def mark(self, _call_id: str) -> None:
        self._do("mark")

    def streams(self, _call_id: str) -> TapStreams:
        self._do("streams")
        return STREAMS

    def close(self, _call_id: str) -> Captured:
        self._do("close")
        return self.captured


def tapped(fake: FakeTap, capture: Path | None = None) -> TappedCall:
    captures = Captures(directory=capture.parent, max_bytes=1234) if capture else None
    return TappedCall(fake, "id", captures, capture.name if capture else "")  # type: ignore[arg-type]


def test_a_call_ends_with_its_streams_and_its_capture(tmp_path: Path) -> None:
    fake, path = FakeTap(), tmp_path / "call.pcap"
    call = tapped(fake, path)
    call.answered()
    assert call.end() == (STREAMS, path)
    assert fake.said == ["capture", "mark", "streams", "close"]
    assert fake.max_bytes == 1234
    assert path.exists()


def test_without_a_path_nothing_is_captured() -> None:
    assert tapped(FakeTap(captured=0)).end() == (STREAMS, None)


def test_a_tap_that_cannot_open_measures_nothing_and_ends_no_call(caplog: pytest.LogCaptureFixture) -> None:
    fake = FakeTap("open")
    call = tapped(fake)
    call.answered()
    assert call.end() == (None, None)
    assert fake.said == ["open"]
    assert "cannot open" in caplog.text


def test_what_cannot_be_captured_is_counted_all_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    theirs = tmp_path / "call.pcap"
    theirs.write_bytes(b"somebody's")
    assert tapped(FakeTap("capture"), theirs).end() == (STREAMS, None)
    assert theirs.exists()
    assert "cannot capture" in caplog.text


def test_streams_that_cannot_be_told_are_not_measured_and_the_capture_is_kept(tmp_path: Path) -> None:
    fake, path = FakeTap("streams"), tmp_path / "call.pcap"
    assert tapped(fake, path).end() == (None, path)
    assert fake.said[-1] == "close"


def test_the_end_comes_once() -> None:
    fake = FakeTap()
    call = tapped(fake)
    call.end()
    assert call.end() == (None, None)
    assert fake.said.count("close") == 1


def test_an_empty_capture_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "call.pcap"
    assert tapped(FakeTap(captured=0), path).end() == (STREAMS, None)
    assert not path.exists()


def test_what_does_not_fit_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tapped(FakeTap(left_out=3), tmp_path / "call.pcap").end()
    assert "3 packets left out" in caplog.text
    assert "No space left" in caplog.text


def test_a_call_that_did_not_come_about_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "call.pcap"
    call = tapped(FakeTap(), path)
    assert path.exists()
    call.abandon()
    assert not path.exists()


def test_a_recording_ends_when_the_call_did(tmp_path: Path) -> None:
    fake, path = FakeTap(), tmp_path / "call.wav"
    call = tapped(fake)
    call.record(path)
    others = tmp_path / "call.wav.1"
    assert call.recorded(7.5) == {"192.0.2.1:4000": path, "192.0.2.2:4000": others}
    assert call.recorded(7.5) == {}, "it is asked for once"
    call.end()
    assert sorted(tmp_path.iterdir()) == [path, others], "and the file of nobody is gone"
    assert fake.said == ["open", "record", "record until 7.5", "streams", "close"]


@pytest.mark.parametrize("fault", ["record", "record until 7.5"])
def test_a_recording_that_is_not_whole_is_none(tmp_path: Path, fault: str) -> None:
    fake, path = FakeTap(fault), tmp_path / "call.wav"
    call = tapped(fake)
    call.record(path)
    assert call.recorded(7.5) == {}
    assert call.end()[0] is not None


def test_where_nobody_sends_silence_was_heard(tmp_path: Path) -> None:
    fake, path = FakeTap(), tmp_path / "call.wav"
    fake.remotes = ("", "", "", "")
    call = tapped(fake)
    call.record(path)
    assert call.recorded(7.5) == {"": path}
    assert list(tmp_path.iterdir()) == [path]


def test_a_recording_that_nobody_asks_for_is_not_kept(tmp_path: Path) -> None:
    call, path = tapped(FakeTap()), tmp_path / "call.wav"
    call.record(path)
    call.end()
    assert list(tmp_path.iterdir()) == []


def test_a_call_that_is_not_tapped_is_not_recorded(tmp_path: Path) -> None:
    fake = FakeTap("open")
    call = tapped(fake)
    call.record(tmp_path / "call.wav")
    assert call.recorded(7.5) == {}
    assert fake.said == ["open"]
