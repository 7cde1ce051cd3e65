"""Our own SDP, as a call is to have it: which codecs, and what packet time is asked for. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agent.contract.codecs import Codec
from agent.sip.sdp import EVENT_NAME, Encoding, Medium, parse_sdp

_PER_TYPE: Final = ("a=rtpmap:", "a=fmtp:", "a=rtcp-fb:")
"""Attributes that begin with a payload type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offering:
    """What of a call's media its SDP says."""

    codecs: tuple[Codec, ...]
    ptime_ms: int | None = None

    def __call__(self, sdp: str) -> str:
        """Our SDP with these codecs alone, in their order, and the telephone-events of their clocks.

        One in which none of them is stays as it is: there is nothing that it could say instead.
        """
        audio = parse_sdp(sdp).audio
        types = None if audio is None else _types(audio, self.codecs)
        if audio is None or not types:
            return sdp
        lines = sdp.replace("\r\n", "\n").rstrip("\n").split("\n")
        begin = audio.line - 1
        end = next((i for i in range(begin + 1, len(lines)) if lines[i].startswith("m=")), len(lines))
        section = [_m_line(lines[begin], types), *_kept(lines[begin + 1 : end], types)]
        if self.ptime_ms is not None:
            section = [*(line for line in section if not line.startswith("a=ptime:")), f"a=ptime:{self.ptime_ms}"]
        return "".join(f"{line}\r\n" for line in (*lines[:begin], *section, *lines[end:]))


def _types(audio: Medium, codecs: Sequence[Codec]) -> tuple[int, ...]:
    """Payload types of these codecs in their order, then of telephone-events."""
    wanted = [number for codec in codecs for number, one in audio.encodings.items() if one.same(encoding_of(codec))]
    clocks = dict.fromkeys(audio.encodings[number].clock_hz for number in wanted)
    events = {one.clock_hz: number for number, one in audio.encodings.items() if one.name == EVENT_NAME}
    return (*wanted, *(events[clock_hz] for clock_hz in clocks if clock_hz in events))


def encoding_of(codec: Codec) -> Encoding:
    """As its rtpmap has it."""
    return Encoding(name=codec, clock_hz=codec.clock_hz, channels=codec.channels)


def _m_line(line: str, types: Sequence[int]) -> str:
    media, port, protocol, *_ = line.split()
    return " ".join((media, port, protocol, *map(str, types)))


def _kept(lines: Sequence[str], types: Sequence[int]) -> list[str]:
    """Attributes of other payload types go; those of telephone-events in our order, for the first is taken."""
    place = {str(number): index for index, number in enumerate(types)}

    def of(line: str) -> int | None:
        head = next((head for head in _PER_TYPE if line.startswith(head)), None)
        return None if head is None else place.get(line.removeprefix(head).split(" ", 1)[0], -1)

    told = [(of(line), line) for line in lines]
    by_type = sorted((where, line) for where, line in told if where is not None and where >= 0)
    rest = [line for where, line in told if where is None]
    first = next((i for i, (where, _) in enumerate(told) if where is not None), len(rest))
    return [*rest[:first], *(line for _, line in by_type), *rest[first:]]
