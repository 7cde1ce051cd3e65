"""Each leg gets its events, and is told of once."""

import wave

import pytest

from agent.contract.call import Play, WavReference
from agent.contract.observation import LegObservation, Negotiated, Side
from agent.contract.verdict import Role
from agent.observe.leg import LegFacts
from agent.phone.protocol import CallEnded, CallHandle, DigitReceived, DtmfMethod, MediaActive, MessageSeen
from agent.report.evidence import Evidence
from agent.run.health import HealthMonitor
from agent.run.leg_events import MAX_OF_A_KIND, MAX_OTHERS
from agent.run.legs import LegBook
from agent.run.playlist import Playlist
from agent.sound.samples import tone, write_wav
from agent.timers import Timers
from tests.unit.agent.world import plan
from tests.unit.fake_clock import FakeClock
from tests.unit.sip_messages import request, response

ONE = CallHandle(1)


class Book:
    """A leg book on a fake clock, and what it told."""

    def __init__(self):
        self.clock, self.timers = FakeClock(), Timers()
        self.told: list[LegObservation] = []
        self.ms = 0
        self.book = LegBook(
            plan=plan(),
            clock=self.clock,
            timers=self.timers,
            health=HealthMonitor(throttled=lambda: 0.0, drops=lambda: 0, worst_ms=lambda _: 0.0),
            evidence=Evidence(plan(), self.clock),
            on_leg=self.told.append,
        )

    def begin(self, *, call_id: str | None = "c1", handle: CallHandle = ONE):
        facts = LegFacts(
            role=Role.CALLEE, endpoint=0, call=None, number=None, call_key=None, sip_call_id=call_id, started_at=0.0
        )
        self.book.begin(facts, handle)

    def end(self, recording=None, handle: CallHandle = ONE):
        nothing = {"stack_sent": None, "stack_received": None, "rtt_ms": None, "media_s": None}
        at_s = self.clock.now_s
        heard = {} if recording is None else {"127.0.0.1:2": recording}
        self.book.record(CallEnded(at_s=at_s, call=handle, local_reason="r", recordings=heard, **nothing))

    def message(self, text, *, sent=False):
        self.clock.now_s += 0.001
        self.ms += 1
        self.book.record(MessageSeen(at_s=self.clock.now_s, sent=sent, peer="p", text=text))

    def settle(self):
        self.clock.now_s += 1
        self.timers.run(self.clock.now_s)


@pytest.fixture
def it():
    return Book()


def test_a_message_that_came_before_its_call_is_the_calls(it):
    it.message(request())
    it.begin()
    it.end()
    it.settle()
    assert [len(leg.messages) for leg in it.told] == [1]


def test_a_message_soon_after_the_end_is_still_the_calls(it):
    it.begin()
    it.end()
    it.message(request("BYE", to_tag="t"))
    assert it.told == []
    it.settle()
    assert [len(leg.messages) for leg in it.told] == [1]
    assert it.book.open == 0


def test_of_many_unclaimed_messages_some_are_kept(it):
    for _ in range(1000):
        it.message(request())
    it.begin()
    it.end()
    it.settle()
    assert len(it.told[0].messages) == 16


def test_a_flood_within_a_call_is_cut_and_its_end_is_taken(it):
    it.begin()
    for _ in range(MAX_OTHERS + 10):
        it.message(request())
        it.book.record(DigitReceived(at_s=1.0, call=ONE, digit="1", method=DtmfMethod.RFC4733))
    it.end()
    it.settle()
    assert it.told[0].local_reason == "r"
    assert it.told[0].events_left_out == 10 + MAX_OTHERS + 10 - MAX_OF_A_KIND


@pytest.mark.parametrize("method", ["OPTIONS", "INFO", "MESSAGE", "INVITE", "ACK", "CANCEL", "x"])
@pytest.mark.parametrize("count", [2000, 6000])
def test_a_flood_of_messages_in_a_call_loses_none_that_makes_its_dialog(it, method, count):
    it.begin()
    it.message(request("INVITE", key="k"))
    it.message(response(200), sent=True)
    it.message(request("ACK", to_tag="t"))
    for number in range(2, count):
        it.message(request(method, to_tag="t", cseq=number))
        it.message(response(200, method=method, cseq=number), sent=True)
    it.message(request("BYE", to_tag="t", cseq=count))
    it.end()
    it.settle()
    (leg,) = it.told
    assert (leg.final_code, leg.acknowledged, leg.ended_by) == (200, True, Side.REMOTE)
    assert leg.progress.bye_ms == pytest.approx(it.ms - 1)
    assert leg.events_left_out > 0


def test_an_end_that_comes_twice_counts_once_and_leaves_no_file(it, tmp_path):
    it.begin()
    it.end()
    write_wav(tmp_path / "late.wav", tone(440))
    it.end(tmp_path / "late.wav")
    it.settle()
    assert len(it.told) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_leg_without_a_call_id_is_told_too(it):
    it.begin(call_id=None)
    it.end()
    it.settle()
    assert len(it.told) == 1


def test_events_of_calls_that_nobody_knows_are_ignored(it):
    it.end(handle=CallHandle(99))
    it.book.because(CallHandle(99), "nobody")
    assert it.told == []


def test_concluded_early_it_is_not_told_again(it):
    it.begin()
    it.end()
    it.book.conclude_all()
    it.settle()
    assert len(it.told) == 1


def test_media_that_becomes_active_again_keeps_its_window(it):
    it.begin()
    for _ in range(2):
        it.book.record(MediaActive(at_s=it.clock.now_s, call=ONE, negotiated=Negotiated(), local_rtp=None))
    it.end()
    it.settle()
    assert it.told[0].health.throttled_ms == 0.0


@pytest.mark.parametrize("content", [b"", b"not a wav"])
def test_a_recording_that_cannot_be_read_was_not_measured(it, tmp_path, content):
    (tmp_path / "r.wav").write_bytes(content)
    it.begin()
    it.end(tmp_path / "r.wav")
    it.settle()
    assert it.told[0].heard is None
    assert list(tmp_path.iterdir()) == []


def test_a_recording_without_a_sample_was_not_measured(it, tmp_path):
    write_wav(tmp_path / "r.wav", tone(440)[:0])
    it.begin()
    it.end(tmp_path / "r.wav")
    it.settle()
    assert it.told[0].heard is None


def test_a_wav_file_is_played_as_it_is_and_stays(tmp_path):
    (tmp_path / "prompts").mkdir()
    path = tmp_path / "prompts" / "hello.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(32000))
    playlist = Playlist(tmp_path, str(tmp_path))
    assert playlist.playback(Play(wav=WavReference(config_map_name="prompts", key="hello.wav")), 5).wav == path
    playlist.over(5)
    assert path.exists()
