"""Whose a stream is: by the SDP of calls, over hops, moves and ends; and what plays again is another's."""

from dataclasses import replace
from itertools import chain

import pytest

from agent.trace.model import Stream, Trace
from tests.unit.agent.trace.dialogue import ALICE, ALICE_RTP, BOB, BOB_RTP, Hop, Place, media, packet, sdp
from tests.unit.agent.trace.reading import read
from tests.unit.agent.trace.wire import Packet, frames, pcap

MOVED = ("10.0.0.1", 4100)
PBX, PBX_1, PBX_2 = ("10.0.0.9", 5060), ("10.0.0.9", 12_000), ("10.0.0.9", 12_002)


def traced(*some: list[Packet], chunk_bytes: int = 1 << 16) -> Trace:
    packets = sorted(chain(*some), key=lambda one: one.time_ns)
    return read(pcap(frames(packets), nano=True), chunk_bytes=chunk_bytes)


def keys(stream: Stream) -> str:
    return "".join(digit.digit for digit in stream.digits)


def whose(stream: Stream) -> list[tuple[str, int, str]]:
    return [(one.call_id, one.leg, str(one.side)) for one in stream.calls]


def by_source(found: Trace) -> dict[str, list[list[tuple[str, int, str]]]]:
    sources: dict[str, list[list[tuple[str, int, str]]]] = {}
    for stream in found.streams:
        sources.setdefault(f"{stream.src} → {stream.dst}", []).append(whose(stream))
    return sources


def test_each_side_sends_what_goes_to_the_other() -> None:
    call = Hop()
    call.set_up()
    found = traced(call.packets, media(1, ALICE_RTP, BOB_RTP, "12"), media(1, BOB_RTP, ALICE_RTP, ssrc=2))
    assert [whose(stream) for stream in found.streams] == [[("c1", 1, "A")], [("c1", 1, "B")]]
    assert [stream.call_id for stream in found.streams] == ["c1", "c1"]


def test_media_from_a_port_that_no_sdp_names_is_that_of_who_talks_to_its_destination() -> None:
    call = Hop()
    call.set_up()
    behind_nat = ("203.0.113.7", 61_234)
    found = traced(call.packets, media(1, behind_nat, BOB_RTP, "1"), media(1, BOB_RTP, behind_nat, "2", ssrc=2))
    assert [whose(stream) for stream in found.streams] == [[("c1", 1, "A")], [("c1", 1, "B")]]
    assert [keys(stream) for stream in found.streams] == ["1", "2"]


def test_what_goes_to_an_address_behind_nat_means_what_the_side_there_declared() -> None:
    call = Hop()
    theirs = sdp(("192.168.0.5", 4000), media="0 97", extra=["a=rtpmap:97 telephone-event/8000"])
    call.set_up(offer=theirs)
    [stream] = traced(call.packets, media(1, BOB_RTP, ("203.0.113.7", 61_234), "5", events=97)).streams
    assert (stream.codec, keys(stream)) == ("PCMU", "5")


def test_a_port_that_moves_stays_the_same_side() -> None:
    call = Hop()
    call.set_up()
    call.again(1.9, 2, offer=sdp(MOVED), answer=sdp(BOB_RTP))
    found = traced(call.packets, media(1, ALICE_RTP, BOB_RTP, "12"), media(2, MOVED, BOB_RTP, "34", first=200))
    assert [(whose(stream), keys(stream)) for stream in found.streams] == [
        ([("c1", 1, "A")], "12"),
        ([("c1", 1, "A")], "34"),
    ]


def moved_within(at: list[int], packets: list[Packet]) -> list[Packet]:
    """From each of these packets on by another port."""
    return [replace(one, sport=4000 + 100 * sum(n >= place for place in at)) for n, one in enumerate(packets)]


@pytest.mark.parametrize("said", [True, False])
@pytest.mark.parametrize("at", [[22], [21, 23], [24]])
def test_a_digit_within_which_the_port_moves_is_one(at: list[int], *, said: bool) -> None:
    """RFC 4733 §2.5.1.2: one event has one timestamp, wherever its packets come from."""
    hop = Hop()
    hop.set_up()
    if said:
        hop.again(0.8, 2, offer=sdp(MOVED), answer=sdp(BOB_RTP))
    found = traced(hop.packets, moved_within(at, media(0.4, ALICE_RTP, BOB_RTP, "55")))
    digits = [(keys(stream), [digit.packets for digit in stream.digits]) for stream in found.streams]
    assert digits == [("5", [5]), *[("", [])] * (len(at) - 1), ("5", [5])]
    assert found.streams[0].digits[0].duration_ms == 100
    assert found.streams[0].digits[0].complete


