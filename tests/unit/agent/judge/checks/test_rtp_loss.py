"""rtpLoss: media time that was due and did not come, in packets of whatever length and numbers."""

from typing import Any

import pytest

from agent.contract.media import Gap, GapKind, Origin
from agent.contract.observation import Side
from agent.contract.verdict import Check, Reason, Result
from agent.judge.leg import judge_leg
from tests.unit.agent.judge.judging import CALLEE, CALLER, both, caller_alone, note_of, said
from tests.unit.builders import SECTION, SILENT, SOURCE, caller_leg, change, heard, plan

LOST = [(Check.RTP_LOSS, Reason.PACKET_LOSS)]
NOT_MEASURED = [(Check.RTP_LOSS, Reason.NOT_MEASURED)]
DEAF = {"group__expect__caller__audio": None}
OTHER = heard({"99": 15})
LONG = {"packets": 200, "payload_types": {0: 188, 120: 12}}
"""40 ms a packet."""
SHORT = {"packets": 800, "payload_types": {0: 750, 120: 50}}
"""10 ms."""


def received(lost: int = 0, **changes: Any) -> dict[str, Any]:
    """So many packets of 20 ms lost, by number and by time."""
    own = {"packets": 400 - lost, "lost": lost, "lost_ms": 20.0 * lost, "media_ms": 7500.0 - 20 * lost} | changes
    return {f"received__{name}": value for name, value in own.items()}


# A leg alone


@pytest.mark.covers("calls[].expect.<leg>.rtp.maxLossPercent")
@pytest.mark.parametrize(("lost", "fails"), [(0, False), (4, False), (5, True)])
def test_loss_is_compared_exactly(lost, fails):
    """Of 8 s of audio and digits; a bound of 1 %."""
    assert caller_alone(**received(lost)) == (LOST if fails else [])


def test_loss_says_what_was_lost_of_what():
    [finding] = judge_leg(plan(), caller_leg(**received(40)))

    assert (finding.expected, finding.observed) == (
        "at most 1 %",
        "10.00 % (0.80 of 8.00 s), 40 of 400 packets by sequence number",
    )


def test_time_that_is_missing_between_packets_in_sequence_is_loss():
    """A relay that numbers anew what it passes on, and keeps the timestamps."""
    assert caller_alone(**received(media_ms=6700.0, lost_ms=800.0)) == LOST


@pytest.mark.parametrize(("apart", "found"), [(True, []), (False, LOST)])
def test_audio_that_stands_still_while_digits_come_from_a_source_of_their_own_lost_nothing(apart, found):
    """Under an SSRC of their own, beside RFC 4733 §2.1."""
    first, *others = caller_leg().dtmf_received
    digit = change(first, at_ms=500.0, last_ms=640.0)
    audio = change(SOURCE, media_ms=7360.0, lost_ms=140.0, event_ms=0.0)
    events = change(SOURCE, ssrc=78, packets=25, media_ms=0.0 if apart else 20.0, payload_types={120: 25})
    gap = Gap(at_ms=640.0, missing_ms=140.0, kind=GapKind.LOST)
    leg = {"received": (audio, events), "gaps": (gap,), "dtmf_received": (digit, *others)}
    assert caller_alone(**leg) == found


def digits_apart(**changes: Any) -> Any:
    """A source that sent nothing but digits."""
    nothing = {"ssrc": 78, "packets": 25, "media_ms": None, "event_ms": 500.0, "payload_types": {120: 25}}
    return change(SOURCE, **nothing | changes)


def test_time_between_the_digits_of_a_source_of_their_own_is_nobodys():
    """One packet of them is lost, and 1.5 s went by since the digit before."""
    assert caller_alone(received=(SOURCE, digits_apart(lost=1, lost_ms=1500.0))) == []
    assert caller_alone(received=(SOURCE, digits_apart(ssrc=SOURCE.ssrc, lost=1, lost_ms=1500.0))) == LOST


def test_what_passes_between_digits_of_a_source_of_their_own_hides_no_loss():
    """A relay numbers anew, and loses 1 s of audio."""
    lossy = (change(SOURCE, media_ms=6500.0), digits_apart(pause_ms=3000.0))
    assert said(both(caller={"received": lossy}).findings) == LOST


def test_a_pause_and_a_restart_lose_nothing_and_are_noted():
    assert caller_alone(**received(media_ms=4500.0, pause_ms=3000.0, restarts=2)) == []
    assert both(caller=received(pause_ms=3000.0, restarts=2)).notes == (
        "caller: sequence numbers began anew twice",
        "caller: pauses of 3.0 s in all (RFC 3551 §4.1)",
    )


