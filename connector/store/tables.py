"""What a database's own catalogue says of its tables: for what goes over all of them (backup, moving, upgrades)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.store.database import Database, Tx

LEDGER = "schema_ledger"
INBOX = "inbox"

_SQLITE_TABLES = r"""
SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'
  AND name NOT LIKE '\_litestream\_%' ESCAPE '\' ORDER BY name
"""
_SQLITE_COLUMNS = "SELECT name, pk, type FROM pragma_table_info(?) ORDER BY cid"
RESTORING = "kiitos_restoring"
"""A table that stands in a PostgreSQL database while a backup is put back into it, and names that."""
_POSTGRES_TABLES = f"""
SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename <> '{RESTORING}' ORDER BY tablename
"""
_POSTGRES_COLUMNS = """
SELECT a.attname, COALESCE(array_position(i.indkey::int2[], a.attnum), -1) + 1, format_type(a.atttypid, a.atttypmod)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table as its database has it. `key` are the columns of its primary key, in the key's order."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    binary: frozenset[str]

    @property
    def listed(self) -> str:
        """Its columns for a statement; ours are plain lower-case words."""
        return ", ".join(self.columns)


def tables_of(tx: Tx, database: Database) -> list[Table]:
    """Every table of ours, by name; two small ones are Litestream's."""
    listing = _SQLITE_TABLES if database.dialect == "sqlite" else _POSTGRES_TABLES
    return [table_of(tx, database, str(row[0])) for row in tx.fetch(listing)]


def table_of(tx: Tx, database: Database, name: str) -> Table:
    """The table of that name; without columns where there is none."""
    asking = _SQLITE_COLUMNS if database.dialect == "sqlite" else _POSTGRES_COLUMNS
    found = tx.fetch(asking, (name,))
    key = sorted((int(place), str(column)) for column, place, _ in found if int(place) > 0)
    binary = frozenset(str(column) for column, _, kind in found if str(kind).lower() in ("blob", "bytea"))
    return Table(name, tuple(str(column) for column, _, _ in found), tuple(column for _, column in key), binary)


def count_rows(tx: Tx, tables: Sequence[Table]) -> dict[str, int]:
    """How many rows each has."""
    return {table.name: int(tx.fetch(f"SELECT COUNT(*) FROM {table.name}")[0][0]) for table in tables}


def migrations_of(tx: Tx, database: Database) -> dict[str, list[str]]:
    """The migrations a database has had, by component; empty for one of somebody else's."""
    del database
    if not tx.one("ledger_known"):
        return {}
    rows = tx.fetch(f"SELECT component, name FROM {LEDGER} ORDER BY component, name")
    found: dict[str, list[str]] = {}
    for component, name in rows:
        if "/" not in component:  # else which program is old enough for it, and no migration (connector.store.migrate)
            found.setdefault(str(component), []).append(str(name))
    return found
