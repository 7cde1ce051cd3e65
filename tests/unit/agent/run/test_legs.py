"""Each leg gets its events, and is told of once."""

import wave

import pytest

from agent.contract.call import Play, WavReference
from agent.contract.media import Negotiated
from agent.contract.observation import LegObservation, Side
from agent.contract.verdict import Role
from agent.observe.leg import LegFacts
from agent.phone.protocol import (
    CallConfirmed,
    CallEnded,
    CallHandle,
    ConnectionSeen,
    DigitReceived,
    DtmfMethod,
    IncomingCall,
    MediaActive,
    MessageSeen,
    NotSent,
    PutOff,
    StackRefused,
    Unparsed,
)
from agent.report.evidence import Evidence
from agent.run.health import HealthMonitor, SocketDrops, UdpSocket
from agent.run.leg_events import MAX_OF_A_KIND, MAX_OTHERS
from agent.run.legs import MAX_WAITING, LegBook
from agent.run.playlist import Playlist
from agent.sip.text import parse_head
from agent.sound.samples import tone, write_wav
from agent.timers import Timers
from tests.unit.agent.judge.wire import SUT, carrier
from tests.unit.agent.world import plan
from tests.unit.fake_clock import FakeClock
from tests.unit.sip_messages import message, request, response

ONE = CallHandle(1)


class Book:
    """A leg book on a fake clock, and what it told."""

    def __init__(self):
        self.clock, self.timers = FakeClock(), Timers()
        self.told: list[LegObservation] = []
        self.ms = 0
        self.sockets: list[UdpSocket] = []
        self.book = LegBook(
            plan=plan(),
            clock=self.clock,
            timers=self.timers,
            health=HealthMonitor(
                throttled=lambda: 0.0, drops=SocketDrops(lambda: self.sockets, None), worst_ms=lambda _: 0.0
            ),
            evidence=Evidence(plan(), self.clock),
            on_leg=self.told.append,
            on_invite=self.came,
        )

        self.answers_to_invites: list[LegFacts] = []

    def came(self, _: MessageSeen) -> LegFacts | None:
        return self.answers_to_invites.pop() if self.answers_to_invites else None

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

    def message(self, text):
        self.clock.now_s += 0.001
        self.ms += 1
        self.book.record(message(self.clock.now_s, text, sent=False))

    def sent(self, text):
        self.clock.now_s += 0.001
        self.ms += 1
        self.book.record(message(self.clock.now_s, text, sent=True))

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
    it.sent(response(200))
    it.message(request("ACK", to_tag="t"))
    for number in range(2, count):
        it.message(request(method, to_tag="t", cseq=number))
        it.sent(response(200, method=method, cseq=number))
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


def test_health_counts_from_the_invite_and_apart_from_the_answer(it):
    it.begin()
    it.clock.now_s += 1
    it.message(response(200))
    it.clock.now_s += 3
    it.book.record(CallConfirmed(at_s=it.clock.now_s, call=ONE))
    it.end()
    it.settle()
    health = it.told[0].health
    assert (health.setup.over_ms, health.media.over_ms, health.throttled_ms) == (1001, 3000, 0.0)


def test_a_call_that_was_not_answered_has_its_setups_health(it):
    it.begin()
    it.clock.now_s += 2
    it.end()
    it.settle()
    health = it.told[0].health
    assert (health.setup.over_ms, health.media.over_ms, health.lateness_ms) == (2000, None, 0.0)


def test_what_was_dropped_at_a_calls_own_sockets_is_its_own(it):
    it.begin()
    it.sockets += [UdpSocket(inode="1", port=4000, drops=9), UdpSocket(inode="2", port=5000, drops=2)]
    negotiated = Negotiated(codec="PCMU", telephone_event_payload_type=None, remote_rtp=None)
    it.book.record(MediaActive(at_s=it.clock.now_s, call=ONE, negotiated=negotiated, local_rtp="10.0.0.7:4000"))
    it.clock.now_s += 2
    it.end()
    it.settle()
    assert (it.told[0].health.rtp_drops, it.told[0].health.socket_drops) == (9, 0)


