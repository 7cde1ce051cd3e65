"""What the tap's rows come to, by the sections that they crossed in: those of early media, and since the answer."""

from agent.observe.media import media
from agent.tap.model import Fate
from tests.unit.agent.observe.test_encryption import SAVP, sdes
from tests.unit.agent.observe.test_sources import ANSWERED_S, agreed, row

EARLY_S = ANSWERED_S - 1.0


def seen(rows, sections, guards=()):
    return media(rows, sections, outgoing=True, answered_s=ANSWERED_S, guards=guards)


def test_early_packets_are_told_of_srtp_in_the_section_that_they_crossed_in():
    sections = [agreed(begin_s=EARLY_S, epoch=1, **SAVP), agreed(**SAVP)]
    early = row(mark=0, epoch=1, first_s=EARLY_S + 0.1, last_s=EARLY_S + 0.2, fates={Fate.PASSED: 5})
    foreign = row("10.9.9.9:1", mark=0, epoch=1, first_s=EARLY_S, last_s=EARLY_S, fates={Fate.PASSED: 3})
    told = seen([early, foreign, row(mark=1, fates={Fate.PASSED: 90})], sections, [sdes(1, EARLY_S), sdes(2)])
    assert [(one.section, one.received.passed) for one in told.srtp] == [(0, 5), (1, 90)]


def test_how_late_our_media_began_counts_from_the_answer_and_no_section_before_it():
    sections = [agreed(begin_s=EARLY_S, epoch=1), agreed()]
    ours = row(sent=True, mark=1, first_s=ANSWERED_S + 0.3, max_late_ms=None)
    assert seen([ours], sections).lateness_ms == 300.0
    assert seen([ours], sections[:1]).lateness_ms is None, "there is no answer to begin after"
