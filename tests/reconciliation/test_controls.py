"""The traps the poll is built around, each planted: without the guard an order is lost, and the tests see it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connector.reconciliation import changes, taking_in
from connector.reconciliation.assignment import Assignment, LeaseLost
from connector.store import jobs
from connector.testing.world import SHOPIFY, WOO
from tests.reconciliation.conftest import Town


class Killed(BaseException):
    """What a power cut looks like from inside."""


@pytest.fixture
def silent(town: Town) -> Town:
    """No webhook ever arrives: everything comes by asking."""
    town.shopify.weather.lose = town.woo.weather.lose = 1.0
    return town


def crash_at_first_order(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """Die once, `before` or `after` the rows of the first order are stored."""
    store, died = taking_in._store, []

    def dying(work: Assignment, kind: str, snapshots: Any, *rest: Any) -> Any:
        if kind == "order" and not died and snapshots:
            died.append(kind)
            if where == "after":
                store(work, kind, snapshots, *rest)
            raise Killed
        return store(work, kind, snapshots, *rest)

    monkeypatch.setattr(taking_in, "_store", dying)


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("shop", [SHOPIFY, WOO])
def test_a_crash_around_the_rows_loses_nothing(
    silent: Town, monkeypatch: pytest.MonkeyPatch, shop: str, where: str
) -> None:
    silent.buy(shop)
    crash_at_first_order(monkeypatch, where)
    with pytest.raises(Killed):
        silent.live(minutes=30)
    silent.live(minutes=40)
    assert silent.missing() == []
    assert silent.mailed() == silent.bought


def test_a_watermark_moved_in_a_transaction_of_its_own_loses_an_order(
    silent: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted bug: the watermark goes first. A crash between the two is a lost order."""
    take_in = changes.take_in

    def watermark_first(
        work: Assignment, kind: str, snapshots: Any, tally: Any, *, reads: Any, **progress: Any
    ) -> None:
        with work.kiitos.store.work.transaction() as tx:
            from connector.store import recoveries

            recoveries.put_reads(tx, work.shop.id, kind, reads)
        work.advance(**progress)
        take_in(work, kind, snapshots, tally, reads={}, **progress)

    monkeypatch.setattr(changes, "take_in", watermark_first)
    lost = silent.buy(SHOPIFY)
    crash_at_first_order(monkeypatch, "before")
    with pytest.raises(Killed):
        silent.live(minutes=30)
    silent.live(minutes=40)
    assert silent.missing() == [f"{SHOPIFY}/{lost['id']}"]


def shown_late(town: Town) -> str:
    """Shopify's search shows an order two minutes late, and a later one at once: the watermark passes over it."""
    late = town.buy(SHOPIFY)
    town.shopify.listed_from[late["id"]] = town.clock.now() + timedelta(minutes=16)
    town.clock.advance(timedelta(seconds=30))
    town.buy(SHOPIFY)
    return f"{SHOPIFY}/{late['id']}"


def test_the_overlap_finds_what_a_list_shows_late(silent: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    shown_late(silent)
    silent.live(minutes=45)
    assert silent.missing() == []


def test_without_the_overlap_it_is_lost(silent: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "OVERLAP", timedelta())
    late = shown_late(silent)
    silent.live(minutes=45)
    assert silent.missing() == [late]


def test_who_lost_the_lease_stores_nothing(silent: Town) -> None:
    """A worker that was too slow (its lease ran out, another took over) must not move the watermark back or forth."""
    silent.buy(SHOPIFY)
    reconciler = silent.worker.reconciler
    assert reconciler is not None
    now = silent.clock.now()
    with silent.kiitos.store.work.transaction() as tx:
        slow = jobs.take(tx, SHOPIFY, "poll", "slow", now, now + timedelta(minutes=5))
    assert slow is not None
    work = reconciler.assignment(slow, silent.kiitos.catalog.settings(SHOPIFY))
    silent.clock.advance(timedelta(minutes=6))
    with silent.kiitos.store.work.transaction() as tx:
        other = jobs.claim(tx, "other", silent.clock.now(), silent.clock.now() + timedelta(minutes=5))
    assert other is not None
    with silent.kiitos.store.work.transaction() as tx:
        jobs.forget(tx, SHOPIFY)
    with pytest.raises(LeaseLost):
        changes.poll(work)
    assert silent.missing() != []


def test_only_one_worker_at_a_time_has_a_shop(town: Town) -> None:
    now = town.clock.now()
    with town.kiitos.store.work.transaction() as tx:
        for kind in ("webhooks", "poll", "sweep"):
            jobs.wake(tx, SHOPIFY, kind, now + timedelta(days=1), now + timedelta(days=1))
            jobs.wake(tx, WOO, kind, now + timedelta(days=1), now + timedelta(days=1))
        later = now + timedelta(days=2)
        held = [jobs.claim(tx, f"lease {number}", later, later + timedelta(minutes=5)) for number in range(4)]
    assert sorted(job.shop_id for job in held if job) == sorted((SHOPIFY, WOO))


def test_an_unreadable_order_holds_up_no_other(silent: Town) -> None:
    """One order without what an order must have: the others come, and it is counted and named."""
    broken = silent.buy(WOO)
    broken["currency"] = None
    good = silent.buy(WOO)
    silent.live(minutes=25)
    assert silent.missing() == [f"{WOO}/{broken['id']}"]
    assert good["id"] != broken["id"]
    assert [report["faults"] for report in silent.reports(WOO, "poll")][-1] == 1
