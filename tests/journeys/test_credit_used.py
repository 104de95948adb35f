"""Store credit that a flow gave, in a shop that spends it: the books know which order took how much of it."""

from __future__ import annotations

import os
import random  # noqa: TID251 - seeded lives
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from connector.model.value import Place
from connector.store import books, effects, vouchers
from connector.store.vouchers import Voucher
from connector.testing.fakes.people import AINO, MUG
from connector.testing.fakes.shopify import Trouble
from connector.testing.fakes.shopify.grants import (
    pay_with_credit,
    remaining_of,
    revert_credit,
    store_credit_account_credit,
)
from connector.testing.fakes.shopify.state import Json, gid
from connector.testing.world import SHOPIFY
from connector.worker import Worker
from flows.value import crediting
from flows.value.crediting import CREDIT_USE, GIVEN_BACK_AFTER
from flows.value.settling import balances
from flows.value.vouchers import void
from tests.journeys.acting import GOODWILL, Goodwill, build_goodwill, goodwill

FLOW = GOODWILL[: GOODWILL.index('[[steps]]\nid = "card"')]


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Goodwill]:
    """Aino has been given 5 EUR."""
    with goodwill(tmp_path, FLOW) as started:
        started.order()
        started.until(days=3)
        assert started.given() == (1, 0)
        yield started
        assert started.shopify.gaps == []


def bought(life: Goodwill, amount: str) -> Json:
    """Another order of hers, so much of it paid with credit."""
    row = life.shopify.place_order([(MUG, 1)], AINO, pay=False)
    pay_with_credit(life.shopify, row, amount)
    life.shopify.pay(row)
    life.hear(str(row["id"]))
    return row


def given(life: Goodwill) -> list[Voucher]:
    with life.store.work.read() as tx:
        names = sorted({entry.account for entry in books.all_entries(tx, SHOPIFY)})
        return [each for each in vouchers.of_accounts(tx, SHOPIFY, names) if each.kind == "store_credit"]


def held(life: Goodwill) -> dict[str, Decimal]:
    """What is where of her credit, over all grants."""
    found: dict[str, Decimal] = {}
    with life.store.work.read() as tx:
        mine = [entry for entry in books.all_entries(tx, SHOPIFY) if entry.unit == "credit/EUR"]
    for places in balances(mine).values():
        for place, amount in places.items():
            if place is not Place.SOURCE and amount:
                found[str(place)] = found.get(str(place), Decimal(0)) + amount
    return found


def of(order: Json, life: Goodwill) -> Decimal:
    """What the books say this order took."""
    with life.store.work.read() as tx:
        told = books.facts_because(tx, SHOPIFY, f"order/{order['id']}")
    sign = {"spend": 1, "give_back": -1}
    return sum((fact.amount * sign.get(str(fact.kind), 0) for fact in told), Decimal(0))


def in_shop(life: Goodwill) -> Decimal:
    rows = [row for account in life.shopify.credit_accounts.values() for row in account["transactions"]]
    return sum((Decimal(row["amount"]["amount"]) for row in rows), Decimal(0))


def test_each_order_is_matched_with_what_it_took(life: Goodwill) -> None:
    first = bought(life, "3.00")
    life.worker.drain()
    assert held(life) == {"spent": 3, "available": 2}
    (voucher,) = given(life)
    assert voucher.state == vouchers.ISSUED
    second = bought(life, "2.00")
    life.worker.drain()
    assert held(life) == {"spent": 5}
    assert (of(first, life), of(second, life)) == (3, 2)
    (voucher,) = given(life)
    assert (voucher.state, voucher.used_order) == (vouchers.USED, str(second["id"]))
    with life.store.work.read() as tx:
        assert [each.key for each in vouchers.used_in(tx, SHOPIFY, str(second["id"]))] == [voucher.key]


def test_two_orders_that_are_asked_about_together_get_each_its_own(life: Goodwill) -> None:
    first, second = bought(life, "3.00"), bought(life, "1.50")
    life.worker.drain()
    assert (of(first, life), of(second, life)) == (3, Decimal("1.5"))
    assert held(life) == {"spent": Decimal("4.5"), "available": Decimal("0.5")}


def test_credit_that_somebody_else_gave_is_not_ours(life: Goodwill) -> None:
    """20 EUR from the shop's people, lapsing first: an order takes 21, one of them ours."""
    customer = gid("Customer", next(iter(life.shopify.customers)))
    soon = (life.clock.now() + timedelta(days=10)).isoformat()
    amount = {"amount": "20.00", "currencyCode": "EUR"}
    store_credit_account_credit(life.shopify, customer, {"creditAmount": amount, "expiresAt": soon})
    order = bought(life, "18.00")
    life.worker.drain()
    assert (of(order, life), held(life)) == (0, {"available": 5})
    order = bought(life, "3.00")
    life.worker.drain()
    assert (of(order, life), held(life)) == (1, {"available": 4, "spent": 1})


def test_told_again_and_after_a_death_it_is_entered_once(life: Goodwill) -> None:
    order = bought(life, "3.00")
    life.hear(str(order["id"]))
    life.worker.drain()
    life.kiitos = build_goodwill(life.clock, life.store, life.shopify, life.folder)
    life.worker = Worker(life.kiitos)
    life.hear(str(order["id"]))
    life.until(hours=2)
    assert (of(order, life), held(life)) == (3, {"available": 2, "spent": 3})


