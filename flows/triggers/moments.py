"""When a wake-up is due: a date's own hour there, the next day of a calendar rule. Pure; nothing here reads a clock.

A day means the day on the wall of the zone; hours that the clocks leave out or repeat are those of
`flows.limits.daytime`.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from connector.contracts import parse_span
from flows.limits.daytime import instant
from flows.triggers.forms import DateTrigger, DayRule

_LEAP_YEAR = 1904
"""Stands for the year of a birthday that names none: it has a 29 February."""
_YEARS = 12


@dataclass(frozen=True, slots=True)
class _Origin:
    """A field's value: the wall time it shows in the zone. `whole_day` has no hour; `dated` knows its year."""

    wall: datetime
    whole_day: bool
    dated: bool = True


def read_origin(value: object, zone: ZoneInfo) -> _Origin | None:
    """A time, an ISO date, an ISO time, or `--MM-DD`; `None` for what is no date at all."""
    if isinstance(value, datetime):
        return _Origin(value.astimezone(zone).replace(tzinfo=None), whole_day=False)
    if not isinstance(value, str) or not value:
        return None
    text = value.strip()
    with suppress(ValueError):
        if text.startswith("--"):
            return _Origin(datetime.fromisoformat(f"{_LEAP_YEAR}-{text[2:]}"), whole_day=True, dated=False)
        if len(text) <= 10:
            return _Origin(datetime.combine(date.fromisoformat(text), time()), whole_day=True)
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return _Origin(at.astimezone(zone).replace(tzinfo=None), whole_day=False)
    return None


def read_figure(value: object) -> timedelta | None:
    """A span from what a path gave: a span, its text, or a number of days."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return timedelta(days=float(value))
    if isinstance(value, str):
        with suppress(ValueError, OverflowError):
            return parse_span(value)
    return None


def date_moment(
    trigger: DateTrigger, value: object, span: timedelta, zone: ZoneInfo, after: datetime
) -> datetime | None:
    """The moment of a field's value; of a yearly trigger the first one later than `after`. `None` where there is none.

    Once: whatever the day, past or future (`after` is not asked).
    """
    origin = read_origin(value, zone)
    if origin is None or not (origin.dated or trigger.yearly):
        return None
    try:
        if not trigger.yearly:
            exact = isinstance(value, datetime) and trigger.at is None
            return value + span if exact and isinstance(value, datetime) else _at(origin, span, trigger, zone)
        return next(
            found for each in _anniversaries(origin, after) if (found := _at(each, span, trigger, zone)) > after
        )
    except (OverflowError, ValueError, StopIteration):
        return None  # a year that no calendar has


def _at(origin: _Origin, span: timedelta, trigger: DateTrigger, zone: ZoneInfo) -> datetime:
    wall = origin.wall + span
    return instant(wall.date(), trigger.at or wall.time(), zone)


def _anniversaries(origin: _Origin, after: datetime) -> Iterator[_Origin]:
    """The same day of later years, from two years before `after` on: a span may lead back or forth by as much."""
    first = after.year - 2
    if origin.dated:
        # A day of birth is a day of its own year too; a purchase has its first anniversary a year later.
        first = max(first, origin.wall.year + (0 if origin.whole_day else 1))
    for year in range(first, after.year + _YEARS):
        day = min(origin.wall.day, monthrange(year, origin.wall.month)[1])
        yield _Origin(origin.wall.replace(year=year, day=day), origin.whole_day)


def calendar_moment(rule: DayRule, at: time, zone: ZoneInfo, after: datetime) -> datetime:
    """The first `at` later than `after` on a day of the rule."""
    first = after.astimezone(zone).date()
    return next(found for day in _days(rule, first) if (found := instant(day, at, zone)) > after)


def _days(rule: DayRule, first: date) -> Iterator[date]:
    """Days of the rule in their order, beginning not later than `first`."""
    if rule.weekday is not None:
        start = first - timedelta(days=7 + (first.weekday() - rule.weekday) % 7)
        yield from (start + timedelta(weeks=number) for number in range(5))
    elif rule.month is not None:
        yield from (_day_of(year, rule.month, rule.day or 1) for year in range(first.year - 1, first.year + 3))
    else:
        months = [divmod(first.year * 12 + first.month - 2 + number, 12) for number in range(4)]
        yield from (_day_of(year, month + 1, rule.day or 1) for year, month in months)


def _day_of(year: int, month: int, day: int) -> date:
    return date(year, month, min(day, monthrange(year, month)[1]))
