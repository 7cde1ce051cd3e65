import pytest

from agent.contract.call import InfoType
from agent.contract.expect import DtmfMethod
from agent.phone.pjsua import facts
from agent.phone.pjsua.facts import (
    Digits,
    Epochs,
    Spread,
    StreamCount,
    awaits_answer,
    media_s,
    rtp_received,
    rtp_sent,
    rtt_ms,
    seen_message,
    taken_digit,
)
from agent.phone.protocol import CallHandle, DigitEnded, DigitReceived, MessageSeen, NotSent, Unparsed
from agent.sip.transactions import Conversation, Crossed
from agent.tap.model import TapMessage, Undirected
from tests.unit.sip_messages import message, request, response

NONE = Spread(samples=0, mean_us=0.0, max_us=0.0)


def count(**changed: object) -> StreamCount:
    fields: dict[str, object] = {
        "sending_s": 2.0, "sent": 100, "received": 90, "lost": 10,
        "jitter": Spread(samples=80, mean_us=1500, max_us=4000),
        "reports": 0, "reported_lost": 0, "reported_jitter": NONE, "rtt": NONE,
    }  # fmt: skip
    return StreamCount(**(fields | changed))  # type: ignore[arg-type]


# --- messages of the tap ---


def tapped(text: str, **fields: object) -> TapMessage:
    usual: dict[str, object] = {
        "at_s": 1.5, "unix_at": 1.7e9, "read_s": 1.75, "sent": False, "unsent": 0, "parsed": True, "sdp": False,
        "protocol": "UDP", "secure": False, "connection": 3, "local": "192.0.2.2:5060", "peer": "192.0.2.1:5060",
    }  # fmt: skip
    return TapMessage(text=text.encode(), **(usual | fields))  # type: ignore[arg-type]


def words(status: int) -> str:
    return f"status {status}"


def test_a_message_of_the_tap_is_read_once_and_made_printable() -> None:
    seen = seen_message(tapped(response(200, phrase="O\x1bK")), Epochs(), words)
    assert isinstance(seen, MessageSeen)
    assert (seen.at_s, seen.sent, seen.peer, seen.local) == (1.5, False, "192.0.2.1:5060", "192.0.2.2:5060")
    assert (seen.protocol, seen.connection, seen.epoch, seen.unread_ms) == ("UDP", 3, 0, 250.0)
    assert seen.text.startswith("SIP/2.0 200 O\ufffdK\r\n")
    assert seen.head is not None
    assert (seen.head.code, seen.head.call_id) == (200, "c1")


def test_what_we_sent_did_not_lie_at_our_socket() -> None:
    seen = seen_message(tapped(request(), sent=True), Epochs(), words)
    assert isinstance(seen, MessageSeen)
    assert seen.unread_ms == 0


def test_a_message_that_nobody_can_read_has_no_head() -> None:
    seen = seen_message(tapped("OPTIONS sip:a SIP/2.0\r\n\r\n\xff"), Epochs(), words)
    assert isinstance(seen, MessageSeen)
    assert seen.head is None


def test_what_did_not_leave_is_no_message_seen() -> None:
    seen = seen_message(tapped(request("BYE"), sent=True, unsent=120013), Epochs(), words)
    assert isinstance(seen, NotSent)
    assert (seen.peer, seen.reason, seen.head and seen.head.method) == ("192.0.2.1:5060", "status 120013", "BYE")


def test_what_the_stack_could_not_read_is_told_as_it_came() -> None:
    seen = seen_message(tapped("SIP/2.0 200\r\n\x00", parsed=False), Epochs(), words)
    assert seen == Unparsed(
        at_s=1.5, peer="192.0.2.1:5060", local="192.0.2.2:5060", protocol="UDP", text="SIP/2.0 200\r\n\ufffd"
    )


def test_messages_with_an_sdp_are_counted_for_each_call_id() -> None:
    epochs = Epochs()
    counted = [epochs.count(call, sdp=sdp) for call, sdp in (("a", True), ("b", True), ("a", False), ("a", True))]
    assert counted == [1, 1, 1, 2]


def test_of_a_flood_of_call_ids_the_last_ones_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "MAX_CALL_IDS", 2)
    epochs = Epochs()
    for call in ("a", "b", "a", "c"):
        epochs.count(call, sdp=True)
    assert [epochs.count(call, sdp=False) for call in ("a", "b", "c")] == [2, 0, 1]


