"""rtp, audio, dtmf: what one leg received, against what its test expects."""

import pytest

from agent.contract.call import Play, Silence
from agent.contract.observation import Heard, Rtp, Side, StackCount
from agent.contract.plan import identity_code
from agent.contract.verdict import Check, Reason
from agent.judge.checks.audio import IDENTITY_FRAME_MS
from agent.judge.leg import judge_leg
from agent.sound.identity import FRAME_MS
from tests.unit.agent.judge.judging import CALLEE, callee_alone, caller_alone
from tests.unit.builders import RUN_UID, callee_leg, caller_leg, change, digits, plan


def code(endpoint: int = 0, call: str = "pin", number: int = 0) -> str:
    return str(identity_code(f"{RUN_UID}/{endpoint}/{call}/{number}"))


def heard(codes: dict[str, int], active_ms: float = 7000, duration_ms: float = 8000) -> Heard:
    return Heard(duration_ms=duration_ms, level_dbfs=-18.0, active_ms=active_ms, codes=codes)


SILENT = Heard(duration_ms=8000, level_dbfs=-120.0, active_ms=0, codes={})


# rtp


def test_no_packet_is_no_rtp_said_once():
    findings = caller_alone(rtp_received__packets=0, rtp_received__lost=None, rtp_received__jitter_ms=None)

    assert findings == [(Check.RTP_PACKETS, Reason.NO_RTP), (Check.AUDIO, Reason.NO_RTP)]


def test_fewer_packets_than_asked_is_too_few():
    [finding] = judge_leg(plan(), caller_leg(rtp_received__packets=349))

    assert (finding.check, finding.reason) == (Check.RTP_PACKETS, Reason.TOO_FEW_PACKETS)
    assert (finding.expected, finding.observed) == ("at least 350 packets", "349 packets")


def test_an_expectation_without_bounds_still_needs_a_packet():
    bounds = {"group__expect__caller__rtp": change(plan().calls[0].expect.caller.rtp, min_packets=None,
                                                  max_loss_percent=None, max_jitter_milliseconds=None)}  # fmt: skip

    assert caller_alone(bounds, rtp_received__packets=1) == []
    assert (Check.RTP_PACKETS, Reason.NO_RTP) in caller_alone(bounds, rtp_received__packets=0)
    assert caller_alone(bounds, rtp_received=None) == [(Check.RTP_PACKETS, Reason.NOT_MEASURED)]


@pytest.mark.parametrize(("packets", "lost", "fails"), [(396, 4, False), (395, 4, True), (404, -4, False)])
def test_loss_is_compared_exactly(packets, lost, fails):
    findings = caller_alone(rtp_received__packets=packets, rtp_received__lost=lost)

    assert findings == ([(Check.RTP_LOSS, Reason.PACKET_LOSS)] if fails else [])


def test_loss_says_what_was_lost_of_what():
    [finding] = judge_leg(plan(), caller_leg(rtp_received__packets=360, rtp_received__lost=40))

    assert (finding.expected, finding.observed) == ("at most 1 %", "10.00 % (40 of 400)")


@pytest.mark.parametrize("bound", ["", "abc", "NaN", "Infinity", "-Infinity"])
def test_a_bound_that_is_no_decimal_is_never_met(bound):
    assert caller_alone({"group__expect__caller__rtp__max_loss_percent": bound}) == [
        (Check.RTP_LOSS, Reason.NOT_MEASURED)
    ]


def test_jitter_above_its_bound_fails():
    [finding] = judge_leg(plan(), caller_leg(rtp_received__jitter_ms=30.5))

    assert (finding.check, finding.reason) == (Check.RTP_JITTER, Reason.JITTER)
    assert (finding.expected, finding.observed) == ("at most 30 ms", "30.5 ms")


@pytest.mark.parametrize(
    ("changes", "checks"),
    [
        ({"rtp_received": None}, {Check.RTP_PACKETS, Check.RTP_LOSS, Check.RTP_JITTER}),
        ({"rtp_received__packets": None}, {Check.RTP_PACKETS, Check.RTP_LOSS}),
        ({"rtp_received__lost": None}, {Check.RTP_LOSS}),
        ({"rtp_received__jitter_ms": None}, {Check.RTP_JITTER}),
        ({"rtp_received__jitter_ms": float("nan")}, {Check.RTP_JITTER}),
    ],
)
def test_rtp_figures_that_are_null_were_not_measured(changes, checks):
    assert set(caller_alone(**changes)) == {(check, Reason.NOT_MEASURED) for check in checks}


