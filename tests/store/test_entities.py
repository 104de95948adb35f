from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations

import pytest

from connector.model import (
    Checkout,
    Customer,
    Event,
    EventKind,
    Money,
    OrderStatus,
    Product,
    Ref,
    Refund,
    Return,
    ShipmentStatus,
)
from connector.store import Store, entities, events
from tests.store.examples import NOW, SHOP, at, carrier, event, order, order_event, shipment


def apply(store: Store, *happened: Event) -> None:
    with store.work.transaction() as tx:
        for each in happened:
            entities.apply(tx, SHOP, each, NOW)


def test_events_are_recorded_once_per_key(store: Store) -> None:
    created, paid = (order_event(order(), kind) for kind in (EventKind.ORDER_CREATED, EventKind.ORDER_PAID))
    with store.work.transaction() as tx:
        assert events.record_many(tx, SHOP, [created, paid, created], NOW, 1) == {created.key, paid.key}
        assert events.record_many(tx, SHOP, [created, paid], at(1), 2) == set()
        assert not events.record(tx, SHOP, paid, at(1), 3)
        assert events.record(tx, "shop-other", paid, at(1), None)
        assert events.has(tx, SHOP, paid.key)
        assert not events.has(tx, SHOP, "order/502/paid")
        rows = events.for_order(tx, SHOP, "501")
    assert [(row.kind, row.delivery_id) for row in rows] == [("order.created", 1), ("order.paid", 1)]
    assert rows[0].at == NOW
    assert rows[0].recorded_at == NOW


def test_latest_of_a_kind(store: Store) -> None:
    with store.work.transaction() as tx:
        for hours in (2, 5, 3):
            edited = event(
                "order.edited", Ref("order", "501"), happened=at(hours), key=f"edited/{hours}", data={"n": str(hours)}
            )
            events.record(tx, SHOP, edited, NOW, None)
        assert events.latest_at(tx, SHOP, "501", EventKind.ORDER_EDITED) == at(5)
        assert events.latest_at(tx, SHOP, "501", EventKind.ORDER_PAID) is None
        assert [row.data["n"] for row in events.for_order(tx, SHOP, "501")] == ["2", "3", "5"]


def test_an_order_comes_back_as_it_was(store: Store) -> None:
    apply(store, order_event(order()))
    with store.work.read() as tx:
        assert entities.order(tx, SHOP, "501") == order()
        assert entities.order_by_number(tx, SHOP, "#501") == order()
        assert entities.order(tx, "shop-other", "501") is None


@pytest.mark.parametrize("hours", list(permutations([1, 2, 3])))
def test_the_newest_snapshot_wins_in_any_order(store: Store, hours: tuple[int, ...]) -> None:
    apply(store, *(order_event(order(updated_at=at(h), note=str(h))) for h in hours))
    with store.work.read() as tx:
        found = entities.order(tx, SHOP, "501")
    assert found is not None
    assert found.note == "3"


def test_of_equal_times_the_later_arrival_wins(store: Store) -> None:
    apply(store, order_event(order(note="first")), order_event(order(note="second")))
    with store.work.read() as tx:
        found = entities.order(tx, SHOP, "501")
    assert found is not None
    assert found.note == "second"


def test_a_deleted_order_stays_deleted_for_late_older_snapshots(store: Store) -> None:
    gone = event(EventKind.ORDER_DELETED, Ref("order", "501"), happened=at(2))
    apply(store, order_event(order(updated_at=at(1))), gone, order_event(order(updated_at=at(1.5), note="late")))
    apply(store, order_event(order(updated_at=at(2), note="same time")))
    with store.work.read() as tx:
        found = entities.order(tx, SHOP, "501")
        assert found is not None
        assert (found.status, found.note) == (OrderStatus.DELETED, "")
        assert entities.orders_of(tx, SHOP, "aino@example.test") == []
        assert entities.order_by_number(tx, SHOP, "#501") is None
    apply(store, order_event(order(updated_at=at(3), note="restored")))
    with store.work.read() as tx:
        found = entities.order(tx, SHOP, "501")
    assert found is not None
    assert (found.status, found.note) == (OrderStatus.OPEN, "restored")


def test_a_deletion_may_come_before_the_order(store: Store) -> None:
    apply(
        store, event(EventKind.ORDER_DELETED, Ref("order", "501"), happened=at(2)), order_event(order(updated_at=at(1)))
    )
    with store.work.read() as tx:
        assert entities.order(tx, SHOP, "501") is None


def test_an_older_deletion_does_not_undo_a_newer_snapshot(store: Store) -> None:
    apply(
        store, order_event(order(updated_at=at(3))), event(EventKind.ORDER_DELETED, Ref("order", "501"), happened=at(2))
    )
    with store.work.read() as tx:
        found = entities.order(tx, SHOP, "501")
    assert found is not None
    assert found.status is OrderStatus.OPEN


