"""A hostile peer for some seconds; `make test-long` has ten minutes of it (tests/component/hostile.py)."""

import random
import re

import pytest

from agent.contract.plan import Transport
from agent.contract.srtp import Keying
from tests.component.garbage import Packets, Texts
from tests.component.hostile import attack
from tests.component.hostile_runs import HANG_S, How
from tests.component.network import own_network
from tests.component.peers.sip import Message, response, sdp

SEED = 4
"""Of each run the same: what one finds that another did not, the ten minutes find, which have a seed of their own."""
INVITE = Message.parse(
    b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 1.2.3.4;branch=z9hG4bKreal\r\nFrom: <sip:a@b>;tag=1\r\n"
    b"To: <sip:b@b>\r\nCall-ID: call\r\nCSeq: 7 INVITE\r\nContact: <sip:a@1.2.3.4>\r\n\r\n"
)


@pytest.mark.flood
@pytest.mark.timeout(HANG_S + 60)
@pytest.mark.parametrize(
    "how",
    [
        *(How(transport=transport, calls=8) for transport in Transport),
        *(How(keying=keying, calls=8) for keying in Keying),
    ],
    ids=[*Transport, *Keying],
)
def test_no_crash_no_hang_no_passed(how: How) -> None:
    pytest.importorskip("pjsua2")
    with own_network():
        tally = attack(seconds=1, seed=SEED, how=how)
    assert tally.faults == []
    assert tally.runs == 2
    assert tally.sent["SIP"] > 100
    assert tally.sent["RTP"] > 100
    assert {"callers", "ends"} <= set(tally.peak_mb)
    assert ("parrot" in tally.peak_mb) == (how.transport is Transport.UDP)
    assert how.keying is None or tally.sent[f"INVITE answered with {how.keying}"] > 0


def test_what_it_sends_as_a_200_never_answers_the_invite_with_media() -> None:
    texts = Texts(random.Random(4))
    good = response(INVITE, "200 OK", contact="<sip:x@y>", tag="t", body=sdp(9))
    for _ in range(3000):
        raw = texts.mutated(good)
        if not re.match(rb"SIP/2.0 +2\d\d", raw):
            continue
        answers = b"branch=z9hG4bKreal" in raw and re.search(rb"(?i)cseq: *7 INVITE", raw)
        assert not (answers and b"m=audio 9 " in raw.partition(b"\r\n\r\n")[2]), raw


def test_what_it_sends_as_rtp_ends_no_digit() -> None:
    packets = Packets(random.Random(4))
    for _ in range(3000):
        raw = packets.events()
        assert len(raw) < 16 or raw[12] > 15 or not raw[13] & 128
