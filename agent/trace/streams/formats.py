"""What payload types mean: by SDP where the address a packet goes to was declared, by RFC 3551's table elsewhere."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from agent.trace.kernel import Meanings as KernelMeanings
from agent.trace.kernel import address
from agent.trace.model import Format

STATIC: Final[Mapping[int, Format]] = {
    0: Format(name="PCMU", clock_rate_hz=8000),
    3: Format(name="GSM", clock_rate_hz=8000),
    4: Format(name="G723", clock_rate_hz=8000),
    5: Format(name="DVI4", clock_rate_hz=8000),
    6: Format(name="DVI4", clock_rate_hz=16000),
    7: Format(name="LPC", clock_rate_hz=8000),
    8: Format(name="PCMA", clock_rate_hz=8000),
    9: Format(name="G722", clock_rate_hz=8000),  # samples at 16 kHz, but its timestamps count at 8: RFC 3551 §4.5.2
    10: Format(name="L16", clock_rate_hz=44100, channels=2),
    11: Format(name="L16", clock_rate_hz=44100),
    12: Format(name="QCELP", clock_rate_hz=8000),
    13: Format(name="CN", clock_rate_hz=8000),
    14: Format(name="MPA", clock_rate_hz=90000),
    15: Format(name="G728", clock_rate_hz=8000),
    16: Format(name="DVI4", clock_rate_hz=11025),
    17: Format(name="DVI4", clock_rate_hz=22050),
    18: Format(name="G729", clock_rate_hz=8000),
    25: Format(name="CelB", clock_rate_hz=90000),
    26: Format(name="JPEG", clock_rate_hz=90000),
    28: Format(name="nv", clock_rate_hz=90000),
    31: Format(name="H261", clock_rate_hz=90000),
    32: Format(name="MPV", clock_rate_hz=90000),
    33: Format(name="MP2T", clock_rate_hz=90000),
    34: Format(name="H263", clock_rate_hz=90000),
}
"""RFC 3551 §6, tables 4 and 5."""

EVENT_NAME: Final = "telephone-event"
EVENT_CLOCK_HZ: Final = 8000
"""RFC 4733 §7.1.1: where the rate is not said."""
COMFORT_NOISE: Final = 13
UNKNOWN, AUDIO, EVENT = 0, 1, 2
MAX_MEANINGS: Final = 4096


class Meanings:
    """The different maps of payload types that a capture's SDPs gave, as rows of tables; row 0 is RFC 3551's alone."""

    def __init__(self, *, decrypted: bool = False) -> None:
        """`decrypted`: no SDP tells of SRTP what the capture holds."""
        self._decrypted = decrypted
        self._numbers: dict[object, int] = {}
        self.formats: list[dict[int, Format]] = []
        self.encrypted = np.zeros(0, bool)
        self.kind = np.zeros((0, 128), np.uint8)
        self.tick_ns = np.zeros((0, 128))
        """Nanoseconds per tick of the payload type's clock; nan where the clock is not known."""
        self.columns = KernelMeanings()
        """The same for the kernel."""
        self.refused = 0
        """Maps too many: taken for row 0."""
        self.number({}, encrypted=False)

    def number(self, declared: Mapping[int, Format], *, encrypted: bool) -> int:
        """The row of a map, made when it is new."""
        encrypted = encrypted and not self._decrypted
        key = (frozenset(declared.items()), encrypted)
        known = self._numbers.get(key)
        if known is not None:
            return known
        if len(self.formats) >= MAX_MEANINGS:
            self.refused += 1
            return 0
        formats = {**STATIC, **declared}
        kind, tick_ns = np.zeros((1, 128), np.uint8), np.full((1, 128), np.nan)
        for payload_type, one in formats.items():
            kind[0, payload_type] = EVENT if one.name == EVENT_NAME else AUDIO
            tick_ns[0, payload_type] = 1e9 / one.clock_rate_hz
        self.kind = np.concatenate([self.kind, kind])
        self.tick_ns = np.concatenate([self.tick_ns, tick_ns])
        self.encrypted = np.append(self.encrypted, encrypted)
        self.formats.append(formats)
        where = (address(one) for one in (self.kind, self.tick_ns, self.encrypted))
        self.columns = KernelMeanings(*where, len(self.formats))
        self._numbers[key] = len(self.formats) - 1
        return len(self.formats) - 1
