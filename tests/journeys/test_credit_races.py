"""Store credit that is used, given back and taken back at once: nobody loses what is theirs, and the books end as the
shop's account."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.model import EffectStatus
from connector.store import effects, vouchers
from connector.store.vouchers import Voucher
from connector.testing.fakes.shopify.grants import (
    revert_credit,
    store_credit_account_credit,
    store_credit_account_debit,
)
from connector.testing.fakes.shopify.state import Json, gid
from connector.testing.world import SHOPIFY
from flows.value.crediting import CREDIT_USE, GIVEN_BACK_AFTER, matched
from flows.value.vouchers import void
from platforms.shopify import voiding
from tests.journeys.acting import Goodwill
from tests.journeys.test_credit_used import bought, given, held, in_shop, life, of

__all__ = ["life"]

SOON = GIVEN_BACK_AFTER[0] + timedelta(minutes=1)


def gives(life: Goodwill, amount: str) -> None:
    """The shop's people give her credit that never lapses."""
    money = {"amount": amount, "currencyCode": "EUR"}
    store_credit_account_credit(life.shopify, _customer(life), {"creditAmount": money})


def takes(life: Goodwill, amount: str) -> None:
    """The shop's people take credit from her."""
    money = {"amount": amount, "currencyCode": "EUR"}
    store_credit_account_debit(life.shopify, _customer(life), {"debitAmount": money})


def _customer(life: Goodwill) -> str:
    return gid("Customer", next(iter(life.shopify.customers)))


def takes_back(life: Goodwill, voucher: Voucher) -> bool:
    with life.store.work.transaction() as tx:
        return void(tx, SHOPIFY, voucher, "given by mistake", life.clock.now())


def cancels(life: Goodwill, order: Json) -> None:
    life.shopify.cancel(order, refund=False)
    revert_credit(life.shopify, order)
    life.hear(str(order["id"]))


@pytest.mark.parametrize("others", ["0", "4.00"])
def test_taken_back_before_the_use_is_known(life: Goodwill, others: str) -> None:
    """3 of 5 are used and nobody has asked yet: 2 are taken, and nothing of what others gave."""
    order = bought(life, "3.00")
    if others != "0":
        gives(life, others)
    (voucher,) = given(life)
    assert takes_back(life, voucher)
    life.until(hours=2)
    assert in_shop(life) == int(float(others))
    assert (held(life), of(order, life)) == ({"spent": 3}, 3)
    assert given(life)[0].state == vouchers.VOIDED


def test_a_debit_by_the_balance_alone_is_found_out(life: Goodwill, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of the test above: as it was."""
    monkeypatch.setattr(voiding.CreditRows, "_remaining", lambda *_: None)
    bought(life, "3.00")
    gives(life, "4.00")
    takes_back(life, given(life)[0])
    life.until(hours=2)
    assert in_shop(life) == 1


def test_of_two_credits_the_other_one_is_taken_back(life: Goodwill) -> None:
    """The later one is taken back: Shopify debits the one that lapses first. Nothing is lost, and nothing owed."""
    life.order()
    life.until(days=3)
    sooner, later = sorted(given(life), key=lambda each: (each.expires_at, each.key))
    assert takes_back(life, later)
    life.until(hours=1)
    assert in_shop(life) == 5
    order = bought(life, "2.00")
    life.until(hours=1)
    assert (held(life), of(order, life)) == ({"spent": 2, "available": 3}, 2)
    (rest,) = (each for each in given(life) if each.key == sooner.key)
    assert rest.state == vouchers.ISSUED


def test_what_people_took_is_no_orders(life: Goodwill) -> None:
    """They took our 5 and gave 10 of their own, of which an order used 3."""
    takes(life, "5.00")
    gives(life, "10.00")
    order = bought(life, "3.00")
    life.until(hours=2)
    assert (of(order, life), given(life)[0].state) == (0, vouchers.ISSUED)


def test_used_taken_back_and_given_back(life: Goodwill) -> None:
    """It was used when it was to be taken back, and is taken when a cancellation gives it back."""
    order = bought(life, "5.00")
    life.until(hours=1)
    cancels(life, order)
    life.until(minutes=2)
    assert not takes_back(life, given(life)[0])
    life.until(hours=3)
    assert in_shop(life) == 0
    assert (held(life), of(order, life), given(life)[0].state) == ({}, 0, vouchers.VOIDED)


def test_partly_used_taken_back_and_the_rest_given_back(life: Goodwill) -> None:
    order = bought(life, "3.00")
    life.until(hours=1)
    assert takes_back(life, given(life)[0])
    life.until(hours=1)
    assert (in_shop(life), held(life)) == (0, {"spent": 3})
    cancels(life, order)
    life.until(hours=2)
    assert (in_shop(life), held(life), given(life)[0].state) == (0, {}, vouchers.VOIDED)
    life.until(days=2)
    assert in_shop(life) == 0, "it was taken once"


def test_given_back_late_or_with_a_refund(life: Goodwill) -> None:
    order = bought(life, "5.00")
    life.until(hours=1)
    life.shopify.cancel(order, refund=False)
    life.hear(str(order["id"]))
    life.until(hours=2)
    assert held(life) == {"spent": 5}
    revert_credit(life.shopify, order)
    life.until(days=1)
    assert held(life) == {"available": 5}
    again = bought(life, "5.00")
    life.until(hours=1)
    life.shopify.refund(again, [(again["line_items"][0], 1)])
    revert_credit(life.shopify, again)
    life.hear(str(again["id"]))
    life.until(seconds=SOON.total_seconds())
    assert (held(life), given(life)[0].state) == ({"available": 5}, vouchers.ISSUED)


def test_used_again_before_it_is_known_to_be_back(life: Goodwill) -> None:
    order = bought(life, "5.00")
    life.until(hours=1)
    cancels(life, order)
    life.until(minutes=2)
    again = bought(life, "5.00")
    life.until(hours=2)
    assert (of(order, life), of(again, life), held(life)) == (0, 5, {"spent": 5})
    assert given(life)[0].used_order == str(again["id"])


def test_an_answer_that_is_older_than_another_undoes_nothing(life: Goodwill) -> None:
    """Two workers: the one that read first is heard last."""
    order = bought(life, "1.00")
    life.until(hours=1)
    cancels(life, order)
    life.until(seconds=SOON.total_seconds())
    with life.store.work.read() as tx:
        asked = [each for each in effects.of_order(tx, SHOPIFY, str(order["id"])) if each.kind == CREDIT_USE]
    (old,) = (each for each in asked if each.request["undone"] and each.status is EffectStatus.SENT)
    again = bought(life, "3.00")
    life.worker.drain()
    assert of(again, life) == 3
    with life.store.work.transaction() as tx:
        assert matched(tx, old, old.result, life.clock.now()) == {}
    assert (of(order, life), of(again, life), held(life)) == (0, 3, {"spent": 3, "available": 2})


def test_a_customer_who_is_gone_is_asked_about_once(life: Goodwill) -> None:
    order = bought(life, "3.00")
    life.shopify.customers.pop(next(iter(life.shopify.customers)))
    life.until(hours=1)
    with life.store.work.read() as tx:
        (asked,) = [each for each in effects.of_order(tx, SHOPIFY, str(order["id"])) if each.kind == CREDIT_USE]
    assert (asked.status, asked.attempts) == (EffectStatus.SENT, 1)
    assert of(order, life) == 0
