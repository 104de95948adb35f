"""What a transaction has read it need not read again, and must not believe after a change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from unittest.mock import patch

import pytest

from connector.model import EventKind, Product, Ref, RunStatus, Shop, ShopStatus
from connector.store import Store, entities, runs, shops
from connector.store.db import Tx
from tests.store.examples import NOW, SHOP, event, run

ORDER = Ref("order", "501")
AURORA = Shop(id=SHOP, client_id="demo", platform="shopify", domain="aurora.example", name="Aurora")


@pytest.fixture
def asked(store: Store) -> Iterator[Counter[str]]:
    """How often each query was asked."""
    counted: Counter[str] = Counter()
    kind = type(store.work._session().writing)
    plain = kind.all

    def counting(tx: Tx, query: str, **args: object) -> list[dict[str, object]]:
        counted[query] += 1
        return plain(tx, query, **args)

    with patch.object(kind, "all", counting):
        yield counted


def test_active_runs_are_asked_for_once_until_one_moves(store: Store, asked: Counter[str]) -> None:
    first = run("r1", subject_id="501", order_id="501")
    with store.work.transaction() as tx:
        assert runs.active(tx, SHOP, order_id="501", subject=ORDER) == []
        assert runs.start(tx, first)
        assert runs.active(tx, SHOP, order_id="501", subject=ORDER) == [first]
        assert runs.active(tx, SHOP, order_id="501", subject=ORDER) == [first]
        assert asked["run_of_order"] == 2
        assert runs.save(tx, replace(first, status=RunStatus.COMPLETED))
        assert runs.active(tx, SHOP, order_id="501", subject=ORDER) == []
        assert runs.active(tx, "shop-other", order_id="501", subject=ORDER) == []


def test_the_next_transaction_asks_anew(store: Store, asked: Counter[str]) -> None:
    with store.work.transaction() as tx:
        shops.save(tx, AURORA, NOW)
    for _ in range(2):
        with store.work.transaction() as tx:
            assert shops.get(tx, SHOP) == shops.get(tx, SHOP)
    assert asked["shop_get"] == 2


def test_a_status_set_in_the_same_transaction_is_seen(store: Store) -> None:
    with store.work.transaction() as tx:
        shops.save(tx, AURORA, NOW)
        before = shops.get(tx, SHOP)
        shops.set_status(tx, SHOP, ShopStatus.PAUSED, NOW)
        after = shops.get(tx, SHOP)
    assert before is not None
    assert before.status is ShopStatus.ACTIVE
    assert after is not None
    assert after.status is ShopStatus.PAUSED


def test_what_a_rolled_back_savepoint_read_is_forgotten(store: Store) -> None:
    def pause(tx: Tx) -> None:
        with tx.savepoint():
            shops.set_status(tx, SHOP, ShopStatus.PAUSED, NOW)
            shops.get(tx, SHOP)
            raise LookupError

    with store.work.transaction() as tx:
        shops.save(tx, AURORA, NOW)
        with pytest.raises(LookupError):
            pause(tx)
        found = shops.get(tx, SHOP)
    assert found is not None
    assert found.status is ShopStatus.ACTIVE


def test_products_are_asked_for_once_and_anew_after_a_change(store: Store, asked: Counter[str]) -> None:
    def told(title: str) -> None:
        product = Product(id="p1", title=title, updated_at=NOW)
        entities.apply(
            tx, SHOP, event(EventKind.PRODUCT_UPDATED, Ref("product", "p1"), key=title, product=product), NOW
        )

    with store.work.transaction() as tx:
        assert entities.products(tx, SHOP, ["p1", "p2"]) == {}
        assert entities.products(tx, SHOP, ["p2", "p1"]) == {}
        assert asked["product_by_ids"] == 1
        told("Mug")
        assert entities.products(tx, SHOP, ["p1", "p2"])["p1"].title == "Mug"
        told("Cup")
        assert entities.products(tx, SHOP, ["p1"])["p1"].title == "Cup"