def test_what_is_not_asked_is_not_checked():
    nothing = {f"group__expect__caller__{what}": None for what in ("rtp", "audio", "dtmf")}
    deaf = {"rtp_received": None, "heard": None, "dtmf_received": (), "negotiated": None}

    assert caller_alone(nothing, **deaf) == []


# audio


def test_silence_where_the_calls_signal_is_expected_is_no_audio():
    [finding] = judge_leg(plan(), caller_leg(heard=SILENT))

    assert (finding.check, finding.reason) == (Check.AUDIO, Reason.NO_AUDIO)
    assert (finding.expected, finding.observed) == ("Own", "0.0 of 8.0 s above silence")


def test_a_signal_that_breaks_off_is_no_audio():
    assert caller_alone(heard=heard({code(): 2}, active_ms=1000)) == [(Check.AUDIO, Reason.NO_AUDIO)]


def test_a_signal_that_breaks_off_late_is_no_audio_either():
    """Of 8 s, digits take 2 s of what the caller hears; a fifth of the rest may be silent."""
    assert caller_alone(heard=heard({code(): 8}, active_ms=4700)) == [(Check.AUDIO, Reason.NO_AUDIO)]
    assert caller_alone(heard=heard({code(): 8}, active_ms=4800)) == []


def test_the_setup_of_a_short_call_may_be_silent():
    short = {"group__hold_seconds": 2.5, "group__caller__dtmf": None, "group__expect__caller__dtmf": None}
    times = {"progress__bye_ms": 2550.0, "progress__ended_ms": 2560.0, "dtmf_sent": (), "dtmf_received": ()}
    late = {"rtp_received__packets": 400, **times}

    assert caller_alone(short, heard=heard({code(): 3}, duration_ms=2500, active_ms=1500), **late) == []
    silent = heard({code(): 3}, duration_ms=2500, active_ms=1480)
    assert caller_alone(short, heard=silent, **late) == [(Check.AUDIO, Reason.NO_AUDIO)]


def test_a_callee_that_waits_for_a_bye_is_not_to_hear_anything_meanwhile():
    times = {"ended_by": Side.LOCAL, "progress__bye_ms": 12_030.0, "progress__ended_ms": 12_040.0}
    waited = callee_alone(heard=heard({code(): 13}, duration_ms=12_000, active_ms=7000), **times)

    assert waited == [(Check.COMPLETED, Reason.NOT_MEASURED)]


def test_digits_take_the_signals_place_and_that_is_no_fault():
    short = heard({code(): 1}, active_ms=1100, duration_ms=4000)

    assert caller_alone(heard=short) == []
    assert caller_alone(heard=short, dtmf_sent=(), dtmf_received=()) != []


def test_digits_of_unknown_length_take_some_place_too():
    unknown = tuple(change(digit, duration_ms=None) for digit in digits("1234#"))

    assert caller_alone(heard=heard({code(): 1}, active_ms=1100, duration_ms=4000), dtmf_received=unknown) == []


def test_another_calls_signal_is_wrong_audio_and_named():
    its_plan = plan(endpoints=(0, 1), group__count=5)
    [finding] = judge_leg(its_plan, caller_leg(heard=heard({code(1, "pin", 4): 9})))

    assert (finding.check, finding.reason) == (Check.AUDIO, Reason.WRONG_AUDIO)
    assert finding.observed == "the signal of pin 4 at endpoint 1"


def test_another_calls_signal_beside_its_own_is_wrong_audio():
    [finding] = judge_leg(plan(group__count=2), caller_leg(heard=heard({code(): 14, code(number=1): 1})))

    assert finding.reason is Reason.WRONG_AUDIO
    assert finding.observed == "its own signal and the signal of pin 1 at endpoint 0"


def test_an_unknown_code_beside_its_own_is_sure_only_when_repeated():
    stranger = str(identity_code("another run"))

    assert caller_alone(heard=heard({code(): 14, stranger: 1})) == [(Check.AUDIO, Reason.NOT_MEASURED)]
    assert caller_alone(heard=heard({code(): 14, stranger: 2})) == [(Check.AUDIO, Reason.WRONG_AUDIO)]
    assert caller_alone(heard=heard({stranger: 1})) == [(Check.AUDIO, Reason.WRONG_AUDIO)]


def test_a_code_that_was_heard_zero_times_was_not_heard():
    assert caller_alone(heard=heard({code(): 0})) == [(Check.AUDIO, Reason.WRONG_AUDIO)]


