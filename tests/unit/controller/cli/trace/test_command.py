"""What `calltest trace` prints and returns, on captures made here."""

import json
import os
import sys
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from agent.trace.audio.codecs import mulaw_table
from agent.trace.kernel import KernelError
from agent.trace.model import Stream, Trace, Warning  # noqa: A004
from controller.cli import exits
from controller.cli.app import app
from controller.cli.trace import answer as trace_answer
from controller.cli.trace import traces
from controller.cli.trace.table import as_table
from tests.unit.agent.trace import keypad
from tests.unit.controller.captures import CALLEE, CALLER, back, call, dialled, invite, pcap, rtp, speech

RUNNER = CliRunner()
STREAM: dict[str, Any] = {
    "src": "10.0.0.1:4000", "dst": "10.0.0.2:5000", "ssrc": "0x1", "codec": None, "payloadTypes": [0],
    "clockRateHz": None, "callId": None, "start": 0, "end": 1, "packets": 1, "expected": 1, "lost": 0,
    "duplicates": 0, "reordered": 0, "jitterMs": None, "maxJitterMs": None, "maxDeltaMs": None, "encrypted": False,
    "digits": [],
}  # fmt: skip


def trace(*arguments: Any, stdin: bytes = b"") -> Any:
    return RUNNER.invoke(app, ["trace", *map(str, arguments)], input=stdin)


@pytest.fixture
def capture(tmp_path: Path) -> Any:
    def write(*packets: Any, name: str = "call.pcap") -> Path:
        path = tmp_path / name
        path.write_bytes(pcap([one for some in packets for one in some]))
        return path

    return write


def document(path: Path, *arguments: Any) -> Trace:
    result = trace(path, "--json", *arguments)
    assert result.exit_code in (0, 1), result.output
    return msgspec.json.decode(result.stdout, type=Trace)


def in_band(keys: str, **options: Any) -> list[Any]:
    """A stream that carries tones as PCMU."""
    table = mulaw_table()
    order = np.argsort(table, kind="stable")
    sound = keypad.dialled(keys, ms=100, gap_ms=100)
    sound = np.concatenate([sound, np.zeros(-len(sound) % 160, np.int16)])
    codes = order[np.clip(np.searchsorted(table[order], sound), 0, 255)].astype(np.uint8).reshape(-1, 160)
    return [
        one for number, code in enumerate(codes) for one in speech(1, first=number, payload=code.tobytes(), **options)
    ]


# What is shown


def test_streams_and_digits_are_shown(capture):
    result = trace(capture(call("12#", lose={7}), back("")))
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].endswith("call.pcap: pcap, 229 packets, 48,950 bytes")
    assert [line for line in lines if line.endswith("12#")]
    assert "10.0.0.2:5000" in result.stdout


def test_each_digit_is_shown_on_request(capture):
    result = trace(capture(call("12#")), "--digits")
    assert [line.split()[1] for line in result.stdout.splitlines() if "RFC 4733" in line] == ["1", "2", "#"]


def test_json_is_the_document_and_nothing_else(capture):
    path = capture(call("5", lose={3, 4}))
    found = json.loads(trace(path, "--json").stdout)
    (stream,) = found["streams"]
    assert found["schema"] == "calltest.dev/trace/v1"
    assert found["files"] == [
        {"path": str(path), "format": "pcap", "packets": 108, "bytes": path.stat().st_size, "skipped": {}}
    ]
    assert (stream["src"], stream["dst"], stream["ssrc"]) == ("10.0.0.1:4000", "10.0.0.2:5000", "0x1234abcd")
    assert (stream["packets"], stream["expected"], stream["lost"], stream["wav"]) == (108, 110, 2, None)
    (digit,) = stream["digits"]
    assert digit == {
        "digit": "5", "method": "RFC4733", "start": 1700000002.0, "durationMs": 100.0, "volumeDbm0": -10,
        "packets": 8, "endPackets": 3, "complete": True, "callId": None,
    }  # fmt: skip


def test_several_files_are_read_as_one(capture):
    first, second = capture(speech(50)), capture(speech(50, first=50), name="second.pcap")
    found = document(first, second)
    assert [file.path for file in found.files] == [str(first), str(second)]
    assert [stream.packets for stream in found.streams] == [100]


def test_standard_input_is_a_file(capture, monkeypatch):
    with capture(call("12#")).open() as file:
        monkeypatch.setattr(sys, "stdin", file)
        request = trace_answer.Request(files=("-",))
        found = trace_answer.answer(request, file.buffer, lambda _: nullcontext(None)).trace
    assert [file.path for file in found.files] == ["-"]
    assert len(found.streams[0].digits) == 3


