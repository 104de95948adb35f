"""The next nine o'clock there: once on every day there is, in sixty zones over twenty years; windows, weekdays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.limits.daytime import (
    WHOLE_DAY,
    Window,
    next_clock,
    next_open,
    read_clock,
    read_days,
    read_window,
    zone_of,
)

YEARS = (datetime(2010, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC))
# Every rule there is: half hours, 45 minutes, half-hour DST (Lord Howe), a day left out (Apia, Fakaofo), DST that was
# given up, Ramadan breaks, negative DST (Dublin), the far ends.
ZONES = """
Africa/Cairo Africa/Casablanca Africa/Johannesburg Africa/Lagos Africa/Nairobi Africa/Windhoek America/Anchorage
America/Argentina/Buenos_Aires America/Bogota America/Caracas America/Chicago America/Denver America/Halifax
America/Havana America/Los_Angeles America/Mexico_City America/New_York America/Nuuk America/Phoenix America/Santiago
America/Sao_Paulo America/St_Johns America/Toronto Antarctica/Troll Asia/Amman Asia/Beirut Asia/Dhaka Asia/Dubai
Asia/Gaza Asia/Hong_Kong Asia/Jakarta Asia/Jerusalem Asia/Kathmandu Asia/Kolkata Asia/Pyongyang Asia/Seoul
Asia/Singapore Asia/Tehran Asia/Tokyo Asia/Yangon Atlantic/Azores Atlantic/Canary Australia/Adelaide Australia/Eucla
Australia/Lord_Howe Australia/Perth Australia/Sydney Europe/Berlin Europe/Dublin Europe/Helsinki Europe/Istanbul
Europe/Lisbon Europe/London Europe/Moscow Europe/Volgograd Pacific/Apia Pacific/Auckland Pacific/Chatham
Pacific/Fakaofo Pacific/Kiritimati
""".split()  # noqa: SIM905 - sixty quoted names would be a page

Next = Callable[[datetime, time, ZoneInfo], datetime]


def days_with(zone: ZoneInfo, clock: time) -> dict[date, datetime]:
    """The days on which the wall shows `clock`, and when it does so first. The oracle only ever reads clocks: for each
    day and each offset the zone was ever seen with, it looks what the wall shows at that instant."""
    span = range(0, (YEARS[1] - YEARS[0]).days + 2, 7)
    offsets = {(YEARS[0] + timedelta(days=day)).astimezone(zone).utcoffset() or timedelta() for day in span}
    found: dict[date, datetime] = {}
    for number in range(-2, (YEARS[1] - YEARS[0]).days + 2):
        midnight = YEARS[0] + timedelta(days=number, hours=clock.hour, minutes=clock.minute)
        for at in sorted(midnight - offset for offset in offsets):
            wall = at.astimezone(zone)
            if (wall.hour, wall.minute) == (clock.hour, clock.minute) and YEARS[0] <= at < YEARS[1]:
                found.setdefault(wall.date(), at)
    return found


def wakings(find: Next, zone: ZoneInfo, clock: time) -> list[datetime]:
    """A run that sleeps until the next `clock`, again and again."""
    found = []
    at = YEARS[0]
    while (at := find(at, clock, zone)) < YEARS[1]:
        found.append(at)
        at += timedelta(seconds=1)
    return found


def once_a_day(find: Next, name: str, clock: time) -> bool:
    zone = ZoneInfo(name)
    expected = days_with(zone, clock)
    found = wakings(find, zone, clock)
    days = [at.astimezone(zone).date() for at in found]
    return len(set(days)) == len(days) and dict(zip(days, found, strict=True)) == expected


def test_there_are_sixty_zones() -> None:
    assert len(set(ZONES)) == 60


@pytest.mark.parametrize("name", ZONES)
def test_nine_o_clock_comes_once_on_every_day(name: str) -> None:
    assert once_a_day(next_clock, name, time(9))


def naive(at: datetime, clock: time, zone: ZoneInfo) -> datetime:
    """What one writes first: today's or tomorrow's hour, and a day is 24 hours."""
    today = at.astimezone(zone).replace(hour=clock.hour, minute=clock.minute, second=0, microsecond=0)
    found = today.astimezone(UTC)
    return found if found >= at else found + timedelta(hours=24)


@pytest.mark.parametrize("name", ["Europe/Helsinki", "America/New_York", "Australia/Lord_Howe"])
def test_the_naive_way_is_caught(name: str) -> None:
    assert not once_a_day(naive, name, time(9))


@pytest.mark.parametrize(
    ("name", "at", "expected"),
    [
        ("Europe/Berlin", "2026-03-28T20:00", "2026-03-29T01:30"),  # 02:30 does not exist: 03:30 summer time
        ("Europe/Berlin", "2026-10-24T20:00", "2026-10-25T00:30"),  # it comes twice: the first
        ("Europe/Berlin", "2026-10-25T00:45", "2026-10-26T01:30"),  # within the second pass: it has been
    ],
)
def test_an_hour_that_is_skipped_or_comes_twice(name: str, at: str, expected: str) -> None:
    found = next_clock(datetime.fromisoformat(at).replace(tzinfo=UTC), time(2, 30), ZoneInfo(name))
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_a_day_that_was_left_out() -> None:
    zone = ZoneInfo("Pacific/Apia")  # crossed the date line: there was no 30 December 2011
    found = next_clock(datetime(2011, 12, 30, 0, 0, tzinfo=UTC), time(9), zone)
    assert found.astimezone(zone).date() == date(2011, 12, 31)


moments = st.integers(0, 10 * 365 * 24 * 60).map(
    lambda minutes: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
clocks = st.times().map(lambda at: at.replace(second=0, microsecond=0))


@settings(max_examples=200, deadline=None)
@given(at=moments, start=clocks, end=clocks, name=st.sampled_from(ZONES), days=st.sets(st.integers(0, 6), min_size=1))
def test_a_window_opens_within_itself_and_no_earlier_minute_was_open(
    at: datetime, start: time, end: time, name: str, days: set[int]
) -> None:
    zone, window = ZoneInfo(name), Window(start, end)
    found = next_open(at, window, zone, days)
    assert found >= at
    assert is_open(found, window, zone, days)
    if found > at:
        assert not is_open(at, window, zone, days)
        between = at + (found - at) / 3
        assert not is_open(between, window, zone, days)


def is_open(at: datetime, window: Window, zone: ZoneInfo, days: set[int]) -> bool:
    """By the definition, over the days around: between opening and closing of a day that counts."""
    wall = at.astimezone(zone).date()
    for offset in (-1, 0, 1):
        day = wall + timedelta(days=offset)
        if day.weekday() in days:
            last = day if window.start < window.end else day + timedelta(days=1)
            opens = datetime.combine(day, window.start, zone).astimezone(UTC)
            closes = datetime.combine(last, window.end, zone).astimezone(UTC)
            if opens <= at < closes or (opens == at and opens >= closes):
                return True
    return False


@pytest.mark.parametrize(
    ("at", "window", "expected"),
    [
        ("2026-11-02T08:59", "09:00-20:00", "2026-11-02T09:00"),
        ("2026-11-02T09:00", "09:00-20:00", "2026-11-02T09:00"),
        ("2026-11-02T19:59", "09:00-20:00", "2026-11-02T19:59"),
        ("2026-11-02T20:00", "09:00-20:00", "2026-11-03T09:00"),
        ("2026-11-02T23:30", "22:00-06:00", "2026-11-02T23:30"),
        ("2026-11-03T05:59", "22:00-06:00", "2026-11-03T05:59"),
        ("2026-11-03T06:00", "22:00-06:00", "2026-11-03T22:00"),
    ],
)
def test_windows(at: str, window: str, expected: str) -> None:
    found = next_open(datetime.fromisoformat(at).replace(tzinfo=UTC), read_window(window), ZoneInfo("UTC"))
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_closed_days_are_passed_over_and_no_open_day_is_an_error() -> None:
    at = datetime(2026, 12, 24, 12, 0, tzinfo=UTC)
    christmas = {date(2026, 12, 24), date(2026, 12, 25), date(2026, 12, 26)}
    found = next_open(
        at, WHOLE_DAY, ZoneInfo("Europe/Helsinki"), read_days(["thu", "fri", "mon"]), christmas.__contains__
    )
    assert found == datetime(2026, 12, 27, 22, 0, tzinfo=UTC)  # Monday begins at midnight in Helsinki
    with pytest.raises(ValueError, match="within a year"):
        next_open(at, WHOLE_DAY, ZoneInfo("UTC"), closed=lambda _: True)


@pytest.mark.parametrize("text", ["9:00", "24:00", "09:60", "nine", ""])
def test_what_is_no_clock(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        read_clock(text)
    with pytest.raises(ValueError, match="expected"):
        read_window(f"{text}-10:00")


def test_what_is_no_weekday_and_no_zone() -> None:
    assert read_days([]) == frozenset(range(7))
    with pytest.raises(ValueError, match="'monday' is no weekday"):
        read_days(["monday"])
    for name in ("No/Where", "../../etc/passwd", "x" * 500, "", None):
        assert zone_of(name) == ZoneInfo("UTC")
