"""Digits: one for each that was sent, whatever became of its packets."""

from collections.abc import Sequence

import pytest

from agent.contract.expect import DtmfMethod
from agent.trace.model import Digit, Trace
from tests.unit.agent.trace.reading import read
from tests.unit.agent.trace.wire import START_NS, Packet, event, frames, invite, pcap, rtp, sip, speech

AUDIO = speech(10)


def pressed(
    code: int, *, sequence: int, timestamp: int, ticks: Sequence[int], ends: int = 3, **rtp_fields: int
) -> list[Packet]:
    """A packet for each of `ticks`, the last of them `ends` times with the E bit."""
    payloads = [event(code, one) for one in ticks[: len(ticks) - bool(ends)]] + [
        event(code, ticks[-1], end=True)
    ] * ends
    fields = {"payload_type": 101} | rtp_fields
    return [
        Packet(
            time_ns=START_NS + 1_000_000 * sequence,
            payload=rtp(sequence + number, timestamp, payload=payload, **fields),
        )
        for number, payload in enumerate(payloads)
    ]


def of(*packets: Packet) -> list[Digit]:
    streams = traced(*packets).streams
    assert len(streams) == 1
    return streams[0].digits


def traced(*packets: Packet) -> Trace:
    return read(pcap(frames(packets)))


def test_a_digit_is_told_once_with_all_that_its_packets_say() -> None:
    [digit] = of(*AUDIO, *pressed(5, sequence=110, timestamp=7000, ticks=[160, 320, 480, 640]))
    assert digit == Digit(
        digit="5",
        method=DtmfMethod.RFC4733,
        start=pytest.approx((START_NS + 110_000_000) / 1e9),
        duration_ms=80.0,
        volume_dbm0=-10,
        packets=6,
        end_packets=3,
        complete=True,
    )


@pytest.mark.parametrize(("code", "name"), [(0, "0"), (10, "*"), (11, "#"), (15, "D"), (16, "flash"), (66, "event 66")])
def test_names(code: int, name: str) -> None:
    assert [digit.digit for digit in of(*AUDIO, *pressed(code, sequence=110, timestamp=7000, ticks=[160]))] == [name]


def test_without_its_end_a_digit_is_incomplete_and_lasts_as_far_as_was_heard() -> None:
    [digit] = of(*AUDIO, *pressed(1, sequence=110, timestamp=7000, ticks=[160, 320], ends=0))
    assert (digit.duration_ms, digit.end_packets, digit.complete) == (40.0, 0, False)


def test_the_same_digit_twice_is_two() -> None:
    first = pressed(7, sequence=110, timestamp=7000, ticks=[160, 320])
    assert [digit.packets for digit in of(*AUDIO, *first, *pressed(7, sequence=120, timestamp=7320, ticks=[160]))] == [
        4,
        3,
    ]


def test_packets_that_come_late_belong_to_their_digit() -> None:
    first = pressed(7, sequence=110, timestamp=7000, ticks=[160, 320])
    second = pressed(8, sequence=120, timestamp=9000, ticks=[160, 320])
    digits = of(*AUDIO, *first[:3], *second[:1], first[3], *second[1:])
    assert [(digit.digit, digit.packets, digit.end_packets) for digit in digits] == [("7", 4, 3), ("8", 4, 3)]


def test_a_long_event_is_one_over_its_segments() -> None:
    parts = [
        *pressed(3, sequence=110, timestamp=7000, ticks=[30000, 0xFFFF], ends=0),
        *pressed(3, sequence=120, timestamp=7000 + 0xFFFF, ticks=[0xFFFF], ends=0),
        *pressed(3, sequence=130, timestamp=7000 + 2 * 0xFFFF, ticks=[80, 160]),
    ]
    [digit] = of(*AUDIO, *parts)
    assert digit.duration_ms == pytest.approx((2 * 0xFFFF + 160) / 8)
    assert (digit.packets, digit.complete) == (7, True)


def test_a_digit_that_begins_a_segment_later_but_after_an_end_is_its_own() -> None:
    first = pressed(3, sequence=110, timestamp=7000, ticks=[0xFFFF])
    assert len(of(*AUDIO, *first, *pressed(3, sequence=120, timestamp=7000 + 0xFFFF, ticks=[160]))) == 2


def test_segments_join_over_the_wrap_of_the_timestamp() -> None:
    stamp = 0xFFFFFFFF - 100
    parts = [
        *pressed(3, sequence=110, timestamp=stamp, ticks=[0xFFFF], ends=0),
        *pressed(3, sequence=120, timestamp=stamp + 0xFFFF, ticks=[160]),
    ]
    assert [digit.duration_ms for digit in of(*AUDIO, *parts)] == [pytest.approx((0xFFFF + 160) / 8)]


def test_events_leave_the_jitter_alone() -> None:
    digit = pressed(5, sequence=110, timestamp=5000 + 1600, ticks=[160, 320, 480])
    after = speech(5, first=115, timestamp=5000 + 160 * 15, start_ns=START_NS + 300_000_000)
    [stream] = traced(*AUDIO, *digit, *after).streams
    assert stream.max_jitter_ms == 0.0


