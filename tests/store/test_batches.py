"""Writes that wait for one another and reads that are done ahead: what is seen is what one by one would have shown."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from unittest.mock import patch

import pytest

from connector.errors import StoreCollision
from connector.model import (
    Channel,
    Customer,
    Effect,
    EffectStatus,
    EventKind,
    OrderStatus,
    Ref,
    RunStatus,
    ShipmentStatus,
)
from connector.store import Store, effects, entities, events, meta, privacy, runs, suppressions
from connector.store.db import Tx
from connector.store.effects import Beginning
from tests.store.examples import NOW, SHOP, at, effect, event, order, order_event, run, shipment

ORDER = Ref("order", "501")
ADDRESS = "aino@example.test"


@pytest.fixture
def executed(store: Store) -> Iterator[Counter[str]]:
    """How often each query was executed, `many` counting once."""
    counted: Counter[str] = Counter()
    kind = type(store.work._session().writing)

    def counting(plain: Callable[..., object]) -> Callable[..., object]:
        def count(tx: Tx, query: str, *rows: object, **args: object) -> object:
            counted[query] += 1
            return plain(tx, query, *rows, **args)

        return count

    with patch.multiple(kind, **{name: counting(getattr(kind, name)) for name in ("all", "run", "many")}):
        yield counted


def test_a_batch_is_one_call_of_each_statement(store: Store, executed: Counter[str]) -> None:
    with store.work.transaction() as tx:
        for number in range(20):
            runs.begin(tx, run(f"r{number}"))
            effects.queue(tx, effect(f"r{number}:ask"))
            runs.journal(tx, SHOP, f"r{number}", NOW, "", "started")
        assert not executed
    assert executed == {"run_start": 1, "effect_put": 1, "journal_put": 1}
    with store.work.read() as tx:
        assert len(runs.of_order(tx, SHOP, "501")) == 20
        assert len(effects.due(tx, NOW, 99)) == 20


def test_nothing_is_read_around_what_waits(store: Store) -> None:
    with store.work.transaction() as tx:
        tx.later("meta_put", name="a", value="1", now="")
        assert meta.get(tx, "a") == "1"
        tx.later("meta_put", name="b", value="1", now="")
        meta.put(tx, "b", "2", NOW)
        assert meta.get(tx, "b") == "2"


def test_two_kinds_of_writing_to_a_table_keep_their_order(store: Store) -> None:
    with store.work.transaction() as tx:
        runs.begin(tx, run("r1"))
        runs.move(tx, replace(run("r1"), step=1))
        runs.begin(tx, run("r2"))
        runs.move(tx, replace(run("r2"), step=1))
        runs.move(tx, replace(run("r1"), step=2, rev=1))
        effects.queue(tx, effect())
        effects.take(tx, Beginning(SHOP, "r1:ask", NOW, at(1), ADDRESS, content=b"mail"))
        effects.settle(tx, SHOP, "r1:ask", NOW, EffectStatus.SENT, provider_id="m1")
    with store.work.read() as tx:
        assert [(one.id, one.step, one.rev) for one in runs.of_order(tx, SHOP, "501")] == [("r1", 2, 2), ("r2", 1, 1)]
        kept = effects.get(tx, SHOP, "r1:ask")
    assert kept is not None
    assert (kept.status, kept.attempts, kept.provider_id, kept.content) == (EffectStatus.SENT, 1, "m1", b"mail")


def test_what_waits_goes_with_its_transaction(store: Store) -> None:
    def write_and_fail(tx: Tx) -> None:
        tx.later("meta_put", name="lost", value="1", now="")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), store.work.transaction() as tx:
        write_and_fail(tx)
    with store.work.transaction() as tx:
        tx.later("meta_put", name="kept", value="1", now="")
        with pytest.raises(ZeroDivisionError), tx.savepoint():
            write_and_fail(tx)
    with store.work.read() as tx:
        assert (meta.get(tx, "kept"), meta.get(tx, "lost")) == ("1", None)


def test_a_fault_in_what_waits_undoes_everything(store: Store) -> None:
    def write(tx: Tx) -> None:
        meta.put(tx, "a", "1", NOW)
        tx.later("meta_put", name="b", value=None, now="")

    with pytest.raises(Exception, match=r"(?i)null"), store.work.transaction() as tx:
        write(tx)
    with store.work.transaction() as tx:
        assert meta.get(tx, "a") is None


@pytest.mark.parametrize(
    "second",
    [
        lambda tx: runs.move(tx, replace(run(), step=2)),
        lambda tx: runs.begin(tx, run("r9", entry_key=run().entry_key)),
        lambda tx: effects.take(tx, Beginning(SHOP, "r1:ask", NOW, at(1))),
    ],
    ids=["move", "begin", "take"],
)
def test_who_comes_second_changes_nothing(store: Store, second: Callable[[Tx], None]) -> None:
    with store.work.transaction() as tx:
        runs.begin(tx, run())
        runs.move(tx, replace(run(), step=1))
        effects.queue(tx, effect())
        effects.take(tx, Beginning(SHOP, "r1:ask", NOW, at(1)))

    def come_second(tx: Tx) -> None:
        meta.put(tx, "undone", "1", NOW)
        second(tx)

    with pytest.raises(StoreCollision, match="first for 1"), store.work.transaction() as tx:
        come_second(tx)
    with store.work.transaction() as tx:
        assert meta.get(tx, "undone") is None
        found = runs.get(tx, SHOP, "r1")
    assert found is not None
    assert (found.step, found.rev) == (1, 1)


@pytest.mark.postgres
def test_an_event_told_twice_at_once_is_recorded_once(store: Store) -> None:
    if store.dialect == "sqlite":
        pytest.skip("its writers never meet")
    told, barrier, collided = order_event(order()), threading.Barrier(2), []

    def record() -> None:
        try:
            with store.work.transaction() as tx:
                assert events.record_many(tx, SHOP, [told], NOW) == {told.key}
                barrier.wait(10)
        except StoreCollision as error:
            collided.append(error)

    threads = [threading.Thread(target=record) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(collided) == 1
    with store.work.transaction() as tx:
        assert events.record_many(tx, SHOP, [told], NOW) == set()


def test_what_is_foreseen_is_not_asked_again_and_is_the_same(store: Store, executed: Counter[str]) -> None:
    with store.work.transaction() as tx:
        entities.apply(tx, SHOP, order_event(order()), NOW)
        entities.apply(tx, SHOP, event("x", Ref("shipment", "9001"), shipment=shipment(ShipmentStatus.LABEL, NOW)), NOW)
        suppressions.add(tx, SHOP, ADDRESS, Channel.EMAIL, "all", "manual", NOW)
        assert runs.start(tx, run())
        assert runs.start(tx, run("r2", status=RunStatus.COMPLETED))

    def look(tx: Tx) -> list[object]:
        asked = [(entities.order(tx, SHOP, key), entities.followers(tx, SHOP, key)) for key in ("501", "none")]
        active = [runs.active(tx, SHOP, order_id=key, subject=Ref("order", key)) for key in ("501", "none")]
        entries = [runs.by_entry(tx, SHOP, "review", f"order/{key}", "501") for key in ("r1", "r2", "r3")]
        ids = [runs.get(tx, SHOP, key) for key in ("r1", "r2")]
        stopped = [suppressions.find(tx, SHOP, key, Channel.EMAIL) for key in (ADDRESS, "b@example.test")]
        return [asked, active, entries, ids, stopped, entities.products(tx, SHOP, ["p1"])]

    with store.work.read() as tx:
        one_by_one = look(tx)
    with store.work.transaction() as tx:
        entities.foresee(tx, SHOP, ["501", "none"])
        runs.foresee(tx, SHOP, ["501", "none"])
        runs.foresee_ids(tx, SHOP, ["r1", "r2"])
        suppressions.foresee(tx, SHOP, [ADDRESS, "b@example.test"], Channel.EMAIL)
        entities.products(tx, SHOP, ["p1"])
        executed.clear()
        assert look(tx) == one_by_one
        assert not executed


def test_the_forgotten_are_asked_for_at_once(store: Store, executed: Counter[str]) -> None:
    with store.work.transaction() as tx:
        privacy.foresee(tx, SHOP, ["a", "b"])
        assert privacy.erased_at(tx, SHOP, iter(["a"])) is None
        assert executed == {"erasure_any": 1}
        privacy.remember_erasure(tx, SHOP, ["a"], NOW)
        privacy.remember_erasure(tx, SHOP, ["b"], at(1))
        privacy.foresee(tx, SHOP, ["a", "b", "c"])
        executed.clear()
        assert [privacy.erased_at(tx, SHOP, keys) for keys in ("a", "c", "ab", "")] == [NOW, None, at(1), None]
        assert not executed


def test_a_customer_foreseen_is_the_one_of_the_table(store: Store) -> None:
    def told(customer: Customer) -> None:
        entities.apply(tx, SHOP, event(str(customer.updated_at), Ref("customer", "71"), customer=customer), NOW)

    aino = Customer(id="71", email=ADDRESS, updated_at=NOW, tags=("vip",), orders_count=1, total_spent=None)
    with store.work.transaction() as tx:
        entities.foresee_customers(tx, SHOP, ["71", "72"])
        assert entities.customer(tx, SHOP, "71") is None
        told(aino)
        assert entities.customer(tx, SHOP, "71") == aino
        told(replace(aino, updated_at=at(1), tags=None, first_name="Aino"))
        known = entities.customer(tx, SHOP, "71")
        assert known is not None
        assert (known.first_name, known.tags) == ("Aino", ("vip",))
        tx.clear()
        entities.foresee_customers(tx, SHOP, ["71"])
        assert entities.customer(tx, SHOP, "71") == known


def test_what_changes_after_it_was_foreseen_is_seen(store: Store) -> None:
    with store.work.transaction() as tx:
        entities.foresee(tx, SHOP, ["501"])
        runs.foresee(tx, SHOP, ["501"])
        suppressions.foresee(tx, SHOP, [ADDRESS], Channel.EMAIL)
        events.foresee(tx, SHOP, [order_event(order()).key])
        assert entities.order(tx, SHOP, "501") is None
        entities.apply(tx, SHOP, order_event(order()), NOW)
        assert entities.order(tx, SHOP, "501") == order()
        entities.apply(tx, SHOP, order_event(order(updated_at=at(1), note="new")), NOW)
        entities.apply(tx, SHOP, order_event(order(note="old")), NOW)
        found = entities.order(tx, SHOP, "501")
        assert found is not None
        assert found.note == "new"
        assert entities.followers(tx, SHOP, "501") == entities.Followers(False, False, False, None)
        entities.apply(tx, SHOP, event("x", Ref("shipment", "9001"), shipment=shipment(ShipmentStatus.LABEL, NOW)), NOW)
        assert entities.followers(tx, SHOP, "501").shipments
        assert events.record(tx, SHOP, event(EventKind.REVIEW_SUBMITTED, ORDER, happened=at(2)), NOW)
        assert entities.followers(tx, SHOP, "501").reviewed_at == at(2)
        suppressions.add(tx, SHOP, ADDRESS, Channel.EMAIL, "all", "manual", NOW)
        assert suppressions.find(tx, SHOP, ADDRESS, Channel.EMAIL)
        assert suppressions.remove(tx, SHOP, ADDRESS, Channel.EMAIL, "all")
        assert not suppressions.find(tx, SHOP, ADDRESS, Channel.EMAIL)
        entities.apply(tx, SHOP, event(EventKind.ORDER_DELETED, ORDER, happened=at(3)), NOW)
        gone = entities.order(tx, SHOP, "501")
        assert gone is not None
        assert gone.status is OrderStatus.DELETED


def test_runs_known_to_the_batch_are_those_of_the_table(store: Store) -> None:
    def both(tx: Tx) -> tuple[object, ...]:
        return (
            runs.active(tx, SHOP, order_id="501", subject=ORDER),
            [runs.by_entry(tx, SHOP, "review", f"order/r{n}", "501") for n in range(1, 4)],
        )

    with store.work.transaction() as tx:
        assert runs.start(tx, run("r1"))
        runs.foresee(tx, SHOP, ["501"])
        runs.begin(tx, run("r2", order_id=None, created_at=at(-1)))
        runs.begin(tx, run("r3", status=RunStatus.ACTING))
        runs.move(tx, replace(run("r1"), status=RunStatus.CANCELLED))
        runs.move(tx, replace(run("r3"), status=RunStatus.SLEEPING, outcomes={"a": {"outcome": "done"}}))
        known = both(tx)
        tx.flush()
        tx.clear()
        assert known == both(tx)
        assert [one.id for one in runs.active(tx, SHOP, order_id="501", subject=ORDER)] == ["r2", "r3"]


def test_a_run_taken_as_known_is_found_out(store: Store) -> None:
    with store.work.transaction() as tx:
        assert runs.start(tx, run())
        assert runs.save(tx, run())

    def go_on(tx: Tx) -> None:
        runs.know(tx, run())
        stale = runs.get(tx, SHOP, "r1")
        assert stale == run()
        runs.move(tx, replace(run(), step=7))

    with pytest.raises(StoreCollision), store.work.transaction() as tx:
        go_on(tx)


def test_due_effects_are_read_anew_when_anything_about_them_changed(store: Store) -> None:
    def due() -> list[Effect]:
        with store.work.read() as tx:
            return effects.due(tx, at(9), 9)

    with store.work.transaction() as tx:
        effects.queue(tx, effect())
    first = due()
    assert due() == first == [effect()]
    with store.work.transaction() as tx:
        effects.defer(tx, SHOP, "r1:ask", at(1), "quiet hours")
    assert due() == [replace(effect(), due_at=at(1), reason="quiet hours")]
