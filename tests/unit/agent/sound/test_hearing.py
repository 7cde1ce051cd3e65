"""What a recording held: how loud, whose signal when, and what else was audible."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.contract.media import MAX_STRETCHES, Stretch
from agent.sound.hearing import MIN_UNKNOWN_MS, hear, overlay
from agent.sound.identity import FRAME_MS, encode
from agent.sound.samples import tone
from tests.unit.agent import line

CODES = st.integers(0, (1 << 24) - 1)
OWN, OTHER = 0x123456, 0x654321
EIGHT_SECONDS = 17  # frames


def rng(seed=1):
    return np.random.default_rng(seed)


def silence(seconds):
    return np.zeros(int(8000 * seconds), np.int16)


def ms_of(heard, code):
    return sum(one.end_ms - one.begin_ms for one in heard.stretches if one.code == code)


def signal(code=OWN, frames=EIGHT_SECONDS, offset=333):
    """As it comes over G.711, beginning anywhere within a packet and a hop."""
    return line.mu_law(line.delay(encode(code, frames=frames), offset))


def test_digital_silence_is_minus_120_and_never_active():
    heard = hear(np.zeros(16000, np.int16))
    assert (heard.duration_ms, heard.level_dbfs, heard.active_ms, heard.codes) == (2000.0, -120.0, 0.0, {})


def test_an_empty_recording_is_silence():
    assert hear(np.zeros(0, np.int16)).level_dbfs == -120.0


def test_codec_silence_is_not_active_and_its_level_is_told():
    heard = hear(np.full(8000, 8, np.int16))
    assert heard.active_ms == 0
    assert heard.level_dbfs == pytest.approx(-72.2, abs=0.1)


def test_level_is_that_of_the_active_parts():
    samples = np.concatenate([np.zeros(8000, np.int16), tone(1000), np.zeros(8000, np.int16)])
    heard = hear(samples)
    assert heard.active_ms == 1000
    assert heard.level_dbfs == pytest.approx(-15.05, abs=0.06)


def test_codes_are_decimal_strings():
    assert hear(encode(4711, frames=4)).codes == {"4711": 4}


def test_an_identity_signal_twenty_decibels_down_is_active():
    assert hear(line.gain(encode(1, frames=10), -20)).active_ms == 4800


# whose signal when


@given(
    st.integers(0, (1 << 24) - 1), st.sampled_from([line.mu_law, line.a_law]), st.integers(0, 3839), st.floats(-15, 6)
)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_a_good_path_is_all_own(code, codec, cut, decibel):
    samples = line.gain(codec(encode(code, frames=EIGHT_SECONDS)), decibel)[cut:]
    heard = hear(samples, code)
    assert ms_of(heard, code) >= 0.99 * heard.duration_ms
    assert ms_of(heard, None) == 0
    assert heard.codes[str(code)] >= EIGHT_SECONDS - 1


@given(st.integers(0, 1 << 32), st.sampled_from([0.01, 0.03, 0.1]), st.booleans())
@settings(max_examples=20, deadline=None, derandomize=True)
def test_lost_packets_leave_nothing_unknown(seed, share, conceal):
    samples = line.lose(signal(), rng(seed), share=share, conceal=conceal)
    heard = hear(samples, OWN)
    assert ms_of(heard, OWN) >= 0.9 * heard.duration_ms
    assert ms_of(heard, None) <= 0.01 * heard.duration_ms


@given(st.integers(0, 1 << 32))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_what_digits_leave_of_frames_is_own(seed):
    """Digits of 100 ms, 100 ms apart: no frame is whole between them."""
    samples, choose = signal(), rng(seed)
    begin = int(choose.integers(8000, 24000)) // 160 * 160
    for place in range(5):
        samples[begin + 1600 * place : begin + 1600 * place + 800] = 0
    heard = hear(samples, OWN)
    assert ms_of(heard, None) == 0
    assert 350 < heard.duration_ms - ms_of(heard, OWN) < 600, "the digits but for their edges, and the delay"


def test_slips_of_a_jitter_buffer_are_own():
    heard = hear(line.slip(signal(), rng(), count=5), OWN)
    assert ms_of(heard, OWN) >= 0.97 * heard.duration_ms
    assert ms_of(heard, None) == 0


@given(st.integers(0, 1 << 32))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_pieces_between_digits_are_own_though_a_jitter_buffer_moved_them(seed):
    """As a parrot gives them back: 100 ms each, out of step with every frame."""
    choose = rng(seed)
    pieces = []
    for _ in range(5):
        begin = int(choose.integers(0, 20000))
        pieces += [signal()[begin : begin + 800], silence(0.1)]
    heard = hear(np.concatenate([signal(frames=4), silence(0.1), *pieces, signal(frames=4)]), OWN)
    assert ms_of(heard, None) <= 100, "a piece may be shorter than two symbols of its own"


@pytest.mark.parametrize("foreign", [line.speech_like, line.music, lambda r, s: line.noise(r, s, -15)])
def test_foreign_sound_between_own_frames_is_nobodys(foreign):
    ours = unknown = 0.0
    for seed in range(5):
        heard = hear(np.concatenate([signal(frames=2), foreign(rng(seed), 10), signal(frames=2)]), OWN, [OTHER])
        ours, unknown = ours + ms_of(heard, OWN) - 4 * FRAME_MS, unknown + ms_of(heard, None)
    assert ours < 0.04 * unknown


def test_another_codes_signal_is_no_piece_of_ours():
    for seed in range(10):
        one, other = (int(code) for code in rng(seed).integers(1 << 24, size=2))
        foreign = line.lose(encode(other, frames=20), rng(seed), share=0.05, conceal=False)
        heard = hear(np.concatenate([encode(one, frames=2), foreign, encode(one, frames=2)]), one)
        assert ms_of(heard, one) == pytest.approx(4 * FRAME_MS, abs=30)
        assert ms_of(heard, other) >= 0.98 * 20 * FRAME_MS


@pytest.mark.parametrize("seed", range(5))
def test_pieces_of_a_signal_without_one_whole_frame_are_told_apart_from_other_sound(seed):
    """Each third packet is left out, and nothing tells."""
    packets = signal()[:64_000].reshape(-1, 160)
    broken = np.delete(packets, np.s_[seed % 3 :: 3], axis=0).ravel()
    heard = hear(broken, OWN)
    assert heard.codes == {}
    assert heard.pieces_ms > 0.8 * heard.active_ms
    assert hear(signal(), OWN).pieces_ms == 0, "it came whole"
    assert hear(broken).pieces_ms == 0, "nobody's"
    noise = rng(seed).normal(0, 3000, 64_000).astype(np.int16)
    assert hear(noise, OWN).pieces_ms < 0.1 * hear(noise, OWN).active_ms


def test_a_tone_of_the_signals_own_grid_is_not_the_signal():
    code = 0x555555
    heard = hear(np.concatenate([encode(code, frames=2), tone(500 + 150 * 5), encode(code, frames=2)]), code)
    assert ms_of(heard, None) >= 900


def test_stretches_stand_in_order_with_silence_between():
    speech = line.speech_like(rng(), 2)[:16000]
    samples = np.concatenate([signal(frames=4, offset=0), silence(0.5), speech, silence(0.3), signal(OTHER, 4, 0)])
    heard = hear(samples, OWN, [OTHER])
    first, *foreign, last = heard.stretches
    assert (first.code, first.begin_ms) == (OWN, pytest.approx(0, abs=15))
    assert first.end_ms == pytest.approx(4 * FRAME_MS, abs=10)
    assert {one.code for one in foreign} == {None}
    assert 1000 < ms_of(heard, None) < 2000
    assert (last.code, last.begin_ms) == (OTHER, pytest.approx(4 * FRAME_MS + 2800, abs=15))
    assert all(one.end_ms <= two.begin_ms for one, two in zip(heard.stretches, heard.stretches[1:], strict=False))


def test_a_code_of_nobody_is_decoded():
    heard = hear(signal(OTHER, 3), OWN)
    assert heard.codes == {str(OTHER): 3}
    assert ms_of(heard, OTHER) == pytest.approx(3 * FRAME_MS, abs=10)
    assert hear(signal(OTHER, 3)).codes == {str(OTHER): 3}, "nor need it know its own"


def blurred(code, frames=6):
    """Each tone is no purer than a quarter: no decoder of pure tones reads it."""
    samples = encode(code, frames=frames).astype(int)
    noise = line.noise(rng(5), len(samples) / 8000, -11)
    return np.clip(samples + noise, -32768, 32767).astype(np.int16)


def test_known_codes_are_found_where_they_cannot_be_decoded():
    assert hear(blurred(OWN)).codes == {}
    heard = hear(blurred(OWN), OWN)
    assert heard.codes == {str(OWN): 6}
    assert ms_of(heard, OWN) >= 0.97 * heard.duration_ms
    assert hear(blurred(OTHER), OWN, [OTHER]).codes == {str(OTHER): 6}


def test_two_thirds_noise_are_two_thirds_unknown():
    parts = [part for seed in range(4) for part in (signal(frames=2, offset=0), line.noise(rng(seed), 1.92, -20))]
    heard = hear(np.concatenate(parts), OWN)
    assert ms_of(heard, None) == pytest.approx(4 * 1920, rel=0.05)
    assert ms_of(heard, OWN) == pytest.approx(4 * 960, rel=0.1), "and what noise has in common with it by chance"


@pytest.mark.parametrize(("dbfs", "unknown"), [(-40, True), (-55, False)])
def test_what_is_weaker_than_45_decibels_is_nobodys(dbfs, unknown):
    heard = hear(line.noise(rng(), 2, dbfs), OWN)
    assert (ms_of(heard, None) > 1900) is unknown
    assert heard.codes == {}


@pytest.mark.parametrize(("length_ms", "unknown"), [(MIN_UNKNOWN_MS - 25, False), (MIN_UNKNOWN_MS + 20, True)])
def test_a_click_is_no_sound(length_ms, unknown):
    click = line.noise(rng(), length_ms / 1000, -15)
    heard = hear(np.concatenate([silence(1), click, silence(1)]), OWN)
    assert bool(heard.stretches) is unknown


def test_stretches_are_bounded_and_the_rest_is_said():
    """Two calls' signals in turn: none of their stretches can be told with another."""
    turn = np.concatenate([encode(OWN, frames=1), encode(OTHER, frames=1)])
    heard = hear(np.tile(turn, (MAX_STRETCHES + 6) // 2), OWN)
    assert (len(heard.stretches), heard.stretches_left_out) == (MAX_STRETCHES, 6)
    assert heard.stretches[0] == Stretch(begin_ms=0.0, end_ms=pytest.approx(480, abs=15), code=OWN)


@pytest.mark.parametrize("length", [0, 1, 39, 40, 159, 160, 320, 3839, 3840])
def test_the_shortest_recordings_are_read(length):
    assert hear(signal()[400 : 400 + length], OWN, [OTHER]).duration_ms == length / 8


def test_recordings_are_laid_over_each_other():
    one, other = np.array([1, 2, 30000], np.int16), np.array([0, -5, 30000, 7], np.int16)
    assert overlay([one, other]).tolist() == [1, -3, 32767, 7]
    assert overlay([]).tolist() == []


def test_a_good_call_of_ten_seconds_is_heard_in_milliseconds():
    samples, others = signal(frames=21), list(range(100, 164))
    hear(samples, OWN, others)
    fastest_s = float("inf")
    for _ in range(10):
        began = time.thread_time()
        hear(samples, OWN, others)
        fastest_s = min(fastest_s, time.thread_time() - began)
    assert fastest_s < 0.05  # under 15 ms; the bound allows for a busy machine
