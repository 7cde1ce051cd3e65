"""The digest of a request, by its challenges and credentials."""

import pytest

from agent.contract.observation import Auth
from agent.observe.digest import algorithm, auth, is_digest, parameter
from agent.observe.signalling import crossings
from agent.sip.dialogs import registrations
from agent.sip.transactions import Conversation
from tests.unit.agent.judge.registrar import answers, asked, asks, said


def digest(*messages):
    (attempt,) = registrations(Conversation(crossings(messages)))
    return auth(attempt.tries)


def test_nothing_is_known_of_a_request_that_was_not_challenged():
    assert digest(asked(1.0, 1), said(1.1, 1)) == Auth()
    assert auth(()) == Auth()


def test_the_topmost_challenge_is_told_first_and_what_was_answered():
    both = asks("SHA-256") + asks("MD5") + 'WWW-Authenticate: Bearer realm="x"\r\n'
    seen = digest(asked(1.0, 1), said(1.1, 1, 401, both), asked(1.2, 2, answers("sha-256")), said(1.3, 2))
    assert seen == Auth(
        offered=("SHA-256", "MD5"), topmost=("SHA-256",), answered=("SHA-256",), realm="pbx", qop="auth"
    )


def test_md5_is_what_names_no_algorithm():
    seen = digest(asked(1.0, 1), said(1.1, 1, 401, asks()), asked(1.2, 2, answers()), said(1.3, 2))
    assert (seen.offered, seen.answered) == (("MD5",), ("MD5",))


def proxy(algorithm):
    return asks(algorithm, realm="proxy").replace("WWW-", "Proxy-")


@pytest.mark.parametrize(
    ("challenges", "offered", "topmost"),
    [
        ([(401, asks("SHA-1") + asks("SHA-256"))], ("SHA-1", "SHA-256"), ("SHA-256",)),
        ([(401, asks("MD5") + asks("SHA-256", realm="far"))], ("MD5", "SHA-256"), ("MD5", "SHA-256")),
        ([(401, asks("MD5")), (401, asks("SHA-256"))], ("SHA-256",), ("SHA-256",)),
        ([(407, proxy("MD5")), (401, asks("SHA-256"))], ("SHA-256",), ("SHA-256",)),
        ([(407, proxy("MD5"))], ("MD5",), ("MD5",)),
        ([(401, asks("SHA-1"))], ("SHA-1",), ()),
    ],
)
def test_of_a_register_the_registrars_challenges_are_told_each_ones_topmost(challenges, offered, topmost):
    tries = [
        one for n, (code, lines) in enumerate(challenges, 1) for one in (asked(n, n), said(n + 0.1, n, code, lines))
    ]
    seen = digest(*tries, asked(9.0, 9), said(9.1, 9))
    assert (seen.offered, seen.topmost) == (offered, topmost)


@pytest.mark.parametrize(
    ("again", "refused", "stale"),
    [
        (asks(), 1, 0),
        (asks(stale="true"), 0, 1),
        (asks(stale='"TRUE"'), 0, 1),
        (asks(stale="false"), 1, 0),
        (asks(realm="far"), 0, 0),
    ],
)
def test_a_challenge_to_credentials_refuses_them_or_only_their_nonce(again, refused, stale):
    seen = digest(asked(1.0, 1), said(1.1, 1, 401, asks()), asked(1.2, 2, answers()), said(1.3, 2, 401, again))
    assert (seen.refused, seen.stale) == (refused, stale)


@pytest.mark.parametrize(
    ("header", "value"),
    [('Digest realm="a, nonce=x", nonce="n"', "n"), ("Digest nonce=n,realm=r", "n"), ('Digest cnonce="c"', None)],
)
def test_a_parameter_is_read_by_its_name(header, value):
    assert parameter(header, "nonce") == value


def test_a_scheme_is_no_other():
    assert is_digest('digest realm="x"')
    assert not is_digest("DigestX y")
    assert algorithm("Digest algorithm=sha-512-256") == "SHA-512-256"
