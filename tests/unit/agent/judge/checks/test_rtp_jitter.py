"""rtpJitter: RFC 3550 A.8, mean over all accepted sources."""

import pytest

from agent.contract.media import Origin
from agent.contract.verdict import Check, Reason
from agent.judge.leg import judge_leg
from tests.unit.agent.judge.judging import caller_alone
from tests.unit.builders import SOURCE, caller_leg, change, plan


@pytest.mark.covers("calls[].expect.<leg>.rtp.maxJitterMilliseconds")
def test_jitter_above_its_bound_fails():
    [finding] = judge_leg(plan(), caller_leg(received__jitter_ms=30.5))

    assert (finding.check, finding.reason) == (Check.RTP_JITTER, Reason.JITTER)
    assert (finding.expected, finding.observed) == ("at most 30 ms", "30.5 ms")


@pytest.mark.parametrize("jitter_ms", [None, float("nan"), float("inf")])
def test_jitter_that_is_no_figure_was_not_measured(jitter_ms):
    assert caller_alone(received__jitter_ms=jitter_ms) == [(Check.RTP_JITTER, Reason.NOT_MEASURED)]


def test_each_source_counts_by_its_samples_and_strangers_not_at_all():
    brief = change(SOURCE, ssrc=8, packets=3, jitter_ms=900.0, jitter_samples=2)
    assert caller_alone(received=(SOURCE, brief)) == []
    long = change(SOURCE, ssrc=8, jitter_ms=90.0)
    assert caller_alone(received=(SOURCE, long)) == [(Check.RTP_JITTER, Reason.JITTER)]
    assert caller_alone(received=(SOURCE, change(long, origin=Origin.STRANGER))) == []


def test_jitter_of_packets_that_nobody_counted_was_not_measured():
    assert (Check.RTP_JITTER, Reason.NOT_MEASURED) in caller_alone(received=None)
