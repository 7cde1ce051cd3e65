"""Codecs of the real phone with packets of any length. Loopback only."""

import wave
from pathlib import Path

import numpy as np
import pytest

from agent.sound.hearing import hear
from agent.sound.identity import SAMPLE_RATE, encode
from tests.component.phones import Fields, Make
from tests.component.test_pjsua_phone import connect, heard, wait_for_audio
from tests.component.test_tap import hang_up

CODE = 0x5A17E3


def identity(path: Path) -> str:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        out.writeframes(encode(CODE).tobytes())
    return str(path)


def codes(ended: Fields) -> set[str]:
    with wave.open(heard(ended)) as recording:
        return set(hear(np.frombuffer(recording.readframes(recording.getnframes()), np.int16), CODE).codes)


def packet_ms(ended: Fields) -> float:
    """Of what came."""
    (row,) = [row for row in ended["tapped"] if not row["sent"] and row["packets"]]
    return float(row["media_ms"] / row["packets"])


@pytest.mark.parametrize(("asked_ms", "sent_ms"), [(10, 20), (40, 40), (60, 60), (120, 120)])
@pytest.mark.parametrize("codec", ["opus", "GSM"])
def test_each_end_sends_packets_as_long_as_the_other_asks(
    phone: Make, tmp_path: Path, codec: str, asked_ms: int, sent_ms: int
) -> None:
    """Both codecs have frames of 20 ms: there is no less."""
    caller = phone(media={"usual": {"codecs": [codec], "ptimeMilliseconds": asked_ms}})
    callee = phone(media={"usual": {"codecs": [codec], "ptimeMilliseconds": 60}})
    callee.account(f"sip:bob@{callee.address}", caller.address)
    account = caller.account("sip:alice@example.com", callee.address)
    call, _ = connect(caller, callee, account, {"wav": identity(tmp_path / "own.wav")})
    wait_for_audio(caller)
    wait_for_audio(caller)
    ended, answered = hang_up(caller, callee, call)
    assert packet_ms(answered) == pytest.approx(60, abs=3)
    assert packet_ms(ended) == pytest.approx(sent_ms, abs=0.06 * sent_ms)
    assert codes(answered) == {str(CODE)}
