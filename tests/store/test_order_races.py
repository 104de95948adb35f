"""Two workers take in news of one order at the same moment: as if one had come after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.model import RunStatus
from connector.store import Store, deliveries, events, runs
from connector.testing.demo.scenario import MONDAY, MUG, TENT
from connector.testing.fakes.people import AINO
from connector.testing.fakes.shopify import FakeUnavailable
from connector.testing.world import SHOPIFY, World
from connector.working.intake import Intake, again_if_moved
from tests.store.test_concurrency import together

LATE = ("orders/updated", "orders/fulfilled", "orders/partially_fulfilled", "fulfillments/update")


@pytest.fixture
def world(url: str, tmp_path: Path) -> Iterator[World]:
    try:
        with World(tmp_path, MONDAY, database=url) as world:
            yield world
    except FakeUnavailable as missing:
        pytest.skip(str(missing))


def take_in_side_by_side(world: World, monkeypatch: pytest.MonkeyPatch, *topics: str) -> None:
    """One worker a delivery, each in the middle of its transaction when the other is, if the database lets them."""
    claimed = deliveries.claim(world.kiitos.store, world.clock.now(), 100, timedelta(seconds=30))
    own = [item for item in claimed if item.delivery.topic in topics]
    assert sorted(item.delivery.topic for item in own) == sorted(topics)
    both, ingest = threading.Barrier(2), world.kiitos.runner.ingest

    def ingest_and_wait(*args: Any) -> int:
        count = ingest(*args)
        with suppress(threading.BrokenBarrierError):
            both.wait(0.5)
        return count

    def work(index: int) -> None:
        intake, item = Intake(world.kiitos), own[index]
        read = [intake._read(item)]
        again_if_moved(lambda: intake._together(read))

    with monkeypatch.context() as patch:
        patch.setattr(world.kiitos.runner, "ingest", ingest_and_wait)
        assert together(2, work) == []


def test_two_parcels_at_once_make_the_order_sent(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    order = world.shopify.place_order([(TENT, 1), (MUG, 1)], AINO)
    world.deliver()
    for line in order["line_items"]:
        world.shopify.fulfill(order, [(line, 1)], tracking=("Posti", f"JJFI{line['id']}"))
    world.shopify.deliver(world.hook_url(SHOPIFY), hold=LATE)
    take_in_side_by_side(world, monkeypatch, "fulfillments/create", "fulfillments/create")
    with world.kiitos.store.work.read() as tx:
        kinds = [row.kind for row in events.for_order(tx, SHOPIFY, str(order["id"]))]
    assert (kinds.count("shipment.created"), kinds.count("order.shipped")) == (2, 1)


def test_money_back_while_the_parcel_leaves_asks_for_no_review(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    order = world.shopify.place_order([(MUG, 1)], AINO)
    world.deliver()
    world.shopify.fulfill(order, tracking=("Posti", "JJFI1"))
    world.shopify.refund(order)
    world.shopify.deliver(world.hook_url(SHOPIFY), hold=LATE)
    take_in_side_by_side(world, monkeypatch, "fulfillments/create", "refunds/create")
    with world.kiitos.store.work.read() as tx:
        found = [run for run in runs.of_order(tx, SHOPIFY, str(order["id"])) if run.flow_id == "review-request"]
    assert found
    assert [run for run in found if not run.status.ended] == []


@pytest.mark.postgres
def test_a_run_wakes_when_nobody_takes_in_its_order(schema_dsn: str, tmp_path: Path) -> None:
    with World(tmp_path, MONDAY, database=schema_dsn) as world, closing(Store.open(schema_dsn)) as other:
        order = world.shopify.place_order([(MUG, 1)], AINO)
        world.deliver()
        world.shopify.fulfill(order, tracking=("Posti", "JJFI1"))
        world.deliver()
        world.clock.advance(timedelta(minutes=2))

        def asleep() -> int:
            with other.work.read() as tx:
                return [run.status for run in runs.of_order(tx, SHOPIFY, str(order["id"]))].count(RunStatus.SLEEPING)

        before = asleep()
        with other.work.transaction() as tx:
            tx.hold([f"order {SHOPIFY} {order['id']}"])
            Intake(world.kiitos).wake()
        assert asleep() == before > 0
        Intake(world.kiitos).wake()
        assert asleep() < before


@pytest.mark.postgres
def test_an_outcome_before_the_last_step_holds_the_order(
    schema_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with World(tmp_path, MONDAY, database=schema_dsn) as world, closing(Store.open(schema_dsn)) as other:
        free: dict[str, bool] = {}
        settle: Callable[..., None] = world.kiitos.runner.settle

        def settle_and_look(tx: Any, effect: Any, *rest: Any) -> None:
            settle(tx, effect, *rest)
            with other.work.transaction() as mine:
                free[f"{effect.flow_id}/{effect.step_id}"] = mine.try_hold(f"order {SHOPIFY} {effect.order_id}")

        monkeypatch.setattr(world.kiitos.runner, "settle", settle_and_look)
        order = world.shopify.place_order([(MUG, 1)], AINO)
        world.wait(hours=1)
        parcel = world.shopify.fulfill(order, tracking=("Posti", "JJFI1"))
        world.wait(hours=1)
        world.shopify.carrier_event(parcel, "delivered")
        world.wait(days=10)
        assert (free["order-confirmation/confirm"], free["review-request/ask"]) == (True, False)
