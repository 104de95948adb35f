"""Making the copy of a table the same as its source, row by row, and proving it, while nobody writes to the source.

A copy taken while the source was written to has rows that changed, went or came since. Every row of the source is
looked up by its key in the copy and compared; what differs is taken out first, as another row may stand in its way
under a unique index, and then written anew and read back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from connector.errors import StoreUnavailable
from connector.store.db import Database, Tx
from connector.store.moving import CHUNK, hash_of, insert, page
from connector.store.tables import Table, count_rows, table_of

Key = tuple[Any, ...]


def align(
    source: Database,
    target: Database,
    table: Table,
    told: Callable[[int], None],
    *,
    behind: tuple[str, Any] | None = None,
) -> None:
    """Make the target's rows those of the source: all of them, or those `behind` a value of a column.

    Raises `StoreUnavailable` when what was written reads otherwise.
    """
    theirs = _as_kept(target, table)
    walked = table if behind is None else replace(table, key=(behind[0],))
    seen: list[Any] | None = None if behind is None else [behind[1]]
    to_write: list[Key] = []
    found = 0
    while rows := page(source, walked, seen, CHUNK):
        keys = _keys(theirs, rows)
        there = rows_of(target, theirs, keys)
        differing = [(key, row) for key, row in zip(keys, rows, strict=True) if not same(row, there.get(key))]
        _remove(target, theirs, [key for key, _ in differing if key in there])
        to_write += _keys(table, [row for _, row in differing])
        found += len(rows) - len(differing)
        seen = list(_keys(walked, rows[-1:])[0])
        told(len(rows))
    if behind is None:
        _remove_others(source, target, table, theirs, found)
    for start in range(0, len(to_write), CHUNK):
        _write(source, target, table, theirs, to_write[start : start + CHUNK])


def _as_kept(target: Database, table: Table) -> Table:
    """The table under the target's own primary key: that of the inbox differs between the engines."""
    with target.read() as tx:
        return replace(table, key=table_of(tx, target, table.name).key)


def equal_counts(source: Database, target: Database, table: Table) -> int:
    """How many rows both have. Raises `StoreUnavailable` when they differ."""
    with source.read() as tx:
        ours = count_rows(tx, [table])[table.name]
    with target.read() as tx:
        theirs = count_rows(tx, [table])[table.name]
    if ours != theirs:
        raise StoreUnavailable(f"the copy of {table.name} is not the same: {ours} rows here, {theirs} in {target.name}")
    return ours


def same(row: Sequence[Any], other: Sequence[Any] | None) -> bool:
    """As the two engines keep it: PostgreSQL has no place for NUL in a text."""
    return other is not None and (tuple(row) == tuple(other) or hash_of(row) == hash_of(other))


def rows_of(database: Database, table: Table, keys: Sequence[Key]) -> dict[Key, tuple[Any, ...]]:
    """The rows with these keys, looked up by the primary key whatever order the engine sorts texts in."""
    columns = ", ".join(f"t.{column}" for column in table.columns)
    with database.read() as tx:
        if database.dialect == "postgres":
            for way in ("seqscan", "hashjoin", "mergejoin"):  # a fresh table has no statistics to plan by
                tx.script(f"SET LOCAL enable_{way} = off")
            joined = " AND ".join(f"t.{column} = k.{column}" for column in table.key)
            statement = f"SELECT {columns} FROM {_listed(table, keys)} JOIN {table.name} t ON {joined}"
            found = tx.fetch(statement, _columns(keys))
        else:
            found = tx.fetch(f"SELECT {columns} FROM {table.name} t WHERE {_among(table, keys)}", _flat(keys))
    return dict(zip(_keys(table, found), found, strict=True))


def _remove(target: Database, table: Table, keys: Sequence[Key]) -> None:
    if not keys:
        return
    with target.transaction() as tx, _unguarded(tx, target, table):
        if target.dialect == "postgres":
            joined = " AND ".join(f"t.{column} = k.{column}" for column in table.key)
            tx.script(f"DELETE FROM {table.name} t USING {_listed(table, keys)} WHERE {joined}", _columns(keys))
        else:
            tx.script(f"DELETE FROM {table.name} WHERE {_among(table, keys)}", _flat(keys))


def _remove_others(source: Database, target: Database, table: Table, theirs: Table, found: int) -> None:
    """Rows that the source no longer has; `found` are those of the target that it has."""
    with target.read() as tx:
        if count_rows(tx, [table])[table.name] == found:
            return
    seen: list[Any] | None = None
    while rows := page(target, theirs, seen, CHUNK):
        ours, keys = _keys(table, rows), _keys(theirs, rows)
        here = rows_of(source, table, ours)
        _remove(target, theirs, [key for key, our in zip(keys, ours, strict=True) if our not in here])
        seen = list(keys[-1])


def _write(source: Database, target: Database, table: Table, theirs: Table, keys: Sequence[Key]) -> None:
    rows = list(rows_of(source, table, keys).values())
    with target.transaction() as tx:
        insert(tx, target, table, rows)
    as_kept = _keys(theirs, rows)
    written = rows_of(target, theirs, as_kept)
    wrong = [key for key, row in zip(as_kept, rows, strict=True) if not same(row, written.get(key))]
    if wrong or len(rows) != len(keys):
        raise StoreUnavailable(f"the copy of {table.name} is not the same: rows read otherwise than they were written")


@contextlib.contextmanager
def _unguarded(tx: Tx, target: Database, table: Table) -> Iterator[None]:
    """Some tables let nobody delete a row (the books of value). What is deleted here is no book, but a copy of one that
    is not true any more."""
    if target.dialect == "postgres":
        tx.script(f"ALTER TABLE {table.name} DISABLE TRIGGER USER")
        yield
        tx.script(f"ALTER TABLE {table.name} ENABLE TRIGGER USER")
        return
    guards = tx.fetch("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (table.name,))
    for name, _ in guards:
        tx.script(f"DROP TRIGGER {name}")
    yield
    for _, statement in guards:
        tx.script(statement)


def _keys(table: Table, rows: Sequence[Sequence[Any]]) -> list[Key]:
    columns = [[row[place] for row in rows] for place in map(table.columns.index, table.key)]
    return list(zip(*columns, strict=True))


def _among(table: Table, keys: Sequence[Key]) -> str:
    if len(table.key) == 1:
        return f"{table.key[0]} IN ({', '.join('?' * len(keys))})"
    one = f"({', '.join('?' * len(table.key))})"
    return f"({', '.join(table.key)}) IN (VALUES {', '.join([one] * len(keys))})"


def _flat(keys: Sequence[Key]) -> list[Any]:
    return [value for key in keys for value in key]


def _listed(table: Table, keys: Sequence[Key]) -> str:
    kinds = ["bigint" if isinstance(value, int) else "text" for value in keys[0]]
    given = ", ".join(f"%s::{kind}[]" for kind in kinds)
    return f"unnest({given}) AS k({', '.join(table.key)})"


def _columns(keys: Sequence[Key]) -> list[list[Any]]:
    return [list(values) for values in zip(*keys, strict=True)]
