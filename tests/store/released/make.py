"""Write the fixture of a release: its schema with invented rows, and every statement its program says.

    python -m tests.store.released.make 0.1.0 0018_links

Run once when a version is released, for SQLite and (with KIITOS_TEST_POSTGRES) PostgreSQL; never changed afterwards.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from connector.store.db import Database, Sqlite
from connector.store.migrate import migrate
from connector.store.sql import load_queries
from connector.store.tables import LEDGER, Table, tables_of

HERE = Path(__file__).parent


def invented(table: Table, kinds: dict[str, str], number: int) -> dict[str, object]:
    """A row of values nobody has: texts from the column's name, moments where a column is one."""
    values: dict[str, object] = {}
    for column in table.columns:
        kind = kinds[column].lower()
        if column in table.binary:
            values[column] = f"bytes {number}".encode()
        elif "int" in kind:
            values[column] = number
        elif column.endswith("_at") or column in ("at", "since", "moment"):
            values[column] = f"2026-11-{number:02}T08:00:00.000000Z"
        elif column in ("snapshot", "figures", "segments", "data", "detail", "event", "outcomes", "settings", "result"):
            values[column] = "{}"
        else:
            values[column] = f"{column} {number}"
    return values


def fill(database: Database) -> None:
    """Two rows in every table but the ledger."""
    with database.transaction() as tx:
        for table in tables_of(tx, database):
            if table.name == LEDGER:
                continue
            asked = f"SELECT name, type FROM pragma_table_info('{table.name}')"
            if database.dialect == "postgres":
                asked = (
                    "SELECT column_name, data_type FROM information_schema.columns"
                    f" WHERE table_schema = current_schema() AND table_name = '{table.name}'"
                )
            kinds = {str(name): str(kind) for name, kind in tx.fetch(asked)}
            for number in (1, 2):
                row = invented(table, kinds, number)
                marks = ", ".join(["?" if database.dialect == "sqlite" else "%s"] * len(row))
                tx.script(f"INSERT INTO {table.name} ({', '.join(row)}) VALUES ({marks})", list(row.values()))


def write(release: str, newest: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        parts = []
        for component, until in (("inbox", None), ("work", newest)):
            database = Sqlite(Path(folder) / f"{component}.db")
            migrate(database, component, until=until)
            fill(database)
            database.close()
            with closing(sqlite3.connect(Path(folder) / f"{component}.db")) as raw:
                parts.append("\n".join(raw.iterdump()))
        for component, text in zip(("inbox", "work"), parts, strict=True):
            (HERE / f"{release}.{component}.sqlite.sql").write_text(text + "\n", "utf-8")
    said = {
        dialect: {name: [query.sql, list(query.names)] for name, query in sorted(load_queries(dialect).items())}
        for dialect in ("sqlite", "postgres")
    }
    (HERE / f"{release}.queries.json").write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", "utf-8")
    if url := os.environ.get("KIITOS_TEST_POSTGRES"):
        write_postgres(release, newest, url)


def write_postgres(release: str, newest: str, url: str) -> None:
    import shutil
    import subprocess

    from connector.store.postgres import Postgres

    database = Postgres(url)
    migrate(database, "inbox")
    migrate(database, "work", until=newest)
    fill(database)
    database.close()
    tool = shutil.which("pg_dump")
    assert tool is not None
    done = subprocess.run(
        [tool, "--inserts", "--no-owner", "--no-privileges", f"--dbname={url}"],
        check=True,
        capture_output=True,
        text=True,
    )
    kept = [line for line in done.stdout.splitlines() if not line.startswith(("SET ", "SELECT pg_catalog", "--", "\\"))]
    text = "\n".join(line for line in kept if line).replace("public.", "")
    (HERE / f"{release}.postgres.sql").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    write(*sys.argv[1:3])
