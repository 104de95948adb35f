"""A customer's figures, and the one definition of what counts as bought."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.model import (
    FinancialStatus,
    FulfillmentStatus,
    LineItem,
    Money,
    Order,
    OrderStatus,
    Purchase,
    buyer_of,
    purchase_of,
)
from flows.knowing.lifetime import Lifetime, Quintiles, RfmClass, fifths, gaps, lifetime_of, middle, rfm_class, rounded
from tests.engine.world import order

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def eur(amount: str | int) -> Money:
    return Money(Decimal(amount), "EUR")


def bought(number: int, days_ago: float, amount: int = 10, *products: str, currency: str = "EUR") -> Purchase:
    return Purchase(
        order_id=str(number),
        placed_at=NOW - timedelta(days=days_ago),
        amount=Money(Decimal(amount), currency),
        products=tuple((product, 1) for product in products),
    )


def figures(*purchases: Purchase, now: datetime = NOW) -> Lifetime:
    return lifetime_of(purchases, now, "EUR")


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, True),
        ({"financial": FinancialStatus.PENDING, "paid_at": None}, False),
        ({"financial": FinancialStatus.OTHER, "paid_at": None}, False),
        ({"financial": FinancialStatus.OTHER, "paid_at": NOW}, True),
        ({"financial": FinancialStatus.PENDING, "paid_at": None, "fulfillment": FulfillmentStatus.PARTIAL}, True),
        ({"financial": FinancialStatus.PENDING, "paid_at": None, "status": OrderStatus.COMPLETED}, True),
        ({"financial": FinancialStatus.PENDING, "paid_at": None, "total": eur(0)}, True),
        ({"financial": FinancialStatus.AUTHORIZED, "paid_at": None}, True),
        ({"financial": FinancialStatus.VOIDED}, False),
        ({"financial": FinancialStatus.EXPIRED}, False),
        ({"financial": FinancialStatus.REFUNDED}, False),
        ({"refunded": eur(50)}, False),
        ({"refunded": eur(49)}, True),
        ({"refunded": Money(Decimal(50), "SEK")}, True),
        ({"status": OrderStatus.CANCELLED}, False),
        ({"status": OrderStatus.DELETED}, False),
        ({"status": OrderStatus.DRAFT}, False),
        ({"cancelled_at": NOW}, False),
        ({"is_test": True}, False),
    ],
)
def test_what_counts_as_bought(changes: dict[str, Any], counts: bool) -> None:
    one = order(total=eur(50), financial=FinancialStatus.PAID, paid_at=NOW)
    assert (purchase_of(replace(one, **changes)) is not None) is counts


def test_a_purchase_is_what_was_kept_of_it() -> None:
    def line(number: str, product: str | None, quantity: int, left: int | None = None, gift: bool = False) -> LineItem:
        return LineItem(
            id=number, title="x", quantity=quantity, unit_price=eur(5), total=eur(5), product_id=product,
            current_quantity=left, is_gift_card=gift,
        )  # fmt: skip

    lines = (
        line("1", "a", 2),
        line("2", "b", 3, 0),
        line("3", None, 1),
        line("4", "g", 1, gift=True),
        line("5", "a", 4, 1),
    )
    one = order(total=eur(50), financial=FinancialStatus.PAID, refunded=eur(15), lines=lines)
    found = purchase_of(one)
    assert found is not None
    assert (found.amount, found.products) == (eur(35), (("a", 3),))


def test_a_buyer_is_an_address_and_only_without_one_an_account() -> None:
    one: Order = order(email="Aino@Example.test")
    assert buyer_of(one).name == "aino@example.test"
    assert not buyer_of(replace(one, email=None, customer=None))


def test_figures_of_nobody() -> None:
    nothing = figures()
    assert (nothing.orders, nothing.spent, nothing.average) == (0, eur(0), eur(0))
    assert (nothing.last_order_at, nothing.recency_days, nothing.interval, nothing.rfm) == (None, None, None, None)


def test_figures_of_a_regular() -> None:
    found = figures(
        bought(1, 100, 10, "a", "b"), bought(2, 70, 20, "b"), bought(3, 69.9, 5, "c"), bought(4, 10.5, 26, "b", "c")
    )
    assert (found.orders, found.spent, found.average) == (4, eur(61), eur("15.25"))
    assert (found.first_order_at, found.last_order_id) == (NOW - timedelta(days=100), "4")
    assert (found.recency_days, found.interval_days) == (10, 30), "an order two hours after another is no return"
    assert found.overdue == Decimal(10) / 30
    assert found.favourites == ("b", "c", "a")
    assert found.products == ("a", "b", "c")


def test_currencies_are_not_mixed() -> None:
    found = figures(bought(1, 9, 100), bought(2, 8, 30, currency="SEK"), bought(3, 7, 50, currency="SEK"))
    assert (found.orders, found.spent, found.average) == (
        3, Money(Decimal(80), "SEK"), Money(Decimal("40.00"), "SEK"),
    )  # fmt: skip
    even = figures(bought(1, 9, 100), bought(2, 8, 30, currency="SEK"))
    assert even.spent.currency == "SEK", "of two, the one they last paid in"


def test_an_order_of_tomorrow_by_a_wrong_clock_is_of_today() -> None:
    assert figures(bought(1, -1)).recency_days == 0


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 400), st.integers(0, 90)), max_size=12, unique_by=lambda x: x[0]
    ),
    st.randoms(),
)
def test_the_order_of_the_telling_makes_no_difference(history: list[tuple[int, int, int]], chance: Any) -> None:
    purchases = [bought(number, days, amount, f"p{amount % 4}") for number, days, amount in history]
    told = list(purchases)
    chance.shuffle(told)
    assert figures(*told) == figures(*purchases)


# -- quintiles ---------------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=5, max_size=60))
def test_fifths_part_as_ranks_do(values: list[int]) -> None:
    """By the definition: a value's fifth is the first whose cut is not below it."""
    cuts = fifths({value: values.count(value) for value in values})
    assert len(cuts) == 4
    ordered = sorted(values)
    for value in set(values):
        fifth = sum(cut < value for cut in cuts)
        below = sum(other < value for other in ordered)
        assert fifth <= 4
        assert below * 5 >= len(values) * fifth, "so many fifths lie wholly below it"
        assert fifth == 4 or below * 5 < len(values) * (fifth + 1), "and not one more"


