"""The tap's files and its table of calls, by themselves: no phone is up."""

import ctypes
import ipaddress
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.tap import Tap, TapError, _library
from agent.tap.raw import RawCaptured
from tests.component.pcaps import checksum, read

LIBRARY = _library()
LIBRARY.tap_capture_new.restype = ctypes.c_void_p
LIBRARY.tap_capture_close.restype = RawCaptured


class Address(ctypes.Structure):
    _fields_ = (("family", ctypes.c_uint8), ("port", ctypes.c_uint16), ("ip", ctypes.c_uint8 * 16))


def address(ip: str, port: int) -> Address:
    parsed = ipaddress.ip_address(ip)
    return Address(parsed.version, port, (ctypes.c_uint8 * 16)(*parsed.packed))


HERE, THERE = address("127.0.0.1", 4000), address("127.0.0.2", 5060)


class Capture:
    def __init__(self, path: Path, max_bytes: int = 1_000_000) -> None:
        error = ctypes.c_int()
        made = LIBRARY.tap_capture_new(str(path).encode(), ctypes.c_uint64(max_bytes), ctypes.byref(error))
        self.path, self.handle = path, ctypes.c_void_p(made)
        assert made, error

    def write(
        self, packet: bytes, source: Address = HERE, target: Address = THERE, at_ns: int = 1_700_000_000_123_456_789
    ) -> None:
        LIBRARY.tap_capture_write(
            self.handle,
            ctypes.c_int64(at_ns),
            ctypes.byref(source),
            ctypes.byref(target),
            packet,
            ctypes.c_size_t(len(packet)),
        )

    def close(self) -> RawCaptured:
        return LIBRARY.tap_capture_close(self.handle)


def test_a_packet_is_kept_to_the_nanosecond_and_for_our_eyes_alone(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "a.pcap")
    capture.write(b"hello")
    captured = capture.close()
    (only,) = read(capture.path)
    assert (only.at_ns, only.source, only.target, only.payload) == (
        1_700_000_000_123_456_789,
        "127.0.0.1:4000",
        "127.0.0.2:5060",
        b"hello",
    )
    assert (captured.packets, captured.bytes, captured.left_out) == (1, capture.path.stat().st_size, 0)
    assert capture.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("payload", [b"", b"even", b"odd", b"\xff" * 1000])
def test_an_ipv6_datagram_has_a_right_checksum(tmp_path: Path, payload: bytes) -> None:
    capture = Capture(tmp_path / "a.pcap")
    capture.write(payload, address("2001:db8::1", 4000), address("::1", 4002))
    capture.close()
    datagram = capture.path.read_bytes()[40:]
    assert datagram[0] == 0x60
    assert struct.unpack_from(">HB", datagram, 4) == (8 + len(payload), 17)
    udp = datagram[40:]
    assert struct.unpack_from(">HHH", udp) == (4000, 4002, 8 + len(payload))
    assert udp[8:] == payload
    pseudo = datagram[8:40] + struct.pack(">II", len(udp), 17)
    padded = pseudo + udp + bytes(len(udp) % 2)
    assert struct.unpack_from(">H", udp, 6) != (0,)
    assert checksum(padded) == 0


def test_a_full_capture_leaves_out_and_stays_readable(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "a.pcap", max_bytes=1000)
    for _ in range(10):
        capture.write(bytes(200))
    captured = capture.close()
    assert (captured.packets, captured.left_out) == (4, 6)
    assert len(read(capture.path)) == 4
    assert capture.path.stat().st_size == captured.bytes == 1000


def test_a_message_too_long_for_a_datagram_is_cut(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "a.pcap")
    capture.write(bytes(65535))
    capture.close()
    (only,) = read(capture.path)
    assert len(only.payload) == 65487


def test_an_address_that_is_not_known_is_left_out(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "a.pcap")
    capture.write(b"x", Address(), THERE)
    capture.write(b"x", HERE, address("::1", 1))
    assert capture.close().left_out == 2
    assert read(capture.path) == []


# --- the table of calls --------------------------------------------------------------------------------------------


@pytest.fixture
def tap() -> Iterator[Tap]:
    made = Tap()
    before = made.live_calls
    yield made
    assert made.live_calls == before, "a test must close what it opens"


def test_a_capture_never_overwrites_a_file(tap: Tap, tmp_path: Path) -> None:
    path = tmp_path / "call.pcap"
    path.write_bytes(b"somebody's")
    with pytest.raises(TapError, match=rf"cannot tap call id into {path}: File exists"):
        tap.open("id", path)
    assert path.read_bytes() == b"somebody's"
    with pytest.raises(TapError, match="call id is not tapped"):
        tap.close("id")


def test_a_folder_that_is_not_there_is_named(tap: Tap, tmp_path: Path) -> None:
    with pytest.raises(TapError, match=r"nowhere/call\.pcap: No such file"):
        tap.open("id", tmp_path / "nowhere/call.pcap")


def test_a_call_that_is_not_open_cannot_be_asked(tap: Tap) -> None:
    for ask in (tap.streams, tap.mark, tap.close):
        with pytest.raises(TapError, match="call other is not tapped"):
            ask("other")


def test_a_call_that_meets_itself_is_counted_until_both_have_ended(tap: Tap, tmp_path: Path) -> None:
    first, second = tmp_path / "first.pcap", tmp_path / "second.pcap"
    tap.open("id", first)
    tap.open("id", second)
    tap.close("id")
    assert tap.streams("id").rows == ()
    tap.close("id")
    assert first.exists()
    assert not second.exists()
    with pytest.raises(TapError):
        tap.streams("id")


def test_many_calls_are_told_apart(tap: Tap) -> None:
    names = [f"call-{number}@example.com" for number in range(3000)]
    for name in names:
        tap.open(name)
    for name in names[::2]:
        tap.close(name)
    for name in names[1::2]:
        assert tap.streams(name).rows == ()
        tap.close(name)
    with pytest.raises(TapError):
        tap.streams(names[1])
