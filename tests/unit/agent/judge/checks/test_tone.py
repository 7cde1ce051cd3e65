"""audio, of a tone: what crossed the wire in, the verdict out."""

from typing import Any

import numpy as np
import pytest

from agent.contract.call import Behaviour, Play, PlaySignal, Tone
from agent.contract.expect import Audio, ExpectLeg
from agent.contract.media import GapKind
from agent.contract.observation import Health
from agent.contract.verdict import Check, Reason, Result, Role
from agent.judge.checks import RULE_OF
from agent.judge.checks.tone import CARRIED_HZ, MIN_MS
from agent.sound.identity import Samples
from agent.tap.model import TapGap
from controller.run.wording import sentence
from tests.unit.agent.judge.codec_wire import codec_sdp
from tests.unit.agent.judge.wire import OURS, RELAY, SIGNAL, callee, caller, noise, rtp, silence, the_plan, verdict
from tests.unit.agent.line import dtmf, sine, speech_like
from tests.unit.builders import call_group, change

WANTED = 1000
NOTHING: dict[str, Any] = {
    "group__caller__dtmf": None, "group__expect__caller": ExpectLeg(), "group__expect__callee": ExpectLeg(),
    "group__caller__play": Play(tone=Tone(frequency_hertz=WANTED)),
}  # fmt: skip
AT_CALLEE = NOTHING | {"group__expect__callee": ExpectLeg(tone_hertz=WANTED)}
AT_CALLER = NOTHING | {"group__expect__caller": ExpectLeg(tone_hertz=WANTED)}
QUIET_STREAMS = (rtp(digits=()), rtp(sent=True, digits=()))


def tone(hertz: float = WANTED, seconds: float = 4.0, amplitude: float = 8000) -> Samples:
    return np.rint(sine(hertz, seconds, amplitude)).astype(np.int16)


def at(begin_s: float, sound: Samples, under: Samples | None = None) -> Samples:
    """4 s of silence, or of another sound, with that from then on."""
    whole = silence() if under is None else under.copy()
    begin = int(8000 * begin_s)
    whole[begin : begin + len(sound)] = sound
    return whole


def heard(sound: Samples, **changes: Any) -> Any:
    """What becomes of a call whose callee heard this, and whose caller heard the tone."""
    end = {"streams": QUIET_STREAMS, "sound": sound} | changes
    return verdict(caller(streams=QUIET_STREAMS, sound=tone()), callee(**end), **AT_CALLEE)


def why(verdict: Any) -> tuple[Reason | None, str | None]:
    [finding] = verdict.findings
    assert finding.check is Check.AUDIO
    assert finding.expected == "a tone of 1000 Hz"
    return finding.reason, finding.observed


@pytest.mark.covers("calls[].expect.<leg>.toneHertz")
@pytest.mark.parametrize(
    "sound",
    [tone(), tone(990), tone(1014), at(1.0, tone(seconds=0.21)), at(1.0, tone(seconds=0.4), SIGNAL),
     at(2.0, tone(seconds=1.0), speech_like(np.random.default_rng(2), 4.0)[:32000]),
     tone() * (np.arange(32000) % 4000 < 2000)],
    ids=["continuous", "1 % low", "1.4 % high", "a beep", "within the signal", "within speech", "reorder"],
)  # fmt: skip
def test_a_tone_that_is_heard_passes(sound):
    assert heard(sound.astype(np.int16)).result is Result.PASSED


