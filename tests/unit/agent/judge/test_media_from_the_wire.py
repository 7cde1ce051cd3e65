"""Media from the wire to the verdict: each reason where the peer misbehaves, and legal oddness that passes."""

from typing import Any

import numpy as np
import pytest

from agent.contract.call import SendDtmf
from agent.contract.expect import Audio, ExpectDtmf, ExpectLeg, ExpectRtp, MediaSource
from agent.contract.plan import identity_code
from agent.contract.verdict import Check, Reason, Result, Role
from agent.judge.run import CallVerdict
from agent.sound.identity import encode
from agent.tap.model import GapKind, TapDigit, TapGap, TapStream
from tests.unit.agent.judge.judging import said
from tests.unit.agent.judge.media_wire import (
    ANSWERED_S,
    CODE,
    PLACES,
    SIGNAL,
    SILENCE,
    alone,
    changed_to,
    leg,
    offer_and_answer,
    row,
    verdict,
)
from tests.unit.taps import tap_digit

CALLER, CALLEE = Role.CALLER, Role.CALLEE
STRANGER = "10.0.0.66:7000"


def asked(**expected: Any) -> dict[str, Any]:
    return {f"group__expect__{leg}": ExpectLeg(**expected) for leg in ("caller", "callee")}


def rtp(**bounds: Any) -> dict[str, Any]:
    return asked(rtp=ExpectRtp(**bounds))


LOSS = rtp(max_loss_percent="1")
OWN = asked(audio=Audio.OWN)


def sent(role: Role, **changes: Any) -> TapStream:
    return row(role, sent=True, **changes)


def caller(*rows: TapStream, **fields: Any) -> Any:
    """Also sent as it should."""
    return leg(CALLER, *(rows or (row(CALLER),)), sent(CALLER), **fields)


def callee(*rows: TapStream, **fields: Any) -> Any:
    return leg(CALLEE, *(rows or (row(CALLEE),)), sent(CALLEE), **fields)


def passed(call: CallVerdict) -> None:
    assert said(call.findings) == []
    assert call.result is Result.PASSED


def failed(call: CallVerdict, check: Check, reason: Reason) -> None:
    assert call.result is Result.FAILED
    assert (check, reason) in said(call.findings), said(call.findings)
    assert call.reason is reason


def test_a_good_call_passes_whatever_of_its_media_is_asked():
    everything = asked(
        audio=Audio.OWN,
        max_foreign_percent="5",
        rtp=ExpectRtp(
            min_packets=350,
            max_loss_percent="0.5",
            max_jitter_milliseconds=5,
            max_gap_milliseconds=100,
            source=MediaSource.SIGNALLED,
        ),
    )
    passed(verdict(**everything))


# Each reason, where the peer misbehaves


def nothing_comes_back() -> CallVerdict:
    return verdict(caller=leg(CALLER, sent(CALLER), sound=SILENCE))


def it_stops_on_the_way() -> CallVerdict:
    return verdict(caller=caller(row(CALLER, packets=200, last_s=ANSWERED_S + 4.0, media_ms=4000.0)))


def types_that_nobody_offered() -> CallVerdict:
    return verdict(caller=caller(row(CALLER, unnegotiated=200, payload_types={0: 200, 96: 200})))


def fewer_than_asked() -> CallVerdict:
    return alone(caller(row(CALLER, packets=300, media_ms=6000.0, pause_ms=2000.0)), **rtp(min_packets=350))


def another_port_though_the_sdps_is_insisted_on() -> CallVerdict:
    return verdict(caller=caller(row(CALLER, remote="10.0.0.1:40000")), **rtp(source=MediaSource.SIGNALLED))


def a_tenth_is_lost_and_numbers_tell() -> CallVerdict:
    lost = row(CALLEE, packets=360, lost=40, media_ms=7200.0, lost_ms=800.0)
    return verdict(callee=callee(lost), **LOSS)


def a_tenth_is_lost_before_all_is_packed_and_numbered_anew() -> CallVerdict:
    anew = row(CALLEE, packets=720, media_ms=7200.0, payload_types={0: 720})
    return verdict(callee=callee(anew), **LOSS)


def two_seconds_are_quiet() -> CallVerdict:
    return alone(caller(row(CALLER, max_gap_ms=2000.0, pause_ms=2000.0)), **rtp(max_gap_milliseconds=500))


def packets_come_unevenly() -> CallVerdict:
    return verdict(caller=caller(row(CALLER, mean_jitter_ms=80.0)), **rtp(max_jitter_milliseconds=30))


def another_calls_signal_is_heard() -> CallVerdict:
    other = encode(identity_code("another call"), frames=16)
    return verdict(callee=callee(sound=other), **OWN)


