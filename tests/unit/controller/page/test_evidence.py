"""Folders of evidence, and what is written in them."""

from pathlib import Path

import pytest

from agent.contract.observation import LegObservation, SipMessage
from agent.contract.registration import RegistrationObservation, RegistrationOutcome
from agent.contract.result import KeptLine, ProgressLine, encode_line
from agent.contract.verdict import Role
from agent.report.ladder import ladder
from controller.page.calls import CallKey
from controller.page.evidence import crossings_of, folders, key_of, read_folder, read_legs, runs_in
from controller.page.reading import Room
from tests.unit.builders import caller_leg
from tests.unit.controller.page.world import ACK, INVITE, OK, TALK, capture, media, signalling

MESSAGES = (
    SipMessage(at_ms=0.0, sent=True, peer="10.0.0.9:5060", text=INVITE),
    SipMessage(at_ms=104.5, sent=False, peer="10.0.0.9:5060", text=OK),
    SipMessage(at_ms=105.5, sent=True, peer="10.0.0.9:5060", text=ACK),
)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/x/pin-1/ep0/pin-4/Caller", (CallKey(endpoint=0, call="pin", number=4), Role.CALLER)),
        ("/x/pin-1/ep12/a-b-3/Callee-2", (CallKey(endpoint=12, call="a-b", number=3), Role.CALLEE)),
        ("/x/pin-1/ep0/registration/Callee", (CallKey(endpoint=0, call="registration", number=0), Role.CALLEE)),
        ("/x/pin-1/ep0/stray/Callee", (CallKey(endpoint=0, call="stray", number=0), Role.CALLEE)),
        ("/x/pin-1/ep0/leg-3-12345678/Callee", (CallKey(endpoint=0, call="leg-3-12345678", number=0), Role.CALLEE)),
        ("/x/pin-1/ep0/pin-4", None),
        ("/x/pin-1/epx/pin-4/Caller", None),
        ("/", None),
    ],
)
def test_whose_a_folder_is_stands_in_its_path(path, found):
    assert key_of(Path(path)) == found


def evidence(root, *, role="Caller"):
    folder = root / "pin-1" / "ep0" / "pin-0" / role
    folder.mkdir(parents=True)
    return folder


def test_folders_are_found_from_any_of_their_parts(tmp_path):
    folder = evidence(tmp_path)
    capture(folder / "capture.pcap", signalling(*TALK))
    (tmp_path / "pin-1" / "ep0" / "pin-0" / "Callee").mkdir()
    for part in (tmp_path, tmp_path / "pin-1", folder):
        assert folders(part) == [folder]
    assert runs_in([folder]) == ["pin-1"]


@pytest.mark.parametrize(("profile", "encrypted"), [("RTP/AVP", False), ("RTP/SAVP", True)])
def test_a_capture_has_media_as_it_is_on_the_wire(tmp_path, profile, encrypted):
    """Of SRTP nothing is heard."""
    folder = evidence(tmp_path)
    said = [(at_s, *ends, text.replace("RTP/AVP", profile)) for at_s, *ends, text in TALK]
    capture(folder / "capture.pcap", signalling(*said), media())
    kept = read_folder(folder, Room(), listen=True, progress=lambda _: None)
    assert kept.recording is not None
    assert (kept.folder, kept.role) == ("pin-1/ep0/pin-0/Caller", Role.CALLER)
    assert {one.stream.encrypted for one in kept.recording.streams} == {encrypted}
    assert {bool(one.heard) for one in kept.recording.streams} == {not encrypted}


def test_a_ladder_without_a_capture_is_read(tmp_path):
    folder = evidence(tmp_path)
    (folder / "sip.txt").write_text(ladder(caller_leg(messages=MESSAGES, started_at=1_700_000_000.25)))
    kept = read_folder(folder, Room(), listen=True, progress=lambda _: None)
    assert kept.recording is None
    assert [(round(one.at_s, 4), one.source, one.target) for one in kept.crossings] == [
        (1_700_000_000.25, "caller agent", "10.0.0.9:5060"),
        (1_700_000_000.3545, "10.0.0.9:5060", "caller agent"),
        (1_700_000_000.3555, "caller agent", "10.0.0.9:5060"),
    ]
    assert [one.text.strip() for one in kept.crossings] == [message.text.strip() for message in MESSAGES]


def test_a_registrations_ladder_has_no_date():
    seen = RegistrationObservation(
        role=Role.CALLER, endpoint=0, outcome=RegistrationOutcome.REJECTED, messages=MESSAGES
    )
    assert [one.at_s for one in crossings_of(ladder(seen), "me")] == [0.0, 0.1045, 0.1055]


def test_a_date_that_is_none_is_no_date():
    text = ladder(caller_leg(messages=MESSAGES)).replace("begun 2001", "begun never")
    assert next(crossings_of(text, "me")).at_s == 0.0


def test_lines_of_legs_are_read_and_what_cannot_be_is_said():
    progress = ProgressLine(run_uid="u", agent="a", ready=0, done=0, active=0, ended=0, failed=0)
    raw = encode_line(caller_leg()) + encode_line(progress) + b"noise\n"
    found = read_legs(raw, "legs.jsonl")
    assert found.seen == (caller_leg(),)
    assert found.left_out == ("1 lines of legs.jsonl: another version of calltest wrote them, or they are damaged",)


def test_what_was_told_of_a_leg_later_is_its():
    leg = caller_leg(index=4)
    told = KeptLine(role=Role.CALLER, endpoint=0, index=4, messages=MESSAGES, evidence="f", evidence_fault="late")
    (found,) = read_legs(encode_line(leg) + encode_line(told), "x").seen
    assert isinstance(found, LegObservation)
    assert (found.messages, found.evidence, found.evidence_fault) == (MESSAGES, "f", "late")
    other = KeptLine(role=Role.CALLEE, endpoint=0, index=4, messages=MESSAGES)
    assert read_legs(encode_line(leg) + encode_line(other), "x").seen == (leg,)
