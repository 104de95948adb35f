"""What there is to see of an installation: counts and ages, for metrics, `kiitos status`, `kiitos doctor` and alerts.

Everything here reads by index or a small table and names shops, flows and codes only, nobody's data. What costs more
than a few milliseconds in a large installation says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from connector import codec
from connector.clock import from_text, to_text
from connector.store import meta
from connector.store.db import Row, Tx
from connector.store.store import Store

BACKUP_AT = "backup/last"
"""The meta value a backup that was verified leaves: its time as text."""
_SCANNED = "watch/scanned"
SCAN = 50_000
"""Deliveries looked at for their topics in one go."""


@dataclass(frozen=True, slots=True)
class Pile:
    """Rows of one sort that wait in one place. `kind` is what they are or why they wait; `oldest` is when the oldest
    was due, came, or went wrong."""

    shop_id: str
    kind: str
    total: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a topic of a shop was last heard of."""

    shop_id: str
    topic: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ProcessRow:
    process_id: str
    role: str
    host: str
    version: str
    started_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Blocked:
    """A provider nobody may use until then, or not for one shop (`shop_id` is empty for everybody)."""

    shop_id: str
    provider: str
    until: datetime
    reason: str


def backlog(store: Store, now: datetime) -> list[Pile]:
    """What is due and not begun, by shop and kind: `delivery`, `run`, `wakeup` and the effects' own kinds."""
    at = to_text(now)
    with store.work.read() as tx:
        admitted = tx.all("watch_deliveries", now=at)
        cursor = tx.one("cursor_get")
        found = [_pile(row, row["kind"]) for row in tx.all("watch_effects", now=at)]
        found += [_pile(row, "run") for row in tx.all("watch_runs", now=at)]
        found += [_pile(row, "wakeup") for row in tx.all("watch_wakeups", now=at)]
    with store.inbox.read() as log:
        came = _received(log, [row["oldest_id"] for row in admitted])
        unread = log.all("inbox_waiting", after_id=cursor["last_id"] if cursor else 0) if _reads_log(store) else []
    for row in admitted:
        found.append(Pile(row["shop_id"], "delivery", row["total"], came.get(row["oldest_id"], now)))
    found += [_pile(row, "delivery") for row in unread]
    return _joined(found)


def _reads_log(store: Store) -> bool:
    """On PostgreSQL a delivery has its place in the queue as soon as it is stored."""
    return store.dialect == "sqlite"


def _joined(piles: Iterable[Pile]) -> list[Pile]:
    """One pile a shop and kind, the oldest first."""
    found: dict[tuple[str, str], Pile] = {}
    for pile in piles:
        before = found.get((pile.shop_id, pile.kind))
        if before is not None:
            pile = Pile(pile.shop_id, pile.kind, pile.total + before.total, min(pile.oldest, before.oldest))
        found[pile.shop_id, pile.kind] = pile
    return sorted(found.values(), key=lambda pile: pile.oldest)


def _pile(row: Row, kind: str) -> Pile:
    return Pile(row["shop_id"], kind, row["total"], from_text(row["oldest"]))


def _received(log: Tx, ids: list[int]) -> dict[int, datetime]:
    if not ids:
        return {}
    return {row["id"]: from_text(row["received_at"]) for row in log.all("inbox_received", ids=codec.encode_text(ids))}


def troubled(tx: Tx) -> list[Pile]:
    """Effects that wait for a person: `failed` and `uncertain`, by shop."""
    return [_pile(row, row["status"]) for row in tx.all("watch_troubled")]


def held(tx: Tx) -> list[Pile]:
    """What limits hold; `kind` is the flow."""
    return [_pile(row, row["flow_id"]) for row in tx.all("watch_held")]


def left(tx: Tx, before: datetime) -> list[Pile]:
    """What was begun, and whose lease ended before then: no worker took it up again."""
    return [_pile(row, "sending") for row in tx.all("watch_leases", before=to_text(before))]


def dead(store: Store, now: datetime) -> list[Pile]:
    """Deliveries that could not be used (`failed`) or are kept and not acted on (`quarantined`), by shop."""
    with store.work.read() as tx:
        rows = tx.all("watch_dead")
    with store.inbox.read() as log:
        came = _received(log, [row["oldest_id"] for row in rows])
    return [Pile(row["shop_id"], row["status"], row["total"], came.get(row["oldest_id"], now)) for row in rows]


def overdue_privacy(tx: Tx, before: datetime) -> list[Pile]:
    """Requests to see or to forget somebody that came before then and are not done."""
    return [_pile(row, "privacy") for row in tx.all("watch_privacy", before=to_text(before))]


def blocked(tx: Tx, now: datetime) -> list[Blocked]:
    """Providers that are left alone just now: for a shop (its breaker is open), or by everybody (the account)."""
    at = to_text(now)
    found = [
        Blocked(row["shop_id"], row["provider"], from_text(row["open_until"]), row["reason"])
        for row in tx.all("watch_breakers", now=at)
    ]
    found += [
        Blocked("", row["account"], from_text(row["blocked_until"]), row["reason"])
        for row in tx.all("watch_accounts", now=at)
    ]
    return found


