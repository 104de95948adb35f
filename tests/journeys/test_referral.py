"""Refer and earn: invited once, the friend's order held, the advocate rewarded; fraud and second thoughts are not."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import requests

from connector.model import email_key
from connector.store import entities, referrals, vouchers
from connector.testing.demo.mailbox import read_mail
from connector.testing.demo.scenario import JAM, LAMP, MONDAY, MUG, SOCKS, TENT, unsubscribe
from connector.testing.fakes.checkout import CheckoutRefused
from connector.testing.fakes.people import Buyer
from connector.testing.fakes.web import Trouble
from connector.testing.world import SHOPIFY, WOO, World
from tests.journeys.conftest import Worlds

Tells = Callable[[World], str]

ADVOCATE = Buyer(first_name="Aino", last_name="Mäkinen", email="aino@example.test", phone="+358401234567")
FRIEND = Buyer(
    first_name="Väinö",
    last_name="Niemi",
    email="vaino@example.test",
    phone="+358407654321",
    address="Toinen tie 5",
    city="Oulu",
    postcode="90100",
)
QUIET = {name: {"file": name.replace("-", "_")} for name in ("referral-invite", "referral-reward")}


@pytest.fixture
def world(worlds: Worlds) -> World:
    """Only the two flows of the referral, so that the timelines are about them."""
    return worlds(flows=QUIET)


def invited(world: World, buyer: Buyer = ADVOCATE) -> str:
    """The advocate bought, had it delivered, and was invited on the 24th; the code a friend finds behind the link."""
    order = world.shopify.place_order([(MUG, 1)], buyer)
    world.wait(days=1)
    parcel = world.shopify.fulfill(order)
    world.wait(days=2)
    world.shopify.carrier_event(parcel, "delivered")
    world.until(MONDAY + timedelta(days=23))
    return shared_code(world, buyer)


def woo_invited(world: World, buyer: Buyer = ADVOCATE) -> str:
    order = world.woo.place_order([(JAM, 1)], buyer)
    world.wait(days=1)
    world.woo.add_tracking(order, "JJFI65300000000000001")
    world.woo.set_status(order, "completed")
    world.until(MONDAY + timedelta(days=25))
    return shared_code(world, buyer)


def shared_code(world: World, buyer: Buyer) -> str:
    mail = read_mail(0, world.sink.to(str(buyer.email))[-1])
    link = re.search(r"http://127\.0\.0\.1:\d+/p/friend/\w+", mail.text)
    assert link is not None
    code = re.search(r"friend-[0-9a-z]{16}", requests.get(link[0], timeout=10).text, re.IGNORECASE)
    assert code is not None
    return code[0]


def state(world: World, shop_id: str, buyer: Buyer) -> tuple[str, str]:
    """The newest referral of the friend: its state and reason."""
    with world.kiitos.store.work.read() as tx:
        orders = entities.orders_of(tx, shop_id, email_key(buyer.email) or "")
        found = [row for order in orders if (row := referrals.by_order(tx, shop_id, order.id))]
    return (found[0].state, found[0].reason) if found else ("none", "")


def rewards(world: World) -> list[str]:
    """The reward codes that exist in the shops."""
    found = [row.code for row in world.shopify.discounts.values()] + [
        str(c["code"]) for c in world.woo.coupons.values()
    ]
    return [code for code in found if code.lower().startswith("thanks-")]


def test_shopify_friend_bought_and_the_advocate_is_rewarded(world: World, tells: Tells) -> None:
    code = invited(world)
    world.shopify.place_order([(TENT, 1)], FRIEND, discount_code=code)
    world.deliver(duplicate=True)
    assert state(world, SHOPIFY, FRIEND) == ("held", "")
    assert rewards(world) == []
    world.wait(days=29)
    assert rewards(world) == []
    world.wait(days=2)
    assert state(world, SHOPIFY, FRIEND) == ("rewarded", "")
    assert len(rewards(world)) == 1
    assert "referral_reward -> aino@example.test" in tells(world)


def test_shopify_two_friends_earn_two_rewards(world: World, tells: Tells) -> None:
    code = invited(world)
    world.shopify.place_order([(TENT, 1)], FRIEND, discount_code=code)
    other = Buyer(first_name="Ilona", email="ilona@example.test", address="Third 7", city="Turku", postcode="20100")
    world.wait(days=1)
    world.shopify.place_order([(MUG, 1)], other, discount_code=code)
    world.wait(days=40)
    assert len(rewards(world)) == 2
    assert tells(world).count("referral_reward ->") == 2


@pytest.mark.parametrize(
    ("friend", "reason"),
    [
        (Buyer(first_name="Me", email="Aino+friend@example.test", address="Elsewhere 1", postcode="1"), "same_email"),
        (Buyer(first_name="Me", email="other@example.test", phone="040 1234567", postcode="2"), "same_phone"),
        (Buyer(first_name="Me", email="other@example.test", address="keksittykatu 1"), "same_address"),
    ],
    ids=["email", "phone", "address"],
)
def test_shopify_self_referral_is_refused(world: World, friend: Buyer, reason: str) -> None:
    code = invited(world)
    world.shopify.place_order([(TENT, 1)], friend, discount_code=code)
    world.wait(days=40)
    assert state(world, SHOPIFY, friend) == ("refused", reason)
    assert rewards(world) == []


def test_shopify_advocate_uses_the_own_code(world: World, tells: Tells) -> None:
    code = invited(world)
    world.shopify.place_order([(TENT, 1)], ADVOCATE, discount_code=code)
    world.wait(days=40)
    tells(world)
    assert state(world, SHOPIFY, ADVOCATE) == ("refused", "same_email")
    assert rewards(world) == []


def test_shopify_friend_had_bought_before(world: World, tells: Tells) -> None:
    world.shopify.place_order([(LAMP, 1)], FRIEND)
    code = invited(world)
    world.shopify.place_order([(TENT, 1)], FRIEND, discount_code=code)
    world.wait(days=40)
    tells(world)
    assert state(world, SHOPIFY, FRIEND) == ("refused", "existing_customer")
    assert rewards(world) == []


def test_shopify_friend_sends_it_back_during_the_hold(world: World, tells: Tells) -> None:
    code = invited(world)
    order = world.shopify.place_order([(LAMP, 1)], FRIEND, discount_code=code)
    world.wait(days=20)
    world.shopify.refund(order, [(order["line_items"][0], 1)])
    world.wait(days=40)
    tells(world)
    assert state(world, SHOPIFY, FRIEND) == ("reversed", "refund.created")
    assert rewards(world) == []


def test_shopify_friend_cancels_during_the_hold(world: World) -> None:
    code = invited(world)
    order = world.shopify.place_order([(LAMP, 1)], FRIEND, discount_code=code)
    world.wait(hours=2)
    world.shopify.cancel(order)
    world.wait(days=40)
    assert state(world, SHOPIFY, FRIEND)[0] == "reversed"
    assert rewards(world) == []


@pytest.mark.parametrize(
    ("bought", "left", "code_is"),
    [(1, ("reversed", "refund.created"), "voided"), (2, ("rewarded", ""), "issued")],
    ids=["all", "part"],
)
def test_shopify_goods_back_after_the_reward(
    world: World, tells: Tells, bought: int, left: tuple[str, str], code_is: str
) -> None:
    """Nothing is left of the friend's goods: the code is switched off. One of two stays: so does the reward."""
    code = invited(world)
    order = world.shopify.place_order([(LAMP, bought)], FRIEND, discount_code=code)
    world.wait(days=31)
    assert len(rewards(world)) == 1
    world.shopify.refund(order, [(order["line_items"][0], 1)])
    world.wait(days=5)
    tells(world)
    assert state(world, SHOPIFY, FRIEND) == left
    with world.kiitos.store.work.read() as tx:
        (given,) = vouchers.because(tx, SHOPIFY, f"referral/{referrals.id_of(str(order['id']))}")
    assert (given.kind, given.state) == ("discount", code_is)