def test_numbers_without_time_around_them_tell_nothing_alone():
    assert caller_alone(**received(lost=40, lost_ms=0.0, media_ms=7500.0, packets=400)) == NOT_MEASURED


def test_without_audio_of_a_known_clock_packets_are_what_there_is():
    unknown = {"media_ms": None, "lost_ms": None, "event_ms": None}
    assert caller_alone(**received(lost=40, **unknown)) == LOST
    assert caller_alone(**received(lost=4, **unknown)) == []


def test_what_strangers_lost_is_theirs():
    stranger = change(SOURCE, origin=Origin.STRANGER, remote="10.0.0.66:7000", lost=9000, lost_ms=180_000.0)
    assert caller_alone(received=(SOURCE, stranger)) == []


@pytest.mark.parametrize("bound", ["", "abc", "NaN", "Infinity", "-Infinity"])
def test_a_bound_that_is_no_decimal_is_never_met(bound):
    its_plan = {"group__expect__caller__rtp__max_loss_percent": bound}
    assert caller_alone(its_plan) == NOT_MEASURED
    assert said(both(caller=received(media_ms=6000.0), **its_plan).findings) == NOT_MEASURED


def test_loss_of_packets_that_nobody_counted_was_not_measured():
    assert (Check.RTP_LOSS, Reason.NOT_MEASURED) in caller_alone(received=None)


# Both ends


@pytest.mark.parametrize("packets", [LONG, SHORT], ids=["to 40 ms", "to 10 ms"])
def test_a_path_that_packs_anew_and_loses_nothing_passes(packets):
    repacked = {f"received__{name}": value for name, value in packets.items()}
    few = {f"group__expect__{leg}__rtp__min_packets": 100 for leg in ("caller", "callee")}

    assert both(caller=repacked, callee=repacked, **few).result is Result.PASSED


@pytest.mark.parametrize("packets", [{}, LONG, SHORT], ids=["as they came", "to 40 ms", "to 10 ms"])
@pytest.mark.parametrize("leg", [CALLER, CALLEE])
def test_a_tenth_lost_fails_whichever_way_though_the_relay_numbers_and_times_anew(packets, leg):
    tenth = {f"received__{name}": value for name, value in packets.items()} | {"received__media_ms": 6750.0}
    few = {f"group__expect__{leg}__rtp__min_packets": 100 for leg in ("caller", "callee")}
    verdict = both(**{leg.value.lower(): tenth}, **few)

    [finding] = verdict.findings
    assert (finding.leg, finding.check, finding.reason) == (leg, Check.RTP_LOSS, Reason.PACKET_LOSS)
    assert finding.observed == "10.00 % (0.75 of 7.50 s)"


@pytest.mark.parametrize("packets", [LONG, SHORT], ids=["to 40 ms", "to 10 ms"])
def test_pauses_that_a_path_closes_as_it_packs_anew_are_no_loss(packets):
    """Beside each digit an agent pauses; rtpengine's timestamps, with `ptime`, are those of the audio that it packs."""
    repacked = {f"received__{name}": value for name, value in packets.items()}
    paused, few = {"sent__pause_ms": 400.0}, {"group__expect__callee__rtp__min_packets": 100}

    assert both(caller=paused, callee=repacked, **few).result is Result.PASSED
    lossy = both(caller=paused, callee=repacked | {"received__media_ms": 7000.0}, **few)
    assert [finding.observed for finding in lossy.findings] == ["6.67 % (0.50 of 7.50 s)"]
    filled = both(caller=paused, callee={"received__payload_types": {0: 370, 120: 25}})
    assert said(filled.findings) == LOST, "packets of the same length: something else stands in for what was lost"


def test_pauses_that_a_path_may_have_closed_are_no_excuse_for_what_numbers_say():
    """It packs anew, fills the pauses with sound, and loses 10 packets of 40 ms behind that."""
    lossy = {f"received__{name}": value for name, value in (LONG | {"lost": 10, "lost_ms": 400.0}).items()}
    verdict = both(caller={"sent__pause_ms": 400.0}, callee=lossy, group__expect__callee__rtp__min_packets=100)
    assert said(verdict.findings) == LOST


def test_loss_by_both_ends_says_what_each_counted():
    verdict = both(callee=received(media_ms=6700.0, packets=360))

    assert verdict.findings[0].note == (
        "the caller sent 7.50 s of audio in 400 packets, 6.70 s of audio in 360 packets came; "
        "0 of 360 packets by sequence number are missing: the rest was lost where numbers do not show it"
    )


def test_loss_by_sequence_numbers_is_noted_with_what_the_peer_sent():
    verdict = both(callee=received(40))

    assert said(verdict.findings) == LOST
    assert note_of(verdict, CALLEE, Check.RTP_LOSS) == "the caller sent 7.50 s of audio in 400 packets"


