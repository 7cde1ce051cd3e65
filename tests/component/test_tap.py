"""What the tap sees of real calls on loopback: every packet, both ways, counted as it crossed the wire."""

import contextlib
import re
import shutil
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import pytest

from agent.observe.media import DIGITS
from agent.sip.text import blank_secrets
from agent.tap.model import Fate
from agent.trace.read import trace
from tests.component.pcaps import ETHERNET, Datagram, Rtp, read, rtp
from tests.component.phones import NOBODY, Fields, PhoneProcess, once
from tests.component.test_pjsua_phone import (
    connect,
    pair,
    wait_for_audio,
)

SRTP_TAG_BYTES = 10
"""AES_CM_128_HMAC_SHA1_80: RFC 4568 §6.2."""
FLUSHED_WITHIN_S = 10
HANDSHAKE = ("dtls_sent", "dtls_received", "hellos_sent", "hellos_received")


ADDED = (
    "packets", "bytes", "expected", "lost", "duplicates", "reordered", "restarts", "unnegotiated", "empty", "noise",
    "jitter_samples",
)  # fmt: skip


def one(ended: Fields, *, sent: bool, mark: int) -> Fields:
    """The only stream in that direction since that mark: its rows as one. A 200 that is sent again begins a row."""
    rows = [s for s in ended["tapped"] if s["sent"] is sent and s["mark"] == mark]
    assert len({(row["local"], row["remote"], row["ssrc"]) for row in rows}) == 1
    stream = dict(rows[-1])
    stream |= {name: sum(row[name] for row in rows) for name in ADDED}
    stream |= {name: rows[0][name] for name in ("first_s", "first_at")}
    stream |= {"digits": [digit for row in rows for digit in row["digits"]]}
    stream |= {"payload_types": sum((Counter(row["payload_types"]) for row in rows), Counter())}
    for name in ("max_jitter_ms", "max_gap_ms", "max_late_ms"):
        stream[name] = max((row[name] for row in rows if row[name] is not None), default=None)
    waits_ms = [1000 * (after["first_s"] - before["last_s"]) for before, after in pairwise(rows)]
    stream["max_gap_ms"] = max(stream["max_gap_ms"] or 0.0, *waits_ms, 0.0)
    return stream


def early(ended: Fields, *, sent: bool, mark: int) -> int:
    """Packets before that mark: media of a callee may be read before its 200 is."""
    return sum(row["packets"] for row in ended["tapped"] if row["sent"] is sent and row["mark"] < mark)


def hang_up(caller: PhoneProcess, callee: PhoneProcess, call: int) -> tuple[Fields, Fields]:
    caller.do("hang_up", call=call)
    return caller.wait("CallEnded", call=call), callee.wait("CallEnded")


@dataclass
class Dump:
    """What tcpdump saw."""

    path: Path
    dropped: int = 0
    """Packets that it says it had no time for."""


@dataclass(frozen=True)
class Talk:
    """One call with digits both ways, as both ends saw it."""

    caller: PhoneProcess
    callee: PhoneProcess
    ended: Fields
    answered: Fields
    dump: Dump
    keying: str

    @property
    def is_encrypted(self) -> bool:
        return self.keying != "plain"

    @property
    def tag_bytes(self) -> int:
        return SRTP_TAG_BYTES if self.is_encrypted else 0

    @property
    def sent(self) -> Fields:
        """The caller's stream, at the caller."""
        return one(self.ended, sent=True, mark=1)

    @property
    def returned(self) -> Fields:
        """The callee's stream, at the callee."""
        return one(self.answered, sent=True, mark=0)

    def sip(self, end: Fields) -> list[Datagram]:
        return [d for d in read(end["capture"]) if d.is_sip]

    @property
    def ending_ns(self) -> int:
        """From then on, what one end sends need not reach the other: media stops a little before the BYE."""
        return next(d.at_ns for d in self.sip(self.ended) if d.payload.startswith(b"BYE ")) - 500_000_000


def encryption(keying: str) -> Fields | None:
    return None if keying == "plain" else {"usual": {"use": "Mandatory", "keying": [keying]}}


