"""Copying every row of one store into another, SQLite or PostgreSQL either way, resumable.

Rows are copied while the source is written to; progress is a row of the target, written in the transaction of the rows
it stands for. Then the source is *frozen*: triggers refuse every write, for all processes and across restarts of the
copier. What changed meanwhile is brought up to date and every row compared (`connector.store.aligning`). Sums of row
hashes, which do not depend on the order an engine sorts texts in, tell two tables apart without that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from connector import codec
from connector.errors import StoreUnavailable
from connector.store.db import Database, Tx
from connector.store.tables import LEDGER, Table, count_rows, table_of, tables_of

PROGRESS = "copy_progress"
MOVED = "moved"
"""How the refusal of a frozen database begins."""
CHUNK = 2000
_SKIPPED = (LEDGER, PROGRESS)
_TEXT = f"{MOVED}: this database is being moved, or was; see `kiitos db copy`"
_MODULUS = 1 << 128


@dataclass(frozen=True, slots=True)
class Sum:
    """Rows and their hashes, added up."""

    rows: int = 0
    total: int = 0

    def plus(self, rows: Sequence[Sequence[Any]]) -> Sum:
        return Sum(self.rows + len(rows), (self.total + sum(hash_of(row) for row in rows)) % _MODULUS)


def hash_of(row: Sequence[Any]) -> int:
    """The same for the same values on either engine; PostgreSQL has no place for NUL in a text."""
    state = hashlib.blake2b(digest_size=16)
    for value in row:
        if value is None:
            state.update(b"n;")
        elif isinstance(value, bytes | memoryview | bytearray):
            data = bytes(value)
            state.update(b"b%d:" % len(data) + data)
        else:
            text = str(value).replace("\0", "").encode("utf-8", "surrogatepass")
            state.update(b"t%d:" % len(text) + text)
    return int.from_bytes(state.digest(), "big")


def freeze(database: Database, tables: Sequence[str], acts: Sequence[str] = ("INSERT", "UPDATE", "DELETE")) -> None:
    """From here on nobody can write to these tables, or do these `acts` to them. Again is harmless, and may freeze
    more."""
    with database.transaction() as tx:
        if database.dialect == "postgres":
            tx.script(
                "CREATE OR REPLACE FUNCTION kiitos_moved() RETURNS trigger LANGUAGE plpgsql AS"
                f" 'BEGIN RAISE EXCEPTION ''{_TEXT}'' USING ERRCODE = ''25006''; END'"
            )
        for table in tables:
            for statement in _freezing(database, table, acts):
                tx.script(statement)


def _freezing(database: Database, table: str, acts: Sequence[str]) -> Iterator[str]:
    if database.dialect == "postgres":
        yield (
            f"CREATE OR REPLACE TRIGGER kiitos_moved BEFORE {' OR '.join(acts)} ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION kiitos_moved()"
        )
        return
    for act in acts:
        yield (
            f"CREATE TRIGGER IF NOT EXISTS kiitos_moved_{table}_{act.lower()} BEFORE {act} ON {table}"
            f" BEGIN SELECT RAISE(ABORT, '{_TEXT}'); END"
        )


def thaw(database: Database) -> int:
    """Let a frozen database be written to again; how many triggers went."""
    with database.transaction() as tx:
        if database.dialect == "postgres":
            found = tx.fetch(
                "SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
                " WHERE t.tgname = 'kiitos_moved' AND c.relnamespace = current_schema()::regnamespace"
            )
            for table, name in found:
                tx.script(f"DROP TRIGGER {name} ON {table}")
        else:
            asked = "SELECT tbl_name, name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'kiitos_moved_%'"
            found = tx.fetch(asked)
            for _, name in found:
                tx.script(f"DROP TRIGGER {name}")
    return len(found)


def tables_to_copy(database: Database) -> list[Table]:
    with database.read() as tx:
        return [table for table in tables_of(tx, database) if table.name not in _SKIPPED]


def prepare(target: Database, tables: Sequence[Table], mark: str) -> None:
    """Make room for the progress of the copy `mark`. Raises `StoreUnavailable` when something else is in the target."""
    with target.transaction() as tx:
        tx.script(f"CREATE TABLE IF NOT EXISTS {PROGRESS} (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        known = _progress(tx, target, "mark")
        if known is None:
            theirs = {table.name for table in tables_of(tx, target)}
            rows = count_rows(tx, [table for table in tables if table.name in theirs])
            full = sorted(name for name, count in rows.items() if count)
            if full:
                raise StoreUnavailable(f"{target.name} is not empty ({', '.join(full[:3])}); name an empty database")
            _note(tx, target, "mark", mark)
        elif known != mark:
            raise StoreUnavailable(f"{target.name} holds a part of another copy; name an empty database")


def copy_table(
    source: Database, target: Database, table: Table, told: Callable[[int], None], chunk: int = CHUNK
) -> None:
    """Copy what is not there yet; `told` hears how many rows each time. Rows in whose way others stand, that went from
    the source since or were written by a copy that was cut off, are left to `connector.store.aligning`."""
    with target.read() as tx:
        theirs = table_of(tx, target, table.name)
    if set(theirs.columns) != set(table.columns):
        raise StoreUnavailable(f"{target.name} has another table {table.name}; upgrade both to one version")
    while True:
        with target.read() as tx:
            after = _progress(tx, target, table.name)
        rows = page(source, table, codec.decode(after, list[Any]) if after else None, chunk)
        if not rows:
            return
        last = codec.encode_text([rows[-1][table.columns.index(column)] for column in table.key])
        try:
            with target.transaction() as tx:
                insert(tx, target, table, rows)
                _note(tx, target, table.name, last)
        except Exception as error:
            if not _is_conflict(error):
                raise
            with target.transaction() as tx:
                _note(tx, target, table.name, last)
        told(len(rows))


def _is_conflict(error: BaseException | None) -> bool:
    """Whether a unique key stood in the way, on either engine (SQLSTATE 23505 is unique_violation)."""
    if error is None:
        return False
    found = getattr(error, "sqlstate", "") == "23505" or "UNIQUE constraint failed" in str(error)
    return found or _is_conflict(error.__cause__)


def page(source: Database, table: Table, after: list[Any] | None, chunk: int) -> list[tuple[Any, ...]]:
    mark = "?" if source.dialect == "sqlite" else "%s"
    key = ", ".join(table.key)
    where = f" WHERE ({key}) > ({', '.join([mark] * len(table.key))})" if after else ""
    with source.read() as tx:
        statement = f"SELECT {table.listed} FROM {table.name}{where} ORDER BY {key} LIMIT {chunk}"
        return tx.fetch(statement, after or ())


def insert(tx: Tx, target: Database, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    if target.dialect == "postgres":
        from connector.store.postgres_snapshots import copying

        with copying(tx, f"COPY {table.name} ({table.listed}) FROM STDIN") as into:
            for row in rows:
                into.write_row([v.replace("\0", "") if isinstance(v, str) else v for v in row])
        return
    marks = ", ".join("?" * len(table.columns))
    tx.flush()
    tx._cursor.executemany(f"INSERT INTO {table.name} ({table.listed}) VALUES ({marks})", rows)


def sum_of(database: Database, table: Table) -> Sum:
    """Everything in a table, read anew."""
    found, after = Sum(), None
    while rows := page(database, table, after, CHUNK):
        found = found.plus(rows)
        after = [rows[-1][table.columns.index(column)] for column in table.key]
    return found


def compare(source: Database, target: Database, table: Table) -> int:
    """How many rows both have. Raises `StoreUnavailable` when they differ."""
    theirs = next(one for one in tables_to_copy(target) if one.name == table.name)
    same_order = Table(theirs.name, table.columns, theirs.key, theirs.binary)
    ours, copied = sum_of(source, table), sum_of(target, same_order)
    if ours != copied:
        raise StoreUnavailable(
            f"the copy of {table.name} is not the same: {ours.rows} rows here, {copied.rows} in {target.name}"
            + ("" if ours.rows != copied.rows else ", with other content")
        )
    return ours.rows


def finish(source: Database, target: Database, then: Callable[[Tx], None]) -> None:
    """What the two engines keep differently: how far the inbox was read, and which number comes next. `then` does the
    rest in the same transaction: killed before its end, the copy is compared again and is still the same."""
    with target.transaction() as tx:
        then(tx)
        if target.dialect == "postgres":
            from connector.store.postgres_snapshots import set_sequences

            if source.dialect == "sqlite":
                tx.script(
                    "INSERT INTO delivery_progress (shop_id, delivery_id, status, attempts, due_at)"
                    " SELECT shop_id, id, CASE WHEN quarantine = '' THEN 'new' ELSE 'quarantined' END, 0,"
                    " '1970-01-01T00:00:00.000000Z' FROM inbox"
                    " WHERE id > (SELECT COALESCE(MAX(last_id), 0) FROM inbox_cursor) ON CONFLICT DO NOTHING"
                )
                tx.script("DELETE FROM inbox_cursor")
            set_sequences(tx)
        tx.script(f"DROP TABLE {PROGRESS}")


def _progress(tx: Tx, database: Database, name: str) -> str | None:
    mark = "?" if database.dialect == "sqlite" else "%s"
    found = tx.fetch(f"SELECT value FROM {PROGRESS} WHERE name = {mark}", (name,))
    return str(found[0][0]) if found else None


def _note(tx: Tx, database: Database, name: str, value: str) -> None:
    mark = "?" if database.dialect == "sqlite" else "%s"
    tx.script(f"DELETE FROM {PROGRESS} WHERE name = {mark}", (name,))
    tx.script(f"INSERT INTO {PROGRESS} (name, value) VALUES ({mark}, {mark})", (name, value))
