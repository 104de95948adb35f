"""Progress of whole orders, and the events it proves."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from connector.model import (
    Address,
    FinancialStatus,
    FulfillmentStatus,
    Money,
    Order,
    OrderStatus,
    Refund,
    Return,
    Shipment,
    ShipmentStatus,
    ShippedLine,
)
from flows.derive import derive, derived_events
from flows.facts import Progress
from tests.engine.world import SHOP, START, line, order, parcel

DAY = timedelta(days=1)
TWO = order(lines=(line("l1", 1), line("l2", 2)))


def lines(**quantities: int) -> tuple[ShippedLine, ...]:
    return tuple(ShippedLine(line_id=key, quantity=value) for key, value in quantities.items())


def progress(
    the_order: Order, *parcels: Shipment, times: dict[str, dict[str, datetime]] | None = None, **more: Any
) -> Progress:
    given = {"refunds": (), "returns": (), "reviewed_at": None, "shop": SHOP, **more}
    return derive(the_order, parcels, times or {}, **given)


def test_shipped_when_everything_left() -> None:
    first = parcel("s1", lines=lines(l1=1), created_at=START + DAY)
    assert progress(TWO).shipped_at is None
    assert progress(TWO, first).shipped_at is None
    part = parcel("s2", lines=lines(l2=1), created_at=START + 2 * DAY)
    assert progress(TWO, first, part).shipped_at is None
    rest = parcel("s3", lines=lines(l2=1), created_at=START + 3 * DAY)
    found = progress(TWO, first, part, rest)
    assert found.shipped_at == START + 3 * DAY
    assert (found.parcels, found.delivered_parcels, found.last_shipment_at) == (3, 0, START + 3 * DAY)
    assert found.delivered_at is None


def test_edited_orders_need_only_what_is_left_of_them() -> None:
    edited = order(lines=(line("l1", 1), line("l2", 2, current_quantity=0), line("l3", requires_shipping=False)))
    assert progress(edited, parcel("s1", lines=lines(l1=1))).shipped_at == START


def test_cancelled_parcels_do_not_count() -> None:
    one = order()
    gone = parcel("s1", ShipmentStatus.CANCELLED)
    assert progress(one, gone).shipped_at is None
    again = parcel("s2", created_at=START + 5 * DAY)
    found = progress(one, gone, again)
    assert (found.shipped_at, found.parcels) == (START + 5 * DAY, 1)


def test_a_tracking_number_without_lines_stands_for_the_order() -> None:
    bare = parcel("s1", lines=())
    assert progress(TWO, bare).shipped_at == START
    partly = order(lines=TWO.lines, fulfillment=FulfillmentStatus.PARTIAL)
    assert progress(partly, bare).shipped_at is None


def test_a_label_is_not_yet_a_parcel_on_its_way() -> None:
    times = {"s1": {"label": START, "in_transit": START + 2 * DAY, "delivered": START + 4 * DAY}}
    found = progress(order(), parcel("s1", ShipmentStatus.DELIVERED), times=times)
    assert found.shipped_at == START + 2 * DAY
    assert found.delivered_at == START + 4 * DAY


def test_delivered_when_the_last_parcel_arrived() -> None:
    one = parcel("s1", ShipmentStatus.DELIVERED, lines=lines(l1=1), updated_at=START + DAY)
    other = parcel("s2", ShipmentStatus.OUT_FOR_DELIVERY, lines=lines(l2=2), updated_at=START + DAY)
    found = progress(TWO, one, other)
    assert (found.delivered_at, found.delivered_parcels) == (None, 1)
    arrived = parcel("s2", ShipmentStatus.DELIVERED, lines=lines(l2=2), updated_at=START + 6 * DAY)
    assert progress(TWO, one, arrived).delivered_at == START + 6 * DAY
    called_off = parcel("s2", ShipmentStatus.CANCELLED, lines=lines(l2=2))
    assert progress(TWO, one, called_off).delivered_at is None


@pytest.mark.parametrize(
    ("more", "shipped", "delivered"),
    [
        ({"status": OrderStatus.COMPLETED, "closed_at": START + DAY}, START + DAY, None),
        ({"fulfillment": FulfillmentStatus.FULFILLED, "updated_at": START + DAY}, START + DAY, None),
        ({"source": "pos", "fulfillment": FulfillmentStatus.FULFILLED}, START, START),
        ({"lines": (line(requires_shipping=False),)}, START, START),
        (
            {"lines": (line(requires_shipping=False),), "financial": FinancialStatus.PENDING, "paid_at": None},
            None,
            None,
        ),
        ({"lines": ()}, None, None),
        ({}, None, None),
    ],
)
def test_orders_without_parcels(more: dict[str, Any], shipped: datetime | None, delivered: datetime | None) -> None:
    found = progress(order(**more))
    assert (found.shipped_at, found.delivered_at) == (shipped, delivered)


def test_a_counter_purchase_is_in_hand_unless_it_is_sent() -> None:
    counter = order(source="pos", fulfillment=FulfillmentStatus.FULFILLED)
    assert progress(counter, parcel(tracking_numbers=())).delivered_at == START
    assert progress(counter, parcel()).delivered_at is None


def test_money_and_goods_going_back() -> None:
    refund = Refund(id="r", order_id="o1", at=START, amount=Money.parse("10", "EUR"))
    rest = Refund(id="r2", order_id="o1", at=START, amount=Money.parse("30", "EUR"))
    unknown = Refund(id="r3", order_id="o1", at=START)
    part = progress(order(), refunds=[refund])
    assert (part.refunded, part.fully_refunded) == (True, False)
    assert progress(order(), refunds=[refund, rest]).fully_refunded
    assert not progress(order(), refunds=[refund, unknown]).fully_refunded
    assert progress(order(refunded=Money.parse("40", "EUR"))).fully_refunded
    assert not progress(order(refunded=Money.parse("0", "EUR"))).refunded
    assert progress(order(financial=FinancialStatus.PARTIALLY_REFUNDED)).refunded
    assert progress(order(financial=FinancialStatus.REFUNDED)).fully_refunded
    asked = Return(id="b", order_id="o1", raw_status="OPEN", at=START)
    declined = Return(id="b", order_id="o1", raw_status="DECLINED", at=START)
    assert progress(order(), returns=[asked]).returned
    assert not progress(order(), returns=[declined]).returned
    assert progress(order(), parcel(status=ShipmentStatus.RETURNED)).returned


def test_abroad_is_false_when_unknown() -> None:
    assert progress(order(shipping_address=Address(country="SE"))).abroad
    assert not progress(order(shipping_address=Address(country="FI"))).abroad
    assert not progress(order(shipping_address=Address())).abroad
    assert not progress(order(shipping_address=None)).abroad


def test_events_are_named_after_the_parcels_alive() -> None:
    sent = parcel("s1", ShipmentStatus.DELIVERED)
    done = derived_events(SHOP, order(), progress(order(), sent), [sent])
    assert [event.kind for event in done] == ["order.shipped", "order.delivered"]
    again = derived_events(SHOP, order(), progress(order(), sent), [sent])
    assert [event.key for event in again] == [event.key for event in done]
    assert done[0].key.startswith("order/o1/shipped/")
    gone, anew = parcel("s1", ShipmentStatus.CANCELLED), parcel("s2")
    (fresh,) = derived_events(SHOP, order(), progress(order(), gone, anew), [gone, anew])
    assert fresh.key not in {event.key for event in done}
    one, two = parcel("a"), parcel("b")
    keys = {derived_events(SHOP, order(), progress(order(), *both), both)[0].key for both in ([one, two], [two, one])}
    assert len(keys) == 1


def test_orders_that_are_over_ship_no_more() -> None:
    cancelled = order(status=OrderStatus.CANCELLED)
    assert progress(cancelled, parcel()).cancelled
    assert derived_events(SHOP, cancelled, progress(cancelled, parcel()), [parcel()]) == []
    assert derived_events(SHOP, order(), progress(order()), []) == []
