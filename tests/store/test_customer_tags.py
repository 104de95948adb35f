"""Absent is not empty: what a snapshot does not say of a customer stays as it was known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.model import Customer, Event, EventKind, Money, Ref, Shop
from connector.store import Store, entities
from flows.knowing.situation import look
from tests.store.examples import NOW, SHOP, at, order, order_event

AINO = Customer(id="71", email="aino@example.test", updated_at=NOW)


def apply(store: Store, *happened: Event) -> None:
    with store.work.transaction() as tx:
        entities.apply_many(tx, SHOP, happened, NOW)


def known(store: Store) -> Customer:
    with store.work.read() as tx:
        found = entities.customer(tx, SHOP, "71")
    assert found is not None
    return found


def updated(hours: float, **changes: object) -> Event:
    customer = replace(AINO, updated_at=at(hours), **changes)  # type: ignore[arg-type]
    return Event(
        kind=EventKind.CUSTOMER_UPDATED,
        key=f"c/{hours}",
        subject=Ref("customer", "71"),
        at=at(hours),
        customer_id="71",
        customer=customer,
    )


def tagged(hours: float, tags: str, *, off: bool = False) -> Event:
    return Event(
        kind=EventKind.CUSTOMER_UNTAGGED if off else EventKind.CUSTOMER_TAGGED,
        key=f"t/{hours}",
        subject=Ref("customer", "71"),
        at=at(hours),
        customer_id="71",
        data={"tags": tags},
    )


def test_a_newer_snapshot_without_tags_keeps_them(store: Store) -> None:
    spent = Money.parse("120.00", "EUR")
    apply(store, updated(1, tags=("vip",), orders_count=4, total_spent=spent), updated(2, first_name="Aino"))
    found = known(store)
    assert (found.tags, found.orders_count, found.total_spent, found.first_name) == (("vip",), 4, spent, "Aino")


def test_tags_that_are_empty_are_empty(store: Store) -> None:
    apply(store, updated(1, tags=("vip",)), updated(2, tags=()))
    assert known(store).tags == ()


def test_never_told_is_not_known(store: Store) -> None:
    apply(store, updated(1))
    assert known(store).tags is None


def test_tag_news_changes_what_is_known_and_makes_no_snapshot_older(store: Store) -> None:
    apply(store, updated(1), tagged(2, "vip, b2b"), tagged(3, "b2b", off=True), tagged(4, "vip"))
    assert known(store).tags == ("vip",)
    apply(store, updated(1.5, first_name="Aino"))
    assert (known(store).first_name, known(store).tags) == ("Aino", ("vip",))


def test_tag_news_of_a_stranger_is_passed_over(store: Store) -> None:
    apply(store, tagged(1, "vip"))
    with store.work.read() as tx:
        assert entities.customer(tx, SHOP, "71") is None


@pytest.mark.parametrize("before", [(), (updated(1),)], ids=["stranger", "known"])
def test_tags_read_with_an_order_outlive_its_next_webhook(store: Store, before: tuple[Event, ...]) -> None:
    fetched = replace(order(updated_at=at(2)), customer=replace(AINO, tags=("vip",)))
    told = replace(order(updated_at=at(3)), customer=AINO)
    apply(store, *before, order_event(fetched), order_event(told))
    shop = Shop(id=SHOP, client_id="c", platform="shopify", domain="d", name="n")
    with store.work.read() as tx:
        stored = entities.order(tx, SHOP, "501")
        seen = look(tx, shop, "501").customer
    assert stored is not None
    assert stored.customer == AINO, "the order is what its newest webhook said"
    assert seen is not None
    assert seen.tags == ("vip",), "guards see what is known"
