"""A registration is what its last attempt came to, by that attempt's last try."""

import pytest

from agent.contract.observation import RegistrationOutcome
from agent.contract.verdict import Role
from agent.observe.registration import observe_registration
from agent.phone.protocol import AccountId, NotSent, RegistrationConcluded
from tests.unit.sip_messages import message, request, response


def sent(at_s, text):
    return message(at_s, text, sent=True)


def received(at_s, text):
    return message(at_s, text, sent=False)


def concluded(*, active, reason=""):
    return RegistrationConcluded(at_s=9.0, account=AccountId(1), active=active, local_reason=reason)


def register(*messages, word):
    return observe_registration(Role.CALLER, 2, messages, word)


def test_a_registration_with_a_challenge():
    seen = register(
        sent(1.0, request("REGISTER", cseq=1)),
        received(1.1, response(401, cseq=1, method="REGISTER")),
        sent(1.2, request("REGISTER", cseq=2)),
        received(1.3, response(100, cseq=2, method="REGISTER")),
        received(1.5, response(200, cseq=2, method="REGISTER", phrase="OK")),
        word=concluded(active=True),
    )
    assert (seen.outcome, seen.code, seen.phrase, seen.duration_ms) == (RegistrationOutcome.REGISTERED, 200, "OK", 500)
    assert (seen.endpoint, len(seen.messages), seen.local_reason) == (2, 5, None)


def test_a_refused_registration():
    seen = register(
        sent(1.0, request("REGISTER")),
        received(1.1, response(403, method="REGISTER", phrase="Forbidden")),
        word=concluded(active=False, reason="403"),
    )
    assert (seen.outcome, seen.code, seen.phrase) == (RegistrationOutcome.REJECTED, 403, "Forbidden")


@pytest.mark.parametrize("word", [concluded(active=False, reason="408"), None])
def test_a_registration_without_an_answer_is_a_timeout_and_has_no_code(word):
    seen = register(sent(1.0, request("REGISTER")), word=word)
    assert (seen.outcome, seen.code, seen.duration_ms) == (RegistrationOutcome.TIMEOUT, None, None)
    assert seen.local_reason == ("408" if word else "the SIP stack did not conclude it in time")


def test_a_registration_that_was_never_sent_is_our_own_error():
    assert register(word=concluded(active=False, reason="no route")).outcome is RegistrationOutcome.ERROR


@pytest.mark.parametrize("word", [concluded(active=False), None])
def test_registered_needs_the_stacks_word_too(word):
    seen = register(sent(1.0, request("REGISTER")), received(1.1, response(200, method="REGISTER")), word=word)
    assert seen.outcome is RegistrationOutcome.ERROR


def test_active_without_an_answer_on_the_wire_is_not_registered():
    seen = register(sent(1.0, request("REGISTER")), word=concluded(active=True))
    assert seen.outcome is RegistrationOutcome.TIMEOUT


def registered(at_s, cseq, code=200):
    return sent(at_s, request("REGISTER", cseq=cseq)), received(
        at_s + 0.1, response(code, cseq=cseq, method="REGISTER")
    )


def test_a_challenge_and_then_silence_is_a_timeout():
    seen = register(*registered(1.0, 1, 401), sent(1.2, request("REGISTER", cseq=2)), word=concluded(active=False))
    assert (seen.outcome, seen.code, seen.duration_ms) == (RegistrationOutcome.TIMEOUT, None, None)


@pytest.mark.parametrize("code", [403, 401])
def test_a_refused_refresh_ends_the_registration(code):
    seen = register(*registered(1.0, 1), *registered(296.0, 2, code), word=concluded(active=False, reason="no"))
    assert (seen.outcome, seen.code, seen.duration_ms) == (RegistrationOutcome.REJECTED, code, 100)


def test_a_refresh_without_an_answer_is_a_timeout():
    seen = register(*registered(1.0, 1), sent(296.0, request("REGISTER", cseq=2)), word=concluded(active=False))
    assert seen.outcome is RegistrationOutcome.TIMEOUT


def test_taking_the_binding_back_changes_nothing():
    leaving = sent(9.0, request("REGISTER", cseq=2, extra="Expires: 0\r\n"))
    seen = register(*registered(1.0, 1), leaving, word=concluded(active=True))
    assert (seen.outcome, seen.code) == (RegistrationOutcome.REGISTERED, 200)


def test_a_register_that_could_not_be_sent_is_our_own_error():
    unsent = NotSent(at_s=1.0, peer="p", head=None, reason="Permission denied")
    seen = observe_registration(Role.CALLER, 2, [], concluded(active=False, reason="503"), unsent=unsent)
    assert (seen.outcome, seen.local_reason) == (RegistrationOutcome.ERROR, "REGISTER not sent: Permission denied")


def test_only_registers_count():
    seen = register(sent(0.5, request()), *registered(1.0, 1), word=concluded(active=True))
    assert len(seen.messages) == 2
