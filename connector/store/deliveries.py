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
from connector.store.turns import SHOPS, Turn, shops_in_turn

ADMITTED, ADMISSIONS = 5_000, 40
"""Deliveries of a backlog that get their places in one transaction (25 ms), and how many such a claim makes at most."""
NEW = 200
"""How many of a log's newest deliveries are looked through for another shop's, in the middle of a batch."""
ALWAYS = "1970-01-01T00:00:00.000000Z"
"""When a delivery is due that nobody has tried, whatever the clock says (the same stands in `inbox_put`)."""
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


def claim(store: Store, now: datetime, limit: int, lease: timedelta, turn: Turn | None = None) -> list[Claimed]:
    """Lease up to `limit` deliveries until `now + lease`: what is new, and one that is due again or was left.

    Only one such suspect at a time: were it to kill the worker, its neighbours' attempts must not count for it. When
    more than `limit` are due, each shop has a share (`connector.store.turns`); with a turn of `few_first`, shops with
    no more than a share are every other time the only ones.

    Any number of workers may call it; none gets what another has. Raises `StoreUnavailable`.
    """
    until, turn = to_text(now + lease), turn or Turn()
    if store.dialect == "sqlite":
        _admit_backlog(store, limit)
    with store.work.transaction() as tx:
        leased = tx.all("progress_lease_tried", now=to_text(now), ever=ALWAYS, lease_until=until, limit=1)
        if store.dialect == "sqlite":
            # Behind what waits in the queue nobody is let in directly.
            waiting = tx.one("progress_beyond", now=to_text(now), skip=0) is not None
            leased += _admit(store, tx, until, limit, 0 if waiting else limit - len(leased))
        leased += _lease_new(tx, to_text(now), until, limit - len(leased), turn)
    turn.pass_on()
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


def release(tx: Tx, shop_id: str, delivery_id: int, until: str, now: datetime) -> bool:
    """Make due what a dead worker had leased until then (text, as stored); whether it still was."""
    return tx.run("progress_release", shop_id=shop_id, delivery_id=delivery_id, until=until, now=to_text(now)) == 1


def _lease_new(tx: Tx, now: str, until: str, limit: int, turn: Turn) -> list[Row]:
    """Untried deliveries: all there are, or each shop's share and then the oldest of all."""
    leased: list[Row] = []
    alone, turn.few, turn.many = turn.few_first and not turn.few, frozenset(), frozenset()
    if limit and tx.one("progress_beyond", now=now, skip=limit) is not None:
        shops = shops_in_turn(lambda after, count: _due_shops(tx, now, after, count), turn)
        share = max(limit // max(len(shops), 1), 1)

        def lease(some: Sequence[str]) -> list[Row]:
            given = {"now": now, "lease_until": until, "limit": share}
            return [row for shop_id in some for row in tx.all("progress_lease_of", shop_id=shop_id, **given)]

        if turn.few_first and len(shops) < SHOPS:
            turn.many = frozenset(each for each in shops if _more_than(tx, each, now, share))
        few = [each for each in shops if each not in turn.many] if alone and turn.many else []
        if few and (leased := lease(few)):
            turn.few = frozenset(few)  # the others' turn is not used up
            return leased
        if len(shops) > 1:
            turn.served(shops)
            leased = lease(shops[:limit])
    if len(leased) < limit:
        leased += tx.all("progress_lease", now=now, lease_until=until, limit=limit - len(leased))
    return leased


def _more_than(tx: Tx, shop_id: str, now: str, share: int) -> bool:
    return tx.one("progress_beyond_of", shop_id=shop_id, now=now, skip=share) is not None


def newcomer(store: Store, tx: Tx, now: datetime, known: frozenset[str]) -> bool:
    """Whether a shop that is not among the known has a delivery that nobody has claimed. `tx` is one of the database
    where work is kept."""
    if store.dialect != "sqlite":
        return any(shop_id not in known for shop_id in _due_shops(tx, to_text(now), "", len(known) + 1))
    cursor = tx.one("cursor_get")
    with store.inbox.read() as log:
        after_id, names = cursor["last_id"] if cursor else 0, codec.encode_text(sorted(known))
        return log.one("inbox_newcomer", after_id=after_id, known=names, limit=NEW) is not None


def give_back(tx: Tx, rows: Iterable[tuple[str, int]]) -> None:
    """New again (shop, id), as if never claimed. Only for what was claimed for the first time and not begun with."""
    tx.many("progress_give_back", [(ALWAYS, shop_id, delivery_id) for shop_id, delivery_id in rows])


def _due_shops(tx: Tx, now: str, after: str, count: int) -> list[str]:
    return [row["shop_id"] for row in tx.all("progress_due_shops", now=now, after=after, limit=count)]


def _admit_backlog(store: Store, limit: int) -> None:
    """Give all of a log that holds more than one batch its places in the queue, where shops take turns: whoever comes
    behind a burst would be seen only when it is over."""
    for _ in range(ADMISSIONS):
        with store.work.read() as tx:
            cursor = tx.one("cursor_get")
        with store.inbox.read() as log:
            after_id = cursor["last_id"] if cursor else 0
            heads = log.all("inbox_heads", after_id=after_id, limit=limit + 1)
            if len(heads) <= limit:
                return
            heads = log.all("inbox_heads", after_id=after_id, limit=ADMITTED)
        with store.work.transaction() as tx:
            if tx.one("cursor_get") != cursor:
                return  # another worker was first; whatever is left, the next round sees
            tx.many("progress_admit", [(h["shop_id"], h["id"], _status(h), 0, ALWAYS) for h in heads])
            tx.run("cursor_put", last_id=heads[-1]["id"])


def _status(head: Row) -> str:
    return "quarantined" if head["quarantine"] else "new"


def _admit(store: Store, tx: Tx, until: str, limit: int, room: int) -> list[Row]:
    """Give what is left of the log (up to `limit`) a progress row and move the cursor, in the claim's own transaction;
    up to `room` of them are leased at once.

    Only SQLite: its single writer commits ids in order. PostgreSQL may not, so there `inbox.put_many` writes the
    progress row together with the delivery.
    """
    cursor = tx.one("cursor_get")
    with store.inbox.read() as log:
        heads = log.all("inbox_heads", after_id=cursor["last_id"] if cursor else 0, limit=limit)
    if not heads:
        return []
    taken = [head for head in heads if not head["quarantine"]][:room]
    leased = {head["id"] for head in taken}
    rows = [
        (head["shop_id"], head["id"], "leased", 1, until)
        if head["id"] in leased
        else (head["shop_id"], head["id"], _status(head), 0, ALWAYS)
        for head in heads
    ]
    tx.many("progress_admit", rows)
    tx.run("cursor_put", last_id=heads[-1]["id"])
    return [{"shop_id": head["shop_id"], "delivery_id": head["id"], "attempts": 1} for head in taken]


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