def test_what_a_relay_passes_on_of_a_digit_is_its_other_leg_s() -> None:
    first, second = Hop(a=ALICE, b=PBX), Hop(call_id="c2", a=PBX, b=BOB)
    first.set_up(answer=sdp(PBX_1))
    second.set_up(0.05, offer=sdp(PBX_2))
    cut = [one for n, one in enumerate(media(0.5, ALICE_RTP, PBX_1, "5")) if n != 24]
    found = traced(first.packets, second.packets, cut, media(0.501, PBX_2, BOB_RTP, "5"))
    assert [keys(stream) for stream in found.streams] == ["5", "5"]


def test_a_key_that_is_pressed_again_on_another_port_is_two() -> None:
    hop = Hop()
    hop.set_up()
    first = media(0.4, ALICE_RTP, BOB_RTP, "5", lose=[24])
    second = media(1.2, MOVED, BOB_RTP, "5", first=200, timestamp=40_000)
    assert [keys(stream) for stream in traced(hop.packets, first, second).streams] == ["5", "5"]


def test_a_request_of_the_called_side_offers_for_it() -> None:
    call = Hop()
    call.set_up()
    moved = ("10.0.0.2", 5100)
    call.again(1, 7, offer=sdp(moved), answer=sdp(ALICE_RTP), by_b=True)
    [stream] = traced(call.packets, media(2, ALICE_RTP, moved)).streams
    assert whose(stream) == [("c1", 1, "A")]


def test_an_offer_in_the_200_is_answered_by_the_ack() -> None:
    call = Hop()
    call.request(0, "INVITE", 1, begins=True)
    call.response(0.2, 200, 1, body=sdp(BOB_RTP, extra=["a=crypto:1 X inline:Y"]))
    call.request(0.3, "ACK", 1, body=sdp(ALICE_RTP, extra=["a=crypto:1 X inline:Y"]))
    found = traced(call.packets, media(1, ALICE_RTP, BOB_RTP), media(1, BOB_RTP, ALICE_RTP, ssrc=2))
    assert [(whose(stream), stream.encrypted) for stream in found.streams] == [
        ([("c1", 1, "A")], True),
        ([("c1", 1, "B")], True),
    ]


def test_an_offer_in_a_reliable_183_is_answered_by_the_prack() -> None:
    call = Hop()
    call.request(0, "INVITE", 1, begins=True)
    call.response(0.1, 183, 1, body=sdp(BOB_RTP))
    call.request(0.2, "PRACK", 2, body=sdp(ALICE_RTP))
    call.response(0.25, 200, 2, "PRACK")
    call.response(0.3, 200, 1, body=sdp(BOB_RTP))
    call.request(0.4, "UPDATE", 3, body=sdp(MOVED))
    call.response(0.5, 200, 3, "UPDATE", body=sdp(BOB_RTP))
    found = traced(call.packets, media(1, BOB_RTP, ALICE_RTP), media(1, BOB_RTP, MOVED, ssrc=2))
    assert [whose(stream) for stream in found.streams] == [[("c1", 1, "B")]] * 2


def test_hops_of_a_proxy_are_one_leg_and_a_relay_between_them_makes_two() -> None:
    one, two = Hop(b=PBX), Hop(a=PBX)
    one.request(0, "INVITE", 1, body=sdp(ALICE_RTP), begins=True)
    two.request(0.1, "INVITE", 1, body=sdp(ALICE_RTP), begins=True)
    two.response(0.2, 200, 1, body=sdp(BOB_RTP))
    one.response(0.3, 200, 1, body=sdp(BOB_RTP))
    found = traced(one.packets, two.packets, media(1, ALICE_RTP, BOB_RTP, "1"))
    assert [whose(stream) for stream in found.streams] == [[("c1", 1, "A")]]

    one, two = Hop(b=PBX), Hop(a=PBX)
    one.request(0, "INVITE", 1, body=sdp(ALICE_RTP), begins=True)
    two.request(0.1, "INVITE", 1, body=sdp(PBX_2), begins=True)
    two.response(0.2, 200, 1, body=sdp(BOB_RTP))
    one.response(0.3, 200, 1, body=sdp(PBX_1))
    found = traced(
        one.packets, two.packets, media(1, ALICE_RTP, PBX_1, "1"), media(1.001, PBX_2, BOB_RTP, "1"),
        media(1.002, BOB_RTP, PBX_2, ssrc=2), media(1.003, PBX_1, ALICE_RTP, ssrc=2),
    )  # fmt: skip
    assert [whose(stream) for stream in found.streams] == [
        [("c1", 1, "A")],
        [("c1", 2, "A")],
        [("c1", 2, "B")],
        [("c1", 1, "B")],
    ]


