"""What payload types mean: by SDP where the address a packet goes to was declared, by RFC 3551's table elsewhere."""

from collections.abc import Mapping
from functools import cache
from typing import Final

import numpy as np

from agent.sip import sdp
from agent.sip.security import Security
from agent.trace.kernel import STATIC_TYPES, StaticType, address, kernel
from agent.trace.kernel import Meanings as KernelMeanings
from agent.trace.model import Format


def as_format(encoding: sdp.Encoding) -> Format:
    """As a trace tells it."""
    return Format(name=encoding.name, clock_rate_hz=encoding.clock_hz, channels=encoding.channels, fmtp=encoding.fmtp)


EVENT_NAME: Final = sdp.EVENT_NAME
COMFORT_NOISE: Final = 13
UNKNOWN, AUDIO, EVENT = 0, 1, 2
MAX_MEANINGS: Final = 4096


@cache
def static() -> Mapping[int, Format]:
    """RFC 3551 §6, tables 4 and 5."""
    table = (StaticType * STATIC_TYPES).in_dll(kernel(), "rtp_static_types")
    return {
        number: Format(name=one.name.decode(), clock_rate_hz=one.clock_hz, channels=one.channels)
        for number, one in enumerate(table)
        if one.name
    }


class Meanings:
    """The different maps of payload types that a capture's SDPs gave, as rows of tables; row 0 is RFC 3551's alone."""

    def __init__(self, *, decrypted: bool = False) -> None:
        """`decrypted`: no SDP tells of SRTP what the capture holds."""
        self._decrypted = decrypted
        self._numbers: dict[object, int] = {}
        self.formats: list[dict[int, Format]] = []
        self.encrypted = np.zeros(0, bool)
        self.unsure: list[bool] = []
        """What SDP says leaves open whether it is encrypted."""
        self.kind = np.zeros((0, 128), np.uint8)
        self.tick_ns = np.zeros((0, 128))
        """Nanoseconds per tick of the payload type's clock; nan where the clock is not known."""
        self.columns = KernelMeanings()
        """The same for the kernel."""
        self.refused = 0
        """Maps too many: taken for row 0."""
        self.number({}, Security.PLAIN)

    def number(self, declared: Mapping[int, Format], security: Security) -> int:
        """The row of a map, made when it is new."""
        security = Security.PLAIN if self._decrypted else security
        key = (frozenset(declared.items()), security)
        known = self._numbers.get(key)
        if known is not None:
            return known
        if len(self.formats) >= MAX_MEANINGS:
            self.refused += 1
            return 0
        formats = {**static(), **declared}
        kind, tick_ns = np.zeros((1, 128), np.uint8), np.full((1, 128), np.nan)
        for payload_type, one in formats.items():
            kind[0, payload_type] = EVENT if one.name == EVENT_NAME else AUDIO
            tick_ns[0, payload_type] = 1e9 / one.clock_rate_hz
        self.kind = np.concatenate([self.kind, kind])
        self.tick_ns = np.concatenate([self.tick_ns, tick_ns])
        self.encrypted = np.append(self.encrypted, security is Security.SEALED)
        self.unsure.append(security is Security.UNSURE)
        self.formats.append(formats)
        where = (address(one) for one in (self.kind, self.tick_ns, self.encrypted))
        self.columns = KernelMeanings(*where, len(self.formats))
        self._numbers[key] = len(self.formats) - 1
        return len(self.formats) - 1
