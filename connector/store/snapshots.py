"""A consistent copy of a running store in files, and its way back into a store.

What a copy means is one sentence: *whatever was acknowledged before the copy began is in it, and whatever the copy of
the working database refers to is in the copy of the inbox.* On SQLite the working database's view is therefore taken
first and the inbox's right after it, before a byte of either is copied: of a delivery that came between the two only
the inbox knows, and the worker of the restored store reads it again from the cursor. The other way round the cursor
would stand behind deliveries that no copy has. On PostgreSQL both are one transaction.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlite_utils.utils import sqlite3 as driver  # type: ignore[attr-defined]

from connector.errors import StoreUnavailable
from connector.store.db import Sqlite
from connector.store.store import Store
from connector.store.tables import count_rows, migrations_of, tables_of

Progress = Callable[[int, int], None]
"""Called with how much is done and how much there is, in any unit that stays the same."""
WORK, INBOX = "work.db", "inbox.db"
_PAGES = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What was copied. `rows` and `migrations` are by database file and table; `cut` says where the copy ends: the
    newest delivery (`last_id`), how far the worker had read (`cursor`)."""

    dialect: str
    how: str
    rows: Mapping[str, Mapping[str, int]]
    migrations: Mapping[str, list[str]]
    cut: Mapping[str, int]


def take(store: Store, folder: Path, progress: Progress, *, tool: str | None = None) -> Snapshot:
    """Copy the store into `folder` while others write. `tool` is pg_dump's path where it may be used.

    Raises `StoreUnavailable` when the copy cannot be made or does not pass its check.
    """
    if isinstance(store.work, Sqlite) and isinstance(store.inbox, Sqlite):
        return _take_sqlite(store.work, store.inbox, folder, progress)
    # Here and not above: the driver costs 70 ms and 5 MB that an installation on SQLite need not pay.
    from connector.store.postgres_snapshots import take_postgres

    return take_postgres(store, folder, progress, tool)


def _take_sqlite(work: Sqlite, inbox: Sqlite, folder: Path, progress: Progress) -> Snapshot:
    with contextlib.ExitStack() as closing:
        views = []
        for database in (work, inbox):  # in this order: see above
            raw = closing.enter_context(_reading(database))
            views.append((database, raw, raw.execute("PRAGMA page_count").fetchone()[0]))
        total, done = sum(pages for *_, pages in views), 0
        for (database, raw, pages), name in zip(views, (WORK, INBOX), strict=True):
            _copy(database, raw, folder / name, partial(_tell, progress, done + pages, total))
            done += pages
    rows, migrations, cut = {}, {}, {}
    for name in (WORK, INBOX):
        rows[name], found, told = look_into(folder / name)
        migrations.update(found)
        cut.update(told)
    return Snapshot(dialect="sqlite", how="online backup", rows=rows, migrations=migrations, cut=cut)


def _tell(progress: Progress, end: int, total: int, left: int) -> None:
    progress(end - left, total)


@contextlib.contextmanager
def _reading(database: Sqlite) -> Iterator[Any]:
    """A connection inside a reading transaction: what it sees stays as it is, and no writer waits for it."""
    with contextlib.closing(database.open().conn) as raw:
        raw.execute("BEGIN").fetchall()
        raw.execute("SELECT COUNT(*) FROM schema_ledger").fetchone()  # the first read takes the view
        yield raw
        raw.execute("ROLLBACK")


def _copy(database: Sqlite, raw: Any, target: Path, left: Callable[[int], None]) -> None:
    try:
        with contextlib.closing(driver.connect(str(target))) as copy:
            target.chmod(0o600)
            raw.backup(copy, pages=_PAGES, progress=lambda _status, remaining, _total: left(remaining), sleep=0)
            copy.execute("PRAGMA journal_mode=DELETE").fetchall()  # one file, without a log beside it
    except driver.DatabaseError as error:
        raise StoreUnavailable(f"{database.name} cannot be copied to {target.parent}: {error}") from error


def look_into(path: Path) -> tuple[dict[str, int], dict[str, list[str]], dict[str, int]]:
    """Rows by table, migrations by component and the cut of a copied file.

    Raises `StoreUnavailable` when SQLite finds the copy damaged.
    """
    database = Sqlite(path)
    try:
        with contextlib.closing(database.open().conn) as raw:
            verdict = str(raw.execute("PRAGMA integrity_check(1)").fetchone()[0])
        if verdict != "ok":
            raise StoreUnavailable(f"the copy {path.name} is damaged ({verdict})")
        with database.read() as tx:
            tables = tables_of(tx, database)
            names = {table.name for table in tables}
            cut = {}
            if "inbox" in names:
                cut["last_id"] = int(tx.fetch("SELECT COALESCE(MAX(id), 0) FROM inbox")[0][0])
            if "inbox_cursor" in names:
                cut["cursor"] = int(tx.fetch("SELECT COALESCE(MAX(last_id), 0) FROM inbox_cursor")[0][0])
            return count_rows(tx, tables), migrations_of(tx, database), cut
    except driver.DatabaseError as error:
        raise StoreUnavailable(f"the copy {path.name} cannot be read: {error}") from error
    finally:
        database.close()
        _settle(path)


def _settle(path: Path) -> None:
    """Opening it put it in WAL mode and may have left files beside it: one file again."""
    with contextlib.closing(driver.connect(str(path))) as raw, contextlib.suppress(driver.DatabaseError):
        raw.execute("PRAGMA journal_mode=DELETE").fetchall()