def noise_is_mixed_in_for_most_of_the_call() -> CallVerdict:
    noise = np.random.default_rng(1).normal(0, 6000, SIGNAL.size).astype(np.int16)
    noise[:11_520] = SIGNAL[:11_520]  # three frames of its own, and two at its end
    noise[-9_600:] = SIGNAL[-9_600:]
    return verdict(callee=callee(sound=noise), **OWN)


def silence_is_heard() -> CallVerdict:
    return verdict(callee=callee(sound=SILENCE), **OWN)


def something_is_heard_where_nothing_should() -> CallVerdict:
    return verdict(group__expect__caller=ExpectLeg(audio=Audio.SILENCE))


def the_path_plays_the_caller_back_to_itself() -> CallVerdict:
    return verdict(callee=callee(sound=SILENCE))


def digits_come_back_that_nobody_sent() -> CallVerdict:
    digits = tuple(tap_digit(key, ANSWERED_S + 1 + place) for place, key in enumerate("12"))
    looped = leg(CALLER, row(CALLER, digits=digits), sent(CALLER, digits=digits))
    return verdict(caller=looped)


def digits_are_lost() -> CallVerdict:
    digits = tuple(tap_digit(key, ANSWERED_S + 1 + place) for place, key in enumerate("12"))
    mine = leg(CALLER, row(CALLER), sent(CALLER, digits=digits))
    return verdict(
        caller=mine,
        callee=callee(row(CALLEE, digits=digits[:1])),
        group__expect__callee=ExpectLeg(dtmf=ExpectDtmf(digits="12")),
    )


MISBEHAVIOUR = [
    (nothing_comes_back, Check.RTP_PACKETS, Reason.NO_RTP),
    (it_stops_on_the_way, Check.RTP_PACKETS, Reason.MEDIA_STOPPED),
    (types_that_nobody_offered, Check.RTP_PACKETS, Reason.UNNEGOTIATED_PAYLOAD),
    (fewer_than_asked, Check.RTP_PACKETS, Reason.TOO_FEW_PACKETS),
    (another_port_though_the_sdps_is_insisted_on, Check.RTP_SOURCE, Reason.UNSIGNALLED_SOURCE),
    (a_tenth_is_lost_and_numbers_tell, Check.RTP_LOSS, Reason.PACKET_LOSS),
    (a_tenth_is_lost_before_all_is_packed_and_numbered_anew, Check.RTP_LOSS, Reason.PACKET_LOSS),
    (two_seconds_are_quiet, Check.RTP_GAP, Reason.MEDIA_GAP),
    (packets_come_unevenly, Check.RTP_JITTER, Reason.JITTER),
    (another_calls_signal_is_heard, Check.AUDIO, Reason.WRONG_AUDIO),
    (noise_is_mixed_in_for_most_of_the_call, Check.AUDIO, Reason.WRONG_AUDIO),
    (silence_is_heard, Check.AUDIO, Reason.NO_AUDIO),
    (something_is_heard_where_nothing_should, Check.AUDIO, Reason.UNEXPECTED_AUDIO),
    (the_path_plays_the_caller_back_to_itself, Check.AUDIO, Reason.LOOPED),
    (digits_come_back_that_nobody_sent, Check.DTMF, Reason.DTMF_MISMATCH),
    (digits_are_lost, Check.DTMF, Reason.DTMF_MISMATCH),
]


@pytest.mark.parametrize(("path", "check", "reason"), MISBEHAVIOUR, ids=lambda value: getattr(value, "__name__", None))
def test_a_path_that_misbehaves_fails_for_the_right_reason(path, check, reason):
    call = path()
    assert call.result is Result.FAILED
    assert (check, reason) in said(call.findings), said(call.findings)
    allowed = {reason, Reason.NO_AUDIO, Reason.LOOPED}  # what follows from it
    assert {finding.reason for finding in call.findings} <= allowed


# Legal oddness passes


def packed_into_40_ms() -> CallVerdict:
    long = {"packets": 200, "expected": 200, "payload_types": {0: 200}}
    return verdict(callee=callee(row(CALLEE, **long)), caller=caller(row(CALLER, **long)), **LOSS)


def packed_into_10_ms() -> CallVerdict:
    short = {"packets": 800, "expected": 800, "payload_types": {0: 800}}
    return verdict(callee=callee(row(CALLEE, **short)), **LOSS)


def an_ivr_that_waits() -> CallVerdict:
    return alone(caller(row(CALLER, packets=150, last_s=ANSWERED_S + 3.0, media_ms=3000.0)), **LOSS)


