"""Hours of the day on somebody's own wall: the next nine o'clock there, the next opening of a window, across DST.

A wall time that does not exist (the clocks sprang forward over it) is read with the offset before the gap, so 02:30
becomes 03:30; one that exists twice is its first occurrence (promises.md R15). Nothing here reads a clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_LONGEST_SEARCH = 400
"""Days: further off there is no open day, because none is (every weekday excluded, a year of holidays)."""


@dataclass(frozen=True, slots=True)
class Window:
    """From `start` until `end`, which is not part of it. `22:00-06:00` goes on into the next day; equal ends mean the
    whole day."""

    start: time
    end: time

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"


WHOLE_DAY = Window(time(0), time(0))


def read_clock(text: str) -> time:
    """`09:00`. Raises `ValueError`."""
    if not _CLOCK.fullmatch(text):
        raise ValueError(f"expected a time of day such as 09:00, not '{text}'")
    return time.fromisoformat(text)


def read_window(text: str) -> Window:
    """`09:00-20:00`. Raises `ValueError`."""
    start, dash, end = text.replace(" ", "").partition("-")
    if not dash:
        raise ValueError(f"expected hours such as 09:00-20:00, not '{text}'")
    return Window(read_clock(start), read_clock(end))


def read_days(names: Collection[str]) -> frozenset[int]:
    """Weekdays by their first three letters, as numbers from Monday 0; all when none is named. Raises `ValueError`."""
    unknown = [name for name in names if name not in DAYS]
    if unknown:
        raise ValueError(f"'{unknown[0]}' is no weekday: write {', '.join(DAYS)}")
    return frozenset(DAYS.index(name) for name in names) or frozenset(range(7))


@lru_cache(maxsize=1024)
def zone_of(name: str | None) -> ZoneInfo:
    """The zone of that name, UTC where there is none."""
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, OSError, ValueError):  # unknown, too long for a file's name, not a name at all
        return ZoneInfo("UTC")


def instant(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The UTC instant at which the wall shows `clock` on `day` for the first time."""
    return datetime.combine(day, clock, zone).astimezone(UTC)


def next_clock(at: datetime, clock: time, zone: ZoneInfo, days: Collection[int] = range(7)) -> datetime:
    """The first `clock` at or after `at` on one of the weekdays."""
    first = at.astimezone(zone).date()
    # One day earlier: `at` may lie in the second pass of a repeated hour, or the day may have begun late.
    for offset in range(-1, _LONGEST_SEARCH):
        day = first + timedelta(days=offset)
        if day.weekday() in days and (found := instant(day, clock, zone)) >= at:
            return found
    raise ValueError("no such day comes within a year")


def next_open(
    at: datetime,
    window: Window,
    zone: ZoneInfo,
    days: Collection[int] = range(7),
    closed: Callable[[date], bool] = lambda _: False,
) -> datetime:
    """`at` itself where it lies in the window on an open day, else the next opening.

    A window that goes over midnight belongs to the day on which it opens.
    """
    first = at.astimezone(zone).date()
    for offset in range(-1, _LONGEST_SEARCH):
        day = first + timedelta(days=offset)
        if day.weekday() not in days or closed(day):
            continue
        opens = instant(day, window.start, zone)
        last = day if window.start < window.end else day + timedelta(days=1)
        closes = instant(last, window.end, zone)
        if at < opens:
            return opens
        if at < closes:
            return at
    raise ValueError("no open hour comes within a year")
