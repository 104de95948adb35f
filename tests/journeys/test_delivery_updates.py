"""Where the parcel is: each state worth a word once, the newest only, and never a message the customer cannot place."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from connector.testing.demo.scenario import JAM, LIISA, MONDAY, MUG, SOCKS, TENT
from connector.testing.fakes.people import AINO
from connector.testing.world import WOO, World
from tests.journeys.conftest import Worlds
from tests.journeys.recorded import FRIDAY, RECORDINGS, take
from tests.journeys.telling import timeline

Tells = Callable[[World], str]
PARCEL_TOPICS = ("fulfillments/create", "fulfillments/update", "fulfillment_events/create")
ORDER_TOPICS = ("orders/create", "orders/paid", "orders/updated", "orders/fulfilled", "orders/partially_fulfilled")


def test_shopify_two_parcels_tell_their_own_story(world: World, tells: Tells) -> None:
    order = world.shopify.place_order([(TENT, 1), (MUG, 2)], AINO)
    world.wait(days=1)
    first = world.shopify.fulfill(order, [(order["line_items"][0], 1)], tracking=("Posti", "JJFI1"))
    world.wait(hours=6)
    second = world.shopify.fulfill(order, tracking=("Posti", "JJFI2"))
    world.wait(days=1)
    for parcel in (first, second):
        world.shopify.carrier_event(parcel, "in_transit")
        world.wait(hours=3)
        world.shopify.carrier_event(parcel, "out_for_delivery")
        world.wait(hours=3)
        world.shopify.carrier_event(parcel, "delivered")
        world.wait(hours=3)
    assert tells(world).count("shipment_delivered ->") == 2


def test_shopify_states_within_a_minute_make_one_message(world: World, tells: Tells) -> None:
    order = world.shopify.place_order([(MUG, 1)], AINO)
    world.wait(hours=1)
    parcel = world.shopify.fulfill(order)
    for state in ("in_transit", "out_for_delivery", "delivered"):
        world.clock.advance(timedelta(seconds=5))
        world.shopify.carrier_event(parcel, state)
    world.deliver(duplicate=True, out_of_order=True)
    world.wait(hours=1)
    told = tells(world)
    assert told.count("SENT      #1001: shipment_") == told.count("shipment_delivered ->") == 1


def test_shopify_states_in_reverse_order_tell_the_last_only(world: World, tells: Tells) -> None:
    """Two hours of deliveries held back arrive newest first."""
    order = world.shopify.place_order([(MUG, 1)], AINO)
    world.wait(hours=1)
    parcel = world.shopify.fulfill(order)
    world.wait(hours=1)
    for state in ("in_transit", "delayed", "out_for_delivery", "delivered"):
        world.clock.advance(timedelta(minutes=30))
        world.shopify.carrier_event(parcel, state)
    for delivery in sorted(world.shopify.outbox.pending, key=lambda one: one.triggered_at, reverse=True):
        for other in world.shopify.outbox.pending:
            other.next_at = world.clock.now() + timedelta(hours=0 if other is delivery else 9)
        world.deliver()
        world.wait(minutes=5)
    assert world.shopify.outbox.pending == []
    told = tells(world)
    assert told.count("shipment_delivered ->") == 1
    assert "shipment_delayed ->" not in told
    assert "shipment_out_for_delivery ->" not in told


def test_shopify_late_states_are_not_news(world: World, tells: Tells) -> None:
    """A carrier that reports a delivery five days after it happened: the flow's age limit is three."""
    order = world.shopify.place_order([(MUG, 1)], AINO)
    world.wait(hours=1)
    parcel = world.shopify.fulfill(order)
    world.wait(days=1)
    world.shopify.carrier_event(parcel, "delivered")
    for delivery in world.shopify.outbox.pending:
        delivery.next_at = world.clock.now() + timedelta(days=5)
    world.wait(days=6)
    told = tells(world)
    assert "event younger than 3 d" in told
    assert "shipment_delivered ->" not in told


