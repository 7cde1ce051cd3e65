"""Which legs leave evidence; and that where it goes decides nothing."""

import threading

import pytest

from agent.contract.observation import LegObservation, SipMessage
from agent.contract.plan import Evidence as Asked
from agent.contract.plan import Keep
from agent.contract.registration import RegistrationObservation, RegistrationOutcome
from agent.contract.result import KeptLine
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.report.evidence import MAX_FAULT, SOUND_S, WRITE_S, Evidence, capture_bytes
from agent.report.evidence_held import Held
from tests.unit.builders import caller_leg, change, plan, registration
from tests.unit.fake_clock import FakeClock

FINDING = Finding(call="pin", number=0, endpoint=0, leg=Role.CALLER, check=Check.DTMF, reason=Reason.NOT_MEASURED)
MESSAGE = SipMessage(at_ms=0.0, sent=True, peer="p", text="INVITE sip:b SIP/2.0\r\n")
GOOD = caller_leg(messages=(MESSAGE,))
BAD = caller_leg(messages=(MESSAGE,), findings=(FINDING,))
FOLDER = "pin-g1-0f5b3c4e/ep0/pin-0/Caller"


class Kept:
    """An agent's evidence in a directory, and the legs it passed on."""

    def __init__(self, tmp_path, keep: Keep | None, *, callee_declared=True, **options):
        self.directory = tmp_path / "kept"
        self.capture = tmp_path / "call.pcap"
        asked = Asked(keep=keep, directory=str(self.directory)) if keep else None
        self.clock = FakeClock()
        self.evidence = Evidence(plan(evidence=asked, callee_declared=callee_declared), self.clock, **options)
        self.told: list[LegObservation] = []
        self.kept: list[KeptLine] = []

    def take(self, leg: LegObservation, *, captured: bool = True) -> None:
        if captured:
            self.capture.write_bytes(b"pcap")
        self.evidence.take(leg, self.capture if captured else None, self.told.append, broken=bool(leg.findings))

    def keep(self, *spans: tuple[int, int]) -> None:
        self.evidence.keep(spans, self.kept.append)
        self.evidence.settle()

    @property
    def files(self) -> list[str]:
        return sorted(path.name for path in self.directory.rglob("*.*"))


@pytest.mark.parametrize(
    ("keep", "leg", "is_kept"),
    [
        (None, BAD, False),
        (Keep.NEVER, BAD, False),
        (Keep.ON_FAILURE, GOOD, False),
        (Keep.ON_FAILURE, BAD, True),
        (Keep.ALWAYS, GOOD, True),
    ],
)
def test_what_is_kept_is_as_the_plan_says(tmp_path, keep, leg, is_kept):
    it = Kept(tmp_path, keep)
    it.take(leg)
    it.evidence.settle()
    it.keep()
    assert it.files == (["capture.pcap", "sip.txt"] if is_kept else [])
    assert it.kept == []
    assert [leg.evidence for leg in it.told] == [FOLDER if is_kept else None]
    assert not it.capture.exists()


def test_a_leg_of_which_nothing_is_kept_is_passed_on_at_once(tmp_path):
    it = Kept(tmp_path, Keep.ON_FAILURE)
    it.take(GOOD)
    assert it.told == [change(GOOD, messages=())]


@pytest.mark.parametrize("keep", [None, *Keep])
def test_a_leg_of_a_call_that_did_not_pass_leaves_as_much_although_nothing_was_wrong_with_it(tmp_path, keep):
    it = Kept(tmp_path, keep)
    it.take(change(GOOD, index=3))
    it.evidence.settle()
    assert it.evidence.holding
    it.keep((3, 3))
    (line,) = it.kept
    assert (line.role, line.endpoint, line.index, line.messages) == (Role.CALLER, 0, 3, (MESSAGE,))
    assert (it.told[0].evidence, line.evidence) == {
        Keep.ALWAYS: (FOLDER, None),
        Keep.ON_FAILURE: (None, FOLDER),
    }.get(keep, (None, None))
    assert it.files == (["capture.pcap", "sip.txt"] if keep in {Keep.ALWAYS, Keep.ON_FAILURE} else [])
    assert not it.capture.exists()
    assert not it.evidence.holding


def test_what_nobody_asks_for_is_dropped(tmp_path):
    it = Kept(tmp_path, Keep.ON_FAILURE)
    it.take(GOOD)
    assert it.capture.exists()
    it.keep((1, 99))
    assert (it.kept, it.files, it.capture.exists()) == ([], [], False)


def test_what_broke_is_told_with_its_messages_and_nothing_of_it_is_held(tmp_path):
    it = Kept(tmp_path, Keep.ON_FAILURE)
    it.take(BAD)
    it.evidence.settle()
    assert it.told[0].messages == (MESSAGE,)
    assert not it.evidence.holding