def test_audio_without_any_signal_is_wrong_audio():
    assert caller_alone(heard=heard({})) == [(Check.AUDIO, Reason.WRONG_AUDIO)]


def test_audio_of_which_hardly_anything_is_its_own_is_not_known_to_be_right():
    assert caller_alone(heard=heard({code(): 1})) == [(Check.AUDIO, Reason.NOT_MEASURED)]


def test_a_recording_too_short_for_one_frame_proves_nothing_unless_it_has_one():
    assert caller_alone(heard=heard({}, active_ms=800, duration_ms=800)) == [(Check.AUDIO, Reason.NOT_MEASURED)]
    assert caller_alone(heard=heard({code(): 1}, active_ms=800, duration_ms=800)) == []


def test_its_own_signal_cannot_be_heard_where_none_is_played():
    assert caller_alone({"group__caller__play": Play(silence=Silence())}) == [(Check.AUDIO, Reason.NOT_MEASURED)]


@pytest.mark.parametrize("nothing", [None, heard({}, duration_ms=0)])
@pytest.mark.parametrize("expected", ["Own", "Any", "Silence"])
def test_audio_that_was_not_recorded_was_not_measured(nothing, expected):
    its_plan = {"group__expect__caller__audio": plan().calls[0].expect.caller.audio.__class__(expected)}

    assert caller_alone(its_plan, heard=nothing) == [(Check.AUDIO, Reason.NOT_MEASURED)]


ANY = {"group__expect__caller__audio": plan().calls[0].expect.caller.audio.__class__("Any")}
SILENCE = {"group__expect__caller__audio": plan().calls[0].expect.caller.audio.__class__("Silence")}


def test_any_audio_is_more_than_a_click():
    assert caller_alone(ANY, heard=heard({}, active_ms=200)) == []
    assert caller_alone(ANY, heard=heard({}, active_ms=199)) == [(Check.AUDIO, Reason.NO_AUDIO)]
    assert caller_alone(ANY, heard=SILENT) == [(Check.AUDIO, Reason.NO_AUDIO)]


def test_silence_is_measured_in_packets_that_came():
    assert caller_alone(SILENCE, heard=SILENT) == []
    assert (Check.AUDIO, Reason.NOT_MEASURED) in caller_alone(SILENCE, heard=SILENT, rtp_received=None)
    assert (Check.AUDIO, Reason.NOT_MEASURED) in caller_alone(SILENCE, heard=SILENT, rtp_received__packets=None)
    assert (Check.AUDIO, Reason.NOT_MEASURED) in caller_alone(SILENCE, heard=SILENT, rtp_received__packets=0)


def test_audio_where_silence_is_expected_is_unexpected():
    assert caller_alone(SILENCE, heard=heard({}, active_ms=41)) == [(Check.AUDIO, Reason.UNEXPECTED_AUDIO)]
    assert caller_alone(SILENCE, heard=heard({code(): 1}, active_ms=0)) == [(Check.AUDIO, Reason.UNEXPECTED_AUDIO)]


def test_a_frame_is_as_long_as_the_signal_makes_it():
    assert IDENTITY_FRAME_MS == FRAME_MS


# dtmf


def test_other_digits_than_expected_are_a_mismatch():
    [finding] = judge_leg(plan(CALLEE), callee_leg(dtmf_received=digits("124#")))

    assert (finding.check, finding.reason) == (Check.DTMF, Reason.DTMF_MISMATCH)
    assert (finding.expected, finding.observed) == ("1234#", "124#")


@pytest.mark.parametrize("received", ["", "1234", "12334#", "1234##", "124#3"])
def test_digits_must_be_exactly_those_expected(received):
    assert callee_alone(dtmf_received=digits(received)) == [(Check.DTMF, Reason.DTMF_MISMATCH)]


def test_missing_digits_without_telephone_event_in_the_sdp_were_not_negotiated():
    leg = {"dtmf_received": (), "negotiated__telephone_event_payload_type": None}
    [finding] = judge_leg(plan(), caller_leg(**leg))

    assert (finding.reason, finding.observed) == (Reason.DTMF_NOT_NEGOTIATED, "none")
    assert callee_alone(**leg) == [(Check.DTMF, Reason.DTMF_NOT_NEGOTIATED)]


def test_wrong_digits_of_full_length_are_a_mismatch_whatever_was_negotiated():
    leg = {"dtmf_received": digits("12345"), "negotiated__telephone_event_payload_type": None}

    assert callee_alone(**leg) == [(Check.DTMF, Reason.DTMF_MISMATCH)]


