"""What was expected of a capture: an expectation that nothing was measured for does not hold."""

import msgspec
import pytest

from agent.contract.expect import DtmfMethod
from agent.trace.model import Warning  # noqa: A004  # the document's word
from controller.cli.trace.expectations import judge_digits, judge_loss
from tests.unit.agent.trace.packets import START_NS, side, stream, trace
from tests.unit.controller.traces import digit, digits, file

BACK = {"src": "10.0.0.2:5000", "dst": "10.0.0.1:4000"}


def broken(found, expected="12#", unheard=()):
    return list(judge_digits(found, expected, unheard).broken)


def test_digits_hold_where_every_direction_that_carries_any_carries_these():
    assert broken(trace(stream(digits=digits("12#")), stream(**BACK))) == []
    assert broken(trace(stream(digits=digits("12#")), stream(**BACK, digits=digits("12#")))) == []


@pytest.mark.parametrize("carried", ["12", "12##", "21#", "112#", "3"])
def test_other_digits_do_not_hold_and_both_are_told(carried):
    assert broken(trace(stream(digits=digits(carried)))) == [
        f"10.0.0.1:4000 → 10.0.0.2:5000 carried {carried} (RFC 4733)"
    ]


def test_one_right_direction_does_not_make_up_for_a_wrong_one():
    assert broken(trace(stream(digits=digits("12#")), stream(**BACK, digits=digits("1#")))) == [
        "10.0.0.2:5000 → 10.0.0.1:4000 carried 1# (RFC 4733)"
    ]


def test_digits_that_were_swallowed_on_the_way_are_not_made_up_for_by_the_first_leg():
    second = {"src": "10.0.0.2:6000", "dst": "10.0.0.3:7000", "call_id": "b"}
    assert broken(trace(stream(digits=digits("12#"), call_id="a"), stream(**second))) == [
        "10.0.0.2:6000 ↔ 10.0.0.3:7000 (call b) carried none"
    ]
    assert broken(trace(stream(digits=digits("12#"), call_id="a"), stream(**second, digits=digits("12#")))) == []


def test_a_later_call_over_the_same_ports_is_a_conversation_of_its_own():
    assert broken(trace(stream(digits=digits("12#"), call_id="a"), stream(call_id="b"))) == [
        "10.0.0.1:4000 ↔ 10.0.0.2:5000 (call b) carried none"
    ]


def test_a_direction_whose_sdp_was_not_seen_belongs_to_the_other_s_call():
    assert broken(trace(stream(call_id="a"), stream(**BACK, digits=digits("12#")))) == []


def test_video_carries_no_digits():
    video = stream(src="10.0.0.1:4002", dst="10.0.0.2:5002", codec="H264", clock_rate_hz=90_000)
    assert broken(trace(stream(digits=digits("12#")), video)) == []
    assert broken(trace(video)) == ["no digits"]


@pytest.mark.parametrize("found", [trace(), trace(stream()), trace(stream(digits=[digit("flash")]))])
def test_nothing_to_judge_does_not_hold(found):
    assert broken(found) == ["no digits"]


def test_a_digit_without_an_end_does_not_hold():
    found = trace(stream(digits=[*digits("12"), digit("#", start=2e9, complete=False)]))
    assert broken(found) == [
        "10.0.0.1:4000 → 10.0.0.2:5000 carried 12# (RFC 4733), but the end of digit 3 was not seen"
    ]


def test_a_new_ssrc_goes_on_where_the_old_one_ended():
    later = [digit("2", start=2e9), digit("#", start=2e9 + 1)]
    assert broken(trace(stream(digits=later), stream(ssrc="0x2", digits=digits("1")))) == []


def test_each_call_and_each_method_is_judged_by_itself():
    assert broken(trace(stream(call_id="a", digits=digits("12#")), stream(call_id="b", digits=digits("12#")))) == []
    both = stream(digits=[*digits("12#"), *digits("12#", method=DtmfMethod.INFO)])
    assert broken(trace(both)) == []
    leaked = stream(digits=[*digits("12#"), *digits("2", method=DtmfMethod.IN_BAND)])
    assert broken(trace(leaked)) == ["10.0.0.1:4000 → 10.0.0.2:5000 carried 2 (in band)"]


def test_digits_of_no_stream_are_judged_too():
    orphaned = msgspec.structs.replace(trace(stream(digits=digits("12#"))), digits=digits("12", method=DtmfMethod.INFO))
    assert broken(orphaned) == ["a call whose media was not captured carried 12 (SIP INFO)"]


def test_events_that_are_no_keys_are_no_part_of_it():
    assert broken(trace(stream(digits=[*digits("12#"), digit("flash"), digit("event 66")]))) == []