def failing_jobs(tx: Tx) -> list[tuple[str, str, int, str]]:
    """(shop, kind, failures in a row, code) of what is done for shops again and again and failed the last time."""
    return [(row["shop_id"], row["kind"], row["attempts"], row["error_code"]) for row in tx.all("watch_jobs")]


def suppressed(tx: Tx) -> dict[tuple[str, str], int]:
    """Addresses nobody writes to any more, by shop and reason. Reads every row of a table of addresses."""
    return {(row["shop_id"], row["reason"]): row["total"] for row in tx.all("watch_suppressed")}


def people(tx: Tx) -> dict[str, int]:
    """How many customers each shop has. Reads an index of all of them."""
    return {row["shop_id"]: row["total"] for row in tx.all("watch_people")}


def size(store: Store) -> int:
    """Bytes of the database, write-ahead logs left out; on SQLite of both files together."""
    databases = [store.work] if store.work is store.inbox or store.dialect != "sqlite" else [store.work, store.inbox]
    total = 0
    for database in databases:
        with database.read() as tx:
            row = tx.one("watch_size")
        total += int(row["bytes"]) if row else 0
    return total


def backup_at(tx: Tx) -> datetime | None:
    """When the newest verified backup was made; `None` where none is known of."""
    kept = meta.get(tx, BACKUP_AT)
    return from_text(kept) if kept else None


# -- topics ------------------------------------------------------------------------------------------------------------


def arrivals(store: Store) -> list[Arrival]:
    """When each topic of each shop was last heard of, what came since the last `scan` included."""
    with store.work.read() as tx:
        kept = {(row["shop_id"], row["topic"]): from_text(row["at"]) for row in tx.all("arrival_all")}
        after = int(meta.get(tx, _SCANNED) or 0)
    with store.inbox.read() as log:
        fresh, _ = _topics(log, after)
    for key, at in fresh.items():
        kept[key] = max(at, kept.get(key, at))
    return [Arrival(shop_id, topic, at) for (shop_id, topic), at in sorted(kept.items())]


def scan(store: Store, now: datetime) -> bool:
    """Note the topics of what came since the last scan, so that nobody has to look through the inbox for them; whether
    there may be more. Deliveries that PostgreSQL commits out of order may be missed: the topic's next one is not."""
    with store.work.read() as tx:
        after = int(meta.get(tx, _SCANNED) or 0)
    with store.inbox.read() as log:
        found, last = _topics(log, after)
        newest = log.one("inbox_last_id")
    if last == after:
        return False
    with store.work.transaction() as tx:
        tx.many("arrival_put", [(shop_id, topic, to_text(at)) for (shop_id, topic), at in sorted(found.items())])
        meta.put(tx, _SCANNED, str(last), now)
    return newest is not None and int(newest["last_id"]) > last


def _topics(log: Tx, after: int) -> tuple[dict[tuple[str, str], datetime], int]:
    """The last time of each topic among the next deliveries, and how far they reach."""
    newest = log.one("inbox_last_id")
    upto = min(int(newest["last_id"]) if newest else 0, after + SCAN)
    if upto <= after:
        return {}, after
    rows = log.all("inbox_topics", after_id=after, upto_id=upto)
    return {(row["shop_id"], row["topic"]): from_text(row["at"]) for row in rows}, upto


# -- processes ---------------------------------------------------------------------------------------------------------


def alive(tx: Tx, process_id: str, role: str, host: str, version: str, now: datetime) -> None:
    """A process of the installation lives: `serve` or `worker`."""
    tx.run("process_put", process_id=process_id, role=role, host=host, version=version, now=to_text(now))


def gone(tx: Tx, process_id: str, before: datetime) -> None:
    """A process ended well; those not heard of since `before` are forgotten with it."""
    tx.run("process_drop", process_id=process_id, before=to_text(before))


def processes(tx: Tx) -> list[ProcessRow]:
    return [
        ProcessRow(
            row["process_id"],
            row["role"],
            row["host"],
            row["version"],
            from_text(row["started_at"]),
            from_text(row["seen_at"]),
        )
        for row in tx.all("process_all")
    ]


def recovered(tx: Tx, since: datetime) -> dict[str, tuple[int, datetime]]:
    """Orders found since then that no webhook told of, by shop, and when the newest was found."""
    rows = tx.all("watch_recovered", since=to_text(since))
    return {row["shop_id"]: (row["total"], from_text(row["newest"])) for row in rows}


def durable(store: Store) -> bool:
    """Whether what is committed is on the disk, as far as the database's settings say."""
    for database in (store.work, store.inbox):
        with database.read() as tx:
            row = tx.one("watch_durable")
        if row is None or row["fsync"] != "on":
            return False
    return True


def known_since(tx: Tx, shop_id: str) -> datetime | None:
    """When the shop became known here."""
    row = tx.one("watch_known_since", shop_id=shop_id)
    return from_text(row["created_at"]) if row else None
