"""Tones: a SUT that plays the one that a test asks for, another one, two at once, silence, or something else."""

import re
import subprocess
import sys

import numpy as np
import pytest

from agent.contract.codecs import Codec
from agent.sound.identity import Samples
from tests.component.codecs import media, through
from tests.component.field import PASSED, case, cases, judged
from tests.component.peers.b2bua import OutOfIt
from tests.component.peers.rtp import Rtp
from tests.component.peers.running import Case, Runs, both, echo
from tests.component.peers.uas import Call, Uas
from tests.unit.agent.line import noise, sine, speech_like

PACKET = 160
ASKED = "toneHertz: 1000"
TO_SUT = echo(ASKED).replace('    caller: {dtmf: {digits: "12#"}}\n', "")


def pcmu(samples: Samples) -> bytes:
    """ITU-T G.711."""
    linear = np.clip(samples.astype(np.int32), -32635, 32635)
    magnitude = np.abs(linear) + 132
    segment = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    code = segment << 4 | magnitude >> segment + 3 & 15
    return (~(code | np.where(linear < 0, 0x80, 0)) & 0xFF).astype(np.uint8).tobytes()


class Plays(Uas):
    """A sound of its own, in the place of what it gets."""

    def __init__(self, *waves: np.ndarray) -> None:
        super().__init__()
        self.sound = pcmu(np.rint(sum(waves)).astype(np.int16))

    def media(self, call: Call, packet: Rtp) -> None:
        if packet.payload_type != 0:
            return
        at = call.noted["at"] = (call.noted.get("at", -PACKET) + PACKET) % (len(self.sound) - PACKET)
        call.source.send(0, packet.timestamp, self.sound[at : at + PACKET], marker=packet.marker)


SECONDS = 6.0


def bursts(hertz: float, on_ms: int, off_ms: int) -> np.ndarray:
    on = np.arange(int(8000 * SECONDS)) % (8 * (on_ms + off_ms)) < 8 * on_ms
    return sine(hertz, SECONDS) * on


def within(tone: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A second of the other, the tone, and the other again."""
    whole = other[: int(8000 * SECONDS)].astype(float)
    whole[8000 : 8000 + len(tone)] = tone
    return whole


def speech() -> np.ndarray:
    return speech_like(np.random.default_rng(1), SECONDS)


def hum() -> np.ndarray:
    return noise(np.random.default_rng(2), SECONDS, -20)


@cases(
    case("continuous", lambda: Plays(sine(1000, SECONDS)), TO_SUT),
    case("1 % off", lambda: Plays(sine(1010, SECONDS)), TO_SUT),
    case("a cadence", lambda: Plays(bursts(1000, 250, 250)), TO_SUT),
    case("a beep within speech", lambda: Plays(within(sine(1000, 0.4), speech())), TO_SUT),
)
@pytest.mark.covers("calls[].expect.<leg>.toneHertz")
def test_the_tone_is_heard(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


@cases(
    case("busy", lambda: Plays(bursts(425, 500, 500)), TO_SUT),
    case("4 % off", lambda: Plays(sine(1040, SECONDS)), TO_SUT),
    case("ringback of two", lambda: Plays(sine(440, SECONDS, 6000), sine(480, SECONDS, 6000)), TO_SUT),
    case("a digit", lambda: Plays(sine(941, SECONDS, 6000), sine(1336, SECONDS, 6000)), TO_SUT),
    case("speech", lambda: Plays(speech()), TO_SUT),
    case("noise", lambda: Plays(hum()), TO_SUT),
    case("a click of it", lambda: Plays(within(sine(1000, 0.1), hum())), TO_SUT),
    case("what the caller plays", Uas, TO_SUT),
)
def test_another_sound_is_the_wrong_tone(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, "Failed/WrongTone")
    [failure] = outcome.run["status"]["failures"]
    assert failure["expected"] == "a tone of 1000 Hz"
    if case.name == "busy":
        assert re.match(r"a tone of 425 Hz for \d\.\d s", failure["observed"])


@cases(case("silence", lambda: Plays(np.zeros(int(8000 * SECONDS))), TO_SUT))
def test_silence_is_no_audio(runs: Runs, case: Case) -> None:
    judged(runs, case, "Failed/NoAudio")


PLAYED = "    caller: {play: {tone: {frequencyHertz: 1000}}}\n"


def played(text: str) -> str:
    return text.replace('    caller: {dtmf: {digits: "12#"}}\n', PLAYED)


@cases(
    *(
        case(codec, OutOfIt, played(through(media(codec), media(codec), at_callee=ASKED, at_caller=ASKED)))
        for codec in Codec
    )
)
def test_a_tone_comes_through_each_codec_and_back(runs: Runs, case: Case) -> None:
    judged(runs, case, PASSED)


@cases(case("425 for 1000", OutOfIt, played(both("toneHertz: 425", "toneHertz: 425"))))
def test_a_tone_that_is_not_the_one_that_is_played_fails_at_both_ends(runs: Runs, case: Case) -> None:
    outcome = judged(runs, case, "Failed/WrongTone")
    assert {failure["leg"] for failure in outcome.run["status"]["failures"]} == {"Caller", "Callee"}


def test_the_table_of_tones_through_codecs_has_no_fault() -> None:
    """Few of its frequencies; `make test-long` has them all."""
    asked = ("--step", "500", "--codec", "GSM", "speex", "G729")
    done = subprocess.run(
        [sys.executable, "-m", "tests.component.tone_codecs", *asked],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"\| GSM → speex → speex → GSM \| 150 to 1500 \| (\d+) of \1 \| 0 \|", done.stdout)
