"""What happens to an order a second time is seen a second time: lived through with the fake shop and the product."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from connector.model import OrderStatus
from connector.store import entities
from connector.testing.fakes.people import Article, Buyer
from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import WOO, World

MUG = Article(title="Muki", price=Decimal("24.90"), sku="M")
BUYER = Buyer(first_name="Liisa", last_name="Testi", email="liisa@example.com", address="Katu 1", postcode="00100")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    try:
        with World(tmp_path, datetime(2026, 11, 2, 8, tzinfo=UTC)) as world:
            yield world
    except FakeUnavailable as missing:
        pytest.skip(str(missing))


def status(world: World, number: int) -> OrderStatus:
    with world.kiitos.store.work.read() as tx:
        order = entities.order(tx, WOO, str(number))
    assert order is not None
    return order.status


def test_each_time_an_order_goes_into_the_bin(world: World) -> None:
    order = world.woo.place_order([(MUG, 1)], BUYER)
    seen = []
    for act in (world.woo.trash, world.woo.restore) * 2:
        world.wait(hours=1)
        act(order)
        world.wait(hours=1)
        seen.append(status(world, order["id"]))
    assert seen == [OrderStatus.DELETED, OrderStatus.OPEN] * 2


@pytest.mark.parametrize("last", ["cancelled", "processing"])
def test_a_second_cancellation_stops_what_began_after_the_first(world: World, last: str) -> None:
    """`processing` is the negative control: the parcel of an order taken up again is told of."""
    order = world.woo.place_order([(MUG, 1)], BUYER)
    for step in ("cancelled", "processing"):
        world.wait(hours=1)
        world.woo.set_status(order, step)
    world.wait(hours=1)
    world.woo.add_tracking(order, "JJFI1")
    world.deliver()  # the mail about the parcel waits a minute
    world.woo.set_status(order, last)
    world.wait(hours=2)
    assert len(world.sink.to("liisa@example.com")) == (1 if last == "cancelled" else 2)


@pytest.mark.parametrize("deleted", [True, False])
def test_nobody_writes_to_an_account_that_was_deleted(world: World, deleted: bool) -> None:
    order = world.woo.place_order([(MUG, 1)], BUYER, account=True)
    world.woo.set_status(order, "completed")
    world.wait(days=1)
    account = world.woo.customers[order["customer_id"]]
    if deleted:
        world.woo.delete_customer(account)
    world.wait(days=20)
    with world.kiitos.store.work.read() as tx:
        known = entities.customer(tx, WOO, str(account["id"]))
    assert known is not None
    assert known.deleted is deleted
    assert (len(world.sink.to("liisa@example.com")) == 1) is deleted
