"""The tap on a bad network: what it counts is what the network did, in the direction in which it did it."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest

from agent.trace.read import trace
from tests.component.pcaps import read
from tests.component.phones import Fields, PhoneProcess
from tests.component.relay import Relay
from tests.component.test_pjsua_phone import (
    connect,
    wait_for_audio,
)
from tests.component.test_tap import hang_up, one


@dataclass(frozen=True)
class Relayed:
    """One call over a bad network, as both ends and the network saw it."""

    relay: Relay
    ends: dict[str, Fields]

    def stream(self, side: str, *, sent: bool) -> Fields:
        return one(self.ends[side], sent=sent, mark=1 if side == "caller" else 0)


@pytest.fixture(scope="module")
def relayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relayed]:
    """10 % lost, 5 % twice, 5 % after their successor."""
    caller, callee = (PhoneProcess(tmp_path_factory.mktemp("phone")) for _ in range(2))
    relay = Relay(callee.address, lossy=0.1, repeated=0.05, swapped=0.05)
    try:
        callee.account(f"sip:bob@{callee.address}", relay.address)
        call, _ = connect(caller, callee, caller.account("sip:alice@example.com", relay.address))
        caller.do("send_digits", call=call, digits="159", tone_ms=100)
        for _ in range(3):
            wait_for_audio(caller)
        relay.muted = True  # so that nothing is under way when the call ends
        wait_for_audio(caller)
        ended, answered = hang_up(caller, callee, call)
        yield Relayed(relay, {"caller": ended, "callee": answered})
    finally:
        relay.close()
        caller.close()
        callee.close()


def extended(packets: Sequence[bytes]) -> list[int]:
    """Sequence numbers of RTP packets that span less than half a cycle, so that they may be compared."""
    numbers = [struct.unpack_from(">H", raw, 2)[0] for raw in packets]
    wraps = max(numbers) - min(numbers) > 0x8000
    return [n + 0x10000 if wraps and n < 0x8000 else n for n in numbers]


@pytest.mark.parametrize("side", ["caller", "callee"])
def test_loss_copies_and_order_are_counted_exactly_and_in_their_direction(relayed: Relayed, side: str) -> None:
    received, sent = (relayed.stream(side, sent=sent) for sent in (False, True))
    assert received["remote"] == sent["remote"] == relayed.relay.media_address(side)
    numbers = extended(relayed.relay.passed[side])
    expected = max(numbers) - min(numbers) + 1
    assert received["packets"] == len(numbers) > 100
    assert received["expected"] == expected
    assert received["lost"] == expected - len(set(numbers)) > 5
    assert received["duplicates"] == len(numbers) - len(set(numbers)) > 0
    assert received["reordered"] == sum(n < max(numbers[: i + 1]) for i, n in enumerate(numbers)) > 0
    assert [sent[name] for name in ("lost", "duplicates", "reordered")] == [0, 0, 0]
    end = relayed.ends[side]
    assert end["stack_received"]["packets"] <= received["packets"]
    datagrams = read(end["capture"])
    assert [d.payload for d in datagrams if d.source == received["remote"]] == relayed.relay.passed[side]
    taken = [d.payload for d in datagrams if d.target == sent["remote"]]
    assert taken[: len(relayed.relay.taken[side])] == relayed.relay.taken[side]


@pytest.mark.parametrize("side", ["caller", "callee"])
def test_calltest_trace_reads_the_same_numbers_from_the_capture(relayed: Relayed, side: str) -> None:
    streams = {(s.src, s.dst): s for s in trace([relayed.ends[side]["capture"]]).streams}
    assert len(streams) == 2
    for sent in (False, True):
        tapped = relayed.stream(side, sent=sent)
        path = (tapped["local"], tapped["remote"]) if sent else (tapped["remote"], tapped["local"])
        read_back = streams[path]
        assert int(read_back.ssrc, 16) == tapped["ssrc"]
        for name in ("packets", "expected", "lost", "duplicates", "reordered"):
            assert getattr(read_back, name) == tapped[name]
        assert read_back.jitter_ms == pytest.approx(tapped["jitter_ms"], abs=0.001)
        assert read_back.max_jitter_ms == pytest.approx(tapped["max_jitter_ms"], abs=0.001)
        assert read_back.max_delta_ms == pytest.approx(tapped["max_gap_ms"], abs=0.01)
