"""One story over each platform: a first order, an invitation, a published review, a rewarded referral, a tier, a
partial refund, and in the end a reward that is taken back. At each station the books say why things are as they are."""

from __future__ import annotations

from typing import Any

from connector.loyalty import overview
from connector.model import email_key
from connector.testing.demo.scenario import JAM, LAMP, MUG, SOCKS
from connector.testing.fakes.people import Buyer
from connector.testing.world import FLOWS, SHOPIFY, WOO, World
from tests.journeys.conftest import Worlds
from tests.journeys.reviewing import form_of, of_product, products_in, shown, write
from tests.journeys.test_referral import ADVOCATE, FRIEND, invited, shared_code, woo_invited
from tests.journeys.test_referral_terms import POINTS, mails, of

PROGRAMME: dict[str, Any] = {
    "flows": {name: {"file": name.replace("-", "_")} for name in (*FLOWS, "tier-reached")},
    "referrals": POINTS,
    "soft_opt_in": ["review", "referral", "loyalty"],
    "loyalty": {
        "return_window": "14d",
        "measure": "points",
        "grace": "1d",
        "rules": {"review": {"kind": "review", "points": 20}},
        "tiers": {"silver": {"at": 110}},
    },
}


def books(world: World, shop_id: str, buyer: Buyer) -> tuple[str, str, str]:
    """Points to use, points pending, and the tier."""
    found = overview(world.kiitos, shop_id, email_key(buyer.email) or "")
    row = next((unit for unit in found["units"] if unit["unit"] == "points"), {"available": "0", "pending": "0"})
    tier = found["tier"]
    return row["available"], row["pending"], tier["name"] if tier else ""


def reasons(world: World, shop_id: str, buyer: Buyer) -> list[str]:
    """What each entry of the books came of: its kind and its cause."""
    found = overview(world.kiitos, shop_id, email_key(buyer.email) or "")
    return [f"{entry['kind']} {entry['because'].partition('/')[0]}" for entry in found["entries"]]


def reviewed(world: World, shop_id: str, buyer: Buyer) -> str:
    """They write the review they were asked for; its product."""
    form = form_of(world, buyer)
    product = products_in(form)[0]
    assert write(world, form, {f"rating-{product}": "5", f"text-{product}": "Juuri sellainen kuin piti."}) == 200
    world.wait(minutes=5)
    (row,) = of_product(world, shop_id, product)
    assert row.state == "published"
    assert "Juuri sellainen" in shown(world, shop_id, product).text
    return product


def test_shopify_from_the_first_order_to_a_reward_that_is_taken_back(worlds: Worlds) -> None:
    world = worlds(**PROGRAMME)
    invited(world)
    code = shared_code(world, ADVOCATE)
    mug = reviewed(world, SHOPIFY, ADVOCATE)
    assert books(world, SHOPIFY, ADVOCATE) == ("20", "0", "")

    order = world.shopify.place_order([(LAMP, 2), (MUG, 1)], FRIEND, discount_code=code)
    world.deliver(duplicate=True)
    assert (of(world, SHOPIFY, FRIEND).state, of(world, SHOPIFY, FRIEND).way) == ("held", "code")
    assert books(world, SHOPIFY, ADVOCATE) == ("20", "100", "Silver"), "a tier is reached at once, points wait"
    world.wait(days=17)
    assert of(world, SHOPIFY, FRIEND).state == "rewarded"
    assert books(world, SHOPIFY, ADVOCATE) == ("120", "0", "Silver")
    assert books(world, SHOPIFY, FRIEND)[:2] == ("50", "0")
    assert any("silver" in mail.lower() for mail in mails(world, ADVOCATE)), "she is told of her tier"

    lamp, cup = order["line_items"]
    world.shopify.refund(order, [(lamp, 1)])
    world.deliver(duplicate=True)
    world.wait(days=1)
    assert of(world, SHOPIFY, FRIEND).state == "rewarded", "a part of the order went back, the order stands"
    assert books(world, SHOPIFY, ADVOCATE) == ("120", "0", "Silver")

    world.shopify.refund(order, [(lamp, 1), (cup, 1)])
    world.deliver(duplicate=True)
    world.wait(days=3)
    assert of(world, SHOPIFY, FRIEND).state == "reversed"
    assert books(world, SHOPIFY, ADVOCATE) == ("20", "0", ""), "the review's points stay"
    assert books(world, SHOPIFY, FRIEND)[:2] == ("0", "0")
    told = reasons(world, SHOPIFY, ADVOCATE)
    assert any(reason.startswith("reverse") for reason in told), told
    assert [row.state for row in of_product(world, SHOPIFY, mug)] == ["published"]


def test_woo_from_the_first_order_to_a_reward_that_is_taken_back(worlds: Worlds) -> None:
    world = worlds(**PROGRAMME)
    woo_invited(world)
    code = shared_code(world, ADVOCATE)
    jam = reviewed(world, WOO, ADVOCATE)
    assert len(world.woo.reviews) == 1
    assert books(world, WOO, ADVOCATE) == ("20", "0", "")

    order = world.woo.place_order([(SOCKS, 2), (JAM, 1)], FRIEND, coupon=code)
    world.deliver()
    assert of(world, WOO, FRIEND).state == "held"
    assert books(world, WOO, ADVOCATE) == ("20", "100", "Silver")
    world.wait(days=17)
    assert of(world, WOO, FRIEND).state == "rewarded"
    assert books(world, WOO, ADVOCATE) == ("120", "0", "Silver")

    world.woo.refund(order)
    world.wait(days=3)
    assert of(world, WOO, FRIEND).state == "reversed"
    assert books(world, WOO, ADVOCATE) == ("20", "0", "")
    assert [row.state for row in of_product(world, WOO, jam)] == ["published"]
    assert len(world.woo.reviews) == 1
