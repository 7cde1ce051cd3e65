"""Media and digits that were due before a DTLS handshake was over: neither lost on the way, nor shown to have come.

The calls last 4 s; the callee of `late` has its keys 0.9 s after its answer, and the caller sends from 0.02 s on.
"""

from typing import Any, Final

import pytest

from agent.contract.expect import ExpectRtp
from agent.contract.srtp import SrtpWay
from agent.contract.verdict import Check, Reason, Result, Role
from agent.judge.keyless import came_when_keyed
from agent.judge.leg import known_leg
from tests.unit.agent.judge.srtp_wire import dtls_caller, dtls_sdp, shaken
from tests.unit.agent.judge.wire import (
    DIGITS,
    EXPECT,
    OURS,
    RELAY,
    End,
    callee,
    caller,
    rtp,
    silence,
    the_plan,
    verdict,
)
from tests.unit.builders import change
from tests.unit.taps import tap_digit

LATE_MS: Final = 900.0
EARLY: Final = (tap_digit("1", 10.5), tap_digit("2", 11.6))
"""The first of them half a second before there were keys."""


def cut(missing: int, **changes: Any) -> tuple[Any, ...]:
    """What came at an end that missed so many of the first packets, and what it sent."""
    left = 200 - missing
    first_s = 10.12 + 0.02 * missing
    usual: dict[str, Any] = {"packets": left, "expected": left, "first_s": first_s, "media_ms": 3680.0 - 20.0 * missing}
    return rtp(**(usual | changes)), rtp(sent=True)


def late(took_ms: float = LATE_MS, **changes: Any) -> End:
    """A callee with SRTP by DTLS, whose handshake took so long."""
    usual: dict[str, Any] = {
        "offer": dtls_sdp(RELAY, "actpass"), "answer": dtls_sdp(OURS, "active"), "srtp": shaken(took_ms=took_ms),
    }  # fmt: skip
    return callee(**(usual | changes))


def found(*ends: End, **plan: Any) -> tuple[Result, dict[tuple[Role, Check], Reason]]:
    call = verdict(*ends, **plan)
    return call.result, {(one.leg, one.check): one.reason for one in call.findings}


LOSS: Final = (Role.CALLEE, Check.RTP_LOSS)


@pytest.mark.parametrize(
    ("missing", "took_ms", "reason"),
    [
        (14, 40.0, None),
        (45, LATE_MS, Reason.NOT_MEASURED),
        (45, 40.0, Reason.PACKET_LOSS),
        (70, LATE_MS, Reason.PACKET_LOSS),
    ],
)
def test_media_that_was_sent_before_the_receiver_had_keys_is_not_lost_and_more_is(missing, took_ms, reason):
    result, reasons = found(caller(), late(took_ms, streams=cut(missing)))
    assert reasons.get(LOSS) is reason
    assert result is {None: Result.PASSED, Reason.NOT_MEASURED: Result.INCONCLUSIVE}.get(reason, Result.FAILED)


def test_what_was_lost_with_numbers_missing_is_lost_whenever_there_were_keys():
    lossy = cut(45, expected=155, packets=135, lost=20, media_ms=2380.0, lost_ms=400.0)
    assert found(caller(), late(streams=lossy))[1][LOSS] is Reason.PACKET_LOSS


def test_it_is_told_when_there_were_keys():
    [finding] = verdict(caller(), late(streams=cut(45))).findings
    assert finding.note is not None
    assert "its DTLS handshake was over 0.90 s after its answer (RFC 5763 §6.7)" in finding.note


@pytest.mark.parametrize(("missing", "reason"), [(45, Reason.NOT_MEASURED), (70, Reason.TOO_FEW_PACKETS)])
def test_too_few_packets_are_the_paths_doing_where_more_are_missing_than_were_sent_too_early(missing, reason):
    asked = {"group__expect__callee": change(EXPECT, rtp=ExpectRtp(min_packets=190))}
    _, reasons = found(caller(), late(streams=cut(missing)), **asked)
    assert reasons[Role.CALLEE, Check.RTP_PACKETS] is reason


def test_no_packet_at_all_in_a_call_that_its_handshake_took_most_of_is_not_measured():
    nothing = {"streams": (rtp(sent=True),), "sound": silence()}
    assert found(caller(), late(3800.0, **nothing))[1][Role.CALLEE, Check.RTP_PACKETS] is Reason.NOT_MEASURED
    assert found(caller(), late(1000.0, **nothing))[1][Role.CALLEE, Check.RTP_PACKETS] is Reason.NO_RTP


