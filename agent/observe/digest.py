"""The digest of a request, as its challenges and its credentials have it (RFC 7616, RFC 8760). Pure."""

import re
from collections.abc import Sequence
from typing import Final

from agent.contract.observation import Auth
from agent.sip.text import CHALLENGES
from agent.sip.transactions import Times, Transaction

OF_REGISTRAR: Final = 401
CREDENTIALS: Final = ("authorization", "proxy-authorization")
ALGORITHMS: Final = frozenset({"MD5", "SHA-256", "SHA-512-256"})
"""Those that our SIP stack has (RFC 8760)."""
MAX_WORD: Final = 40
MAX_REALM: Final = 80
MAX_ALGORITHMS: Final = 4
_PARAMETER: Final = re.compile(r'([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))')
_DIGEST: Final = re.compile(r"digest\s", re.IGNORECASE)


def parameter(header: str, name: str) -> str | None:
    """Of a challenge or of credentials, without its quotes; None: it has none."""
    every = _PARAMETER.finditer(header)
    found = next((one for one in every if one[1].lower() == name), None)
    return None if found is None else found[3] if found[2] is None else found[2]


def is_digest(header: str) -> bool:
    """By its scheme."""
    return _DIGEST.match(header) is not None


def algorithm(header: str) -> str:
    """Upper case; MD5 where it names none (RFC 7616 §3.3)."""
    return (parameter(header, "algorithm") or "MD5").upper()[:MAX_WORD]


def challenges_of(response: Times) -> list[str]:
    """The challenges of a 401 or 407; none of another response."""
    name = CHALLENGES.get(response.code)
    return [value for header, value in response.first.head.headers if header == name]


def credentials_of(try_: Transaction) -> list[str]:
    """Those in a request."""
    return [value for header, value in try_.request.first.head.headers if header in CREDENTIALS]


def auth(tries: Sequence[Transaction]) -> Auth:
    """Of a request with all its tries."""
    offers = _offers(tries)
    ours = ([one for one in offer if algorithm(one) in ALGORITHMS] for offer in offers)
    answered = list(filter(is_digest, credentials_of(tries[-1]))) if tries else []
    again = [_is_stale(t, r) for t in tries for r in t.finals if challenges_of(r) and credentials_of(t)]
    qop = parameter(answered[0], "qop") if answered else None
    realm = parameter(answered[0], "realm") if answered else None
    return Auth(
        offered=_each_once([one for offer in offers for one in offer]),
        topmost=_each_once([offer[0] for offer in ours if offer]),
        answered=_each_once(answered),
        realm=realm and realm[:MAX_REALM],
        qop=qop and qop[:MAX_WORD],
        refused=sum(1 for stale in again if stale is False),
        stale=sum(1 for stale in again if stale),
    )


def _offers(tries: Sequence[Transaction]) -> list[list[str]]:
    """The digests that each challenger asked for last, the topmost first; of a REGISTER the registrar's."""
    responses = [r for t in tries for r in t.responses if any(map(is_digest, challenges_of(r)))]
    if any(t.method == "REGISTER" for t in tries):
        responses = [r for r in responses if r.code == OF_REGISTRAR] or responses
    latest: dict[tuple[int, str | None], list[str]] = {}
    for response in responses:
        digests = list(filter(is_digest, challenges_of(response)))
        for realm in dict.fromkeys(parameter(one, "realm") for one in digests):
            latest[response.code, realm] = [one for one in digests if parameter(one, "realm") == realm]
    return list(latest.values())


def _each_once(headers: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(algorithm, headers)))[:MAX_ALGORITHMS]


def _is_stale(answered: Transaction, response: Times) -> bool | None:
    """A challenge to credentials: whether it says that only their nonce is old. None: it is another realm's."""
    realms = {parameter(value, "realm") for value in credentials_of(answered)}
    asked = [value for value in challenges_of(response) if parameter(value, "realm") in realms]
    if not asked:
        return None
    return any((parameter(value, "stale") or "").lower() == "true" for value in asked)
