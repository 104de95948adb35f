"""An advocate asks to be forgotten: the shared page is nobody's, the code is switched off or kept, and nobody fails."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
import requests

from connector.privacy import Privacy
from connector.referring import explained
from connector.store import privacy
from connector.testing.demo.scenario import JAM, LAMP, MUG, SOCKS
from connector.testing.fakes.checkout import CheckoutRefused
from connector.testing.fakes.people import Buyer
from connector.testing.fakes.web import Trouble
from connector.testing.world import SHOPIFY, WOO, World
from flows.referring.reasons import FORGOTTEN, REASONS
from tests.journeys.conftest import Worlds
from tests.journeys.test_referral import ADVOCATE, FRIEND, QUIET, invited, rewards, state, woo_invited
from tests.journeys.test_referral_terms import CODE, OTHER, mails

BOTH = pytest.mark.parametrize("shop_id", [SHOPIFY, WOO])


def shared(worlds: Worlds, shop_id: str, terms: Mapping[str, Any]) -> tuple[World, str, list[str]]:
    """A world, the code of somebody who was invited, and the pages of it: the friend's and the advocate's own."""
    world = worlds(flows=QUIET, referrals=dict(terms))
    code = invited(world) if shop_id == SHOPIFY else woo_invited(world)
    found = re.findall(r"http://127\.0\.0\.1:\d+/p/(?:friend|share)/\w+", mails(world, ADVOCATE)[-1])
    assert len(set(found)) == 2
    return world, code, sorted(set(found))


def forget(world: World, shop_id: str, buyer: Buyer = ADVOCATE) -> None:
    Privacy(world.kiitos).ask(shop_id, privacy.ERASE_CUSTOMER, "command", {"email": str(buyer.email)})
    world.until(world.clock.now() + timedelta(minutes=5))


def buys(world: World, shop_id: str, buyer: Buyer, code: str) -> str:
    """An order with the code; its number as `explain` is asked by."""
    if shop_id == SHOPIFY:
        made = world.shopify.place_order([(LAMP, 1)], buyer, discount_code=code)
        return str(made["name"])
    return str(world.woo.place_order([(SOCKS, 1), (JAM, 1)], buyer, coupon=code)["id"])


def nameless(page: str) -> str:
    return re.sub(r'nonce="\w+"', "", page)


def why(world: World, shop_id: str, number: str) -> list[str]:
    told = explained(world.kiitos, shop_id, number)
    assert told is not None
    return list(told["because"])


@BOTH
def test_the_pages_are_nobodys_and_the_code_works_no_longer(worlds: Worlds, shop_id: str) -> None:
    world, code, pages = shared(worlds, shop_id, CODE)
    assert all(code.lower() in requests.get(page, timeout=10).text.lower() for page in pages)
    buys(world, shop_id, FRIEND, code)  # used already: what nobody owns is switched off all the same
    world.wait(hours=1)
    forget(world, shop_id)
    strange = requests.get(re.sub(r"\w+$", "a" * 32, pages[0]), timeout=10)
    for page in pages:
        answer = requests.get(page, timeout=10)
        assert answer.status_code == strange.status_code == 404
        assert nameless(answer.text) == nameless(strange.text), "it tells a stranger nothing"
    with pytest.raises(CheckoutRefused):
        buys(world, shop_id, OTHER, code)


@BOTH
def test_a_code_that_is_kept_brings_the_friend_the_benefit_and_nobody_a_reward(worlds: Worlds, shop_id: str) -> None:
    world, code, pages = shared(worlds, shop_id, {**CODE, "keeps_codes": True})
    forget(world, shop_id)
    assert [requests.get(page, timeout=10).status_code for page in pages] == [404, 404]
    number = buys(world, shop_id, FRIEND, code)
    world.wait(days=40)
    assert state(world, shop_id, FRIEND) == ("none", "")
    assert rewards(world) == []
    assert why(world, shop_id, number) == [REASONS[FORGOTTEN]]
    plain = world.shopify.place_order([(MUG, 1)], OTHER)["name"] if shop_id == SHOPIFY else None
    world.wait(hours=1)
    assert plain is None or why(world, shop_id, str(plain)) == ["no way leads to an advocate's code"]


@BOTH
def test_whoever_is_forgotten_while_the_reward_is_held_has_none(worlds: Worlds, shop_id: str) -> None:
    world, code, _ = shared(worlds, shop_id, CODE)
    number = buys(world, shop_id, FRIEND, code)
    world.wait(hours=1)
    assert state(world, shop_id, FRIEND) == ("held", "")
    forget(world, shop_id)
    world.wait(days=20)
    assert state(world, shop_id, FRIEND) == ("refused", FORGOTTEN)
    assert (rewards(world), why(world, shop_id, number)) == ([], [REASONS[FORGOTTEN]])


@BOTH
def test_the_code_is_switched_off_though_the_answer_was_lost(worlds: Worlds, shop_id: str) -> None:
    world, code, _ = shared(worlds, shop_id, CODE)
    fake: Any = world.shopify if shop_id == SHOPIFY else world.woo
    before = len(fake.calls)
    asked = 2 if shop_id == SHOPIFY else 1  # Shopify's token first
    fake.trouble(
        *[Trouble()] * asked, Trouble(drop=True)
    )  # it is looked up, then switched off without our hearing of it
    forget(world, shop_id)
    world.wait(hours=1)
    found = [(call.method, call.operation or call.path) for call in fake.calls[before:]]
    off = ("POST", "DiscountDeactivate") if shop_id == SHOPIFY else ("PUT", "/wp-json/wc/v3/coupons")
    assert sum(method == off[0] and name.startswith(off[1]) for method, name in found) == 2, found
    with pytest.raises(CheckoutRefused):
        buys(world, shop_id, OTHER, code)
