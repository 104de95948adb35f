"""Before a reward the order is looked at: what was undone without a word to us is not rewarded, on either platform."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connector.store import effects
from connector.testing.demo.scenario import JAM, MONDAY, MUG
from connector.testing.fakes.people import AINO
from connector.testing.fakes.web import Trouble
from connector.testing.world import SHOPIFY, WOO, World
from tests.journeys.conftest import Worlds

INVITE = {"referral-invite": {"file": "referral_invite"}}


@pytest.fixture
def world(worlds: Worlds) -> World:
    """The invitation to recommend, which makes a code for the friend, three weeks after the order."""
    return worlds(flows=INVITE)


def bought(world: World, shop_id: str) -> Any:
    if shop_id == SHOPIFY:
        order = world.shopify.place_order([(MUG, 1)], AINO)
        world.wait(days=1)
        world.shopify.carrier_event(world.shopify.fulfill(order), "delivered")
    else:
        order = world.woo.place_order([(JAM, 1)], AINO)
        world.wait(days=1)
        world.woo.add_tracking(order, "JJFI65300000000000001")
        world.woo.set_status(order, "completed")
    world.until(MONDAY + timedelta(days=6))
    return order


def codes(world: World, shop_id: str) -> int:
    return len(world.shopify.discounts if shop_id == SHOPIFY else world.woo.coupons)


def lose_everything(world: World) -> None:
    """Whatever the shops have to say from here on is lost on the way."""
    world.shopify.outbox.pending.clear()
    world.woo.queue.pending.clear()


@pytest.mark.parametrize("shop_id", [SHOPIFY, WOO])
@pytest.mark.parametrize("undone", ["refunded", "cancelled"])
def test_undone_without_a_webhook_gives_no_code(world: World, shop_id: str, undone: str) -> None:
    order = bought(world, shop_id)
    if shop_id == SHOPIFY:
        refund = lambda: world.shopify.refund(order, [(order["line_items"][0], 1)])  # noqa: E731
        _ = refund() if undone == "refunded" else world.shopify.cancel(order)
    else:
        _ = world.woo.refund(order, order["total"]) if undone == "refunded" else world.woo.set_status(order, undone)
    lose_everything(world)
    world.until(MONDAY + timedelta(days=40))
    assert codes(world, shop_id) == 0
    assert not [mail for mail in world.sink.to(str(AINO.email)) if "friend" in str(mail.content)]


@pytest.mark.parametrize("shop_id", [SHOPIFY, WOO])
def test_an_order_that_stands_gets_its_code(world: World, shop_id: str) -> None:
    """The negative control: with the webhooks lost, and nothing undone, the code is made."""
    bought(world, shop_id)
    lose_everything(world)
    world.until(MONDAY + timedelta(days=40))
    assert codes(world, shop_id) == 1


@pytest.mark.parametrize("shop_id", [SHOPIFY, WOO])
def test_while_the_platform_is_down_the_code_waits(world: World, shop_id: str) -> None:
    bought(world, shop_id)
    world.until(MONDAY + timedelta(days=10))
    shop = world.shopify if shop_id == SHOPIFY else world.woo
    shop.trouble(*[Trouble(status=503)] * 3000)
    while not (waiting := held_back(world)) and world.clock.now() < MONDAY + timedelta(days=40):
        world.wait(hours=1)
    assert (waiting, codes(world, shop_id)) == (["platform_unreachable"], 0)
    shop.troubles.clear()
    world.wait(hours=2)
    assert (held_back(world), codes(world, shop_id)) == ([], 1)


def held_back(world: World) -> list[str]:
    """Why rewards wait."""
    with world.kiitos.store.work.read() as tx:
        pending = effects.due(tx, world.clock.now() + timedelta(days=1), 10)
    return [effect.reason for effect in pending if effect.request.get("do") == "create_discount"]
