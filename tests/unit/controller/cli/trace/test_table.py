"""A capture as people read it."""

import msgspec
import pytest

from agent.contract.expect import DtmfMethod
from controller.cli.trace.table import as_table
from tests.unit.agent.trace.packets import stream, trace
from tests.unit.controller.traces import digit, digits, file

BUSY = {
    "src": "10.244.100.101:40000", "dst": "10.244.100.102:50000", "packets": 1_234_567, "expected": 1_235_000,
    "lost": 12_345, "duplicates": 123, "reordered": 345, "jitter_ms": 12.34, "max_jitter_ms": 123.42,
    "max_delta_ms": 12345.6,
}  # fmt: skip


def table(found, *, width=80, digits=False):
    return as_table(found, width=width, color=False, digits=digits)


def test_a_plain_call():
    found = trace(
        stream(packets=500, expected=501, lost=1, max_jitter_ms=1.25, max_delta_ms=40.0, digits=digits("12#"))
    )
    assert table(msgspec.structs.replace(found, files=[file()])).splitlines() == [
        "call.pcap: pcap, 9 packets, 999 bytes",
        "",
        "FROM            CODEC      PACKETS LOST           JITTER  GAP",
        "→ TO            SSRC       seconds    % DUP REORD max ms   ms DIGITS",
        "10.0.0.1:4000   PCMU           500    1   0     0    0.0 40.0 12#",
        "→ 10.0.0.2:5000 0x00000001    60.0 0.20              1.2",
    ]


def test_the_busiest_ipv4_call_fits_80_columns():
    lines = table(trace(stream(**BUSY, digits=digits("1234#")), stream())).splitlines()
    assert max(map(len, lines)) <= 80
    assert "10.244.100.101:40000" in lines[-4]


@pytest.mark.parametrize("width", [20, 60, 80, 240])
def test_no_number_and_no_digit_is_cut(width):
    call = stream(
        **{**BUSY, "src": "[2001:db8:1234:5678:9abc:def0:1234:5678]:40000"}, digits=digits("1234567890*#" * 4)
    )
    text = table(trace(call), width=width)
    for said in ("1234567", "12345", "123", "345", "12.3", "123.4", "12346"):
        assert said in text
    column = text.splitlines()[2].index("DIGITS")
    assert "".join(line[column:].strip() for line in text.splitlines()[3:]) == "1234567890*#" * 4


def test_what_is_not_known_is_a_dash():
    text = table(trace(stream(codec=None, payload_types=[97, 101], jitter_ms=None, max_jitter_ms=None)))
    assert "PT 97,101" in text
    assert text.count("–") == 3


def test_encrypted_streams_say_so_and_their_digits_are_not_known():
    line = table(trace(stream(encrypted=True, max_delta_ms=20.0))).splitlines()[-2]
    assert "PCMU SRTP" in line
    assert line.endswith("–")


def test_digits_tell_their_method_and_what_is_unsure():
    carried = [
        *digits("12"), digit("3", complete=False), digit("flash"),
        digit("7", method=DtmfMethod.INFO), digit("8", method=DtmfMethod.IN_BAND),
    ]  # fmt: skip
    assert "123?[flash], SIP INFO 7, in band 8" in table(trace(stream(digits=carried)), width=240)


def test_streams_stand_under_their_call_in_the_same_columns():
    found = trace(stream(call_id="a@b"), stream(src="[2001:db8::1]:4", call_id=None), stream(ssrc="0x2", call_id="a@b"))
    lines = table(found).splitlines()
    assert [line for line in lines if line.startswith("Call-ID")] == ["Call-ID a@b"]
    assert sum(line.startswith("FROM") for line in lines) == 1
    assert len({line.index("PCMU") for line in lines if "PCMU" in line}) == 1
    assert lines.index(next(line for line in lines if "0x2" in line)) < lines.index(
        next(x for x in lines if "2001" in x)
    )


def test_text_from_the_network_is_printable_and_no_markup():
    text = table(trace(stream(call_id="[bold]\x1b[2J", codec="\x07[red]X")))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[bold]" in text
    assert "[red]X" in text


def test_nothing_is_said_as_such():
    empty = msgspec.structs.replace(trace(), files=[file(packets=0, skipped={"damaged record": 2})])
    assert table(empty).splitlines() == [
        "call.pcap: pcap, 0 packets, 999 bytes; skipped: damaged record 2", "", "no RTP streams",
    ]  # fmt: skip
    assert table(empty, digits=True).endswith("\nno digits\n")


def test_each_digit_on_request():
    found = trace(stream(digits=[digit("5"), digit("#", complete=False, duration_ms=None, volume_dbm0=None)]))
    assert table(found, digits=True).splitlines()[1:] == [
        "10.0.0.1:4000 → 10.0.0.2:5000  0x00000001",
        "START (UTC)   DIGIT  METHOD       MS  DBM0  PACKETS  ENDS  COMPLETE",
        "22:13:21.000  5      RFC 4733  100.0   -10        8     3  yes",
        "22:13:21.000  #      RFC 4733      –     –        8     3  no",
    ]


def test_files_that_were_written_are_named_once():
    found = trace(stream(wav="listen/a.wav"), stream(wav="listen/a.wav"), stream(wav="listen/b.wav"))
    assert table(found).splitlines()[-3:] == ["", "wrote listen/a.wav", "wrote listen/b.wav"]


@pytest.mark.parametrize("each", [False, True])
def test_digits_of_no_stream_are_shown(each):
    orphaned = msgspec.structs.replace(trace(), digits=digits("5", method=DtmfMethod.INFO))
    assert "media was not captured" in table(orphaned, digits=each)
