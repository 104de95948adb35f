"""Schema migrations: forward only, each file one transaction together with its record in the ledger.

A process that is killed in the middle leaves the old schema or the new one, never half: DDL is transactional on both
engines. A database that is newer than the program is refused, because an old program would write rows that a newer
one cannot read.
"""

from __future__ import annotations

from pathlib import Path

from connector.clock import SystemClock, to_text
from connector.errors import ConfigError
from connector.store.db import Database, Tx
from connector.store.sql import MIGRATIONS

# One number for all Kiitos processes on a PostgreSQL server: two that start together migrate one after the other.
_LOCK = 4_811_726_003


def migrate(database: Database, component: str, folder: Path = MIGRATIONS, *, until: str | None = None) -> list[str]:
    """Bring `database` to the newest schema of `component` (`inbox` or `work`), or to that of the migration `until`;
    return the files applied now.

    Raises `ConfigError` when the database has migrations this program does not know or misses one in between.
    """
    files = {path.stem: path for path in sorted((folder / component).glob("*.sql"))}
    with database.transaction() as tx:
        _lock(database, tx)
        tx.script(
            "CREATE TABLE IF NOT EXISTS schema_ledger"
            " (component TEXT NOT NULL, name TEXT NOT NULL, applied_at TEXT NOT NULL, PRIMARY KEY (component, name))"
        )
        known = _applied(database, tx, component, list(files))
    done = []
    for name in [name for name in files if name not in known and (until is None or name <= until)]:
        with database.transaction() as tx:
            _lock(database, tx)
            if name in _applied(database, tx, component, list(files)):
                continue  # another process was first
            database.apply(files[name].read_text("utf-8"), tx)
            tx.run("ledger_put", component=component, name=name, applied_at=to_text(SystemClock().now()))
            done.append(name)
    return done


def verify(database: Database, component: str, folder: Path = MIGRATIONS) -> None:
    """Raise `ConfigError` unless the schema of `component` is exactly this program's; change nothing."""
    known = [path.stem for path in sorted((folder / component).glob("*.sql"))]
    with database.read() as tx:
        names = _applied(database, tx, component, known) if tx.one("ledger_known") else []
    if names != known:
        raise ConfigError(f"migration {known[len(names)]!r} has not run; migrate the database", where=database.name)


def _lock(database: Database, tx: Tx) -> None:
    if database.dialect == "postgres":
        tx.script(f"SELECT pg_advisory_xact_lock({_LOCK})")


def _applied(database: Database, tx: Tx, component: str, known: list[str]) -> list[str]:
    names = [row["name"] for row in tx.all("ledger_of", component=component)]
    newer = [name for name in names if name not in known]
    if newer:
        raise ConfigError(
            f"the database has migration {newer[-1]!r}, which this version of Kiitos does not know; "
            "start the newer version again, or restore the backup made before it",
            where=database.name,
        )
    if names != known[: len(names)]:
        missing = next(name for name in known if name not in names)
        raise ConfigError(f"migration {missing!r} is missing between others; restore a backup", where=database.name)
    return names