def test_where_there_is_no_other_end_nothing_is_held(tmp_path):
    it = Kept(tmp_path, Keep.ON_FAILURE, callee_declared=False)
    it.take(GOOD)
    assert not it.evidence.holding
    assert not it.capture.exists()


def test_what_was_dropped_for_lack_of_room_is_said_where_it_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr("agent.report.evidence.Held", lambda: Held(text_bytes=10))
    it = Kept(tmp_path, Keep.ON_FAILURE)
    it.take(GOOD)
    it.keep((0, 0))
    (line,) = it.kept
    assert (line.messages, line.evidence, it.files) == ((), None, [])
    assert "no more room" in (line.evidence_fault or "")


def test_a_directory_that_cannot_be_used_is_said_of_what_was_held_too(tmp_path):
    it = Kept(tmp_path, Keep.ON_FAILURE)
    it.directory.write_text("a file")
    it.take(GOOD)
    it.keep((0, 0))
    assert [(line.evidence, line.evidence_fault, line.messages) for line in it.kept] == [
        (None, "Not a directory", (MESSAGE,))
    ]


def test_a_call_that_was_never_placed_leaves_nothing(tmp_path):
    it = Kept(tmp_path, Keep.ALWAYS)
    it.take(caller_leg(), captured=False)
    assert [(leg.evidence, leg.evidence_fault) for leg in it.told] == [(None, None)]


@pytest.mark.parametrize("outcome", RegistrationOutcome)
def test_a_registration_that_failed_leaves_its_messages(tmp_path, outcome):
    it = Kept(tmp_path, Keep.ON_FAILURE)
    told: list[RegistrationObservation] = []
    has_failed = outcome is not RegistrationOutcome.REGISTERED
    seen = registration(Role.CALLER, outcome=outcome, messages=(MESSAGE,))
    it.evidence.take(seen, None, told.append, broken=has_failed)
    it.evidence.settle()
    assert [len(item.messages) for item in told] == [int(has_failed)]
    assert not it.evidence.holding
    assert [item.evidence for item in told] == ["pin-g1-0f5b3c4e/ep0/registration/Caller" if has_failed else None]
    assert it.files == (["sip.txt"] if has_failed else [])


def test_messages_without_a_capture_are_kept(tmp_path):
    it = Kept(tmp_path, Keep.ALWAYS)
    it.take(GOOD, captured=False)
    it.evidence.settle()
    assert (it.told[0].evidence, it.files) == (FOLDER, ["sip.txt"])


def test_legs_are_passed_on_in_their_order_as_they_were_but_for_the_folder(tmp_path):
    it = Kept(tmp_path, Keep.ALWAYS)
    for number in range(5):
        it.take(caller_leg(number=number, messages=(MESSAGE,)), captured=False)
    it.evidence.settle()
    assert [leg.number for leg in it.told] == list(range(5))
    assert {leg.evidence is None for leg in it.told} == {False}


def test_a_directory_that_cannot_be_used_is_said_and_nothing_else_changes(tmp_path):
    it = Kept(tmp_path, Keep.ON_FAILURE)
    it.directory.write_text("a file")
    it.take(BAD)
    it.evidence.settle()
    (leg,) = it.told
    assert (leg.evidence, leg.findings, leg.final_code) == (None, BAD.findings, BAD.final_code)
    assert leg.evidence_fault == "Not a directory"
    assert not it.capture.exists()


def test_what_goes_beyond_the_agents_share_is_said(tmp_path):
    it = Kept(tmp_path, Keep.ON_FAILURE, max_bytes=10)
    it.take(BAD)
    it.evidence.settle()
    assert "may keep 10" in (it.told[0].evidence_fault or "")


@pytest.fixture
def stuck(monkeypatch):
    """Writing does not come to an end, as on a file server that is gone."""
    release = threading.Event()
    monkeypatch.setattr("agent.report.evidence.WRITE_S", 0.01)
    monkeypatch.setattr("agent.report.evidence_files.EvidenceFiles.write", lambda *_: release.wait(10))
    yield release
    release.set()


def test_a_directory_that_hangs_holds_nobody_up_and_is_not_tried_again(tmp_path, stuck):
    it = Kept(tmp_path, Keep.ON_FAILURE)
    it.take(BAD)
    it.evidence.poll()
    assert it.told == []
    it.clock.now_s += WRITE_S
    it.evidence.poll()
    it.take(BAD)
    assert [(leg.evidence, leg.evidence_fault) for leg in it.told] == [
        (None, "not written within 0.01 s; nothing more is")
    ] * 2


def test_at_the_end_a_directory_that_hangs_is_not_waited_for_either(tmp_path, stuck):
    it = Kept(tmp_path, Keep.ON_FAILURE)
    for _ in range(2):
        it.take(BAD)
    it.evidence.settle()
    assert [leg.evidence for leg in it.told] == [None, None]
    it.evidence.make_sound(tmp_path, lambda: False)