@pytest.mark.parametrize(
    ("sound", "observed"),
    [
        (tone(425), "a tone of 425 Hz for 4.0 s"),
        (tone(1030), "a tone of 1030 Hz for 4.0 s"),
        (at(1.0, tone(seconds=0.15), speech_like(np.random.default_rng(3), 4.0)[:32000]), None),
        (noise(), "sound for 4.0 of 4.0 s and no tone in it"),
        (SIGNAL, "sound for 4.0 of 4.0 s and no tone in it"),
        ((tone(440) / 2 + tone(480) / 2).astype(np.int16), "sound for 4.0 of 4.0 s and no tone in it"),
        (dtmf(np.random.default_rng(4), 4.0)[:32000], None),
        (at(2.0, tone(620, 2.0), tone(480)), "a tone of 480 Hz for 2.0 s and a tone of 620 Hz for 2.0 s"),
    ],
    ids=["another", "3 % high", "a click", "noise", "identity", "ringback", "digits", "two others"],
)
def test_another_sound_is_the_wrong_tone(sound, observed):
    reason, seen = why(heard(sound))
    assert reason is Reason.WRONG_TONE
    assert observed is None or seen == observed


def test_nobody_looks_for_tones_where_no_test_asks_for_one():
    """That takes its time at a leg's end, while other calls are up."""
    legs = [
        callee(streams=QUIET_STREAMS, sound=tone()).leg(the_plan(Role.CALLEE, **asked))
        for asked in (AT_CALLER, NOTHING)
    ]
    assert [leg.heard and leg.heard.tones is not None for leg in legs] == [True, False]


def test_silence_is_no_audio():
    assert why(heard(silence())) == (Reason.NO_AUDIO, "nothing but silence for 4.0 s")


def test_a_tone_and_the_rest_are_told():
    _, seen = why(heard(at(0.0, tone(425, 2.0), noise())))
    assert seen == "a tone of 425 Hz for 2.0 s and other sound for 2.0 s"


def test_it_is_said_in_a_sentence():
    [finding] = heard(tone(425)).findings
    assert "callee heard a tone of 425 Hz for 4.0 s, expected a tone of 1000 Hz" in sentence(finding)


def test_both_may_be_asked():
    """Its own signal with a beep in it."""
    asked = AT_CALLEE | {
        "group__expect__callee": ExpectLeg(tone_hertz=WANTED, audio=Audio.OWN, max_foreign_percent="50"),
        "group__caller__play": Play(signal=PlaySignal.IDENTITY),
    }
    ends = {"streams": QUIET_STREAMS}
    both = verdict(caller(sound=silence(), **ends), callee(sound=at(1.0, tone(seconds=0.5), SIGNAL), **ends), **asked)
    alone = verdict(caller(sound=silence(), **ends), callee(sound=SIGNAL, **ends), **asked)
    other = verdict(caller(sound=silence(), **ends), callee(sound=tone(), **ends), **asked)
    assert both.result is Result.PASSED
    assert why(alone)[0] is Reason.WRONG_TONE
    assert [finding.reason for finding in other.findings] == [Reason.WRONG_AUDIO]
    quiet = verdict(caller(sound=silence(), **ends), callee(sound=silence(), **ends), **asked)
    assert [finding.reason for finding in quiet.findings] == [Reason.NO_AUDIO]


# What is not measured


def test_nothing_that_came_is_not_measured_as_a_tone():
    nothing = heard(silence(), streams=(rtp(sent=True, digits=()),))
    assert {finding.reason for finding in nothing.findings} == {Reason.NO_RTP, Reason.NOT_MEASURED}


def test_what_was_not_decoded_is_not_measured():
    assert why(heard(np.zeros(0, np.int16)))[0] is Reason.NOT_MEASURED


@pytest.mark.parametrize(("format_", "hertz"), [("3 GSM/8000", 2600), ("18 G729/8000", 3200), ("9 G722/8000", 3900)])
@pytest.mark.parametrize("sound", [silence(), noise()], ids=["silence", "noise"])
def test_a_codec_that_cannot_carry_it_is_not_blamed(format_, hertz, sound):
    asked = NOTHING | {"group__expect__callee": ExpectLeg(tone_hertz=hertz)}
    number = int(format_.partition(" ")[0])
    media = (rtp(digits=(), payload_types={number: 200}), rtp(sent=True, digits=()))
    offered = callee(
        offer=codec_sdp(RELAY, format_), answer=codec_sdp(OURS, format_), streams=media, sound=sound
    )  # fmt: skip
    over = verdict(caller(streams=QUIET_STREAMS), offered, **asked)
    [finding] = over.findings
    assert finding.reason is Reason.NOT_MEASURED
    assert "may not come through" in (finding.note or "")