def test_srtp_does_not_hold_whatever_the_others_carried():
    found = trace(stream(digits=digits("12#")), stream(**BACK, encrypted=True))
    assert broken(found) == ["10.0.0.2:5000 → 10.0.0.1:4000 is encrypted: its digits cannot be read"]


def test_audio_that_could_not_be_heard_does_not_hold():
    found = trace(stream(digits=digits("12#")), stream(**BACK))
    assert broken(found, unheard={1}) == [
        "10.0.0.2:5000 → 10.0.0.1:4000 was not decoded wholly: not all its in-band digits could be heard"
    ]


@pytest.mark.parametrize(
    ("skipped", "holds"),
    [
        ({"damaged record": 1}, False),
        ({"damaged block": 2}, False),
        ({"link type 220": 4}, False),
        ({"something that nobody knows yet": 1}, False),
        ({"record cut at the end of the file": 1}, True),
        ({"block cut at the end of the file": 1}, True),
        ({"damaged UDP header": 1, "damaged IP packet": 3}, True),
        ({"EtherType 0x88f7 (PTP)": 9, "EtherType 0x1234": 1, "IP protocol 132 (SCTP)": 1}, True),
        ({"looks like RTP, but for a header or padding longer than the packet": 7}, True),
        ({"IP protocol 50 (ESP)": 1}, False),
        ({"EtherType 0x88e5 (MACsec)": 1}, False),
        ({"UDP port 1701 (L2TP 3)": 1}, False),
        ({"PPP protocol 0x00fd (compressed or encrypted)": 1}, False),
        ({"MPLS payload": 1}, False),
        ({"more headers in a packet than are followed": 1}, False),
        ({"packet damaged or cut within its headers": 1}, False),
        ({"SIP message cut by the snap length": 1}, False),
    ],
)
def test_a_file_that_was_not_read_wholly_may_hold_other_digits(skipped, holds):
    found = msgspec.structs.replace(trace(stream(digits=digits("12#"))), files=[file(skipped=skipped)])
    assert (broken(found) == []) is holds
    if not holds:
        assert broken(found) == [
            f"call.pcap could not be read wholly ({next(iter(skipped))}): it may hold other digits"
        ]


@pytest.mark.parametrize(
    ("code", "holds"),
    [
        ("EventsCut", False),
        ("TooManyEvents", False),
        ("RedundantAudio", False),
        ("TooManyFlows", False),
        ("FragmentsMissing", False),
        ("SipOverTcpIncomplete", False),
        ("TooManyCalls", False),
        ("CallsCut", False),
        ("TooManyAtAnAddress", False),
        ("TooManyHandshakes", False),
        ("SsrcChanged", True),
    ],
)
def test_warnings_of_hidden_digits_are_heeded(code, holds):
    warnings = [Warning(code=code, message="7 packets of something")]
    found = msgspec.structs.replace(trace(stream(digits=digits("12#"))), warnings=warnings)
    assert broken(found) == ([] if holds else ["7 packets of something: other digits may be missing"])


@pytest.mark.parametrize(("lost", "holds"), [(0, True), (10, True), (11, False), (1000, False)])
def test_loss_holds_up_to_the_limit(lost, holds):
    outcome = judge_loss(trace(stream(), stream(lost=lost, expected=1000)), 1.0)
    assert (outcome.broken == ()) is holds
    assert outcome.expected == "at most 1 % of the packets lost"


def test_loss_names_the_stream_and_what_it_lost():
    assert judge_loss(trace(stream(lost=11, expected=1000)), 1.0).broken == (
        "10.0.0.1:4000 → 10.0.0.2:5000 0x00000001 lost 1.1 % (11 of 1000)",
    )


def test_a_message_that_was_cut_hides_no_loss():
    found = msgspec.structs.replace(trace(stream()), files=[file(skipped={"SIP message cut by the snap length": 1})])
    assert judge_loss(found, 1.0).broken == ()


def test_loss_of_no_stream_does_not_hold():
    assert judge_loss(trace(), 100.0).broken == ("no RTP stream",)


@pytest.mark.parametrize(
    ("code", "holds"),
    [
        ("TooManyFlows", False),
        ("TooManyAddresses", False),
        ("FragmentsMissing", False),
        ("TooManyChannels", False),
        ("EventsCut", True),
    ],
)
def test_loss_does_not_hold_where_packets_are_hidden(code, holds):
    warnings = [Warning(code=code, message="7 packets of something")]
    found = msgspec.structs.replace(trace(stream()), warnings=warnings)
    assert judge_loss(found, 1.0).broken == (() if holds else ("7 packets of something: other packets may be missing",))


def test_loss_does_not_hold_where_a_file_is_damaged():
    found = msgspec.structs.replace(trace(stream()), files=[file(skipped={"damaged record": 1})])
    assert judge_loss(found, 1.0).broken == (
        "call.pcap could not be read wholly (damaged record): it may hold other packets",
    )


