"""The tap: every SIP message and RTP packet of our phone, seen from inside pjsip (the C beside this file).

Built into pjsua2's shared object by dev/pjsua2/build, and reached by ctypes. Nothing here is meant for more than one
phone per process, as pjsip itself.
"""

import ctypes
import importlib.util
import os
from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Final

from agent.tap.connections import changes
from agent.tap.model import Captured, TapConnection, TapError, TapGuard, TapMessage, TapSrtp, TapStreams
from agent.tap.raw import (
    MAX_GUARDS,
    RawCaptured,
    RawGuard,
    RawMessage,
    RawNetwork,
    RawRecorded,
    RawStream,
    RawTold,
    guard_of,
    raw_srtp,
    stream_of,
)

__all__ = ["Tap", "TapError"]

MAX_RECORDINGS: Final = 4
"""TAP_MAX_AUDIOS: of one call."""
MAX_CAPTURE_BYTES: Final = 64 * 1024 * 1024
"""Of one call: 40 minutes of G.711 both ways."""
_MAX_MESSAGE_BYTES = 65_535


class Tap:
    """The tap of this process."""

    def __init__(self) -> None:
        """Finds it. TapError where the installed pjsua2 has none."""
        self._library = _library()
        self._seen = 0
        self.missed = 0
        """Messages that were gone before `messages` was called."""
        self._text = ctypes.create_string_buffer(_MAX_MESSAGE_BYTES)

    def install(self) -> None:
        """Hooks into pjsip: after each libInit, before the first call. TapError."""
        status = self._library.tap_install()
        if status:
            raise TapError(f"the tap cannot be installed: pjsip says {status}; was libInit called?")

    def open(self, call_id: str, capture: Path | None = None, max_bytes: int = MAX_CAPTURE_BYTES) -> None:
        """From now on this Call-ID is counted, and written to `capture` (a new file). TapError.

        To be called before the call is made; or, for one that came in, before it is answered.
        """
        path = None if capture is None else os.fsencode(capture)
        error = self._library.tap_open(_bytes(call_id), path, ctypes.c_uint64(max_bytes))
        if error:
            raise TapError(f"cannot tap call {call_id} into {capture}: {os.strerror(error)}")

    def record(self, call_id: str, path: Path) -> None:
        """From now on the audio that the call receives is written to WAV files (16 bits, 8 kHz, mono).

        What the first address sends goes to `path`, what others send to `path`.1 to `path`.3, all new files that begin
        at one moment. Each packet is at its place in time, and silence where none came. TapError.
        """
        error = self._library.tap_record(_bytes(call_id), os.fsencode(path))
        if error:
            raise TapError(f"cannot record call {call_id} into {path}: {os.strerror(error)}")

    def record_end(self, call_id: str, until_s: float) -> tuple[str, ...]:
        """Ends the files, which last until that moment (monotonic clock): whom each is of, `ip:port`.

        Empty: nobody, or it is not whole. TapError: the call is not recorded, or a file is not whole.
        """
        recorded = (RawRecorded * MAX_RECORDINGS)()
        error = self._library.tap_record_end(_bytes(call_id), ctypes.c_int64(int(until_s * 1e9)), recorded)
        error = error or next((one.error for one in recorded if one.error), 0)
        if error:
            raise TapError(f"the recording of call {call_id} is not complete: {os.strerror(error)}")
        return tuple(one.remote.decode() for one in recorded)

    def mark(self, call_id: str) -> None:
        """Counts streams and records anew from here on, beside what was counted so far. TapError: not open."""
        if self._library.tap_mark(_bytes(call_id)):
            raise TapError(f"call {call_id} is not tapped")

    def streams(self, call_id: str) -> TapStreams:
        """A call's streams so far, also after its end. TapError: not open.

        What there was no room for is told beside them: packets of streams that came after others, digits, gaps.
        """
        told, name = RawTold(), _bytes(call_id)
        rows = (RawStream * 0)()
        while (count := self._library.tap_streams(name, rows, len(rows), ctypes.byref(told))) > len(rows):
            rows = (RawStream * count)()
        if count < 0:
            raise TapError(f"call {call_id} is not tapped")
        return TapStreams(
            rows=tuple(stream_of(row) for row in rows[:count]),
            guards=self._guards(name),
            epoch=told.epoch,
            uncounted=told.uncounted,
            strangers=told.strangers,
            other=told.other,
        )

    def _guards(self, name: bytes) -> tuple[TapGuard, ...]:
        guards = (RawGuard * MAX_GUARDS)()
        count = self._library.tap_guards(name, guards, len(guards))
        return tuple(guard_of(guard) for guard in guards[:count])

    def srtp(self, call_id: str, wanted: TapSrtp) -> None:
        """What SRTP is to be in this call's media lines that are made from now on. TapError: not open."""
        raw = raw_srtp(wanted)
        if self._library.tap_srtp(_bytes(call_id), ctypes.byref(raw)):
            raise TapError(f"call {call_id} is not tapped")

    def close(self, call_id: str) -> Captured:
        """Forgets the call, and ends its capture. TapError: not open."""
        captured = RawCaptured()
        if self._library.tap_close(_bytes(call_id), ctypes.byref(captured)):
            raise TapError(f"call {call_id} is not tapped")
        return Captured(
            packets=captured.packets,
            bytes=captured.bytes,
            left_out=captured.left_out,
            error=os.strerror(captured.error) if captured.error else None,
        )

    def messages(self) -> Iterator[TapMessage]:
        """The SIP messages since the last one that this gave. `missed` counts those that were not asked for in time."""
        head = RawMessage()
        while self._library.tap_message(ctypes.c_uint64(self._seen), ctypes.byref(head), self._text, len(self._text)):
            self.missed += head.missed
            self._seen = head.number
            yield TapMessage(
                at_s=head.monotonic_ns / 1e9,
                unix_at=head.real_ns / 1e9,
                read_s=head.read_ns / 1e9,
                sent=bool(head.sent),
                unsent=head.unsent,
                parsed=bool(head.parsed),
                sdp=bool(head.sdp),
                protocol=head.protocol.decode(),
                secure=bool(head.secure),
                connection=head.connection or None,
                local=head.local.decode(),
                peer=head.peer.decode(),
                target=head.target.decode(errors="replace") or None,
                text=self._text.raw[: head.length],
            )

    def connections(self) -> Iterator[TapConnection]:
        """The changes of TCP and TLS connections since the last one that this gave."""
        return changes(self._library)

    def tell_unread(self, since_s: float) -> None:
        """Tells, as of a message that could not be read, of those that began before then and have not come whole."""
        self._library.tap_unread(int(since_s * 1e9))

    def secure(self, server_name: str, *, anonymous: bool) -> None:
        """Of TLS connections that are opened from now on.

        `server_name`: what the peer's certificate is to be for; empty: its address. `anonymous`: they show none.
        """
        self._library.tap_tls(server_name.encode(), anonymous)

    def allow(self, networks: Sequence[str]) -> None:
        """From now on no SIP is sent to an address outside these (CIDRs); before, to any. ValueError: one is none."""
        known = [ip_network(network, strict=False) for network in networks]
        rows = (RawNetwork * len(known))(
            *(
                RawNetwork(each.version, each.prefixlen, (ctypes.c_uint8 * 16)(*each.network_address.packed))
                for each in known
            )
        )
        self._library.tap_allow(rows, len(known))

    def wake(self, eventfd: int) -> None:
        """From now on each message, and each change of a connection, adds to this eventfd; -1: none does."""
        self._library.tap_wake(eventfd)

    @property
    def live_calls(self) -> int:
        """How many calls are open, or still held by pjsip's media."""
        return int(self._library.tap_live_calls())


def _library() -> ctypes.CDLL:
    """pjsua2's shared object, which has the tap in it: loading it again gives the one that is loaded."""
    spec = importlib.util.find_spec("_pjsua2")
    if spec is None or spec.origin is None:
        raise TapError("pjsua2 is not installed: run dev/pjsua2/install")
    library = ctypes.CDLL(spec.origin)
    if not hasattr(library, "tap_install"):
        raise TapError(f"{spec.origin} was built without the tap: run dev/pjsua2/install, or rebuild the agent image")
    library.tap_streams.argtypes = (ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    library.tap_unread.argtypes = (ctypes.c_int64,)
    library.tap_tls.argtypes = (ctypes.c_char_p, ctypes.c_int)
    library.tap_message.argtypes = (ctypes.c_uint64, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)
    return library


def _bytes(call_id: str) -> bytes:
    return call_id.encode(errors="surrogateescape")
