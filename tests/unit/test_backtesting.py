"""The look back equals a recount by hand, day by day and piece by piece, on 50 generated shops."""

from __future__ import annotations

import random  # noqa: TID251 - a generator of its own seed
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from connector.config.layering import merge
from connector.config.loyalty import Programme, read_loyalty
from connector.model import (
    FinancialStatus,
    FulfillmentStatus,
    LineItem,
    Money,
    Order,
    OrderStatus,
    Refund,
    ShippedLine,
)
from flows.value import earning
from flows.value.backtesting import count, look_at

START = datetime(2025, 1, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
END = START + 365 * DAY


def programme(chance: random.Random) -> Programme:
    table = {
        "return_window": f"{chance.choice([10, 28])}d",
        "pending_from": chance.choice(["delivery", "delivery", "payment"]),
        "expires": f"{chance.choice([60, 150])}d",
        "rules": {
            "spend": {"kind": "spend", "points": chance.choice([1, 3]), "per": chance.choice(["1 EUR", "2.50 EUR"])},
            "beans": {"kind": "product", "products": ["beans"], "points": 5},
            "first": {"kind": "first_order", "points": 40},
        },
        "tiers": {"silver": {"at": "100 EUR"}, "gold": {"at": "300 EUR"}},
        "badges": {"regular": {"orders": 4}},
    }
    faults: list[str] = []
    found = read_loyalty(merge([("app", {"loyalty": table})]), "shop", "EUR", faults)
    assert faults == []
    return found


def shop(chance: random.Random) -> list[tuple[Order, list[Refund]]]:
    found = []
    for number in range(chance.randrange(5, 40)):
        at = START + chance.randrange(365 * 24) * timedelta(hours=1)
        lines = []
        for key in range(chance.randrange(1, 4)):
            quantity = chance.choice([1, 1, 2, 3])
            total = Decimal(chance.randrange(100, 9000)) / 100
            lines.append(
                LineItem(
                    id=f"l{key}",
                    title="Thing",
                    quantity=quantity,
                    unit_price=Money(total, "EUR"),
                    total=Money(total, "EUR"),
                    product_id=chance.choice(["beans", "cup"]),
                )
            )
        refunds = [
            Refund(
                id=f"r{number}-{n}", order_id=str(number), at=at + DAY, lines=(ShippedLine(line_id=one.id, quantity=1),)
            )
            for n, one in enumerate(lines)
            if chance.random() < 0.2
        ]
        over = chance.random() < 0.1
        found.append(
            (
                Order(
                    id=str(number),
                    number=f"#{number}",
                    status=OrderStatus.CANCELLED if over else OrderStatus.OPEN,
                    raw_status="",
                    financial=FinancialStatus.PAID,
                    fulfillment=FulfillmentStatus.FULFILLED,
                    placed_at=at,
                    paid_at=at,
                    updated_at=at,
                    currency="EUR",
                    total=Money(sum((one.total.amount for one in lines), Decimal(0)), "EUR"),
                    email=f"p{chance.randrange(8)}@example.test",
                    lines=tuple(lines),
                ),
                refunds,
            )
        )
    return found


def arrivals(seed: int, orders: list[tuple[Order, list[Refund]]]) -> dict[str, datetime]:
    """When the last parcels arrived: of some orders at once, of some after the window, of others nobody ever heard."""
    chance = random.Random(f"parcels {seed}")
    days = {order.id: chance.choice([None, 0, 1, 3, 9, 14, 29, 45]) for order, _ in orders}
    return {order.id: order.placed_at + day * DAY for order, _ in orders if (day := days[order.id]) is not None}


def opened(rules: Programme, order: Order, arrived: dict[str, datetime]) -> datetime:
    """By hand: the window begins with the payment, and once more with the parcel if that comes before it is over."""
    days = rules.pending // DAY
    over = order.placed_at + days * DAY
    parcel = arrived.get(order.id) if rules.pending_from == "delivery" else None
    return parcel + days * DAY if parcel is not None and order.placed_at <= parcel < over else over


def recount(
    rules: Programme, orders: list[tuple[Order, list[Refund]]], arrived: dict[str, datetime]
) -> dict[str, object]:
    """By hand: piles of points with a day each, looked at one after the other."""
    by_rule = {rule.name: rule for rule in rules.rules}
    per, each = by_rule["spend"].per, by_rule["spend"].points
    assert per is not None
    assert rules.expires is not None
    earned = back = pending = usable = lapsed = 0
    sales = Decimal(0)
    spent: dict[str, Decimal] = {}
    kept_orders: dict[str, list[Order]] = {}
    piles: list[tuple[datetime, int]] = []
    for order, refunds in orders:
        if order.status is OrderStatus.CANCELLED:
            continue
        gone = {part.line_id: part.quantity for refund in refunds for part in refund.lines}
        money = sum((one.total.amount for one in order.lines), Decimal(0))
        cents_back = sum(
            # thirds of a cent matter: everything in six hundredths of a cent
            (int(one.total.amount * 100) * 6 * gone.get(one.id, 0) // one.quantity for one in order.lines),
            0,
        )
        all_cents = int(money * 100) * 6
        by_spend = int(money / per.amount * each) if (money * each) % per.amount else int(money * each / per.amount)
        spend_back = by_spend * cents_back // all_cents if cents_back < all_cents else by_spend
        beans = sum(one.quantity for one in order.lines if one.product_id == "beans")
        beans_gone = sum(gone.get(one.id, 0) for one in order.lines if one.product_id == "beans")
        earned += by_spend + beans * 5
        back += spend_back + beans_gone * 5
        piles.append((opened(rules, order, arrived), by_spend - spend_back))
        piles.append((opened(rules, order, arrived), (beans - beans_gone) * 5))
        buyer = str(order.email)
        spent[buyer] = spent.get(buyer, Decimal(0)) + money
        kept_orders.setdefault(buyer, []).append(order)
        sales += money
    for times in kept_orders.values():
        earned += 40
        piles.append((opened(rules, min(times, key=lambda one: (one.placed_at, one.id)), arrived), 40))
    for opens, points in piles:
        if opens > END:
            pending += points
        elif opens + rules.expires > END:
            usable += points
        else:
            lapsed += points
    tiers = {"gold": sum(v >= 300 for v in spent.values()), "silver": sum(100 <= v < 300 for v in spent.values())}
    regular = sum(len(times) >= 4 for times in kept_orders.values())
    return {
        "earned": earned,
        "back": back,
        "pending": pending,
        "available": usable,
        "expired": lapsed,
        "sales": sales,
        "orders": sum(len(times) for times in kept_orders.values()),
        "members": len(kept_orders),
        "tiers": {name: number for name, number in tiers.items() if number},
        "badges": {"regular": regular} if regular else {},
    }


def looked(
    rules: Programme, orders: list[tuple[Order, list[Refund]]], arrived: dict[str, datetime]
) -> dict[str, object]:
    past = [look_at(rules, order, back, {}, arrived.get(order.id)) for order, back in orders]
    found = count(rules, past, START, END, "EUR", "UTC")
    return {
        "earned": found.earned,
        "back": found.taken_back,
        "pending": found.pending,
        "available": found.available,
        "expired": found.expired,
        "sales": found.sales,
        "orders": found.orders,
        "members": found.members,
        "tiers": found.tiers,
        "badges": found.badges,
    }


@pytest.mark.parametrize("seed", range(50))
def test_the_look_back_is_what_a_count_by_hand_says(seed: int) -> None:
    chance = random.Random(seed)
    rules, orders = programme(chance), shop(chance)
    arrived = arrivals(seed, orders)
    assert looked(rules, orders, arrived) == recount(rules, orders, arrived)


def test_a_look_back_that_counts_from_payment_alone_is_found() -> None:
    """Planted: some of the fifty shops show it."""
    wrong = 0
    for seed in range(50):
        chance = random.Random(seed)
        rules, orders = programme(chance), shop(chance)
        wrong += looked(rules, orders, {}) != recount(rules, orders, arrivals(seed, orders))
    assert wrong >= 5


def test_a_look_back_that_forgets_refunds_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        earning, "shares_back", lambda order, refunds: {line.id: earning.Fraction(0) for line in order.lines}
    )
    chance = random.Random(1)
    rules, orders = programme(chance), shop(chance)
    assert looked(rules, orders, {}) != recount(rules, orders, {})


def test_what_it_costs_and_when_it_pays_for_itself() -> None:
    chance = random.Random(2)
    rules, orders = programme(chance), shop(chance)
    found = count(rules, [look_at(rules, order, back, {}) for order, back in orders], START, END, "EUR", "UTC")
    found = replace(found, pending=Decimal(1000), available=Decimal(500), sales=Decimal(600))
    cent = Money.parse("0.01", "EUR")
    assert found.liability(cent) == Money.parse("15.00", "EUR")
    assert found.cost(cent, Decimal("0.6")).amount == 9
    assert found.to_pay_for_itself(cent, Decimal("0.6"), Decimal("0.5")) == Decimal("0.03")