def test_scores_and_classes() -> None:
    quintiles = Quintiles(
        recency=(10, 30, 60, 120), frequency=(1, 1, 1, 2), money={"EUR": tuple(map(Decimal, (10, 20, 50, 90)))}
    )
    assert quintiles.scores(5, 4, eur(100)) == (5, 5, 5)
    assert quintiles.scores(121, 1, eur(3)) == (1, 1, 1)
    assert quintiles.scores(10, 2, eur(10)) == (5, 4, 1)
    assert quintiles.scores(10, 2, Money(Decimal(10), "SEK")) is None
    assert (rfm_class(5, 5, 5), rfm_class(1, 1, 1), rfm_class(1, 5, 5)) == (
        RfmClass.CHAMPION, RfmClass.LOST, RfmClass.CANNOT_LOSE,
    )  # fmt: skip
    found = lifetime_of([bought(1, 5, 100)], NOW, "EUR", quintiles)
    assert (found.rfm, found.rfm_scores) == (RfmClass.LOYAL, "515")


def test_every_score_has_a_class() -> None:
    all_of = range(1, 6)
    assert RfmClass.OTHER not in {rfm_class(r, f, m) for r in all_of for f in all_of for m in all_of}


@pytest.mark.parametrize(("amount", "found"), [("0", "0"), ("1234.56", "1230"), ("9.996", "10"), ("0.01234", "0.0123")])
def test_amounts_are_ranked_by_three_digits(amount: str, found: str) -> None:
    assert rounded(Decimal(amount)) == Decimal(found)


def test_gaps_and_their_middle() -> None:
    days = [0, 0.5, 10, 10.9, 40]
    assert gaps(NOW + timedelta(days=day) for day in days) == [9, 29]
    assert (middle([9, 29]), middle([3, 1, 2]), middle([])) == (9, 2, None)
