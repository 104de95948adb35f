"""One shop's burst does not make another wait: while more is due than a batch holds, shops take turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.clock import to_text
from connector.model import EffectStatus, Purpose, RunStatus
from connector.store import Store, deliveries, effects, inbox, runs, turns
from connector.store.turns import SHOPS, Turn, share_out, shops_in_turn
from tests.store.examples import NOW, at, delivery, effect, run

LEASE = timedelta(minutes=5)
BURST, BATCH = 2_000, 100


def arrive(store: Store, shop: str, count: int, quarantine: str = "") -> None:
    new = [replace(delivery(f"{shop}-{n}", quarantine=quarantine), shop_id=shop) for n in range(count)]
    with store.inbox.transaction() as tx:
        inbox.put_many(tx, new)


def take(store: Store, turn: Turn, batches: int = 1) -> list[Counter[str]]:
    """Claim and finish so many batches; of which shops each was."""
    found = []
    for _ in range(batches):
        claimed = deliveries.claim(store, NOW, BATCH, LEASE, turn)
        with store.work.transaction() as tx:
            deliveries.finish_many(tx, [(one.delivery.shop_id, one.delivery.id) for one in claimed], NOW)
        found.append(Counter(one.delivery.shop_id for one in claimed))
    return found


@pytest.mark.parametrize("batches_before", [0, 3])
def test_a_delivery_behind_a_burst_is_in_the_next_batch(store: Store, batches_before: int) -> None:
    turn = Turn()
    arrive(store, "loud", BURST)
    take(store, turn, batches_before)
    arrive(store, "quiet", 1)
    (next_batch,) = take(store, turn)
    assert next_batch == {"loud": BATCH - 1, "quiet": 1}


def test_control_oldest_first_alone_makes_the_quiet_shop_wait(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def oldest_first(tx: Any, now: str, until: str, limit: int, turn: Turn) -> Any:
        return tx.all("progress_lease", now=now, lease_until=until, limit=limit)

    monkeypatch.setattr(deliveries, "_lease_new", oldest_first)
    arrive(store, "loud", BURST)
    arrive(store, "quiet", 1)
    assert not any(batch["quiet"] for batch in take(store, Turn(), BURST // BATCH))


def test_a_burst_is_worked_off_in_order_and_whole(store: Store) -> None:
    arrive(store, "loud", 450)
    arrive(store, "other", 130)
    turn, order = Turn(), []
    for _ in range(6):
        claimed = deliveries.claim(store, NOW, BATCH, LEASE, turn)
        order += [one.delivery.dedup_key for one in claimed if one.delivery.shop_id == "loud"]
        assert len(claimed) in (BATCH, 80)
    assert order == [f"loud-{n}" for n in range(450)]
    assert deliveries.claim(store, NOW, BATCH, LEASE, turn) == []


def test_more_shops_than_share_a_batch_come_in_turn(store: Store) -> None:
    names = [f"shop-{n:02}" for n in range(2 * SHOPS + 5)]
    for name in names:
        arrive(store, name, 40)
    seen = Counter[str]()
    for batch in take(store, Turn(), 3):
        assert sum(batch.values()) == BATCH
        seen += batch
    assert set(seen) >= set(names), "within three batches everybody had a share"


def test_what_nobody_acts_on_takes_no_room(store: Store) -> None:
    arrive(store, "copy", 3 * BATCH, quarantine="staging clone")
    arrive(store, "quiet", 1)
    assert take(store, Turn()) == [{"quiet": 1}]


def test_a_backlog_longer_than_one_admission_is_admitted_whole(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "ADMITTED", 150)
    arrive(store, "loud", 1_000)
    arrive(store, "quiet", 1)
    assert take(store, Turn())[0]["quiet"] == 1
    assert deliveries.backlog(store) == 1_001 - BATCH


def steps_of(store: Store, query: str, **values: Any) -> int:
    """Hundreds of steps of SQLite's machine that a query takes."""
    counted = [0]

    def count() -> int:
        counted[0] += 1
        return 0

    with store.work.transaction() as tx:
        found = store.work.queries[query]
        tx.connection.set_progress_handler(count, 100)
        tx._cursor.execute(found.sql, found.bind(values)).fetchall()
        tx.connection.set_progress_handler(None, 0)
    return counted[0]


