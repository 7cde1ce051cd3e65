"""What the phone's tests are made of: a phone process to command, and a SIP peer that says what the test writes."""

import contextlib
import json
import queue
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
Fields = dict[str, Any]
NOBODY = 900
"""A UDP port where nobody listens: below those that the system gives to the sockets of other tests."""
T1_S = 0.5
"""RFC 3261 §17.1.1.1."""


def once(messages: Iterable[tuple[float, T]]) -> list[T]:
    """Of all messages of an exchange, with their times (s), each at its first place.

    Who gets no answer within T1 sends again, and gets as many answers (RFC 3261 §17): a busy machine may do that to any
    exchange. What repeats itself though nobody waited that long was not sent again but told twice: AssertionError.
    """
    first_s: dict[T, float] = {}
    since_s = [at_s - first_s.setdefault(message, at_s) for at_s, message in messages]
    assert len(first_s) == len(since_s) or max(since_s) > T1_S - 0.1, f"told more than once: {list(first_s)}"
    return list(first_s)


def _with_srtp(encryption: Fields) -> Fields:
    """`MediaOfCalls` of which nothing but its SRTP is said."""
    calls = encryption.get("calls", {})
    return {
        "usual": {"srtp": encryption["usual"]},
        "calls": {name: {"srtp": srtp} for name, srtp in calls.items()},
    }


class PhoneProcess:
    """A PjsuaPhone in a process of its own."""

    def __init__(
        self,
        recordings: Path,
        *,
        sip_port: int = 0,
        settle_s: float = 2.0,
        encryption: Fields | None = None,
        media: Fields | None = None,
        transport: str = "UDP",
        tls: Fields | None = None,
    ) -> None:
        recordings.mkdir(exist_ok=True)
        folder = str(recordings)
        options = {"bind": "127.0.0.1", "sip_port": sip_port, "settle_s": settle_s}
        options |= {"recordings": folder, "captures": folder, "transport": transport, "tls": tls}
        options["media"] = media or (encryption and _with_srtp(encryption))
        self.stderr = (recordings / "stderr").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.component.phone_process", json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
        )
        self.lines: queue.SimpleQueue[Fields | None] = queue.SimpleQueue()
        self.events: list[Fields] = []
        self.seen = 0
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self.address = str(self._reply())
        except BaseException:
            self.close()
            raise

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def _next(self, until_s: float) -> Fields:
        try:
            line = self.lines.get(timeout=max(0.001, until_s - time.monotonic()))
        except queue.Empty:
            seen = [event["event"] for event in self.events]
            raise AssertionError(f"nothing more from the phone; so far {seen}\n{self.log()}") from None
        assert line is not None, f"the phone's process has ended\n{self.log()}"
        return line

    def _reply(self) -> Any:
        until_s = time.monotonic() + 30
        while "event" in (line := self._next(until_s)):
            self.events.append(line)
        if "error" in line:
            raise RuntimeError(line["error"])
        return line["reply"]

    def log(self) -> str:
        self.stderr.seek(0)
        return self.stderr.read()

    def do(self, name: str, **args: Any) -> Any:
        """Commands the phone; RuntimeError is its PhoneError."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": name, "args": args}).encode() + b"\n")
        self.process.stdin.flush()
        return self._reply()

    def account(self, uri: str, proxy: str, **more: Any) -> int:
        return int(self.do("add_account", uri=uri, proxy=proxy, **({"register": False} | more)))

    def wait(self, event: str, timeout_s: float = 15.0, **fields: Any) -> Fields:
        """The next event of that kind and with those fields, of those not yet waited past."""
        until_s = time.monotonic() + timeout_s
        while True:
            while self.seen < len(self.events):
                found = self.events[self.seen]
                self.seen += 1
                if found["event"] == event and all(found[key] == value for key, value in fields.items()):
                    return found
            self.events.append(self._next(until_s))

    def all(self, event: str) -> list[Fields]:
        return [found for found in self.events if found["event"] == event]

    def starts(self, *, sent: bool) -> list[str]:
        """First lines of the SIP messages so far."""
        return [m["text"].partition("\r\n")[0] for m in self.all("MessageSeen") if m["sent"] is sent]

    def starts_once(self, *, sent: bool) -> list[str]:
        """The same of each message `once`."""
        seen = once((m["at_s"], (m["sent"], m["text"])) for m in self.all("MessageSeen"))
        return [text.partition("\r\n")[0] for was_sent, text in seen if was_sent is sent]

    def let_go(self) -> None:
        """Tells the phone to end; `close` waits for it."""
        with contextlib.suppress(BrokenPipeError):
            assert self.process.stdin is not None
            self.process.stdin.close()

    def close(self) -> None:
        self.let_go()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the phone did not end\n{self.log()}") from None
        self.stderr.close()


Make = Callable[..., PhoneProcess]
"""The fixture `phone`."""


class Peer:
    """A UDP socket that speaks SIP as the test says, on a thread: `script` makes replies out of a message."""

    def __init__(self, script: "Callable[[Peer, str], list[str]]") -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.05)
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.script, self.got, self.open = script, list[str](), True
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        while self.open:
            with contextlib.suppress(TimeoutError):
                data, self.phone = self.socket.recvfrom(65536)
                if is_sip(data):
                    self.got.append(data.decode())
                    for reply in self.script(self, data.decode()):
                        self.send(reply)

    def send(self, text: str) -> None:
        self.socket.sendto(text.encode(), self.phone)

    def close(self) -> None:
        self.open = False
        self.thread.join(5)
        self.socket.close()


def is_sip(datagram: bytes) -> bool:
    """And no keep-alive, nor RTP that another test's phone sends to a port that was somebody else's before."""
    return datagram[:1].isalpha()


def response(request: str, start: str, *, extra: str = "", body: str = "", contact: str = "") -> str:
    """A response to a request: its Via, From, To (with a tag), Call-ID and CSeq, and what is given."""
    kept = [line for line in request.split("\r\n") if re.match(r"(?i)(via|from|to|call-id|cseq):", line)]
    kept = [line + ";tag=peer" if line.startswith("To:") and ";tag=" not in line else line for line in kept]
    return message(f"SIP/2.0 {start}", kept + ([f"Contact: <sip:{contact}>"] if contact else []), extra, body)


def message(start: str, headers: list[str], extra: str = "", body: str = "") -> str:
    headers = [*headers, *extra.splitlines(), *(["Content-Type: application/sdp"] if body else [])]
    return "\r\n".join([start, *headers, f"Content-Length: {len(body)}", "", body])


def sdp(port: int, formats: str = "0 101", maps: str = "a=rtpmap:101 telephone-event/8000\r\n") -> str:
    return (
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {formats}\r\n{maps}"
    )


@contextlib.contextmanager
def peer(script: "Callable[[Peer, str], list[str]]") -> Iterator[Peer]:
    made = Peer(script)
    try:
        yield made
    finally:
        made.close()
