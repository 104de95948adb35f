"""From when points can be used: payment and delivery; and two accounts of the shop that become one person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connector.loyalty import look_back
from connector.model import (
    Customer,
    Event,
    EventKind,
    FinancialStatus,
    FulfillmentStatus,
    OrderStatus,
    Ref,
)
from connector.store import Store
from tests.store.loyal import AINO, DAY, SPEND, Loyal, delivered, faults, life, line, plain, purchase, told
from tests.store.trade import SHOP, START

__all__ = ["life", "plain"]


def test_two_accounts_that_become_one_stand_in_one_place_and_are_not_looked_at_for_ever(life: Loyal) -> None:
    """They bought under two addresses; badge, challenge and first order count once."""
    for number, name in enumerate(("a", "b")):
        for turn in range(2):
            made = purchase(
                line("a", "40"), order_id=f"{name}{turn}", email=f"{name}@example.test", at=life.clock.now()
            )
            who = Customer(id=f"c{number}", email=f"{name}@example.test")
            life.take_in(told(replace(made, customer=who), EventKind.ORDER_PAID))
            life.clock.advance(DAY)
    merged = Event(
        kind=EventKind.CUSTOMER_MERGED,
        key="m",
        subject=Ref("customer", "c0"),
        at=life.clock.now(),
        customer_id="c0",
        data={"kept": "c0", "merged": "c1"},
    )
    life.take_in(merged)
    life.live(40 * DAY)
    assert life.worker.looks.work() == 0
    assert life.points("a@example.test") == (4 * 40 + 50 + 30, 0)
    assert life.position("a@example.test", "badge/regular").available == 1
    assert life.state("a@example.test")["tier"] == "silver"
    assert faults(life, "a@example.test") == []


def test_points_are_pending_from_the_delivery_where_the_shop_tells_of_it(plain: Loyal) -> None:
    made = plain.buys(line("a", "40"))
    plain.clock.advance(5 * DAY)
    plain.take_in(delivered(made, plain.clock.now()))
    plain.live(20 * DAY)
    assert plain.points() == (0, 40), "paid 16 days ago, delivered 15"
    plain.live(21 * DAY)
    assert plain.points() == (40, 0)
    plain.live(220 * DAY)
    assert plain.points() == (40, 0), "they are good for as long as if it had come at once"
    plain.live(221 * DAY)
    assert plain.points() == (0, 0)
    assert faults(plain) == []


def test_the_look_back_opens_points_when_the_programme_does(plain: Loyal) -> None:
    """`kiitos loyalty backtest` over the same orders: what is pending and what can be used, day by day."""
    made = plain.buys(line("a", "40"), order_id="1")
    plain.buys(line("a", "30"), order_id="2")
    plain.clock.advance(5 * DAY)
    plain.take_in(delivered(made, plain.clock.now()))
    seen = []
    for day in (6, 15, 17, 20, 22):
        plain.live(day * DAY)
        costs = look_back(plain.kiitos, SHOP, START - DAY, plain.clock.now() + timedelta(seconds=1))
        assert plain.points() == (costs.available, costs.pending)
        seen.append(plain.points())
    assert seen == [(0, 70), (0, 70), (30, 40), (30, 40), (70, 0)]


def test_a_parcel_that_comes_when_they_can_be_used_takes_nothing_back(plain: Loyal) -> None:
    made = plain.buys(line("a", "40"))
    plain.live(17 * DAY)
    plain.take_in(delivered(made, plain.clock.now()))
    assert plain.points() == (40, 0)


def test_pending_from_payment(store: Store, tmp_path: Path) -> None:
    life = Loyal(store, tmp_path, {**SPEND, "pending_from": "payment"})
    made = life.buys(line("a", "40"))
    life.take_in(delivered(made, life.clock.now() + 5 * DAY))
    life.live(16 * DAY)
    assert life.points() == (40, 0)


def test_an_invoice_that_is_paid_late_counts_from_its_payment(plain: Loyal) -> None:
    """Sent before it was paid: it is a purchase from then on, and its points wait for the money."""
    at = plain.clock.now()
    made = purchase(line("a", "40"), order_id="1", email=AINO, at=at)
    sent = replace(made, paid_at=None, financial=FinancialStatus.PENDING, fulfillment=FulfillmentStatus.FULFILLED)
    plain.take_in(told(sent, EventKind.ORDER_CREATED))
    assert plain.points() == (0, 40)
    plain.clock.advance(10 * DAY)
    now = plain.clock.now()
    plain.take_in(told(replace(made, paid_at=now, updated_at=now, fulfillment=sent.fulfillment), EventKind.ORDER_PAID))
    plain.live(25 * DAY)
    assert plain.points() == (0, 40)
    plain.live(26 * DAY)
    assert plain.points() == (40, 0)


def test_an_order_whose_address_is_corrected_takes_its_points_along(life: Loyal) -> None:
    """And the bonus of a first order goes to the next one of the address that was mistyped."""
    at = life.clock.now()
    made = purchase(line("a", "40"), order_id="1", email="x@example.test", at=at)
    life.take_in(told(made, EventKind.ORDER_PAID))
    life.clock.advance(DAY)
    life.take_in(
        told(purchase(line("a", "9"), order_id="2", email="x@example.test", at=life.clock.now()), "order.paid")
    )
    life.clock.advance(DAY)
    life.take_in(told(replace(made, email=AINO, updated_at=life.clock.now()), EventKind.ORDER_UPDATED))
    life.live(60 * DAY)
    assert life.points() == (40 + 50, 0)
    assert life.points("x@example.test") == (9 + 50, 0)
    assert faults(life) == faults(life, "x@example.test") == []


@pytest.mark.parametrize("how", ["corrected", "cancelled"])
def test_a_bonus_that_moves_opens_with_the_order_it_moves_to(store: Store, tmp_path: Path, how: str) -> None:
    """Order 2 was paid on day 1 and arrived on day 6; on day 8 the bonus of order 1 becomes its."""
    rules = {**SPEND["rules"], "first": {"kind": "first_order", "points": 50}}
    life = Loyal(store, tmp_path, {**SPEND, "rules": rules})
    first = life.buys(line("a", "40"), order_id="1", email="x@example.test")
    life.clock.advance(DAY)
    second = life.buys(line("a", "9"), order_id="2", email="x@example.test")
    life.live(6 * DAY)
    life.take_in(delivered(second, life.clock.now()))
    life.live(8 * DAY)
    changes = {"email": AINO} if how == "corrected" else {"status": OrderStatus.CANCELLED, "cancelled_at": START}
    life.take_in(told(replace(first, updated_at=life.clock.now(), **changes), EventKind.ORDER_UPDATED))
    assert life.points("x@example.test") == (0, 9 + 50)
    life.live(21 * DAY)
    assert life.points("x@example.test") == (0, 9 + 50), "nine days after the parcel came they can still send it back"
    life.live(22 * DAY)
    assert life.points("x@example.test") == (9 + 50, 0)


def test_an_order_that_comes_late_under_an_account_that_is_gone(plain: Loyal) -> None:
    def bought(customer_id: str, email: str, order_id: str) -> None:
        made = purchase(line("a", "40"), order_id=order_id, email=email, at=plain.clock.now())
        plain.take_in(told(replace(made, customer=Customer(id=customer_id, email=email)), EventKind.ORDER_PAID))

    bought("c0", "a@example.test", "1")
    merged = Event(
        kind=EventKind.CUSTOMER_MERGED,
        key="m",
        subject=Ref("customer", "c0"),
        at=plain.clock.now(),
        customer_id="c0",
        data={"kept": "c0", "merged": "c1"},
    )
    plain.take_in(merged)
    bought("c1", "b@example.test", "2")
    plain.live(30 * DAY)
    assert plain.points("a@example.test") == (80, 0)
