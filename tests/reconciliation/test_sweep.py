"""The night: what no change will ever tell is found by comparing ids."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from connector.model import OrderStatus
from connector.reconciliation.sweep import next_night
from connector.store import entities
from connector.testing.world import SHOPIFY, WOO
from tests.reconciliation.conftest import Town


def status(town: Town, shop: str, number: int) -> OrderStatus:
    with town.kiitos.store.work.read() as tx:
        found = entities.order(tx, shop, str(number))
    assert found is not None
    return found.status


def tonight(town: Town) -> None:
    due = town.job(SHOPIFY, "sweep").due_at
    assert due is not None
    town.until(max(due, town.job(WOO, "sweep").due_at or due) + timedelta(minutes=1))


def test_deletions_nobody_told_are_found(town: Town) -> None:
    gone, trashed, stays = town.buy(WOO), town.buy(WOO), town.buy(WOO)
    at_shopify = town.buy(SHOPIFY)
    town.live(hours=1)
    town.shopify.weather.lose = town.woo.weather.lose = 1.0
    del town.woo.orders[gone["id"]]
    trashed["status"] = "trash"
    del town.shopify.orders[at_shopify["id"]]
    assert status(town, WOO, gone["id"]) is not OrderStatus.DELETED
    tonight(town)
    assert status(town, WOO, gone["id"]) is OrderStatus.DELETED
    assert status(town, WOO, trashed["id"]) is OrderStatus.DELETED
    assert status(town, WOO, stays["id"]) is not OrderStatus.DELETED
    assert status(town, SHOPIFY, at_shopify["id"]) is OrderStatus.DELETED
    # The one in the bin may have been seen by the poll before: it has a list of its own.
    assert town.reports(WOO, "sweep")[0]["deleted"] in (1, 2)


def test_an_order_the_poll_never_saw_is_found_at_night(town: Town) -> None:
    """An order imported with a time of change in the past is no change since the watermark."""
    town.shopify.weather.lose = town.woo.weather.lose = 1.0
    town.live(hours=2)
    town.buy(WOO)
    town.live(minutes=30)
    order = town.buy(WOO)
    town.woo.set_date(order, "date_modified", town.clock.now() - timedelta(hours=1))
    town.live(minutes=30)
    assert town.missing() == [f"{WOO}/{order['id']}"]
    tonight(town)
    assert town.missing() == []
    assert town.reports(WOO, "sweep")[0]["recovered"] == 1


def test_a_list_that_lies_deletes_nothing(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plug-in hides every order from the list: each is looked at, and is there."""
    orders = [town.buy(WOO) for _ in range(3)]
    town.live(hours=1)
    town.woo.unlisted.update(order["id"] for order in orders)
    tonight(town)
    assert [status(town, WOO, order["id"]) for order in orders].count(OrderStatus.DELETED) == 0
    assert town.reports(WOO, "sweep")[0]["deleted"] == 0


def test_a_trashed_order_is_told_by_the_poll(town: Town) -> None:
    order = town.buy(WOO)
    town.live(hours=1)
    town.woo.weather.lose = 1.0
    town.woo.trash(order)
    town.live(minutes=20)
    assert status(town, WOO, order["id"]) is OrderStatus.DELETED


@pytest.mark.parametrize(
    ("now", "wanted"),
    [
        (datetime(2026, 11, 2, 8, 0, tzinfo=UTC), "2026-11-03 03:30+0200"),
        (datetime(2026, 11, 2, 0, 30, tzinfo=UTC), "2026-11-02 03:30+0200"),
        (datetime(2026, 3, 28, 12, 0, tzinfo=UTC), "2026-03-29 04:30+0300"),
    ],
)
def test_the_next_night_is_the_shops(now: datetime, wanted: str) -> None:
    at = next_night(now, "Europe/Helsinki", 0.5).astimezone(ZoneInfo("Europe/Helsinki"))
    assert at.strftime("%Y-%m-%d %H:%M%z") == wanted
