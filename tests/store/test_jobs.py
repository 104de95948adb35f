"""Jobs on both databases: leased once, stored only under the lease, put off and woken."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from connector.store import Store, jobs, recoveries
from connector.store.jobs import Job

NOW = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
LEASE = timedelta(minutes=5)


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


@pytest.fixture
def planned(store: Store) -> Store:
    with store.work.transaction() as tx:
        assert jobs.ensure(tx, "a", "poll", at(0), NOW)
        assert jobs.ensure(tx, "a", "sweep", at(-5), NOW)
        assert jobs.ensure(tx, "b", "poll", at(1), NOW)
        assert jobs.ensure(tx, "b", "backfill", None, NOW)
        assert not jobs.ensure(tx, "a", "poll", at(9), NOW)
    return store


def claim(store: Store, lease: str, now: datetime) -> Job | None:
    with store.work.transaction() as tx:
        return jobs.claim(tx, lease, now, now + LEASE)


def test_the_longest_due_first_and_one_a_shop(planned: Store) -> None:
    first = claim(planned, "1", at(2))
    assert first is not None
    assert (first.shop_id, first.kind, first.created_at) == ("a", "sweep", NOW)
    second = claim(planned, "2", at(2))
    assert second is not None
    assert (second.shop_id, second.kind) == ("b", "poll"), "a is being worked for"
    assert claim(planned, "3", at(2)) is None
    with planned.work.transaction() as tx:
        assert jobs.finish(tx, first, {"far": 1}, at(60), done_at=at(2))
    third = claim(planned, "4", at(2))
    assert third is not None
    assert (third.shop_id, third.kind) == ("a", "poll")


def test_a_dead_workers_job_is_due_again(planned: Store) -> None:
    lost = claim(planned, "1", at(2))
    assert lost is not None
    again = claim(planned, "2", at(8))
    assert again is not None
    with planned.work.transaction() as tx:
        other = jobs.take(tx, lost.shop_id, lost.kind, "3", at(8), at(13))
    assert (again.shop_id, again.kind) == (lost.shop_id, lost.kind) or other is not None
    with planned.work.transaction() as tx:
        assert not jobs.keep(tx, lost, {"late": True}, at(20))
        assert not jobs.finish(tx, lost, {"late": True}, at(20))


def test_progress_under_the_lease_stays(planned: Store) -> None:
    job = claim(planned, "1", at(2))
    assert job is not None
    with planned.work.transaction() as tx:
        assert jobs.keep(tx, job, {"cursor": "x"}, at(10))
        assert not jobs.wake(tx, job.shop_id, job.kind, at(3), at(3)), "somebody works on it"
        assert jobs.finish(tx, job, {"cursor": "y"}, at(4), attempts=2, code="TRANSIENT", text="down")
    with planned.work.read() as tx:
        row = jobs.get(tx, job.shop_id, job.kind)
    assert row is not None
    assert (row.state, row.attempts, row.error_code, row.due_at) == ({"cursor": "y"}, 2, "TRANSIENT", at(4))
    with planned.work.transaction() as tx:
        jobs.hold(tx, job.shop_id, at(30))
        assert jobs.get(tx, job.shop_id, job.kind).due_at == at(30)  # type: ignore[union-attr]
        assert jobs.wake(tx, job.shop_id, job.kind, at(5), at(5))
        jobs.restart(tx, job.shop_id, job.kind, {}, at(6))
    with planned.work.read() as tx:
        assert jobs.shops_with(tx, "poll") == {"a", "b"}
        assert jobs.next_due(tx) is not None


def test_reports_newest_first_and_a_hundred_at_most(store: Store) -> None:
    with store.work.transaction() as tx:
        for number in range(130):
            jobs.report(tx, "a", "sweep", {"number": number}, at(number))
        found = jobs.reports(tx, "a", "sweep", 200)
    assert [report["number"] for _, report in found][:2] == [129, 128]
    assert len(found) == 100


def test_reads_and_recoveries(store: Store, open_store: Callable[[], Store]) -> None:
    with store.work.transaction() as tx:
        recoveries.put_reads(tx, "a", "order", {"1": at(0), "2": at(5)})
        recoveries.put_reads(tx, "a", "order", {"1": at(3)})
        recoveries.prune_reads(tx, "a", "order", at(4))
        recoveries.put(tx, "a", "1", "poll", at(0))
        recoveries.put(tx, "a", "1", "sweep", at(1))
    with open_store().work.read() as tx:
        assert recoveries.reads(tx, "a", "order", ["1", "2"]) == {"2": at(5)}
        assert recoveries.versions(tx, "a", "trashed", ["1"]) == {}
        assert recoveries.versions(tx, "a", "order", ["1"]) == {}
        assert list(recoveries.arrivals(tx, "a", at(-10), at(10))) == []
