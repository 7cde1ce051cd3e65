"""Words that several sentences are made of."""

import pytest

from agent.contract.observation import Asked, Auth, Target
from agent.judge.words import challenged, destination, listed, many, often, payload_types, quoted, spoken
from tests.unit.builders import change


@pytest.mark.parametrize(("count", "word"), [(1, "once"), (2, "twice"), (3, "3 times"), (0, "0 times")])
def test_how_often(count, word):
    assert often(count) == word


@pytest.mark.parametrize(("count", "words"), [(0, "0 packets"), (1, "1 packet"), (2, "2 packets")])
def test_how_many(count, words):
    assert many(count, "packet") == words


@pytest.mark.parametrize(("words", "text"), [("", ""), ("a", "a"), ("ab", "a and b"), ("abc", "a, b and c")])
def test_several_things(words, text):
    assert listed(words) == text


def test_a_status_without_a_phrase_is_its_code():
    assert (spoken(486, "Busy Here"), spoken(486, None)) == ("486 Busy Here", "486")


def test_no_digits_are_said_in_words():
    assert (quoted("12"), quoted("")) == ('"12"', "no digits")


def test_payload_types_are_told_by_number_and_name():
    assert payload_types({0: "PCMU/8000", 101: "telephone-event/8000"}, "or") == (
        "0 (PCMU/8000) or 101 (telephone-event/8000)"
    )
    assert payload_types({}) == "none"


def test_where_a_request_went_says_what_sent_it_there():
    plain = Target(peer="10.0.0.1:5060", uri="sip:bob@10.0.0.5")
    assert destination(plain) == (
        "to 10.0.0.1:5060 (Request-URI sip:bob@10.0.0.5, from the Contact; no Record-Route came)"
    )
    routed = Target(peer="10.0.0.1:5060", uri="sip:bob@10.0.0.5", routes=("<sip:10.0.0.1;lr>", "<sip:10.0.0.2;lr>"))
    assert destination(routed).endswith("; Route <sip:10.0.0.1;lr>, <sip:10.0.0.2;lr>, from Record-Route)")


def test_a_challenge_says_whether_credentials_were_sent():
    twice = Asked(challenges=("401 for realm x", "401 for realm x"), credentials=1)
    assert challenged(401, twice) == "challenged by 401 for realm x, credentials were sent once"
    refused = change(twice, auth=Auth(refused=1, stale=1))
    assert challenged(401, refused) == f"{challenged(401, twice)}; credentials refused"
    stale = change(twice, auth=Auth(stale=2))
    assert challenged(401, stale) == f"{challenged(401, twice)}; their nonce was called stale twice"
    assert challenged(None, refused) == challenged(401, twice)
    assert challenged(407, Asked(challenges=("407",))) == "challenged by 407, no credentials were sent"
    assert challenged(None, twice) == challenged(401, twice)
    assert challenged(403, Asked()) == "it was not challenged, so no credentials were sent"


def test_credentials_are_not_what_every_refusal_is_about():
    assert challenged(486, Asked(challenges=("407",), credentials=1)) is None
    assert challenged(None, Asked()) is None
