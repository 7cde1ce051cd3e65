"""Memory has bounds: what is beyond them is said, seen from outside with bounds that a small capture meets."""

import struct
from dataclasses import replace
from types import ModuleType

import pytest

from agent.trace import kernel
from agent.trace.model import Trace
from agent.trace.streams import analysis, calls, flows, formats, infos, streams
from agent.trace.wire import addresses, assembly, packet, tcp, turn
from tests.unit.agent.trace.dialogue import ALICE, ALICE_RTP, BOB_RTP, Hop, Place, media, sdp
from tests.unit.agent.trace.reading import read
from tests.unit.agent.trace.test_relayed import CLIENT, SERVER, between, bind, channel
from tests.unit.agent.trace.wire import START_NS, Frame, Packet, ethernet, frames, ip, pcap, rtp, sip, speech


def said(found: Trace) -> dict[str, int]:
    """Warnings that begin with a count."""
    return {one.code: int(one.message.split()[0]) for one in found.warnings if one.message.split()[0].isdigit()}


def looked(packets: list[Packet]) -> Trace:
    return read(pcap(frames(sorted(packets, key=lambda one: one.time_ns))))


@pytest.fixture
def least(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    def set_to(module: ModuleType, name: str, value: int) -> None:
        assert isinstance(getattr(module, name), int)
        monkeypatch.setattr(module, name, value)

    return set_to


def dialogue(number: int, *, a: Place = ALICE_RTP, b: Place = BOB_RTP, ended: bool = False) -> list[Packet]:
    hop = Hop(call_id=f"c{number}")
    hop.set_up(number / 10, offer=sdp(a), answer=sdp(b))
    if ended:
        hop.hang_up(number / 10 + 1)
    return hop.packets


@pytest.mark.parametrize(("ended", "forgotten"), [(False, {"TooManyCalls": 2}), (True, {})])
def test_calls_that_were_not_over(least, ended: bool, forgotten: dict[str, int]) -> None:  # type: ignore[no-untyped-def] # noqa: FBT001
    least(calls, "MAX_CALLS", 1)
    packets = [one for n in range(3) for one in dialogue(20 * n, ended=ended)]
    assert said(read(pcap(frames(packets)), chunk_bytes=1000)) == forgotten


@pytest.mark.parametrize("kind", ["requests", "forks", "hops"])
def test_what_one_call_has(least, kind: str) -> None:  # type: ignore[no-untyped-def]
    least(calls, "MAX_OF_A_CALL", 2)
    packets: list[Packet] = []
    for n in range(5):
        other = {"hops": {"a": (f"10.0.1.{n}", 5060)}, "forks": {"tags": ("a", f"b{n}")}}.get(kind, {})
        hop = Hop(**other)  # type: ignore[arg-type]
        hop.request(n, "INVITE", n + 1 if kind == "requests" else 1, body=sdp(ALICE_RTP), begins=n == 0)
        hop.response(n + 0.5, 200, n + 1 if kind == "requests" else 1, body=sdp(BOB_RTP))
        packets += hop.packets
    found = said(looked(packets))
    assert found.keys() == {"CallsCut"}
    assert found["CallsCut"] >= 3


def test_addresses_of_one_side(least) -> None:  # type: ignore[no-untyped-def]
    least(calls, "MAX_OF_A_CALL", 6)
    hop = Hop()
    hop.set_up()
    for n in range(9):
        hop.again(n + 1, n + 2, offer=sdp((ALICE_RTP[0], 6000 + 2 * n)), answer=sdp(BOB_RTP))
    assert said(looked(hop.packets))["CallsCut"] >= 4


def test_legs_of_one_call(least) -> None:  # type: ignore[no-untyped-def]
    least(calls, "MAX_LEGS", 1)
    first, second = Hop(), Hop(a=("10.0.0.5", 5060), b=("10.0.0.6", 5060))
    first.set_up()
    second.set_up(offer=sdp(("10.0.0.5", 7000)), answer=sdp(("10.0.0.6", 7002)))
    assert said(looked([*first.packets, *second.packets])).keys() == {"CallsCut"}


def test_calls_of_one_address(least) -> None:  # type: ignore[no-untyped-def]
    least(streams, "MAX_CLAIMS", 2)
    packets = [one for n in range(5) for one in dialogue(n, a=("10.0.2.1", 4000 + 2 * n))]
    assert said(looked(packets)) == {"TooManyAtAnAddress": 3}


def test_addresses_that_sdp_declares(least) -> None:  # type: ignore[no-untyped-def]
    least(streams, "MAX_PLACES", 2)
    packets = [one for n in range(3) for one in dialogue(n, a=("10.0.2.1", 4000 + 2 * n), b=("10.0.3.1", 4000 + 2 * n))]
    found = looked([*packets, *media(2.0, ("10.0.2.1", 4000), ("10.0.3.1", 4000))])
    assert said(found)["TooManyAtAnAddress"] >= 4
    assert found.streams[0].calls == []


def test_streams_of_one_address_that_an_sdp_changes(least) -> None:  # type: ignore[no-untyped-def]
    least(streams, "MAX_LOOKED_AT", 2)
    early = [one for n in range(4) for one in media(0.0, (f"10.0.4.{n}", 4000), BOB_RTP, ssrc=n + 1)]
    hop = Hop()
    hop.set_up(1.0)
    found = looked([*early, *hop.packets])
    assert said(found)["TooManyAtAnAddress"] >= 1
    assert sum(bool(one.calls) for one in found.streams) == 2


def test_handshakes(least) -> None:  # type: ignore[no-untyped-def]
    least(analysis, "MAX_DTLS", 2)
    hello = b"\x16\xfe\xfd" + bytes(40)
    hellos = [Packet(payload=hello, sport=4000 + 2 * n) for n in (0, 0, 1, 2)]
    found = looked([*hellos, *(one for one in speech(9))])
    assert said(found) == {"TooManyHandshakes": 2}
    assert [one.encrypted for one in found.streams] == [True]


def test_channels_of_turn(least) -> None:  # type: ignore[no-untyped-def]
    least(turn, "MAX_CHANNELS", 1)
    packets = [between(CLIENT, SERVER, bind(0x4000 + n), START_NS + n) for n in range(3)]
    packets += [between(CLIENT, SERVER, channel(0x4000, one.payload), one.time_ns + 9) for one in speech(9)]
    found = looked(packets)
    assert said(found)["TooManyChannels"] >= 2
    assert [one.dst for one in found.streams] == ["203.0.113.5:3478"]


def over_tcp(port: int, content: bytes, at: int) -> Frame:
    header = struct.pack(">HHIIBBHHH", port, 5060, at, 0, 0x50, 0x18, 1000, 0, 0)
    return START_NS + at, ethernet(ip("10.0.0.1", "10.0.0.2", 6, header + content))


MESSAGE = Hop()
MESSAGE.set_up()
TEXT = MESSAGE.packets[0].payload


def test_connections(least) -> None:  # type: ignore[no-untyped-def]
    least(tcp, "MAX_CONNECTIONS", 1)
    found = read(pcap([over_tcp(7000, TEXT[:300], 1), over_tcp(7001, TEXT, 2), over_tcp(7000, TEXT[300:], 301)]))
    assert said(found) == {"SipOverTcpIncomplete": 1}


def test_a_message_over_tcp(least) -> None:  # type: ignore[no-untyped-def]
    least(tcp, "MAX_MESSAGE", 200)
    assert said(read(pcap([over_tcp(7000, TEXT, 1)]))).keys() == {"SipOverTcpIncomplete"}


def test_segments_that_wait(least) -> None:  # type: ignore[no-untyped-def]
    least(assembly, "MAX_WAITING", 2)
    pieces = [TEXT[at : at + 100] for at in range(0, len(TEXT), 100)]
    records = [over_tcp(7000, piece, 1 + 100 * n) for n, piece in enumerate(pieces) if n != 1]
    assert said(read(pcap(records))) == {"SipOverTcpIncomplete": 1}


def test_packets_in_pieces(least) -> None:  # type: ignore[no-untyped-def]
    least(packet, "_MAX_PACKETS", 2)
    records = [
        (START_NS + n, ethernet(ip("10.0.0.1", "10.0.0.2", 17, bytes(64), fragment=0x2000, identification=n)))
        for n in range(5)
    ]
    assert said(read(pcap(records))) == {"FragmentsMissing": 5}


def test_addresses(least) -> None:  # type: ignore[no-untyped-def]
    least(addresses, "MAX_ADDRESSES", 2)
    packets = [one for n in range(5) for one in speech(9, ssrc=n + 1)]
    records = frames(Packet(payload=one.payload, src=f"2001:db8::{n // 9}", dst="2001:db8::ffff")
                     for n, one in enumerate(packets))  # fmt: skip
    found = read(pcap(records))
    assert said(found)["TooManyAddresses"] > 0
    assert len(found.streams) == 1


def test_messages_of_addresses_without_a_number(least) -> None:  # type: ignore[no-untyped-def]
    least(addresses, "MAX_ADDRESSES", 2)
    udp = [
        replace(sip(Packet(payload=b"", src=f"2001:db8::{n}", dst="2001:db8::ffff"), offer_of(n)), time_ns=START_NS + n)
        for n in range(4)
    ]
    header = struct.pack(">HHIIBBHHH", 5060, 5060, 1, 0, 0x50, 0x18, 1000, 0, 0)
    by_tcp = (START_NS + 9, ethernet(ip("2001:db8::5", "2001:db8::ffff", 6, header + TEXT)))
    assert said(read(pcap([*frames(udp), by_tcp])))["TooManyAddresses"] > 0


def test_flows_that_may_be_rtp(least) -> None:  # type: ignore[no-untyped-def]
    least(streams, "MAX_UNCONFIRMED", 8)
    monkey = flows.Flows.unsure.__defaults__
    flows.Flows.unsure.__defaults__ = (8,)
    try:
        packets = [Packet(payload=rtp(n, n, ssrc=n), time_ns=START_NS + n) for n in range(200)]
        found = read(pcap(frames(packets)), chunk_bytes=2000)
    finally:
        flows.Flows.unsure.__defaults__ = monkey
    assert said(found)["TooManyFlows"] > 100


def test_maps_of_payload_types(least) -> None:  # type: ignore[no-untyped-def]
    least(formats, "MAX_MEANINGS", 2)
    packets = [sip(Packet(payload=b"", time_ns=START_NS + n), text) for n in range(3) for text in [offer_of(n)]]
    assert said(looked(packets))["TooManyPayloadMaps"] >= 2


def offer_of(number: int) -> str:
    hop = Hop(call_id=f"c{number}")
    hop.request(0, "INVITE", 1, body=sdp(ALICE_RTP, media=f"{97 + number}", extra=[f"a=rtpmap:{97 + number} L16/8000"]))
    return hop.packets[0].payload.decode().replace("\r\n", "\n")


def test_infos_with_digits_and_types_of_their_bodies(least) -> None:  # type: ignore[no-untyped-def]
    least(infos, "MAX_INFOS", 2)
    least(infos, "MAX_KINDS", 1)
    hop = Hop()
    hop.set_up()
    for n in range(5):
        hop.request(1 + n, "INFO", 10 + n, body=f"Signal={n}\r\n", kind="application/dtmf-relay")
    for n in range(3):
        hop.request(7 + n, "INFO", 20 + n, body="x", kind=f"application/x{n}")
    found = looked(hop.packets)
    assert said(found)["TooManyInfos"] == 3
    assert [one.message for one in found.warnings if one.code == "BodiesNotRead"] == [
        "1 INFOs with a body of application/x0: no digit that can be read",
        "2 INFOs with a body of other types: no digit that can be read",
    ]


def test_gaps(least) -> None:  # type: ignore[no-untyped-def]
    least(flows, "MAX_HOLES", 4)
    packets = [one for n, one in enumerate(speech(60)) if n % 3 != 1]
    assert "TooManyGaps" in [one.code for one in looked(packets).warnings]
    assert kernel.MAX_HOLES > 4


def test_a_call_within_all_bounds_says_nothing() -> None:
    hop = Hop(a=ALICE)
    hop.set_up()
    assert said(looked([*hop.packets, *media(0.4, ALICE_RTP, BOB_RTP), *media(0.4, BOB_RTP, ALICE_RTP, ssrc=2)])) == {}
