"""Wake-ups as rows, on both databases: one a subject, due in order, moved, dropped, paged."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connector.model import Ref
from connector.store import Store, wakeups
from connector.store.wakeups import Arming, Wakeup
from connector.working.alarms import Alarms
from tests.engine.shop import SHOP, SILENCE, START, Shop

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
ROW = Wakeup(
    shop_id="s1",
    flow_id="birthday",
    subject=Ref("customer", "person/a"),
    trigger_key="k1",
    due_at=NOW,
    moment=NOW,
    origin="1990-03-02",
    customer_id="c1",
    email_key="a@example.test",
)


def row(name: str, **more: object) -> Wakeup:
    return replace(ROW, subject=Ref("customer", name), customer_id=name, email_key=f"{name}@example.test", **more)


def test_one_row_a_subject_however_often_it_moves(store: Store) -> None:
    with store.work.transaction() as tx:
        for days in (1, 5, 3):
            wakeups.put(tx, replace(ROW, due_at=NOW + days * DAY, moment=NOW + days * DAY))
        assert wakeups.get(tx, "s1", "birthday", ROW.subject) == replace(
            ROW, due_at=NOW + 3 * DAY, moment=NOW + 3 * DAY
        )
        assert wakeups.count(tx, "s1", "birthday") == 1
        assert wakeups.next_due(tx) == NOW + 3 * DAY


def test_a_silence_only_moves_on(store: Store) -> None:
    late = replace(ROW, origin="2026-11-20T00:00:00.000000Z")
    early = replace(ROW, origin="2026-11-10T00:00:00.000000Z", due_at=NOW - DAY)
    with store.work.transaction() as tx:
        wakeups.move(tx, late)
        wakeups.move(tx, early)
        assert wakeups.get(tx, "s1", "birthday", ROW.subject) == late
        wakeups.move(tx, replace(early, trigger_key="edited"))
        assert wakeups.get(tx, "s1", "birthday", ROW.subject) == replace(early, trigger_key="edited")


def test_what_is_due_comes_in_order_and_what_is_spent_does_not(store: Store) -> None:
    with store.work.transaction() as tx:
        wakeups.put(tx, row("later", due_at=NOW + DAY))
        wakeups.put(tx, row("second", due_at=NOW - DAY))
        wakeups.put(tx, row("first", due_at=NOW - 2 * DAY))
        wakeups.put(tx, row("spent", due_at=None, fired_at=NOW))
        found = [each.subject.id for each in wakeups.due(tx, NOW, 10)]
        assert found == ["first", "second"]
        assert [each.subject.id for each in wakeups.due(tx, NOW, 1)] == ["first"]
        wakeups.defer(tx, row("first"), NOW + 9 * DAY)
        wakeups.drop(tx, row("second"))
        assert wakeups.due(tx, NOW, 10) == []
        assert wakeups.next_due(tx) == NOW + DAY


def test_an_account_known_by_two_names_is_found(store: Store) -> None:
    with store.work.transaction() as tx:
        old = replace(row("person/old"), customer_id="c1")
        wakeups.put(tx, old)
        wakeups.put(tx, replace(row("person/new"), customer_id="c1"))
        assert len(wakeups.of_person(tx, "s1", "nobody@example.test", "c1")) == 2
        assert wakeups.of_person(tx, "s1", old.email_key, None) == [old]
        wakeups.drop_customer(tx, "s1", "c1")
        assert wakeups.of_person(tx, "s1", None, "c1") == []


def test_a_flow_is_removed_a_piece_at_a_time(store: Store) -> None:
    with store.work.transaction() as tx:
        for number in range(7):
            wakeups.put(tx, row(f"p{number}", trigger_key="old" if number < 3 else "k1"))
        wakeups.put(tx, replace(ROW, flow_id="other"))
        assert wakeups.drop_stale(tx, "s1", "birthday", "k1", 2) == 2
        assert wakeups.drop_stale(tx, "s1", "birthday", "k1", 2) == 1
        assert wakeups.drop_flow(tx, "s1", "birthday", 3) == 3
        assert wakeups.drop_flow(tx, "s1", "birthday", 3) == 1
        assert wakeups.count(tx, "s1", "other") == 1


def test_armings_wait_for_their_turn(store: Store) -> None:
    first = Arming("s1", "a", "k", wakeups.ARMING, "orders", "")
    second = Arming("s1", "b", "k", wakeups.REMOVING, "", "")
    with store.work.transaction() as tx:
        wakeups.keep_arming(tx, first, NOW)
        wakeups.keep_arming(tx, second, NOW + DAY)
        assert wakeups.next_arming(tx) == first
        wakeups.keep_arming(tx, replace(first, after_id="o9"), NOW + 2 * DAY)
        assert wakeups.next_arming(tx) == second
        wakeups.drop_arming(tx, "s1", "b")
        wakeups.keep_arming(tx, replace(first, state=wakeups.DONE), NOW)
        assert wakeups.next_arming(tx) is None
        assert [each.flow_id for each in wakeups.armings(tx)] == ["a"]


def test_the_product_makes_tells_and_removes_them(store: Store, tmp_path: Path) -> None:
    shop = Shop(tmp_path, store)
    worker = shop.open()
    for number in range(3):
        shop.order(number, f"p{number}")
    shop.pass_until(worker, START + 10 * DAY)
    shop.believe()
    worker = shop.open(quiet=SILENCE)
    shop.pass_until(worker, START + 30 * DAY)
    shop.order(9, "p0")
    shop.pass_until(worker, START + 100 * DAY)
    wanted = [(60 * DAY, "p1"), (60 * DAY, "p2"), (90 * DAY, "p0")]
    assert sorted((at - START, str(who)[:2]) for at, who in shop.told()) == wanted
    shop.open().drain()
    with store.work.read() as tx:
        assert wakeups.of_person(tx, SHOP, "p0@example.test", None) == []


def test_two_workers_tell_each_once(store: Store, tmp_path: Path) -> None:
    shop = Shop(tmp_path, store)
    shop.open(quiet=SILENCE).drain()
    for number in range(30):
        shop.order(number, f"p{number}")
    shop.clock.advance(60 * DAY)
    shop.believe()
    looked: list[int] = []

    def ring() -> None:
        alarms = Alarms(shop.kiitos)
        while count := alarms.ring():
            looked.append(count)

    workers = [threading.Thread(target=ring) for _ in range(2)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert sum(looked) >= 30
    assert sorted(str(who) for _, who in shop.told()) == sorted(f"p{number}@example.test" for number in range(30))
