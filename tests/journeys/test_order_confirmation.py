"""Order confirmations: one, at once, for an order that stands; never for the rest, and the reason is kept."""

from __future__ import annotations

from collections.abc import Callable

from connector.testing.demo.scenario import JAM, LAMP, LIISA, MUG, PEKKA, SOCKS, TENT
from connector.testing.fakes.people import AINO, EERO, NO_EMAIL
from connector.testing.world import World

Tells = Callable[[World], str]


def test_shopify_registered_customer_with_duplicates(world: World, tells: Tells) -> None:
    world.shopify.place_order([(TENT, 1), (MUG, 2)], AINO)
    world.deliver(duplicate=True)
    world.wait(hours=4)
    assert tells(world).count("SENT") == 1


def test_shopify_order_edited_later_is_not_confirmed_again(world: World, tells: Tells) -> None:
    order = world.shopify.place_order([(MUG, 1)], EERO, pay=False)
    world.wait(hours=2)
    world.shopify.pay(order)
    world.wait(hours=2)
    world.shopify.edit_order(order, note="Please hurry")
    world.wait(days=4)
    world.shopify.edit_order(order, tags="vip")
    world.wait(hours=1)
    assert tells(world).count("SENT") == 1


def test_shopify_phone_only_has_no_address(world: World, tells: Tells) -> None:
    world.shopify.place_order([(MUG, 1)], NO_EMAIL)
    world.wait(hours=1)
    assert "no_address" in tells(world)
    assert world.sink.messages == []


def test_shopify_counter_purchase_is_not_confirmed(world: World, tells: Tells) -> None:
    world.shopify.place_order([(MUG, 1)], AINO, source="pos")
    world.wait(hours=1)
    assert "order.source != pos" in tells(world)
    assert world.sink.messages == []


def test_shopify_cancelled_before_the_worker_came(world: World, tells: Tells) -> None:
    order = world.shopify.place_order([(LAMP, 1)], AINO)
    world.shopify.cancel(order)
    world.wait(hours=1)
    tells(world)
    assert world.sink.messages == []


def test_shopify_cancelled_in_the_mail_servers_bad_hour(world: World, tells: Tells) -> None:
    """The first attempt is put off by the mail server; before the second the customer cancels."""
    order = world.shopify.place_order([(LAMP, 1)], AINO)
    world.sink.script.recipient_codes = {"*": 451}
    world.deliver()
    world.shopify.cancel(order)
    world.deliver()
    world.sink.script.recipient_codes = {}
    world.wait(hours=3)
    assert "stopped   #1001: order.cancelled" in tells(world)
    assert world.sink.messages == []


def test_woo_guest_in_the_block_checkout(world: World, tells: Tells) -> None:
    """The block checkout sends `order.updated` before `order.created`."""
    world.woo.place_order([(JAM, 2)], LIISA)
    world.wait(hours=1)
    assert tells(world).count("SENT") == 1


def test_woo_registered_customer(world: World, tells: Tells) -> None:
    world.woo.place_order([(JAM, 2)], LIISA, account=True)
    world.wait(hours=1)
    assert tells(world).count("SENT") == 1


def test_woo_unpaid_is_confirmed_when_it_is_paid(world: World, tells: Tells) -> None:
    order = world.woo.place_order([(SOCKS, 1)], PEKKA, checkout="classic", status="pending")
    world.wait(hours=20)
    assert world.sink.messages == []
    world.woo.set_status(order, "processing")
    world.wait(hours=1)
    world.woo.set_status(order, "processing")
    world.wait(hours=1)
    assert tells(world).count("SENT") == 1


def test_woo_failed_payment_is_not_confirmed(world: World, tells: Tells) -> None:
    order = world.woo.place_order([(SOCKS, 1)], PEKKA, checkout="classic", status="pending")
    world.wait(hours=1)
    world.woo.set_status(order, "failed")
    world.wait(days=2)
    tells(world)
    assert world.sink.messages == []


def test_woo_cancelled_before_the_worker_came(world: World, tells: Tells) -> None:
    order = world.woo.place_order([(SOCKS, 1)], PEKKA)
    world.woo.deliver()
    world.woo.set_status(order, "cancelled")
    world.woo.deliver()
    world.wait(hours=1)
    tells(world)
    assert world.sink.messages == []


def test_a_staging_copy_writes_to_nobody(world: World, tells: Tells) -> None:
    world.woo.place_order([(SOCKS, 1)], PEKKA)
    world.woo.deliver(source="https://staging.metsa.example")
    world.wait(days=1)
    assert tells(world) == ""
    assert world.sink.messages == []
