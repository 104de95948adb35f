"""Early access over both platforms: tagged in the shop, mailed the link, shown it on the page; once, and in time."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from connector.model import email_key
from connector.store import links
from connector.testing.demo.scenario import JAM, LAMP, MUG, SOCKS
from connector.testing.fakes.people import Buyer
from connector.testing.fakes.web import Trouble
from connector.testing.world import SHOPIFY, WOO, World
from flows.sending.addressing import derive_token
from tests.journeys.conftest import Worlds
from tests.journeys.test_referral import ADVOCATE, FRIEND
from tests.journeys.test_referral_terms import mails

LINK = "https://shop.example/autumn"
PERK: dict[str, Any] = {
    "kind": "early_access",
    "title": "Syksyn mallisto",
    "tiers": ["gold"],
    "begins": "2026-11-12 10:00",
    "opens": "2026-11-22 10:00",
    "link": LINK,
    "tag": "early-autumn",
}
SETTINGS: dict[str, Any] = {
    "flows": {"perk-opened": {"file": "perk_opened"}},
    "soft_opt_in": ["review", "referral", "loyalty"],
    "loyalty": {
        "rules": {"spend": {"kind": "spend", "points": 1, "per": "1 EUR"}},
        "measure": "orders",
        "tiers": {"gold": {"at": 2}},
        "perks": {"autumn": PERK},
    },
}


def buys(world: World, shop_id: str, buyer: Buyer, times: int) -> None:
    for _ in range(times):
        if shop_id == SHOPIFY:
            world.shopify.place_order([(MUG, 1), (LAMP, 1)], buyer)
        else:
            world.woo.place_order([(JAM, 1), (SOCKS, 1)], buyer, account=True)
        world.wait(hours=1)


def tags(world: World, shop_id: str, buyer: Buyer) -> str:
    """The account's tags as the shop keeps them."""
    if shop_id == SHOPIFY:
        found = [row for row in world.shopify.customers.values() if row["email"] == buyer.email]
        return str(world.shopify.customer_tags[found[0]["id"]])
    (account,) = [row for row in world.woo.customers.values() if row["email"] == str(buyer.email).lower()]
    return str([meta["value"] for meta in account["meta_data"] if meta["key"] == "_kiitos_tags"])


def told(world: World, buyer: Buyer) -> int:
    """How many mails name it, with a link that leads there: directly, or by our own page that counts the click."""
    return sum(PERK["title"] in mail and ("/c/" in mail or LINK in mail) for mail in mails(world, buyer))


def page(world: World, shop_id: str, buyer: Buyer) -> str:
    kiitos, address = world.kiitos, email_key(buyer.email) or ""
    token = derive_token(kiitos.salt, "link", shop_id, "loyalty", address)
    with kiitos.store.work.transaction() as tx:
        links.put(tx, shop_id, token, "loyalty", {"address": address, "locale": "fi"}, world.clock.now())
    base = urlsplit(kiitos.config.app.base_url)
    return requests.get(f"{base.scheme}://{base.netloc}/p/loyalty/{token}", timeout=10).text


@pytest.mark.parametrize("shop_id", [SHOPIFY, WOO])
def test_members_of_the_tier_are_let_in_before_everybody_else(worlds: Worlds, shop_id: str) -> None:
    world = worlds(**SETTINGS)
    buys(world, shop_id, ADVOCATE, 2)
    buys(world, shop_id, FRIEND, 1)
    assert (told(world, ADVOCATE), LINK in page(world, shop_id, ADVOCATE)) == (0, False), "it has not begun"
    shop: Any = world.shopify if shop_id == SHOPIFY else world.woo
    world.wait(days=8)
    shop.trouble(*[Trouble(drop=True)] * 2)  # the answer to the tag is lost: it is put on once all the same
    world.wait(days=4)
    assert (told(world, ADVOCATE), told(world, FRIEND)) == (1, 0)
    assert tags(world, shop_id, ADVOCATE).count("early-autumn") == 1
    assert "early-autumn" not in tags(world, shop_id, FRIEND)
    assert LINK in page(world, shop_id, ADVOCATE)
    assert "Syksyn mallisto" in page(world, shop_id, ADVOCATE)
    assert LINK not in page(world, shop_id, FRIEND)
    buys(world, shop_id, FRIEND, 1)  # gold by now: let in at once
    world.wait(days=1)
    assert (told(world, FRIEND), LINK in page(world, shop_id, FRIEND)) == (1, True)
    assert "early-autumn" in tags(world, shop_id, FRIEND)
    world.wait(days=10)
    assert LINK not in page(world, shop_id, ADVOCATE), "open to everybody"
    assert told(world, ADVOCATE) == 1
