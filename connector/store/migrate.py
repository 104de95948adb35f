"""Schema migrations: each file one transaction together with its record in the ledger, forwards and back.

A process that is killed in the middle leaves the old schema or the new one, never half: DDL is transactional on both
engines. A database that is newer than the program is refused unless it says that this program may use it: a migration
that only expands the schema (`connector.store.way_back`) leaves the program before it running.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from connector.clock import SystemClock, to_text
from connector.errors import ConfigError
from connector.store.db import Database, Tx
from connector.store.sql import MIGRATIONS
from connector.store.way_back import breaks, files_of, way_back

# One number for all Kiitos processes on a PostgreSQL server: two that start together migrate one after the other.
_LOCK = 4_811_726_003
_START = 4_811_726_004
_OLDEST = "/oldest"
"""After a component's name in the ledger: the row that names the oldest program that may use the database, by that
program's newest migration."""


def migrate(database: Database, component: str, folder: Path = MIGRATIONS, *, until: str | None = None) -> list[str]:
    """Bring `database` to the newest schema of `component` (`inbox` or `work`), or to that of the migration `until`;
    return the files applied now.

    Raises `ConfigError` when the database has migrations this program does not know or misses one in between.
    """
    files = files_of(component, folder)
    with database.transaction() as tx:
        _lock(database, tx)
        tx.script(
            "CREATE TABLE IF NOT EXISTS schema_ledger"
            " (component TEXT NOT NULL, name TEXT NOT NULL, applied_at TEXT NOT NULL, PRIMARY KEY (component, name))"
        )
        known = _applied(database, tx, component, list(files))
        if files and not tx.all("ledger_of", component=component + _OLDEST):
            _record(tx, component + _OLDEST, next(iter(files)))
    done = []
    for name in [name for name in files if name not in known and (until is None or name <= until)]:
        with database.transaction() as tx:
            _lock(database, tx)
            if name in _applied(database, tx, component, list(files)):
                continue  # another process was first
            database.apply(files[name].read_text("utf-8"), tx)
            _record(tx, component, name)
            if name != next(iter(files)) and breaks(name, component, database.dialect, folder):
                tx.run("ledger_drop_all", component=component + _OLDEST)
                _record(tx, component + _OLDEST, name)
            done.append(name)
    return done


@contextlib.contextmanager
def alone(database: Database) -> Iterator[None]:
    """On PostgreSQL: be the one process that upgrades, after any that does. Its own connection; up to ten minutes.

    `migrate` locks each migration by itself, which leaves moments in between.
    """
    with database.transaction() as tx:
        tx.script("SET LOCAL lock_timeout = '600s'")
        tx.script(f"SELECT pg_advisory_xact_lock({_START})")
        yield


def downgrade(database: Database, component: str, to: str, folder: Path = MIGRATIONS) -> list[str]:
    """Undo every migration of `component` after `to`, the newest first; return what was undone.

    What the newer schema held beyond the older is lost. Raises `ConfigError` for an unknown `to`, or a migration nobody
    says how to undo; then nothing was changed.
    """
    files = files_of(component, folder)
    if to not in files:
        raise ConfigError(f"there is no migration {to!r} of {component}; see `kiitos db status`", where=database.name)
    with database.transaction() as tx:
        _lock(database, tx)
        newer = [name for name in _applied(database, tx, component, list(files)) if name > to]
        for name in reversed(newer):
            for statement in way_back(name, component, database.dialect, folder).statements:
                tx.script(statement)
            tx.run("ledger_drop", component=component, name=name)
        oldest = [row["name"] for row in tx.all("ledger_of", component=component + _OLDEST)]
        if oldest and oldest[-1] > to:
            tx.run("ledger_drop_all", component=component + _OLDEST)
            _record(tx, component + _OLDEST, to)
    return list(reversed(newer))


def pending(database: Database, component: str, folder: Path = MIGRATIONS) -> list[str]:
    """The migrations that have not run; those of a new database are all of them. Raises what `migrate` raises."""
    known = list(files_of(component, folder))
    with database.read() as tx:
        names = _applied(database, tx, component, known) if tx.one("ledger_known") else []
    return known[len(names) :]


def applied(database: Database, component: str) -> list[str]:
    """The migrations the database has had, this program's or another's."""
    with database.read() as tx:
        return [row["name"] for row in tx.all("ledger_of", component=component)] if tx.one("ledger_known") else []


def verify(database: Database, component: str, folder: Path = MIGRATIONS) -> None:
    """Raise `ConfigError` unless this program can use the schema of `component` as it is; change nothing."""
    left = pending(database, component, folder)
    if left:
        raise ConfigError(
            f"migration {left[0]!r} has not run; migrate the database with: kiitos db upgrade", where=database.name
        )


def _record(tx: Tx, component: str, name: str) -> None:
    tx.run("ledger_put", component=component, name=name, applied_at=to_text(SystemClock().now()))


def _lock(database: Database, tx: Tx) -> None:
    if database.dialect == "postgres":
        # A machine that starts beside the first one waits for as long as its migrations take, not for a row's lock.
        tx.script("SET LOCAL lock_timeout = '60s'")
        tx.script(f"SELECT pg_advisory_xact_lock({_LOCK})")
        tx.script("SET LOCAL lock_timeout = '5s'")


def _applied(database: Database, tx: Tx, component: str, known: list[str]) -> list[str]:
    """Those of `known` that have run."""
    names = [row["name"] for row in tx.all("ledger_of", component=component)]
    newer = [name for name in names if name not in known]
    if newer:
        oldest = [row["name"] for row in tx.all("ledger_of", component=component + _OLDEST)]
        if not oldest or not known or oldest[-1] > known[-1] or newer[0] < known[-1]:
            raise ConfigError(
                f"the database has migration {newer[-1]!r}, which this version of Kiitos does not know; "
                "start the newer version again (there, `kiitos db downgrade` leads back), "
                "or restore the backup made before it: kiitos restore from",
                where=database.name,
            )
        names = [name for name in names if name in known]
    if names != known[: len(names)]:
        missing = next(name for name in known if name not in names)
        raise ConfigError(f"migration {missing!r} is missing between others; restore a backup", where=database.name)
    return names