def heard(*digits: Any, sent: Any = None) -> dict[str, Any]:
    """What came at an end of digits, and what it sent of them."""
    return {"streams": (rtp(digits=digits), rtp(sent=True, digits=digits if sent is None else sent))}


DTMF: Final = (Role.CALLEE, Check.DTMF)
BACK: Final = (Role.CALLER, Check.DTMF)
ONE, TWO = EARLY
SENT: Final = {"streams": (rtp(digits=(TWO,)), rtp(sent=True, digits=EARLY))}


def test_a_digit_that_was_sent_before_the_receiver_had_keys_is_not_measured_at_either_end():
    result, reasons = found(caller(**SENT), late(**heard(TWO)))
    assert (result, reasons) == (Result.INCONCLUSIVE, {DTMF: Reason.NOT_MEASURED, BACK: Reason.NOT_MEASURED})


def test_a_digit_that_did_come_though_it_was_early_is_there():
    both = {"streams": (rtp(digits=EARLY), rtp(sent=True, digits=EARLY))}
    assert found(caller(**both), late(**both)) == (Result.PASSED, {})


@pytest.mark.parametrize("came", [(ONE,), (), (tap_digit("9", 11.6),), (tap_digit("2", 11.6), tap_digit("2", 12.0))])
def test_a_digit_that_was_sent_when_there_were_keys_must_come_and_no_other(came):
    _, reasons = found(caller(**heard(*came, sent=EARLY)), late(**heard(*came)))
    assert reasons[DTMF] is Reason.DTMF_MISMATCH


def test_early_digits_need_a_handshake_that_was_not_over():
    _, reasons = found(caller(**SENT), late(40.0, **heard(TWO)))
    assert reasons[DTMF] is reasons[BACK] is Reason.DTMF_MISMATCH


def test_digits_that_a_caller_could_not_send_yet_are_not_the_paths_loss():
    """Its own stack had no keys; the path passed on all that it sent."""
    short = {"streams": (rtp(digits=(TWO,)), rtp(sent=True, digits=(TWO,)))}
    tardy = dtls_caller(srtp=shaken(took_ms=LATE_MS), **short)
    result, reasons = found(tardy, callee(**heard(TWO)))
    assert (result, reasons) == (Result.INCONCLUSIVE, {DTMF: Reason.NOT_MEASURED, BACK: Reason.NOT_MEASURED})
    assert found(tardy, callee(**heard(tap_digit("9", 11.6))))[1][DTMF] is Reason.DTMF_MISMATCH


def test_a_callee_that_got_less_for_it_excuses_no_other_digits_back():
    _, reasons = found(caller(streams=(rtp(digits=DIGITS[:1]), rtp(sent=True, digits=EARLY))), late(**heard(TWO)))
    assert reasons[BACK] is Reason.DTMF_MISMATCH


def test_a_digit_back_that_the_caller_had_no_keys_for_yet_is_not_measured():
    tardy = dtls_caller(srtp=shaken(took_ms=LATE_MS), streams=(rtp(digits=(TWO,)), rtp(sent=True, digits=EARLY)))
    assert found(tardy, callee(**heard(*EARLY)))[1] == {BACK: Reason.NOT_MEASURED}


def test_sound_that_mostly_came_before_there_were_keys_is_not_measured():
    """The other side had its own already, and sent."""
    way = SrtpWay(packets=200, keyless=150, passed=50)
    early = dtls_caller(srtp=(change(shaken(took_ms=3000.0)[0], received=way),), sound=silence())
    assert found(early, callee())[1][Role.CALLER, Check.AUDIO] is Reason.NOT_MEASURED
    few = SrtpWay(packets=200, keyless=50, passed=150)
    deaf = dtls_caller(srtp=(change(shaken(took_ms=1000.0)[0], received=few),), sound=silence())
    assert found(deaf, callee())[1][Role.CALLER, Check.AUDIO] is Reason.NO_AUDIO


@pytest.mark.parametrize("streams", [(), (rtp(),)], ids=["nothing", "nothing sent"])
def test_what_a_sender_did_not_tell_of_is_not_said_to_have_come(streams):
    ends = (caller(streams=streams), late(streams=cut(45)))
    sender, receiver = (known_leg(the_plan(end.role), end.leg(the_plan(end.role))) for end in ends)
    assert sender is not None
    assert receiver is not None
    assert not came_when_keyed(sender, receiver)
