"""How long each migration after the last release takes on a database of a million messages.

    python -m tests.store.million [--rows 1000000] [--database postgresql://...]

SQLite, or an empty PostgreSQL database; the figures of docs/keeping.md. On SQLite no writer gets in while one runs, on
PostgreSQL none to the tables it changes.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from time import monotonic

from connector.store.db import Database, Sqlite
from connector.store.migrate import downgrade, migrate
from connector.store.postgres import Postgres
from connector.store.way_back import files_of

NEWEST = "0018_links"
_NUMBERS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) "


_SERIES = "WITH n (i) AS (SELECT generate_series(1, {rows})) "
_COLUMNS = (
    "SELECT column_name, data_type FROM information_schema.columns"
    " WHERE table_schema = current_schema() AND table_name = '{table}'"
)


def _rest(of: int) -> str:
    """What is left of `i`; a % would be a placeholder on PostgreSQL."""
    return f"(i - i / {of} * {of})"


def fill(database: Database, rows: int) -> None:
    """Runs and effects of ten shops, one each of a million orders; every hundredth is still due."""
    server = database.dialect == "postgres"
    with database.transaction() as tx:
        for table in ("runs", "effects"):
            asked = _COLUMNS if server else "SELECT name, type FROM pragma_table_info('{table}')"
            found = tx.fetch(asked.format(table=table))
            whole = {str(name): "INT" in str(kind).upper() for name, kind in found}
            values = {name: _rest(7) if number else f"'{name} ' || i" for name, number in whole.items()}
            values |= {"shop_id": f"'shop-' || {_rest(10)}"}
            status = "'waiting'" if table == "runs" else f"CASE WHEN {_rest(100)} = 0 THEN 'pending' ELSE 'sent' END"
            values |= {"status": status}
            listed = ", ".join(values)
            chosen = ", ".join(values.values())
            series = (_SERIES if server else _NUMBERS).format(rows=rows)
            tx.script(f"INSERT INTO {table} ({listed}) {series} SELECT {chosen} FROM n")


def _size(database: Database, path: Path) -> int:
    if database.dialect == "sqlite":
        return path.stat().st_size
    with database.read() as tx:
        return int(tx.fetch("SELECT pg_database_size(current_database())")[0][0])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--database", default="", help="An empty PostgreSQL database.")
    asked = parser.parse_args()
    rows = asked.rows
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "work.db"
        database: Database = Postgres(asked.database) if asked.database else Sqlite(path)
        if asked.database:
            migrate(database, "inbox")
        migrate(database, "work", until=NEWEST)
        fill(database, rows)
        print(f"{rows} runs and effects, {_size(database, path) / (1 << 20):.0f} MiB", flush=True)
        for name in (name for name in files_of("work") if name > NEWEST):
            began = monotonic()
            migrate(database, "work", until=name)
            print(f"{name:<24}{monotonic() - began:7.2f} s", flush=True)
        began = monotonic()
        downgrade(database, "work", NEWEST)
        print(f"{'all the way back':<24}{monotonic() - began:7.2f} s")
        database.close()


if __name__ == "__main__":
    main()
