"""A customer's rows in a database of their own: all that is known of them, in memory, to do with as one likes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from connector import codec
from connector.model import Checkout, Customer, Event, EventKind, Order, Ref
from connector.store import entities, flows, people
from connector.store.db import Row, Tx
from connector.store.people import Person
from connector.store.places import PLACES

_BY_SNAPSHOT = frozenset({"orders", "customers", "checkouts"})
"""Shown without the columns that the snapshot gives: kept again by the door they came in by."""


def copy_person(source: Tx, target: Tx, person: Person, now: datetime) -> None:
    """Put everything of the person into `target`, with the versions of flows they are in and the goods they bought."""
    found = people.gather(source, person)
    bought: dict[str, None] = {}
    for event in _snapshots(found, now):
        entities.apply(target, person.shop_id, event, now)
        if event.order is not None:
            bought.update(dict.fromkeys(line.product_id for line in event.order.lines if line.product_id))
    for place in PLACES:
        if place.table in found and place.table not in _BY_SNAPSHOT:
            _insert(target, place.table, person.shop_id, found[place.table])
    for product in entities.products(source, person.shop_id, list(bought)).values():
        entities.apply(target, person.shop_id, _event(EventKind.PRODUCT_UPDATED, product.id, now, product=product), now)
    for flow_id, version in dict.fromkeys((row["flow_id"], row["version"]) for row in found.get("runs", ())):
        body = flows.get(source, person.shop_id, flow_id, version)
        if body is not None:
            flows.save(target, person.shop_id, flow_id, version, body, now)


def _snapshots(found: dict[str, list[Row]], now: datetime) -> Iterable[Event]:
    for row in found.get("customers", ()):
        if row["snapshot"]:
            account = codec.decode(row["snapshot"], Customer)
            yield _event(EventKind.CUSTOMER_UPDATED, row["customer_id"], account.updated_at or now, customer=account)
    for row in found.get("orders", ()):
        if row["snapshot"]:
            yield _event(EventKind.ORDER_UPDATED, row["order_id"], now, order=codec.decode(row["snapshot"], Order))
    for row in found.get("checkouts", ()):
        if row["snapshot"]:
            cart = codec.decode(row["snapshot"], Checkout)
            yield _event(EventKind.CHECKOUT_UPDATED, row["token"], now, checkout=cart)


def _event(kind: str, name: str, at: datetime, **carries: Any) -> Event:
    return Event(kind=kind, key=f"copy/{name}", subject=Ref(kind.partition(".")[0], name), at=at, **carries)


def _insert(target: Tx, table: str, shop_id: str, rows: Iterable[Row]) -> None:
    """Rows as they stand. What is shown without a column that must be there (a message's bytes) is left out."""
    for row in rows:
        whole = {"shop_id": shop_id, **row}
        if table == "effect_contents":
            continue
        names = ", ".join(whole)
        marks = ", ".join("?" * len(whole))
        target.script(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", list(whole.values()))
