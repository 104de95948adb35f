"""How many orders a look back has before it is found out beside it, never in one read of the whole index."""

from __future__ import annotations

import random  # noqa: TID251 - a seeded shop
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from connector.simulate import census
from connector.simulate.census import Census
from connector.store import buyers, entities
from connector.store.db import Tx
from connector.store.store import Store
from tests.store.examples import NOW, SHOP, order, order_event

UNTIL = NOW + timedelta(days=1)


def fill(store: Store, placed: list[datetime]) -> None:
    told = [
        order_event(replace(order(f"{n:04d}", email=f"p{n}@example.test"), customer=None, placed_at=moment))
        for n, moment in enumerate(placed)
    ]
    with store.work.transaction() as tx:
        entities.apply_many(tx, SHOP, told, NOW)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many orders each read of the index gave."""
    found: list[int] = []
    count = buyers.count

    def counted(tx: Tx, shop_id: str, since: datetime, until: datetime) -> int:
        found.append(count(tx, shop_id, since, until))
        return found[-1]

    monkeypatch.setattr(buyers, "count", counted)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_it_counts_each_order_before_the_end_once(store: Store, seed: int) -> None:
    """By hand; orders lie on the edges of the stretches too, on the end itself and after it."""
    rng = random.Random(seed)
    first = NOW - timedelta(days=400)
    edge = (UNTIL - first) / census.STRETCHES
    placed = [first, UNTIL, UNTIL + timedelta(days=1), *(first + edge * n for n in range(0, 400, 37))]
    placed += [first + timedelta(seconds=rng.randrange(410 * 86_400)) for _ in range(60)]
    fill(store, placed)
    assert Census(store, SHOP, UNTIL).total() == sum(moment < UNTIL for moment in placed)


@pytest.mark.parametrize("until", [NOW - timedelta(days=9), NOW])
def test_a_shop_without_orders_before_the_end_has_none(store: Store, until: datetime) -> None:
    assert Census(store, SHOP, until).total() == 0
    fill(store, [NOW])
    assert Census(store, SHOP, until).total() == 0


def test_no_look_waits_for_all_of_it(store: Store, reads: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(census, "AT_ONCE", 50)
    fill(store, [NOW - timedelta(hours=n) for n in range(800)])
    told, reached = Census(store, SHOP, UNTIL), [0]
    while (total := told.total()) is None:
        assert sum(reads) - reached[-1] < 50 + 3, "one look counted more than it may"
        reached.append(sum(reads))
    assert total == 800
    assert len(reached) == 16
    before = len(reads)
    assert told.total() == 800
    assert len(reads) == before, "what is known is not counted again"


def test_a_count_at_once_is_found_out(store: Store, reads: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of the test: one stretch is a read of the whole index."""
    monkeypatch.setattr(census, "AT_ONCE", 50)
    monkeypatch.setattr(census, "STRETCHES", 1)
    fill(store, [NOW - timedelta(hours=n) for n in range(800)])
    assert Census(store, SHOP, UNTIL).total() == 800
    assert reads == [800]
