"""The words of a call: strict wherever they are read, and the same in a test and in a plan."""

import json

import msgspec
import pytest

from agent.contract.call import Call, Play, PlaySignal, SendDtmf
from agent.contract.expect import DtmfMethod, Expect, ExpectDtmf, ExpectLeg, MediaSource
from agent.contract.plan import PlanError, decode_plan
from tests.unit.builders import plan


def read(**fields: object) -> Call:
    return msgspec.convert({"name": "pin", **fields}, Call)


def test_what_is_left_out_asks_for_nothing():
    call = read()
    assert call == Call(name="pin")
    assert (call.to, call.caller.dtmf, call.caller.play) == (None, None, Play(signal=PlaySignal.IDENTITY))
    assert call.expect == Expect(sip_code=200, caller=ExpectLeg(), callee=ExpectLeg())
    rtp = read(expect={"caller": {"rtp": {}}}).expect.caller.rtp
    assert rtp is not None
    assert (rtp.min_packets, rtp.max_loss_percent, rtp.max_jitter_milliseconds, rtp.max_gap_milliseconds) == (None,) * 4
    assert rtp.source is MediaSource.ANY


def test_continuity_whose_media_and_foreign_sound_can_be_asked_for():
    leg = {"rtp": {"maxGapMilliseconds": 60, "source": "Signalled"}, "audio": "Own", "maxForeignPercent": "2.5"}
    asked = read(expect={"callee": leg}).expect.callee
    assert asked.rtp is not None
    assert (asked.rtp.max_gap_milliseconds, asked.rtp.source) == (60, MediaSource.SIGNALLED)
    assert asked.max_foreign_percent == "2.5"


@pytest.mark.parametrize(
    ("leg", "path"),
    [
        ({"rtp": {"maxGapMilliseconds": 19}}, "rtp.maxGapMilliseconds"),
        ({"rtp": {"maxGapMilliseconds": 60_001}}, "rtp.maxGapMilliseconds"),
        ({"rtp": {"maxGapMilliseconds": 20.5}}, "rtp.maxGapMilliseconds"),
        ({"rtp": {"source": "Anybody"}}, "rtp.source"),
        ({"maxForeignPercent": "101"}, "maxForeignPercent"),
        ({"maxForeignPercent": "-1"}, "maxForeignPercent"),
        ({"maxForeignPercent": 5}, "maxForeignPercent"),
        ({"dtmf": {"digits": ""}}, "dtmf.digits"),
        ({"dtmf": {"digits": "1", "method": "InBand"}}, "dtmf.method"),
    ],
)
def test_what_cannot_be_asked_of_a_leg_is_refused(leg, path):
    with pytest.raises(msgspec.ValidationError, match=path.replace(".", r"\.")):
        read(expect={"caller": leg})


def test_digits_are_sent_and_expected_by_events_where_nothing_is_said_and_never_as_tones():
    assert SendDtmf(digits="1").by is ExpectDtmf(digits="1").by is DtmfMethod.RFC4733
    by_info = {"digits": "1", "method": "INFO"}
    asked = read(caller={"dtmf": by_info}, expect={"callee": {"dtmf": by_info}})
    assert asked.caller.dtmf.by is asked.expect.callee.dtmf.by is DtmfMethod.INFO
    with pytest.raises(msgspec.ValidationError, match=r"caller\.dtmf\.method"):
        read(caller={"dtmf": {"digits": "1", "method": "InBand"}})


@pytest.mark.parametrize(("count", "concurrency", "at_once"), [(10, 5, 5), (2, 5, 2), (1, 1, 1)])
def test_there_are_never_more_at_once_than_there_are(count, concurrency, at_once):
    assert read(count=count, concurrency=concurrency).at_once == at_once


@pytest.mark.parametrize(
    ("field", "value"), [("to", None), ("holdSeconds", 0), ("holdSeconds", 1.5), ("answerTimeoutSeconds", 181)]
)
def test_a_plan_is_held_to_the_same_bounds_and_names_every_destination(field, value):
    raw = json.loads(plan().encode())
    assert decode_plan(json.dumps(raw).encode()) == plan()
    raw["calls"][0][field] = value
    with pytest.raises(PlanError, match=f"plan: .*{field}"):
        decode_plan(json.dumps(raw).encode())
