"""What the tap makes of packets that SRTP refused: plain ones are told from those of other keys, and from copies."""

from collections.abc import Iterable

import pytest

from agent.tap.model import Fate
from tests.component.tap_counters import EVENT, Packet, counted

TAG_BYTES = 10
"""Of AES_CM_128_HMAC_SHA1_80: behind what is SRTP."""
REFUSED = (Fate.UNAUTHENTIC, Fate.REPLAYED, Fate.KEYLESS)


def voice(number: int, fate: Fate, tag_bytes: int = 0) -> Packet:
    """20 ms of PCMU."""
    return Packet(
        sequence=100 + number, timestamp=160 * number, at_ns=20_000_000 * number, fate=fate, tag_bytes=tag_bytes
    )


def fates(packets: Iterable[Packet]) -> dict[Fate, int]:
    return {fate: count for fate, count in counted(list(packets)).fates.items() if count}


@pytest.mark.parametrize("fate", REFUSED)
def test_packets_without_a_tag_are_plain_whatever_they_are_refused_for(fate: Fate) -> None:
    assert fates(voice(number, fate) for number in range(10)) == {Fate.PLAIN: 10}
    assert fates(voice(number, fate, TAG_BYTES) for number in range(10)) == {fate: 10}


@pytest.mark.parametrize("fate", [Fate.UNAUTHENTIC, Fate.REPLAYED])
def test_a_plain_copy_beside_each_packet_is_plain(fate: Fate) -> None:
    """It is refused for its number where it comes second, for its tag where it comes first."""
    for tag_bytes, told in ((0, Fate.PLAIN), (TAG_BYTES, fate)):
        pairs = [(voice(number, Fate.PASSED, TAG_BYTES), voice(number, fate, tag_bytes)) for number in range(10)]
        assert fates(packet for pair in pairs for packet in pair) == {Fate.PASSED: 10, told: 10}


def test_packets_apart_show_nothing() -> None:
    assert fates(voice(2 * number, Fate.REPLAYED) for number in range(10)) == {Fate.REPLAYED: 10}


def test_plain_packets_until_there_are_keys_and_beyond() -> None:
    early = [voice(number, Fate.KEYLESS) for number in range(5)]
    assert fates([*early, *(voice(number, Fate.UNAUTHENTIC) for number in range(5, 9))]) == {Fate.PLAIN: 9}


@pytest.mark.parametrize("fate", REFUSED)
def test_a_digit_without_a_tag_is_plain(fate: Fate) -> None:
    plain = Packet(sequence=1, timestamp=0, at_ns=0, payload_type=EVENT, payload=bytes(4), fate=fate)
    assert fates([plain]) == {Fate.PLAIN: 1}
    secure = Packet(sequence=1, timestamp=0, at_ns=0, payload_type=EVENT, payload=bytes(4), fate=fate, tag_bytes=4)
    assert fates([secure]) == {fate: 1}
