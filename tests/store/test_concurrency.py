"""Many at once: nothing taken twice, nothing lost, no error below the lock timeout."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from connector.errors import StoreCollision, StoreUnavailable
from connector.store import Store, deliveries, effects, inbox, meta, runs
from connector.store.sql import MIGRATIONS
from connector.store.sqlite import Sqlite
from tests.store.examples import NOW, at, delivery, effect, run


def together(count: int, work: Callable[[int], None]) -> list[BaseException]:
    """Run `work` in `count` threads that start at the same moment; return what they raised."""
    gate = threading.Barrier(count)
    raised: list[BaseException] = []

    def body(index: int) -> None:
        gate.wait()
        try:
            work(index)
        except Exception as error:  # noqa: BLE001 - handed to the test, which asserts on it
            raised.append(error)

    threads = [threading.Thread(target=body, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    return raised


def test_eight_workers_never_claim_the_same_delivery(open_store: Callable[[], Store]) -> None:
    store = open_store()
    with store.inbox.transaction() as tx:
        inbox.put_many(tx, [delivery(str(n)) for n in range(300)])
    taken: Counter[int] = Counter()
    lock = threading.Lock()
    own = [open_store() for _ in range(4)]  # two threads share a store, as two processes of two threads would

    def work(index: int) -> None:
        mine = own[index % 4]
        while claimed := deliveries.claim(mine, NOW, 7, timedelta(hours=1)):
            with lock:
                taken.update(c.delivery.id for c in claimed)
            with mine.work.transaction() as tx:
                deliveries.finish_many(tx, [(c.delivery.shop_id, c.delivery.id) for c in claimed], NOW)

    assert together(8, work) == []
    assert len(taken) == 300
    assert set(taken.values()) == {1}
    assert deliveries.backlog(store) == 0


def test_receivers_and_workers_at_the_same_time_lose_nothing(open_store: Callable[[], Store]) -> None:
    receivers, workers = [open_store(), open_store()], [open_store(), open_store()]
    seen: Counter[str] = Counter()
    lock = threading.Lock()
    done = threading.Event()

    def work(index: int) -> None:
        if index < 2:
            for n in range(60):
                with receivers[index].inbox.transaction() as tx:
                    inbox.put_many(tx, [delivery(f"{index}/{n}"), delivery(f"common/{n}")])
            if index == 0:
                done.set()
            return
        mine = workers[index - 2]
        while True:
            last = done.is_set()
            claimed = deliveries.claim(mine, NOW, 10, timedelta(hours=1))
            with lock:
                seen.update(c.delivery.dedup_key for c in claimed)
            if not claimed and last:
                return

    assert together(4, work) == []
    for claimed in iter(lambda: deliveries.claim(workers[0], NOW, 50, timedelta(hours=1)), []):
        seen.update(c.delivery.dedup_key for c in claimed)
    assert len(seen) == 180
    assert set(seen.values()) == {1}


def test_an_effect_is_begun_by_one_worker_only(open_store: Callable[[], Store]) -> None:
    store = open_store()
    with store.work.transaction() as tx:
        for n in range(60):
            effects.put(tx, effect(f"e{n}"))
    begun: Counter[str] = Counter()
    lock = threading.Lock()
    own = [open_store() for _ in range(4)]

    def work(index: int) -> None:
        while True:
            with own[index].work.transaction() as tx:
                taken = [e.id for e in effects.due(tx, NOW, 5)]
                ok = [each for each in taken if effects.begin(tx, "shop-aalto", each, NOW, at(1))]
            with lock:
                begun.update(ok)
            if not taken:
                return

    assert together(4, work) == []
    assert len(begun) == 60
    assert set(begun.values()) == {1}


def test_of_parallel_saves_of_one_rev_one_wins(open_store: Callable[[], Store]) -> None:
    store = open_store()
    with store.work.transaction() as tx:
        runs.start(tx, run())
    own = [open_store() for _ in range(6)]
    results: list[bool] = []

    def work(index: int) -> None:
        with own[index].work.transaction() as tx:
            results.append(runs.save(tx, run(step=index)))

    assert together(6, work) == []
    assert sorted(results) == [False] * 5 + [True]


@pytest.mark.parametrize("names", [["order/a"], ["order/b", "order/a"], ["order/a\0"]])
def test_what_is_held_by_name_is_done_by_one_at_a_time(open_store: Callable[[], Store], names: list[str]) -> None:
    """Two that each look for the other's row and write their own: one of them must see it."""
    own = [open_store() for _ in range(2)]
    saw: list[bool] = []
    both_looked = threading.Barrier(2)

    def work(index: int) -> None:
        with own[index].work.transaction() as tx:
            tx.hold(names if index else reversed(names))
            saw.append(meta.get(tx, f"row {1 - index}") is not None)
            with suppress(threading.BrokenBarrierError):
                both_looked.wait(0.3)
            meta.put(tx, f"row {index}", "here", NOW)

    assert together(2, work) == []
    assert sorted(saw) == [False, True]


