"""What a page may say of an order: where things are, when they may come, and nothing that nobody knows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.model import (
    Address,
    FinancialStatus,
    FulfillmentStatus,
    LineItem,
    Money,
    Order,
    OrderStatus,
    Shipment,
    ShipmentStatus,
    ShippedLine,
    Shop,
)
from flows.derive import derive
from flows.parcels.following import Following, Item, Known, asks_the_past, follow
from flows.parcels.transit import FEWEST, Arrival, expected_of

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ZONE = ZoneInfo("Europe/Helsinki")
SHOP = Shop(id="s", client_id="c", platform="shopify", domain="s.example", name="S", country="FI")


def line(number: int, quantity: int, *, left: int | None = None, ships: bool = True) -> LineItem:
    price = Money.parse("1.00", "EUR")
    return LineItem(
        id=f"l{number}",
        title=f"Thing {number}",
        quantity=quantity,
        current_quantity=left,
        unit_price=price,
        total=price,
        requires_shipping=ships,
    )


def order(*lines: LineItem, **changes: object) -> Order:
    made = Order(
        id="1",
        number="#1001",
        status=OrderStatus.OPEN,
        raw_status="open",
        financial=FinancialStatus.PAID,
        fulfillment=FulfillmentStatus.UNFULFILLED,
        placed_at=NOW - 3 * DAY,
        paid_at=NOW - 3 * DAY,
        updated_at=NOW - 3 * DAY,
        currency="EUR",
        total=Money.parse("10.00", "EUR"),
        lines=lines,
        shipping_address=Address(country="FI"),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def parcel(name: str, *lines: tuple[str, int], **changes: object) -> Shipment:
    made = Shipment(
        id=name,
        order_id="1",
        status=ShipmentStatus.SHIPPED,
        raw_status="",
        created_at=NOW - 2 * DAY,
        updated_at=NOW - 2 * DAY,
        carrier="Posti",
        lines=tuple(ShippedLine(line_id=line_id, quantity=quantity) for line_id, quantity in lines),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def known(placed: Order, *parcels: Shipment, past: tuple[Arrival, ...] = ()) -> Known:
    times = {one.id: {one.status.value: one.updated_at} for one in parcels}
    progress = derive(placed, parcels, times, (), (), None, SHOP)
    return Known(order=placed, shipments=parcels, times=times, refunds=(), returns=(), progress=progress, past=past)


def seen(placed: Order, *parcels: Shipment, past: tuple[Arrival, ...] = ()) -> Following:
    return follow(known(placed, *parcels, past=past), NOW, ZONE)


def arrivals(days: list[float], *, carrier: str = "posti", abroad: bool = False) -> tuple[Arrival, ...]:
    begin = NOW - 30 * DAY
    return tuple(
        Arrival(ordered=begin - DAY, sent=begin, arrived=begin + each * DAY, carrier=carrier, abroad=abroad)
        for each in days
    )


@given(
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 3)), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3), st.booleans()), max_size=5),
)
def test_what_is_in_parcels_and_what_is_to_come_is_what_was_ordered(
    wanted: list[tuple[int, int]], sent: list[tuple[int, int, bool]]
) -> None:
    """However an order was edited and parted: nothing is shown twice, nothing is lost, nothing called off counts."""
    lines = [line(number, quantity, left=max(0, quantity - taken)) for number, (quantity, taken) in enumerate(wanted)]
    left = {each.id: each.current_quantity or 0 for each in lines}
    parcels = []
    for number, (which, quantity, called_off) in enumerate(sent):
        name = f"l{which % len(lines)}"
        quantity = min(quantity, left[name])
        if quantity == 0:
            continue
        status = ShipmentStatus.CANCELLED if called_off else ShipmentStatus.SHIPPED
        parcels.append(parcel(f"p{number}", (name, quantity), status=status))
        left[name] -= 0 if called_off else quantity
    found = seen(
        order(*lines, fulfillment=FulfillmentStatus.PARTIAL if parcels else FulfillmentStatus.UNFULFILLED), *parcels
    )
    expected = {each.title: left[each.id] for each in lines if left[each.id]}
    assert {item.title: item.quantity for item in found.to_come} == expected
    assert len(found.parcels) == sum(one.status is not ShipmentStatus.CANCELLED for one in parcels)


@pytest.mark.parametrize(
    ("changes", "parcels", "state"),
    [
        ({"financial": FinancialStatus.PENDING, "paid_at": None}, (), "waits_for_payment"),
        ({}, (), "being_prepared"),
        ({}, (parcel("p", ("l1", 1), status=ShipmentStatus.LABEL),), "being_prepared"),
        ({}, (parcel("p", ("l1", 1)),), "partly_sent"),
        ({}, (parcel("p", ("l1", 1), status=ShipmentStatus.DELIVERED),), "partly_delivered"),
        ({}, (parcel("p", ("l1", 2)),), "on_the_way"),
        ({}, (parcel("p", ("l1", 2), status=ShipmentStatus.DELIVERED),), "delivered"),
        ({"status": OrderStatus.CANCELLED}, (parcel("p", ("l1", 2)),), "cancelled"),
        ({"financial": FinancialStatus.REFUNDED}, (), "refunded"),
    ],
)
def test_one_word_for_all_of_it(changes: dict[str, object], parcels: tuple[Shipment, ...], state: str) -> None:
    assert seen(order(line(1, 2), **changes), *parcels).state == state


def test_only_https_leads_to_a_carrier() -> None:
    urls = ("http://track.example/1", "javascript:alert(1)", "https://track.example/3")
    found = seen(order(line(1, 1)), parcel("p", ("l1", 1), tracking_numbers=("A", "B"), tracking_urls=urls))
    assert found.parcels[0].trackings == (("A", None), ("B", None), ("", "https://track.example/3"))


def test_a_late_scan_does_not_stand_after_the_arrival() -> None:
    one = parcel("p", ("l1", 1), status=ShipmentStatus.DELIVERED, updated_at=NOW - DAY)
    times = {"p": {"delivered": NOW - DAY, "in_transit": NOW, "shipped": NOW - 2 * DAY}}
    found = follow(replace(known(order(line(1, 1)), one), times=times), NOW, ZONE)
    assert [moment.what for moment in found.moments] == ["ordered", "paid", "shipped", "delivered"]


def test_a_parcel_that_says_nothing_of_its_contents() -> None:
    two = order(line(1, 2), line(2, 1))
    assert seen(two, parcel("p")).parcels[0].items == (Item("Thing 1", 2), Item("Thing 2", 1))
    assert [one.items for one in seen(two, parcel("p"), parcel("q")).parcels] == [(), ()], "nobody knows what is where"


# --- when it may come ---


@given(st.lists(st.floats(0.5, 20), min_size=FEWEST, max_size=80))
def test_the_range_holds_four_of_five_of_what_went_before(days: list[float]) -> None:
    """Counted anew the slow way: at most a tenth of the parcels lie below it and a tenth above."""
    one = parcel("p", created_at=NOW, updated_at=NOW)
    found = expected_of(one, NOW, arrivals(days), False, NOW, ZONE)
    assert found is not None
    came = [(NOW + each * DAY).astimezone(ZONE).date() for each in days]
    assert sum(day < found.first for day in came) <= len(days) / 10
    assert sum(day > found.last for day in came) <= len(days) / 10
    assert found.first in came
    assert found.last in came
    assert not found.told
    assert found.parcels == len(days)


@pytest.mark.parametrize(
    ("past", "created", "why"),
    [
        (arrivals([2.0] * (FEWEST - 1)), NOW, "too few have arrived"),
        (arrivals([2.0] * 50, abroad=True), NOW, "those went abroad"),
        (arrivals([2.0] * 50), NOW - 9 * DAY, "it is later than all of them"),
        (arrivals([300.0] * 50), NOW, "those were lost"),
        ((), NOW, "nothing is known"),
    ],
)
def test_nothing_is_invented(past: tuple[Arrival, ...], created: datetime, why: str) -> None:
    assert expected_of(parcel("p", created_at=created), NOW, past, False, NOW, ZONE) is None, why


def test_the_carriers_word_goes_first_and_is_not_repeated_when_it_was_wrong() -> None:
    past = arrivals([2.0] * 50)
    told = expected_of(parcel("p", estimated_delivery_at=NOW + DAY), NOW, past, False, NOW, ZONE)
    assert told is not None
    assert told.told
    assert told.first == told.last == (NOW + DAY).date()
    assert expected_of(parcel("p", estimated_delivery_at=NOW - DAY), NOW, past, False, NOW, ZONE) is None


def test_a_carrier_is_judged_by_its_own_parcels() -> None:
    past = (*arrivals([1.0] * 40), *arrivals([6.0] * 40, carrier="slow post"))
    slow = expected_of(parcel("p", carrier="Slow  POST", created_at=NOW), NOW, past, False, NOW, ZONE)
    assert slow is not None
    assert slow.first == slow.last == (NOW + 6 * DAY).date()


def test_the_past_is_read_only_where_it_shows() -> None:
    done = parcel("p", ("l1", 1), status=ShipmentStatus.DELIVERED)
    assert asks_the_past(known(order(line(1, 1)), parcel("p", ("l1", 1))))
    assert asks_the_past(known(order(line(1, 1))))
    assert not asks_the_past(known(order(line(1, 1)), done))
    assert not asks_the_past(known(order(line(1, 1), status=OrderStatus.CANCELLED)))
    assert not asks_the_past(known(order(line(1, 1)), parcel("p", ("l1", 1), estimated_delivery_at=NOW)))