def test_shopify_refund_nobody_told_us_of_is_seen_before_the_reward(world: World) -> None:
    code = invited(world)
    order = world.shopify.place_order([(LAMP, 1)], FRIEND, discount_code=code)
    world.wait(days=3)
    world.shopify.refund(order, [(order["line_items"][0], 1)])
    world.shopify.outbox.pending.clear()
    world.wait(days=40)
    assert rewards(world) == []
    assert state(world, SHOPIFY, FRIEND)[0] == "reversed"


def test_shopify_an_unpaid_order_earns_nothing_until_it_is_paid(world: World) -> None:
    code = invited(world)
    order = world.shopify.place_order([(LAMP, 1)], FRIEND, discount_code=code, pay=False)
    world.wait(days=2)
    assert state(world, SHOPIFY, FRIEND) == ("none", "")
    world.shopify.pay(order)
    world.wait(hours=1)
    assert state(world, SHOPIFY, FRIEND) == ("held", "")


def test_shopify_a_reward_that_could_not_be_made_is_no_reward(world: World, tells: Tells) -> None:
    """The merchant took the right to make codes away: the referral must not count as rewarded."""
    code = invited(world)
    world.shopify.place_order([(LAMP, 1)], FRIEND, discount_code=code)
    world.wait(days=20)
    world.shopify.scopes.discard("write_discounts")
    world.wait(days=20)
    tells(world)
    assert rewards(world) == []
    assert state(world, SHOPIFY, FRIEND)[0] != "rewarded"


