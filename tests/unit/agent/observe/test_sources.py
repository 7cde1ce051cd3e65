"""Whose media a packet is: an SDP address in force, its host, or the one other source that proves itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.media import MAX_GAPS, MAX_SECTIONS, MAX_SOURCES, Gap, GapKind, Origin
from agent.observe.sections import Agreed
from agent.observe.sources import BEFORE, as_sources, gaps, place, since_answer, unproven
from agent.tap import model
from tests.unit.builders import SECTION, change
from tests.unit.taps import tap_stream

PEER, OTHER, NEW = "10.0.0.2:6000", "10.9.9.9:7", "10.0.0.3:8000"
ANSWERED_S = 11.0


def agreed(remote=PEER, *, epoch=2, begin_s=ANSWERED_S, **changes):
    begin_ms = 1000 * (begin_s - ANSWERED_S)
    types = {0: "PCMU/8000", 101: "telephone-event/8000"}
    return Agreed(
        section=change(SECTION, remote=remote, begin_ms=begin_ms, types=types, **changes), epoch=epoch, begin_s=begin_s
    )


def row(remote=PEER, *, epoch=2, first_s=11.1, last_s=15.0, **changes):
    return tap_stream(remote=remote, epoch=epoch, first_s=first_s, last_s=last_s, **changes)


def origins(rows, sections=None, proven=()):
    sections = [agreed()] if sections is None else sections
    return [(one.section, one.origin) for one in place(rows, sections, proven)]


def test_an_address_of_the_sdp_its_host_and_a_stranger():
    assert origins([row(), row("10.0.0.2:6002"), row(OTHER)]) == [
        (0, Origin.SIGNALLED), (0, Origin.SAME_HOST), (0, Origin.STRANGER),
    ]  # fmt: skip
    assert origins([row("[2001:db8::1]:6")], [agreed("[2001:db8::1]:8")]) == [(0, Origin.SAME_HOST)]
    assert origins([row("10.0.0.21:6000")]) == [(0, Origin.STRANGER)], "a host is whole"


def test_early_media_is_not_judged():
    early, late = row(mark=0), row(mark=1)
    assert since_answer([early, late], outgoing=True) == (late,)
    assert since_answer([early, late], outgoing=False) == (early, late)


def test_rows_stand_in_the_section_of_their_epoch():
    sections = [agreed(), agreed(NEW, epoch=4, begin_s=20.0)]
    rows = [row(epoch=1), row(epoch=2), row(epoch=3), row(NEW, epoch=4, first_s=20.1), row(NEW, epoch=9, first_s=30.0)]
    assert [index for index, _ in origins(rows, sections)] == [BEFORE, 0, 0, 1, 1]
    assert origins(rows[:1], sections) == [(BEFORE, Origin.SIGNALLED)], "the first packets may overtake the answer"
    assert origins([row(epoch=1, first_s=5.0)], sections) == [(BEFORE, Origin.STRANGER)]
    assert origins([row()], []) == [(BEFORE, Origin.STRANGER)]


@pytest.mark.parametrize(("last_s", "origin"), [(20.5, Origin.SIGNALLED), (20.6, Origin.STRANGER)])
def test_what_was_under_way_may_come_from_where_it_came(last_s, origin):
    sections = [agreed(), agreed(NEW, epoch=4, begin_s=20.0)]
    assert origins([row(epoch=4, first_s=20.0, last_s=last_s)], sections) == [(1, origin)]


@pytest.mark.parametrize(("first_s", "origin"), [(19.5, Origin.SIGNALLED), (19.4, Origin.STRANGER)])
def test_media_may_overtake_the_answer_that_names_its_place(first_s, origin):
    sections = [agreed(), agreed(NEW, epoch=4, begin_s=20.0)]
    assert origins([row(NEW, epoch=3, first_s=first_s, last_s=20.0)], sections) == [(0, origin)]


def test_all_answers_to_one_invite_hold():
    sections = [agreed(PEER, begin_s=9.0), agreed(OTHER, epoch=3, begin_s=10.0), agreed(NEW, epoch=4)]
    assert {origin for _, origin in origins([row(each, epoch=4) for each in (PEER, OTHER, NEW)], sections)} == {
        Origin.SIGNALLED
    }
    later = [*sections, agreed("10.0.0.5:2", epoch=6, begin_s=20.0)]
    late = [row(each, epoch=6, first_s=25.0, last_s=30.0) for each in (PEER, NEW)]
    assert {origin for _, origin in origins(late, later)} == {Origin.STRANGER}


def test_hold_by_an_address_of_nowhere_leaves_the_last_one_in_force():
    sections = [agreed(), agreed(None, epoch=4, begin_s=20.0)]
    assert origins([row(epoch=4, first_s=25.0, last_s=30.0)], sections) == [(1, Origin.SIGNALLED)]
    assert origins([row()], [agreed(None)]) == [(0, Origin.STRANGER)]


def test_the_only_other_source_is_believed_where_its_sound_is_the_calls():
    assert origins([row(OTHER)], proven={OTHER}) == [(0, Origin.PROVEN)]
    assert origins([row(OTHER, ssrc=1), row(OTHER, ssrc=2)], proven={OTHER}) == [(0, Origin.PROVEN)] * 2
    assert unproven([row(OTHER)], [agreed()]) == {OTHER}
    assert origins([row(OTHER)], proven={NEW}) == [(0, Origin.STRANGER)]


@pytest.mark.parametrize(
    "beside",
    [row(), row("10.0.0.2:9"), row(NEW), row(NEW, payload_types={0: 1, 13: 1})],
    ids=["signalled", "same host", "another stranger", "another with comfort noise"],
)
def test_nothing_proves_a_stranger_beside_others(beside):
    rows = [row(OTHER), beside]
    assert (0, Origin.PROVEN) not in origins(rows, proven={OTHER, NEW})
    assert unproven(rows, [agreed()]) == frozenset()


@pytest.mark.parametrize(
    "beside",
    [
        row(packets=3, empty=3),
        row(NEW, payload_types={77: 5}),
        row(OTHER, sent=True),
        row("10.0.0.1:1", sent=True),
    ],
    ids=["keep-alives", "types that nobody agreed on", "what we sent there", "what we sent elsewhere"],
)
def test_what_is_no_media_of_the_section_disproves_nobody(beside):
    assert origins([row(OTHER), beside], proven={OTHER, NEW})[0] == (0, Origin.PROVEN)


def test_the_rest_of_the_section_before_disproves_nobody():
    sections = [agreed(), agreed(NEW, epoch=4, begin_s=20.0)]
    rows = [row(epoch=4, first_s=20.0, last_s=20.2), row(OTHER, epoch=4, first_s=20.1, last_s=29.0)]
    assert origins(rows, sections, {OTHER}) == [(1, Origin.SIGNALLED), (1, Origin.PROVEN)]


def test_types_that_nobody_agreed_on_prove_nothing():
    assert unproven([row(OTHER, payload_types={0: 90, 77: 1})], [agreed()]) == frozenset()


def test_what_we_sent_to_a_proven_place_went_to_the_right_one():
    rows = [row(OTHER), row(OTHER, sent=True), row(sent=True), row(NEW, sent=True)]
    assert [origin for _, origin in origins(rows, proven={OTHER})] == [
        Origin.PROVEN, Origin.PROVEN, Origin.SIGNALLED, Origin.STRANGER,
    ]  # fmt: skip


# counts


def test_the_rows_of_a_source_in_a_section_are_one():
    rows = [
        row(first_s=11.0, last_s=12.0, media_ms=1000.0, lost=2, lost_ms=40.0, max_gap_ms=25.0, mean_jitter_ms=1.0,
            jitter_samples=30, payload_types={0: 90}, epoch=2),
        row(first_s=12.2, last_s=15.0, media_ms=None, lost=-1, lost_ms=-20.0, max_gap_ms=None, mean_jitter_ms=3.0,
            jitter_samples=10, payload_types={0: 80, 101: 10}, epoch=3, restarts=1, event_ms=100.0, pause_ms=5.0),
    ]  # fmt: skip
    (source,) = as_sources(place(rows[::-1], [agreed()], ()), ANSWERED_S, sent=False).sources
    assert (source.packets, source.lost, source.restarts) == (180, 1, 1)
    assert (source.media_ms, source.lost_ms, source.pause_ms, source.event_ms) == (1000.0, 20.0, 5.0, 100.0)
    assert (source.first_ms, source.last_ms, source.max_gap_ms) == (0.0, 4000.0, 200.0)
    assert (source.jitter_ms, source.jitter_samples) == (1.5, 40)
    assert source.payload_types == {0: 170, 101: 10}
    assert (source.section, source.remote, source.origin) == (0, PEER, Origin.SIGNALLED)


def test_what_was_not_measured_is_null():
    still = row(mean_jitter_ms=None, max_jitter_ms=None, jitter_samples=0, max_gap_ms=None, event_ms=0.0)
    (source,) = as_sources(place([still], [agreed()], ()), None, sent=False).sources
    assert (source.media_ms, source.jitter_ms, source.max_jitter_ms, source.max_gap_ms) == (None,) * 4
    assert (source.first_ms, source.last_ms) == (None, None)


def test_accepted_sources_have_their_room_before_strangers():
    strangers = [row(f"10.8.0.{n}:7", packets=1000) for n in range(MAX_SOURCES + 8)]
    found = as_sources(place([*strangers, row(packets=1)], [agreed()], ()), ANSWERED_S, sent=False)
    assert len(found.sources) == MAX_SOURCES
    assert found.sources[0].origin is Origin.SIGNALLED
    assert found.left_out == 9000


def test_sections_beyond_the_bound_are_left_out_and_said():
    sections = [agreed(epoch=n, begin_s=11.0 + n) for n in range(MAX_SECTIONS + 2)]
    rows = [row(epoch=n, packets=5) for n in range(MAX_SECTIONS + 2)]
    found = as_sources(place(rows, sections, ()), ANSWERED_S, sent=False)
    assert [source.section for source in found.sources] == list(range(MAX_SECTIONS))
    assert found.left_out == 10


@given(
    st.lists(
        st.builds(
            row,
            st.sampled_from([PEER, OTHER, NEW, "10.0.0.2:9"]),
            epoch=st.integers(0, 5),
            packets=st.integers(1, 100),
            sent=st.booleans(),
            ssrc=st.integers(1, 3),
        ),
        max_size=12,
    )
)
def test_no_packet_is_counted_twice_or_lost(rows):
    sections = [agreed(), agreed(NEW, epoch=4, begin_s=20.0)]
    placed = place(rows, sections, {OTHER})
    for sent in (True, False):
        found = as_sources(placed, ANSWERED_S, sent=sent)
        told = sum(source.packets for source in found.sources) + found.left_out
        assert told == sum(one.packets for one in rows if one.sent is sent)


# gaps


def gap(at_s, kind=model.GapKind.LOST):
    return model.TapGap(at_s=at_s, missing_ms=40.04, kind=kind, packets=2)


def test_gaps_of_accepted_sources_are_told_in_order():
    rows = [
        row(gaps=(gap(14.0), gap(15.0)), gap_count=5),
        row(ssrc=2, gaps=(gap(13.0, model.GapKind.PAUSE), gap(16.0, model.GapKind.RESTART)), gap_count=2),
        row(OTHER, gaps=(gap(12.0),), gap_count=1),
        row(sent=True, gaps=(gap(12.0),), gap_count=1),
    ]
    found, more = gaps(place(rows, [agreed()], ()), ANSWERED_S)
    assert found[0] == Gap(at_ms=2000.0, missing_ms=40.0, kind=GapKind.PAUSE, packets=2)
    assert [one.at_ms for one in found] == [2000.0, 3000.0, 4000.0, 5000.0]
    assert [one.kind for one in found][1:] == [GapKind.LOST, GapKind.LOST, GapKind.RESTART]
    assert more == 3


def test_gaps_are_bounded():
    rows = [row(ssrc=n, gaps=(gap(12.0),) * 40, gap_count=40) for n in range(2)]
    found, more = gaps(place(rows, [agreed()], ()), ANSWERED_S)
    assert (len(found), more) == (MAX_GAPS, 80 - MAX_GAPS)
