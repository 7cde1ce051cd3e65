"""rtpGap: continuity, for who asks for it."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.expect import ExpectLeg, ExpectRtp
from agent.contract.media import Section, Source
from agent.contract.verdict import Check, Reason
from agent.judge.leg import judge_leg
from tests.unit.agent.judge.judging import CALLER, both, caller_alone, said
from tests.unit.builders import SECTION, SOURCE, caller_leg, change, plan

ASKED = {"group__expect__caller__rtp__max_gap_milliseconds": 500}
FAILED = [(Check.RTP_GAP, Reason.MEDIA_GAP)]
HELD = tuple(
    change(SECTION, begin_ms=begin_ms, receives=receives)
    for begin_ms, receives in ((0.0, True), (3000.0, False), (5500.0, True))
)
"""On hold from 3 to 5.5 s."""


def part(first_ms, last_ms, *, section=0, ssrc=77, max_gap_ms=22.0):
    packets = 180
    return change(SOURCE, first_ms=first_ms, last_ms=last_ms, section=section, ssrc=ssrc, max_gap_ms=max_gap_ms,
                  packets=packets, media_ms=3600.0, event_ms=0.0)  # fmt: skip


@pytest.mark.covers("calls[].expect.<leg>.rtp.maxGapMilliseconds")
def test_a_gap_fails_only_where_continuity_is_asked_for():
    assert caller_alone(received__max_gap_ms=501.0) == []
    assert caller_alone(ASKED, received__max_gap_ms=500.0) == []
    [finding] = judge_leg(plan(**ASKED), caller_leg(received__max_gap_ms=501.0))
    assert (finding.check, finding.reason) == (Check.RTP_GAP, Reason.MEDIA_GAP)
    assert (finding.expected, finding.observed) == ("at most 500 ms", "501 ms without a packet")


@pytest.mark.parametrize(
    ("first_ms", "last_ms", "found"), [(20.0, 7500.0, []), (20.0, 7490.0, FAILED), (4000.0, 7990.0, [])]
)
def test_it_goes_from_the_first_packet_to_the_end_of_the_call(first_ms, last_ms, found):
    assert caller_alone(ASKED, received__first_ms=first_ms, received__last_ms=last_ms) == found


def test_a_hold_is_no_gap_and_what_follows_it_may_be():
    good = (part(20.0, 2990.0), part(5900.0, 7990.0, section=2))
    assert caller_alone(ASKED, sections=HELD, received=good) == []
    late = (part(20.0, 2990.0), part(6010.0, 7990.0, section=2))
    assert caller_alone(ASKED, sections=HELD, received=late) == FAILED
    never = (change(part(20.0, 2990.0), packets=1800),)
    assert caller_alone(ASKED, sections=HELD, received=never) == FAILED


def test_time_between_two_sources_counts_also_across_sections():
    for section in (0, 1):
        sections = (SECTION, change(SECTION, begin_ms=4000.0))
        near = (part(20.0, 3990.0), part(4400.0, 7990.0, ssrc=8, section=section))
        assert caller_alone(ASKED, sections=sections, received=near) == []
        far = (part(20.0, 3890.0), part(4400.0, 7990.0, ssrc=8, section=section))
        assert caller_alone(ASKED, sections=sections, received=far) == FAILED


def test_a_gap_of_one_source_that_another_may_have_filled_is_not_known():
    overlapping = (part(20.0, 6000.0, max_gap_ms=900.0), part(5000.0, 7990.0, ssrc=8))
    assert caller_alone(ASKED, received=overlapping) == [(Check.RTP_GAP, Reason.NOT_MEASURED)]
    longer = (part(20.0, 6000.0, max_gap_ms=1501.0), part(5000.0, 7990.0, ssrc=8))
    assert caller_alone(ASKED, received=longer) == FAILED


def test_one_packet_alone_ends_a_gap():
    lone = (part(20.0, 7000.0), change(part(7400.0, 7400.0, ssrc=8, max_gap_ms=None), packets=180))
    assert caller_alone(ASKED, received=lone) == FAILED, "600 ms from it to the end"
    lone = (part(20.0, 7100.0), change(part(7550.0, 7550.0, ssrc=8, max_gap_ms=None), packets=180))
    assert caller_alone(ASKED, received=lone) == []


def test_without_packets_another_check_says_so_and_uncounted_ones_tell_nothing():
    assert caller_alone(ASKED, received=()) == [(Check.RTP_PACKETS, Reason.NO_RTP)]
    assert (Check.RTP_GAP, Reason.NOT_MEASURED) in caller_alone(ASKED, received=None)


def test_a_gap_opposite_a_late_agent_may_be_its_doing():
    late = both(caller={"received__max_gap_ms": 800.0}, callee={"health__media__lateness_ms": 300.0}, **ASKED)
    assert said(late.findings, CALLER) == [(Check.RTP_GAP, Reason.PEER_LOST)]


# Against every single arrival


def as_row(arrivals: list[float], *, section: int, ssrc: int) -> Source:
    gaps = [after - before for before, after in pairwise(arrivals)]
    longest_ms = max(gaps, default=None)
    return part(arrivals[0], arrivals[-1], section=section, ssrc=ssrc, max_gap_ms=longest_ms)


def longest_ms(sections: list[Section], arrivals: list[float]) -> float:
    """From the first arrival on, within each stretch of sections that let the peer send."""
    begins = [section.begin_ms or 0.0 for section in sections]
    stretches: list[list[float]] = []
    for section, begin, end in zip(sections, begins, [*begins[1:], 8000.0], strict=True):
        if not section.receives:
            continue
        if stretches and stretches[-1][1] == begin:
            stretches[-1][1] = end
        else:
            stretches.append([begin, end])
    longest = 0.0
    for begin, end in stretches:
        begin = max(begin, min(arrivals))  # noqa: PLW2901
        inside = [begin, *sorted(at for at in arrivals if begin <= at <= end), end]
        longest = max(longest, *(after - before for before, after in pairwise(inside) if begin < end), 0.0)
    return longest


@st.composite
def legs(draw: st.DrawFn) -> tuple[list[Section], list[Source], list[float]]:
    """Two sources in three sections of which the second may be a hold."""
    cuts = sorted(draw(st.lists(st.integers(1, 79), min_size=2, max_size=2, unique=True)))
    begins = [0.0, *(100.0 * cut for cut in cuts)]
    sections = [
        change(SECTION, begin_ms=begin, receives=index != 1 or draw(st.booleans()))
        for index, begin in enumerate(begins)
    ]
    rows, every = [], []
    for index, (begin, end) in enumerate(zip(begins, [*begins[1:], 8000.0], strict=True)):
        for ssrc in (1, 2):
            moments = st.integers(int(begin) + 1, int(end) - 1).map(float)
            arrivals = sorted(draw(st.lists(moments, max_size=6, unique=True)))
            if arrivals:
                rows.append(as_row(arrivals, section=index, ssrc=ssrc))
                every += arrivals
    return sections, rows, every


@given(legs())
def test_a_gap_is_found_exactly_where_there_is_one_or_left_open(leg: tuple[list[Section], list[Source], list[float]]):
    sections, rows, arrivals = leg
    asked: dict[str, Any] = {"group__expect__caller": ExpectLeg(rtp=ExpectRtp(max_gap_milliseconds=500))}
    found = caller_alone(asked, sections=tuple(sections), received=tuple(rows))
    if not arrivals:
        assert found == [(Check.RTP_PACKETS, Reason.NO_RTP)]
        return
    is_one = longest_ms(sections, arrivals) > 500
    assert found in ([], [(Check.RTP_GAP, Reason.NOT_MEASURED)], FAILED)
    assert not (found == [] and is_one)
    assert not (found == FAILED and not is_one)