def test_the_stacks_word_of_the_answer_serves_where_the_message_could_not_be_read(it):
    it.begin()
    it.clock.now_s += 2
    it.book.record(CallConfirmed(at_s=it.clock.now_s, call=ONE))
    it.end()
    it.settle()
    assert it.told[0].health.setup.over_ms == 2000


# --- legs that begin with an INVITE ---


def came(call_id="c1", branch="b1"):
    return LegFacts(
        role=Role.CALLEE, endpoint=0, call=None, number=None, call_key=None, sip_call_id=call_id, started_at=0.0,
        branch=branch,
    )  # fmt: skip


def call_told(it, invite, handle=ONE):
    return it.book.attach(IncomingCall(at_s=it.clock.now_s, call=handle, account=None, sip_call_id="c1", invite=invite))


def test_an_invite_begins_a_leg_that_its_call_joins(it):
    it.answers_to_invites = [came()]
    it.message(request(branch="b1"))
    assert it.book.open == 1
    assert call_told(it, request(branch="b1"))
    assert it.book.open == 1
    it.end()
    it.clock.now_s += 10
    it.settle()
    assert [len(leg.messages) for leg in it.told] == [1]


def test_an_invite_that_the_stack_refuses_is_a_leg(it):
    it.answers_to_invites = [came()]
    it.message(request(branch="b1"))
    it.sent(response(488, branch="b1"))
    it.book.record(StackRefused(at_s=it.clock.now_s, sip_call_id="c1", code=488))
    it.settle()
    (seen,) = it.told
    assert (seen.final_code, seen.local_reason) == (488, "our SIP stack refused the INVITE with 488")
    assert it.book.open == 0


def test_an_invite_that_is_sent_again_after_its_leg_is_over_begins_no_other(it):
    """Our refusal was lost on its way: the stack sends it again, and nothing is new."""
    it.answers_to_invites = [came(), came()]
    it.message(request(branch="b1"))
    assert call_told(it, request(branch="b1"))
    it.sent(response(486, branch="b1"))
    it.end()
    it.settle()
    for _ in range(3):
        it.message(request(branch="b1"))
        it.sent(response(486, branch="b1"))
        it.settle()
    assert [leg.final_code for leg in it.told] == [486]
    assert it.book.open == 0


def test_told_to_come_again_otherwise_it_is_the_same_leg(it):
    it.answers_to_invites = [came()]
    it.message(request(branch="b1"))
    it.sent(response(422, branch="b1"))
    it.clock.now_s += 0.1
    it.message(request(branch="b2", cseq=2))
    assert call_told(it, request(branch="b2", cseq=2))
    it.sent(response(200, branch="b2", cseq=2))
    it.end()
    it.settle()
    assert [(leg.final_code, len(leg.messages)) for leg in it.told] == [(200, 4)]


def test_a_call_that_the_stack_made_of_the_refused_try_is_the_same_leg_too(it):
    it.answers_to_invites = [came()]
    it.message(request(branch="b1"))
    assert call_told(it, request(branch="b1"))
    it.sent(response(422, branch="b1"))
    it.end()
    it.clock.now_s += 0.1
    it.message(request(branch="b2", cseq=2))
    assert call_told(it, request(branch="b2", cseq=2), CallHandle(2))
    it.settle()
    assert it.told == []
    it.sent(response(200, branch="b2", cseq=2))
    it.end(handle=CallHandle(2))
    it.settle()
    assert [(leg.final_code, len(leg.messages)) for leg in it.told] == [(200, 4)]
    assert it.book.open == 0


def test_the_same_invite_by_another_way_is_no_other_leg(it):
    it.answers_to_invites = [came(branch="b2"), came()]
    it.message(request(branch="b1"))
    it.message(request(branch="b2"))
    it.sent(response(482, branch="b2"))
    assert it.book.open == 1
    assert call_told(it, request(branch="b1"))
    it.settle()
    assert it.told == [], "what was refused is the other way's"
    it.end()
    it.settle()
    assert it.told[0].dialog.merged == 1


