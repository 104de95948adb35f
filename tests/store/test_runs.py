from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from connector.model import Ref, RunStatus
from connector.store import Store, flows, runs
from tests.store.examples import NOW, SHOP, at, run


def start(store: Store, *new: object) -> list[bool]:
    with store.work.transaction() as tx:
        return [runs.start(tx, each) for each in new]  # type: ignore[arg-type]


def test_a_run_comes_back_as_it_was(store: Store) -> None:
    full = run(
        awaiting=("order.delivered", "shipment.delivered"),
        event={"kind": "order.created", "at": "2026-11-22T08:00:00Z"},
        outcomes={"ask": {"status": "sent", "ä": "ö"}},
        acted=True,
        reason="because",
        customer_id="71",
    )
    assert start(store, full) == [True]
    with store.work.read() as tx:
        assert runs.get(tx, SHOP, "r1") == full
        assert runs.by_entry(tx, SHOP, "review", "order/r1") == full
        assert runs.get(tx, "shop-other", "r1") is None


def test_once_per_entry_key(store: Store) -> None:
    assert start(store, run("r1", entry_key="order/501"), run("r2", entry_key="order/501")) == [True, False]
    assert start(store, run("r3", entry_key="order/501", flow_id="referral")) == [True]
    assert start(store, run("r4", entry_key="order/501", shop_id="shop-other")) == [True]
    with store.work.read() as tx:
        found = runs.by_entry(tx, SHOP, "review", "order/501")
    assert found is not None
    assert found.id == "r1"


def test_of_two_that_read_the_same_rev_the_second_fails(store: Store) -> None:
    start(store, run())
    with store.work.read() as tx:
        mine = runs.get(tx, SHOP, "r1")
        theirs = runs.get(tx, SHOP, "r1")
    assert mine is not None
    assert theirs is not None
    with store.work.transaction() as tx:
        assert runs.save(tx, replace(mine, status=RunStatus.CANCELLED, wake_at=None, reason="refunded"))
        assert not runs.save(tx, replace(theirs, step=1))
        after = runs.get(tx, SHOP, "r1")
        assert after is not None
        assert (after.status, after.step, after.rev, after.reason) == (RunStatus.CANCELLED, 0, 1, "refunded")
        assert runs.save(tx, replace(after, step=2))


def test_due_runs_wake_longest_overdue_first(store: Store) -> None:
    start(
        store,
        run("late", wake_at=at(1)),
        run("later", wake_at=at(2), status=RunStatus.AWAITING),
        run("ready", wake_at=at(0.5), status=RunStatus.READY),
        run("future", wake_at=at(9)),
        run("acting", wake_at=at(1), status=RunStatus.ACTING),
        run("ended", wake_at=at(1), status=RunStatus.COMPLETED),
        run("untimed", wake_at=None, status=RunStatus.AWAITING),
    )
    with store.work.transaction() as tx:
        assert [each.id for each in runs.due(tx, at(2), 10)] == ["ready", "late", "later"]
        assert [each.id for each in runs.due(tx, at(2), 2)] == ["ready", "late"]
        assert runs.due(tx, at(0.4), 10) == []
        assert runs.next_wake(tx) == at(0.5)
    with store.work.read() as tx:
        assert len(runs.due(tx, at(2), 10)) == 3, "looking takes no locks"


def test_next_wake_of_nothing(store: Store) -> None:
    with store.work.read() as tx:
        assert runs.next_wake(tx) is None


def test_the_wake_index_serves_the_due_query(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/work.db")
    sql = store.work.queries["run_due"].sql
    with store.work.transaction() as tx:
        plan = tx._cursor.execute("EXPLAIN QUERY PLAN " + sql, ("9", 10)).fetchall()
        control = tx._cursor.execute(
            "EXPLAIN QUERY PLAN " + sql.replace("'sleeping', ", "'sleeping', 'acting', "), ("9", 10)
        ).fetchall()
    store.close()
    assert any("runs_due" in str(line) for line in plan)
    assert not any("runs_due" in str(line) for line in control)


def test_active_runs_by_whatever_they_are_about(store: Store) -> None:
    start(
        store,
        run("by-order"),
        run("by-subject", order_id=None, subject_kind="customer", subject_id="71", email_key=None),
        run("by-email", order_id="777", email_key="aino@example.test", subject_id="777"),
        run("ended", status=RunStatus.EXITED),
        run("stranger", order_id="999", subject_id="999", email_key="mikko@example.test", customer_id="88"),
        run("no-order-id", order_id=None, subject_id="555", email_key=None),
    )

    def ids(**about: object) -> set[str]:
        with store.work.read() as tx:
            return {each.id for each in runs.active(tx, SHOP, **about)}  # type: ignore[arg-type]

    assert ids(order_id="501") == {"by-order"}
    assert ids(subject=Ref("order", "501")) == {"by-order"}
    assert ids(subject=Ref("order", "555")) == {"no-order-id"}
    assert ids(subject=Ref("customer", "71")) == {"by-subject"}
    assert ids(subject=Ref("shipment", "71")) == set()
    assert ids(order_id="501", subject=Ref("customer", "71")) == {"by-order", "by-subject"}
    assert ids(email_key="aino@example.test") == {"by-order", "by-email"}
    assert ids(customer_id="88") == {"stranger"}
    assert ids() == set()
    with store.work.read() as tx:
        assert {each.id for each in runs.of_order(tx, SHOP, "501")} == {"by-order", "ended"}
        assert {each.id for each in runs.of_email(tx, SHOP, "aino@example.test")} == {"by-order", "by-email", "ended"}


def test_the_diary_keeps_its_order(store: Store) -> None:
    with store.work.transaction() as tx:
        runs.journal(tx, SHOP, "r1", at(2), "ask", "acted", {"effect": "r1:ask"})
        runs.journal_many(tx, [(SHOP, "r1", at(1), "wait", "slept", {}), (SHOP, "r2", NOW, "", "started", {})])
        runs.journal_many(tx, [])
        lines = runs.journal_of(tx, SHOP, "r1")
    assert [(line.what, line.at, dict(line.detail)) for line in lines] == [
        ("acted", at(2), {"effect": "r1:ask"}),
        ("slept", at(1), {}),
    ]
    assert lines[0].seq < lines[1].seq


def test_flow_versions_never_change(store: Store) -> None:
    with store.work.transaction() as tx:
        flows.save(tx, SHOP, "review", "v1", "one", NOW)
        flows.save(tx, SHOP, "review", "v1", "changed", at(1))
        flows.save(tx, SHOP, "review", "v2", "two", at(2))
        assert flows.get(tx, SHOP, "review", "v1") == "one"
        assert flows.get(tx, SHOP, "review", "v3") is None
        assert flows.versions(tx, SHOP, "review") == ["v2", "v1"]
