"""How many may sign up is kept by all processes together."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from connector.store import Store, signups

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
WINDOW = timedelta(minutes=10)
SHOP = "demo-aurora"


def takes(store: Store, at: datetime, place: str = "p1", *, of_one: int = 3, of_all: int = 5, shop: str = SHOP) -> bool:
    with store.work.transaction() as tx:
        return signups.take(tx, shop, {"": of_all, place: of_one}, WINDOW, at)


def rows(store: Store) -> int:
    with store.work.read() as tx:
        return len(tx.all("signup_pace_of", shop_id=SHOP, places='["", "p1", "p2"]'))


def test_one_place_takes_its_share_and_waits_for_the_next(store: Store) -> None:
    assert [takes(store, NOW) for _ in range(4)] == [True, True, True, False]
    assert takes(store, NOW, "p2"), "another place has its own"
    assert takes(store, NOW, shop="demo-metsa"), "and another shop"
    later = NOW + WINDOW / 3
    assert [takes(store, later) for _ in range(2)] == [True, False]
    assert [takes(store, NOW + timedelta(days=1)) for _ in range(4)] == [True, True, True, False]


def test_all_of_a_shop_together_have_a_share_too(store: Store) -> None:
    found = [takes(store, NOW, f"p{n}") for n in range(7)]
    assert found == [True] * 5 + [False] * 2


def test_who_may_not_is_not_counted_and_what_is_past_is_forgotten(store: Store) -> None:
    for _ in range(3):
        takes(store, NOW)
    for _ in range(20):
        assert not takes(store, NOW)
    assert rows(store) == 2
    assert takes(store, NOW + WINDOW), "trying again and again did not make the wait longer"
    assert takes(store, NOW + timedelta(days=1), "p2")
    assert rows(store) == 2, "the shop's and the new place's"


def test_two_at_once_share_what_is_left(store: Store) -> None:
    meeting, found = threading.Barrier(4), []

    def one() -> None:
        meeting.wait(30)
        found.append(takes(store, NOW, of_one=2, of_all=2))

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(found) == [False, False, True, True]