def test_a_capture_without_rtp_says_so_and_is_no_fault(capture):
    result = trace(capture([]))
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "no RTP streams")


# What is kept


def test_only_streams_of_the_sut_are_kept(capture):
    other = speech(source=("10.0.0.3", 1234), destination=("10.0.0.4", 1236), ssrc=7)
    path = capture(call("1"), back(""), other)
    assert {(s.src, s.dst) for s in document(path, "--sut", "10.0.0.2").streams} == {
        ("10.0.0.1:4000", "10.0.0.2:5000"), ("10.0.0.2:5000", "10.0.0.1:4000"),
    }  # fmt: skip
    assert len(document(path, "--sut", "10.0.0.2", "--sut", "10.0.0.3").streams) == 3
    (warning,) = document(path, "--sut", "10.0.0.99").warnings
    assert warning.message == "none of the 3 RTP streams is kept by --sut and --call-id"


def test_only_streams_of_the_call_are_kept(capture):
    other = speech(source=("10.0.0.3", 1234), destination=("10.0.0.4", 1236), ssrc=7)
    path = capture([invite("abc@x")], call("1"), other)
    assert [stream.call_id for stream in document(path, "--call-id", "abc@x").streams] == ["abc@x"]
    assert document(path, "--call-id", "abc").streams == []


# Expectations


@pytest.mark.parametrize(
    ("digits", "code", "said"),
    [
        ("12#", 0, "as expected: digits 12#"),
        ("12", 1, "expected digits 12: 10.0.0.1:4000 → 10.0.0.2:5000 carried 12# (RFC 4733)"),
        ("12#A", 1, "expected digits 12#A: 10.0.0.1:4000 → 10.0.0.2:5000 carried 12# (RFC 4733)"),
    ],
)
def test_expected_digits(capture, digits, code, said):
    result = trace(capture(call("12#"), back("")), "--expect", digits)
    assert (result.exit_code, result.stderr) == (code, f"calltest: {said}\n")


def test_expected_digits_are_those_of_every_direction_that_is_kept(capture):
    path = capture(call("12#"), back("1#"))
    assert trace(path, "--expect", "12#").exit_code == 1
    assert trace(path, "--expect", "1#").exit_code == 1


def test_letters_may_be_typed_in_lower_case(capture):
    assert trace(capture(call("AB")), "--expect", "ab").exit_code == 0


def test_no_digits_are_not_the_expected_ones(capture):
    result = trace(capture(speech()), "--expect", "1")
    assert (result.exit_code, result.stderr) == (1, "calltest: expected digits 1: no digits\n")


def test_a_digit_without_its_end_is_not_as_expected(capture):
    result = trace(capture(speech(), dialled("1", ends=0)), "--expect", "1")
    assert result.exit_code == 1
    assert "but the end of digit 1 was not seen" in result.stderr


def test_a_capture_that_was_stopped_within_a_record_holds_and_a_damaged_one_does_not(capture):
    path = capture(call("12#"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-50])
    assert trace(path, "--expect", "12#").exit_code == 0
    path.write_bytes(whole[:5000] + b"\xff" * 300 + whole[5300:])
    result = trace(path, "--expect", "12#")
    assert result.exit_code == 1
    assert "call.pcap could not be read wholly (damaged record): it may hold other digits" in result.stderr


@pytest.mark.parametrize(("lose", "limit", "code"), [((), 0, 0), ((5,), 0, 1), ((5,), 1, 0), ((5, 7), 1.9, 1)])
def test_loss_that_is_allowed(capture, lose, limit, code):
    result = trace(capture(speech(100, lose=lose)), "--max-loss-percent", limit)
    assert result.exit_code == code, result.stderr


def test_one_stream_that_lost_too_much_is_enough(capture):
    result = trace(
        capture(speech(), speech(lose={3, 4}, source=CALLEE, destination=CALLER, ssrc=9)), "--max-loss-percent", 1
    )
    assert result.exit_code == 1
    assert "10.0.0.2:5000 → 10.0.0.1:4000 0x00000009 lost 2 % (2 of 100)" in result.stderr


@pytest.mark.parametrize("arguments", [("--expect", "1"), ("--max-loss-percent", "100")])
def test_nothing_kept_is_never_as_expected(capture, arguments):
    assert trace(capture(call("1")), "--sut", "10.9.9.9", *arguments).exit_code == 1
    assert trace(capture([]), *arguments).exit_code == 1


def test_an_expectation_leaves_the_document_as_it_is(capture):
    path = capture(call("1"))
    assert trace(path, "--json", "--expect", "2").stdout == trace(path, "--json").stdout


# Sound


