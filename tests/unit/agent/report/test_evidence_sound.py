"""A leg's capture as sound, by direction."""

from dataclasses import replace

import numpy as np
import pytest

from agent.report import evidence_sound
from agent.report.evidence_sound import sound_of
from agent.trace.model import UnusableCaptureError
from tests.unit.agent.trace.sounds import read_wav
from tests.unit.agent.trace.wire import Packet, frames, pcap, rtp

OURS, THEIRS = "10.0.0.1:4000", "10.0.0.2:4002"


def stream(payload: bytes, ssrc: int, **addresses: object) -> list[Packet]:
    packets = [Packet(payload=rtp(n, 160 * n, ssrc=ssrc, payload=payload)) for n in range(50)]
    return [replace(p, time_ns=p.time_ns + 20_000_000 * n, **addresses) for n, p in enumerate(packets)]


BACK = {"src": "10.0.0.2", "sport": 4002, "dst": "10.0.0.1", "dport": 4000}
SENT = stream(b"\x80" * 160, 1)
RECEIVED = stream(b"\xff" * 80 + b"\x00" * 80, 2, **BACK)


@pytest.fixture
def capture(tmp_path):
    def make(*packets: Packet):
        path = tmp_path / "capture.pcap"
        path.write_bytes(pcap(frames(sorted(packets, key=lambda packet: packet.time_ns))))
        return path

    return make


def test_each_direction_is_a_file_of_its_name(tmp_path, capture):
    made = sound_of(capture(*SENT, *RECEIVED), OURS, tmp_path)
    assert sorted(made) == ["received.wav", "sent.wav"]
    rate_hz, (sent,) = read_wav(made["sent.wav"])
    assert (rate_hz, set(sent.tolist())) == (8000, {32124})
    _, (received,) = read_wav(made["received.wav"])
    assert (len(received), set(np.unique(received).tolist())) == (8000, {0, -32124})
    swapped = sound_of(capture(*SENT, *RECEIVED), THEIRS, tmp_path / "other")
    assert set(read_wav(swapped["received.wav"])[1][0].tolist()) == {32124}


def test_a_direction_without_packets_has_no_file(tmp_path, capture):
    assert list(sound_of(capture(*RECEIVED), OURS, tmp_path)) == ["received.wav"]
    assert sound_of(capture(*RECEIVED), "10.9.9.9:1", tmp_path) == {}


def test_a_peer_that_moves_gets_a_second_file(tmp_path, capture):
    moved = [replace(packet, dst="10.0.0.3", time_ns=packet.time_ns + 2_000_000_000) for packet in SENT]
    assert sorted(sound_of(capture(*SENT, *moved), OURS, tmp_path)) == ["sent-2.wav", "sent.wav"]


def test_a_long_capture_is_left_to_others(tmp_path, capture, monkeypatch):
    monkeypatch.setattr(evidence_sound, "MAX_CAPTURE_BYTES", 100)
    made = sound_of(capture(*SENT), OURS, tmp_path / "made")
    assert list(made) == ["sound.txt"]
    assert "use calltest trace --wav" in made["sound.txt"].read_text()


def test_what_is_enciphered_has_no_file_and_it_is_said_why(tmp_path, capture):
    sealed = stream(b"\x80" * 170, 3)  # 160 bytes of G.711, and the 10 of SRTP's tag
    made = sound_of(capture(*sealed, *RECEIVED), OURS, tmp_path)
    assert sorted(made) == ["received.wav", "sound.txt"]
    said = made["sound.txt"].read_text()
    assert said.startswith("sent: ")
    assert "SRTP" in said
    assert said.count("\n") == 1


def test_what_is_no_capture_is_said(tmp_path):
    (tmp_path / "x").write_bytes(b"nothing of that kind, at all")
    with pytest.raises(UnusableCaptureError):
        sound_of(tmp_path / "x", OURS, tmp_path)