def test_what_a_cancellation_gives_back_can_be_used_again(life: Goodwill) -> None:
    order = bought(life, "5.00")
    life.worker.drain()
    assert given(life)[0].state == vouchers.USED
    life.shopify.cancel(order, refund=False)
    revert_credit(life.shopify, order)
    life.hear(str(order["id"]))
    life.until(seconds=GIVEN_BACK_AFTER[0].total_seconds() + 60)
    assert (of(order, life), held(life)) == (0, {"available": 5})
    assert given(life)[0].state == vouchers.ISSUED
    again = bought(life, "5.00")
    life.worker.drain()
    assert (of(again, life), given(life)[0].used_order) == (5, str(again["id"]))


def test_only_what_was_not_used_is_taken_back(life: Goodwill) -> None:
    """3 of 5 were used, and 4 came from elsewhere: those are hers, whatever becomes of ours."""
    bought(life, "3.00")
    life.worker.drain()
    customer = gid("Customer", next(iter(life.shopify.customers)))
    store_credit_account_credit(life.shopify, customer, {"creditAmount": {"amount": "4.00", "currencyCode": "EUR"}})
    assert in_shop(life) == 6
    (voucher,) = given(life)
    with life.store.work.transaction() as tx:
        assert void(tx, SHOPIFY, voucher, "given by mistake", life.clock.now())
    life.worker.drain()
    assert in_shop(life) == 4
    assert held(life) == {"spent": 3}


def test_an_order_that_no_credit_paid_asks_nothing(life: Goodwill) -> None:
    row = life.shopify.place_order([(MUG, 1)], AINO)
    life.hear(str(row["id"]))
    life.worker.drain()
    with life.store.work.read() as tx:
        assert [each.kind for each in effects.of_order(tx, SHOPIFY, str(row["id"])) if each.kind == CREDIT_USE] == []


def test_a_shop_that_cannot_be_asked_is_asked_later(life: Goodwill) -> None:
    order = bought(life, "3.00")
    life.shopify.trouble(*[Trouble(status=503)] * 40)
    life.until(minutes=4)
    assert held(life) == {"available": 5}
    life.shopify.troubles.clear()
    life.until(hours=2)
    assert (of(order, life), held(life)) == (3, {"available": 2, "spent": 3})


@pytest.mark.parametrize("seed", range(int(os.environ.get("KIITOS_SHOPS", "6"))))
def test_whatever_is_bought_given_and_undone_the_books_are_as_the_shop(life: Goodwill, seed: int) -> None:
    """Each order's share as a recount of the shop's account has it; webhooks late, twice and in any order."""
    rng = random.Random(seed)
    customer = gid("Customer", next(iter(life.shopify.customers)))
    paid: list[Json] = []
    waiting: list[str] = []
    for _ in range(12):
        life.clock.advance(timedelta(hours=rng.randint(1, 30)))
        balance = in_shop(life)
        what = rng.choice(["buy", "buy", "buy", "other", "undo", "gift"])
        if what == "buy" and balance > 1:
            row = life.shopify.place_order([(MUG, 1)], AINO, pay=False)
            pay_with_credit(
                life.shopify,
                row,
                str(rng.choice([Decimal("0.50"), Decimal(1), (balance / 2).quantize(Decimal("0.01")), balance])),
            )
            life.shopify.pay(row)
            paid.append(row)
            waiting += [str(row["id"])] * rng.choice([1, 1, 2])
        elif what == "other":
            soon = (life.clock.now() + timedelta(days=rng.randint(40, 400))).isoformat()
            money = {"amount": "4.00", "currencyCode": "EUR"}
            store_credit_account_credit(life.shopify, customer, {"creditAmount": money, "expiresAt": soon})
        elif what == "undo" and paid:
            row = paid.pop(rng.randrange(len(paid)))
            life.shopify.cancel(row, refund=False)
            revert_credit(life.shopify, row)
            waiting.append(str(row["id"]))
        elif what == "gift":
            life.order()
        rng.shuffle(waiting)
        for _ in range(rng.randint(0, len(waiting))):
            life.hear(waiting.pop())
            life.worker.drain()
    for order_id in waiting:
        life.hear(order_id)
    life.until(days=4)
    ours = {voucher.key: Decimal(voucher.worth.split()[0]) for voucher in given(life)}
    (account,) = life.shopify.credit_accounts.values()
    left = remaining_of(account)
    used = sum(worth - left[int(key)] for key, worth in ours.items())
    assert held(life).get("spent", Decimal(0)) == used
    assert held(life).get("available", Decimal(0)) == sum(ours.values()) - used
    for row in life.shopify.orders.values():
        took = sum(
            -Decimal(each["amount"]["amount"]) for each in account["transactions"] if each.get("order_id") == row["id"]
        )
        assert 0 <= of(row, life) <= (0 if row["cancelled_at"] else took)


def test_a_match_by_what_is_missing_alone_is_found_out(life: Goodwill, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of the tests: who forgets what an order itself took gives the first order everything."""
    monkeypatch.setattr(crediting._Sheet, "of_order", lambda self, order_id: Decimal(-99))
    first, second = bought(life, "3.00"), bought(life, "1.50")
    life.worker.drain()
    assert (of(first, life), of(second, life)) != (3, Decimal("1.5"))
