"""Tracks of what agents measured, where there is no capture."""

import pytest

from agent.contract.media import Gap, GapKind, Heard, Stretch
from agent.contract.observation import LegObservation
from agent.contract.plan import identity_code
from controller.page.model import Hop, SpanKind, Way
from controller.page.tracks import answer_s, observed_tracks
from tests.unit.builders import SECTION, caller_leg, change


def tracks(**changes):
    leg = caller_leg(**changes)
    return {track.name: track for track in observed_tracks(leg, leg.started_at)}


def test_both_directions_of_a_leg_with_the_figures_of_the_verdict():
    sent, received = tracks()["sent by the caller"], tracks()["received by the caller"]
    assert (sent.way, sent.hop, sent.sent) == (Way.TO_CALLEE, Hop.CALLER, True)
    assert (received.way, received.hop, received.sent) == (Way.TO_CALLER, Hop.CALLER, False)
    assert (received.packets, received.lost, received.codec, received.digits) == (400, 0, "PCMU", "1234#")
    assert (received.begin_s, received.end_s) == pytest.approx((0.07, 8.04))
    facts = {fact.name: fact.value for fact in received.facts}
    assert facts["judged: jitter, mean"] == "0.5 ms"
    assert facts["judged: media time"] == "7500 ms"


def test_what_was_heard_is_told_apart():
    own = identity_code(caller_leg().call_key)
    stretches = [(0, 1000, own), (1000, 2000, own ^ 1), (2000, 3000, None)]
    heard = Heard(
        duration_ms=8000,
        level_dbfs=-18,
        active_ms=3000,
        codes={},
        stretches=tuple(Stretch(begin_ms=a, end_ms=b, code=code) for a, b, code in stretches),
    )
    spans = [one for one in tracks(heard=heard)["received by the caller"].spans if one.kind is not SpanKind.SECTION]
    assert [(one.kind, one.label) for one in spans] == [
        (SpanKind.OWN, "this call's signal"),
        (SpanKind.OTHER, f"the signal of another call (code {own ^ 1})"),
        (SpanKind.OTHER, "other sound"),
    ]
    assert spans[0].begin_s == pytest.approx(0.05)


def test_a_leg_without_a_key_knows_no_signal_of_its_own():
    heard = Heard(
        duration_ms=1, level_dbfs=0, active_ms=1, codes={}, stretches=(Stretch(begin_ms=0, end_ms=1, code=7),)
    )
    found = tracks(heard=heard, call_key=None)["received by the caller"].spans
    assert SpanKind.OWN not in {one.kind for one in found}


def test_gaps_end_where_media_goes_on_and_a_restart_is_none():
    gaps = (
        Gap(at_ms=3000, missing_ms=1000, kind=GapKind.LOST),
        Gap(at_ms=None, missing_ms=1, kind=GapKind.LOST),
        Gap(at_ms=4000, missing_ms=1, kind=GapKind.RESTART),
    )
    (gap,) = [one for one in tracks(gaps=gaps)["received by the caller"].spans if one.kind is SpanKind.GAP]
    assert (gap.begin_s, gap.end_s) == pytest.approx((2.05, 3.05))
    assert gap.label == "1000 ms of media are missing (lost)"


def test_a_pause_is_silence_and_no_gap():
    pause = Gap(at_ms=3000, missing_ms=40, kind=GapKind.PAUSE)
    kinds = {one.kind for one in tracks(gaps=(pause,))["received by the caller"].spans}
    assert SpanKind.SILENCE in kinds
    assert SpanKind.GAP not in kinds


def test_sections_follow_each_other_and_say_what_is_on_hold():
    held = change(SECTION, begin_ms=4000.0, receives=False, codec=None)
    never = change(SECTION, begin_ms=None)
    spans = tracks(sections=(SECTION, held, never))["received by the caller"].spans
    sections = [one for one in spans if one.kind is SpanKind.SECTION]
    assert [one.label for one in sections] == ["PCMU RTP/AVP", "no codec RTP/AVP (on hold)"]
    assert sections[0].end_s == sections[1].begin_s == pytest.approx(4.05)


def test_a_direction_that_was_not_counted_has_no_track():
    assert tracks(sections=()) == {}
    assert set(tracks(sent=None)) == {"received by the caller"}


def test_digits_without_a_time_have_no_place():
    leg = caller_leg()
    timeless = tuple(change(digit, at_ms=None) for digit in leg.dtmf_received)
    assert tracks(dtmf_received=timeless)["received by the caller"].digits == ""


def test_the_answer_of_a_call_without_one_is_its_begin():
    leg: LegObservation = change(caller_leg(), progress__answered_ms=None)
    assert answer_s(leg, leg.started_at - 1) == 1.0
    (empty, *_) = observed_tracks(change(leg, sent=()), leg.started_at)
    assert (empty.packets, empty.lost, empty.lost_percent) == (0, None, None)
