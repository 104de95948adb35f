"""Generated pasts in the product's words: the table of the programme, orders, refunds, products."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from connector.model import (
    Customer,
    FinancialStatus,
    FulfillmentStatus,
    LineItem,
    Money,
    Order,
    OrderStatus,
    Product,
    Refund,
    ShippedLine,
)
from tests.past.shops import Challenge, Past, Rules, Sale

PRODUCTS = {
    "tea": Product(id="tea", title="Sencha", product_type="Tea"),
    "mate": Product(id="mate", title="Mate", tags=("green", "warm")),
    "beans": Product(id="beans", title="Beans", tags=("dark",)),
    "cup": Product(id="cup", title="Cup", product_type="Cups"),
}


def euros(cents: int) -> Money:
    return Money(Decimal(cents) / 100, "EUR")


def table(past: Past) -> dict[str, Any]:
    """The `[loyalty]` table."""
    rules = past.rules
    found: dict[str, Any] = {
        "return_window": f"{rules.window}d",
        "pending_from": "delivery" if rules.from_delivery else "payment",
        "measure": rules.measure,
        "period": rules.period,
        "span": f"{rules.span}d",
        "grace": f"{rules.grace}d",
        "rules": {
            "spend": {"kind": "spend", "points": rules.points, "per": f"{Decimal(rules.per) / 100} EUR"},
            "beans": {"kind": "product", "products": ["beans"], "points": rules.beans},
            "collection": {
                "kind": "collection",
                "tags": ["warm"],
                "types": ["Tea"],
                "points": rules.collection,
            },
            "first": {"kind": "first_order", "points": rules.first},
        },
        "tiers": {name: {"at": _level(rules, least)} for name, least in rules.tiers},
        "badges": {"regular": {"orders": rules.regular}},
        "challenges": {goal.name: _challenge(past, goal) for goal in rules.challenges},
    }
    return found | ({"expires": f"{rules.expires}d"} if rules.expires else {})


def _level(rules: Rules, least: int) -> object:
    return f"{Decimal(least) / 100} EUR" if rules.measure == "spend" else least


def _challenge(past: Past, goal: Challenge) -> dict[str, Any]:
    found: dict[str, Any] = {
        "begins": f"{past.date(goal.begins)}",
        "ends": f"{past.date(goal.ends)}",
        "points": goal.points,
        "badge": goal.badge,
    }
    found |= {"orders": goal.orders} if goal.orders else {}
    return found | ({"spent": f"{Decimal(goal.spent) / 100} EUR"} if goal.spent else {})


def order_of(past: Past, sale: Sale, paid: bool = True) -> Order:
    """As the shop has it today, before it was paid if not `paid`."""
    back = sum(each.cents for each in sale.backs)
    financial = FinancialStatus.PAID if paid else FinancialStatus.PENDING
    if back and not sale.silent:
        financial = FinancialStatus.REFUNDED if back >= sale.cents else FinancialStatus.PARTIALLY_REFUNDED
    days = [sale.paid if paid else sale.day, *(each.day for each in sale.backs), *([sale.over] if sale.over else [])]
    over = sale.lost or sale.over is not None
    return Order(
        id=sale.id,
        number=f"#{sale.id}",
        status=OrderStatus.CANCELLED if over else OrderStatus.OPEN,
        raw_status="",
        financial=financial,
        fulfillment=FulfillmentStatus.UNFULFILLED,
        placed_at=past.moment(sale.day),
        paid_at=past.moment(sale.paid) if paid else None,
        cancelled_at=past.moment(sale.over) if sale.over is not None else None,
        updated_at=past.moment(max(days)) + timedelta(seconds=int(paid)),
        currency="EUR",
        total=euros(sale.cents),
        shipping=euros(sale.shipping),
        refunded=None if sale.silent else euros(back),
        taxes_included=True,
        email=sale.address,
        customer=Customer(id=sale.account, email=sale.address) if sale.account else None,
        lines=tuple(
            LineItem(
                id=line.id,
                title="Thing",
                quantity=line.pieces,
                unit_price=euros(line.price),
                total=euros(line.cents),
                product_id=line.product,
                is_gift_card=line.card,
            )
            for line in sale.lines
        ),
    )


def refunds_of(past: Past, sale: Sale) -> list[Refund]:
    return [
        Refund(
            id=f"r{sale.id}-{number}",
            order_id=sale.id,
            at=past.moment(back.day),
            amount=None if sale.silent else euros(back.cents),
            lines=tuple(ShippedLine(line_id=key, quantity=pieces) for key, pieces in back.pieces.items()),
        )
        for number, back in enumerate(sale.backs)
    ]