def test_orders_of_a_person(store: Store) -> None:
    for number in range(4):
        apply(store, order_event(replace(order(str(number)), placed_at=at(number))))
    apply(store, order_event(order("9", email=None)), order_event(order("10", email="other@example.test")))
    with store.work.read() as tx:
        found = [each.id for each in entities.orders_of(tx, SHOP, "aino@example.test", limit=3)]
        assert len(entities.orders_of(tx, SHOP, "aino@example.test")) == 5, "the customer's address stands in"
    assert found == ["3", "2", "1"]


def test_apply_many_writes_a_shared_snapshot_once_and_the_same_result(store: Store) -> None:
    shared = order()
    many = [order_event(shared, kind) for kind in (EventKind.ORDER_CREATED, EventKind.ORDER_PAID)]
    with store.work.transaction() as tx:
        entities.apply_many(tx, SHOP, [*many, order_event(order("502"))], NOW)
        assert entities.order(tx, SHOP, "501") == shared
        assert entities.order(tx, SHOP, "502") is not None


def test_customers(store: Store) -> None:
    person = Customer(id="71", email="Aino@example.test", tags=("vip",), updated_at=at(1))
    told = event(EventKind.CUSTOMER_UPDATED, Ref("customer", "71"), customer=person)
    older = replace(told, customer=replace(person, tags=(), updated_at=NOW))
    guest = event(
        EventKind.CUSTOMER_UPDATED, Ref("customer", ""), customer=Customer(id=None, email="guest@example.test")
    )
    apply(store, told, older, guest)
    with store.work.read() as tx:
        assert entities.customer(tx, SHOP, "71") == person
        assert entities.customer_by_email(tx, SHOP, "aino@example.test") == person
        assert entities.customer_by_email(tx, SHOP, "guest@example.test") is None
    apply(store, event(EventKind.CUSTOMER_DELETED, Ref("customer", "71"), happened=at(2)), told)
    with store.work.read() as tx:
        found = entities.customer(tx, SHOP, "71")
        assert entities.customer_by_email(tx, SHOP, "aino@example.test") is None
    assert found is not None
    assert found.deleted


def test_a_deletion_without_a_time_is_newer_than_what_is_known(store: Store) -> None:
    person = Customer(id="71", email="aino@example.test", updated_at=at(-1))
    told = event(EventKind.CUSTOMER_UPDATED, Ref("customer", "71"), customer=person)
    gone = event(EventKind.CUSTOMER_DELETED, Ref("customer", "71"), happened=datetime(1970, 1, 1, tzinfo=UTC))
    apply(store, told, gone, told)
    with store.work.read() as tx:
        found = entities.customer(tx, SHOP, "71")
    assert found is not None
    assert found.deleted


def test_products_and_checkouts(store: Store) -> None:
    mug = Product(id="p1", title="Mug", updated_at=at(1))
    cart = Checkout(token="t1", currency="EUR", started_at=NOW, updated_at=at(1), email="a@example.test")
    apply(
        store,
        event(EventKind.PRODUCT_UPDATED, Ref("product", "p1"), product=mug),
        event(EventKind.PRODUCT_UPDATED, Ref("product", "p1"), product=replace(mug, title="Old", updated_at=NOW)),
        event(EventKind.PRODUCT_UPDATED, Ref("product", "p2"), happened=at(1), product=Product(id="p2", title="Cup")),
        event(EventKind.PRODUCT_DELETED, Ref("product", "p2"), happened=at(2)),
        event(EventKind.CHECKOUT_UPDATED, Ref("checkout", "t1"), checkout=cart),
    )
    with store.work.read() as tx:
        found = entities.products(tx, SHOP, ["p1", "p2", "p3"])
        assert entities.checkout(tx, SHOP, "t1") == cart
        assert entities.checkout(tx, SHOP, "t2") is None
    assert found["p1"] == mug
    assert (found["p2"].title, found["p2"].deleted) == ("Cup", True)
    assert "p3" not in found
    apply(store, event(EventKind.CHECKOUT_DELETED, Ref("checkout", "t1"), happened=at(2)))
    with store.work.read() as tx:
        gone = entities.checkout(tx, SHOP, "t1")
    assert gone is not None
    assert gone.deleted


STORY = [
    shipment(ShipmentStatus.SHIPPED, at(1)),
    carrier(ShipmentStatus.IN_TRANSIT, at(2)),
    carrier(ShipmentStatus.OUT_FOR_DELIVERY, at(3)),
    carrier(ShipmentStatus.DELIVERED, at(4)),
]


