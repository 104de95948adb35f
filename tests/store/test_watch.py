"""What is to be seen of an installation, on both engines: planted rows are counted, and nothing else is."""

from __future__ import annotations

from datetime import timedelta

from connector.model import EffectStatus
from connector.store import Store, deliveries, effects, inbox, runs, watch
from connector.store import alerts as alert_store
from connector.store.alerts import Alert
from connector.watching.figures import look
from connector.watching.warden import give_back, keeps
from tests.store.examples import NOW, SHOP, at, delivery, effect, run

LEASE = timedelta(seconds=30)


def arrive(store: Store, *keys: str, hours: float = 0) -> None:
    with store.inbox.transaction() as tx:
        inbox.put_many(tx, [delivery(key, received_at=at(hours)) for key in keys])


def piles(found: list[watch.Pile]) -> dict[tuple[str, str], int]:
    return {(pile.shop_id, pile.kind): pile.total for pile in found}


def test_an_empty_installation_has_nothing_to_show(store: Store) -> None:
    found = look(store, NOW)
    assert (found.backlog, found.troubled, found.dead, found.left) == ([], [], [], [])
    assert (found.lateness, found.backup_at, found.restored) == (timedelta(), None, False)
    assert found.size > 0


def test_what_is_due_is_counted_and_what_is_not_yet_is_not(store: Store) -> None:
    arrive(store, "a", "b", hours=-2)
    with store.work.transaction() as tx:
        runs.start(tx, run("due", wake_at=at(-1)))
        runs.start(tx, run("later", wake_at=at(1)))
        effects.put(tx, effect("due:1", due_at=at(-3)))
        effects.put(tx, effect("due:2", due_at=at(-1), kind="platform"))
        effects.put(tx, effect("later:1", due_at=at(1)))
        effects.put(tx, effect("sent:1", due_at=at(-9), status=EffectStatus.SENT))
    found = look(store, NOW)
    assert piles(list(found.backlog)) == {
        (SHOP, "delivery"): 2,
        (SHOP, "run"): 1,
        (SHOP, "message"): 1,
        (SHOP, "platform"): 1,
    }
    assert found.lateness == timedelta(hours=3)
    assert next(pile.oldest for pile in found.backlog if pile.kind == "delivery") == at(-2)


def test_a_delivery_that_a_dead_worker_left_is_backlog_again(store: Store) -> None:
    arrive(store, "a")
    deliveries.claim(store, NOW, 10, LEASE)
    assert look(store, NOW).backlog == []
    assert piles(list(look(store, at(1)).backlog)) == {(SHOP, "delivery"): 1}


def test_troubles_are_counted_by_what_they_are(store: Store) -> None:
    arrive(store, "bad", "odd")
    claimed = deliveries.claim(store, NOW, 10, LEASE)
    with store.work.transaction() as tx:
        deliveries.fail(tx, SHOP, claimed[0].delivery.id, NOW, "X", "why", None)
        deliveries.finish(tx, SHOP, claimed[1].delivery.id, NOW, "quarantined")
        effects.put(tx, effect("u:1", status=EffectStatus.UNCERTAIN, created_at=at(-5)))
        effects.put(tx, effect("f:1", status=EffectStatus.FAILED))
        effects.put(tx, effect("h:1", status=EffectStatus.HELD))
        effects.put(tx, effect("l:1", status=EffectStatus.SENDING, lease_until=at(-1)))
        effects.put(tx, effect("l:2", status=EffectStatus.SENDING, lease_until=at(1)))
    found = look(store, NOW)
    assert piles(list(found.dead)) == {(SHOP, "failed"): 1, (SHOP, "quarantined"): 1}
    assert piles(list(found.troubled)) == {(SHOP, "uncertain"): 1, (SHOP, "failed"): 1}
    assert piles(list(found.held)) == {(SHOP, "review"): 1}
    assert piles(list(found.left)) == {(SHOP, "sending"): 1}


def test_topics_are_seen_before_and_after_the_scan_and_after_the_inbox_forgot(store: Store) -> None:
    arrive(store, "a", hours=-2)
    arrive(store, "b", hours=-1)
    assert [(one.topic, one.at) for one in watch.arrivals(store)] == [("orders/create", at(-1))]
    assert watch.scan(store, NOW) is False
    assert watch.scan(store, NOW) is False
    with store.inbox.transaction() as tx:
        tx.run("inbox_forget", ids="[1, 2]")
    assert [one.at for one in watch.arrivals(store)] == [at(-1)]
    arrive(store, "c", hours=3)
    assert [one.at for one in watch.arrivals(store)] == [at(3)]


def test_a_scan_of_many_goes_on_where_it_stopped(store: Store, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(watch, "SCAN", 2)
    arrive(store, "a", "b", "c", "d", "e")
    assert [watch.scan(store, NOW) for _ in range(4)] == [True, True, False, False]


def test_processes_come_and_go(store: Store) -> None:
    with store.work.transaction() as tx:
        watch.alive(tx, "p1", "worker", "box", "1", NOW)
        watch.alive(tx, "p2", "worker", "box", "1", at(-30))
        watch.alive(tx, "p1", "worker", "box", "1", at(1))
    with store.work.read() as tx:
        assert [(one.process_id, one.started_at, one.seen_at) for one in watch.processes(tx)] == [
            ("p2", at(-30), at(-30)),
            ("p1", NOW, at(1)),
        ]
    with store.work.transaction() as tx:
        watch.gone(tx, "p1", at(-24))
        assert watch.processes(tx) == []


def test_alerts_are_kept_as_they_stand(store: Store) -> None:
    first = Alert(check="backlog", subject="", since=NOW)
    told = Alert(check="backlog", subject="", since=NOW, told_at=at(1), solved_at=at(2))
    with store.work.transaction() as tx:
        alert_store.put(tx, first)
        assert alert_store.all(tx) == [first]
        alert_store.put(tx, told)
        assert alert_store.all(tx) == [told]
        alert_store.drop(tx, told)
        assert alert_store.all(tx) == []


def test_durable_commits_are_told_from_others(store: Store) -> None:
    """The test's own PostgreSQL runs without fsync, which is what has to be found."""
    assert watch.durable(store) is (store.dialect == "sqlite")


def test_a_chore_is_one_process_s_until_its_time_runs_out(store: Store) -> None:
    def may(process: str, hours: float) -> bool:
        with store.work.transaction() as tx:
            return keeps(tx, "chore", process, at(hours))

    assert [may("p1", 0), may("p2", 0.1), may("p1", 0.15), may("p2", 0.3), may("p2", 0.33)] == [
        True,
        False,
        True,
        False,
        True,
    ]
    with store.work.transaction() as tx:
        give_back(tx, "chore", "p1", at(0.34))
        give_back(tx, "chore", "p2", at(0.34))
    assert may("p1", 0.34)