@pytest.mark.postgres
def test_a_held_name_can_be_tried_and_ends_with_its_savepoint(schema_dsn: str) -> None:
    one, two = Store.open(schema_dsn), Store.open(schema_dsn)
    with one.work.transaction() as mine, two.work.transaction() as other:
        mine.hold(["order/a", "order/a"])
        assert mine.try_hold("order/a")
        assert (other.try_hold("order/a"), other.try_hold("order/b")) == (False, True)
        assert not mine.try_hold("order/b")
        with suppress(LookupError), other.savepoint():
            other.hold(["order/c"])
            raise LookupError
        assert mine.try_hold("order/c")
        assert not other.try_hold("order/c")
    with two.work.transaction() as other:
        assert other.try_hold("order/a")
    one.close()
    two.close()


@pytest.mark.postgres
def test_two_that_wait_for_each_other_collide_and_one_is_undone(schema_dsn: str) -> None:
    with psycopg.connect(schema_dsn) as connection:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = current_user AND rolsuper").fetchone():
            schema_dsn += "%20-cdeadlock_timeout%3D20ms"  # only a superuser may be this impatient
    own = [Store.open(schema_dsn) for _ in range(2)]
    both = threading.Barrier(2)

    def work(index: int) -> None:
        with own[index].work.transaction() as tx:
            tx.hold([f"order/{index}"])
            both.wait(10)
            tx.hold([f"order/{1 - index}"])
            meta.put(tx, f"row {index}", "here", NOW)

    raised = together(2, work)
    assert [type(error) for error in raised] == [StoreCollision]
    assert "deadlock" in str(raised[0])
    with own[0].work.read() as tx:
        assert [meta.get(tx, f"row {index}") for index in range(2)].count("here") == 1
    for store in own:
        store.close()


def count_up(database: Sqlite, times: int) -> None:
    for _ in range(times):
        with database.transaction() as tx:
            value = int(meta.get(tx, "counter") or "0")
            meta.put(tx, "counter", str(value + 1), NOW)


def test_four_writers_that_read_and_then_write_never_fail(tmp_path: Path) -> None:
    Store.open(f"sqlite:///{tmp_path}/work.db").close()
    own = [Sqlite(tmp_path / "work.db", synchronous="OFF") for _ in range(4)]
    assert together(4, lambda index: count_up(own[index], 100)) == []
    with own[0].read() as tx:
        assert meta.get(tx, "counter") == "400"
    for database in own:
        database.close()


class PlainBegin(Sqlite):
    begin_write = "BEGIN"


def test_control_plain_begin_fails_where_begin_immediate_does_not(tmp_path: Path) -> None:
    Store.open(f"sqlite:///{tmp_path}/work.db").close()
    one, two = (PlainBegin(tmp_path / "work.db", synchronous="OFF", busy_timeout=0.2) for _ in range(2))
    read, written = threading.Event(), threading.Event()

    def work(index: int) -> None:
        if index == 0:
            with one.transaction() as tx:
                meta.get(tx, "counter")  # a snapshot is taken; the other writes before we do
                read.set()
                assert written.wait(10)
                meta.put(tx, "counter", "1", NOW)
        else:
            assert read.wait(10)
            with two.transaction() as tx:
                meta.put(tx, "counter", "2", NOW)
            written.set()

    raised = together(2, work)
    assert [type(error) for error in raised] == [StoreUnavailable]
    one.close()
    two.close()


def test_stores_that_open_together_migrate_once(url: str) -> None:
    stores: list[Store] = []
    assert together(4, lambda _: stores.append(Store.open(url))) == []
    with stores[0].work.read() as tx:
        names = [row["name"] for row in tx.all("ledger_of", component="work")]
    assert names == sorted(path.stem for path in (MIGRATIONS / "work").glob("*.sql"))
    for store in stores:
        store.close()
