"""Real agents with a path between them that spoils the media: each check that nobody has to ask for says so."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.contract.call import Behaviour
from agent.contract.expect import Expect, ExpectDtmf, ExpectLeg
from agent.contract.verdict import Check, Finding, Reason, Role
from agent.judge.run import AgentReport, judge_run
from tests.component.agents import Lane, lane, make_group, make_plan
from tests.component.field import not_hindered
from tests.component.relay import Relay

pytest.importorskip("pjsua2")

EVENT = 120
"""Payload type of our agents' telephone-event."""
END = 0x80
TWO_SECONDS = 100
"""Packets."""


def payload_type(packet: bytes) -> int:
    return packet[1] & 127


def without_ends(packet: bytes) -> bytes | None:
    return None if payload_type(packet) == EVENT and packet[13] & END else packet


def at_most_20_ms(packet: bytes) -> bytes:
    if payload_type(packet) != EVENT:
        return packet
    return packet[:14] + struct.pack(">H", min(160, *struct.unpack_from(">H", packet, 14)))


def some_with_another_payload_type() -> Callable[[bytes], bytes]:
    numbers = iter(range(100_000))

    def spoil(packet: bytes) -> bytes:
        return packet[:1] + bytes([18]) + packet[2:] if next(numbers) % 10 == 3 else packet

    return spoil


def until_it_stops() -> Callable[[bytes], bytes | None]:
    numbers = iter(range(100_000))
    return lambda packet: packet if next(numbers) < TWO_SECONDS else None


@pytest.fixture
def through(tmp_path: Path) -> Iterator[Callable[..., Lane]]:
    """One finished call of 5 s, through a path that spoils what the callee is sent."""
    relays: list[Relay] = []

    def call(spoil: Callable[[bytes], bytes | None], expect: Expect) -> Lane:
        def path(address: str) -> str:
            relays.append(Relay(address, spoil=spoil))
            return relays[-1].address

        group = make_group(hold_seconds=5, expect=expect)
        with lane(tmp_path, group, behaviour=Behaviour.ABSORBER, path=path) as pair:
            pair.go()
            pair.finish()
        return pair

    yield call
    for relay in relays:
        relay.close()


def verdict(pair: Lane, expect: Expect) -> list[Finding]:
    """What both ends together come to."""
    group = make_group(hold_seconds=5, expect=expect)
    reports = [
        AgentReport(
            plan=make_plan(role, group, behaviour=Behaviour.ABSORBER),
            legs=tuple(agent.legs),
            registrations=(),
            complete=True,
        )
        for role, agent in ((Role.CALLER, pair.caller), (Role.CALLEE, pair.callee))
    ]
    return list(judge_run(reports).calls[0].findings)


DIGITS = Expect(callee=ExpectLeg(dtmf=ExpectDtmf(digits="1234#")))


@pytest.mark.parametrize(
    ("spoil", "expect", "check", "reason"),
    [
        (without_ends, DIGITS, Check.DTMF, Reason.DTMF_NOT_ENDED),
        (without_ends, Expect(), Check.DTMF, Reason.DTMF_NOT_ENDED),
        (at_most_20_ms, DIGITS, Check.DTMF, Reason.DTMF_CUT_SHORT),
        (some_with_another_payload_type(), Expect(), Check.RTP_PACKETS, Reason.UNNEGOTIATED_PAYLOAD),
        (until_it_stops(), Expect(), Check.RTP_PACKETS, Reason.MEDIA_STOPPED),
    ],
    ids=["no ends", "no ends, not asked for", "20 ms", "another payload type", "stops"],
)
def test_a_path_that_spoils_media_fails_where_it_arrived(
    through: Callable[..., Lane],
    spoil: Callable[[bytes], bytes | None],
    expect: Expect,
    check: Check,
    reason: Reason,
) -> None:
    found = verdict(through(spoil, expect), expect)
    if found[0].reason is not reason:
        not_hindered(found, reason)
    # What else a loaded machine made of it is Inconclusive, and stands behind.
    assert (found[0].leg, found[0].check, found[0].reason) == (Role.CALLEE, check, reason)


def test_a_path_that_spoils_nothing_passes(through: Callable[..., Lane]) -> None:
    pair = through(lambda packet: packet, DIGITS)
    assert [f for f in verdict(pair, DIGITS) if f.reason not in {Reason.AGENT_OVERLOADED, Reason.PEER_LOST}] == []
    for leg in (*pair.caller.legs, *pair.callee.legs):
        assert leg.health.rtp_lateness_ms is not None