@pytest.mark.parametrize("sound", [silence(), noise()], ids=["silence", "noise"])
def test_nor_is_that_of_the_other_end(sound):
    """The SUT transcodes from what the caller sent."""
    gsm = codec_sdp(RELAY, "3 GSM/8000")
    media = (rtp(digits=(), payload_types={3: 200}), rtp(sent=True, digits=()))
    asked = NOTHING | {"group__expect__callee": ExpectLeg(tone_hertz=3000)}
    far = caller(offer=codec_sdp(OURS, "3 GSM/8000"), answer=gsm, streams=media, sound=tone())
    over = verdict(far, callee(streams=QUIET_STREAMS, sound=sound), **asked)
    [finding] = over.findings
    assert finding.reason is Reason.NOT_MEASURED
    assert "codecs of this leg and of the other" in (finding.note or "")


def test_a_codec_that_carries_it_excuses_nothing():
    assert why(heard(noise()))[0] is Reason.WRONG_TONE
    assert all(lowest <= 350 and highest >= 1400 for lowest, highest in CARRIED_HZ.values())


def test_what_is_too_weak_is_not_measured():
    assert why(heard(tone(425, amplitude=190)))[0] is Reason.NOT_MEASURED


def test_more_tones_than_are_told_may_have_been_it():
    melody = np.concatenate([tone(425 + 30 * step, 0.25) for step in range(16)])
    assert why(heard(melody))[0] is Reason.NOT_MEASURED


def test_a_beep_may_have_been_in_what_was_lost():
    burst = TapGap(at_s=11.4, missing_ms=400.0, kind=GapKind.LOST, packets=20)
    few = TapGap(at_s=11.4, missing_ms=100.0, kind=GapKind.LOST, packets=5)
    other = tone(425)
    for gap, sound, expected in (
        (burst, other, Reason.NOT_MEASURED),
        (few, other, Reason.WRONG_TONE),
        (few, at(1.0, tone(seconds=0.18), noise()), Reason.NOT_MEASURED),
    ):
        lossy = (rtp(digits=(), gaps=(gap,), gap_count=1), rtp(sent=True, digits=()))
        assert why(heard(sound, streams=lossy))[0] is expected


def test_a_beep_may_have_been_broken_by_what_was_lost():
    """Of 250 ms, less the packet in its middle, neither part is long enough to be told."""
    beep = tone(seconds=0.25)
    beep[960:1120] = 0
    for gap_s, sound, expected in (
        (1.14, at(1.0, beep), Reason.NOT_MEASURED),
        (1.14, at(1.0, beep, SIGNAL), Reason.NOT_MEASURED),
        (3.0, at(1.0, beep), Reason.WRONG_TONE),
        (3.0, SIGNAL, Reason.WRONG_TONE),
        (1.14, broken(tone(425)), Reason.WRONG_TONE),
        (1.14, broken(tone(425) * (np.arange(32000) % 8000 < 4000)), Reason.WRONG_TONE),
    ):
        gap = TapGap(at_s=10.0 + gap_s, missing_ms=20.0, kind=GapKind.LOST, packets=1)
        lossy = (rtp(digits=(), gaps=(gap,), gap_count=1), rtp(sent=True, digits=()))
        assert why(heard(sound.astype(np.int16), streams=lossy))[0] is expected


def broken(sound: Samples) -> Samples:
    """Without the packet that came 1.12 s after its begin."""
    sound[8960:9120] = 0
    return sound


