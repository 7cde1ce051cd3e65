import pytest

from agent.phone.pjsua.facts import (
    Dialog,
    Digits,
    Spread,
    StreamCount,
    logged_message,
    media_s,
    rtp_received,
    rtp_sent,
    rtt_ms,
)
from agent.phone.protocol import CallHandle, DigitEnded, DigitReceived
from agent.sip.text import parse_head

NONE = Spread(samples=0, mean_us=0.0, max_us=0.0)


def count(**changed: object) -> StreamCount:
    fields: dict[str, object] = {
        "sending_s": 2.0, "sent": 100, "received": 90, "lost": 10,
        "jitter": Spread(samples=80, mean_us=1500, max_us=4000),
        "reports": 0, "reported_lost": 0, "reported_jitter": NONE, "rtt": NONE,
    }  # fmt: skip
    return StreamCount(**(fields | changed))  # type: ignore[arg-type]


# --- the message log ---


def test_a_logged_message_keeps_its_direction_peer_and_text() -> None:
    text = "SIP/2.0 200 OK\r\nSubject: a\nb\r\n\r\n"
    entry = f"RX 33 bytes Response msg 200/INVITE/cseq=1 (rdata0x1) from UDP 192.0.2.1:5060:\n{text}\n--end msg--"
    seen = logged_message(1.5, entry)
    assert seen is not None
    assert (seen.at_s, seen.sent, seen.peer, seen.text) == (1.5, False, "192.0.2.1:5060", text)


def test_a_sent_message_that_quotes_a_log_entry_is_one_message() -> None:
    text = "MESSAGE sip:a SIP/2.0\r\n\r\nRX 1 bytes x from UDP 192.0.2.9:1:\nfoo\n--end msg--"
    entry = f"TX 90 bytes Request msg MESSAGE/cseq=1 (tdta0x1) to UDP 192.0.2.1:5060:\n{text}\n--end msg--"
    seen = logged_message(0.0, entry)
    assert seen is not None
    assert (seen.sent, seen.peer, seen.text) == (True, "192.0.2.1:5060", text)


@pytest.mark.parametrize("entry", ["", "RX", "TX 5 bytes pending", "RX 1 bytes m from UDP 192.0.2.1:1:\nno end"])
def test_other_log_entries_are_no_messages(entry: str) -> None:
    assert logged_message(0.0, entry) is None


# --- the end of a dialog ---


def dialog(*messages: str) -> Dialog:
    """From lines like '> INVITE' (sent) and '< 200 INVITE' (received)."""
    made = Dialog()
    for line in messages:
        direction, *start = line.split()
        first = f"SIP/2.0 {start[0]} x" if start[0].isdigit() else f"{start[0]} sip:a SIP/2.0"
        head = parse_head(f"{first}\r\nCall-ID: a\r\nCSeq: 1 {start[-1]}\r\n\r\n")
        assert head is not None
        made.saw(head, sent=direction == ">")
    return made


@pytest.mark.parametrize(
    "messages",
    [
        ["> INVITE", "< 486 INVITE", "> ACK"],
        ["> INVITE", "< 180 INVITE", "> CANCEL", "< 200 CANCEL", "< 487 INVITE"],
        ["> INVITE", "< 200 INVITE", "> ACK", "> BYE", "< 200 BYE"],
        ["> INVITE", "< 200 INVITE", "> ACK", "> BYE", "> BYE", "< 481 BYE"],
        ["> INVITE", "< 200 INVITE", "> ACK", "< BYE", "> 200 BYE"],
        ["< INVITE", "> 200 INVITE", "< ACK", "< BYE", "> 200 BYE"],
        ["< INVITE", "> 486 INVITE"],
    ],
)
def test_a_dialog_with_nothing_outstanding_is_settled(messages: list[str]) -> None:
    assert dialog(*messages).settled


@pytest.mark.parametrize(
    "messages",
    [
        ["> INVITE"],
        ["> INVITE", "< 180 INVITE", "> CANCEL", "< 200 CANCEL"],
        ["> INVITE", "< 200 INVITE", "> ACK"],  # the BYE is still to come
        ["> INVITE", "< 200 INVITE", "> ACK", "> BYE", "< 100 BYE"],
        ["> INVITE", "> CANCEL", "< 200 INVITE", "< 200 CANCEL"],  # crossed: answered after all
        ["< INVITE", "> 200 INVITE", "< ACK", "> BYE"],
    ],
)
def test_a_dialog_that_waits_for_an_answer_is_not_settled(messages: list[str]) -> None:
    assert not dialog(*messages).settled


# --- digits ---


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
