"""One story, the same over each platform: a first order, a published review, an invitation, a rewarded referral, a
tier, two orders of which a part goes back, and in the end a reward that is taken back. The shop tells everything twice,
and once the newest first; at each station balances, mails, codes and reviews are what one telling would have made them.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from connector.loyalty import faults, overview
from connector.model import Event, email_key
from connector.store import effects
from connector.store.db import Tx
from connector.testing.demo.scenario import MONDAY, MUG, SOCKS
from connector.testing.fakes.people import Article, Buyer
from connector.testing.world import FLOWS, SHOPIFY, WOO, World
from flows.runner import Runner
from flows.value import earning
from tests.journeys.conftest import Worlds
from tests.journeys.reviewing import form_of, of_product, products_in, shown, write
from tests.journeys.test_referral import ADVOCATE, FRIEND, shared_code
from tests.journeys.test_referral_terms import POINTS, of

PROGRAMME: dict[str, Any] = {
    "flows": {name: {"file": name.replace("-", "_")} for name in (*FLOWS, "tier-reached")},
    "referrals": POINTS,
    "soft_opt_in": ["review", "referral", "loyalty"],
    "loyalty": {
        "return_window": "14d",
        "measure": "points",
        "grace": "1d",
        "rules": {
            "spend": {"kind": "spend", "points": 1, "per": "1 EUR"},
            "review": {"kind": "review", "points": 20},
        },
        "tiers": {"silver": {"at": 150}},
    },
}
BASKET = ((SOCKS, 2), (MUG, 1))
"""82.90 EUR: 82 points; 74.61 EUR and 74 points with a friend's tenth off."""
ADVOCATES = {
    "earn spend 82": 1,
    "hold spend 82": 1,
    "release spend 82": 1,
    "reverse spend 24": 1,
    "earn review 20": 2,
    "earn referrals 100": 1,
    "hold referrals 100": 1,
    "release referrals 100": 1,
    "reverse referrals 100": 1,
    "earn  1": 3,
    "reverse  1": 1,  # counted for tiers, badges and challenges: two reviews, a referral
}
"""Every entry of the advocate's books at the end: its kind, what it was earned by, and how much."""
FRIENDS = {
    "earn spend 74": 1,
    "hold spend 74": 1,
    "release spend 74": 1,
    "reverse spend 25": 1,
    "reverse spend 49": 1,
    "earn referrals 50": 1,
    "hold referrals 50": 1,
    "release referrals 50": 1,
    "reverse referrals 50": 1,
}
MAILS = dict.fromkeys(
    ("review_request", "review_reminder", "referral_invite", "loyalty_tier_reached", "referral_reward"), 1
)
EVER = MONDAY - timedelta(days=1)
Books = tuple[str, str, str]


@dataclass(frozen=True)
class Side:
    """One platform's part of the story: what the merchant and customers do there, and what its customers see."""

    world: World
    shop_id: str

    @property
    def shop(self) -> Any:
        return self.world.shopify if self.shop_id == SHOPIFY else self.world.woo

    def buys(self, buyer: Buyer, code: str = "") -> Any:
        key = "discount_code" if self.shop_id == SHOPIFY else "coupon"
        order = self.shop.place_order(BASKET, buyer, **({key: code} if code else {}))
        self.world.deliver()
        return order

    def arrives(self, order: Any) -> None:
        """Sent after a day; Shopify's carrier says when it arrived, WooCommerce's nobody."""
        self.world.wait(days=1)
        if self.shop_id == WOO:
            self.shop.add_tracking(order, "JJFI65300000000000001")
            self.shop.set_status(order, "completed")
        else:
            parcel = self.shop.fulfill(order)
            self.world.wait(days=2)
            self.shop.carrier_event(parcel, "delivered")
        self.world.deliver()

    def gives_back(self, order: Any, *pieces: tuple[Article, int]) -> None:
        rows = {row["sku"]: row for row in order["line_items"]}
        self.shop.refund(order, lines=[(rows[article.sku], count) for article, count in pieces])

    def in_shop(self) -> list[str]:
        """The reviews that the platform itself shows."""
        if self.shop_id == WOO:
            return [str(row["review"]) for row in self.world.woo.reviews.values()]
        return [str(row) for row in self.world.shopify.metaobjects.values()]

    def codes(self) -> list[str]:
        """Every code that exists there."""
        if self.shop_id == WOO:
            return [str(row["code"]).lower() for row in self.world.woo.coupons.values()]
        return [row.code.lower() for row in self.world.shopify.discounts.values()]


def books(side: Side, buyer: Buyer) -> Books:
    """Points to use, points pending, and the tier."""
    found = overview(side.world.kiitos, side.shop_id, email_key(buyer.email) or "")
    row = next((unit for unit in found["units"] if unit["unit"] == "points"), {"available": "0", "pending": "0"})
    tier = found["tier"]
    return row["available"], row["pending"], tier["name"] if tier else ""


def reasons(side: Side, buyer: Buyer) -> Counter[str]:
    """What each entry of the books came of: its kind, its rule and how much."""
    found = overview(side.world.kiitos, side.shop_id, email_key(buyer.email) or "")
    return Counter(f"{entry['kind']} {entry['rule']} {entry['amount']}" for entry in found["entries"])


def told(side: Side, buyer: Buyer) -> Counter[str]:
    """The mails of the programme they got, by template; those of parcels differ between the platforms."""
    with side.world.kiitos.store.work.read() as tx:
        sent = effects.sent_to(tx, side.shop_id, email_key(buyer.email) or "", EVER)
    names = [str(effect.request.get("template", "")) for effect in sent if effect.kind == "message"]
    return Counter(name for name in names if name.startswith(("review_", "referral_", "loyalty_")))


