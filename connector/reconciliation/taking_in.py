"""Storing what was read, on the road webhooks take: the same event keys, the same flows, nothing twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from connector.contracts import Mark, Snapshot
from connector.errors import StoreUnavailable
from connector.log import get_log
from connector.reconciliation.assignment import Assignment, LeaseLost
from connector.store import recoveries
from connector.store.db import Tx
from connector.working.intake import again_if_moved

log = get_log("reconciliation")

CHUNK = 20
"""Objects read and stored together."""

T = TypeVar("T")


@dataclass
class Tally:
    """What a job found: objects listed and read, orders no webhook had told of, events that were new, faults."""

    listed: int = 0
    read: int = 0
    recovered: int = 0
    news: int = 0
    faults: int = 0

    def as_report(self) -> dict[str, Any]:
        return dict(vars(self))


def chunks(items: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def take_in(
    work: Assignment,
    kind: str,
    snapshots: Sequence[Snapshot],
    tally: Tally,
    *,
    reads: Mapping[str, datetime] | None = None,
    **progress: Any,
) -> None:
    """Store snapshots, the reads near the watermark and the job's progress, all in one transaction.

    Objects that cannot be stored are set aside one by one (counted and logged), so that none holds up the others.
    Raises `LeaseLost`, `StoreUnavailable`.
    """
    try:
        recovered, news = again_if_moved(lambda: _store(work, kind, snapshots, reads or {}, progress))
    except (StoreUnavailable, LeaseLost):
        raise
    except Exception as error:
        if len(snapshots) > 1:
            for snapshot in snapshots[:-1]:
                take_in(work, kind, [snapshot], tally, reads=_only(reads, [snapshot.id]))
            take_in(work, kind, snapshots[-1:], tally, reads=reads, **progress)
            return
        log.exception("recovery_failed", error, shop_id=work.shop.id, kind=kind, object_id=snapshots[0].id)
        take_in(work, kind, [], tally, reads=reads, **progress)
        tally.faults += 1
        return
    work.kept(**progress)
    tally.read += len(snapshots)
    tally.recovered += recovered
    tally.news += news
    for snapshot in snapshots:
        if snapshot.fault:
            tally.faults += 1
            log.warning("not_readable", shop_id=work.shop.id, kind=kind, object_id=snapshot.id, code=snapshot.fault)


def _store(
    work: Assignment,
    kind: str,
    snapshots: Sequence[Snapshot],
    reads: Mapping[str, datetime],
    progress: Mapping[str, Any],
) -> tuple[int, int]:
    now, shop_id = work.clock.now(), work.shop.id
    recovered = news = 0
    with work.kiitos.store.work.transaction() as tx:
        known = recoveries.versions(tx, shop_id, kind, [one.id for one in snapshots]) if kind == "order" else {}
        for snapshot in snapshots:
            news += work.kiitos.runner.ingest(tx, shop_id, snapshot.events, now) if snapshot.events else 0
            if kind == "order" and snapshot.events and snapshot.id not in known:
                recoveries.put(tx, shop_id, snapshot.id, work.via, now)
                recovered += 1
        recoveries.put_reads(tx, shop_id, kind, reads)
        work.keep(tx, **progress)
    return recovered, news


def unknown(tx: Tx, shop_id: str, kind: str, marks: Iterable[Mark]) -> list[Mark]:
    """The marks that say more than we have: never seen, or changed since."""
    listed = list(marks)
    have = recoveries.versions(tx, shop_id, kind, [mark.id for mark in listed])
    return [mark for mark in listed if mark.id not in have or have[mark.id].updated_at < mark.changed_at]


def _only(reads: Mapping[str, datetime] | None, ids: Sequence[str]) -> Mapping[str, datetime] | None:
    return {key: reads[key] for key in ids if key in reads} if reads else reads
