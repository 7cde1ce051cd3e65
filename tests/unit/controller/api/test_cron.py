"""Slots of schedules: every minute of the days on which clocks are changed, and expressions that are none."""

import errno
import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given
from hypothesis import strategies as st

from controller.api import cron as cron_module
from controller.api.cron import NAMED, Cron, read

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Etc/UTC")
EXPRESSIONS = ("30 2 * * *", "*/30 * * * *", "0 * * * *", "15 1-3 * * *", "0 3 * * *", "30 1 * * *", "*/7 * * * *")
DAYS = ((3, 8), (3, 29), (4, 5), (10, 4), (10, 25), (11, 1))
"""On which one of the zones changes its clocks, in 2026."""
DEADLINE = timedelta(seconds=300)


def cron(expression: str, zone: str = "Etc/UTC", jitter_s: int = 0) -> Cron:
    return read(expression, zone, jitter_s=jitter_s, of="voice/pin")


@pytest.mark.covers("trigger.timeZone")
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_on_days_when_clocks_change_the_latest_slot_is_right_in_every_minute(zone: str, expression: str) -> None:
    found = cron(expression, zone)
    for month, day in DAYS:
        midnight = datetime(2026, month, day, tzinfo=UTC)
        begin, end = midnight - timedelta(days=2), midnight + timedelta(hours=30)
        times = (local.astimezone(UTC) for local in CronSim(expression, begin.astimezone(ZoneInfo(zone))))
        slots = list(itertools.takewhile(end.__gt__, times))
        for minute in range(24 * 60):
            now = midnight + timedelta(minutes=minute, seconds=20)
            due = [slot for slot in slots if now - DEADLINE < slot <= now]
            assert found.latest(now - DEADLINE, now) == (due[-1] if due else None), now


def test_a_daily_slot_comes_once_on_the_doubled_hour_and_after_the_lost_one() -> None:
    berlin = cron("30 2 * * *", "Europe/Berlin")
    spring, autumn = datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)
    assert berlin.next_start(spring) == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)  # 03:00 there
    first = berlin.next_start(autumn)
    assert first is not None
    assert berlin.next_start(first) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


@given(st.integers(0, 366 * 86_400), st.sampled_from(EXPRESSIONS))
def test_the_next_start_is_the_latest_slot_once_it_has_come(second: int, expression: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    found = cron(expression, "Europe/Berlin", jitter_s=600)
    start = found.next_start(now)
    assert start is not None
    assert start > now
    assert found.latest(start - found.jitter - timedelta(seconds=1), start) == start - found.jitter


@pytest.mark.covers("trigger.jitterSeconds")
def test_jitter_is_stable_and_differs_from_test_to_test() -> None:
    offsets = {read("@hourly", "Etc/UTC", jitter_s=600, of=f"voice/{name}").jitter for name in "abcdefgh"}
    assert len(offsets) > 4
    assert all(timedelta(0) <= offset < timedelta(seconds=600) for offset in offsets)
    assert cron("@hourly", jitter_s=600) == cron("@hourly", jitter_s=600)


@pytest.mark.parametrize("name", NAMED)
def test_named_schedules_are_those_of_cron(name: str) -> None:
    assert cron(name) == cron(NAMED[name])


@pytest.mark.parametrize(
    ("expression", "zone", "fault"),
    [
        ("* * * * * *", "Etc/UTC", "must have five fields"),
        ("@every 5m", "Etc/UTC", "must have five fields"),
        ("TZ=UTC 0 * * * *", "Etc/UTC", "must have five fields"),
        ("60 * * * *", "Etc/UTC", "is no schedule: Bad minute"),
        ("0 0 30 2 *", "Etc/UTC", "is no schedule: Bad day-of-month"),
        ("0 0 * * *", "Europe/Berlim", "there is no time zone 'Europe/Berlim'"),
        ("0 0 * * *", "../etc/passwd", "there is no time zone"),
        ("0 0 * * *", "", "there is no time zone"),
        ("0 0 * * *", "Europe", "there is no time zone"),
        ("0 0 * * *", "a" * 5_000, "there is no time zone"),
    ],
)
def test_what_is_no_schedule_says_why(expression: str, zone: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        cron(expression, zone)


def test_a_question_mark_is_a_star() -> None:
    assert cron("0 4 ? * *") == cron("0 4 * * *")


def test_a_slot_that_never_comes_again_has_no_next() -> None:
    assert cron("0 0 29 2 1").next_start(datetime(2026, 1, 1, tzinfo=UTC)) is not None


def test_that_its_file_cannot_be_opened_now_does_not_make_a_time_zone_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more(_: str) -> ZoneInfo:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(cron_module, "ZoneInfo", no_more)
    with pytest.raises(OSError, match="Too many open files"):
        cron("0 0 * * *", "Europe/Berlin")
