"""What a reader of a capture must know is said."""

from pathlib import Path

from agent.trace.model import Trace
from agent.trace.read import trace
from tests.unit.agent.trace.reading import read
from tests.unit.agent.trace.wire import START_NS, Packet, event, frames, invite, pcap, rtp, sip, speech


def codes(found: Trace) -> list[str]:
    return [warning.code for warning in found.warnings]


def test_nothing_is_said_of_a_sound_capture() -> None:
    assert codes(read(pcap(frames(speech(50))))) == []


def test_a_capture_of_two_interfaces_has_everything_twice() -> None:
    packets = [one for packet in speech(50) for one in (packet, packet)]
    found = read(pcap(frames(packets)))
    assert codes(found) == ["CapturedTwice"]
    assert (found.streams[0].duplicates, found.streams[0].lost) == (50, 0)


def test_another_ssrc_between_the_same_addresses() -> None:
    found = read(pcap(frames([*speech(9, ssrc=1), *speech(9, ssrc=2), *speech(9, ssrc=3)])))
    assert [warning.message for warning in found.warnings] == ["10.0.0.1:4000 to 10.0.0.2:4002: 2 changes of SSRC"]


def test_a_source_that_began_anew() -> None:
    assert codes(read(pcap(frames([*speech(9), *speech(9, first=20_000)])))) == ["SourceRestarted"]


def test_a_hole_of_more_than_a_minute() -> None:
    packets = speech(4000)
    assert codes(read(pcap(frames([*packets[:9], *packets[3600:]])))) == ["SequenceJump"]


def test_an_event_whose_timestamp_moves_and_one_whose_stands() -> None:
    def press(number: int, timestamp: int, ticks: int, *, end: bool = False, marker: bool = False) -> Packet:
        payload = rtp(number, timestamp, payload_type=101, payload=event(5, ticks, end=end), marker=marker)
        return Packet(time_ns=START_NS + 20_000_000 * number, payload=payload)

    moves = [press(n, 160 * n, 160 * n, end=n == 5, marker=n == 1) for n in range(1, 6)]
    assert codes(read(pcap(frames(moves)))) == ["DigitTimestampsMove"]
    stands = [press(n, 160, 160 * (n % 5 + 1), end=n % 5 == 4, marker=n % 5 == 0) for n in range(10)]
    assert codes(read(pcap(frames(stands)))) == ["DigitTimestampsStand"]


def test_files_in_the_wrong_order() -> None:
    records = frames(speech(60))
    found = read(pcap(records[30:]), pcap(records[:30]))
    assert codes(found) == ["FilesOutOfOrder"]


def test_redundant_audio_hides_its_digits() -> None:
    offer = sip(Packet(payload=b""), invite("10.0.0.2", 4002, "0 96=red/8000"))
    packets = [Packet(time_ns=START_NS + n, payload=rtp(n, 160 * n, payload_type=96)) for n in range(5)]
    assert codes(read(pcap(frames([offer, *packets])))) == ["RedundantAudio"]


def test_packets_cut_before_their_header_are_counted() -> None:
    for snap in (40, 50):
        found = read(pcap(frames(speech(9)), snap=snap))
        assert (found.streams, found.files[0].skipped) == ([], {"packet cut before the end of its RTP header": 9})


def test_a_link_layer_that_is_not_read_is_counted() -> None:
    found = read(pcap(frames(speech(9)), link=147))
    assert (found.streams, found.files[0].skipped) == ([], {"link type 147": 9})


def test_an_options_response_declares_nothing() -> None:
    text = invite("10.0.0.2", 4002, "0", code=200).replace("1 INVITE", "1 OPTIONS")
    [stream] = read(pcap(frames([sip(Packet(payload=b""), text), *speech(9)]))).streams
    assert stream.call_id is None


def test_progress_counts_over_all_files(tmp_path: Path) -> None:
    paths = [tmp_path / "a.pcap", tmp_path / "b.pcap"]
    for path in paths:
        path.write_bytes(pcap(frames(speech(20))))
    size = paths[0].stat().st_size
    seen: list[tuple[int, int | None]] = []
    trace(paths, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (2 * size, 2 * size)
    assert seen == sorted(seen)