# A side of a call


MOVED = {"src": "10.0.0.1:4100", "start": START_NS / 1e9 + 5}


def test_what_a_side_dialled_goes_on_over_ports_and_ssrcs():
    first, second = stream(call_id="a", digits=digits("1")), stream(
        call_id="a", ssrc="0x2", digits=[digit("2", start=2e9), digit("#", start=2e9 + 1)], **MOVED
    )  # fmt: skip
    assert broken(trace(first, second, stream(**BACK, call_id="a"))) == []
    assert broken(trace(first, second), "12") == [
        "10.0.0.1:4000 → 10.0.0.2:5000, then 10.0.0.1:4100 → 10.0.0.2:5000 carried 12# (RFC 4733)"
    ]


def test_stretches_that_a_call_left_before_it_was_dialled_are_no_conversations():
    before = stream(dst="10.0.0.9:1", call_id="a")
    assert broken(trace(before, stream(call_id="a", digits=digits("12#"), start=START_NS / 1e9 + 1))) == []


def test_a_stream_of_two_calls_is_what_each_of_them_carried():
    joined = stream(calls=[side("a"), side("b")], digits=digits("12#"))
    left = stream(src="10.0.0.9:1", calls=[side("b")])
    assert broken(trace(left, joined)) == []
    assert broken(trace(left, joined), "12") == [
        "10.0.0.1:4000 → 10.0.0.2:5000 (call b) carried 12# (RFC 4733)",
        "10.0.0.1:4000 → 10.0.0.2:5000 (call a) carried 12# (RFC 4733)",
    ]


def test_legs_of_one_call_id_are_conversations_of_their_own():
    other = {"src": "10.0.0.9:1", "dst": "10.0.0.3:2", "calls": [side("a", leg=2)]}
    assert broken(trace(stream(call_id="a", digits=digits("12#")), stream(**other))) == [
        "10.0.0.9:1 ↔ 10.0.0.3:2 (call a) carried none"
    ]
    by_info = digits("12#", method=DtmfMethod.INFO, call_id="a")
    assert broken(trace(stream(call_id="a", digits=by_info), stream(**other))) == []


def test_an_info_is_its_own_call_s_also_on_a_stream_of_two():
    mine, theirs = (digits("12#", method=DtmfMethod.INFO, call_id=call_id) for call_id in "ab")
    assert broken(trace(stream(calls=[side("a"), side("b")], digits=[*mine, *theirs]))) == []


def test_a_source_that_plays_again_begins_another_conversation_without_any_call():
    def later(number, **changes):
        return stream(start=START_NS / 1e9 + 100 * number, end=START_NS / 1e9 + 100 * number + 60, **changes)

    played = [later(n, digits=digits("12#")) for n in range(3)]
    back = [later(n + 0.001, **BACK) for n in range(3)]
    assert broken(trace(*played, *back)) == []
    assert broken(trace(*played, later(3))) == ["10.0.0.1:4000 ↔ 10.0.0.2:5000 carried none"]


def test_what_may_be_encrypted_does_not_hold():
    assert broken(trace(stream(digits=digits("12#")), stream(**BACK, encrypted=None))) == [
        "10.0.0.2:5000 → 10.0.0.1:4000 may be encrypted: its digits cannot be read"
    ]


def test_loss_is_that_of_a_side_over_all_its_streams_of_a_medium():
    some = stream(call_id="a", expected=900), stream(call_id="a", ssrc="0x2", lost=10, expected=100)
    assert judge_loss(trace(*some), 1.0).broken == ()
    assert judge_loss(trace(*some), 0.9).broken == (
        "10.0.0.1:4000 → 10.0.0.2:5000 0x00000001, then 10.0.0.1:4000 → 10.0.0.2:5000 0x2 lost 1 % (10 of 1000)",
    )
    video = stream(src="10.0.0.1:4002", calls=[side("a", medium=2)], expected=9000, lost=900)
    assert len(judge_loss(trace(*some, video), 1.0).broken) == 1


def test_loss_of_a_stream_that_two_calls_have_is_told_once():
    assert len(judge_loss(trace(stream(calls=[side("a"), side("b")], lost=900, expected=1000)), 1.0).broken) == 1


def test_media_of_no_call_beside_one_of_the_same_addresses_is_its_only_while_that_goes_on():
    known, later = stream(call_id="a", digits=digits("12#")), stream(start=START_NS / 1e9 + 600, end=2e9)
    assert broken(trace(known, stream(**BACK))) == []
    assert broken(trace(known, later)) == ["10.0.0.1:4000 ↔ 10.0.0.2:5000 carried none"]