@pytest.mark.parametrize("why", Undirected)
def test_a_message_that_must_not_or_cannot_go_to_its_target_says_which_and_why(why: Undirected) -> None:
    message = tapped(request("ACK"), sent=True, unsent=why.value, target="sut.\x1b.example")
    seen = seen_message(message, Epochs(), words)
    assert isinstance(seen, NotSent)
    assert seen.target == "sut.\ufffd.example"
    assert seen.reason == f"sut.\ufffd.example: {facts.UNDIRECTED[why]}"


# --- digits ---


RELAYED = {"extra": "Content-Type: application/dtmf-relay\r\n", "body": "Signal=5\r\nDuration=160\r\n"}
BARE = {"extra": "Content-Type: application/dtmf\r\n", "body": "#"}
NO_DIGIT = {"extra": "Content-Type: application/dtmf\r\n", "body": "x"}


def talk(*told: tuple[float, bool, str]) -> tuple[Conversation, list[DigitReceived]]:
    """Messages as (time, sent, text); what they come to, and the digits of INFOs that were taken."""
    messages, digits = Conversation(), []
    for at_s, sent, text in told:
        seen = message(at_s, text, sent)
        assert seen.head is not None
        messages.saw(Crossed(at_s=at_s, sent=sent, head=seen.head, text=seen.text))
        digits += [digit for digit in [taken_digit(messages, seen, CallHandle(1))] if digit is not None]
    return messages, digits


def info(cseq: int, **body: str) -> str:
    return request("INFO", cseq=cseq, to_tag="t", branch=f"i{cseq}", **body)


def said(code: int, cseq: int, method: str = "INFO") -> str:
    return response(code, method=method, cseq=cseq, branch=f"i{cseq}")


def test_a_digit_came_by_info_once_when_it_is_taken() -> None:
    _, digits = talk(
        (1.0, False, info(3, **RELAYED)), (1.1, True, said(200, 3)),
        (1.5, False, info(3, **RELAYED)), (1.6, True, said(200, 3)),
        (2.0, False, info(4, **BARE)), (2.1, True, said(200, 4)),
    )  # fmt: skip
    assert [(d.at_s, d.digit, d.info_type) for d in digits] == [
        (1.1, "5", InfoType.RELAY), (2.1, "#", InfoType.BARE),
    ]  # fmt: skip
    assert {digit.method for digit in digits} == {DtmfMethod.INFO}


def test_a_digit_that_came_by_two_ways_came_once() -> None:
    """The same number by another branch: no new request (RFC 3261 §12.2.2)."""
    other = request("INFO", cseq=3, to_tag="t", branch="other", **RELAYED)
    _, digits = talk(
        (1.0, False, info(3, **RELAYED)), (1.1, True, said(200, 3)),
        (1.2, False, other), (1.3, True, response(200, method="INFO", cseq=3, branch="other")),
    )  # fmt: skip
    assert [digit.at_s for digit in digits] == [1.1]


@pytest.mark.parametrize(
    "told",
    [
        [(1.0, False, info(3, **RELAYED))],
        [(1.0, False, info(3, **RELAYED)), (1.1, True, said(415, 3))],
        [(1.0, False, info(3, **NO_DIGIT)), (1.1, True, said(200, 3))],
        [(1.0, True, info(3, **RELAYED)), (1.1, False, said(200, 3))],
        [(1.0, False, info(3, **RELAYED)), (1.1, True, said(200, 9))],
    ],
    ids=["not answered", "refused", "no digit", "ours", "another's answer"],
)
def test_what_was_not_taken_is_no_digit_that_came(told: list[tuple[float, bool, str]]) -> None:
    assert talk(*told)[1] == []


@pytest.mark.parametrize(
    ("answers", "at_s", "awaited"),
    [
        ([], 2.0, True),
        ([], 34.0, False),
        ([(1.1, False, said(100, 3))], 2.0, True),
        ([(1.1, False, said(200, 3))], 1.1, False),
        ([(1.1, False, said(415, 3))], 1.1, False),
        ([(1.1, False, said(407, 3))], 1.2, True),
        ([(1.1, False, said(407, 3))], 1.4, False),
        ([(1.1, False, said(407, 3)), (1.2, True, info(4, **RELAYED))], 1.5, True),
    ],
    ids=["nothing", "nothing for Timer F", "1xx", "2xx", "4xx", "challenge", "stale challenge", "tried again"],
)
def test_the_next_digit_waits_for_the_answer(
    answers: list[tuple[float, bool, str]], at_s: float, *, awaited: bool
) -> None:
    assert awaits_answer(talk((1.0, True, info(3, **RELAYED)), *answers)[0], at_s) is awaited
    assert not awaits_answer(Conversation(), at_s)