def test_shopify_cancelled_and_sent_again(world: World, tells: Tells) -> None:
    order = world.shopify.place_order([(MUG, 1)], AINO)
    world.wait(hours=1)
    wrong = world.shopify.fulfill(order, tracking=("Posti", "WRONG1"))
    world.wait(hours=2)
    cancel_parcel(world, wrong)
    world.wait(hours=2)
    right = world.shopify.fulfill(order, tracking=("Posti", "RIGHT1"))
    world.wait(days=1)
    world.shopify.carrier_event(right, "delivered")
    world.wait(hours=1)
    told = tells(world)
    assert told.count("shipment_shipped ->") == 2
    assert told.count("shipment_delivered ->") == 1


def test_shopify_parcel_cancelled_within_the_minute_is_not_told(world: World, tells: Tells) -> None:
    order = world.shopify.place_order([(MUG, 1)], AINO)
    world.wait(hours=1)
    wrong = world.shopify.fulfill(order)
    world.deliver()
    world.clock.advance(timedelta(seconds=20))
    cancel_parcel(world, wrong)
    world.wait(hours=1)
    assert "shipment_shipped ->" not in tells(world)


def test_shopify_delivered_is_known_before_the_parcel(world: World, tells: Tells) -> None:
    """`fulfillment_events/create` overtakes `fulfillments/create` by an hour."""
    order = world.shopify.place_order([(MUG, 1)], AINO)
    world.wait(hours=1)
    parcel = world.shopify.fulfill(order)
    world.shopify.carrier_event(parcel, "delivered")
    late = [one for one in world.shopify.outbox.pending if one.topic != "fulfillment_events/create"]
    for delivery in late:
        delivery.next_at = world.clock.now() + timedelta(hours=1)
    world.wait(hours=2)
    told = tells(world)
    assert told.count("SENT      #1001: shipment_") == told.count("shipment_delivered ->") == 1


def test_shopify_the_order_arrives_after_its_parcel(world: World, tells: Tells) -> None:
    """Everything about the order is retried for two hours; the parcel's news waits for it and is then sent."""
    order = world.shopify.place_order([(MUG, 1)], AINO)
    world.shopify.fulfill(order)
    for delivery in world.shopify.outbox.pending:
        if delivery.topic in ORDER_TOPICS:
            delivery.next_at = world.clock.now() + timedelta(hours=2)
    world.wait(hours=6)
    told = tells(world)
    assert told.count("order_confirmation ->") == 1
    assert told.count("shipment_shipped ->") == 1


def test_shopify_the_order_never_arrives(world: World) -> None:
    """Nobody is written to about a parcel of an order we never hear of; after a day the reason is kept."""
    order = world.shopify.place_order([(MUG, 1)], AINO)
    world.shopify.fulfill(order)
    world.shopify.outbox.pending = [one for one in world.shopify.outbox.pending if one.topic in PARCEL_TOPICS]
    world.wait(days=3)
    assert world.sink.messages == []
    assert world.worker.next_due() is None


def test_shopify_counter_purchase_has_no_parcel_to_follow(world: World, tells: Tells) -> None:
    order = world.shopify.place_order([(MUG, 1)], AINO, source="pos")
    world.shopify.fulfill(order, tracking=None)
    world.wait(days=1)
    tells(world)
    assert world.sink.messages == []


def test_shopify_attempted_and_failed(world: World, tells: Tells) -> None:
    """Both are "could not be delivered" to the customer: told once."""
    order = world.shopify.place_order([(MUG, 1)], AINO)
    world.wait(hours=1)
    parcel = world.shopify.fulfill(order)
    for state in ("delayed", "attempted_delivery", "failure"):
        world.wait(days=1)
        world.shopify.carrier_event(parcel, state)
        world.deliver(duplicate=True)
    world.wait(hours=1)
    told = tells(world)
    assert told.count("shipment_failed ->") == 1
    assert "shipment_failed not sent: told_already" in told


def test_shopify_attempted_then_out_again_then_failed(world: World, tells: Tells) -> None:
    """A second way out between the two makes the failure news."""
    order = world.shopify.place_order([(MUG, 1)], AINO)
    parcel = world.shopify.fulfill(order)
    for state in ("attempted_delivery", "out_for_delivery", "failure"):
        world.wait(days=1)
        world.shopify.carrier_event(parcel, state)
        world.deliver()
    world.wait(hours=1)
    assert tells(world).count("shipment_failed ->") == 2