def twice(side: Side, monkeypatch: pytest.MonkeyPatch, **more: bool) -> None:
    """From now on the shop delivers everything twice; with `out_of_order` the newest first."""
    shop = side.shop
    once = shop.deliver.func if isinstance(shop.deliver, partial) else shop.deliver
    monkeypatch.setattr(shop, "deliver", partial(once, duplicate=True, **more))


@pytest.fixture(params=[SHOPIFY, WOO])
def side(request: pytest.FixtureRequest, worlds: Worlds, monkeypatch: pytest.MonkeyPatch) -> Side:
    found = Side(worlds(**PROGRAMME), request.param)
    twice(found, monkeypatch)
    return found


def reviewed(side: Side, buyer: Buyer) -> list[str]:
    """They write the review they were asked for; its products."""
    form = form_of(side.world, buyer)
    products = products_in(form)
    said = {f"rating-{product}": "5" for product in products}
    assert write(side.world, form, {**said, f"text-{products[0]}": "Juuri sellainen kuin piti."}) == 200
    side.world.wait(minutes=5)
    return products


def to_the_reward(side: Side) -> tuple[Any, Any, str]:
    """Up to the day on which the referral is rewarded: the advocate's order, the friend's, and its code."""
    world = side.world
    first = side.buys(ADVOCATE)
    assert books(side, ADVOCATE) == ("0", "82", "")
    side.arrives(first)
    world.until(MONDAY + timedelta(days=30))
    code = shared_code(world, ADVOCATE)
    assert books(side, ADVOCATE) == ("82", "0", "")
    order = side.buys(FRIEND, code)
    assert (of(world, side.shop_id, FRIEND).state, of(world, side.shop_id, FRIEND).way) == ("held", "code")
    assert books(side, ADVOCATE) == ("82", "100", "Silver"), "a tier is reached at once, points wait"
    assert books(side, FRIEND) == ("0", "124", "")
    world.wait(days=17)
    assert of(world, side.shop_id, FRIEND).state == "rewarded"
    assert books(side, ADVOCATE) == ("182", "0", "Silver")
    assert books(side, FRIEND) == ("124", "0", "")
    return first, order, code


def parts_go_back(side: Side, first: Any, order: Any) -> None:
    """One pair of the friend's socks and the advocate's mug."""
    side.gives_back(order, (SOCKS, 1))
    side.gives_back(first, (MUG, 1))
    side.world.wait(days=1)


def test_from_the_first_order_to_a_reward_that_is_taken_back(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    world, shop_id = side.world, side.shop_id
    first, order, code = to_the_reward(side)
    products = reviewed(side, ADVOCATE)
    assert books(side, ADVOCATE) == ("222", "0", "Silver"), "twenty points a review"
    assert "Juuri sellainen" in shown(world, shop_id, products[0]).text

    twice(side, monkeypatch, out_of_order=True)
    parts_go_back(side, first, order)
    twice(side, monkeypatch)
    assert books(side, ADVOCATE) == ("198", "0", "Silver"), "24.90 of 82.90 EUR: 24 of 82 points"
    assert books(side, FRIEND) == ("99", "0", ""), "26.10 of 74.61 EUR: 25 of 74 points; the reward stays"
    assert of(world, shop_id, FRIEND).state == "rewarded", "a part of the order went back, the order stands"

    side.gives_back(order, (SOCKS, 1), (MUG, 1))
    world.wait(days=3)
    assert of(world, shop_id, FRIEND).state == "reversed", "all goods went back; the postage was kept"
    assert books(side, ADVOCATE) == ("98", "0", ""), "what she bought and wrote is hers, the tier is not"
    assert books(side, FRIEND) == ("0", "0", "")
    assert reasons(side, ADVOCATE) == ADVOCATES
    assert reasons(side, FRIEND) == FRIENDS
    assert told(side, ADVOCATE) == MAILS
    assert told(side, FRIEND) == {"referral_friend": 1}
    assert side.codes() == [code.lower()], "the friend's tenth; points are no codes"
    assert [row.state for product in products for row in of_product(world, shop_id, product)] == ["published"] * 2
    assert [("Juuri sellainen" in text) for text in side.in_shop()].count(True) == 1
    assert len(side.in_shop()) == 2
    assert faults(world.kiitos, shop_id) == (2, []), "the books agree with what they are made of"


def test_without_the_claw_back_the_journey_would_end_otherwise(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    first, order, _ = to_the_reward(side)
    monkeypatch.setattr(earning, "targets", lambda *_: {})
    parts_go_back(side, first, order)
    assert books(side, FRIEND) == ("124", "0", "")
    assert books(side, ADVOCATE) == ("182", "0", "Silver")


def test_a_refund_that_counts_as_often_as_it_is_told_of_would_be_seen(
    side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted fault takes every telling of a refund for another refund."""
    first, order, _ = to_the_reward(side)
    ingest, number = Runner.ingest, itertools.count()

    def heard(self: Runner, tx: Tx, shop_id: str, events: Sequence[Event], *rest: Any, **more: Any) -> Any:
        anew = [
            replace(event, key=f"{event.key}/{each}", refund=replace(event.refund, id=f"{event.refund.id}-{each}"))
            if event.refund is not None
            else event
            for event, each in zip(events, number, strict=False)
        ]
        return ingest(self, tx, shop_id, anew, *rest, **more)

    monkeypatch.setattr(Runner, "ingest", heard)
    parts_go_back(side, first, order)
    if side.shop_id == WOO:  # the same delivery twice is one there already; the order's next word tells of it again
        side.shop.set_status(order, "completed")
        side.world.deliver()
    assert books(side, FRIEND) == ("73", "0", ""), "twenty-five twice, and the rounding"
