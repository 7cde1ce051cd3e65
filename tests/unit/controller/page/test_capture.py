"""What a page says of captures."""

import pytest

from controller.page.capture import MAX_CALLS, capture_page, date
from controller.page.messages import Heads
from controller.page.model import SpanKind, Way
from controller.page.reading import Room, read
from controller.page.recording import Recording
from tests.unit.agent.trace.packets import trace
from tests.unit.controller.captures import CALLEE, CALLER, START_S, dialled, speech
from tests.unit.controller.page.world import PROXY, TALK, A, B, capture, later, media, sdp, signalling, sip


def page(path, *packets, **options):
    recording = read([capture(path, *packets)], Room(), **options)
    return capture_page(recording, [path.name], [])


def replaced(text, changes):
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


def facts(call):
    return {fact.name: fact.value for fact in call.facts}


def test_a_call_is_its_messages_and_its_media(tmp_path):
    found = page(tmp_path / "a.pcap", signalling(*TALK), media())
    (call,) = found.calls
    assert (call.code, call.is_suspect, call.anchor) == ("200 OK", False, "call-1")
    assert [(track.way, track.digits, track.lost) for track in call.tracks] == [
        (Way.TO_CALLEE, "12", 0),
        (Way.TO_CALLER, "", 0),
    ]
    assert call.began == "2023-11-14 22:13:20.000 UTC"
    assert facts(call)["answered after"] == "0.200 s"
    assert found.sentence.startswith("Nothing stands out")
    assert [one.label for one in call.tracks[0].spans if one.kind is SpanKind.SECTION] == ["PCMU RTP/AVP sendrecv"]
    assert call.tracks[0].sound is not None
    assert call.tracks[0].level is not None


def test_figures_are_those_of_the_trace(tmp_path):
    recording = read([capture(tmp_path / "a.pcap", signalling(*TALK), media(lose={7, 8, 50}))], Room())
    (call,) = capture_page(recording, ["a"], []).calls
    for track, stream in zip(call.tracks, recording.trace.streams, strict=True):
        assert (track.packets, track.lost, track.codec) == (stream.packets, stream.lost, stream.codec)
        assert sum(slot.lost for slot in track.slots) + track.unplaced == stream.lost
        assert max(slot.jitter_ms or 0 for slot in track.slots) == pytest.approx(stream.max_jitter_ms)
        assert (
            f"{stream.max_jitter_ms:.2f} ms"
            in {fact.name: fact.value for fact in track.facts}["jitter, last and highest"]
        )


def test_loss_stands_out_and_such_calls_come_first(tmp_path):
    ports = {"cafe@": "beef@", "audio 4000": "audio 4100", "audio 5000": "audio 5100"}
    other = [(at_s + 20, *ends, replaced(text, ports)) for at_s, *ends, text in TALK[:4]]
    lossy = later(speech(200, source=("10.0.0.1", 4100), destination=("10.0.0.2", 5100), lose=set(range(40, 60))), 20.4)
    refused = [(at_s + 30, *ends, text.replace("cafe@", "dead@")) for at_s, *ends, text in (TALK[0],)]
    refused.append((30.1, B, A, sip("SIP/2.0 503 No", to_tag="b", call_id="dead@10.0.0.1")))
    found = page(tmp_path / "a.pcap", signalling(*TALK, *other, *refused), media(), lossy)
    assert [call.name.partition("@")[0] for call in found.calls] == ["beef", "dead", "cafe"]
    assert found.sentence == "Something stands out in 2 of 3 calls; they come first."
    assert [(one.name, one.value) for one in found.facts][1:4] == [
        ("answered", "2 of 3"),
        ("with RTP one way only", "1"),
        ("that lost more than 1 %", "1"),
    ]
    assert facts(found.calls[1])["answer"] == "503 No"
    assert facts(found.calls[0])["BYE"] == "none is in the capture"


def test_media_one_way_only_stands_out(tmp_path):
    (call,) = page(tmp_path / "a.pcap", signalling(*TALK), media(back=False)).calls
    assert facts(call)["callee → caller"] == "no RTP, and there is some the other way"
    assert call.is_suspect


def test_a_missing_ack_and_a_digit_without_end_stand_out(tmp_path):
    open_ended = later([*speech(100), *dialled("1", ends=0)], 0.4)
    (call,) = page(tmp_path / "a.pcap", signalling(*TALK[:3]), open_ended).calls
    assert facts(call)["ACK"] == "none is in the capture"
    assert "no end of 1" in facts(call).values()


