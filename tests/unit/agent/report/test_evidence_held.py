"""What is held of legs until their calls are judged, and what is dropped for lack of room."""

import pytest

from agent.contract.observation import SipMessage
from agent.report import evidence_held
from agent.report.evidence_held import Held
from tests.unit.builders import caller_leg

MESSAGE = SipMessage(at_ms=0.0, sent=True, peer="p", text="INVITE sip:b SIP/2.0\r\n")


def leg(index: int):
    return caller_leg(number=index, index=index, messages=(MESSAGE,))


@pytest.fixture
def captures(tmp_path):
    """Ten of 100 bytes."""
    files = [tmp_path / f"{index}.pcap" for index in range(10)]
    for file in files:
        file.write_bytes(b"p" * 100)
    return files


def let_go(held, *spans):
    return {each.index: each for each in held.let_go(spans)}


def test_what_is_asked_for_is_given_as_it_was_and_the_rest_is_gone(captures):
    held = Held()
    for index in range(10):
        held.add(leg(index), captures[index], with_files=True)
    assert len(held) == 10
    kept = let_go(held, (2, 3), (9, 200))
    assert {index: each.leg for index, each in kept.items()} == {index: leg(index) for index in (2, 3, 9)}
    assert [file.exists() for file in captures] == [index in {2, 3, 9} for index in range(10)]
    assert [(each.capture, each.with_files, each.fault) for each in kept.values()] == [
        (captures[index], True, None) for index in (2, 3, 9)
    ]
    assert len(held) == 0
    assert let_go(held, (0, 9)) == {}


def test_the_oldest_captures_go_first_and_that_is_said(captures):
    held = Held(capture_bytes=350)
    for index in range(10):
        held.add(leg(index), captures[index], with_files=True)
    assert [file.exists() for file in captures] == [False] * 7 + [True] * 3
    kept = let_go(held, (6, 7))
    assert kept[6].capture is None
    assert "no capture: this agent had no more room" in (kept[6].fault or "")
    assert kept[6].leg == leg(6)
    assert (kept[7].capture, kept[7].fault) == (captures[7], None)


def test_the_oldest_legs_go_first_and_that_is_said(captures):
    held = Held(text_bytes=12_000)
    for index in range(10):
        held.add(leg(index), captures[index], with_files=True)
    kept = let_go(held, (0, 9))
    assert kept[0].leg is None
    assert kept[0].endpoint == 0
    assert not captures[0].exists()
    assert "no evidence" in (kept[0].fault or "")
    assert kept[9].leg == leg(9)


def test_a_flood_of_strays_is_not_held(monkeypatch, captures):
    monkeypatch.setattr(evidence_held, "MAX_LEGS", 4)
    held = Held(capture_bytes=250)
    for index in range(10):
        held.add(leg(index), captures[index] if index < 8 else None, with_files=True)
    assert sorted(let_go(held, (0, 9))) == [6, 7, 8, 9]
    assert [file.exists() for file in captures[:8]] == [False] * 6 + [True] * 2
