"""An agent is registered before it calls, and says how that went."""

import pytest

from agent.contract.connection import Ending
from agent.contract.headers import Header, PlannedHeader, SentOn
from agent.contract.plan import Account, Credentials, Signal
from agent.contract.registration import RegistrationOutcome
from agent.phone.protocol import AccountId, ConnectionSeen, NotSent, PutOff, RegistrationConcluded, Unparsed
from agent.run.inputs import InputMissingError
from agent.run.registration import Login, read_login
from agent.sip.text import parse_head
from tests.unit.agent.judge.wire import carrier
from tests.unit.agent.world import all_at_once, one_stage, plan, stages
from tests.unit.builders import change
from tests.unit.fake_phone import Peer
from tests.unit.sip_messages import request, response


def test_calls_are_placed_once_registered_and_the_account_left(world):
    it = world(plan(register=True), login=Login(username="u", password="p", realm="r"))
    it.run()
    first, whole = it.registrations
    assert (first.outcome, first.messages, first.leaving) == (RegistrationOutcome.REGISTERED, (), None)
    assert whole == change(first, leaving=whole.leaving)
    assert (whole.leaving.code, whole.leaving.bound, whole.bindings.granted_s) == (200, False, (300,))
    account = it.did("add_account")[0][2]
    assert (account.username, account.password, account.realm, account.register) == ("u", "p", "r", True)
    assert len(it.legs) == 1
    assert len(it.did("remove_account")) == 1


@pytest.mark.parametrize(
    ("code", "outcome"), [(403, RegistrationOutcome.REJECTED), (None, RegistrationOutcome.TIMEOUT)]
)
def test_no_call_is_placed_where_the_registration_failed(world, code, outcome):
    it = world(plan(register=True), Peer(register_code=code))
    final = it.run()
    (seen,) = it.registrations
    assert (seen.outcome, seen.code) == (outcome, code)
    assert seen.messages
    assert it.did("call") == []
    assert (final.legs, it.progress[-1].done) == (0, 1)


def test_a_registration_that_the_stack_forgets_is_no_timeout_of_the_registrars(world):
    """What has come for it, a stack that is stuck has not read."""
    it = world(plan(register=True), Peer(register_code=None), one_stage(100))
    it.phone._register = lambda account: it.phone.sent(request("REGISTER", "r"))
    it.run()
    assert it.registrations[0].outcome is RegistrationOutcome.UNFINISHED
    assert it.registrations[0].local_reason == "the SIP stack did not conclude it in time"


@pytest.mark.parametrize("register", [True, False])
def test_an_account_that_cannot_be_made_is_our_own_error(world, register):
    it = world(plan(register=register))
    it.phone.refuses.add("add_account")
    it.run()
    assert it.registrations[0].outcome is RegistrationOutcome.ERROR
    assert it.registrations[0].local_reason == "add_account refused"
    assert it.did("call") == it.did("remove_account") == []


def test_a_registrar_that_does_not_answer_the_unregister_is_waited_for_until_timer_f_is_over(world):
    it = world(plan(register=True, stages=stages(2)), Peer(answers_unregister=False), [(0.0, Signal(prepare=2, go=1))])
    it.run()
    assert 64 < it.clock.now_s - 1000 < 90
    assert [seen.leaving and seen.leaving.code for seen in it.registrations] == [None] * 4
    assert [seen.leaving is not None for seen in it.registrations] == [False, True] * 2
    assert it.registrations[1].messages


def test_messages_of_the_account_before_do_not_count(world):
    it = world(
        plan(register=True, stages=stages(2)),
        steps=[(0.0, Signal(prepare=1)), (2.0, Signal(prepare=1)), (9.0, Signal(prepare=2))],
    )
    it.step_until(0.02)
    first = AccountId(1)
    for after_s in (0.3, 0.4, 0.5):
        it.phone.received(response(403, f"reg-{first}", method="REGISTER"), after_s)
    it.phone.at(0.3, RegistrationConcluded, account=first, active=False, local_reason="late")
    it.run()
    assert [seen.outcome for seen in it.registrations] == [RegistrationOutcome.REGISTERED] * 4


def test_a_register_that_could_not_be_sent_is_our_own_error(world):
    it = world(plan(register=True), Peer(register_code=None))

    def unsent(account):
        head = parse_head(request("REGISTER", "r"))
        it.phone.at(0.0, NotSent, peer="p", head=head, reason="Permission denied")
        it.phone.at(0.0, RegistrationConcluded, account=account, active=False, local_reason="503")

    it.phone._register = unsent
    it.run()
    (seen,) = it.registrations
    assert (seen.outcome, seen.local_reason) == (RegistrationOutcome.ERROR, "REGISTER not sent: Permission denied")


@pytest.mark.parametrize("reached_s", [(), (0.0,)], ids=["never reached", "reached before"])
def test_a_register_of_the_account_before_that_could_not_be_sent_does_not_count(world, reached_s):
    it = world(
        plan(register=True, stages=stages(2)),
        Peer(register_code=None),
        [(0.0, Signal(prepare=1)), (40.0, Signal(prepare=2))],
    )
    register = it.phone._register

    def unreachable(account):
        text = request("REGISTER", f"reg-{account}")
        for at_s in reached_s:
            it.phone.sent(text, at_s)
        for at_s in (0.1, 9.0):
            it.phone.at(at_s, NotSent, peer="p", head=parse_head(text), reason="Network is unreachable")
        it.phone.at(1.0, RegistrationConcluded, account=account, active=False, local_reason="503")
        it.phone._register = register

    it.phone._register = unreachable
    it.run()
    assert [seen.local_reason for seen in it.registrations] == [
        "REGISTER not sent: Network is unreachable",
        "Request Timeout (408)",
    ]


