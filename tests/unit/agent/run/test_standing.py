"""A callee without a plan takes anybody's call, and goes when told to."""

import pytest

from agent.contract.call import Behaviour
from agent.run.standing import run_standing
from agent.sound.samples import tone, write_wav
from tests.unit.fake_clock import FakeClock
from tests.unit.fake_phone import FakePhone, Peer


@pytest.fixture
def phone(tmp_path):
    return FakePhone(FakeClock(), tmp_path)


def run(phone, until_s, behaviour=Behaviour.PARROT):
    run_standing(phone, behaviour, phone.clock, lambda: phone.clock.now_s - 1000 >= until_s)


def did(phone, what):
    return [entry for entry in phone.did if entry[0] == what]


def test_it_answers_repeats_digits_and_leaves_no_file(phone, tmp_path):
    call = phone.invite()
    phone.receive_digits(call.handle, "12", after_s=1.0)
    write_wav(tmp_path / f"heard-{call.handle}.wav", tone(440))
    run(phone, 5.0)
    assert did(phone, "answer")[0][3] == 200
    assert did(phone, "send_digits")[0][3] == "12"
    assert len(did(phone, "hang_up")) == 1
    assert list(tmp_path.iterdir()) == []
    assert phone.clock.now_s - 1000 < 6


def test_it_goes_at_once_when_nobody_is_there(phone):
    run(phone, 1.0)
    assert phone.clock.now_s - 1000 < 1.5


def test_it_does_not_wait_for_a_peer_that_does_not_answer_the_bye(phone):
    phone.peer = Peer(answers_bye=False)
    phone.invite()
    run(phone, 1.0)
    assert phone.clock.now_s - 1000 == pytest.approx(3.0, abs=0.3)


def test_an_absorber_answers_and_sends_no_digits_back(phone):
    call = phone.invite()
    phone.receive_digits(call.handle, "12", after_s=1.0)
    run(phone, 5.0, Behaviour.ABSORBER)
    assert did(phone, "answer")[0][3] == 200
    assert did(phone, "send_digits") == []