def a_source_that_begins_anew() -> CallVerdict:
    return verdict(caller=caller(row(CALLER, restarts=1)), **LOSS)


def keep_alives_of_a_type_that_nobody_offered() -> CallVerdict:
    return verdict(caller=caller(row(CALLER, packets=403, empty=3, payload_types={0: 400, 122: 3})))


def media_from_another_port_of_the_host() -> CallVerdict:
    return verdict(caller=caller(row(CALLER, remote="10.0.0.1:40000")), **LOSS)


def a_stranger_beside_the_peer() -> CallVerdict:
    flood = row(CALLER, remote=STRANGER, ssrc=9, packets=5000, lost=9000, unnegotiated=5000, payload_types={96: 5000})
    return verdict(caller=caller(row(CALLER), flood), **LOSS)


def media_from_elsewhere_that_carries_the_signal() -> CallVerdict:
    there = caller(row(CALLER, remote="192.0.2.7:5000"), sound={"192.0.2.7:5000": SIGNAL})
    return verdict(caller=there, **OWN)


def a_hold_with_music() -> CallVerdict:
    """The SUT holds the caller from 3 to 5.5 s; the callee is held too."""
    changes = {
        role: (
            *changed_to(role, ANSWERED_S + 3.0, "a=sendonly" if role is CALLER else "a=inactive", cseq=2, epoch=4),
            *changed_to(role, ANSWERED_S + 5.5, "a=sendrecv", cseq=3, epoch=6),
        )
        for role in (CALLER, CALLEE)
    }
    legs = {}
    for role, music in ((CALLER, 2500.0), (CALLEE, 0.0)):
        parts = [
            row(role, epoch=2, packets=150, last_s=ANSWERED_S + 2.98, media_ms=3000.0),
            row(role, epoch=6, packets=125, first_s=ANSWERED_S + 5.52, media_ms=2500.0),
        ]
        if music:
            parts.append(row(role, epoch=4, ssrc=5, packets=125, first_s=ANSWERED_S + 3.02, last_s=ANSWERED_S + 5.48,
                             media_ms=music))  # fmt: skip
        mine = [
            sent(role, epoch=2, packets=150, last_s=ANSWERED_S + 2.98, media_ms=3000.0),
            sent(role, epoch=6, packets=125, first_s=ANSWERED_S + 5.52, media_ms=2500.0),
        ]
        legs[role] = leg(role, *parts, *mine, changes=changes[role])
    return verdict(caller=legs[CALLER], callee=legs[CALLEE], **rtp(max_loss_percent="1", max_gap_milliseconds=300))


def one_way_by_sendonly() -> CallVerdict:
    mine = leg(CALLER, sent(CALLER), sound=SILENCE, signalling=offer_and_answer(CALLER, ("a=recvonly",)))
    its = leg(CALLEE, row(CALLEE), signalling=offer_and_answer(CALLEE, ("a=sendonly",)))
    return verdict(caller=mine, callee=its, group__expect__callee=ExpectLeg(audio=Audio.OWN))


def a_prompt_before_the_bridge() -> CallVerdict:
    prompt = np.random.default_rng(2).normal(0, 3000, 16_000).astype(np.int16)
    heard = np.concatenate([prompt, encode(CODE, frames=12)])
    return verdict(caller=caller(sound=heard), **OWN)


def silence_that_is_left_out() -> CallVerdict:
    quiet = row(
        CALLEE, packets=250, media_ms=5000.0, pause_ms=3000.0, noise=3, payload_types={0: 250, 13: 3},
        gaps=(TapGap(at_s=ANSWERED_S + 5, missing_ms=3000.0, kind=GapKind.PAUSE, packets=0),), gap_count=1,
    )  # fmt: skip
    return verdict(callee=callee(quiet), **LOSS)


def packed_into_40_ms_without_the_pauses_beside_digits() -> CallVerdict:
    """Five, through rtpengine with `ptime`: its timestamps leave out the 40 ms in which a digit's end is repeated."""
    went = sent(CALLER, payload_types={0: 365, 101: 35}, media_ms=7300.0, pause_ms=200.0, event_ms=500.0)
    came = row(CALLEE, packets=217, expected=217, payload_types={0: 182, 101: 35}, media_ms=7280.0, event_ms=500.0)
    return verdict(caller=leg(CALLER, row(CALLER), went), callee=callee(came), **LOSS)


