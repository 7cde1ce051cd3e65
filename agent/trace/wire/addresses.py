"""IP addresses as 32-bit numbers, so that columns of them are plain integers."""

import socket
from ipaddress import IPv6Address
from typing import Final

MAX_ADDRESSES: Final = 1 << 20
UNKNOWN: Final = 0xFF
"""Of an address too many: its packets are not looked at."""


class Addresses:
    """An IPv4 address is its four bytes, read as one little-endian number.

    IPv6 ones are numbered as they come, and so is 255.0.0.0/8, which is theirs: 255 in the lowest byte.
    """

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self._packed: list[bytes] = [b""]
        self.refused = 0
        """Packets whose address came too late for a number."""

    def number(self, packed: bytes) -> int:
        """Of an address of 4 or 16 bytes; UNKNOWN when there were too many."""
        if len(packed) == 4 and packed[0] != 255:
            return int.from_bytes(packed, "little")
        known = self._numbers.get(packed)
        if known is None:
            if len(self._packed) > MAX_ADDRESSES:
                self.refused += 1
                return UNKNOWN
            known = self._numbers[packed] = len(self._packed) << 8 | 0xFF
            self._packed.append(packed)
        return known

    def parse(self, text: str) -> int | None:
        """Of an address as written in SDP; None when it is a name or nothing."""
        try:
            return self.number(socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text))
        except (OSError, ValueError):
            return None

    def host(self, number: int) -> str:
        """As written."""
        packed = number.to_bytes(4, "little") if number & 0xFF != 255 else self._packed[number >> 8]
        return str(IPv6Address(packed)) if len(packed) == 16 else socket.inet_ntop(socket.AF_INET, packed)

    def endpoint(self, number: int, port: int) -> str:
        """`10.0.0.1:4000`, `[2001:db8::1]:4002`."""
        host = self.host(number)
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
