"""A copy of a PostgreSQL store: by pg_dump where it is installed and new enough, else table by table with COPY. Both
look from the same exported view, in one REPEATABLE READ transaction, so that row counts and content belong together.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from connector.errors import StoreUnavailable
from connector.log import get_log
from connector.store.db import Tx
from connector.store.migrate import migrate
from connector.store.postgres import Postgres
from connector.store.snapshots import Progress, Snapshot
from connector.store.store import Store
from connector.store.tables import RESTORING, Table, count_rows, migrations_of, tables_of

DUMP = "kiitos.dump"

log = get_log("restore")
_PIECE = 1 << 20
_FUNCTIONS = """
SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace
  AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
"""
"""Those of the migrations: what an extension brought stays."""
_VARIABLES = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "options": "PGOPTIONS",
}


def take_postgres(store: Store, folder: Path, progress: Progress, tool: str | None) -> Snapshot:
    """See `connector.store.snapshots.take`."""
    database = store.work
    assert isinstance(database, Postgres)
    with database.read() as tx:
        tx.script("SET LOCAL idle_in_transaction_session_timeout = 0")  # it waits while pg_dump works
        tables = tables_of(tx, database)
        rows, migrations = count_rows(tx, tables), migrations_of(tx, database)
        last_id = int(tx.fetch("SELECT COALESCE(MAX(id), 0) FROM inbox")[0][0])
        how = _dump(tx, database, folder / DUMP, tool) if tool else ""
        if not how:
            _copy_out(tx, tables, rows, folder, progress)
    progress(1, 1)
    return Snapshot(
        dialect="postgres",
        how=how or "COPY in one REPEATABLE READ transaction",
        rows={"postgres": rows},
        migrations=migrations,
        cut={"last_id": last_id, "cursor": last_id},
    )


def _dump(tx: Tx, database: Postgres, target: Path, tool: str) -> str:
    """How it was made; empty when this pg_dump is older than the server, which it then refuses."""
    schema, view = tx.fetch("SELECT current_schema(), pg_export_snapshot()")[0]
    command = [tool, "--format=custom", "--no-owner", f"--schema={schema}", f"--snapshot={view}", f"--file={target}"]
    done = _run(command, database)
    if done.returncode == 0:
        return "pg_dump"
    target.unlink(missing_ok=True)
    if "server version" in done.stderr:
        return ""
    raise StoreUnavailable(f"pg_dump failed: {done.stderr.strip().splitlines()[-1][:200] if done.stderr else ''}")


def _run(command: list[str], database: Postgres) -> subprocess.CompletedProcess[str]:
    """The password goes by environment: command lines are shown to everybody on the machine."""
    parts = conninfo_to_dict(database.dsn)
    named = {_VARIABLES[name]: str(value) for name, value in parts.items() if name in _VARIABLES and value is not None}
    environ = {**os.environ, **named}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)  # noqa: S603


def _copy_out(tx: Tx, tables: list[Table], rows: dict[str, int], folder: Path, progress: Progress) -> None:
    total, done = sum(rows.values()) or 1, 0
    for table in tables:
        statement = f"COPY {table.name} ({table.listed}) TO STDOUT"
        with _private(folder / f"{table.name}.copy") as handle, copying(tx, statement) as out:
            for piece in out:
                os.write(handle, piece)
        done += rows[table.name]
        progress(done, total)


def copying(tx: Tx, statement: str) -> contextlib.AbstractContextManager[Any]:
    """psycopg's COPY (https://www.psycopg.org/psycopg3/docs/basic/copy.html) inside the transaction."""
    tx.flush()
    copy: contextlib.AbstractContextManager[Any] = tx._cursor.copy(statement)
    return copy