def test_no_digits_on_a_leg_without_media_were_not_measured():
    leg = {"dtmf_received": (), "negotiated": None}

    assert callee_alone(**leg) == [(Check.DTMF, Reason.NOT_MEASURED)]
    assert callee_alone({"group__expect__callee__dtmf__digits": ""}, **leg) == [(Check.DTMF, Reason.NOT_MEASURED)]


def test_digits_that_came_are_measured_whatever_is_known_of_the_media():
    assert callee_alone(negotiated=None) == []
    assert callee_alone(negotiated=None, dtmf_received=digits("9")) == [(Check.DTMF, Reason.DTMF_MISMATCH)]


def test_expecting_no_digits_passes_where_none_came():
    assert callee_alone({"group__expect__callee__dtmf__digits": ""}, dtmf_received=()) == []


def test_a_caller_that_never_sent_all_its_digits_cannot_miss_them():
    [finding] = judge_leg(plan(), caller_leg(dtmf_sent=digits("12"), dtmf_received=digits("12")))

    assert (finding.reason, finding.observed) == (Reason.NOT_MEASURED, "12")
    assert finding.note == "this caller had sent only 12 of 1234# when the call ended"


def test_digits_that_contradict_what_was_sent_fail_however_little_that_was():
    assert caller_alone(dtmf_sent=digits("12"), dtmf_received=digits("13")) == [(Check.DTMF, Reason.DTMF_MISMATCH)]


def test_a_caller_that_sends_none_can_still_expect_digits():
    assert caller_alone({"group__caller__dtmf": None}, dtmf_sent=(), dtmf_received=()) == [
        (Check.DTMF, Reason.DTMF_MISMATCH)
    ]


# any RTP


@pytest.mark.parametrize("asked", [{}, {"group__expect__caller__rtp": None}])
def test_media_that_stops_while_the_call_is_up_fails_asked_for_or_not(asked):
    """The call is 8 s long."""
    assert caller_alone(asked, rtp_received__last_ms=6000.0) == []
    [finding] = judge_leg(plan(**asked), caller_leg(rtp_received__last_ms=5999.0))
    assert (finding.check, finding.reason) == (Check.RTP_PACKETS, Reason.MEDIA_STOPPED)
    assert finding.observed == "none in the last 2.0 of 8.0 s"


def test_media_is_due_until_the_hold_is_over_however_late_the_bye_comes():
    assert callee_alone(rtp_received__last_ms=7990.0, progress__bye_ms=12_000.0) == []


def test_media_that_never_came_did_not_stop():
    assert (Check.RTP_PACKETS, Reason.NO_RTP) in caller_alone(rtp_received=Rtp(packets=0))
    nothing_asked = {f"group__expect__caller__{what}": None for what in ("rtp", "audio", "dtmf")}
    assert caller_alone(nothing_asked, rtp_received=Rtp(packets=0)) == []


@pytest.mark.parametrize("asked", [{}, {"group__expect__caller__rtp": None}])
def test_media_that_nobody_agreed_on_fails_asked_for_or_not(asked):
    assert caller_alone(asked, rtp_received__unnegotiated=0) == []
    [finding] = judge_leg(plan(**asked), caller_leg(rtp_received__unnegotiated=3))
    assert (finding.check, finding.reason) == (Check.RTP_PACKETS, Reason.UNNEGOTIATED_PAYLOAD)
    assert (finding.expected, finding.observed) == ("payload types of the SDP", "3 of 400 packets with others")


def test_copies_make_up_for_no_packet_that_is_missing():
    few = {"rtp_received__packets": 360, "rtp_received__duplicates": 20}
    assert caller_alone(**few) == [(Check.RTP_PACKETS, Reason.TOO_FEW_PACKETS)]
    lost = {"rtp_received__packets": 500, "rtp_received__duplicates": 100, "rtp_received__lost": 4}
    assert caller_alone(**lost) == [], "4 of 404"
    lost |= {"rtp_received__lost": 5}
    assert caller_alone(**lost) == [(Check.RTP_LOSS, Reason.PACKET_LOSS)], "5 of 405, not of 505"


@pytest.mark.parametrize("asked", [{}, {"group__expect__caller__rtp": None}])
def test_media_that_the_tap_could_not_count_passes_nothing(asked):
    uncounted = {"rtp_received": None, "stack_received": StackCount(packets=400)}
    assert (Check.RTP_PACKETS, Reason.NOT_MEASURED) in caller_alone(asked, **uncounted)