def test_told_to_stop_an_agent_waits_less_for_a_directory_that_hangs(tmp_path, stuck, monkeypatch):
    monkeypatch.setattr("agent.report.evidence.WRITE_S", 3600.0)
    monkeypatch.setattr("agent.report.evidence.STOPPED_WRITE_S", 0.1)
    it = Kept(tmp_path, Keep.ON_FAILURE)
    it.take(BAD)
    it.evidence.settle(lambda: True)
    assert [leg.evidence for leg in it.told] == [None]


def test_without_room_for_a_thread_the_leg_is_told(tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("can't start new thread")

    it = Kept(tmp_path, Keep.ON_FAILURE)
    monkeypatch.setattr("threading.Thread.start", fail)
    it.take(BAD)
    assert it.told[0].evidence_fault == "can't start new thread"


def test_a_fault_is_short_and_printable(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("\x1b[31m" + "x" * 1000)

    it = Kept(tmp_path, Keep.ON_FAILURE)
    monkeypatch.setattr("agent.report.evidence_files.EvidenceFiles.write", fail)
    it.take(BAD)
    it.evidence.settle()
    fault = it.told[0].evidence_fault or ""
    assert len(fault) == MAX_FAULT
    assert fault.isprintable()


def sounded(it: Kept, tmp_path, monkeypatch, made, *, stop=lambda: False) -> None:
    """After one leg that was kept."""
    monkeypatch.setattr("agent.report.evidence.sound_of", made)
    it.take(BAD)
    it.evidence.settle()
    it.evidence.make_sound(tmp_path, stop)


def test_sound_goes_beside_the_capture(tmp_path, monkeypatch):
    def made(capture, local_rtp, directory):
        assert (capture.read_bytes(), local_rtp) == (b"pcap", BAD.local_rtp)
        (directory / "a").write_bytes(b"RIFF")
        return {"sent.wav": directory / "a"}

    it = Kept(tmp_path, Keep.ON_FAILURE)
    sounded(it, tmp_path, monkeypatch, made)
    assert (it.directory / FOLDER / "sent.wav").read_bytes() == b"RIFF"


def test_there_is_sound_of_all_directions_or_of_none(tmp_path, monkeypatch):
    def made(_, __, directory):
        for name in ("a", "b"):
            (directory / name).write_bytes(b"RIFF" * 200)
        return {"sent.wav": directory / "a", "received.wav": directory / "b"}

    it = Kept(tmp_path, Keep.ON_FAILURE, max_bytes=1500)
    sounded(it, tmp_path, monkeypatch, made)
    assert it.files == ["capture.pcap", "sip.txt"]


def test_a_capture_that_cannot_be_heard_is_no_error(tmp_path, monkeypatch):
    def made(*_):
        raise ValueError("no capture")

    it = Kept(tmp_path, Keep.ON_FAILURE)
    sounded(it, tmp_path, monkeypatch, made)
    assert it.files == ["capture.pcap", "sip.txt"]


def test_sound_takes_its_time_and_no_longer(tmp_path, monkeypatch):
    def made(_, __, directory):
        it.clock.now_s += SOUND_S
        (directory / "a").write_bytes(b"RIFF")
        return {"sent.wav": directory / "a"}

    it = Kept(tmp_path, Keep.ON_FAILURE)
    it.take(BAD)
    it.evidence.settle()
    sounded(it, tmp_path, monkeypatch, made)
    assert it.files.count("sent.wav") == 1


def test_sound_that_never_ends_is_given_up(tmp_path, monkeypatch):
    release = threading.Event()
    it = Kept(tmp_path, Keep.ON_FAILURE)
    it.take(BAD)
    it.evidence.settle()
    for name in ("SOUND_S", "WRITE_S"):
        monkeypatch.setattr(f"agent.report.evidence.{name}", 0.05)
    monkeypatch.setattr("agent.report.evidence.sound_of", lambda *_: release.wait(10))
    it.evidence.make_sound(tmp_path, lambda: False)
    release.set()
    assert it.files == ["capture.pcap", "sip.txt"]


@pytest.mark.parametrize("stops", [[True], [False, True]])
def test_told_to_stop_it_makes_no_sound(tmp_path, monkeypatch, stops):
    it = Kept(tmp_path, Keep.ON_FAILURE)
    sounded(it, tmp_path, monkeypatch, lambda *_: pytest.fail("made"), stop=iter(stops).__next__)
    assert it.files == ["capture.pcap", "sip.txt"]


@pytest.mark.parametrize(("at_once", "mebibytes"), [(1, 64), (16, 64), (32, 32), (1024, 1)])
def test_captures_of_all_calls_that_are_up_fit_the_scratch_directory(at_once, mebibytes):
    assert capture_bytes(at_once) == mebibytes * 2**20
