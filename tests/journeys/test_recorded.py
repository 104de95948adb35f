"""The project's recorded webhooks, posted with real signatures to the running product: one order's worth each.

The clock starts when the recordings' orders were placed. Their shops are not the fakes, so nothing is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from connector.store import deliveries
from connector.testing.world import World
from tests.journeys.conftest import Worlds
from tests.journeys.recorded import FRIDAY, send, take

Tells = Callable[[World], str]


@pytest.fixture
def world(worlds: Worlds) -> World:
    return worlds(FRIDAY, fetch_before_send=False)


# What each recording alone must lead to within a day: the templates sent, and a word of the reason where none is.
SINGLE = {
    "shopify/orders_create/guest": "order_confirmation -> pekka@example.test",
    "shopify/orders_create/finnish_customer": "order_confirmation -> aino.makela@example.test",
    "shopify/orders_create/arabic_and_emoji": "order_confirmation -> layla@example.test",
    "shopify/orders_create/japanese_jpy": "order_confirmation -> hanako.yamada@example.test",
    "shopify/orders_create/b2b_company": "order_confirmation -> osto@yritys.example",
    "shopify/orders_create/subscription_renewal": "order_confirmation -> aino.makela@example.test",
    "shopify/orders_create/ids_beyond_2_53": "order_confirmation -> iso@example.test",
    "shopify/orders_create/phone_only": "not sent: no_address",
    "shopify/orders_create/no_email_empty_customer": "not sent: no_address",
    "shopify/orders_create/pos_walk_in": "order.source != pos (saw pos)",
    "shopify/orders_paid/paid_by_invoice_weeks_later": "order.placed_at within 3d",
    "shopify/orders_updated/old_order_touched": "order.placed_at within 3d",
    "shopify/orders_cancelled/refunded": "order.status not in",
    "shopify/orders_fulfilled/digital_no_tracking": "order_confirmation -> aino.makela@example.test",
    "woocommerce/order.created/guest_paid": "order_confirmation -> Leena.Kettunen@Example.com",
    "woocommerce/order.created/registered_customer": "order_confirmation -> Leena.Kettunen@Example.com",
    "woocommerce/order.created/cash_on_delivery": "order_confirmation -> Leena.Kettunen@Example.com",
    "woocommerce/order.created/virtual_gift_card": "order_confirmation -> Leena.Kettunen@Example.com",
    "woocommerce/order.created/deleted_product_and_odd_types": "order_confirmation -> Leena.Kettunen@Example.com",
    "woocommerce/order.created/no_email": "not sent: no_address",
    "woocommerce/order.created/phone_only": "order.source != pos (saw pos)",
    "woocommerce/order.created/pending_unpaid": "order.raw_status != pending",
    "woocommerce/order.updated/cancelled": "order.status not in",
    "woocommerce/order.updated/failed": "order.status not in",
    "woocommerce/order.updated/on_hold": "order_confirmation -> Leena.Kettunen@Example.com",
}


@pytest.mark.parametrize("name", SINGLE, ids=lambda name: name.replace("/", "."))
def test_one_delivery(world: World, tells: Tells, name: str) -> None:
    world.until(FRIDAY + timedelta(days=1, hours=3) if "cancelled" in name else FRIDAY + timedelta(hours=2))
    take(world, name)
    take(world, name)
    world.wait(days=1)
    told = tells(world)
    assert SINGLE[name] in told
    assert len(world.sink.messages) == told.count("SENT")
    assert len(world.sink.messages) <= 1


def test_shopify_order_parcel_carrier_and_return(world: World, tells: Tells) -> None:
    """One order through eleven recordings, in the order in which they happened."""
    take(world, "shopify/orders_create/finnish_customer")
    world.until(FRIDAY + timedelta(days=1, hours=5))
    take(world, "shopify/fulfillments_create/two_numbers")
    world.until(FRIDAY + timedelta(days=3))
    take(world, "shopify/fulfillments_update/out_for_delivery")
    world.until(FRIDAY + timedelta(days=3, hours=4))
    for name in ("label_printed", "delayed_with_estimate", "attempted", "ready_for_pickup", "delivered"):
        take(world, f"shopify/fulfillment_events_create/{name}")
    take(world, "shopify/fulfillment_events_delete/taken_back")
    world.wait(days=2)
    take(world, "shopify/returns_request/two_lines", "shopify/returns_process/open")
    world.wait(days=40)
    assert tells(world).count("order_confirmation ->") == 1


def test_shopify_parcel_cancelled_and_another_refused(world: World, tells: Tells) -> None:
    take(world, "shopify/orders_create/finnish_customer")
    world.until(FRIDAY + timedelta(days=1, hours=6))
    take(
        world,
        "shopify/fulfillments_update/cancelled",
        "shopify/fulfillments_update/service_refused",
        "shopify/fulfillments_update/odd_tracking_number",
    )
    world.wait(days=2)
    tells(world)


def test_shopify_several_parcels_in_one_body_then_refunds(world: World, tells: Tells) -> None:
    world.until(FRIDAY + timedelta(days=2, hours=2))
    take(world, "shopify/orders_fulfilled/several_parcels", "shopify/orders_partially_fulfilled/one_of_two")
    world.until(FRIDAY + timedelta(days=4, hours=2))
    take(world, "shopify/orders_updated/partial_refund", "shopify/refunds_create/partial")
    world.wait(days=30)
    tells(world)


def test_woo_every_way_to_tell_of_a_parcel(world: World, tells: Tells) -> None:
    """Seven plug-ins, seven orders; each parcel is told once, whatever else the order says."""
    world.until(FRIDAY + timedelta(days=2, hours=3))
    for name in (
        "tracking_shipment_tracking",
        "tracking_ast_two_parcels",
        "tracking_woocommerce_shipping",
        "status_shipped_by_plugin",
        "status_delivered_by_plugin",
        "tracking_and_status_delivered",
        "no_tracking_but_completed",
    ):
        take(world, f"woocommerce/order.updated/{name}")
    world.wait(days=2)
    tells(world)


def test_woo_refunds_and_the_bin(world: World, tells: Tells) -> None:
    world.until(FRIDAY + timedelta(days=1))
    for name in ("partial_refund", "full_refund", "two_refunds_completed", "in_the_trash", "erased_customer"):
        take(world, f"woocommerce/order.updated/{name}")
    take(world, "woocommerce/order.deleted/only_an_id", "woocommerce/order.restored/completed")
    world.wait(days=40)
    # Of six orders one was neither refunded, erased nor binned for good.
    assert set(re.findall(r"#(\d+): review_request ->", tells(world))) == {"1031"}


def test_a_forged_delivery_is_refused_and_leaves_nothing(world: World, tells: Tells) -> None:
    for name in ("shopify/orders_create/guest", "woocommerce/order.created/guest_paid"):
        assert send(world, name, secret="somebody else's") == 401
    world.wait(days=1)
    assert tells(world) == ""


def test_one_webhook_under_two_ids_is_one_event(world: World, tells: Tells) -> None:
    """Two subscriptions to one topic, or `orders/create` beside `orders/updated`: other ids, the same news."""
    for number in range(3):
        take(world, "shopify/orders_create/guest", delivery=f"another-{number}")
    world.wait(days=1)
    assert tells(world).count("order_confirmation ->") == 1
    with world.kiitos.store.work.read() as tx:
        assert deliveries.count_by_status(tx) == {"done": 3}


def test_every_recording_is_taken_and_none_fails(world: World) -> None:
    """The whole collection into one world: no delivery is left failed, and nobody gets a message twice."""
    from tests.journeys.recorded import RECORDINGS

    world.until(FRIDAY + timedelta(days=2))
    for name, recording in RECORDINGS.items():
        if recording.handshake or b'"tuoksu-demo.myshopify.com"' in recording.body:
            continue  # a body that names its shop belongs to that shop alone
        assert send(world, name) == 200, name
    world.worker.drain()
    with world.kiitos.store.work.read() as tx:
        assert [(row.delivery_id, row.error_code, row.error_text) for row in deliveries.failed(tx)] == []
    assert world.sink.messages
    assert set(world.sink.by_message_id().values()) == {1}