def test_both_directions_of_a_call_are_written_as_one_file(capture, tmp_path):
    path = capture(speech(100, payload=b"\x00" * 160), back(""))
    found = document(path, "--wav", tmp_path / "wav")
    (name,) = {stream.wav for stream in found.streams}
    with wave.open(name) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 8000, 16000)
        assert np.frombuffer(file.readframes(1), "<i2").tolist() == [-32124, 0]


def test_tones_are_digits_on_request(capture):
    path = capture(in_band("19*"))
    assert [stream.digits for stream in document(path).streams] == [[]]
    assert trace(path, "--expect", "19*").exit_code == 1
    (stream,) = document(path, "--inband").streams
    assert [(digit.digit, digit.method) for digit in stream.digits] == [
        ("1", "InBand"),
        ("9", "InBand"),
        ("*", "InBand"),
    ]
    assert stream.digits[0].start == pytest.approx(1700000000.1, abs=0.006)
    assert trace(path, "--inband", "--expect", "19*").exit_code == 0


def test_sound_of_standard_input(capture, tmp_path):
    result = trace("-", "--inband", "--wav", tmp_path / "wav", "--json", stdin=capture(in_band("7")).read_bytes())
    found = msgspec.json.decode(result.stdout, type=Trace)
    assert [file.path for file in found.files] == ["-"]
    assert [digit.digit for digit in found.streams[0].digits] == ["7"]
    assert Path(found.streams[0].wav or "").is_file()


@contextmanager
def piped(content: bytes) -> Iterator[Path]:
    """As `<(cat capture)` of a shell: the name of a pipe's end, which can be read once."""
    out, into = os.pipe()
    writer = threading.Thread(target=lambda: open(into, "wb").write(content), daemon=True)  # noqa: PTH123, SIM115
    writer.start()
    try:
        yield Path(f"/dev/fd/{out}")
    finally:
        os.close(out)
        writer.join(10)


def test_sound_of_a_pipe(capture, tmp_path):
    content = capture(in_band("7")).read_bytes()
    with piped(content) as path:
        found = document(path, "--inband", "--wav", tmp_path / "wav")
    assert [file.path for file in found.files] == [str(path)]
    assert [digit.digit for digit in found.streams[0].digits] == ["7"]
    assert Path(found.streams[0].wav or "").is_file()


def test_streams_of_a_pipe_need_no_copy(capture, monkeypatch):
    monkeypatch.setattr(trace_answer, "_keep", None)
    with piped(capture(call("12#")).read_bytes()) as path:
        assert len(document(path).streams[0].digits) == 3


def test_a_pipe_that_would_fill_the_disk_is_said_with_what_to_do(capture, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with piped(capture(call("1")).read_bytes()) as path:
        result = trace(path, "--wav", tmp_path / "wav")
    assert result.exit_code == 2
    assert f"{path}: --wav and --inband read a capture twice" in result.stderr
    assert "write it to a file" in result.stderr


def test_a_pipe_that_holds_no_capture_is_named_as_it_was_given(tmp_path):
    with piped(b"this is no capture, whatever it may look like") as path:
        result = trace(path, "--wav", tmp_path / "wav")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"calltest: {path}: neither pcap nor pcapng")


def test_a_link_where_a_file_is_to_be_written_is_not_followed(capture, tmp_path):
    path = capture(speech(100, payload=b"\x00" * 160))
    target = tmp_path / "precious"
    (name,) = {Path(stream.wav or "").name for stream in document(path, "--wav", tmp_path / "wav").streams}
    (tmp_path / "wav" / name).unlink()
    (tmp_path / "wav" / name).symlink_to(target)
    result = trace(path, "--wav", tmp_path / "wav")
    assert (result.exit_code, target.exists()) == (2, False)
    assert f"{name}: is no plain file, and is not written over" in result.stderr


def test_srtp_is_said_and_neither_written_nor_as_expected(capture, tmp_path):
    path = capture([invite("abc", profile="RTP/SAVP")], call("1"))
    result = trace(path, "--wav", tmp_path / "wav", "--inband", "--expect", "1")
    assert result.exit_code == 1
    assert "SRTP: not decoded" in result.stderr
    assert "10.0.0.1:4000 → 10.0.0.2:5000 is encrypted: its digits cannot be read" in result.stderr
    assert list((tmp_path / "wav").iterdir()) == []


def test_media_that_an_agent_captured_in_plain_is_read_where_sdp_says_srtp(capture, tmp_path):
    path = capture([invite("abc", profile="RTP/SAVP")], call("1"))
    result = trace(path, "--decrypted", "--wav", tmp_path / "wav", "--expect", "1")
    assert (result.exit_code, result.stderr) == (0, "calltest: as expected: digits 1\n")
    assert len(list((tmp_path / "wav").iterdir())) == 1