@pytest.mark.parametrize("sequence", list(permutations(range(4))))
def test_a_parcel_ends_delivered_in_whatever_order_the_news_come(store: Store, sequence: tuple[int, ...]) -> None:
    for index in sequence:
        told = STORY[index]
        apply(
            store,
            told if isinstance(told, Event) else event("shipment.created", Ref("shipment", "9001"), shipment=told),
        )
    with store.work.read() as tx:
        found = entities.shipment(tx, SHOP, "9001")
        times = entities.shipment_times(tx, SHOP, "501")
        assert entities.shipment_delivered_at(tx, SHOP, "9001") == at(4)
    assert found is not None
    assert (found.status, found.raw_status, found.tracking_numbers) == (
        ShipmentStatus.DELIVERED,
        "delivered",
        ("JJFI1",),
    )
    assert times["9001"][ShipmentStatus.DELIVERED] == at(4)
    assert times["9001"]["in_transit"] == at(2)


def test_a_carrier_may_speak_of_a_parcel_nobody_knows_yet(store: Store) -> None:
    apply(store, carrier(ShipmentStatus.IN_TRANSIT, at(2)))
    with store.work.read() as tx:
        (stub,) = entities.shipments(tx, SHOP, "501")
        assert entities.shipment_delivered_at(tx, SHOP, "9001") is None
    assert (stub.id, stub.status, stub.tracking_numbers) == ("9001", ShipmentStatus.IN_TRANSIT, ())
    apply(store, event("shipment.created", Ref("shipment", "9001"), shipment=shipment(ShipmentStatus.LABEL, at(1))))
    with store.work.read() as tx:
        found = entities.shipment(tx, SHOP, "9001")
    assert found is not None
    assert (found.status, found.tracking_numbers) == (ShipmentStatus.IN_TRANSIT, ("JJFI1",))


def test_of_equal_ranks_the_later_word_counts(store: Store) -> None:
    apply(store, carrier(ShipmentStatus.DELAYED, at(3)), carrier(ShipmentStatus.IN_TRANSIT, at(2)))
    with store.work.read() as tx:
        found = entities.shipment(tx, SHOP, "9001")
    assert found is not None
    assert found.status is ShipmentStatus.DELAYED
    apply(store, carrier(ShipmentStatus.IN_TRANSIT, at(4)))
    with store.work.read() as tx:
        found = entities.shipment(tx, SHOP, "9001")
    assert found is not None
    assert found.status is ShipmentStatus.IN_TRANSIT


def test_cancelled_wins_over_everything(store: Store) -> None:
    told = [
        event("shipment.cancelled", Ref("shipment", "9001"), shipment=shipment(ShipmentStatus.CANCELLED, at(1))),
        carrier(ShipmentStatus.DELIVERED, at(5)),
    ]
    apply(store, *told)
    with store.work.read() as tx:
        found = entities.shipment(tx, SHOP, "9001")
    assert found is not None
    assert found.status is ShipmentStatus.CANCELLED


def test_delivery_by_snapshot_alone_keeps_its_first_time(store: Store) -> None:
    for hours in (2, 5):
        delivered = shipment(ShipmentStatus.DELIVERED, at(hours))
        apply(store, event("shipment.delivered", Ref("shipment", "9001"), shipment=delivered))
    with store.work.read() as tx:
        assert entities.shipment_delivered_at(tx, SHOP, "9001") == at(2)
        assert entities.shipment_times(tx, SHOP, "501") == {"9001": {"delivered": at(2)}}
        assert entities.shipment_times(tx, SHOP, "502") == {}


def test_refunds_once_and_returns_newest(store: Store) -> None:
    money = Refund(id="f1", order_id="501", at=NOW, amount=Money.parse("9.90", "EUR"))
    goods = Return(id="x1", order_id="501", raw_status="OPEN", at=at(1))
    apply(
        store,
        event("refund.created", Ref("refund", "f1"), refund=money),
        event("refund.created", Ref("refund", "f1"), refund=replace(money, amount=None)),
        event("return.requested", Ref("return", "x1"), return_=goods),
        event("return.closed", Ref("return", "x1"), return_=replace(goods, raw_status="CLOSED", at=at(2))),
        event("return.requested", Ref("return", "x1"), return_=goods),
    )
    with store.work.read() as tx:
        assert entities.refunds(tx, SHOP, "501") == [money]
        assert [each.raw_status for each in entities.returns(tx, SHOP, "501")] == ["CLOSED"]
        assert entities.refunds(tx, SHOP, "502") == []


def test_a_nul_in_a_customers_text_does_not_poison_the_delivery(store: Store) -> None:
    apply(store, order_event(replace(order(), note="a\0b", number="#5\x0001")))
    with store.work.read() as tx:
        found = entities.order(tx, SHOP, "501")
    assert found is not None
    assert found.note == "a\0b"
