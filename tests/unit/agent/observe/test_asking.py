"""What became of a request: where it went and how often, what was asked back, what a refusal says of why."""

import pytest

from agent.contract.observation import Asked, Refused, Target
from agent.contract.registration import RegistrationOutcome
from agent.contract.verdict import Role
from agent.observe.leg import LegFacts, observe_leg
from agent.observe.registration import Beside, observe_registration
from agent.phone.protocol import AccountId, PortClosed, RegistrationConcluded
from tests.unit.agent.judge.wire import HEALTHY
from tests.unit.sip_messages import message, request, response

PROXY = "127.0.0.1:5060"
URI = "sip:bob@example.com"
REASON = {"Reason": "SIP;cause=481"}
ASKS = {"WWW-Authenticate": 'Digest realm="pbx"'}
DIGEST = {"extra": 'Proxy-Authorization: Digest username="alice"\r\n'}
ROUTES = {"extra": "Route: <sip:10.0.0.1;lr>\r\nRoute: <sip:10.0.0.2;lr>\r\n"}


def asks(code: int = 407, cseq: int = 1, *, realm: str = 'Digest realm="example.com", nonce="n"') -> str:
    name = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}[code]
    return response(code, cseq=cseq, headers={name: realm})


def leg(*messages, role: Role = Role.CALLER):
    facts = LegFacts(
        role=role, endpoint=0, call="pin", number=0, call_key=None, sip_call_id="c1", started_at=1e9
    )  # fmt: skip
    return observe_leg(facts, messages, own_reason=None, health=HEALTHY)


CLOSED = PortClosed(at_s=7.5, sip_call_id="c1", times=6, over_s=5.0004)


def test_a_closed_port_is_told_where_no_response_came():
    seen = leg(message(1.0, request(), sent=True), message(1.5, request(), sent=True), CLOSED)
    assert (seen.asked.refused, seen.asked.times) == (Refused(times=6, over_ms=5000.4), 2)
    registered = observe_registration(
        Role.CALLER, 0, [message(1.0, request("REGISTER"), sent=True)], None, Beside(closed=CLOSED)
    )
    assert (registered.outcome, registered.local_reason) == (RegistrationOutcome.TIMEOUT, None)
    assert registered.asked.refused == Refused(times=6, over_ms=5000.4)


@pytest.mark.parametrize("said", [response(100, to_tag=""), response(486)], ids=["100", "486"])
def test_a_response_tells_more_than_a_closed_port(said):
    seen = leg(message(1.0, request(), sent=True), CLOSED, message(7.6, said, sent=False))
    assert seen.asked.refused is None


def test_provisional_responses_are_told_in_order_and_again_only_where_another_came_between():
    seen = leg(
        message(1.0, request(), sent=True),
        message(1.1, response(100, to_tag=""), sent=False),
        message(1.2, response(180), sent=False),
        message(1.25, response(180), sent=False),
        message(1.3, response(183), sent=False),
        message(1.4, response(180, to_tag="u"), sent=False),
    )
    assert seen.asked == Asked(peer=PROXY, times=1, provisional=(100, 180, 183, 180))


def test_an_invite_that_is_sent_again_is_counted():
    seen = leg(*(message(at_s, request(branch="b"), sent=True) for at_s in (1.0, 1.5, 2.5)))
    assert (seen.asked.peer, seen.asked.times) == (PROXY, 3)


def test_challenges_are_told_with_their_realm_and_whether_credentials_were_sent():
    first = (message(1.0, request(), sent=True), message(1.1, asks(), sent=False))
    again = (message(1.2, request(cseq=2, **DIGEST), sent=True), message(1.3, asks(cseq=2), sent=False))
    assert leg(*first).asked.challenges == ('407 for realm "example.com"',)
    assert leg(*first).asked.credentials == 0
    assert leg(*first, *again).asked.challenges == ('407 for realm "example.com"',) * 2
    assert leg(*first, *again).asked.credentials == 1


def test_a_challenge_without_a_realm_is_told_by_its_code():
    seen = leg(message(1.0, request(), sent=True), message(1.1, asks(401, realm="Digest"), sent=False))
    assert seen.asked.challenges == ("401",)