def test_media_through_a_proxy_goes_by_whose_sdp_names_its_end(tmp_path):
    relay_a, relay_b = ("10.0.0.9", 30000), ("10.0.0.9", 30002)
    steps = (
        (0.0, A, PROXY, sip("INVITE sip:b@x SIP/2.0", body=sdp(CALLER))),
        (0.01, PROXY, B, sip("INVITE sip:b@x SIP/2.0", body=sdp(relay_b))),
        (0.2, B, PROXY, sip("SIP/2.0 200 OK", body=sdp(CALLEE), to_tag="b")),
        (0.21, PROXY, A, sip("SIP/2.0 200 OK", body=sdp(relay_a), to_tag="b")),
        (0.3, A, B, sip("ACK sip:b@x SIP/2.0", method="ACK", to_tag="b")),
        (3.0, B, A, sip("INVITE sip:a@x SIP/2.0", cseq=9, from_tag="b", to_tag="a", body=sdp(CALLEE))),
        (3.1, A, B, sip("SIP/2.0 200 OK", cseq=9, from_tag="b", to_tag="a", body=sdp(CALLER))),
    )
    packets = [
        speech(60, source=CALLER, destination=relay_a, ssrc=1),
        speech(60, source=relay_b, destination=CALLEE, ssrc=1),
        speech(60, source=CALLEE, destination=relay_b, ssrc=2),
        speech(60, source=relay_a, destination=CALLER, ssrc=2),
    ]
    found = page(tmp_path / "a.pcap", signalling(*steps), *(later(some, 0.4) for some in packets))
    (call,) = found.calls
    assert [(track.way, track.target) for track in call.tracks] == [
        (Way.TO_CALLEE, "10.0.0.9:30000"),
        (Way.TO_CALLEE, "10.0.0.2:5000"),
        (Way.TO_CALLER, "10.0.0.9:30002"),
        (Way.TO_CALLER, "10.0.0.1:4000"),
    ]
    assert len(call.ladder.lanes) == 3


def test_a_capture_that_begins_in_the_middle_of_a_call_has_its_ways_too(tmp_path):
    steps = [(0.2, B, A, sip("SIP/2.0 200 OK", body=sdp(CALLEE), to_tag="b"))]
    reinvite = (0.1, A, B, sip("INVITE sip:b@x SIP/2.0", cseq=4, to_tag="b", body=sdp(CALLER)))
    (call,) = page(tmp_path / "a.pcap", signalling(reinvite, *steps), media()).calls
    assert {track.way for track in call.tracks} == {Way.TO_CALLEE, Way.TO_CALLER}


def test_media_without_sip_is_shown_by_its_two_ends(tmp_path):
    found = page(tmp_path / "a.pcap", media())
    (call,) = found.calls
    assert (call.name, call.where, len(call.tracks)) == (
        "RTP 10.0.0.1:4000 ↔ 10.0.0.2:5000",
        "no SIP of it is in the capture",
        2,
    )
    assert call.code is None


def test_messages_of_no_call_are_counted(tmp_path):
    steps = [(n, A, B, sip("OPTIONS sip:b@x SIP/2.0", method="OPTIONS", call_id=f"o{n}")) for n in range(3)]
    found = page(tmp_path / "a.pcap", signalling(*steps))
    assert found.notes == ("SIP messages that belong to no call, and are not drawn: 3 OPTIONS.",)
    assert found.sentence == "There is no SIP call and no RTP stream in it."


def test_without_sound_there_is_none(tmp_path):
    (call,) = page(tmp_path / "a.pcap", signalling(*TALK), media(), listen=False).calls
    assert {(track.sound, track.no_sound, track.level) for track in call.tracks} == {(None, None, None)}
    assert call.tracks[0].slots


def test_what_has_no_room_is_said(tmp_path):
    room = Room(sound_bytes=100, messages=2, streams=1)
    recording = read([capture(tmp_path / "a.pcap", signalling(*TALK), media())], room)
    assert room.left_out == {
        "SIP messages": 4,
        "streams whose course and sound are not drawn": 1,
        "streams whose sound is not on the page": 1,
    }
    whys = [one.no_sound or (one.heard and one.heard.no_wav) for one in recording.streams]
    assert [str(why).partition(";")[0] for why in whys] == [
        "no room for more sound on this page",
        "no room for more on this page",
    ]


def test_srtp_and_unknown_codecs_are_said_to_be_silent(tmp_path):
    secret = [(at_s, *ends, text.replace("RTP/AVP", "RTP/SAVP")) for at_s, *ends, text in TALK]
    (call,) = page(tmp_path / "a.pcap", signalling(*secret), media(back=False)).calls
    assert call.tracks[0].no_sound == "SRTP: not decoded"
    assert {fact.name: fact.value for fact in call.tracks[0].facts}["encrypted"] == "SRTP"
    (call,) = page(tmp_path / "b.pcap", speech(20, payload_type=99)).calls
    assert call.tracks[0].no_sound == "not decoded: payload type 99 was never declared"
    assert {fact.name: fact.value for fact in call.tracks[0].facts}["jitter, last and highest"] == "–"


def test_calls_beyond_the_most_are_said(monkeypatch, tmp_path):
    monkeypatch.setattr("controller.page.capture.MAX_CALLS", 1)
    others = [(at_s + 9, *ends, text.replace("cafe@", "beef@")) for at_s, *ends, text in TALK]
    found = page(tmp_path / "a.pcap", signalling(*TALK, *others))
    assert (len(found.calls), found.left_out) == (1, ("1 calls of 2",))
    assert MAX_CALLS > 1


def test_dates_that_no_calendar_has_are_told_as_numbers():
    assert date(START_S) == "2023-11-14 22:13:20.000 UTC"
    assert date(1e18) == "1000000000000000000.000 s since 1970"


def test_of_an_empty_recording_there_is_a_page():
    found = capture_page(Recording(heads=Heads.of([]), streams=(), trace=trace()), ["a"], ["x"])
    assert (found.calls, found.left_out, found.notes) == ((), ("x",), ())


def test_copies_and_restarts_are_figures(tmp_path):
    copied = [*media(back=False), *media(back=False)[:3]]
    (call,) = page(tmp_path / "a.pcap", signalling(*TALK), copied).calls
    assert {fact.name: fact.value for fact in call.tracks[0].facts}["duplicates"] == "3"