def test_loss_by_sequence_numbers_stands_where_the_peers_count_is_unknown():
    assert said(both(callee=received(40), caller={"sent": None}).findings) == LOST


@pytest.mark.parametrize("numbers", [{"lost": 14_000, "lost_ms": 280_000.0}, {"lost": 40, "lost_ms": 0.0}])
def test_numbers_that_both_ends_contradict_are_not_believed(numbers):
    """As many seconds came as were sent: the numbers are what is wrong."""
    odd = {f"received__{name}": value for name, value in numbers.items()}
    assert both(caller=odd).result is Result.PASSED
    assert both(caller=odd, callee={"sent": None}).result is not Result.PASSED


def test_digits_that_the_path_takes_out_are_no_lost_audio():
    """Numbers and time are missing where digits were: what was sent as audio came."""
    without = {"event_ms": 0.0, "packets": 375, "lost": 25, "lost_ms": 500.0, "payload_types": {0: 375}}
    verdict = both(callee={f"received__{name}": value for name, value in without.items()})

    assert verdict.result is Result.PASSED


def test_copies_made_on_the_way_hide_no_loss():
    copied = {"received__packets": 440, "received__duplicates": 80, "received__media_ms": 6750.0}
    assert said(both(caller=copied).findings) == LOST


def test_media_of_another_call_is_not_compared():
    verdict = both(callee={"heard": OTHER, "received__media_ms": 6700.0}, caller={"heard": SILENT}, **DEAF)

    assert said(verdict.findings) == [(Check.AUDIO, Reason.WRONG_AUDIO)]


def edged(media_ms: float, last_ms: float) -> dict[str, float]:
    """Received until then, of what was sent until 7,990 ms."""
    return {"received__media_ms": media_ms, "received__last_ms": last_ms}


def test_media_on_its_way_at_the_edges_is_not_lost():
    assert both(callee=edged(7200.0, 7690.0)).result is Result.PASSED
    assert said(both(callee=edged(7199.0, 7690.0)).findings) == LOST


def test_media_missing_between_the_first_packet_and_the_last_is_lost_whatever_the_edges_allow():
    """A relay that numbers and times anew what it did not lose: neither numbers nor timestamps show it."""
    assert both(callee=edged(7380.0, 7990.0)).result is Result.PASSED
    assert said(both(callee=edged(7379.0, 7990.0)).findings) == LOST
    untimed = {"received__first_ms": None}
    assert both(callee=edged(7200.0, 7990.0) | untimed).result is Result.PASSED


def test_digits_that_the_path_made_longer_stand_for_audio():
    longer = {"received__event_ms": SOURCE.event_ms + 300.0}
    assert both(callee=edged(7200.0, 7990.0) | longer).result is Result.PASSED


# Silence


def quiet(*gaps: Gap, lost_ms: float) -> dict[str, Any]:
    return received(media_ms=7500.0 - lost_ms, lost_ms=lost_ms) | {"gaps": gaps}


def gap(missing_ms: float, at_ms: float = 4000.0, packets: int = 0) -> Gap:
    return Gap(at_ms=at_ms, missing_ms=missing_ms, kind=GapKind.LOST, packets=packets)


def test_a_source_that_says_nothing_for_long_and_goes_on_with_its_numbers_lost_nothing():
    assert caller_alone(**quiet(gap(2600.0), lost_ms=2600.0)) == []
    assert caller_alone(**quiet(gap(200.0), lost_ms=200.0)) == []


def test_a_short_gap_is_silence_only_where_media_began_anew():
    assert caller_alone(**quiet(gap(180.0), lost_ms=180.0)) == LOST
    sections = (SECTION, change(SECTION, begin_ms=3600.0))
    assert caller_alone(**quiet(gap(180.0), lost_ms=180.0), sections=sections) == []
    assert caller_alone(**quiet(gap(180.0, 4200.0), lost_ms=180.0), sections=sections) == LOST
    assert caller_alone(**quiet(gap(180.0, None), lost_ms=180.0), sections=sections) == LOST


def test_missing_numbers_are_no_silence():
    assert caller_alone(**quiet(gap(2600.0, packets=130), lost_ms=2600.0)) == LOST


def test_silence_that_our_other_agent_did_not_send_is_lost_between_the_ends():
    verdict = both(callee=quiet(gap(1000.0), lost_ms=1000.0))
    assert said(verdict.findings) == LOST
    assert "callee: 1.0 s without media, in silence: numbers go on" in verdict.notes


def test_media_sent_before_the_200_arrived_is_not_lost():
    # The 200 took 2 s: the callee sent for 10 s, the caller listened for 8.
    callee = {"sent__media_ms": 9500.0, "progress__bye_ms": 10_030.0}

    assert both(callee=callee).result is Result.PASSED