def test_a_response_whose_branch_was_changed_answers_the_request_of_its_number() -> None:
    call = Hop()
    call.request(0, "INVITE", 1, body=sdp(ALICE_RTP, extra=["a=crypto:1 X inline:Y"]), begins=True)
    call.response(0.2, 200, 1, body=sdp(BOB_RTP), transaction="another")
    assert [stream.encrypted for stream in traced(call.packets, media(1, ALICE_RTP, BOB_RTP)).streams] == [False]


def test_phones_that_two_calls_tell_to_send_to_each_other_carry_both() -> None:
    one, two = Hop(call_id="c1", b=PBX), Hop(call_id="c2", a=PBX)
    one.set_up(answer=sdp(PBX_1))
    two.set_up(0.1, offer=sdp(PBX_2))
    two.again(1.5, 2, offer=sdp(ALICE_RTP), answer=sdp(BOB_RTP))
    one.again(1.55, 3, offer=sdp(BOB_RTP), answer=sdp(ALICE_RTP), by_b=True)
    before = media(1, ALICE_RTP, PBX_1), media(1, PBX_2, BOB_RTP)
    found = traced(one.packets, two.packets, *before, media(2, ALICE_RTP, BOB_RTP, "12", first=200))
    assert by_source(found) == {
        "10.0.0.1:4000 → 10.0.0.9:12000": [[("c1", 1, "A")]],
        "10.0.0.9:12002 → 10.0.0.2:5000": [[("c2", 1, "A")]],
        "10.0.0.1:4000 → 10.0.0.2:5000": [[("c1", 1, "A"), ("c2", 1, "A")]],
    }


def test_all_calls_of_a_server_on_one_port_are_told_apart_by_who_sends() -> None:
    server = ("10.0.0.2", 5000)
    calls = [Hop(call_id=f"c{n}", a=("10.0.1.1", 5060 + n)) for n in range(5)]
    streams: list[Packet] = []
    for n, call in enumerate(calls):
        phone = ("10.0.1.1", 4000 + n)
        call.set_up(n / 10, offer=sdp(phone), answer=sdp(server))
        streams += media(1 + n / 10, phone, server, ssrc=n + 1, count=100)
    found = traced(*(call.packets for call in calls), streams)
    assert [whose(stream) for stream in found.streams] == [[(f"c{n}", 1, "A")] for n in range(5)]


def test_a_failed_re_invite_changes_nothing() -> None:
    call = Hop()
    call.set_up()
    call.request(1, "INVITE", 2, body=sdp(ALICE_RTP, profile="RTP/SAVP"))
    call.response(1.1, 488, 2)
    [stream] = traced(call.packets, media(2, BOB_RTP, ALICE_RTP, "7")).streams
    assert (stream.encrypted, keys(stream)) == (False, "7")


# --- a flow ends with its call


def replay(at_s: float) -> list[Packet]:
    return media(at_s, ALICE_RTP, BOB_RTP, "1234#")


def judged(found: Trace) -> list[tuple[str, int, int, int]]:
    return [(keys(stream), stream.lost, stream.duplicates, stream.restarts) for stream in found.streams]


@pytest.mark.parametrize(("hung_up", "pause_s"), [(True, 0.05), (True, 3.0), (False, 0.05), (False, 3.0)])
def test_a_recording_that_is_played_into_each_call_is_a_stream_of_each(*, hung_up: bool, pause_s: float) -> None:
    """Load generators replay SSRC, numbers, timestamps and ports. No BYE: the next call's SDP tells as well."""
    packets: list[Packet] = []
    for n in range(100):
        at_s = n * (1.8 + pause_s)
        call = Hop(call_id=f"call {n}")
        call.set_up(at_s)
        if hung_up:
            call.hang_up(at_s + 1.75)
        packets += [*call.packets, *replay(at_s + 0.35)]
    found = traced(packets)
    assert judged(found) == [("1234#", 0, 0, 0)] * 100
    assert [whose(stream) for stream in found.streams] == [[(f"call {n}", 1, "A")] for n in range(100)]


def test_a_recording_that_is_played_again_is_another_stream_without_any_sip() -> None:
    assert judged(traced(*(replay(n * 3.5) for n in range(100)))) == [("1234#", 0, 0, 0)] * 100


def test_the_first_packets_of_a_recording_that_is_played_again_may_be_lost() -> None:
    again = replay(5)[3:]
    assert [one[0] for one in judged(traced(replay(0), again))] == ["1234#"] * 2


