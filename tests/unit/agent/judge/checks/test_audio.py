"""audio: this call's own signal, any, or none; and a path that plays the caller back to itself."""

from typing import Any

import pytest

from agent.contract.call import Behaviour, Play, Silence
from agent.contract.expect import Audio, ExpectLeg
from agent.contract.media import Gap, GapKind, Heard, Stretch
from agent.contract.observation import Side
from agent.contract.plan import identity_code
from agent.contract.verdict import Check, Reason, Result
from agent.judge.leg import judge_leg
from agent.judge.sound import FRAME_MS
from agent.sound.identity import FRAME_MS as SIGNALS_FRAME_MS
from tests.unit.agent.judge.judging import CALLER, both, callee_alone, caller_alone, note_of, said
from tests.unit.builders import RUN_UID, SECTION, SILENT, SOURCE, caller_leg, change, digits, heard, plan

WRONG = [(Check.AUDIO, Reason.WRONG_AUDIO)]
NO_AUDIO = [(Check.AUDIO, Reason.NO_AUDIO)]
NOT_MEASURED = [(Check.AUDIO, Reason.NOT_MEASURED)]
NO_DIGITS: dict[str, Any] = {"dtmf_sent": (), "dtmf_received": ()}
NOBODYS_DIGITS = {
    "group__caller__dtmf": None,
    "group__expect__caller__dtmf": None,
    "group__expect__callee__dtmf": None,
}
ANY = {"group__expect__caller__audio": Audio.ANY}
SILENCE = {"group__expect__caller__audio": Audio.SILENCE}


def code(endpoint: int = 0, call: str = "pin", number: int = 0) -> str:
    return str(identity_code(f"{RUN_UID}/{endpoint}/{call}/{number}"))


OWN = int(code())