@contextlib.contextmanager
def sniffer(dump: Dump) -> Iterator[None]:
    """tcpdump on the loopback, where there is one and it may; the file is missing else."""
    if shutil.which("tcpdump") is None:
        yield
        return
    # Its buffer (KiB) has a place of -s for each packet: with the usual 256 KiB it would hold 32.
    command = ["tcpdump", "-i", "lo", "-w", dump.path, "-U", "--immediate-mode", "--time-stamp-precision=nano"]
    command += ["-B", "8192", "-s", "2048"]
    with subprocess.Popen([*command, "udp and ip"], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        process.stderr.readline()  # that it listens, or why not
        try:
            yield
            flush(process, dump.path)
        finally:
            process.terminate()
        dump.dropped = sum(map(int, re.findall(r"(\d+) packets? dropped", process.stderr.read())))


def flush(process: subprocess.Popen[str], path: Path) -> None:
    """Until the file has a datagram that is sent now, and so all before it: tcpdump told to end reads no more."""
    mark, until_s = b"the last of this dump", time.monotonic() + FLUSHED_WITHIN_S
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        while process.poll() is None and not (path.exists() and mark in path.read_bytes()):
            assert time.monotonic() < until_s, f"tcpdump did not write within {FLUSHED_WITHIN_S} s"
            sender.sendto(mark, ("127.0.0.1", NOBODY))  # again: it may drop this one as well
            time.sleep(0.05)


@pytest.fixture(scope="module", params=["plain", "SDES", "DTLS"])
def talk(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Talk]:
    phones: list[PhoneProcess] = []
    dump = Dump(tmp_path_factory.mktemp("dump") / "lo.pcap")

    def make(**options: object) -> PhoneProcess:
        folder = tmp_path_factory.mktemp("phone")
        phones.append(PhoneProcess(folder, encryption=encryption(request.param), **options))
        return phones[-1]

    caller, callee, account = pair(make)
    with sniffer(dump):
        ended, answered = conversation(caller, callee, account)
    yield Talk(caller, callee, ended, answered, dump, keying=request.param)
    for each in phones:
        each.close()


def conversation(caller: PhoneProcess, callee: PhoneProcess, account: int) -> tuple[Fields, Fields]:
    call, incoming = connect(caller, callee, account)
    caller.do("send_digits", call=call, digits="19*D", tone_ms=200)
    callee.do("send_digits", call=incoming, digits="55", tone_ms=60)
    callee.wait("DigitEnded", digit="D")
    wait_for_audio(caller)
    return hang_up(caller, callee, call)


def content(packets: Sequence[Rtp]) -> list[tuple[object, ...]]:
    return [(p.ssrc, p.sequence, p.timestamp, p.payload_type, p.marker, p.payload) for p in packets]


def test_both_ends_see_the_same_packets(talk: Talk) -> None:
    assert (talk.sent["local"], talk.sent["remote"]) == (talk.returned["remote"], talk.returned["local"])
    there = [rtp(end["capture"], source=talk.sent["local"]) for end in (talk.ended, talk.answered)]
    assert content(there[0]) == content(there[1])
    back = [rtp(end["capture"], source=talk.returned["local"]) for end in (talk.answered, talk.ended)]
    arrived = len(back[1])
    assert content(back[1]) == content(back[0])[:arrived]
    assert all(p.at_ns > talk.ending_ns for p in back[0][arrived:]), "only what is under way at the end is missing"
    for packets in (*there, *back):
        assert [p.at_ns for p in packets] == sorted(p.at_ns for p in packets)


def by_sequence(packets: Sequence[Rtp]) -> dict[int, Rtp]:
    """Each of them is there once."""
    found = {p.sequence: p for p in packets}
    assert len(found) == len(packets)
    return found


def test_both_ends_see_what_tcpdump_sees_and_when(talk: Talk) -> None:
    if not talk.dump.path.exists():
        pytest.skip("no tcpdump, or it may not")
    for stream, receiver in ((talk.sent, talk.answered), (talk.returned, talk.ended)):
        seen = by_sequence(rtp(talk.dump.path, source=stream["local"], link=ETHERNET))
        written = by_sequence(rtp(receiver["capture"], source=stream["local"]))
        assert len(written) > 60
        assert len(written.keys() - seen.keys()) <= talk.dump.dropped
        for passed, received in ((seen[sequence], written[sequence]) for sequence in written.keys() & seen.keys()):
            assert content([passed])[0][:5] == content([received])[0][:5]
            assert abs(passed.at_ns - received.at_ns) < 1_000_000, "the kernel's time, in both"
            assert passed.payload == received.payload, "a capture has what is on the wire"
            assert len(passed.payload) in {160 + talk.tag_bytes, 4 + talk.tag_bytes}
        assert all(seen[sequence].at_ns > talk.ending_ns for sequence in seen.keys() - written.keys())


def test_each_end_counts_what_it_wrote(talk: Talk) -> None:
    for end, mark in ((talk.ended, 1), (talk.answered, 0)):
        for sent in (True, False):
            stream = one(end, sent=sent, mark=mark)
            packets = rtp(end["capture"], source=stream["local" if sent else "remote"])
            packets = packets[early(end, sent=sent, mark=mark) :]
            assert stream["packets"] == stream["expected"] == len(packets) > 60
            assert stream["bytes"] == sum(12 + len(p.payload) for p in packets)
            assert [stream[name] for name in ("lost", "duplicates", "reordered")] == [0, 0, 0]
            counted = {int(kind): count for kind, count in stream["payload_types"].items()}
            assert counted == Counter(p.payload_type for p in packets)
            assert set(counted) == {0, 120}
            times_s = [p.at_ns / 1e9 for p in packets]
            assert (stream["first_at"], stream["last_at"]) == pytest.approx((times_s[0], times_s[-1]), abs=1e-6)
            gap_ms = max(1000 * (b - a) for a, b in pairwise(times_s))
            assert stream["max_gap_ms"] == pytest.approx(gap_ms, abs=0.5)


def test_the_stack_counts_what_the_tap_does_but_what_it_did_not_read_before_the_bye(talk: Talk) -> None:
    assert talk.ended["stack_sent"]["packets"] == talk.sent["packets"]
    received = talk.answered["stack_received"]
    assert 60 < received["packets"] <= talk.sent["packets"]
    assert received["lost"] == 0


def behind_ms(packets: Sequence[Rtp]) -> list[float]:
    """How far each audio packet is behind the grid that the first one's timestamp begins."""
    audio = [p for p in packets if p.payload_type == 0]
    ticks = [(p.timestamp - audio[0].timestamp + 2**31) % 2**32 - 2**31 for p in audio]
    return [(p.at_ns - audio[0].at_ns) / 1e6 - t / 8 for p, t in zip(audio, ticks, strict=True)]


def test_lateness_is_what_the_capture_shows(talk: Talk) -> None:
    for end, mark in ((talk.ended, 1), (talk.answered, 0)):
        for sent in (True, False):
            stream = one(end, sent=sent, mark=mark)
            packets = rtp(end["capture"], source=stream["local" if sent else "remote"])
            behind = behind_ms(packets[early(end, sent=sent, mark=mark) :])
            late_ms = max(at - min(behind[: i + 1]) for i, at in enumerate(behind))
            assert stream["max_late_ms"] == pytest.approx(late_ms, abs=0.5)


def test_timestamps_stay_on_the_grid_past_digits(talk: Talk) -> None:
    """Four digits went there, two back: a timestamp that does not move by a digit's length would show."""
    for stream, end in ((talk.sent, talk.ended), (talk.returned, talk.answered)):
        behind = behind_ms(rtp(end["capture"], source=stream["local"]))
        assert abs(min(behind[-15:]) - min(behind[:15])) < 60


def digits_of(packets: Sequence[Rtp]) -> Iterator[int]:
    """Packets of each digit, by what SRTP leaves in the clear."""
    events = [p for p in packets if p.payload_type == 120]
    for _, group in groupby(events, key=lambda p: p.timestamp):
        yield len(list(group))


EVENTS_THERE, EVENTS_BACK = (1, 9, 10, 15), (5, 5)


def test_the_packets_of_each_digit_are_all_there(talk: Talk) -> None:
    for end in (talk.ended, talk.answered):
        there = list(digits_of(rtp(end["capture"], source=talk.sent["local"])))
        assert there == [12] * len(EVENTS_THERE)
        back = list(digits_of(rtp(end["capture"], source=talk.returned["local"])))
        assert back == [5] * len(EVENTS_BACK)


def test_digits_are_heard_above_srtp(talk: Talk) -> None:
    there = (talk.sent, one(talk.answered, sent=False, mark=0))
    back = (talk.returned, one(talk.ended, sent=False, mark=1))
    for sides, events, packets, duration_ms in ((there, EVENTS_THERE, 12, 200.0), (back, EVENTS_BACK, 5, 60.0)):
        for side in sides:
            told = [(d["code"], d["packets"], d["end_packets"], d["duration_ms"]) for d in side["digits"]]
            assert told == [(event, packets, 3, duration_ms) for event in events]


def test_digits_are_what_calltest_trace_reads_in_the_capture(talk: Talk) -> None:
    """Where they are SRTP, it sees that they are, and reads none."""
    for end, mark in ((talk.ended, 1), (talk.answered, 0)):
        streams = {(s.src, s.dst): s for s in trace([end["capture"]]).streams}
        assert {s.encrypted for s in streams.values()} == {talk.is_encrypted}
        for sent in (True, False):
            stream = one(end, sent=sent, mark=mark)
            path = (stream["local"], stream["remote"]) if sent else (stream["remote"], stream["local"])
            read_back = streams[path].digits
            if talk.is_encrypted:
                assert not read_back
                continue
            assert "".join(d.digit for d in read_back) == "".join(DIGITS[d["code"]] for d in stream["digits"])
            assert len(read_back) in {2, 4}
            for digit, counted in zip(read_back, stream["digits"], strict=True):
                assert (digit.packets, digit.end_packets) == (counted["packets"], counted["end_packets"])
                assert (digit.duration_ms, digit.volume_dbm0) == (counted["duration_ms"], counted["volume_dbm0"])
                assert counted["marker"]


def test_each_end_knows_what_srtp_made_of_each_packet(talk: Talk) -> None:
    for end, mark in ((talk.ended, 1), (talk.answered, 0)):
        for sent in (True, False):
            rows = [row for row in end["tapped"] if row["sent"] is sent and row["mark"] == mark]
            fates = sum((Counter({int(fate): n for fate, n in row["fates"].items()}) for row in rows), Counter())
            assert fates == {Fate.PASSED if talk.is_encrypted else Fate.PLAIN: sum(row["packets"] for row in rows)}


def test_each_end_knows_the_keys_in_use(talk: Talk) -> None:
    for end in (talk.ended, talk.answered):
        if not talk.is_encrypted:
            assert not any(guard["active"] or guard["keyed_s"] for guard in end["guards"])
            continue
        last = end["guards"][-1]
        assert (last["active"], last["keying"]) == (True, talk.keying)
        suite = "AES_256_CM_HMAC_SHA1_80" if talk.keying == "SDES" else "AES_CM_128_HMAC_SHA1_80"
        assert (last["sent_suite"], last["received_suite"]) == (suite, suite)


def test_each_end_counts_the_handshake(talk: Talk) -> None:
    """The callee answers `a=setup:active`, and so begins."""
    ends = (talk.ended, talk.answered)
    came, went = ({name: sum(guard[name] for guard in end["guards"]) for name in HANDSHAKE} for end in ends)
    if talk.keying != "DTLS":
        assert not any((*came.values(), *went.values()))
        return
    assert (came["dtls_received"], came["dtls_sent"]) == (went["dtls_sent"], went["dtls_received"])
    assert came["hellos_received"] == went["hellos_sent"] >= 1
    assert came["hellos_sent"] == went["hellos_received"] == 0
    for end in (talk.ended, talk.answered):
        (done,) = [guard for guard in end["guards"] if guard["done"]]
        assert (done["status"], done["alert"]) == (0, None)


def test_nothing_came_or_went_that_was_not_negotiated(talk: Talk) -> None:
    for end, mark in ((talk.ended, 1), (talk.answered, 0)):
        assert [one(end, sent=sent, mark=mark)["unnegotiated"] for sent in (True, False)] == [0, 0]


def test_a_capture_has_the_whole_dialog_with_its_real_addresses(talk: Talk) -> None:
    address = talk.callee.address
    for end, owner in ((talk.ended, talk.caller), (talk.answered, talk.callee)):
        sip = once((d.at_ns / 1e9, (d.source, d.target, d.payload.decode())) for d in talk.sip(end))
        assert [text.partition("\r\n")[0] for _, _, text in sip] == [
            "INVITE sip:bob@example.com SIP/2.0",
            "SIP/2.0 100 Trying",
            "SIP/2.0 200 OK",
            f"ACK sip:bob@{address} SIP/2.0",
            f"BYE sip:bob@{address} SIP/2.0",
            "SIP/2.0 200 OK",
        ]
        ends = (talk.caller.address, talk.callee.address)
        sources = [ends[0], ends[1], ends[1], ends[0], ends[0], ends[1]]
        assert [(source, target) for source, target, _ in sip] == [(s, ends[s == ends[0]]) for s in sources]
        seen = {m["text"] for m in owner.all("MessageSeen")}
        assert {text for _, _, text in sip} == {blank_secrets(text) for text in seen}
        keys = {key for text in seen for key in re.findall(r"inline:(\S+)", text)}
        kept = [key for _, _, text in sip for key in re.findall(r"inline:(\S+)", text)]
        assert all(re.fullmatch("x+", key) for key in kept)
        assert bool(keys) == bool(kept) == ("a=crypto" in "".join(seen))


def test_rtcp_is_captured_both_ways_and_never_counted_as_rtp(talk: Talk) -> None:
    at_caller, at_callee = ([d for d in read(e["capture"]) if d.is_rtcp] for e in (talk.ended, talk.answered))
    host, _, port = talk.sent["local"].rpartition(":")
    sent = [d for d in at_caller if d.source == f"{host}:{int(port) + 1}"]
    received = [d for d in at_callee if d.source == f"{host}:{int(port) + 1}"]
    assert received
    assert [d.payload for d in received] == [d.payload for d in sent[: len(received)]]
    assert all(d.at_ns > talk.ending_ns for d in sent[len(received) :]), "reports may come once nobody listens"
    assert {s["ssrc"] for s in talk.ended["tapped"]} == {s["ssrc"] for s in talk.answered["tapped"]}


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="no tcpdump")
def test_a_capture_opens_in_another_program(talk: Talk) -> None:
    command = ["tcpdump", "-nnvr", talk.ended["capture"]]
    dump = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "bad cksum" not in dump
    assert dump.count("proto UDP (17), length") == len(read(talk.ended["capture"]))