def test_a_flood_of_register_messages_is_cut(world):
    it = world(plan(register=True))
    for _ in range(2000):
        it.phone.received(response(401, "flood", method="REGISTER"), 0.01)
    it.run()
    assert it.registrations


@pytest.mark.parametrize("key", ["username", "password"])
def test_a_missing_key_is_named(tmp_path, key):
    for name in {"username", "password"} - {key}:
        (tmp_path / name).write_text("x\n")
    with pytest.raises(InputMissingError, match=f"Secret sip-alice has no key {key}"):
        read_login(Credentials(directory=str(tmp_path), secret_name="sip-alice"))


def test_a_login_is_read_without_its_last_newline(tmp_path):
    (tmp_path / "username").write_text("alice\n")
    (tmp_path / "password").write_text(" with spaces \n")
    credentials = Credentials(directory=str(tmp_path), secret_name="s")
    assert read_login(credentials) == Login(username="alice", password=" with spaces ")
    (tmp_path / "realm").write_text("example.com")
    assert read_login(credentials).realm == "example.com"


def test_a_key_that_is_no_text_is_named(tmp_path):
    (tmp_path / "username").write_bytes(b"\xff\xfe")
    with pytest.raises(InputMissingError, match="key username: cannot be read"):
        read_login(Credentials(directory=str(tmp_path), secret_name="s"))


def test_a_control_character_in_a_key_is_named(tmp_path):
    (tmp_path / "username").write_text("alice\r\nX-Evil: 1")
    with pytest.raises(InputMissingError, match="key username: contains a control character"):
        read_login(Credentials(directory=str(tmp_path), secret_name="s"))


@pytest.mark.parametrize(("status", "end"), [(120_111, Ending.REFUSED), (0, None)])
def test_what_became_of_the_connection_of_a_register_is_told(world, status, end):
    it = world(plan(register=True), Peer(register_code=None))

    def unsent(account):
        now_s, head = it.clock.now_s, parse_head(request("REGISTER", "r"))
        opening = carrier(opened_s=now_s, up_s=None)
        it.phone.at(0.0, ConnectionSeen, connection=opening)
        it.phone.at(0.0, PutOff, head=head, connection=1)
        if status:
            it.phone.at(0.1, NotSent, peer="p", head=head, reason="refused", status=status, connection=1)
        it.phone.at(32.0, RegistrationConcluded, account=account, active=False, local_reason="408")

    it.phone._register = unsent
    it.run()
    (connection,) = it.registrations[0].connections
    assert (connection.end, connection.up_ms) == (end, None)
    assert (connection.waited_ms is None) == bool(status)


@pytest.mark.parametrize(("told_s", "end"), [(0.2, Ending.REFUSED), (2.0, Ending.FAILED)])
def test_why_a_register_had_no_connection_may_come_just_after_the_stacks_word(world, told_s, end):
    it = world(plan(register=True), Peer(register_code=None))

    def unsent(account):
        now_s, head = it.clock.now_s, parse_head(request("REGISTER", "r"))
        opening = carrier(opened_s=now_s, up_s=None)
        closed = carrier(opened_s=now_s, up_s=None, closed_s=now_s, status=120_111)
        it.phone.at(0.0, ConnectionSeen, connection=opening)
        it.phone.at(0.0, NotSent, peer="p", head=head, reason="Broken pipe", status=120_032, connection=1)
        it.phone.at(0.0, RegistrationConcluded, account=account, active=False, local_reason="503")
        it.phone.at(told_s, ConnectionSeen, connection=closed)

    it.phone._register = unsent
    it.run()
    (connection,) = it.registrations[0].connections
    assert connection.end is end


UNREADABLE = "SIP/2.0 200 OK\r\nCall-ID: {}\r\n"


def unparsed(world, call_id: str) -> None:
    world.phone.at(0.1, Unparsed, peer="p", local="l", protocol="TCP", text=UNREADABLE.format(call_id))


@pytest.mark.parametrize(("call_id", "is_told"), [("reg-2", True), ("another", False)])
def test_what_came_instead_of_an_answer_and_could_not_be_read_is_told(world, call_id, is_told):
    it = world(plan(register=True), Peer(register_code=None))
    unparsed(it, call_id)
    it.run()
    (seen,) = it.registrations
    assert seen.outcome is RegistrationOutcome.TIMEOUT
    assert (seen.unparsed is not None) == is_told


def test_what_an_answer_follows_is_forgotten(world):
    it = world(plan(register=True))
    unparsed(it, "reg-2")
    it.run()
    assert [(seen.outcome, seen.unparsed) for seen in it.registrations] == [(RegistrationOutcome.REGISTERED, None)] * 2


def test_an_agent_registers_with_its_headers_at_each_endpoint(world):
    own = (
        PlannedHeader(name="X-A", value="at {endpoint}", messages=(SentOn.REGISTER,)),
        PlannedHeader(name="X-B", value="b", messages=(SentOn.INVITE,)),
    )
    account = Account(uri="sip:alice@example.com", register=True, headers=own)
    it = world(plan(account=account, stages=stages(2)), steps=all_at_once(2))
    it.run()
    sent = [entry[2].headers for entry in it.did("add_account")]
    assert sent == [(Header(name="X-A", value="at 0"),), (Header(name="X-A", value="at 1"),)]
