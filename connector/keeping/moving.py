"""`kiitos db copy`: a living installation moved to another database, up to PostgreSQL or back to SQLite."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connector.clock import Clock
from connector.errors import ConfigError, StoreUnavailable
from connector.log import get_log
from connector.model import EffectStatus
from connector.store import effects, inbox, meta, sealing
from connector.store.aligning import align, equal_counts
from connector.store.db import Database, Tx
from connector.store.moving import (
    PROGRESS,
    copy_table,
    finish,
    freeze,
    prepare,
    tables_to_copy,
    thaw,
)
from connector.store.store import Store
from connector.store.tables import Table, count_rows
from connector.working import standstill
from connector.working.standstill import Standstill

WAITING = 60.0
"""Seconds to wait for messages that are being sent when the move begins."""
OVERLAP = 10_000
"""Deliveries before the last one seen that are looked at once more when the inbox is closed."""

log = get_log("moving")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """How many rows each table has, on both sides. Seconds: `copying` while everything went on, `frozen` from when
    workers rested to the end, of which webhooks were refused for `closed`."""

    rows: dict[str, int]
    copying: float
    frozen: float
    closed: float


def move(source: Store, target: Store, clock: Clock, told: Callable[[int, int], None] = lambda *_: None) -> Moved:
    """Copy everything and prove it. Begun again after a kill it goes on where it stopped.

    Most of it is copied while receiver and worker go on. Then workers rest, the working database of the source is
    frozen (pages answer 503), and what changed since is brought up to date, every row compared. The inbox goes on
    taking deliveries until only the last of them are left. The source stays frozen when this returns: whoever still
    runs on it cannot lose anything there. Raises `StoreUnavailable` when the target is not empty or the copies differ.
    """
    if source.work.name == target.work.name and source.dialect == target.dialect:
        raise ConfigError("both are the same database")
    tables = {table.name: (source.work, table) for table in tables_to_copy(source.work)}
    if source.dialect == "sqlite":
        tables |= {table.name: (source.inbox, table) for table in tables_to_copy(source.inbox)}
    mark = _mark(source)
    for database in {id(one): one for one in (_of(target, "inbox"), target.work)}.values():
        prepare(database, [table for name, (_, table) in tables.items() if _of(target, name) is database], mark)
    total, done = 2 * _count(tables), 0

    def hear(rows: int) -> None:
        nonlocal done
        done += rows
        told(min(done, total), total)

    began = clock.monotonic()
    for name, (database, table) in tables.items():
        copy_table(database, _of(target, name), table, hear)
    resting = clock.monotonic()
    _rest(source, clock)
    freeze(source.work, [name for name, (database, _) in tables.items() if database is source.work and name != "inbox"])
    freeze(source.inbox, ["inbox"], ("UPDATE", "DELETE"))  # deliveries are still taken
    with source.inbox.read() as tx:
        last = inbox.last_id(tx)
    for name, (database, table) in tables.items():
        align(database, _of(target, name), table, hear)
    closing = clock.monotonic()
    freeze(source.inbox, ["inbox"])
    # On PostgreSQL numbers are given before they are committed: lower ones may have come later.
    align(source.inbox, _of(target, "inbox"), tables["inbox"][1], hear, behind=("id", last - OVERLAP))
    rows = {name: equal_counts(database, _of(target, name), table) for name, (database, table) in tables.items()}
    _settle(source, target, clock)
    ended = clock.monotonic()
    moved = Moved(rows=rows, copying=resting - began, frozen=ended - resting, closed=ended - closing)
    log.info("moved", rows=sum(rows.values()), tables=len(rows), frozen=moved.frozen, closed=moved.closed)
    return moved


def reopen(store: Store, clock: Clock) -> bool:
    """Stay after all: a frozen database is written to again. False when it was not frozen."""
    thawed = thaw(store.work) + (thaw(store.inbox) if store.dialect == "sqlite" else 0)
    with store.work.transaction() as tx:
        held = standstill.read(tx)
        if held is not None and held.why is Standstill.MOVING:
            standstill.end(tx, clock.now())
    return thawed > 0


def _of(store: Store, table: str) -> Database:
    return store.inbox if table == "inbox" and store.dialect == "sqlite" else store.work


def _mark(source: Store) -> str:
    """What tells this installation from another: a digest of its sealed secret."""
    with source.work.read() as tx:
        return hashlib.sha256((meta.get(tx, sealing.SALT) or "").encode()).hexdigest()


def _count(tables: Mapping[str, tuple[Database, Table]]) -> int:
    total = 0
    for database, table in tables.values():
        with database.read() as tx:
            total += sum(count_rows(tx, [table]).values())
    return total


def _rest(source: Store, clock: Clock) -> None:
    """Workers rest, and what they were sending comes to its end: it would be in doubt otherwise."""
    with source.work.read() as tx:
        held = standstill.read(tx)
    if held is not None and held.why is Standstill.MOVING:
        return  # a copy that goes on: it is frozen already
    if held is not None:
        raise StoreUnavailable("a restore waits for its release; see `kiitos restore status`")
    with source.work.transaction() as tx:
        standstill.begin(tx, Standstill.MOVING, clock.now())
    end = clock.monotonic() + WAITING
    while clock.monotonic() < end:
        with source.work.read() as tx:
            under_way = effects.counts(tx).get(EffectStatus.SENDING, 0)
        if not under_way:
            return
        clock.sleep(0.2)
    log.warning("moved_while_sending")


def _settle(source: Store, target: Store, clock: Clock) -> None:
    last = 0
    if target.dialect == "sqlite":
        with target.inbox.read() as tx:
            last = inbox.last_id(tx)

    def go(tx: Tx) -> None:
        standstill.end(tx, clock.now())
        if source.dialect == "postgres" and target.dialect == "sqlite":
            tx.run("cursor_put", last_id=last)

    finish(source.work, target.work, go)
    if target.dialect == "sqlite":
        with target.inbox.transaction() as tx:
            tx.script(f"DROP TABLE IF EXISTS {PROGRESS}")
