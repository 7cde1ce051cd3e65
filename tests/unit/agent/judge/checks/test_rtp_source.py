"""rtpSource: who insists on the SDP's address gets it judged."""

import pytest

from agent.contract.expect import MediaSource
from agent.contract.media import Origin
from agent.contract.verdict import Check, Reason
from agent.judge.leg import judge_leg
from tests.unit.agent.judge.judging import both, caller_alone, said
from tests.unit.builders import SOURCE, caller_leg, change, plan

SIGNALLED = {"group__expect__caller__rtp__source": MediaSource.SIGNALLED}
FROM_ELSEWHERE = change(SOURCE, remote="10.0.0.1:9", ssrc=8)


@pytest.mark.covers("calls[].expect.<leg>.rtp.source")
@pytest.mark.parametrize("origin", [Origin.SAME_HOST, Origin.PROVEN])
def test_media_from_another_address_fails_only_where_the_sdps_is_insisted_on(origin):
    source = change(FROM_ELSEWHERE, origin=origin)
    assert caller_alone(received=(source,)) == []
    [finding] = judge_leg(plan(**SIGNALLED), caller_leg(received=(source,)))
    assert (finding.check, finding.reason) == (Check.RTP_SOURCE, Reason.UNSIGNALLED_SOURCE)
    assert finding.observed == "400 packets from 10.0.0.1:9"


def test_some_media_from_another_address_is_enough():
    few = change(FROM_ELSEWHERE, origin=Origin.SAME_HOST, packets=20)
    assert caller_alone(SIGNALLED, received=(SOURCE, few)) == [(Check.RTP_SOURCE, Reason.UNSIGNALLED_SOURCE)]


def test_strangers_fail_it_only_where_nobody_else_sent():
    stranger = change(FROM_ELSEWHERE, origin=Origin.STRANGER)
    assert caller_alone(SIGNALLED, received=(SOURCE, stranger)) == []
    assert (Check.RTP_SOURCE, Reason.UNSIGNALLED_SOURCE) in caller_alone(SIGNALLED, received=(stranger,))


def test_media_of_the_sdps_address_holds_and_uncounted_media_does_not():
    assert caller_alone(SIGNALLED) == []
    assert (Check.RTP_SOURCE, Reason.NOT_MEASURED) in caller_alone(SIGNALLED, received=None)


def test_no_trouble_of_an_agent_makes_an_address():
    late = {"health__media__lateness_ms": 900.0}
    other = {"received": (change(FROM_ELSEWHERE, origin=Origin.SAME_HOST),)}
    assert said(both(caller=other | late, callee=late, **SIGNALLED).findings) == [
        (Check.RTP_SOURCE, Reason.UNSIGNALLED_SOURCE)
    ]