def test_another_callers_invite_under_the_same_call_id_is_another_leg(it):
    it.answers_to_invites = [came(branch="b2"), came()]
    it.message(request(branch="b1"))
    it.message(request(branch="b2", from_tag="g"))
    assert it.book.open == 2
    assert call_told(it, request(branch="b2", from_tag="g"))
    it.sent(response(200, branch="b2", from_tag="g", to_tag="mine"))
    it.sent(response(486, branch="b1"))
    it.end()
    it.settle()
    it.settle()
    assert sorted(leg.final_code for leg in it.told) == [200, 486]


def test_an_invite_that_the_stack_forgets_is_a_leg_in_the_end(it):
    it.answers_to_invites = [came()]
    it.message(request(branch="b1"))
    for _ in range(60):
        it.settle()
    assert [leg.local_reason for leg in it.told] == ["our SIP stack did not answer the INVITE"]


@pytest.mark.parametrize("over", [False, True], ids=["up", "over"])
def test_an_invite_with_the_branch_of_another_call_says_so_where_the_stack_took_it_for_that(it, *, over):
    it.answers_to_invites = [came("c2"), came()]
    it.message(request(branch="b1"))
    assert call_told(it, request(branch="b1"))
    it.message(request(call_id="c2", branch="b1"))
    if over:
        it.end()
        it.settle()
    for _ in range(60):
        it.settle()
    assert it.told[-1].local_reason == (
        "our SIP stack did not answer the INVITE, which has the branch of another call's (RFC 3261 §8.1.1.7)"
    )


def test_keep_alives_are_no_legs_not_even_of_one_whose_invite_could_not_be_read(it):
    """RFC 5626 §3.5.1, §4.4; RFC 3261 §7.5; and what others send (a NUL, `jaK`)."""
    it.begin(call_id="")
    for text in ("", "\r\n", "\r\n\r\n", "\0", "\0\0\0\0", "jaK", "\1\0\0\x08!\x12\xa4B" + 12 * "i"):
        it.book.record(Unparsed(at_s=it.clock.now_s, peer="p", local="l", protocol="UDP", text=text))
    it.end()
    it.settle()
    assert [leg.unparsed for leg in it.told] == [()]


def test_what_is_left_when_all_is_concluded_is_told_once(it):
    it.answers_to_invites = [came()]
    it.message(request(branch="b1"))
    it.book.conclude_all()
    it.settle()
    assert len(it.told) == 1


def test_a_flood_of_invites_makes_legs_of_calls_alone(it):
    it.answers_to_invites = [came(f"flood-{n}") for n in reversed(range(200))]
    for n in range(200):
        it.message(request(call_id=f"flood-{n}", branch="b"))
    assert it.book.open == MAX_WAITING


def test_a_call_whose_invite_began_no_leg_says_so(it):
    assert not call_told(it, "unreadable")


def test_what_could_not_be_read_or_sent_is_its_legs_by_its_call_id(it):
    it.begin()
    at_s = it.clock.now_s
    for text in ("SIP/2.0 200\r\nCall-ID: c1\r\nFrom: <<<", "SIP/2.0 200\r\nI:c2", "\0\0"):
        it.book.record(Unparsed(at_s=at_s, peer="p", local="l", protocol="UDP", text=text))
    for text in (request("BYE"), request("BYE", "c2"), ""):
        it.book.record(NotSent(at_s=at_s, peer="p", head=parse_head(text), reason="why"))
    it.end()
    it.settle()
    (seen,) = it.told
    assert ([m.text[-3:] for m in seen.unparsed], [a.name for a in seen.actions]) == (["<<<"], ["bye"])


def test_a_leg_has_the_connections_of_its_messages(it):
    it.begin()
    at_s = it.clock.monotonic_s()
    for number in (1, 2):
        opened = carrier(number=number, opened_s=at_s - 0.1, up_s=at_s)
        it.book.record(ConnectionSeen(at_s=at_s, connection=opened))
    it.book.record(PutOff(at_s=at_s, head=parse_head(request()), connection=2))
    it.end()
    it.settle()
    (seen,) = it.told
    assert [(one.protocol, one.peer, one.end) for one in seen.connections] == [("TCP", SUT, None)]


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