@pytest.mark.parametrize(
    ("challenge", "is_beyond_us"),
    [
        ('Digest realm="x", nonce="n"', False),
        ('Digest realm="x", nonce="n", qop="auth,auth-int", algorithm=MD5', False),
        ('digest realm="x", nonce="n", qop=auth, algorithm="SHA-256"', False),
        ('Digest realm="x", nonce="n", qop="auth-int"', True),
        ('Digest realm="x", nonce="n", algorithm=MD5-sess, qop="auth"', True),
        ('Bearer authz_server="https://example.com"', True),
    ],
)
def test_a_challenge_that_our_stack_cannot_answer_is_told(challenge, is_beyond_us):
    seen = leg(message(1.0, request(), sent=True), message(1.1, asks(realm=challenge), sent=False))
    assert seen.asked.unanswerable == (challenge if is_beyond_us else None)


def test_what_a_refusal_says_of_why_is_kept_as_it_was():
    headers = {"Retry-After": "120", "warning": '399 pbx "no route"', "Server": "pbx"}
    seen = leg(message(1.0, request(), sent=True), message(1.1, response(503, headers=headers), sent=False))
    assert seen.asked.why == ("Retry-After: 120", 'Warning: 399 pbx "no route"')


def test_no_reason_is_longer_than_a_finding_can_take():
    long = response(500, headers={"Warning": "x" * 400})
    (why,) = leg(message(1.0, request(), sent=True), message(1.1, long, sent=False)).asked.why
    assert len(why) == 160


ANSWERED = (message(1.0, request(), sent=True), message(1.1, response(200), sent=False))


def test_the_ack_and_the_bye_of_a_dialog_say_where_they_went_and_how_often():
    bye = request("BYE", cseq=2, to_tag="t", branch="z", **ROUTES)
    dialog = leg(
        *ANSWERED,
        message(1.2, request("ACK", to_tag="t", **ROUTES), sent=True, peer="10.0.0.1:5060"),
        *(message(at_s, bye, sent=True, peer="10.0.0.1:5060") for at_s in (5.0, 5.5, 6.5)),
        message(7.0, response(481, method="BYE", cseq=2, branch="z", phrase="Gone", headers=REASON), sent=False),
    ).dialog  # fmt: skip
    routes = ("<sip:10.0.0.1;lr>", "<sip:10.0.0.2;lr>")
    assert (dialog.acks, dialog.target) == (1, Target(peer="10.0.0.1:5060", uri=URI, routes=routes))
    assert (dialog.bye.times, dialog.bye.target) == (3, None)
    assert (dialog.bye.code, dialog.bye.phrase, dialog.bye.why) == (481, "Gone", ("Reason: SIP;cause=481",))


def test_the_peers_bye_says_why():
    bye = request("BYE", cseq=2, from_tag="t", to_tag="f", extra="Reason: Q.850;cause=16\r\n")
    dialog = leg(*ANSWERED, message(5.0, bye, sent=False)).dialog
    assert (dialog.bye.target, dialog.bye.why) == (None, ("Reason: Q.850;cause=16",))


def test_a_callees_invite_was_not_sent_by_it():
    seen = leg(
        message(1.0, request(), sent=False),
        message(1.1, response(488, headers={"Warning": "304 pjsip"}), sent=True),
        role=Role.CALLEE,
    )
    assert seen.asked == Asked(times=1, why=("Warning: 304 pjsip",))


def test_a_registration_tells_the_same():
    seen = observe_registration(
        Role.CALLER, 0,
        [
            message(1.0, request("REGISTER"), sent=True),
            message(1.1, response(401, method="REGISTER", headers=ASKS), sent=False),
        ],
        RegistrationConcluded(at_s=9.0, account=AccountId(1), active=False, local_reason=""),
    )  # fmt: skip
    assert seen.outcome is RegistrationOutcome.REJECTED
    assert (seen.asked.challenges, seen.asked.credentials) == (('401 for realm "pbx"',), 0)


def test_a_bye_that_went_elsewhere_than_the_ack_says_where():
    dialog = leg(
        *ANSWERED,
        message(1.2, request("ACK", to_tag="t"), sent=True),
        message(5.0, request("BYE", cseq=2, to_tag="t"), sent=True, peer="10.0.0.7:5060"),
    ).dialog
    assert (dialog.target.peer, dialog.bye.target.peer) == (PROXY, "10.0.0.7:5060")