ODDNESS = [
    packed_into_40_ms,
    packed_into_40_ms_without_the_pauses_beside_digits,
    packed_into_10_ms,
    an_ivr_that_waits,
    a_source_that_begins_anew,
    keep_alives_of_a_type_that_nobody_offered,
    media_from_another_port_of_the_host,
    a_stranger_beside_the_peer,
    media_from_elsewhere_that_carries_the_signal,
    a_hold_with_music,
    one_way_by_sendonly,
    a_prompt_before_the_bridge,
    silence_that_is_left_out,
]


@pytest.mark.parametrize("path", ODDNESS, ids=lambda path: path.__name__)
def test_what_no_standard_forbids_passes(path):
    passed(path())


# Digits in the place of audio


def events_of_infos(*elsewhere: TapGap, end_packets: int = 3, **changes: Any) -> CallVerdict:
    """Five, as Asterisk makes them and the callee's tap has them: under numbers of their own, each for 100 ms of audio.

    The first one's numbers are the audio's, and its time with them.
    """
    begins_s = [ANSWERED_S + 1.0 + 0.2 * place for place in range(5)]
    digits = tuple(
        tap_digit(key, at_s, duration_ms=160.0, packets=10, end_packets=end_packets)
        for key, at_s in zip("1234#", begins_s, strict=True)
    )
    stood_for = tuple(lost_at(at_s + 0.12, 100.0) for at_s in begins_s[1:])
    lost_ms = 400.0 + sum(gap.missing_ms for gap in elsewhere)
    came = row(CALLEE, **{
        "packets": 425, "lost": int(lost_ms / 20) + 5, "reordered": 50, "payload_types": {0: 375, 101: 50},
        "digits": digits, "gaps": (*stood_for, *elsewhere), "gap_count": 4 + len(elsewhere),
        "media_ms": 7900.0 - lost_ms, "lost_ms": lost_ms, "event_ms": 160.0,
    } | changes)  # fmt: skip
    return verdict(callee=callee(came), **LOSS)


def lost_at(at_s: float, missing_ms: float) -> TapGap:
    return TapGap(at_s=at_s, missing_ms=missing_ms, kind=GapKind.LOST, packets=int(missing_ms / 20))


def test_audio_that_digits_stand_for_under_numbers_of_their_own_is_not_certain_to_be_lost():
    call = events_of_infos()
    [finding] = call.findings
    assert (finding.check, finding.reason, call.result) == (Check.RTP_LOSS, Reason.NOT_MEASURED, Result.INCONCLUSIVE)
    assert finding.observed == "4.96 % (0.40 of 8.06 s), 25 of 450 packets by sequence number"
    assert "0.4 s of it are where digits came, under numbers of their own" in (finding.note or "")


@pytest.mark.parametrize(
    "changes",
    [
        {"elsewhere": (lost_at(ANSWERED_S + 5.0, 100.0),)},
        {"elsewhere": tuple(lost_at(ANSWERED_S + 1.17 + 0.2 * place, 40.0) for place in range(5))},
        {"event_ms": 800.0, "media_ms": 6800.0},
        {"end_packets": 0},
    ],
    ids=["elsewhere", "beside them", "their time is among the audio's", "no digit came whole"],
)
def test_what_is_lost_beside_digits_is_lost(changes):
    call = events_of_infos(*changes.pop("elsewhere", ()), **changes)
    failed(call, Check.RTP_LOSS, Reason.PACKET_LOSS)


# What a path breaks is no loop


