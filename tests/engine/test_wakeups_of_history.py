"""A shop's history read at install: what is past starts nothing, what follows from it in the future does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connector.model import Customer, Event, Order
from connector.rehearsal.life import Life
from connector.store import wakeups
from connector.store.store import Store
from flows.knowing import history
from tests.engine.shop import DAY, SHOP, SILENCE, START, Shop

ANNIVERSARY = '{ date = "order.placed_at", offset = "365d", at = "10:00" }'


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    store = Store.open("sqlite://:memory:")
    yield Shop(tmp_path, store)
    store.close()


def remembered(shop: Shop, days_ago: int, who: str) -> None:
    """An order of the past, taken in by the back-fill."""
    settings = shop.kiitos.config.shop(SHOP)
    events = [of(event, who) for event in Life(settings.shop, {}).order(f"{who}{days_ago}", START - days_ago * DAY)]
    with shop.store.work.transaction() as tx:
        history.remember(tx, shop.kiitos.catalog, settings.shop, events, START, START)


def of(event: Event, who: str) -> Event:
    order = event.order
    assert isinstance(order, Order)
    buyer = Customer(id=None, email=f"{who}@example.test")
    return replace(event, customer_id=None, order=replace(order, customer=buyer, email=buyer.email))


@pytest.mark.parametrize(("trigger", "span"), [(SILENCE, 60), (ANNIVERSARY, 365)])
def test_only_what_is_still_to_come_wakes(shop: Shop, trigger: str, span: int) -> None:
    worker = shop.open(mine=trigger)
    remembered(shop, span - 10, "aino")
    remembered(shop, span + 1, "eero")  # yesterday: nobody greets a crowd on the day the shop is connected
    remembered(shop, span + 100, "liisa")
    assert shop.rows("mine") == 1
    shop.pass_until(worker, START + 60 * DAY)
    ((at, who),) = shop.told()
    assert who == "aino@example.test"
    assert abs(at - START - 10 * DAY) < timedelta(hours=3)


def test_history_heard_of_twice_or_backwards_is_the_same(shop: Shop) -> None:
    worker = shop.open(mine=SILENCE)
    for days_ago in (5, 50, 5, 30):
        remembered(shop, days_ago, "aino")
    with shop.store.work.read() as tx:
        (row,) = wakeups.of_person(tx, SHOP, "aino@example.test", None)
    assert row.due_at == START + 55 * DAY
    shop.pass_until(worker, START + 100 * DAY)
    assert [at - START for at, _ in shop.told()] == [55 * DAY]
