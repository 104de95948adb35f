"""Rows of flows' own: fields on people, and points that are given once and taken back at most once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.store import Store, accounts, books, customer_fields, people
from connector.store.customer_fields import FieldValue
from connector.store.owners import owner_of
from flows.value import bookings

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def keep(
    store: Store, who: tuple[str | None, str | None], name: str, kind: str, value: str, at: datetime = NOW
) -> None:
    with store.work.transaction() as tx:
        customer_fields.put(tx, "shop", *who, name, kind, value, at, "e1")


def fields(store: Store, who: tuple[str | None, str | None]) -> dict[str, FieldValue]:
    with store.work.read() as tx:
        return customer_fields.of(tx, "shop", *who)


ACCOUNT, GUEST = ("c1", "a@example.test"), (None, "a@example.test")


def test_values_come_back_as_what_they_are(store: Store) -> None:
    keep(store, ACCOUNT, "size", "text", "XL")
    keep(store, ACCOUNT, "score", "number", "12.50")
    keep(store, ACCOUNT, "vip", "bool", "true")
    keep(store, ACCOUNT, "seen", "time", "2026-11-02T00:00:00.000000Z")
    assert fields(store, ACCOUNT) == {
        "size": "XL",
        "score": Decimal("12.50"),
        "vip": True,
        "seen": datetime(2026, 11, 2, tzinfo=UTC),
    }
    assert fields(store, ("c2", None)) == {}
    assert fields(store, (None, None)) == {}


def test_the_newest_word_counts_as_guest_or_account(store: Store) -> None:
    keep(store, GUEST, "size", "text", "S", NOW - DAY)
    assert fields(store, ACCOUNT) == {"size": "S"}, "a guest who got an account since"
    keep(store, ACCOUNT, "size", "text", "M", NOW)
    assert fields(store, ACCOUNT) == {"size": "M"}
    keep(store, GUEST, "size", "text", "L", NOW + DAY)
    assert fields(store, ACCOUNT) == {"size": "L"}
    with store.work.transaction() as tx:
        assert customer_fields.drop(tx, "shop", *ACCOUNT, "size")
        assert not customer_fields.drop(tx, "shop", *ACCOUNT, "size")
    assert fields(store, ACCOUNT) == {}


def test_points_are_entered_once_and_reversed_once(store: Store) -> None:
    with store.work.transaction() as tx:
        assert bookings.give_points(tx, "shop", "r1:give", *ACCOUNT, 100, NOW, reason="a review", cause="order/o1")
        assert not bookings.give_points(tx, "shop", "r1:give", *ACCOUNT, 100, NOW)
        assert bookings.give_points(tx, "shop", "r2:give", *GUEST, 30, NOW, expires_at=NOW + DAY)
        assert bookings.balance(tx, "shop", *ACCOUNT, NOW) == 130
        assert bookings.balance(tx, "shop", *ACCOUNT, NOW + DAY) == 100, "what lapsed is gone"
        assert bookings.reverse(tx, "shop", "r1:give", NOW, "order.cancelled")
        assert not bookings.reverse(tx, "shop", "r1:give", NOW, "order.cancelled")
        assert not bookings.reverse(tx, "shop", "r1:give/taken/1", NOW, "again")
        assert not bookings.reverse(tx, "shop", "r9:give", NOW, "never given")
        assert bookings.balance(tx, "shop", *ACCOUNT, NOW) == 30
        holder = accounts.find(tx, "shop", *ACCOUNT)
        assert sorted((e.lot, e.kind, e.amount) for e in books.entries_of(tx, "shop", holder.accounts)) == [
            ("r1:give", "earn", 100),
            ("r1:give", "reverse", 100),
            ("r2:give", "earn", 30),
        ]
        assert bookings.balance(tx, "other", *ACCOUNT, NOW) == 0


@given(st.lists(st.tuples(st.sampled_from("gr"), st.integers(0, 4), st.integers(1, 50)), max_size=25))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_balance_is_what_a_count_by_hand_says(store: Store, deeds: list[tuple[str, int, int]]) -> None:
    given_points: dict[int, int] = {}
    reversed_points: set[int] = set()
    with store.work.transaction() as tx:
        people.wipe_shop(tx, "shop", 1000)
        for deed, entry, worth in deeds:
            if deed == "g":
                made = bool(bookings.give_points(tx, "shop", f"r{entry}:give", *ACCOUNT, worth, NOW))
                assert made == (entry not in given_points)
                given_points.setdefault(entry, worth)
            else:
                taken = bookings.reverse(tx, "shop", f"r{entry}:give", NOW, "x")
                assert taken == (entry in given_points and entry not in reversed_points)
                reversed_points |= {entry} & set(given_points)
        wanted = sum(worth for entry, worth in given_points.items() if entry not in reversed_points)
        assert bookings.balance(tx, "shop", *ACCOUNT, NOW) == wanted


def test_a_row_of_nobodys_is_refused() -> None:
    with pytest.raises(ValueError, match="nobody"):
        owner_of(None, None)
