"""What SQLite is told of the sizes of tables, so that it chooses as for a large shop from the first order on.

Without statistics it takes ten rows for those of a shop and reads them all, a million parcels to find one order's,
rather than sort three (measured: `bench --phase growth`, docs/performance.md). ANALYZE would tell it what there is on
the day it runs, and keep samples of people's addresses in the file. So the figures are ours: of a table of a million
rows in four shops. PostgreSQL keeps its own. https://sqlite.org/optoverview.html#manual_control_of_query_plans_using_sqlite_stat_tables
"""

from __future__ import annotations

import re

from connector.store.db import Tx
from connector.store.sqlite import Sqlite

_ROWS = 1_000_000
_FEW = 4
"""Rows that share an id or a moment."""
_SHOPS = 4
_KINDS = 10
_GOODS = 1_000
_COARSE = {
    "shop_id": _SHOPS,
    "product_id": _GOODS,
    **dict.fromkeys(
        ("status", "kind", "flow_id", "version", "channel", "purpose", "priority", "state", "subject_kind", "segment"),
        _KINDS,
    ),
}
"""Columns that many rows have the same value of, and how many values there are."""

_OF_A_STATE = 1_000
"""Rows of an index that holds only what is in some state: what is open, failed or held."""

_INDEXES = """
SELECT m.name, i.name, i.origin, i."unique", COALESCE(s.sql, ''), c.name FROM sqlite_master m
JOIN pragma_index_list(m.name) i LEFT JOIN sqlite_master s ON s.type = 'index' AND s.name = i.name
JOIN pragma_index_info(i.name) c
WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, i.name, c.seqno
"""
_STATE = re.compile(r"\b(status|state)\b")
_WITHOUT_ROWID = "SELECT name FROM pragma_table_list WHERE wr = 1"


def keep_statistics(database: Sqlite) -> bool:
    """Write the figures of every index that has none; whether there were any. Figures of an ANALYZE stay."""
    with database.read() as tx:
        wanted = _figures(tx)
        known = set(_known(tx))
    if not wanted.keys() - known:
        return False
    with database.transaction() as tx:
        tx.script("ANALYZE sqlite_schema")  # makes the table, which no CREATE TABLE can
        known = set(_known(tx))
        for (table, index), text in wanted.items():
            if (table, index) not in known:
                tx.script("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", [table, index, text])
        tx.script("ANALYZE sqlite_schema")  # and reads it
    return True


def _known(tx: Tx) -> list[tuple[str, str]]:
    if not tx.fetch("SELECT name FROM sqlite_master WHERE name = 'sqlite_stat1'"):
        return []
    return [(str(table), str(index)) for table, index in tx.fetch("SELECT tbl, idx FROM sqlite_stat1")]


def _figures(tx: Tx) -> dict[tuple[str, str], str]:
    """(table, index) to its `stat`: rows, then rows that agree in the first column, in the first two, and so on."""
    clustered = {name for (name,) in tx.fetch(_WITHOUT_ROWID)}
    columns: dict[tuple[str, str], list[str]] = {}
    unique: set[tuple[str, str]] = set()
    rows: dict[tuple[str, str], int] = {}
    for table, index, origin, is_unique, made, column in tx.fetch(_INDEXES):
        # The primary key of a table without row ids goes by the table's name.
        key = (str(table), str(table) if origin == "pk" and table in clustered else str(index))
        columns.setdefault(key, []).append(str(column))
        rows[key] = _rows(str(made).partition("WHERE ")[2])
        if is_unique:
            unique.add(key)
    return {key: figures_of(names, rows=rows[key], is_unique=key in unique) for key, names in columns.items()}


def _rows(condition: str) -> int:
    """Rows of an index with this WHERE. Most messages are sent: that state is not a small part."""
    return _OF_A_STATE if _STATE.search(condition) and "'sent'" not in condition else _ROWS


def figures_of(columns: list[str], *, rows: int = _ROWS, is_unique: bool = False) -> str:
    """The `stat` of one index over `columns`."""
    left, found = rows, []
    for column in columns:
        left = max(left // _COARSE[column], 1) if column in _COARSE else min(left, _FEW)
        found.append(left)
    if is_unique:
        found[-1] = 1
    return " ".join(str(number) for number in (rows, *found))
