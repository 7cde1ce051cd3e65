"""The SIP messages of a capture, as they were, whatever carried them."""

from pathlib import Path

from agent.trace.read import messages
from tests.unit.agent.trace.test_formats import tcp
from tests.unit.agent.trace.wire import START_NS, Packet, frames, invite, pcap, sip, speech

BYE = 'BYE sip:a@b SIP/2.0\nCall-ID: call-1\nCSeq: 2 BYE\nAuthorization: Digest response="secret"\n\n'


def test_messages_come_in_the_order_of_arrival_over_udp_and_tcp(tmp_path: Path) -> None:
    text = invite("10.0.0.2", 4002, "0", call_id="by-tcp").replace("\n", "\r\n").encode()
    offer = sip(Packet(payload=b"", time_ns=START_NS + 2), invite("10.0.0.2", 4002, "0"))
    bye = sip(Packet(payload=b"", time_ns=START_NS + 3), BYE)
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap([tcp(text[:80], 1), tcp(text[80:], 81), *frames([*speech(9), offer, bye])], nano=True))
    for chunk_bytes in (100, 1 << 20):
        found = list(messages([path], chunk_bytes=chunk_bytes))
        assert [(one.transport, one.call_id, one.time_ns - START_NS) for one in found] == [
            ("TCP", "by-tcp", -1),
            ("UDP", "call-1", 2),
            ("UDP", "call-1", 3),
        ]
    assert (found[1].src, found[1].dst) == ("10.0.0.1:5060", "10.0.0.2:5060")
    assert found[0].text == text.decode()
    assert found[2].start_line == "BYE sip:a@b SIP/2.0"


def test_what_a_password_could_be_guessed_from_is_not_told(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(frames([sip(Packet(payload=b""), BYE)])))
    [one] = messages([path])
    assert "secret" not in one.text
    assert 'response="xxxxxx"' in one.text


def test_a_message_that_is_none_of_sip_is_told_without_a_call(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(frames([sip(Packet(payload=b""), "INVITE \x00\n\n")])))
    [one] = messages([path])
    assert (one.call_id, one.start_line) == (None, "INVITE \x00")