def feed(*packets: tuple[str, int, int, str]) -> str:
    """Packets as (digit, timestamp, duration, flags of pjsip: u update, e end); digits and (durations) out."""
    digits, out = Digits(CallHandle(1)), ""
    for digit, timestamp, duration, flags in packets:
        for event in digits.packet(
            at_s=0.0, digit=digit, timestamp=timestamp, duration_ms=duration, update="u" in flags, end="e" in flags
        ):
            match event:
                case DigitReceived():
                    out += event.digit
                case DigitEnded():
                    out += f"({event.duration_ms})"
    return out


def test_the_packets_of_one_event_are_one_digit() -> None:
    assert feed(("5", 100, 20, ""), ("5", 100, 40, "u"), ("5", 100, 60, "ue")) == "5(60)"


def test_equal_digits_with_new_timestamps_are_two() -> None:
    assert feed(("5", 100, 20, ""), ("5", 100, 40, "ue"), ("5", 300, 20, ""), ("5", 300, 40, "ue")) == "5(40)5(40)"


def test_a_digit_whose_first_packets_were_lost_is_still_a_digit() -> None:
    # pjsip takes it for the same event, because the duration did not go back.
    assert feed(("5", 100, 20, ""), ("5", 100, 40, "ue"), ("5", 300, 60, "u"), ("5", 300, 80, "ue")) == "5(40)5(80)"


def test_a_repeated_end_or_a_late_packet_of_the_same_event_is_no_new_digit() -> None:
    assert feed(("5", 100, 40, "e"), ("5", 100, 20, ""), ("5", 100, 40, "ue")) == "5(40)"


def test_a_sender_that_moves_the_timestamp_within_an_event_sends_one_digit() -> None:
    assert feed(("5", 100, 20, ""), ("5", 120, 40, "u"), ("5", 140, 60, "ue")) == "5(60)"


def test_a_digit_without_an_end_has_no_duration() -> None:
    assert feed(("5", 100, 20, ""), ("6", 300, 20, ""), ("6", 300, 40, "ue")) == "56(40)"


# --- counters ---


def test_no_stream_is_nothing_measured() -> None:
    assert (rtp_sent([]), rtp_received([]), rtt_ms([]), media_s([])) == (None, None, None, None)


def test_streams_of_one_call_are_added_and_jitter_is_weighed() -> None:
    second = count(received=10, lost=1, jitter=Spread(samples=20, mean_us=500, max_us=9000), sending_s=1.0)
    received = rtp_received([count(), second])
    assert received is not None
    assert (received.packets, received.lost, received.jitter_ms, received.max_jitter_ms) == (100, 11, 1.3, 9.0)
    assert (received.duplicates, received.reordered) == (None, None)
    assert media_s([count(), second]) == 3.0


def test_without_a_packet_loss_and_jitter_are_not_measured() -> None:
    received = rtp_received([count(received=0, lost=0, jitter=NONE)])
    assert received is not None
    assert (received.packets, received.lost, received.jitter_ms, received.max_jitter_ms) == (0, None, None, None)


def test_without_rtcp_nothing_is_known_of_what_became_of_our_packets() -> None:
    sent = rtp_sent([count()])
    assert sent is not None
    assert (sent.packets, sent.lost, sent.jitter_ms) == (100, None, None)
    assert rtt_ms([count()]) is None


def test_rtcp_tells_loss_jitter_and_round_trip() -> None:
    told = Spread(samples=2, mean_us=2000, max_us=3000)
    stream = count(reports=2, reported_lost=3, reported_jitter=told, rtt=told)
    sent = rtp_sent([stream, count()])
    assert sent is not None
    assert (sent.packets, sent.lost, sent.jitter_ms, sent.max_jitter_ms) == (200, 3, 2.0, 3.0)
    assert rtt_ms([stream, count()]) == 2.0


def test_a_stream_that_was_not_meant_to_send_takes_no_media_time() -> None:
    assert media_s([count(sending_s=0.0)]) is None


def test_what_was_counted_before_the_answer_is_left_out() -> None:
    early = count(sent=30, received=40, lost=12, jitter=Spread(samples=20, mean_us=3000, max_us=4000), reports=1)
    later = count(reports=1, sending_s=1.5).since(early)
    assert (later.sent, later.received, later.lost, later.reports, later.sending_s) == (70, 50, 0, 0, 1.5)
    assert later.jitter == Spread(samples=60, mean_us=1000, max_us=4000)
    assert later.rtt == NONE
