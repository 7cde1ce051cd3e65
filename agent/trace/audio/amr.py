"""AMR and AMR-WB payloads (RFC 4867), bandwidth-efficient and octet-aligned, to the frames that decoders take."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

NARROW_BITS: Final = {0: 95, 1: 103, 2: 118, 3: 134, 4: 148, 5: 159, 6: 204, 7: 244, 8: 39, 15: 0}
"""Bits of speech by frame type (3GPP TS 26.101 table 1a): eight rates, comfort noise, nothing sent."""
WIDE_BITS: Final = {0: 132, 1: 177, 2: 253, 3: 285, 4: 317, 5: 365, 6: 397, 7: 461, 8: 477, 9: 40, 14: 0, 15: 0}
"""The same of AMR-WB (3GPP TS 26.201 table 1a); 14: speech lost."""
_PARAMETER: Final = re.compile(r"([a-z-]+)\s*=\s*([^;\s]+)")
MAX_FRAMES: Final = 24
"""Of one payload: nobody sends half a second at once."""


class UnreadablePayloadError(Exception):
    """A payload is not what its format says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """How payloads are laid out: what the SDP's fmtp says (RFC 4867 §8.1)."""

    octet_aligned: bool = False
    crc: bool = False
    is_sorted: bool = False
    """Interleaved, or robustly sorted: not read here."""


def packing(fmtp: str) -> Packing:
    """Of a format's parameters; the default is bandwidth-efficient."""
    given = dict(_PARAMETER.findall(fmtp.lower()))
    crc = given.get("crc", "0") == "1"
    is_sorted = given.get("robust-sorting", "0") == "1" or "interleaving" in given
    octet_aligned = given.get("octet-align", "0") == "1" or crc or is_sorted
    return Packing(octet_aligned=octet_aligned, crc=crc, is_sorted=is_sorted)


def frames(payload: bytes, bits: dict[int, int], packed: Packing) -> list[bytes]:
    """The frames of a payload in the format of files (RFC 4867 §5.3), each of 20 ms; UnreadablePayloadError.

    The bits must be all that there is but padding: what is encrypted, or packed in the other way, hardly ever fits.
    """
    types = list(_aligned_types(payload) if packed.octet_aligned else _efficient_types(payload))
    sizes = [_size(bits, kind) for kind, _ in types]
    if packed.octet_aligned:
        at = 1 + len(types) + (sum(size > 0 for size in sizes) if packed.crc else 0)
        ends = [at]
        for size in sizes:
            ends.append(ends[-1] + (size + 7) // 8)
        if ends[-1] != len(payload):
            raise UnreadablePayloadError(f"{len(payload)} bytes, expected {ends[-1]}")
        parts = [payload[begin:end] for begin, end in pairwise(ends)]
    else:
        used = 4 + 6 * len(types) + sum(sizes)
        if (used + 7) // 8 != len(payload):
            raise UnreadablePayloadError(f"{len(payload)} bytes, expected {(used + 7) // 8}")
        parts = list(_cut(payload, 4 + 6 * len(types), sizes))
    return [bytes([kind << 3 | good << 2]) + part for (kind, good), part in zip(types, parts, strict=True)]


def _size(bits: dict[int, int], kind: int) -> int:
    if kind not in bits:
        raise UnreadablePayloadError(f"frame type {kind}")
    return bits[kind]


def _aligned_types(payload: bytes) -> Iterator[tuple[int, int]]:
    """Frame type and quality of each entry of an octet-aligned table of contents (§4.4.2)."""
    for entry in payload[1 : 1 + MAX_FRAMES]:
        yield entry >> 3 & 15, entry >> 2 & 1
        if not entry & 0x80:
            return
    raise UnreadablePayloadError("a table of contents without an end")


def _efficient_types(payload: bytes) -> Iterator[tuple[int, int]]:
    """The same of six bits each, right behind the mode request's four (§4.3.2)."""
    whole = int.from_bytes(payload)
    for number in range(MAX_FRAMES):
        shift = 8 * len(payload) - 4 - 6 * (number + 1)
        if shift < 0:
            break
        entry = whole >> shift & 63
        yield entry >> 1 & 15, entry & 1
        if not entry & 32:
            return
    raise UnreadablePayloadError("a table of contents without an end")


def _cut(payload: bytes, begin: int, sizes: list[int]) -> Iterator[bytes]:
    """Pieces of so many bits each, filled up to whole bytes."""
    whole, left = int.from_bytes(payload), 8 * len(payload) - begin
    for size in sizes:
        left -= size
        piece = whole >> left & (1 << size) - 1
        octets = (size + 7) // 8
        yield (piece << 8 * octets - size).to_bytes(octets)
