"""The detail lines of an agent: a line each for legs and registrations, in bounded room.

Every planned call has its room, whatever else comes: what is told of legs that may be nobody's is bounded, and the rest
of them are counted.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Callable
from typing import Final, TypeVar

import msgspec

from agent.contract.address import IpFamily, family_of, host_of
from agent.contract.media import Heard
from agent.contract.observation import LegObservation
from agent.contract.plan import Plan, Stage
from agent.contract.registration import RegistrationObservation
from agent.contract.result import DetailDigest, DetailLine, KeptLine, TurnedAway, encode_line
from agent.contract.room import DETAIL_BYTES, GUESTS, line_bytes, looked_bytes

Told = TypeVar("Told", bound=DetailLine)

ANSWERED_TWICE: Final = 2
"""Where two INVITEs of a call were answered nobody can tell which is the call's, and more of them say no more."""

log = logging.getLogger(__name__)


class Detail:
    """Writes lines.

    One that finds no room though it should is still in the digest, which disagrees with the log then: nobody takes that
    for complete.
    """

    def __init__(self, plan: Plan, write_line: Callable[[bytes], None], room_bytes: int = DETAIL_BYTES) -> None:
        self._write_line = write_line
        self._free = room_bytes
        self._sha256 = hashlib.sha256()
        self._lines = 0
        kept, transport, looked = plan.evidence is not None, plan.transport, looked_bytes(plan.calls)
        self._owed = {
            (stage.endpoint, call.name, number): looked
            + line_bytes(call, keeps_evidence=kept, transport=transport, family=_family(stage))
            for stage in plan.stages
            for call in plan.calls
            for number in range(call.count)
        }
        """What is kept free for calls of which nothing was told."""
        self._owed_bytes = sum(self._owed.values())
        self._guests_left = len(self._owed) + GUESTS
        self._answered: Counter[tuple[int, str, int]] = Counter()
        self._waiting: list[bytes] = []
        self.left_out = 0
        """Legs of guests for which there was no room."""

    @property
    def digest(self) -> DetailDigest:
        """Over all lines so far."""
        return DetailDigest(lines=self._lines, sha256=self._sha256.hexdigest())

    def line(self, line: RegistrationObservation | KeptLine | TurnedAway) -> None:
        """Every one that is no leg's is told."""
        self._write(self._fitted(line))

    def leg(self, leg: LegObservation) -> None:
        """One that names its call is told where it is the first, or was answered as none was before; others are guests.

        A path may drop what names a call: those legs are guests too, and there is room for as many as are planned.
        """
        if self._is_due(leg):
            self._write(self._fitted(leg))
        elif not self._guests_left:
            self.left_out += 1
        else:
            self._guests_left -= 1
            self._guest(leg)

    def end(self) -> None:
        """Nothing more will come: guests that waited have what room is left."""
        self._owed_bytes = 0
        for line in self._waiting:
            if len(line) <= self._free:
                self._write(line)
            else:
                self.left_out += 1
        self._waiting.clear()
        if self.left_out:
            log.warning("%d more calls came than are told one by one", self.left_out)

    def _is_due(self, leg: LegObservation) -> bool:
        if leg.call is None or leg.number is None:
            return False
        key = leg.endpoint, leg.call, leg.number
        answered = leg.final_code is not None and 200 <= leg.final_code < 300
        self._answered[key] += answered
        is_first = key in self._owed
        self._owed_bytes -= self._owed.pop(key, 0)
        return is_first or (answered and self._answered[key] <= ANSWERED_TWICE)

    def _guest(self, leg: LegObservation) -> None:
        line = encode_line(_silent(leg))
        if self._fits(line):
            self._write(line)
        else:
            self._waiting.append(line)

    def _fitted(self, told: Told) -> bytes:
        """Its line: what takes most room goes first where room is short, and is said to be missing."""
        line = encode_line(told)
        if not self._fits(line):
            line = encode_line(_silent(told))
        if not self._fits(line) and isinstance(told, LegObservation):
            line = encode_line(_short(_silent(told)))
        return line

    def _fits(self, line: bytes) -> bool:
        """Beside what is owed."""
        return len(line) + self._owed_bytes <= self._free

    def _write(self, line: bytes) -> None:
        self._lines += 1
        self._sha256.update(line)
        if len(line) <= self._free:
            self._free -= len(line)
            self._write_line(line)


def _silent(told: Told) -> Told:
    """Without its messages."""
    return msgspec.structs.replace(told, messages=())


def _short(leg: LegObservation) -> LegObservation:
    """Without the lists that grow with a bad line."""
    return msgspec.structs.replace(
        leg, gaps=(), gaps_left_out=leg.gaps_left_out + len(leg.gaps), heard=leg.heard and _in_sum(leg.heard)
    )


def _in_sum(heard: Heard) -> Heard:
    left_out = heard.stretches_left_out + len(heard.stretches)
    return msgspec.structs.replace(heard, stretches=(), stretches_left_out=left_out)


def _family(stage: Stage) -> IpFamily:
    return family_of(host_of(stage.address)) or IpFamily.IPV4