def test_media_that_one_ends_sdp_does_not_let_in_is_not_lost():
    """The path holds the caller from 3 to 5.5 s, and lets the callee go on sending."""
    held = tuple(
        change(SECTION, begin_ms=begin_ms, receives=receives)
        for begin_ms, receives in ((0.0, True), (3000.0, False), (5500.0, True))
    )
    few = {"group__expect__caller__rtp__min_packets": 200}
    assert both(caller={"sections": held, "received__media_ms": 5000.0}, **few).result is Result.PASSED
    lost = both(caller={"sections": held, "received__media_ms": 4600.0}, **few)
    assert said(lost.findings) == LOST


def test_a_path_that_leaves_silence_out_loses_nothing():
    verdict = both(callee=received(media_ms=4500.0, pause_ms=3000.0))

    assert verdict.result is Result.PASSED


def test_a_pause_that_the_sender_made_itself_hides_no_loss():
    """Beside each digit an agent pauses for a packet or two, and the other end sees that as well."""
    paused = {"received__media_ms": 7000.0, "received__pause_ms": 400.0}

    assert said(both(caller={"sent__pause_ms": 400.0}, callee=paused).findings) == LOST


def test_a_prompt_does_not_stand_in_for_what_numbers_say_was_lost():
    more = received(40, media_ms=8700.0)
    assert said(both(caller=more).findings) == LOST


def test_what_the_bound_allows_to_miss_is_judged_by_the_bound():
    its_plan = {"group__expect__callee__rtp__max_loss_percent": "20"}

    assert both(callee={"received__media_ms": 6750.0}, **its_plan).result is Result.PASSED


def test_no_audio_at_all_beside_digits_is_all_lost():
    only_digits = {"media_ms": None, "packets": 25, "payload_types": {120: 25}}
    bound = {"group__expect__callee__rtp__min_packets": 1}
    verdict = both(callee={f"received__{name}": value for name, value in only_digits.items()}, **bound)

    assert said(verdict.findings, CALLEE) == LOST


def test_what_a_path_lost_before_it_transcoded_is_not_known():
    """PCMA at the caller's leg, PCMU at the callee's."""
    alaw = {
        "sections": (change(SECTION, types={8: "PCMA/8000", 120: "telephone-event/8000"}),),
        "sent__payload_types": {8: 375, 120: 25},
        "received__payload_types": {8: 375, 120: 25},
    }
    verdict = both(caller=alaw)
    assert [(f.leg, f.check, f.reason) for f in verdict.findings] == [
        (leg, Check.RTP_LOSS, Reason.NOT_MEASURED) for leg in (CALLEE, CALLER)
    ]
    assert note_of(verdict, CALLEE, Check.RTP_LOSS).startswith("PCMA/8000 was sent and PCMU/8000 came")
    own = both(caller=alaw, callee=received(40))
    assert said(own.findings, CALLEE) == LOST, "the leg's own numbers stand"
    unasked = {f"group__expect__{leg}__rtp__max_loss_percent": None for leg in ("caller", "callee")}
    assert both(caller=alaw, **unasked).result is Result.PASSED


def test_ends_that_could_not_count_are_not_compared():
    for caller in ({"sent": None}, {"sent": ()}, {"sent__media_ms": None}):
        verdict = both(caller=caller, callee={"received__media_ms": 6700.0})
        assert (Check.RTP_LOSS, Reason.PACKET_LOSS) not in said(verdict.findings)


def test_calls_without_length_are_compared_without_it():
    legs = {"dialog__bye__by": Side.REMOTE, "progress__bye_ms": None, "progress__ended_ms": None}
    verdict = both(caller=legs, callee=legs | {"received__media_ms": 6700.0})

    assert (Check.RTP_LOSS, Reason.PACKET_LOSS) in said(verdict.findings)


def test_both_ends_are_compared_whatever_else_is_wrong():
    verdict = both(caller={"dialog__bye__code": None}, callee={"received__media_ms": 6700.0})

    assert said(verdict.findings, CALLEE) == LOST


@pytest.mark.parametrize(
    ("late", "reason"), [("callee", Reason.AGENT_OVERLOADED), ("caller", Reason.PEER_LOST), (None, Reason.PACKET_LOSS)]
)
def test_loss_opposite_a_late_agent_may_be_its_doing(late, reason):
    ends: dict[str, dict[str, Any]] = {"caller": {}, "callee": {"received__media_ms": 6700.0}}
    if late:
        ends[late] |= {"health__media__lateness_ms": 201.0}

    assert said(both(**ends).findings, CALLEE) == [(Check.RTP_LOSS, reason)]