def test_a_recording_that_is_played_twice_in_one_call_is_two_streams_of_its_side() -> None:
    call = Hop()
    call.set_up()
    found = traced(call.packets, replay(1), replay(4))
    assert [(whose(stream), keys(stream)) for stream in found.streams] == [([("c1", 1, "A")], "1234#")] * 2


def test_a_source_that_begins_anew_after_a_hold_is_the_same_stream() -> None:
    call = Hop()
    call.set_up()
    later = media(4, ALICE_RTP, BOB_RTP, first=7, timestamp=900_000, count=50)
    assert judged(traced(call.packets, media(1, ALICE_RTP, BOB_RTP, count=50), later)) == [("", 0, 0, 1)]


def test_media_that_runs_on_after_the_bye_is_no_other_stream() -> None:
    call = Hop()
    call.set_up()
    call.hang_up(2)
    assert len(traced(call.packets, media(1, ALICE_RTP, BOB_RTP, count=150)).streams) == 1


def test_numbers_that_go_on_from_call_to_call_are_streams_of_their_own() -> None:
    one, two = Hop(call_id="c1"), Hop(call_id="c2")
    one.set_up()
    one.hang_up(2)
    two.set_up(2.1)
    first = media(1, ALICE_RTP, BOB_RTP, "1")
    second = media(3, ALICE_RTP, BOB_RTP, "2", first=130, timestamp=16_000 + 160 * 30)
    found = traced(one.packets, two.packets, first, second)
    assert [(whose(stream), keys(stream)) for stream in found.streams] == [
        ([("c1", 1, "A")], "1"),
        ([("c2", 1, "A")], "2"),
    ]


def test_a_bye_that_was_refused_ends_nothing() -> None:
    call, other = Hop(), Hop(call_id="c2")
    call.set_up()
    call.hang_up(1.5, answered=403)
    other.request(1.6, "INVITE", 1, body=sdp(ALICE_RTP), begins=True)
    [stream] = traced(call.packets, other.packets, media(1, ALICE_RTP, BOB_RTP, count=100)).streams
    assert ("c1", 1, "A") in whose(stream)


def test_an_invite_that_failed_leaves_its_address_to_the_next() -> None:
    one, two = Hop(call_id="c1"), Hop(call_id="c2")
    one.request(0, "INVITE", 1, body=sdp(ALICE_RTP), begins=True)
    one.response(0.1, 486, 1)
    two.set_up(1)
    [stream] = traced(one.packets, two.packets, media(2, BOB_RTP, ALICE_RTP)).streams
    assert whose(stream) == [("c2", 1, "B")]


def test_chunks_of_any_size_say_the_same() -> None:
    packets: list[Packet] = []
    for n in range(4):
        call = Hop(call_id=f"call {n}")
        call.set_up(2 * n)
        call.hang_up(2 * n + 1.75)
        packets += [*call.packets, *replay(2 * n + 0.35)]
    whole = traced(packets)
    assert traced(packets, chunk_bytes=700).streams == whole.streams
    assert judged(whole) == [("1234#", 0, 0, 0)] * 4


def test_what_is_no_call_is_passed_over() -> None:
    odd = [
        packet(n, ALICE, BOB, text) for n, text in enumerate([b"INVITE x\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n", b"BYE "])
    ]
    stray = Hop(call_id="never began")
    stray.hang_up(0)
    stray.response(0.1, 200, 1, "OPTIONS", body=sdp(ALICE_RTP))
    stray.request(0.2, "MESSAGE", 4, body=sdp(ALICE_RTP))
    [stream] = traced(odd, stray.packets, media(1, BOB_RTP, ALICE_RTP)).streams
    assert (stream.call_id, stream.calls) == (None, [])


def test_hold_as_rfc_2543_wrote_it_names_no_address() -> None:
    call = Hop()
    call.set_up()
    call.again(1, 2, offer=sdp(("0.0.0.0", 4000)), answer=sdp(BOB_RTP))
    assert [whose(stream) for stream in traced(call.packets, media(2, BOB_RTP, ALICE_RTP)).streams] == [
        [("c1", 1, "B")]
    ]


def test_a_later_call_takes_an_address_over_from_one_that_was_answered_and_is_silent() -> None:
    one, two = Hop(call_id="c1"), Hop(call_id="c2")
    one.set_up()
    two.set_up(5)
    later: Place = BOB_RTP
    found = traced(one.packets, two.packets, media(1, ALICE_RTP, later), media(6, ALICE_RTP, later, ssrc=2))
    assert [whose(stream) for stream in found.streams] == [[("c1", 1, "A")], [("c2", 1, "A")]]
