"""Where a peer wants media, against the family that is spoken with it."""

from dataclasses import replace

import pytest

from agent.contract.observation import Health
from agent.contract.verdict import Role
from agent.observe.leg import LegFacts, observe_leg
from tests.unit.sip_messages import message, request, response, sdp, with_sdp

V4, V6 = "192.0.2.7:4000", "[2001:db8::7]:4000"


def described(at: str) -> dict[str, str]:
    """An SDP with that address."""
    body = sdp(at)
    return with_sdp(body.replace("IP4 [2001:db8::7]", "IP6 2001:db8::7").replace("IP4 [::]", "IP6 ::"))


def seen(*texts: tuple[str, bool], role: Role = Role.CALLER, local: str = "127.0.0.1:5070") -> str | None:
    events = [replace(message(10.0 + i, text, sent), local=local) for i, (text, sent) in enumerate(texts)]
    facts = LegFacts(role=role, endpoint=0, call="pin", number=0, call_key="k", sip_call_id="c1", started_at=1e9)
    return observe_leg(facts, events, own_reason=None, health=Health()).other_family


@pytest.mark.parametrize(
    ("local", "offer", "answer", "told"),
    [
        ("127.0.0.1:5070", V4, V4, None),
        ("127.0.0.1:5070", V4, V6, V6),
        ("[::1]:5070", V6, V6, None),
        ("[::1]:5070", V6, V4, V4),
        ("[::1]:5070", V6, "0.0.0.0:4000", None),
        ("[::1]:5070", V6, "media.example.com:4000", None),
        ("[::1]:5070", V6, "192.0.2.7:0", None),
    ],
)
def test_an_answer_of_the_other_family_is_told(local, offer, answer, told):
    answered = response(200, **described(answer))
    assert seen((request(**described(offer)), True), (answered, False), local=local) == told


@pytest.mark.parametrize(
    ("offer", "told"),
    [(V4, V4), (V6, None), ("0.0.0.0:4000", None), ("192.0.2.7:0", None), ("media.example.com:4000", None)],
)
def test_so_is_an_offer_that_our_stack_refused(offer, told):
    refused = response(500)
    by_ipv6 = {"role": Role.CALLEE, "local": "[::1]:5070"}
    assert seen((request(**described(offer)), False), (refused, True), **by_ipv6) == told


def test_what_has_no_sdp_or_no_message_tells_nothing():
    assert seen((request(), False), (response(500), True), role=Role.CALLEE) is None
    assert seen() is None
