"""How far each delivery has come: new, leased, done, failed, ignored or quarantined."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from connector import codec
from connector.clock import from_text, to_text
from connector.store import inbox
from connector.store.db import Row, Tx
from connector.store.inbox import Delivery
from connector.store.store import Store

ERASED, BLANKED = "erased person", "erased person, blanked"
"""Notes of an ignored delivery whose person had been forgotten before it was read."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery this worker has leased. `attempts` counts this one."""

    delivery: Delivery
    attempts: int

    @property
    def alone(self) -> bool:
        """It was tried before: process it in a transaction of its own, so that it cannot spoil a batch twice."""
        return self.attempts > 1


@dataclass(frozen=True, slots=True)
class FailedDelivery:
    """A dead letter; its body is still in the inbox."""

    shop_id: str
    delivery_id: int
    attempts: int
    error_code: str
    error_text: str
    finished_at: datetime | None


class Finished(NamedTuple):
    """A row of `finish_many`; a plain tuple of the first two or more fields is as good."""

    shop_id: str
    delivery_id: int
    status: str = "done"
    note: str = ""


def claim(store: Store, now: datetime, limit: int, lease: timedelta) -> list[Claimed]:
    """Lease up to `limit` deliveries until `now + lease`: what is new, and one that is due again or was left.

    Only one such suspect at a time: were it to kill the worker, its neighbours' attempts must not count for it.

    Any number of workers may call it; none gets what another has. Raises `StoreUnavailable`.
    """
    until = to_text(now + lease)
    with store.work.transaction() as tx:
        leased = tx.all("progress_lease", now=to_text(now), lease_until=until, limit=1, tried=1)
        leased += tx.all("progress_lease", now=to_text(now), lease_until=until, limit=limit - len(leased), tried=0)
        if store.dialect == "sqlite" and len(leased) < limit:
            leased += _admit(store, tx, now, until, limit - len(leased))
    if not leased:
        return []
    with store.inbox.read() as tx:
        bodies = {d.id: d for d in inbox.by_ids(tx, [row["delivery_id"] for row in leased])}
    gone = [row for row in leased if row["delivery_id"] not in bodies]
    if gone:
        with store.work.transaction() as tx:
            for row in gone:
                fail(tx, row["shop_id"], row["delivery_id"], now, "GONE", "the inbox no longer has this delivery", None)
    leased.sort(key=lambda row: row["delivery_id"])
    return [Claimed(bodies[row["delivery_id"]], row["attempts"]) for row in leased if row["delivery_id"] in bodies]


def _admit(store: Store, tx: Tx, now: datetime, until: str, limit: int) -> list[Row]:
    """Give the next deliveries of the log a progress row and move the cursor, in the claim's own transaction.

    Only SQLite: its single writer commits ids in order. PostgreSQL may not, so there `inbox.put_many` writes the
    progress row together with the delivery.
    """
    cursor = tx.one("cursor_get")
    with store.inbox.read() as log:
        heads = log.all("inbox_heads", after_id=cursor["last_id"] if cursor else 0, limit=limit)
    if not heads:
        return []
    rows = [
        (head["shop_id"], head["id"], "quarantined", 0, to_text(now))
        if head["quarantine"]
        else (head["shop_id"], head["id"], "leased", 1, until)
        for head in heads
    ]
    tx.many("progress_admit", rows)
    tx.run("cursor_put", last_id=heads[-1]["id"])
    return [{"shop_id": row[0], "delivery_id": row[1], "attempts": 1} for row in rows if row[2] == "leased"]


def finish(tx: Tx, shop_id: str, delivery_id: int, now: datetime, status: str = "done", note: str = "") -> None:
    """Mark the end: `done`, `ignored` or `quarantined`. Belongs in the transaction that did the work."""
    finish_many(tx, [Finished(shop_id, delivery_id, status, note)], now)


def finish_many(tx: Tx, rows: Iterable[Finished | tuple[str, int] | tuple[str, int, str]], now: datetime) -> None:
    at = to_text(now)
    done = [Finished(*row) for row in rows]
    tx.many("progress_finish", [(row.status, row.note, at, row.shop_id, row.delivery_id) for row in done])


