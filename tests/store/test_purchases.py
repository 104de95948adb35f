"""What people bought, in whatever order the shop told of it: against a recount by hand, on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.model import (
    Buyer,
    Customer,
    EventKind,
    FinancialStatus,
    LineItem,
    Money,
    Order,
    OrderStatus,
    Purchase,
    Ref,
)
from connector.store import Store, entities, people, purchases
from tests.store.examples import NOW, SHOP, event, order, order_event

PEOPLE = (
    ("aino@example.test", "71"),
    ("AINO@example.test", None),
    ("olli@example.test", None),
    (None, "72"),
    (None, None),
)
SHOPS = count(1)
BUYERS = (Buyer("aino@example.test", "71"), Buyer("olli@example.test"), Buyer(None, "72"))
STATES = (
    (OrderStatus.OPEN, FinancialStatus.PAID),
    (OrderStatus.OPEN, FinancialStatus.PENDING),
    (OrderStatus.OPEN, FinancialStatus.AUTHORIZED),
    (OrderStatus.COMPLETED, FinancialStatus.PARTIALLY_REFUNDED),
    (OrderStatus.OPEN, FinancialStatus.REFUNDED),
    (OrderStatus.CANCELLED, FinancialStatus.PAID),
    (OrderStatus.FAILED, FinancialStatus.OTHER),
)


def snapshot(number: int, version: int, who: int, state: int, total: int, back: int, *, test: bool = False) -> Order:
    email, customer_id = PEOPLE[who]
    status, financial = STATES[state]
    amount = Money(Decimal(total), "EUR")
    return replace(
        order(str(number), email=email, updated_at=NOW + timedelta(hours=version)),
        customer=Customer(id=customer_id, email=email) if customer_id else None,
        placed_at=NOW + timedelta(days=number % 5),
        status=status,
        financial=financial,
        total=amount,
        refunded=Money(Decimal(back), "EUR") if back else None,
        is_test=test,
        lines=(LineItem(id="1", title="A", quantity=2, unit_price=amount, total=amount, product_id=f"p{total % 3}"),),
    )


def bought_by_hand(history: Sequence[Order], buyer: Buyer) -> list[tuple[str, Decimal]]:
    """The purchases of one person as somebody with paper would find them: the newest word of each order decides."""
    newest: dict[str, Order] = {}
    for told in history:
        if told.id not in newest or told.updated_at > newest[told.id].updated_at:
            newest[told.id] = told
    found = []
    for last in newest.values():
        address = (last.email or "").lower() or None
        account = last.customer.id if last.customer else None
        theirs = address == buyer.email_key if address else bool(account) and account == buyer.customer_id
        paid = last.financial in ("paid", "authorized", "partially_refunded") or last.status == "completed"
        paid = paid or last.total.amount == 0
        back = last.refunded.amount if last.refunded else Decimal(0)
        over = last.status in ("cancelled", "failed") or last.financial == "refunded" or last.is_test
        if theirs and paid and not over and (last.total.amount == 0 or back < last.total.amount):
            found.append((last.id, max(last.total.amount - back, Decimal(0))))
    return sorted(found)


ORDERS = st.lists(
    st.tuples(
        st.integers(1, 6),
        st.integers(0, 9),
        st.integers(0, len(PEOPLE) - 1),
        st.integers(0, len(STATES) - 1),
        st.integers(0, 50),
        st.integers(0, 60),
    ),
    max_size=14,
    unique_by=lambda told: told[:2],  # one version of an order says one thing
)


def told(store: Store, history: Sequence[Order], shop_id: str) -> None:
    for one in history:
        with store.work.transaction() as tx:
            entities.apply(tx, shop_id, order_event(one), NOW)


def found(store: Store, buyer: Buyer, shop_id: str) -> list[tuple[str, Decimal]]:
    with store.work.read() as tx:
        return sorted((one.order_id, one.amount.amount) for one in purchases.of_buyer(tx, shop_id, buyer))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=ORDERS, chance=st.randoms())
def test_in_any_order_and_repeated_it_is_what_a_recount_finds(
    history: list[tuple[int, int, int, int, int, int]], chance: Any, store: Store
) -> None:
    orders = [snapshot(*one) for one in history]
    shuffled = [*orders, *chance.choices(orders, k=len(orders) // 2)] if orders else []
    chance.shuffle(shuffled)
    shop_id = f"shop-{next(SHOPS)}"
    told(store, shuffled, shop_id)
    for buyer in BUYERS:
        assert found(store, buyer, shop_id) == bought_by_hand(orders, buyer)


def test_the_recount_would_see_a_refund_that_is_forgotten(store: Store) -> None:
    paid = snapshot(1, 0, 0, 0, 30, 0)
    refunded = replace(paid, updated_at=paid.updated_at + timedelta(hours=1), refunded=Money(Decimal(10), "EUR"))
    told(store, [paid], SHOP)
    assert found(store, BUYERS[0], SHOP) != bought_by_hand([paid, refunded], BUYERS[0])
    told(store, [refunded, paid], SHOP)
    assert found(store, BUYERS[0], SHOP) == [("1", Decimal(20))]


def test_what_was_stored_before_there_were_figures_counts_by_its_snapshot(store: Store) -> None:
    told(store, [snapshot(1, 0, 0, 0, 30, 0), snapshot(2, 0, 0, 5, 30, 0)], SHOP)
    with store.work.transaction() as tx:
        tx.script("UPDATE orders SET bought = NULL")
    assert found(store, BUYERS[0], SHOP) == [("1", Decimal(30))]


def test_a_deleted_order_is_no_purchase_and_its_return_is_one(store: Store) -> None:
    first = snapshot(1, 0, 0, 0, 30, 0)
    gone = event(EventKind.ORDER_DELETED, Ref("order", "1"), happened=NOW + timedelta(hours=1))
    told(store, [first], SHOP)
    with store.work.transaction() as tx:
        assert purchases.of_buyer(tx, SHOP, BUYERS[0])
        entities.apply(tx, SHOP, gone, NOW)
        assert purchases.of_buyer(tx, SHOP, BUYERS[0]) == (), "the same transaction sees it"
    told(store, [replace(first, updated_at=NOW + timedelta(hours=2))], SHOP)
    assert found(store, BUYERS[0], SHOP) == [("1", Decimal(30))]


def test_the_same_transaction_sees_an_order_it_has_just_taken_in(store: Store) -> None:
    with store.work.transaction() as tx:
        assert purchases.of_buyer(tx, SHOP, BUYERS[0]) == ()
        entities.apply(tx, SHOP, order_event(snapshot(1, 0, 0, 0, 30, 0)), NOW)
        assert [one.order_id for one in purchases.of_buyer(tx, SHOP, BUYERS[0])] == ["1"]


def test_nobody_bought_what_nobody_is_named_for(store: Store) -> None:
    told(store, [snapshot(1, 0, 4, 0, 30, 0)], SHOP)
    assert found(store, Buyer(), SHOP) == []
    assert found(store, Buyer(None, "72"), SHOP) == []


def test_who_is_forgotten_has_bought_nothing(store: Store) -> None:
    told(store, [snapshot(1, 0, 0, 0, 30, 0), snapshot(2, 0, 2, 0, 20, 0)], SHOP)
    with store.work.transaction() as tx:
        people.erase(tx, people.find(tx, SHOP, email="aino@example.test"), lambda: "chance", [], "request")
        left = tx.all("order_of_ids", shop_id=SHOP, ids='["1"]')
    assert left[0]["snapshot"] is None
    assert (found(store, BUYERS[0], SHOP), found(store, BUYERS[1], SHOP)) == ([], [("2", Decimal(20))])


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_page_by_page_everybody_is_met_once_and_whole(store: Store, limit: int) -> None:
    from connector.store import figures

    told(store, [snapshot(number, 0, number % 3, 0, 10, 0) for number in range(1, 12)], SHOP)
    met: list[tuple[str, tuple[Purchase, ...]]] = []
    with store.work.read() as tx:
        while page := figures.purchases_after(tx, SHOP, met[-1][0] if met else "", limit):
            met += page
    assert [name for name, _ in met] == ["aino@example.test", "olli@example.test"]
    assert [len(bought) for _, bought in met] == [7, 4]
