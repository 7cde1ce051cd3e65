"""When a schedule's time has come: a pure function of expression, zone, what was run last, and now.

Not as cronsim alone would say: entered within the hour that is doubled in autumn, it gives times that lie before its
start, and backwards it forgets the one that has passed. So: forward, in UTC, without what is not after the start.
"""

import errno
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

NAMED: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

OF_THE_NAME: Final = {errno.EISDIR, errno.ENAMETOOLONG}
"""What opening a zone's file ends with where its name is at fault. Anything else (too many open files) is ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A schedule that can be evaluated."""

    expression: str
    """Five fields, or one of @hourly, @daily …: as Debian's cron, in the zone's local time. On the hour that is lost in
    spring a daily slot comes right after it, on the one that is doubled in autumn once."""
    zone: ZoneInfo
    jitter: timedelta
    """Added to every slot: starts of many tests are spread, each always by the same."""

    def latest(self, after: datetime, now: datetime) -> datetime | None:
        """The last slot after `after` whose start (the slot and the jitter) has come; None: none."""
        due = list(takewhile(lambda slot: slot + self.jitter <= now, self._slots(after)))
        return due[-1] if due else None

    def next_start(self, after: datetime) -> datetime | None:
        """When the first slot after a time starts; None: never (there is no 30th of February)."""
        slot = next(self._slots(after), None)
        return slot + self.jitter if slot is not None else None

    def _slots(self, after: datetime) -> Iterator[datetime]:
        local = CronSim(self.expression, after.astimezone(self.zone))
        return filter(after.__lt__, (slot.astimezone(UTC) for slot in local))


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its name; ValueError: there is none. OSError: who knows."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno not in OF_THE_NAME:
            raise
        raise ValueError(f"there is no time zone {name!r}; give one like Europe/Berlin") from error


def read(expression: str, zone: str, *, jitter_s: int, of: str) -> Cron:
    """A schedule as people write it; ValueError says what is wrong with it. `of`: whose it is, to spread by."""
    text = NAMED.get(expression, expression).replace("?", "*")  # CronJob's habit, the same as `*` there
    if len(text.split()) != 5:  # cronsim takes six, with seconds
        raise ValueError(
            f"{expression!r} must have five fields (minute, hour, day of month, month, day of week), or be one of"
            f" {', '.join(NAMED)}"
        )
    where = zone_of(zone)
    try:
        CronSim(text, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(f"{expression!r} is no schedule: {error}") from error
    digest = int.from_bytes(hashlib.sha256(of.encode()).digest()[:8], "big")
    return Cron(expression=text, zone=where, jitter=timedelta(seconds=digest % jitter_s if jitter_s else 0))