def test_looking_for_what_was_tried_does_not_walk_through_a_burst() -> None:
    """It is asked in every round; with a burst of 100,000 the walk was most of what an order behind it waited for."""
    store = Store.open("sqlite://:memory:")
    arrive(store, "loud", 5_000)
    take(store, Turn(), 1)  # the others have their places in the queue
    given = {"now": to_text(NOW), "lease_until": to_text(NOW), "limit": 1}
    assert steps_of(store, "progress_lease_tried", ever=deliveries.ALWAYS, **given) < 10
    assert steps_of(store, "progress_lease_tried", ever="", **given) > 100, "the control: from the first one on"
    store.close()


def sleepers(store: Store, shop: str, count: int, **changes: Any) -> None:
    with store.work.transaction() as tx:
        for n in range(count):
            assert runs.start(tx, replace(run(f"{shop}-{n}", entry_key=f"k{n}", **changes), shop_id=shop))


def test_runs_that_wake_take_turns(store: Store) -> None:
    sleepers(store, "loud", 500, wake_at=at(-1), status=RunStatus.SLEEPING)
    sleepers(store, "quiet", 2, wake_at=at(-0.5), status=RunStatus.SLEEPING)
    sleepers(store, "later", 1, wake_at=at(3), status=RunStatus.SLEEPING)
    turn = Turn()
    with store.work.transaction() as tx:
        due = runs.due(tx, NOW, BATCH, turn)
        assert Counter(one.shop_id for one in due) == {"loud": BATCH - 2, "quiet": 2}
        assert [one.shop_id for one in due[:2]] == ["quiet", "quiet"], "who has few goes first"
        assert len({(one.shop_id, one.id) for one in due}) == BATCH
        assert [one.id for one in runs.due(tx, NOW, BATCH, turn)] == [one.id for one in due], "until the turn passes on"
        oldest = tx.all("run_due", now=to_text(NOW), limit=BATCH)
    assert {row["shop_id"] for row in oldest} == {"loud"}, "the control: by time alone"


def test_effects_take_turns_within_their_priority(store: Store) -> None:
    with store.work.transaction() as tx:
        for n in range(300):
            effects.put(tx, replace(effect(f"loud-{n}", due_at=at(-2)), shop_id="loud", purpose=Purpose.TRANSACTIONAL))
        for n in range(3):
            effects.put(tx, replace(effect(f"q-{n}", due_at=at(-1)), shop_id="quiet", purpose=Purpose.TRANSACTIONAL))
        effects.put(tx, replace(effect("r", due_at=at(-3)), shop_id="quiet", purpose=Purpose.REVIEW))
    with store.work.read() as tx:
        due = effects.due(tx, NOW, BATCH, Turn())
        oldest = tx.all("effect_due", priority=0, now=to_text(NOW), limit=BATCH)
    assert Counter(one.shop_id for one in due) == {"loud": BATCH - 3, "quiet": 3}
    assert {one.purpose for one in due} == {Purpose.TRANSACTIONAL}
    assert {row["shop_id"] for row in oldest} == {"loud"}, "the control: by time alone"


def test_one_shop_alone_gets_the_oldest_whatever_there_is(store: Store) -> None:
    with store.work.transaction() as tx:
        for n in range(150):
            effects.put(tx, effect(f"e{n:03}", due_at=at(-3 + n / 100), status=EffectStatus.PENDING))
        assert [one.id for one in effects.due(tx, NOW, BATCH, Turn())] == [f"e{n:03}" for n in range(BATCH)]