def test_trouble_of_an_agent_excuses_it_at_either_end():
    assert why(heard(tone(425), health=Health(rtp_drops=3)))[0] is Reason.AGENT_OVERLOADED
    ends = {"streams": QUIET_STREAMS}
    sick = caller(**ends, sound=tone(), health=Health(rtp_drops=3))
    theirs = verdict(sick, callee(**ends, sound=tone(425)), **AT_CALLEE)
    assert why(theirs)[0] is Reason.PEER_LOST


# Both ends


@pytest.mark.parametrize(
    ("at_callee", "where"),
    [(tone(), "heard it: broken on the way to the caller"), (tone(425), "did not hear it either")],
)
def test_what_a_parrot_heard_tells_which_way_is_broken(at_callee, where):
    ends = {"streams": QUIET_STREAMS}
    over = verdict(caller(**ends, sound=tone(425)), callee(**ends, sound=at_callee), **AT_CALLER)
    [finding] = over.findings
    assert finding.reason is Reason.WRONG_TONE
    assert where in (finding.note or "")


@pytest.mark.parametrize(
    ("at_callee", "behaviour", "result"),
    [
        (silence(), Behaviour.PARROT, Result.INCONCLUSIVE),
        (tone(), Behaviour.PARROT, Result.PASSED),
        (noise(), Behaviour.PARROT, Result.PASSED),
        (silence(), Behaviour.ABSORBER, Result.PASSED),
    ],
    ids=["it heard nothing", "it heard it", "it heard something", "it plays nothing back"],
)
def test_a_tone_that_the_parrot_cannot_have_played_back_is_not_its_own(at_callee, behaviour, result):
    """A path that sends the caller's tone back to it."""
    ends = {"streams": QUIET_STREAMS}
    looped = verdict(caller(**ends, sound=tone()), callee(**ends, sound=at_callee), behaviour=behaviour, **AT_CALLER)
    assert looped.result is result
    if result is Result.INCONCLUSIVE:
        assert why(looped) == (Reason.NOT_MEASURED, "a tone of 1000 Hz for 4.0 s")


def test_a_tone_of_the_suts_own_needs_no_parrot():
    ends = {"streams": QUIET_STREAMS}
    asked = AT_CALLER | {"group__caller__play": Play(tone=Tone(frequency_hertz=425))}
    assert verdict(caller(**ends, sound=tone()), callee(**ends, sound=silence()), **asked).result is Result.PASSED


def test_a_tone_that_the_sut_makes_is_not_to_come_from_the_other_end():
    ends = {"streams": QUIET_STREAMS}
    asked = AT_CALLER | {"group__caller__play": Play(signal=PlaySignal.IDENTITY)}
    over = verdict(caller(**ends, sound=tone(425)), callee(**ends, sound=SIGNAL), **asked)
    [finding] = over.findings
    assert (finding.reason, finding.note) == (Reason.WRONG_TONE, None)


def test_what_an_absorber_does_not_play_back_is_not_measured():
    ends = {"streams": QUIET_STREAMS}
    over = verdict(
        caller(**ends, sound=silence()), callee(**ends, sound=tone()), behaviour=Behaviour.ABSORBER, **AT_CALLER
    )
    assert why(over)[0] is Reason.NOT_MEASURED


def test_it_is_not_asked_together_with_silence():
    leg = ExpectLeg(audio=Audio.SILENCE, tone_hertz=425)
    rule = RULE_OF[Check.AUDIO]
    fault = rule.impossible(change(call_group(), expect__callee=leg), None)
    assert fault is not None
    assert fault.field == "expect.callee.toneHertz"


def test_a_beep_of_200_ms_is_enough_wherever_it_begins():
    for begin_s in np.arange(1.0, 1.02, 0.0013):
        assert heard(at(float(begin_s), tone(seconds=0.2))).result is Result.PASSED
    assert MIN_MS < 200
