"""When wake-ups are due: each intended day once, in sixty zones, whatever the clocks do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flows.triggers.forms import DateTrigger, read_day_rule
from flows.triggers.moments import calendar_moment, date_moment, read_figure, read_origin
from tests.engine.test_daytime import ZONES

FIRST, LAST = datetime(2010, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
clocks = st.sampled_from([time(0), time(0, 30), time(2, 30), time(3), time(9), time(10), time(23, 59)])
days = st.dates(date(2000, 1, 1), date(2000, 12, 31))  # a leap year
offsets = st.integers(-40, 40).map(lambda number: timedelta(days=number))


def yearly(clock: time) -> DateTrigger:
    return DateTrigger(path="customer.birthday", anchor="customer", at=clock, yearly=True)


def fired(find: Callable[..., datetime | None], *given: Any) -> list[datetime]:
    """A wake-up that is made anew each time it was told, over twenty years."""
    found: list[datetime] = []
    at = FIRST
    while (due := find(*given, at)) is not None and due < LAST:
        found.append(due)
        at = due
    return found


def intended(born: date, offset: timedelta, year: int) -> date:
    """By hand: the birthday of that year (28 February for the 29th in other years), and so many days from it."""
    try:
        day = born.replace(year=year)
    except ValueError:
        day = date(year, 2, 28)
    return day + offset


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(ZONES), days, offsets, clocks)
@example("Pacific/Apia", date(2000, 12, 30), timedelta(), time(10))  # 30 December 2011 was left out there
@example("America/Sao_Paulo", date(2000, 10, 15), timedelta(), time(0))  # midnight that does not exist
@example("Europe/Helsinki", date(2000, 2, 29), timedelta(days=-7), time(3, 30))
def test_a_birthday_is_greeted_once_on_each_intended_day(name: str, born: date, offset: timedelta, clock: time) -> None:
    zone = ZoneInfo(name)
    found = fired(date_moment, yearly(clock), f"--{born:%m-%d}", offset, zone)
    walls = [at.astimezone(zone) for at in found]
    assert found == sorted(set(found))
    wanted = [intended(born, offset, year) for year in range(2009, 2032)]
    within = [day for day in wanted if FIRST.date() < day < LAST.date() - timedelta(days=2)]
    # A day or hour the clocks left out is read with the offset before: at most a day later on the wall.
    seen = {wall.date() for wall in walls}
    missed = [day for day in within if not seen & {day, day + timedelta(days=1)}]
    assert missed == []
    assert len(within) <= len(found) <= len(within) + 3
    exact = [wall for wall in walls if wall.date() in wanted and wall.time().replace(tzinfo=None) == clock]
    assert len(exact) >= len(found) - 8, "the hour is the hour on the wall, but for hours that were left out"


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(ZONES), st.sampled_from(["mon", "sun", "1.", "31.", "11-20", "02-29", "12-30"]), clocks)
@example("Pacific/Apia", "12-30", time(9))
def test_a_calendar_rule_comes_once_on_each_of_its_days(name: str, text: str, clock: time) -> None:
    rule, zone = read_day_rule(text), ZoneInfo(name)
    assert rule is not None
    found = fired(lambda after: calendar_moment(rule, clock, zone, after))
    gaps = {(later - earlier) / timedelta(days=1) for earlier, later in pairwise(found)}
    low, high, apart = {"mon": (6, 8, 7), "sun": (6, 8, 7), "1.": (27, 32, 30.44), "31.": (27, 32, 30.44)}.get(
        text, (364, 367, 365.25)
    )
    assert all(low <= gap <= high for gap in gaps)
    assert abs(len(found) - 7305 / apart) <= 2


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("31.", "2027-02-01", "2027-02-28"),
        ("02-29", "2027-01-01", "2027-02-28"),
        ("02-29", "2028-01-01", "2028-02-29"),
        ("fri", "2026-11-22", "2026-11-27"),
        ("11-22", "2026-11-22", "2026-11-22"),
    ],
)
def test_days_that_a_month_does_not_have(text: str, after: str, expected: str) -> None:
    rule = read_day_rule(text)
    assert rule is not None
    found = calendar_moment(rule, time(9), ZoneInfo("UTC"), datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert f"{found:%Y-%m-%d}" == expected


@pytest.mark.parametrize("text", ["", "12", "0.", "32.", "02-30", "13-01", "1-1-1", "monday", "٣.", "-5"])
def test_what_is_no_day(text: str) -> None:
    assert read_day_rule(text) is None


def test_a_purchase_has_its_first_anniversary_a_year_later() -> None:
    placed = datetime(2025, 11, 3, 22, 30, tzinfo=UTC)  # already the fourth in Helsinki
    trigger = DateTrigger(path="order.placed_at", anchor="order", at=time(10), yearly=True)
    found = date_moment(trigger, placed, timedelta(), ZoneInfo("Europe/Helsinki"), placed)
    assert found == datetime(2026, 11, 4, 8, tzinfo=UTC)


@pytest.mark.parametrize("value", [None, "", "soon", "1990", "1990-13-01", 5, "--02-30", "9999-99-99", "0000-01-01"])
def test_what_is_no_date_wakes_nobody(value: object) -> None:
    assert date_moment(yearly(time(9)), value, timedelta(), ZoneInfo("UTC"), FIRST) is None


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30))
def test_no_text_is_too_strange(text: str) -> None:
    origin = read_origin(text, ZoneInfo("Europe/Helsinki"))
    found = date_moment(yearly(time(9)), text, timedelta(days=-40), ZoneInfo("Europe/Helsinki"), LAST)
    assert found is None or (origin is not None and found.utcoffset() == timedelta(0))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (30, timedelta(days=30)),
        ("3w", timedelta(weeks=3)),
        (timedelta(hours=5), timedelta(hours=5)),
        ("soon", None),
        (True, None),
    ],
)
def test_a_figure_is_a_span_or_a_number_of_days(value: object, expected: timedelta | None) -> None:
    assert read_figure(value) == expected
