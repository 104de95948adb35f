"""What is kept of a past is enough to live it again: unwound, it gives the same messages at the same times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from connector.model import (
    Address,
    Channel,
    Customer,
    Event,
    EventKind,
    FinancialStatus,
    FulfillmentStatus,
    LineItem,
    Money,
    Order,
    OrderStatus,
    Ref,
    Refund,
    Return,
    Shipment,
    ShipmentStatus,
)
from connector.simulate.gathering import gather
from connector.simulate.groups import chunks, groups
from connector.simulate.story import Moment, moments
from connector.store import entities, past, referrals, suppressions
from connector.store.buyers import Buyer
from connector.store.past import OrderPast, Past
from connector.store.store import Store
from connector.testing.histories import History, keep
from tests.simulate import product
from tests.simulate.product import BEGIN, SHOP, essence, looked_back, window
from tests.simulate.test_equality import BOOK, ODD

EUR = Money(Decimal("40.00"), "EUR")


@pytest.fixture
def store() -> Iterator[Store]:
    found = Store.open("sqlite://:memory:")
    yield found
    found.close()


@pytest.mark.parametrize("seed", range(4))
def test_what_is_kept_gives_the_same_life(store: Store, seed: int) -> None:
    told = list(History(BOOK.settings.shop, BEGIN, seed=seed, habits=ODD).people(8))
    with store.work.transaction() as tx:
        for person in told:
            keep(tx, SHOP, person, BEGIN)
    people = list(gather(store, SHOP, BEGIN + timedelta(days=400)))
    with store.work.read() as tx:
        again = [moments(past.of_orders(tx, SHOP, group)) for group in people]
    direct = looked_back(
        BOOK, [product.moments(person) for person in told if any(e.order_id for e in person)], window()
    )
    kept = looked_back(BOOK, again, window())
    assert essence(kept.deeds) == essence(direct.deeds)
    assert kept.started == direct.started


def test_a_past_without_its_refunds_is_another(store: Store) -> None:
    """The negative control: what the unwinding leaves out is seen."""
    told = [
        event
        for seed in range(4)
        for p in History(BOOK.settings.shop, BEGIN, seed=seed, habits=ODD).people(8)
        for event in p
    ]
    assert any(event.kind == EventKind.REFUND_CREATED for event in told)
    people = list(History(BOOK.settings.shop, BEGIN, seed=0, habits=replace(ODD, refunded=1, cancelled=0)).people(8))
    whole = [product.moments(person) for person in people]
    less = [product.moments(event for event in person if event.refund is None) for person in people]
    assert essence(looked_back(BOOK, whole, window()).deeds) != essence(looked_back(BOOK, less, window()).deeds)


def order(**more: object) -> Order:
    line = LineItem(id="l1", title="Birch cup", quantity=1, unit_price=EUR, total=EUR, product_id="p1")
    whole = Order(
        id="o1",
        number="1001",
        status=OrderStatus.OPEN,
        raw_status="open",
        financial=FinancialStatus.PAID,
        fulfillment=FulfillmentStatus.FULFILLED,
        placed_at=BEGIN,
        updated_at=day(30),
        paid_at=BEGIN,
        currency="EUR",
        total=EUR,
        customer=Customer(id="c1", email="aino@example.test", orders_count=5, total_spent=EUR),
        email="aino@example.test",
        lines=(line,),
        shipping_address=Address(country="FI"),
    )
    return replace(whole, **more)  # type: ignore[arg-type]


def day(number: float) -> datetime:
    return BEGIN + timedelta(days=number)


def kinds(story: list[Moment]) -> list[tuple[float, str]]:
    return [((moment.at - BEGIN) / timedelta(days=1), str(event.kind)) for moment in story for event in moment.events]


def events(story: list[Moment], kind: str) -> list[Event]:
    return [event for moment in story for event in moment.events if event.kind == kind]


def parcel(**more: object) -> Shipment:
    whole = Shipment(
        id="s1",
        order_id="o1",
        status=ShipmentStatus.DELIVERED,
        raw_status="delivered",
        created_at=day(1),
        updated_at=day(3),
    )
    return replace(whole, **more)  # type: ignore[arg-type]


def test_a_parcel_travels_again() -> None:
    item = OrderPast(order(), [parcel()], {"s1": {"in_transit": day(2), "delivered": day(3)}})
    story = moments(Past(orders={"o1": item}))
    assert kinds(story) == [
        (0, "order.created"),
        (0, "order.paid"),
        (1, "shipment.created"),
        (2, "shipment.in_transit"),
        (3, "shipment.delivered"),
    ]
    placed = events(story, "order.created")[0].order
    assert placed is not None
    assert (placed.fulfillment, placed.updated_at) == (FulfillmentStatus.UNFULFILLED, BEGIN)
    sent = events(story, "shipment.created")[0]
    assert sent.shipment is not None
    assert sent.shipment.status is ShipmentStatus.SHIPPED
    assert sent.order is not None
    assert sent.order.fulfillment is FulfillmentStatus.FULFILLED


def test_money_comes_and_goes_at_its_time() -> None:
    paid_later = order(
        financial=FinancialStatus.REFUNDED, paid_at=day(2), refunded=EUR, fulfillment=FulfillmentStatus.UNFULFILLED
    )
    item = OrderPast(paid_later, refunds=[Refund(id="r1", order_id="o1", at=day(9), amount=EUR)])
    story = moments(Past(orders={"o1": item}))
    assert kinds(story) == [(0, "order.created"), (2, "order.paid"), (9, "refund.created")]
    placed, paid, back = (moment.events[0].order for moment in story)
    assert placed is not None
    assert (placed.financial, placed.paid_at, placed.refunded) == (FinancialStatus.PENDING, None, None)
    assert paid is not None
    assert (paid.financial, paid.refunded) == (FinancialStatus.PAID, None)
    assert back is not None
    assert (back.financial, back.refunded) == (FinancialStatus.REFUNDED, EUR)


def test_a_cancelled_order_was_open_before() -> None:
    over = order(
        status=OrderStatus.CANCELLED,
        raw_status="cancelled",
        cancelled_at=day(4),
        fulfillment=FulfillmentStatus.UNFULFILLED,
    )
    story = moments(Past(orders={"o1": OrderPast(over)}))
    assert kinds(story)[-1] == (4, "order.cancelled")
    placed = story[0].events[0].order
    assert placed is not None
    assert (placed.status, placed.raw_status, placed.cancelled_at) == (OrderStatus.OPEN, "open", None)


def test_an_order_sent_without_a_parcel_was_sent_when_it_was_closed() -> None:
    done = order(status=OrderStatus.COMPLETED, closed_at=day(5))
    story = moments(Past(orders={"o1": OrderPast(done)}))
    assert kinds(story)[-1] == (5, "order.fulfilled")


def test_a_return_that_nobody_told_of_was_asked_for_when_it_began() -> None:
    back = Return(id="b1", order_id="o1", raw_status="requested", at=day(8))
    story = moments(Past(orders={"o1": OrderPast(order(fulfillment=FulfillmentStatus.UNFULFILLED), returns=[back])}))
    assert kinds(story)[-1] == (8, "return.requested")


def test_a_customer_had_fewer_orders_then() -> None:
    """Five orders today, two of them in the history we have: three came before."""
    first, second = order(), order(id="o2", number="1002", placed_at=day(20), paid_at=day(20))
    found = moments(Past(orders={"o1": OrderPast(first), "o2": OrderPast(second)}))
    counts = [e.order.customer.orders_count for e in events(found, "order.created") if e.order and e.order.customer]
    assert counts == [4, 5]


def test_what_people_said_and_their_codes_come_at_their_time(store: Store) -> None:
    with store.work.transaction() as tx:
        entities.apply(
            tx, SHOP, Event(kind="order.created", key="k", subject=Ref("order", "o1"), at=BEGIN, order=order()), BEGIN
        )
        suppressions.add(tx, SHOP, "aino@example.test", Channel.EMAIL, "marketing", "unsubscribe", day(40))
        referrals.put_code(tx, SHOP, "AINO", "aino@example.test", "c1", "o1", None, day(12))
    with store.work.read() as tx:
        story = moments(past.of_orders(tx, SHOP, ["o1"]))
    assert [moment.at for moment in story if moment.suppressed] == [day(40)]
    assert [moment.code.code_key for moment in story if moment.code] == ["AINO"]


def test_people_are_found_by_address_account_and_referral() -> None:
    buyers = [
        Buyer("1", "a@example.test", "c1", BEGIN),
        Buyer("2", "b@example.test", "c1", BEGIN),
        Buyer("3", "b@example.test", None, BEGIN),
        Buyer("4", "d@example.test", None, BEGIN),
        Buyer("5", None, None, BEGIN),
    ]
    assert groups(buyers) == [["1", "2", "3"], ["4"], ["5"]]
    assert groups(buyers, [("d@example.test", "3"), ("x@example.test", "gone")]) == [["1", "2", "3", "4"], ["5"]]


def test_groups_are_never_parted() -> None:
    people = [[str(n)] * 200 for n in range(5)]
    assert [len(chunk) for chunk in chunks(people)] == [2, 2, 1]
    assert [group for chunk in chunks(people) for group in chunk] == people
