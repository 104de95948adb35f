"""Where people are: the declared list against the schema, and whom a name means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from connector.model import Customer
from connector.store import Store, entities, people
from connector.store.places import PLACES, WITHOUT_PEOPLE, Place
from connector.store.sql import load_queries
from tests.store.examples import order, order_event

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def schema(store: Store) -> dict[str, set[str]]:
    with store.work.read() as tx:
        tables = [
            row[0]
            for row in tx._cursor.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
        ]
        return {table: {row[1] for row in tx._cursor.execute(f"PRAGMA table_info({table})")} for table in tables}


@pytest.fixture
def sqlite() -> Iterator[Store]:
    store = Store.open("sqlite://:memory:")
    yield store
    store.close()


def undeclared(columns: dict[str, set[str]], places: tuple[Place, ...]) -> dict[str, set[str]]:
    """Columns by table that no place calls personal or impersonal, and declared ones that do not exist."""
    declared = {place.table: {*place.personal, *place.impersonal, "shop_id"} for place in places}
    known = {table: names for table, names in columns.items() if table not in WITHOUT_PEOPLE}
    return {
        table: wrong for table in known | declared if (wrong := known.get(table, set()) ^ declared.get(table, set()))
    }


def test_every_column_is_declared_personal_or_not(sqlite: Store) -> None:
    assert undeclared(schema(sqlite), PLACES) == {}


def test_a_new_column_that_nobody_declared_is_found(sqlite: Store) -> None:
    with sqlite.work.transaction() as tx:
        tx.script("ALTER TABLE orders ADD COLUMN nickname TEXT")
        tx.script("CREATE TABLE friends (shop_id TEXT, name TEXT)")
    assert undeclared(schema(sqlite), PLACES) == {"orders": {"nickname"}, "friends": {"shop_id", "name"}}


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.table)
def test_what_is_personal_is_reached_by_an_erasure(place: Place) -> None:
    if not place.personal:
        return_ = place.erase
        assert return_ is None
        return
    name = place.erase or "erase_effect"
    sql = load_queries("sqlite")[name].sql
    assert place.table in sql
    if sql.startswith("UPDATE"):
        missed = [column for column in place.personal if f"{column} =" not in sql]
        assert missed == []


def put(store: Store, order_id: str, email: str, customer: Customer | None = None) -> None:
    placed = replace(order(), id=order_id, email=email, customer=customer)
    with store.work.transaction() as tx:
        entities.apply(tx, "shop", order_event(placed), NOW)


def test_an_address_brings_its_account_and_the_accounts_other_orders(store: Store) -> None:
    aino = Customer(id="c1", email="aino@example.test")
    put(store, "1", "aino@example.test", aino)
    put(store, "2", "work@example.test", aino)
    with store.work.read() as tx:
        found = people.find(tx, "shop", email="AINO@example.test")
    assert (found.customers, found.orders) == ({"c1"}, {"1", "2"})
    assert found.emails == {"aino@example.test"}


def test_a_friend_whose_address_stands_on_a_gift_is_somebody_else(store: Store) -> None:
    put(store, "1", "friend@example.test", Customer(id="c1", email="aino@example.test"))
    put(store, "2", "friend@example.test", Customer(id="c2", email="friend@example.test"))
    with store.work.read() as tx:
        found = people.find(tx, "shop", customer_id="c1")
    assert (found.emails, found.orders) == (frozenset(), {"1"})


def test_named_by_an_order_alone_its_buyer_is_meant(store: Store) -> None:
    put(store, "1", "guest@example.test")
    put(store, "2", "guest@example.test")
    with store.work.read() as tx:
        found = people.find(tx, "shop", orders=["1"])
    assert (found.emails, found.orders) == ({"guest@example.test"}, {"1", "2"})