def test_what_cannot_be_decoded_is_said_and_holds_nothing(capture, tmp_path):
    path = capture(speech(payload_type=4), dialled("1"))
    result = trace(path, "--inband", "--expect", "1")
    assert result.exit_code == 1
    assert "no decoder for G723" in result.stderr
    assert trace(path, "--wav", tmp_path / "wav").exit_code == 0


# Unusable input


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("/nonexistent.pcap",), "/nonexistent.pcap"),
        (("/",), "/: "),
        (("{pcap}", "--sut", "10.0.0.1:4000"), "--sut '10.0.0.1:4000' is no IP address"),
        (("{pcap}", "--expect", ""), "--expect '': give the digits"),
        (("{pcap}", "--expect", "12x"), "--expect '12x': give the digits"),
        (("{pcap}", "--max-loss-percent", "-1"), "--max-loss-percent -1: give a share from 0 to 100"),
        (("{pcap}", "--max-loss-percent", "nan"), "--max-loss-percent nan"),
        (("{pcap}", "--wav", "/dev/null"), "/dev/null"),
        (("-", "-"), "- is given twice"),
        (("{text}",), "neither pcap nor pcapng"),
        ((), "FILE"),
    ],
)  # fmt: skip
def test_unusable_input_exits_2_and_says_what_to_do(capture, tmp_path, arguments, said):
    path = capture(call("1"))
    (tmp_path / "text").write_text("this is no capture, whatever it may look like")
    result = trace(*(word.format(pcap=path, text=tmp_path / "text") for word in arguments))
    assert result.exit_code == 2, result.output
    assert said in result.stderr
    assert result.stdout == ""


def test_a_fault_of_ours_does_not_look_like_a_broken_expectation(capture, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(trace_answer, "trace", broken)
    result = trace(capture([]))
    assert result.exit_code == 3
    assert "RuntimeError: a bug" in result.stderr


def test_without_its_compiled_part_it_says_what_to_run(capture, monkeypatch):
    def missing() -> None:
        raise KernelError("not built: run dev/kernel/build")

    monkeypatch.setattr("agent.trace.kernel.kernel", missing)
    result = trace(capture(call("5")))
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == "calltest: not built: run dev/kernel/build\n"


def test_ctrl_c_does_not_look_like_a_broken_expectation(capture, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(trace_answer, "trace", interrupted)
    assert trace(capture([])).exit_code == 130


def test_a_reader_that_went_away_does_not_look_like_a_broken_expectation(capture, monkeypatch):
    def gone(*_: object, **__: object) -> None:
        raise BrokenPipeError

    path = capture(call("1"))
    monkeypatch.setattr(traces, "_print", gone)
    monkeypatch.setattr(exits, "_abandon_stdout", lambda: None)
    result = trace(path, "--expect", "1")
    assert (result.exit_code, result.output) == (141, "")


def test_text_of_the_capture_cannot_move_the_cursor(capture):
    result = trace(capture([invite("abc\x1b[2J")], call("1")))
    assert "\x1b" not in result.output


UNSEEN = ("\x7f", "\x9b", "\u0085", "\u061c", "\u200f", "\u2028", "\u202e", "\u2066", "\ufeff")


@pytest.mark.parametrize("unseen", UNSEEN)
def test_what_a_terminal_obeys_or_turns_round_is_escaped_in_json_and_replaced_in_the_table(unseen):
    stream = msgspec.convert(
        {**STREAM, "calls": [{"callId": f"a{unseen}b", "leg": 1, "side": "A", "medium": 1}]}, Stream
    )
    warning = Warning(code="SsrcChanged", message=f"a{unseen}b")
    found = Trace(files=[], streams=[stream], digits=[], warnings=[warning])
    text = traces.as_json(found)
    assert f"a\\u{ord(unseen):04x}b" in text
    assert unseen not in text
    assert msgspec.json.decode(text, type=Trace) == found
    assert "Call-ID a\N{REPLACEMENT CHARACTER}b" in as_table(found, width=80, color=False, digits=False)


def test_a_lonely_packet_is_no_stream(capture):
    assert document(capture([(0, CALLER, CALLEE, rtp(0, 1, 1, bytes(160)))])).streams == []


def test_help_shows_examples_and_exit_status():
    text = trace("--help").stdout
    assert "calltest trace a.pcap b.pcapng.gz --sut 10.0.0.5 --expect 1234#" in text
    assert "Exit status: 0, or 1 where an expectation does not hold, 2 unusable input" in text
    assert max(map(len, text.splitlines())) <= 80