def fail(
    tx: Tx, shop_id: str, delivery_id: int, now: datetime, code: str, text: str, retry_at: datetime | None
) -> None:
    """Try again at `retry_at`; `None` makes it a dead letter. `text` must hold no personal data."""
    if retry_at is not None:
        tx.run(
            "progress_retry", shop_id=shop_id, delivery_id=delivery_id, due_at=to_text(retry_at), code=code, text=text
        )
    else:
        tx.run("progress_fail", shop_id=shop_id, delivery_id=delivery_id, now=to_text(now), code=code, text=text)


def failed(tx: Tx, shop_id: str | None = None, limit: int = 100) -> list[FailedDelivery]:
    """Dead letters, newest first, of one shop or of all."""
    if shop_id is None:
        rows = tx.all("progress_failed", limit=limit)
    else:
        rows = tx.all("progress_failed_of", shop_id=shop_id, limit=limit)
    return [
        FailedDelivery(
            shop_id=row["shop_id"],
            delivery_id=row["delivery_id"],
            attempts=row["attempts"],
            error_code=row["error_code"],
            error_text=row["error_text"],
            finished_at=from_text(row["finished_at"]) if row["finished_at"] else None,
        )
        for row in rows
    ]


def quarantined(tx: Tx, shop_id: str, limit: int = 100) -> list[int]:
    """Ids of a shop's deliveries that are kept and never acted on, newest first; the inbox knows why."""
    return [row["delivery_id"] for row in tx.all("progress_quarantined_of", shop_id=shop_id, limit=limit)]


def replay(tx: Tx, shop_id: str, delivery_id: int, now: datetime) -> bool:
    """Process once more, whatever became of it; `False` when it is unknown or being worked on."""
    return tx.run("progress_replay", shop_id=shop_id, delivery_id=delivery_id, now=to_text(now)) == 1


def replay_all(tx: Tx, shop_id: str, code: str, now: datetime) -> int:
    """Make everything of a shop that failed with `code` due again; how many. For reasons that have gone away."""
    return tx.run("progress_replay_code", shop_id=shop_id, code=code, now=to_text(now))


def backlog(store: Store) -> int:
    """Deliveries that are stored and not finished."""
    with store.work.read() as tx:
        opened = tx.one("progress_open")
        cursor = tx.one("cursor_get")
    total = int(opened["total"]) if opened else 0
    if store.dialect == "sqlite":
        with store.inbox.read() as log:
            unread = log.one("inbox_count_after", after_id=cursor["last_id"] if cursor else 0)
        total += int(unread["total"]) if unread else 0
    return total


def count_by_status(tx: Tx) -> dict[str, int]:
    """How many deliveries the worker knows, by status (`new`, `leased`, `done`, `ignored`, `quarantined`, `failed`)."""
    return {row["status"]: row["total"] for row in tx.all("progress_counts")}


def next_due(tx: Tx) -> datetime | None:
    """When a retry or an abandoned lease next becomes due. Unread deliveries of the log are always due."""
    row = tx.one("progress_next_due")
    return from_text(row["due_at"]) if row and row["due_at"] else None


def erased(tx: Tx, shop_id: str) -> list[int]:
    """Deliveries that were ignored because their person had been forgotten; their bodies are still to be blanked."""
    return [row["delivery_id"] for row in tx.all("progress_erased", shop_id=shop_id, note=ERASED)]


def blanked(tx: Tx, shop_id: str, ids: Iterable[int], now: datetime) -> None:
    finish_many(tx, [Finished(shop_id, each, "ignored", BLANKED) for each in ids], now)


def status_of(tx: Tx, ids: Sequence[int]) -> dict[int, str]:
    """Status by delivery id; one that no worker has met yet is missing."""
    rows = tx.all("progress_status", ids=codec.encode_text(list(ids)))
    return {row["delivery_id"]: row["status"] for row in rows}