@contextlib.contextmanager
def _private(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        yield handle
    finally:
        os.close(handle)


def cut_off(tx: Tx) -> str:
    """The backup whose restore was begun in this database and has not come to its end; empty otherwise."""
    if not tx.fetch(f"SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = '{RESTORING}'"):
        return ""
    ((name,),) = tx.fetch(f"SELECT name FROM {RESTORING}")
    return str(name)


def require_whole(database: Postgres) -> None:
    """Raises `StoreUnavailable` for a database in which a restore was cut off: it is not what the backup was."""
    with database.read() as tx:
        name = cut_off(tx)
    if name:
        raise StoreUnavailable(
            f"{database.name}: the restore of {name} was cut off, or is under way; nothing is sent from here. "
            f"Finish it: kiitos restore from {name}"
        )


def require_empty(database: Postgres) -> None:
    """Raises `StoreUnavailable` when there are tables already, but for those of a restore that was cut off."""
    with database.read() as tx:
        if tables_of(tx, database) and not cut_off(tx):
            raise StoreUnavailable(f"{database.name} is not empty; name an empty database to restore into")


def _begin(database: Postgres, name: str) -> None:
    """Mark the database as one into which a backup is put back. What an attempt that was cut off left goes: before it
    the database was empty."""
    require_empty(database)
    with database.transaction() as tx:
        if before := cut_off(tx):
            log.warning("restore_begun_anew", backup=name, before=before)
            for table in tables_of(tx, database):
                tx.script(f'DROP TABLE "{table.name}" CASCADE')
            for (function,) in tx.fetch(_FUNCTIONS):
                tx.script(f"DROP FUNCTION {function} CASCADE")
        tx.script(f"DROP TABLE IF EXISTS {RESTORING}")
        tx.script(f"CREATE TABLE {RESTORING} AS SELECT %s::text AS name", [name])


def put_back(database: Postgres, folder: Path, migrations: dict[str, list[str]], tool: str | None) -> None:
    """Fill an empty PostgreSQL database from a copy's files.

    Raises `StoreUnavailable` when pg_restore is needed and missing or fails.
    """
    dump = folder / DUMP
    if not dump.exists():
        return _copy_in(database, folder, migrations)
    if tool is None:
        raise StoreUnavailable("this copy was made by pg_dump; install pg_restore (PostgreSQL's client programs)")
    where = str(conninfo_to_dict(database.dsn).get("dbname") or "")
    listing = _run([tool, "--list", str(dump)], database)
    kept = [line for line in listing.stdout.splitlines() if " SCHEMA - " not in line]
    index = dump.with_suffix(".list")
    index.write_text("\n".join(kept) + "\n", "utf-8")
    done = _run(
        [
            tool,
            "--no-owner",
            "--exit-on-error",
            "--single-transaction",
            f"--dbname={where}",
            f"--use-list={index}",
            str(dump),
        ],
        database,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise StoreUnavailable(f"pg_restore failed: {said[0][:200] if said else ''}")
    return None


def _copy_in(database: Postgres, folder: Path, migrations: dict[str, list[str]]) -> None:
    for component, names in migrations.items():
        migrate(database, component, until=names[-1])
    with database.transaction() as tx:
        for table in tables_of(tx, database):
            tx.script(f"DELETE FROM {table.name}")
            path = folder / f"{table.name}.copy"
            with path.open("rb") as source, copying(tx, f"COPY {table.name} ({table.listed}) FROM STDIN") as into:
                while piece := source.read(_PIECE):
                    into.write(piece)
        set_sequences(tx)


def set_sequences(tx: Tx) -> None:
    """Identity columns go on after the greatest number that is there."""
    found = tx.fetch(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND is_identity = 'YES'"
    )
    for table, column in found:
        tx.fetch(
            f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'),"
            f" (SELECT COALESCE(MAX({column}), 0) + 1 FROM {table}), false)"
        )


@contextlib.contextmanager
def read_only(database: Postgres, name: str) -> Iterator[Postgres]:
    """For everybody who connects meanwhile the database is read-only; the one given may write, and puts the backup
    `name` back. A process that is killed inside leaves it so, and marked (`require_whole`): nothing is sent from a
    database that nobody can write to, and the next restore begins anew in it.

    Raises `StoreUnavailable` when the user does not own the database, or something else is in it.
    """
    known = conninfo_to_dict(database.dsn)
    quoted = '"' + str(known.get("dbname") or known.get("user") or "").replace('"', '""') + '"'
    options = known.get("options") or ""
    ours = Postgres(make_conninfo(database.dsn, options=f"{options} -c default_transaction_read_only=off".strip()))
    try:
        _begin(ours, name)
        with ours.transaction() as tx:
            tx.script(f"ALTER DATABASE {quoted} SET default_transaction_read_only = on")
    except psycopg.errors.InsufficientPrivilege as error:
        raise StoreUnavailable(f"{database.name}: a restore needs the database's owner") from error
    whole = False
    try:
        yield ours
        whole = True
    finally:
        with ours.read() as reading:
            empty = not tables_of(reading, ours)
        if whole or empty:
            with ours.transaction() as tx:
                tx.script(f"DROP TABLE IF EXISTS {RESTORING}")
                tx.script(f"ALTER DATABASE {quoted} RESET default_transaction_read_only")
        ours.close()
