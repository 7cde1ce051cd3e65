"""A SUT in the path of one call on loopback: passes SIP on with its own RTP ports in the SDP, and RTP with faults."""

import random
import re
import select
import socket
import threading
from collections.abc import Callable

from tests.component.phones import is_sip


class Relay:
    """Between a caller and a callee. What it passed on is noted, so that a test knows what must have arrived."""

    def __init__(
        self,
        callee: str,
        *,
        lossy: float = 0.0,
        repeated: float = 0.0,
        swapped: float = 0.0,
        spoil: Callable[[bytes], bytes | None] = lambda packet: packet,
        spoil_back: Callable[[bytes], bytes | None] = lambda packet: packet,
        answer: Callable[[str], str] = lambda text: text,
    ) -> None:
        """`spoil`: what is made of each RTP packet on its way to the callee; None: dropped. `spoil_back`: of those to
        the caller. `answer`: of each SDP of the callee.
        """
        self.callee, self.faults = address(callee), (lossy, repeated, swapped)
        self.spoil, self.answer = {"caller": spoil, "callee": spoil_back}, answer
        self.caller: tuple[str, int] | None = None
        self.sip = bound()
        self.media = {side: bound() for side in ("caller", "callee")}  # the one that faces that side
        self.targets: dict[str, tuple[str, int]] = {}
        self.taken: dict[str, list[bytes]] = {"caller": [], "callee": []}
        """RTP received from each side."""
        self.passed: dict[str, list[bytes]] = {"caller": [], "callee": []}
        """RTP sent to each side."""
        self.random = random.Random(4)
        self.kept: dict[str, bytes] = {}
        self.address = f"127.0.0.1:{self.sip.getsockname()[1]}"
        self.open, self.muted = True, False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def media_address(self, side: str) -> str:
        """`ip:port` that this side sends its RTP to."""
        return f"127.0.0.1:{self.media[side].getsockname()[1]}"

    def _run(self) -> None:
        sides = {sock: side for side, sock in self.media.items()}
        while self.open:
            for sock in select.select([*sides, self.sip], [], [], 0.05)[0]:
                data, source = sock.recvfrom(65536)
                if sock is not self.sip:
                    self.targets.setdefault(sides[sock], source)  # DTLS may come before the answer
                    self._rtp(data, sides[sock])
                elif is_sip(data):
                    self._sip(data, source)

    def _sip(self, data: bytes, source: tuple[str, int]) -> None:
        from_callee = source == self.callee
        if not from_callee:
            self.caller = source
        to, faces = (self.caller, "caller") if from_callee else (self.callee, "callee")
        head, _, body = data.decode().partition("\r\n\r\n")
        if found := re.search(r"m=audio (\d+) ", body):
            self.targets["callee" if from_callee else "caller"] = ("127.0.0.1", int(found[1]))
            port = self.media[faces].getsockname()[1]
            body = body.replace(found[0], f"m=audio {port} ")
            body = self.answer(body) if from_callee else body
            head = re.sub(r"Content-Length: *\d+", f"Content-Length: {len(body)}", head)
        if to is not None:
            self.sip.sendto(f"{head}\r\n\r\n{body}".encode(), to)

    def _rtp(self, data: bytes, side: str) -> None:
        if self.muted:
            return
        other = "callee" if side == "caller" else "caller"
        self.taken[side].append(data)
        spoilt = self.spoil[side](data)
        if spoilt is None:
            return
        data = spoilt
        lossy, repeated, swapped = self.faults
        before, chance = self.kept.pop(side, None), self.random.random()
        if chance < lossy:
            out = []
        elif chance < lossy + repeated:
            out = [data, data]
        elif chance < lossy + repeated + swapped and before is None:
            self.kept[side] = data
            return
        else:
            out = [data]
        for packet in [*out, *([before] if before else [])]:
            self.passed[other].append(packet)
            self.media[other].sendto(packet, self.targets[other])

    def close(self) -> None:
        self.open = False
        self.thread.join(5)
        for sock in (self.sip, *self.media.values()):
            sock.close()


def bound() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    return made


def address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)
