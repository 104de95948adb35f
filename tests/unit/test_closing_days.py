"""Public holidays by country and region."""

from __future__ import annotations

from datetime import date
from functools import partial

import pytest

from connector.model import Address, Customer
from flows.knowing.zones import place_of
from flows.limits.closing_days import closing_day
from flows.limits.fairness import opening
from tests.engine.world import SHOP, order
from tests.unit.test_fairness import SMS, START, fair, replace


@pytest.mark.parametrize(
    ("country", "region", "day", "closed"),
    [
        ("FI", "", date(2026, 12, 6), True),
        ("fi", "", date(2026, 12, 6), True),
        ("FI", "", date(2026, 12, 7), False),
        ("SE", "", date(2026, 6, 6), True),
        ("DE", "BY", date(2026, 1, 6), True),  # Epiphany: in Bavaria, not in Berlin
        ("DE", "BE", date(2026, 1, 6), False),
        ("DE", "DE-BY", date(2026, 1, 6), True),
        ("DE", "no such region", date(2026, 12, 25), True),
        ("XX", "", date(2026, 12, 25), False),
        ("", "", date(2026, 12, 25), False),
    ],
)
def test_holidays_are_those_of_the_place(country: str, region: str, day: date, closed: bool) -> None:
    assert bool(closing_day(country, region, day)) is closed


def test_the_place_is_the_addresses_else_the_shops() -> None:
    bavarian = Customer(id="c", default_address=Address(country="DE", region="BY"))
    assert place_of(SHOP, None, bavarian) == ("DE", "BY")
    assert place_of(SHOP, None, None) == ("FI", "")
    sent_to = order(shipping_address=Address(country="SE"), customer=bavarian)
    assert place_of(SHOP, sent_to, bavarian) == ("SE", "")


def test_christmas_is_waited_out() -> None:
    """From the morning of the 24th: three holidays and a Sunday in Finland in 2026."""
    eve = START.replace(month=12, day=24, hour=10)
    closed = replace(SMS, holidays=True, quiet_days=frozenset({"sun"}))
    found = opening(fair(channel=closed, closed=partial(closing_day, "FI", "")), eve)
    assert found == START.replace(month=12, day=28, hour=7)