def without_each(packet: int) -> np.ndarray:
    """The signal as it is behind a path that leaves out each so manieth packet and numbers anew."""
    parts = SIGNAL[: len(SIGNAL) // 160 * 160].reshape(-1, 160)
    return np.delete(parts, np.s_[::packet], axis=0).ravel()


@pytest.mark.parametrize("packet", [3, 5, 10])
def test_a_signal_that_came_in_pieces_came_though_its_parrot_mended_it(packet):
    """The callee finds no whole frame (of each tenth, hardly one), and its jitter buffer's repairs make some of it."""
    kept = 1 - 1 / packet
    anew = row(CALLEE, packets=int(400 * kept), media_ms=8000.0 * kept, payload_types={0: int(400 * kept)})
    broken = callee(anew, sound=without_each(packet))
    failed(verdict(callee=broken, **LOSS), Check.RTP_LOSS, Reason.PACKET_LOSS)
    assert Reason.LOOPED not in {reason for _, reason in said(verdict(callee=broken).findings)}


def test_other_sound_at_a_callee_is_nothing_of_its_callers_signal():
    music = np.random.default_rng(3).normal(0, 3000, len(SIGNAL)).astype(np.int16)
    failed(verdict(callee=callee(sound=music)), Check.AUDIO, Reason.LOOPED)


# What our own agent broke


def late(role: Role) -> TapStream:
    """All of it from 3.5 s after the answer on, at once, as a clock that catches up sends it."""
    return sent(role, first_s=ANSWERED_S + 3.5)


def test_media_that_our_agent_began_late_and_made_up_for_is_its_own_fault():
    few = row(CALLER, packets=19, first_s=ANSWERED_S + 7.6, media_ms=380.0)
    call = alone(leg(CALLER, few, late(CALLER)), **rtp(min_packets=350))
    assert (call.result, call.reason) == (Result.INCONCLUSIVE, Reason.AGENT_OVERLOADED)
    assert "up to 3500 ms late" in (call.findings[0].note or "")
    opposite = verdict(callee=leg(CALLEE, row(CALLEE), late(CALLEE)), caller=caller(few), **rtp(min_packets=350))
    assert opposite.result is Result.INCONCLUSIVE
    failed(alone(caller(few), **rtp(min_packets=350)), Check.RTP_PACKETS, Reason.TOO_FEW_PACKETS)


def keys(*ends_s: float) -> tuple[TapDigit, ...]:
    return tuple(tap_digit(key, ANSWERED_S + at_s - 0.1) for key, at_s in zip("12", ends_s, strict=False))


IN_TIME, TOO_LATE = keys(2.0, 2.3), keys(2.0, 7.95)
DIAL = {"group__caller__dtmf": SendDtmf(digits="12")}


@pytest.mark.parametrize("mine", [TOO_LATE, keys(7.9, 7.95)])
def test_digits_that_the_end_of_the_call_overtook_are_not_the_systems_loss(mine):
    """An agent that stood still sends what it is behind with at once, and hangs up."""
    came = IN_TIME[: sum(digit.last_s < ANSWERED_S + 7 for digit in mine)]
    back = leg(CALLER, row(CALLER, digits=came), sent(CALLER, digits=mine))
    one = alone(back, **DIAL, group__expect__caller=ExpectLeg(dtmf=ExpectDtmf(digits="12")))
    assert (one.result, said(one.findings)) == (Result.INCONCLUSIVE, [(Check.DTMF, Reason.NOT_MEASURED)])
    assert "until 200 ms before the call was over" in (one.findings[0].note or "")


DIALLED = DIAL | asked(dtmf=ExpectDtmf(digits="12"))
ALL, FIRST = IN_TIME, IN_TIME[:1]


@pytest.mark.parametrize(
    ("mine", "there", "its", "back", "result"),
    [
        (ALL, ALL, ALL, ALL, Result.PASSED),
        (TOO_LATE, FIRST, FIRST, FIRST, Result.INCONCLUSIVE),
        (ALL, ALL, TOO_LATE, FIRST, Result.INCONCLUSIVE),
        (TOO_LATE, (), (), (), Result.FAILED),
        (ALL, FIRST, FIRST, FIRST, Result.FAILED),
        (ALL, ALL, TOO_LATE, (), Result.FAILED),
    ],
)
def test_digits_between_two_ends_are_lost_only_where_they_could_still_arrive(mine, there, its, back, result):
    call = verdict(
        caller=leg(CALLER, row(CALLER, digits=back), sent(CALLER, digits=mine)),
        callee=leg(CALLEE, row(CALLEE, digits=there), sent(CALLEE, digits=its)),
        **DIALLED,
    )
    assert call.result is result, said(call.findings)


def test_a_digit_that_nobody_sent_is_a_fault_also_where_the_call_overtook_others():
    call = verdict(
        caller=leg(CALLER, row(CALLER, digits=(tap_digit("9", ANSWERED_S + 3),)), sent(CALLER, digits=TOO_LATE)),
        callee=leg(CALLEE, row(CALLEE, digits=FIRST), sent(CALLEE, digits=FIRST)),
        **DIAL,
        group__expect__caller=ExpectLeg(dtmf=ExpectDtmf(digits="12")),
    )
    assert said(call.findings) == [(Check.DTMF, Reason.DTMF_MISMATCH)]


# What cannot be known


def test_media_from_elsewhere_without_a_proof_fails_where_our_agent_sent_and_is_open_where_the_sut_did():
    there = caller(row(CALLER, remote="192.0.2.7:5000"), sound={"192.0.2.7:5000": SILENCE})
    failed(verdict(caller=there, **LOSS), Check.RTP_PACKETS, Reason.NO_RTP)
    one = alone(there, **LOSS)
    assert (one.result, one.reason) == (Result.INCONCLUSIVE, Reason.NOT_MEASURED)
    assert one.findings[0].observed == (
        f"no RTP from {PLACES[CALLER][1]}, only 400 packets from 192.0.2.7:5000, which the SDP does not name"
    )