def test_the_round_goes_on_where_it_stopped() -> None:
    names = [f"s{n:02}" for n in range(60)]

    def after(shop: str, count: int) -> list[str]:
        return [name for name in names if name > shop][:count]

    turn, seen = Turn(), []
    for _ in range(12):
        shops = shops_in_turn(after, turn)
        assert len(set(shops)) == SHOPS
        turn.served(shops)
        turn.pass_on()
        seen += shops
    assert set(Counter(seen).values()) == {12 * SHOPS // 60}


def test_shares_are_never_more_than_fits() -> None:
    rows = {name: [{"shop_id": name, "id": n} for n in range(9)] for name in "abcdefgh"}

    def of(shop: str, count: int) -> list[dict[str, Any]]:
        return rows[shop][:count]

    for limit in range(1, 40):
        oldest = [row for name in rows for row in rows[name]][:limit]
        found = share_out(oldest, limit, Turn(), lambda after, count: list(rows)[:count], of, "id")
        assert len(found) == limit == len({(row["shop_id"], row["id"]) for row in found})


QUESTIONS = {
    "progress_beyond": "delivery_progress_due",
    "progress_due_shops": "delivery_progress_turns",
    "progress_lease_of": "delivery_progress_turns",
    "run_due_of": "runs_turns",
    "run_due_shops": "runs_turns",
    "effect_due_of": "effects_turns",
    "effect_due_shops": "effects_turns",
}


ENDED = """
INSERT INTO delivery_progress (shop_id, delivery_id, status, attempts, due_at)
WITH RECURSIVE n (i) AS (SELECT 100001 UNION ALL SELECT i + 1 FROM n WHERE i < 100800)
SELECT ?, i, 'done', 1, '2026-01-01T00:00:00.000000Z' FROM n
"""
"""A life's worth of what is over: only the partial index passes it by."""


def plan(store: Store, name: str) -> Sequence[str]:
    """How the database answers a question, each step in its words."""
    query, postgres = store.work.queries[name], store.dialect == "postgres"
    values = {"now": to_text(NOW), "lease_until": to_text(NOW), "shop_id": "s07", "after": "", "limit": 9, "skip": 9}
    args = {key: values.get(key, 0) for key in query.names}
    with store.work.transaction() as tx:
        rows = tx._cursor.execute(
            ("EXPLAIN " if postgres else "EXPLAIN QUERY PLAN ") + query.sql, query.bind(args)
        ).fetchall()
    return [str(row) for row in rows]


def test_every_question_is_answered_from_its_index(store: Store) -> None:
    for shop in [f"s{n:02}" for n in range(20)]:
        arrive(store, shop, 150)
        sleepers(store, shop, 150, wake_at=at(-1), status=RunStatus.SLEEPING)
        with store.work.transaction() as tx:
            for n in range(150):
                effects.queue(tx, replace(effect(f"e{n}"), shop_id=shop))
            tx.script(ENDED.replace("?", f"'{shop}'"))
    if store.dialect == "postgres":
        with store.work.transaction() as tx:
            tx.script("ANALYZE")
    else:
        deliveries.claim(store, NOW, 1, LEASE)
    for name, index in QUESTIONS.items():
        steps = plan(store, name)
        assert any(index in step for step in steps), name + "\n".join(steps)
        tables = ("delivery_progress", "runs", "effects")
        whole = [step for step in steps if ("Seq Scan" in step or "SCAN " in step) and any(t in step for t in tables)]
        assert not [step for step in whole if "INDEX" not in step], name


def test_control_without_its_index_a_question_reads_the_table(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/work.db")
    with store.work.transaction() as tx:
        tx.script("DROP INDEX runs_turns")
    assert not any("runs_turns" in step for step in plan(store, "run_due_of"))
    store.close()


def test_a_worker_that_finds_little_asks_nothing_more(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Turns cost nothing while a batch holds all there is."""

    def refuse(*_: Any) -> Any:
        raise AssertionError("asked for shops although everything fits")

    arrive(store, "loud", 99)
    sleepers(store, "loud", 99, wake_at=at(-1), status=RunStatus.SLEEPING)
    for module in (turns, deliveries):
        monkeypatch.setattr(module, "shops_in_turn", refuse)
    assert len(deliveries.claim(store, NOW, BATCH, LEASE)) == 99
    with store.work.transaction() as tx:
        assert len(runs.due(tx, NOW, BATCH)) == 99