def test_audio_of_an_undeclared_type_is_no_event() -> None:
    """Speex on 101: most packets are longer than an event, one or the other has four bytes."""
    packets = [
        Packet(
            time_ns=START_NS + 20_000_000 * n,
            payload=rtp(n, 160 * n, payload_type=101, payload=bytes(4 if n == 3 else 20)),
        )
        for n in range(9)
    ]
    [stream] = traced(*packets).streams
    assert (stream.digits, stream.codec, stream.jitter_ms) == ([], None, None)


def offered(media: str, *, address: str = "10.0.0.2", port: int = 4002, **fields: str) -> Packet:
    return sip(Packet(time_ns=START_NS - 1, payload=b""), invite(address, port, media, **fields))


def test_a_payload_type_means_what_the_receiver_declared() -> None:
    """Each side asks for events on a type of its own; 96 is audio one way and events the other."""
    one_way = offered("0 101=telephone-event/8000 96=L16/8000")
    other = offered("0 96=telephone-event/8000 101=L16/8000", address="10.0.0.1", port=4000)
    packets = [*AUDIO, *pressed(5, sequence=110, timestamp=7000, ticks=[160])]
    back = [
        Packet(time_ns=one.time_ns, payload=one.payload, src="10.0.0.2", sport=4002, dst="10.0.0.1", dport=4000)
        for one in [*AUDIO, *pressed(6, sequence=110, timestamp=7000, ticks=[160], payload_type=96)]
    ]
    there, here = traced(one_way, other, *packets, *back).streams
    assert [digit.digit for digit in there.digits] == ["5"]
    assert [digit.digit for digit in here.digits] == ["6"]
    assert there.call_id == "call-1"


def test_an_sdp_holds_from_its_own_time_on() -> None:
    """A re-INVITE moves events from 97 to 98; before, 98 is audio."""
    first = offered("0 97=telephone-event/8000 98=L16/8000")
    again = offered("0 98=telephone-event/8000", call_id="call-1")
    before = pressed(1, sequence=110, timestamp=7000, ticks=[160], payload_type=98)
    after = pressed(2, sequence=120, timestamp=8000, ticks=[160], payload_type=98)
    digits = of(first, *AUDIO, *before, again, *after)
    assert [digit.digit for digit in digits] == ["2"]


def test_the_clock_of_events_is_the_declared_one() -> None:
    fast = offered("96=AMR-WB/16000 101=telephone-event/16000")
    assert [d.duration_ms for d in of(fast, *AUDIO, *pressed(1, sequence=110, timestamp=7000, ticks=[320]))] == [20.0]


@pytest.mark.parametrize(
    ("kind", "body", "digit", "duration_ms"),
    [
        ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", "5", 160.0),
        ("application/dtmf-relay", "Signal= *\nDuration= 250", "*", 250.0),
        ("application/dtmf-relay", "Signal=11\r\n", "#", None),
        ("application/dtmf", "7", "7", None),
    ],
)
def test_digits_of_info(kind: str, body: str, digit: str, duration_ms: float | None) -> None:
    head = f"INFO sip:b SIP/2.0\nCall-ID: call-1\nCSeq: 7 INFO\nFrom: <sip:a@example.org>;tag=2\nContent-Type: {kind}"
    info = sip(Packet(time_ns=START_NS + 5, payload=b""), f"{head}\n\n{body}")
    [stream] = traced(offered("0"), *AUDIO, info, info).streams
    [found] = stream.digits
    assert (found.digit, found.method, found.duration_ms) == (digit, DtmfMethod.INFO, duration_ms)


def test_a_digit_of_info_without_media_is_not_lost() -> None:
    text = "INFO sip:b SIP/2.0\nCall-ID: x\nCSeq: 7 INFO\nContent-Type: application/dtmf\n\n7"
    assert [one.digit for one in traced(sip(Packet(payload=b""), text)).digits] == ["7"]


def test_encrypted_payloads_are_said_and_not_read() -> None:
    [stream] = traced(
        offered("0 101=telephone-event/8000", profile="RTP/SAVP"),
        *AUDIO,
        *pressed(5, sequence=110, timestamp=7000, ticks=[160]),
    ).streams
    assert (stream.encrypted, stream.digits, stream.packets) == (True, [], 13)


def test_dtls_between_the_two_addresses_is_encryption() -> None:
    hello = Packet(payload=b"\x16\xfe\xfd" + bytes(60), src="10.0.0.2", sport=4002, dst="10.0.0.1", dport=4000)
    [stream] = traced(hello, *AUDIO).streams
    assert stream.encrypted


def test_events_cut_by_the_snap_length_are_a_warning_and_no_digit() -> None:
    found = read(pcap(frames([*AUDIO, *pressed(5, sequence=110, timestamp=7000, ticks=[160])]), snap=56))
    assert (found.streams[0].packets, found.streams[0].digits) == (13, [])
    assert [warning.code for warning in found.warnings] == ["EventsCut"]
