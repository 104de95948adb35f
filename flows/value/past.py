"""One past order as a programme would have met it: what it earned, and how it stood from when on. Pure.

An order is known as it is today. What it tells a date of is undone for the time before: refunds, and a cancellation.
What it tells none of (a payment that was voided, an order that failed) counts as if the order had never been bought:
what it would have earned was taken back again, and nobody could have used it while it was pending.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from connector.config.loyalty import Programme
from connector.model import (
    Buyer,
    FinancialStatus,
    Money,
    Order,
    OrderStatus,
    Product,
    Purchase,
    Refund,
    buyer_of,
    purchase_of,
)
from connector.model.value import Fact
from flows.value import earning

_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """How an order stood from `at` on: what of it counts as bought, and how much of each grant had gone back in all."""

    at: datetime
    purchase: Purchase | None
    back: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """One past order, as far as the programme goes; `at` is when it was paid. `welcome` is what it would have earned as
    the person's first. `stages` are the oldest first, the last one as it is today; none for what was never bought."""

    buyer: Buyer
    at: datetime
    order: str
    stages: tuple[Stage, ...] = ()
    grants: tuple[Fact, ...] = ()
    welcome: tuple[Fact, ...] = ()


def look_at(
    programme: Programme,
    order: Order,
    refunds: Sequence[Refund],
    products: Mapping[str, Product],
    delivered_at: datetime | None = None,
) -> Bought:
    """What one order would have earned; its last parcel arrived at `delivered_at`, where the shop told of it."""
    buyer, paid = buyer_of(order), order.paid_at or order.placed_at
    begun = stood(order, refunds, paid)
    if not buyer or purchase_of(begun) is None:
        return Bought(buyer=buyer, at=paid, order=order.id)
    opens = earning.opens_at(programme, order, delivered_at)
    lapses = opens + programme.expires if programme.expires else None

    def opening(facts: Sequence[Fact]) -> tuple[Fact, ...]:
        return tuple(replace(fact, available_at=opens, expires_at=lapses) for fact in facts)

    grants = opening(earning.grants(programme, begun, products, (), paid))
    welcome = opening(earning.first_order(programme, begun, (), paid)[0])
    changed = {each.at for each in refunds} | ({order.cancelled_at} if order.cancelled_at is not None else set())
    stages = []
    for at in sorted({paid, *(each for each in changed if each > paid)}):
        then, told = stood(order, refunds, at), [each for each in refunds if each.at <= at]
        back = earning.targets(grants, earning.shares_back(then, told))
        stages.append(Stage(at=at, purchase=purchase_of(then), back=back))
    return Bought(buyer=buyer, at=paid, order=order.id, stages=tuple(stages), grants=grants, welcome=welcome)


def stood(order: Order, refunds: Sequence[Refund], at: datetime) -> Order:
    """The order as it stood at a moment, as far as it tells today: without later refunds and a later cancellation.
    A later refund of which only the pieces are told leaves the order's sum of what went back as it is."""
    found = order
    if order.cancelled_at is not None and order.cancelled_at > at:
        over = order.status is OrderStatus.CANCELLED
        found = replace(found, cancelled_at=None, status=OrderStatus.OPEN if over else order.status)
    later = [each for each in refunds if each.at > at]
    if not later:
        return found
    pieces: dict[str, int] = {}
    for part in (part for each in later for part in each.lines):
        pieces[part.line_id] = pieces.get(part.line_id, 0) + part.quantity
    lines = tuple(
        line
        if line.current_quantity is None
        else replace(line, current_quantity=min(line.current_quantity + pieces.get(line.id, 0), line.quantity))
        for line in order.lines
    )
    undone = order.financial is FinancialStatus.REFUNDED
    return replace(
        found,
        lines=lines,
        refunded=_less(order.refunded, later),
        financial=FinancialStatus.PARTIALLY_REFUNDED if undone else order.financial,
    )


def _less(refunded: Money | None, later: Sequence[Refund]) -> Money | None:
    if refunded is None:
        return None
    told = [each.amount for each in later if each.amount is not None]
    gone = sum((money.amount for money in told if money.currency == refunded.currency), _NOTHING)
    return Money(max(refunded.amount - gone, _NOTHING), refunded.currency)
