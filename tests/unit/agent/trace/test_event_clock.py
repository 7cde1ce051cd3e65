"""How long a digit was, where no SDP tells the clock: by the stream's pace, else it is not known."""

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.trace.results import CLOCKS_HZ
from tests.unit.agent.trace.reading import read
from tests.unit.agent.trace.wire import START_NS, Packet, event, frames, pcap, rtp


def opus_like(clock_hz: int, *, packets: int = 70, late_ns: tuple[int, ...] = (0,)) -> list[Packet]:
    """Audio of an undeclared type, a digit of 100 ms in its middle."""
    step, middle = clock_hz // 50, packets // 2
    sent: list[Packet] = []
    for n in range(packets):
        is_event = middle <= n < middle + 5
        stamp = step * (middle if is_event else n)
        told = min((n - middle + 1) * step, 0xFFFF) if is_event else 0
        payload = event(5, told, end=n == middle + 4) if is_event else bytes(40)
        content = rtp(n, stamp, payload_type=97 if is_event else 96, payload=payload)
        sent.append(Packet(time_ns=START_NS + 20_000_000 * n + late_ns[n % len(late_ns)], payload=content))
    return sent


@given(st.sampled_from(CLOCKS_HZ), st.lists(st.integers(0, 15_000_000), min_size=1, max_size=70))
@settings(max_examples=30, deadline=None)
def test_the_pace_of_a_stream_tells_its_clock_whatever_the_jitter(clock_hz: int, late_ns: list[int]) -> None:
    packets = opus_like(clock_hz, packets=120, late_ns=tuple(late_ns))
    [stream] = read(pcap(frames(packets), nano=True)).streams
    assert [digit.duration_ms for digit in stream.digits] == [100.0]
    assert stream.clock_rate_hz is None


def lengths(packets: list[Packet]) -> list[float | None]:
    return [digit.duration_ms for stream in read(pcap(frames(packets))).streams for digit in stream.digits]


def test_too_few_packets_a_pace_that_is_no_clock_and_events_alone_tell_none() -> None:
    assert lengths(opus_like(16_000, packets=40)) == [None]
    assert lengths(opus_like(20_000)) == [None]
    assert lengths([one for one in opus_like(16_000) if one.payload[1] & 0x7F == 97]) == [None]


def test_a_static_type_s_clock_is_that_of_its_stream_s_events() -> None:
    audio = opus_like(8000, packets=40)
    plain = [Packet(time_ns=one.time_ns, payload=_as_pcmu(one.payload)) for one in audio]
    assert lengths(plain) == [100.0]


def _as_pcmu(payload: bytes) -> bytes:
    return payload[:1] + bytes([0 if payload[1] & 0x7F == 96 else payload[1]]) + payload[2:]
