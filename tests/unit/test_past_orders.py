"""How a past order stood before what went back of it: as far as it tells today."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.config.loyalty import Programme, Rule
from connector.model import (
    FinancialStatus,
    FulfillmentStatus,
    LineItem,
    Money,
    Order,
    OrderStatus,
    Refund,
    ShippedLine,
    purchase_of,
)
from flows.value.past import look_at, stood

PAID = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
RULES = Programme(
    enabled=True,
    return_window=14 * DAY,
    rules=(Rule(name="spend", kind="spend", points=1, per=Money.parse("1", "EUR")),),
)


def euros(amount: str) -> Money:
    return Money.parse(amount, "EUR")


def order(left: int | None = 3, **more: Any) -> Order:
    """Three pieces for 90 EUR, paid on the first day."""
    line = LineItem(id="a", title="Thing", quantity=3, unit_price=euros("30"), total=euros("90"), current_quantity=left)
    plain: dict[str, Any] = {
        "status": OrderStatus.OPEN,
        "financial": FinancialStatus.PAID,
        "paid_at": PAID,
    }
    return Order(
        id="1",
        number="#1",
        raw_status="",
        fulfillment=FulfillmentStatus.UNFULFILLED,
        placed_at=PAID,
        updated_at=PAID,
        currency="EUR",
        total=euros("90"),
        lines=(line,),
        email="aino@example.test",
        **{**plain, **more},
    )


def refund(day: int, amount: str | None, pieces: int = 1) -> Refund:
    money = Money.parse(*amount.split()) if amount else None
    return Refund(
        id=f"r{day}",
        order_id="1",
        at=PAID + day * DAY,
        amount=money,
        lines=(ShippedLine(line_id="a", quantity=pieces),),
    )


def stages(of: Order, *refunds: Refund) -> list[tuple[int, str | None, int]]:
    """Day, what counts as bought, and points taken back, of each stage."""
    found = look_at(RULES, of, refunds, {})
    return [
        (
            (stage.at - PAID).days,
            str(stage.purchase.amount.amount) if stage.purchase else None,
            int(sum(stage.back.values())),
        )
        for stage in found.stages
    ]


def test_an_order_that_was_sent_back_piece_by_piece_was_a_purchase_until_the_last() -> None:
    """As Shopify tells it: the pieces that are left, and the sum that went back."""
    gone = order(0, financial=FinancialStatus.REFUNDED, refunded=euros("90.00"))
    told = stages(gone, refund(5, "30.00 EUR"), refund(9, "60.00 EUR", 2))
    assert told == [(0, "90.00", 0), (5, "60.00", 30), (9, None, 90)]
    before = stood(gone, [refund(5, "30.00 EUR"), refund(9, "60.00 EUR", 2)], PAID + 6 * DAY)
    assert (before.financial, before.lines[0].current_quantity) == (FinancialStatus.PARTIALLY_REFUNDED, 2)


def test_an_order_that_was_cancelled_was_a_purchase_until_then() -> None:
    over = order(status=OrderStatus.CANCELLED, cancelled_at=PAID + 4 * DAY)
    assert stages(over) == [(0, "90", 0), (4, None, 90)]


@pytest.mark.parametrize(
    "never",
    [
        order(status=OrderStatus.CANCELLED),
        order(status=OrderStatus.FAILED, cancelled_at=PAID + DAY),
        order(financial=FinancialStatus.VOIDED, status=OrderStatus.CANCELLED, cancelled_at=PAID + DAY),
        order(financial=FinancialStatus.PENDING, paid_at=None),
        order(is_test=True),
        order(financial=FinancialStatus.REFUNDED, refunded=euros("90")),
    ],
    ids=["cancelled some day", "failed", "voided", "never paid", "a test", "refunded some day"],
)
def test_what_tells_no_date_or_was_none_counts_as_never_bought(never: Order) -> None:
    assert purchase_of(never) is None
    assert stages(never) == []
    assert look_at(RULES, never, (), {}).grants == ()


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        (None, [(0, "60", 30), (5, "60", 30)]),
        ("30 USD", [(0, "60", 30), (5, "60", 30)]),
        ("45 EUR", [(0, "90", 0), (5, "60", 45)]),
    ],
    ids=["no amount", "another currency", "more than the order says"],
)
def test_money_of_which_no_refund_tells_the_day_went_back_at_once(
    amount: str | None, told: list[tuple[int, str, int]]
) -> None:
    back = order(2, financial=FinancialStatus.PARTIALLY_REFUNDED, refunded=euros("30"))
    assert stages(back, refund(5, amount)) == told


def test_a_refund_of_before_the_payment_was_there_from_the_start() -> None:
    early = order(2, financial=FinancialStatus.PARTIALLY_REFUNDED, refunded=euros("30"))
    assert stages(early, replace(refund(1, "30 EUR"), at=PAID - DAY)) == [(0, "60", 30)]


def test_of_nobody_nothing_is_known() -> None:
    assert stages(replace(order(), email=None)) == []