@pytest.mark.parametrize(
    ("states", "mails"), [(("attempted", "failed"), 1), (("attempted", "out_for_delivery", "failed"), 2)]
)
def test_woo_attempted_and_failed(worlds: Worlds, states: tuple[str, ...], mails: int) -> None:
    """A fulfillment plug-in that keeps the carrier's word as the fulfillment's status."""
    world = worlds(FRIDAY)
    name = "woocommerce/order.updated/fulfillments_merged_by_a_fetch"
    body = json.loads(RECORDINGS[name].body)
    first = body["fulfillments"][0]
    for day, state in enumerate(("fulfilled", *states), start=22):
        changed = first | {"status": state, "date_updated": f"2026-11-{day}T09:05:00Z"}
        world.until(datetime(2026, 11, day, 9, 6, tzinfo=UTC))
        take(world, name, fulfillments=[changed], date_modified_gmt=f"2026-11-{day}T09:05:30")
        world.wait(hours=1)
    assert timeline(world).count("shipment_failed ->") == mails


def test_woo_two_parcels(world: World, tells: Tells) -> None:
    order = world.woo.place_order([(JAM, 2), (SOCKS, 1)], LIISA)
    world.wait(days=1)
    world.woo.add_tracking(order, "JJFI65300000000000001")
    world.wait(hours=5)
    world.woo.add_tracking(order, "JJFI65300000000000002")
    world.wait(hours=5)
    world.woo.set_status(order, "completed")
    world.wait(hours=1)
    assert tells(world).count("shipment_shipped ->") == 2


def test_woo_every_delivery_three_times(world: World, tells: Tells) -> None:
    """The plug-in saves the order again and again: another body, another delivery, no other news."""
    order = world.woo.place_order([(JAM, 2)], LIISA)
    world.wait(days=1)
    world.woo.add_tracking(order, "JJFI65300000000000001")
    for status in ("processing", "completed", "completed"):
        world.wait(minutes=10)
        world.woo.set_status(order, status)
    world.wait(hours=1)
    assert tells(world).count("shipment_shipped ->") == 1


def test_woo_delivered_by_the_status_of_a_plugin(world: World, tells: Tells) -> None:
    order = world.woo.place_order([(JAM, 2)], LIISA)
    world.wait(days=1)
    world.woo.add_tracking(order, "JJFI65300000000000001")
    world.wait(days=2)
    world.woo.set_status(order, "delivered")
    world.wait(hours=1)
    told = tells(world)
    assert told.count("shipment_shipped ->") == 1
    assert told.count("shipment_delivered ->") == 1


def test_woo_parcel_and_cancellation_in_one_snapshot(world: World, tells: Tells) -> None:
    order = world.woo.place_order([(JAM, 2)], LIISA)
    world.wait(days=1)
    world.woo.add_tracking(order, "JJFI65300000000000001")
    world.woo.set_status(order, "cancelled")
    world.wait(hours=1)
    assert "shipment_shipped ->" not in tells(world)


def test_a_paused_shop_holds_its_news_and_sends_it_later(world: World, tells: Tells) -> None:
    from connector.model import ShopStatus
    from connector.store import shops

    def set_status(status: ShopStatus) -> None:
        with world.kiitos.store.work.transaction() as tx:
            shops.set_status(tx, WOO, status, world.clock.now(), "by hand")

    set_status(ShopStatus.PAUSED)
    world.woo.place_order([(JAM, 2)], LIISA)
    world.until(MONDAY + timedelta(hours=3))
    assert world.sink.messages == []
    set_status(ShopStatus.ACTIVE)
    world.wait(hours=1)
    assert tells(world).count("order_confirmation ->") == 1


def cancel_parcel(world: World, parcel: dict[str, object]) -> None:
    """The merchant cancels a fulfillment: the order is unfulfilled again."""
    shop = world.shopify
    with shop.lock:
        order = shop.orders[parcel["order_id"]]
        parcel.update(status="cancelled", updated_at=shop.stamp())
        for line in order["line_items"]:
            line["fulfillable_quantity"] = line["current_quantity"]
            line["fulfillment_status"] = None
        order["fulfillment_status"] = None
        order["closed_at"] = None
        order["updated_at"] = shop.stamp()
        for row in order["fulfillments"]:
            if row["id"] == parcel["id"]:
                row.update(status="cancelled", updated_at=shop.stamp())
        event = shop.announce(["fulfillments/update"], parcel)
        shop.announce(["orders/updated"], order, event)