def test_shopify_the_advocate_unsubscribed_meanwhile(world: World, tells: Tells) -> None:
    """Nobody is written to who said no, and no code is made that nobody hears of; why is told to who asks."""
    code = invited(world)
    world.shopify.place_order([(LAMP, 1)], FRIEND, discount_code=code)
    world.wait(days=3)
    unsubscribe(world, ADVOCATE)
    world.wait(days=40)
    assert "create_discount not sent: suppressed" in tells(world)


def test_shopify_the_shared_code_is_made_once_though_answers_were_lost(world: World) -> None:
    order = world.shopify.place_order([(MUG, 1)], ADVOCATE)
    world.wait(days=1)
    world.shopify.carrier_event(world.shopify.fulfill(order), "delivered")
    world.until(MONDAY + timedelta(days=19, hours=23))
    world.shopify.trouble(*[Trouble(drop=True)] * 3)
    world.wait(days=2)
    assert len(world.shopify.discounts) == 1
    assert len(world.sink.messages) == 1


def test_invited_once_however_often_they_buy(world: World) -> None:
    invited(world)
    for _ in range(2):
        order = world.shopify.place_order([(MUG, 1)], ADVOCATE)
        world.wait(days=1)
        world.shopify.carrier_event(world.shopify.fulfill(order), "delivered")
        world.wait(days=30)
    assert len(world.sink.messages) == len(world.shopify.discounts) == 1


def test_the_reward_without_a_hold(worlds: Worlds) -> None:
    """A merchant who trusts everybody: the programme's row is written in the very transaction that starts the flow."""
    reward = {"file": "referral_reward", "params": {"hold": "0s"}}
    world = worlds(flows={**QUIET, "referral-reward": reward})
    code = invited(world)
    world.shopify.place_order([(LAMP, 1)], FRIEND, discount_code=code)
    world.wait(hours=1)
    assert len(rewards(world)) == 1
    assert state(world, SHOPIFY, FRIEND) == ("rewarded", "")


def test_woo_friend_bought_and_the_advocate_is_rewarded(world: World, tells: Tells) -> None:
    code = woo_invited(world)
    world.woo.place_order([(SOCKS, 1)], FRIEND, coupon=code)
    world.wait(days=1)
    assert state(world, WOO, FRIEND) == ("held", "")
    world.wait(days=31)
    assert state(world, WOO, FRIEND) == ("rewarded", "")
    assert len(rewards(world)) == 1
    tells(world)


def test_woo_friend_is_refunded_during_the_hold(world: World, tells: Tells) -> None:
    code = woo_invited(world)
    order = world.woo.place_order([(SOCKS, 1)], FRIEND, coupon=code)
    world.wait(days=10)
    world.woo.refund(order)
    world.wait(days=40)
    tells(world)
    assert state(world, WOO, FRIEND) == ("reversed", "refund.created")
    assert rewards(world) == []


def test_woo_the_reward_is_the_advocates_alone(world: World) -> None:
    code = woo_invited(world)
    world.woo.place_order([(SOCKS, 1)], FRIEND, coupon=code)
    world.wait(days=32)
    (reward,) = rewards(world)
    with pytest.raises(CheckoutRefused) as refused:
        world.woo.place_order([(SOCKS, 1)], FRIEND, coupon=reward)
    assert refused.value.reason == "not_yours"
    world.woo.place_order([(SOCKS, 1)], ADVOCATE, coupon=reward)