def stretches(*parts: tuple[float, float, int | None], codes: dict[str, int] | None = None) -> Heard:
    own_ms = sum(end - begin for begin, end, what in parts if what == OWN)
    return Heard(
        duration_ms=8000.0,
        level_dbfs=-18.0,
        active_ms=sum(end - begin for begin, end, _ in parts),
        codes={code(): int(own_ms // 480)} if codes is None else codes,
        stretches=tuple(Stretch(begin_ms=begin, end_ms=end, code=what) for begin, end, what in parts),
    )


def quiet(**changes: Any) -> list[tuple[Check, Reason]]:
    """A caller's leg without digits."""
    return caller_alone(NOBODYS_DIGITS, **NO_DIGITS, **changes)


def test_a_frame_is_as_long_as_the_signal_makes_it():
    assert FRAME_MS == SIGNALS_FRAME_MS


# How much of its own


@pytest.mark.covers("calls[].expect.<leg>.audio")
def test_silence_where_the_calls_signal_is_expected_is_no_audio():
    [finding] = judge_leg(plan(), caller_leg(heard=SILENT))

    assert (finding.check, finding.reason) == (Check.AUDIO, Reason.NO_AUDIO)
    assert (finding.expected, finding.observed) == ("this call's signal", "nothing but silence for 8.0 s")


@pytest.mark.parametrize(("until_ms", "found"), [(4000.0, []), (3990.0, NO_AUDIO)])
def test_its_own_signal_must_be_there_for_half_of_the_time(until_ms, found):
    assert quiet(heard=stretches((0.0, until_ms, OWN))) == found


def test_a_signal_that_makes_way_for_other_sound_is_wrong_audio():
    [finding] = judge_leg(
        plan(**NOBODYS_DIGITS), caller_leg(heard=stretches((0.0, 3000.0, OWN), (3000.0, 8000.0, None)), **NO_DIGITS)
    )
    assert finding.reason is Reason.WRONG_AUDIO
    assert finding.observed == "this call's signal for only 3.0 of the 8.0 s that were due, other sound for 5.0 s"


def test_digits_take_the_signals_place_and_that_is_no_fault():
    """Of 8 s, both ways' digits take 2 s, and the frames around them 1.92: half of 4.08 s is due."""
    assert caller_alone(heard=stretches((0.0, 2040.0, OWN))) == []
    assert caller_alone(heard=stretches((0.0, 2030.0, OWN))) == NO_AUDIO
    unknown = tuple(change(digit, duration_ms=None) for digit in digits("1234#"))
    assert caller_alone(heard=stretches((0.0, 1790.0, OWN)), dtmf_received=unknown) == []


def test_only_the_time_in_which_the_sdp_lets_the_peer_send_is_due():
    held = (SECTION, change(SECTION, begin_ms=3000.0, receives=False))
    assert quiet(heard=stretches((0.0, 1500.0, OWN)), sections=held, received__last_ms=2990.0) == []
    assert quiet(heard=stretches((0.0, 1490.0, OWN)), sections=held, received__last_ms=2990.0) == NO_AUDIO


def test_what_the_other_ends_sdp_kept_from_being_sent_is_not_due():
    """The callee's leg was on hold from 3 s on, the caller's was not."""
    held = {"sections": (SECTION, change(SECTION, begin_ms=3000.0, sends=False, receives=False))} | NO_DIGITS
    short = {"heard": stretches((0.0, 2000.0, OWN)), "received__last_ms": 3000.0} | NO_DIGITS
    kept = {"group__expect__callee": ExpectLeg(), "group__expect__caller__rtp": None}
    assert both(caller=short, callee=held, **(NOBODYS_DIGITS | kept)).result is Result.PASSED
    assert both(caller=short, callee=NO_DIGITS, **(NOBODYS_DIGITS | kept)).reason is not None


def test_a_callee_that_waits_for_a_bye_is_not_to_hear_anything_meanwhile():
    times = {"dialog__bye__by": Side.LOCAL, "progress__bye_ms": 12_030.0, "progress__ended_ms": 12_040.0}
    waited = callee_alone(heard=change(heard({code(): 13}), duration_ms=12_000.0), **times)

    assert waited == [(Check.COMPLETED, Reason.NOT_MEASURED)]


def test_a_recording_too_short_for_one_frame_proves_nothing_unless_it_has_one():
    assert caller_alone(heard=heard({}, active_ms=800, duration_ms=800)) == NOT_MEASURED
    assert caller_alone(heard=heard({code(): 1}, active_ms=800, duration_ms=800)) == []


def test_frames_that_no_stretch_tells_of_count_all_the_same():
    """A long call has more stretches than are told."""
    assert quiet(heard=Heard(duration_ms=8000.0, level_dbfs=-18.0, active_ms=7900.0, codes={code(): 16})) == []


def test_sound_that_is_not_told_may_have_been_anybodys():
    whole = stretches((0.0, 8000.0, OWN))
    assert quiet(heard=whole) == []
    assert quiet(heard=change(whole, stretches_left_out=1)) == NOT_MEASURED


def test_its_own_signal_cannot_be_heard_where_none_is_played():
    assert caller_alone({"group__caller__play": Play(silence=Silence())}) == NOT_MEASURED


# Whose else


def test_another_calls_signal_is_wrong_audio_and_named():
    its_plan = plan(endpoints=(0, 1), group__count=5)
    [finding] = judge_leg(its_plan, caller_leg(heard=heard({code(1, "pin", 4): 9})))

    assert (finding.check, finding.reason) == (Check.AUDIO, Reason.WRONG_AUDIO)
    assert finding.observed == "the signal of pin 4 at endpoint 1"


@pytest.mark.parametrize("stranger", [code(number=1), str(identity_code("another run"))])
def test_another_code_beside_its_own_is_sure_from_its_second_frame_on(stranger):
    its_plan = {"group__count": 2}

    assert caller_alone(its_plan, heard=heard({code(): 14, stranger: 1})) == NOT_MEASURED
    assert caller_alone(its_plan, heard=heard({code(): 14, stranger: 2})) == WRONG
    assert caller_alone(its_plan, heard=heard({stranger: 1})) == WRONG


def test_another_calls_signal_beside_its_own_is_named():
    [finding] = judge_leg(plan(group__count=2), caller_leg(heard=heard({code(): 14, code(number=1): 2})))

    assert finding.observed == "this call's signal and the signal of pin 1 at endpoint 0"


def test_a_code_that_was_heard_zero_times_was_not_heard():
    assert caller_alone(heard=heard({code(): 0})) == WRONG
    assert caller_alone(heard=heard({code(): 15, "99": 0}, active_ms=7200.0)) == []


def test_audio_without_any_signal_is_wrong_audio():
    assert caller_alone(heard=heard({})) == WRONG


def test_no_trouble_of_an_agent_makes_another_calls_signal():
    late = {"health__media__lateness_ms": 900.0}
    crossed = both(caller={"heard": heard({code(): 8, "99": 7})} | late, callee=late)
    assert crossed.reason is Reason.WRONG_AUDIO
    assert both(caller={"heard": heard({})}, callee=late).result is Result.INCONCLUSIVE


# Other sound in its midst


def foreign(share: float) -> Heard:
    """Own, other, own: 8 s, of which the share is other sound."""
    other_ms = 8000.0 * share
    return stretches((0.0, 2000.0, OWN), (2000.0, 2000.0 + other_ms, None), (2000.0 + other_ms, 8000.0, OWN))


@pytest.mark.parametrize(("share", "found"), [(0.1, []), (0.11, NOT_MEASURED), (0.5, NOT_MEASURED), (0.51, WRONG)])
def test_other_sound_between_passes_up_to_a_tenth_and_fails_beyond_half(share, found):
    assert quiet(heard=foreign(share)) == found


def test_other_sound_is_told_by_share_and_seconds():
    [finding] = judge_leg(plan(**NOBODYS_DIGITS), caller_leg(heard=foreign(0.3), **NO_DIGITS))
    assert finding.observed == "other sound in 30 % of the audible time (2.4 s)"
    assert finding.note == "only maxForeignPercent can say whether that is too much"


@pytest.mark.covers("calls[].expect.<leg>.maxForeignPercent")
@pytest.mark.parametrize(
    ("bound", "share", "found"),
    [
        ("5", 0.05, []), ("5", 0.06, WRONG), ("40", 0.4, []), ("40", 0.41, WRONG), ("60", 0.45, []),
        ("x", 0.0, NOT_MEASURED),
    ],
)  # fmt: skip
def test_a_bound_of_the_test_decides_how_much_other_sound_is_allowed(bound, share, found):
    its_plan = NOBODYS_DIGITS | {"group__expect__caller__max_foreign_percent": bound}
    assert caller_alone(its_plan, **NO_DIGITS, heard=foreign(share)) == found


def test_a_bound_allows_no_other_calls_signal():
    its_plan = NOBODYS_DIGITS | {"group__expect__caller__max_foreign_percent": "50"}
    assert caller_alone(its_plan, **NO_DIGITS, heard=heard({code(): 13, "99": 2})) == WRONG


def test_a_prompt_before_its_own_signal_is_a_note():
    prompt = {"heard": stretches((0.0, 3500.0, None), (3500.0, 8000.0, OWN))} | NO_DIGITS
    verdict = both(caller=prompt, callee=NO_DIGITS, **NOBODYS_DIGITS)

    assert verdict.result is Result.PASSED
    assert verdict.notes == ("caller: other sound for 3.5 s before this call's signal",)


def test_what_digits_leave_of_broken_frames_is_no_other_sound():
    """A digit at 4 s: up to a frame before it and one after it is sound of which nothing can be found."""
    around = stretches((0.0, 3520.0, OWN), (3520.0, 4580.0, None), (4580.0, 8000.0, OWN))
    digit = {"dtmf_received": (change(digits("5")[0], at_ms=4000.0),), "dtmf_sent": ()}
    assert caller_alone(NOBODYS_DIGITS, heard=around, **digit) == []
    assert quiet(heard=around) == NOT_MEASURED
    mine = {"dtmf_sent": digit["dtmf_received"], "dtmf_received": ()}
    echoed = stretches((0.0, 4200.0, OWN), (4200.0, 5080.0, None), (5080.0, 8000.0, OWN))
    assert caller_alone(NOBODYS_DIGITS, heard=echoed, **mine) == [], "a parrot plays the hole back"
    assert callee_alone(NOBODYS_DIGITS, heard=echoed, **mine) == NOT_MEASURED, "nobody plays it back to the callee"


@pytest.mark.parametrize("kind", [GapKind.LOST, GapKind.PAUSE])
def test_what_lost_packets_and_comfort_noise_leave_is_no_other_sound(kind):
    around = stretches((0.0, 3000.0, OWN), (3000.0, 4400.0, None), (4400.0, 8000.0, OWN))
    gap = Gap(at_ms=4200.0, missing_ms=1000.0, kind=kind)
    assert quiet(heard=around, gaps=(gap,)) == []
    assert quiet(heard=around, gaps=(change(gap, at_ms=None),)) == NOT_MEASURED
    assert quiet(heard=around, gaps=(change(gap, kind=GapKind.RESTART),)) == NOT_MEASURED


def in_pieces(other_ms: float) -> Heard:
    """8 s of its own signal, told as one, with so much of other sound in it."""
    whole = Stretch(begin_ms=0.0, end_ms=8000.0, code=OWN, other_ms=other_ms)
    return change(stretches(), codes={code(): 1}, active_ms=8000.0, stretches=(whole,))


@pytest.mark.parametrize(("other_ms", "found"), [(800.0, []), (900.0, NOT_MEASURED), (4100.0, WRONG)])
def test_other_sound_within_a_stretch_of_its_own_is_foreign(other_ms, found):
    assert quiet(heard=in_pieces(other_ms)) == found


def test_other_sound_that_may_be_what_lost_packets_left_is_neither_wrong_nor_right():
    lost = {"gaps": (Gap(at_ms=4000.0, missing_ms=600.0, kind=GapKind.LOST),)}
    bound = NOBODYS_DIGITS | {"group__expect__caller__max_foreign_percent": "5"}
    assert caller_alone(bound, **NO_DIGITS, heard=in_pieces(1300.0)) == WRONG
    assert caller_alone(bound, **NO_DIGITS, heard=in_pieces(1300.0), **lost) == NOT_MEASURED
    [finding] = judge_leg(plan(**NOBODYS_DIGITS), caller_leg(heard=in_pieces(1300.0), **NO_DIGITS, **lost))
    assert finding.observed == "other sound in 4 to 16 % of the audible time (1.3 s)"


@pytest.mark.parametrize(("gaps", "found"), [((), NOT_MEASURED), ((5000.0,), WRONG)])
def test_other_sound_behind_the_last_gap_that_is_told_may_be_at_another(gaps, found):
    told = tuple(Gap(at_ms=at_ms, missing_ms=20.0, kind=GapKind.LOST) for at_ms in gaps)
    assert quiet(heard=foreign(0.6)) == WRONG
    heard = stretches((0.0, 600.0, OWN), (600.0, 4700.0, None), (5500.0, 8000.0, OWN))
    assert quiet(heard=heard, gaps=told, gaps_left_out=1) == found


# Any, silence


@pytest.mark.parametrize("nothing", [None, heard({}, duration_ms=0)])
@pytest.mark.parametrize("expected", list(Audio))
def test_audio_that_was_not_recorded_was_not_measured(nothing, expected):
    assert caller_alone({"group__expect__caller__audio": expected}, heard=nothing) == NOT_MEASURED


def test_any_audio_is_more_than_a_click():
    assert caller_alone(ANY, heard=heard({}, active_ms=200)) == []
    assert caller_alone(ANY, heard=heard({}, active_ms=199)) == NO_AUDIO
    assert caller_alone(ANY, heard=SILENT) == NO_AUDIO


def test_silence_is_measured_in_packets_that_came():
    assert caller_alone(SILENCE, heard=SILENT) == []
    assert NOT_MEASURED[0] in caller_alone(SILENCE, heard=SILENT, received=None)
    assert NOT_MEASURED[0] in caller_alone(SILENCE, heard=SILENT, received=())


@pytest.mark.covers("calls[].expect.<leg>.audio")
def test_audio_where_silence_is_expected_is_unexpected():
    assert caller_alone(SILENCE, heard=heard({}, active_ms=41)) == [(Check.AUDIO, Reason.UNEXPECTED_AUDIO)]
    assert caller_alone(SILENCE, heard=heard({code(): 1}, active_ms=0)) == [(Check.AUDIO, Reason.UNEXPECTED_AUDIO)]


# Both ends


def test_another_calls_audio_in_right_packets_is_wrong_audio():
    other = heard({"99": 15})
    verdict = both(callee={"heard": other}, caller={"heard": other})

    assert (verdict.result, verdict.reason) == (Result.FAILED, Reason.WRONG_AUDIO)
    assert "broken on the way to the callee" in note_of(verdict, CALLER, Check.AUDIO)


def test_silence_towards_the_caller_alone_is_broken_on_that_way():
    verdict = both(caller={"heard": SILENT})

    assert said(verdict.findings) == NO_AUDIO
    assert note_of(verdict, CALLER, Check.AUDIO) == (
        "the callee sent 400 packets to 10.0.0.1:30000; the callee heard this call's signal: "
        "broken on the way to the caller"
    )


def test_a_callee_that_recorded_nothing_tells_no_way():
    verdict = both(caller={"heard": SILENT}, callee={"heard": None})

    assert note_of(verdict, CALLER, Check.AUDIO) == "the callee sent 400 packets to 10.0.0.1:30000"


@pytest.mark.parametrize("audio", [Audio.OWN, Audio.ANY])
def test_silence_from_an_absorber_cannot_be_missed(audio):
    its_plan = {"group__callee__behaviour": Behaviour.ABSORBER, "group__expect__caller__audio": audio}
    verdict = both(caller={"heard": SILENT}, **its_plan)

    assert said(verdict.findings) == NOT_MEASURED


def test_its_own_signal_from_an_absorber_is_not_believed():
    assert said(both(group__callee__behaviour=Behaviour.ABSORBER).findings) == NOT_MEASURED


def test_any_audio_from_an_absorber_was_heard_after_all():
    assert (
        both(group__callee__behaviour=Behaviour.ABSORBER, group__expect__caller__audio=Audio.ANY).result
        is Result.PASSED
    )


def test_audio_where_an_absorber_should_be_silent_is_unexpected():
    its_plan = {"group__callee__behaviour": Behaviour.ABSORBER, "group__expect__caller__audio": Audio.SILENCE}

    assert both(**its_plan).reason is Reason.UNEXPECTED_AUDIO
    assert both(caller={"heard": SILENT}, **its_plan).result is Result.PASSED


def test_no_signal_is_its_own_where_the_call_plays_silence():
    verdict = both(group__caller__play=Play(silence=Silence()), group__expect__callee__audio=None)

    assert said(verdict.findings) == NOT_MEASURED


# A path that plays the caller back to itself

NOTHING_ASKED = {"group__expect__caller": ExpectLeg(), "group__expect__callee": ExpectLeg()}


@pytest.mark.parametrize(
    "callee", [{"heard": SILENT}, {"heard": heard({})}, {"heard": None, "received": (), "dtmf_received": ()}]
)
def test_a_caller_that_hears_itself_of_which_the_callee_got_nothing_is_looped(callee):
    verdict = both(callee=callee, **NOTHING_ASKED)

    assert (Check.AUDIO, Reason.LOOPED) in said(verdict.findings, CALLER)
    assert (verdict.result, verdict.reason) == (Result.FAILED, Reason.LOOPED)
    finding = next(f for f in verdict.findings if f.reason is Reason.LOOPED)
    assert finding.observed == "its own signal in 15 frames"


@pytest.mark.parametrize(
    ("caller", "callee"),
    [
        ({}, {}),
        ({}, {"heard": None}),
        ({}, {"heard": heard({"99": 9})}),
        ({}, {"heard": SILENT, "sections": (change(SECTION, begin_ms=6100.0),)}),
        ({}, {"heard": SILENT, "sections": (change(SECTION, receives=False),)}),
        ({"heard": heard({code(): 1})}, {"heard": SILENT}),
        ({"heard": None}, {"heard": SILENT}),
    ],
)
def test_a_caller_hears_itself_by_its_parrot_or_nobody_knows(caller, callee):
    assert both(caller=caller, callee=callee, **NOTHING_ASKED).result is Result.PASSED


def test_a_caller_that_plays_no_signal_hears_none_of_it():
    tone = {"group__caller__play": Play(silence=Silence())} | NOTHING_ASKED
    assert both(callee={"heard": SILENT}, **tone).result is Result.PASSED


def test_other_sound_is_no_fault_where_nobody_asks_for_audio():
    """Queue music, a mixer, a recording: whatever it is."""
    music = {"heard": heard({}), "received": (SOURCE,)}
    assert both(caller=music, callee=music, **NOTHING_ASKED).result is Result.PASSED
