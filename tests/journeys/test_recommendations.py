"""Recommendations from order to message: learnt at night, looked at in the shop when the message leaves."""

from __future__ import annotations

from decimal import Decimal
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest

from connector.explaining.explain import explain
from connector.testing.fakes.people import BEANS, MUG, Article, Buyer
from connector.testing.fakes.web import Trouble
from connector.testing.world import SHOPIFY, WOO, World
from tests.journeys.conftest import Worlds

FLOW = """
id = "also"
title = "What goes with it"
trigger = "order.paid"
purpose = "marketing"
subject = "order"
reentry = "once"
when = ["customer.recommendations >= 1"]

[[steps]]
id = "wait"
do = "wait"
span = "3h"

[[steps]]
id = "tell"
do = "send"
template = "marketing_recommend"
when = ["customer.recommendations >= 1"]
"""


def buyer(name: str) -> Buyer:
    return Buyer(first_name=name.title(), email=f"{name}@example.test", locale="en", accepts_marketing=True)


LAMP = Article(title="Lamppu", price=Decimal("40.00"), sku="LAMP")


@pytest.fixture
def world(worlds: Worlds, tmp_path: Path) -> World:
    """In both shops six bought mugs with beans and six a lamp; a night has passed."""
    (tmp_path / "also.toml").write_text(FLOW, "utf-8")
    made = worlds(flows={"also": {"file": str(tmp_path / "also.toml")}}, soft_opt_in=["marketing"])
    for shop in (made.shopify, made.woo):
        for number in range(6):
            shop.place_order([(MUG, 1), (BEANS, 1)], buyer(f"both{number}"))
            shop.place_order([(LAMP, 1)], buyer(f"other{number}"))
    made.deliver()
    made.wait(days=1)
    assert made.sink.messages == []
    return made


def told(world: World, who: str) -> str:
    kept = world.sink.to(f"{who}@example.test")
    mail = message_from_bytes(kept[-1].content, policy=default) if kept else None
    part = mail.get_body(("plain",)) if isinstance(mail, EmailMessage) else None
    return str(part.get_content()) if part is not None else ""


@pytest.mark.parametrize("shop_id", [SHOPIFY, WOO])
def test_what_others_bought_with_it_as_the_shop_has_it_now(world: World, shop_id: str) -> None:
    """Nobody told us of the products: they are asked for when the message leaves. Sold out an hour before, silence."""
    shop = world.shopify if shop_id == SHOPIFY else world.woo
    shop.place_order([(MUG, 1)], buyer("nora"))
    shop.place_order([(LAMP, 1)], buyer("lauri"))
    world.wait(hours=4)
    assert BEANS.title in told(world, "nora")
    assert MUG.title not in told(world, "nora").split("http")[0]
    assert told(world, "lauri") == "", "lamps go with nothing"
    shop.place_order([(MUG, 1)], buyer("aino"))
    world.wait(hours=2)
    take_away(world, shop_id)
    world.wait(hours=2)
    assert told(world, "aino") == ""
    story = explain(world.kiitos.store, shop_id, "aino@example.test")
    assert story is not None
    assert "no_longer_true" in str(story.lines)


def take_away(world: World, shop_id: str) -> None:
    """The beans are gone, and no webhook says so."""
    if shop_id == SHOPIFY:
        world.shopify.products.pop(world.shopify.product_of(BEANS)["id"])
    else:
        world.woo.product_of(BEANS)["stock_status"] = "outofstock"


def test_a_shop_that_is_down_is_no_reason_to_guess(world: World) -> None:
    """Nobody ever told of the beans, and nobody answers now: nothing is recommended, so nothing is sent."""
    world.shopify.place_order([(MUG, 1)], buyer("nora"))
    world.wait(hours=2)
    world.shopify.trouble(*[Trouble(status=503)] * 60)
    world.wait(hours=2)
    assert told(world, "nora") == ""
