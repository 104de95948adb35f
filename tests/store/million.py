"""How long each migration after the last release takes on a database of a million messages.

    python -m tests.store.million [--rows 1000000]

SQLite; the figures of docs/keeping.md. No writer gets in while one runs.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from time import monotonic

from connector.store.db import Sqlite
from connector.store.migrate import downgrade, migrate
from connector.store.way_back import files_of

NEWEST = "0018_links"
_NUMBERS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) "


def fill(database: Sqlite, rows: int) -> None:
    """Runs and effects of ten shops, one each of a million orders; every hundredth is still due."""
    with database.transaction() as tx:
        for table in ("runs", "effects"):
            found = tx.fetch(f"SELECT name, type FROM pragma_table_info('{table}')")
            values = {str(name): "i % 7" if "INT" in str(kind) else f"'{name} ' || i" for name, kind in found}
            values |= {"shop_id": "'shop-' || i % 10"}
            status = "'waiting'" if table == "runs" else "CASE WHEN i % 100 = 0 THEN 'pending' ELSE 'sent' END"
            values |= {"status": status}
            listed = ", ".join(values)
            chosen = ", ".join(values.values())
            tx.script(f"INSERT INTO {table} ({listed}) {_NUMBERS.format(rows=rows)} SELECT {chosen} FROM n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        database = Sqlite(Path(folder) / "work.db")
        migrate(database, "work", until=NEWEST)
        fill(database, rows)
        print(f"{rows} runs and effects, {database.path.stat().st_size / (1 << 20):.0f} MiB")
        for name in (name for name in files_of("work") if name > NEWEST):
            began = monotonic()
            migrate(database, "work", until=name)
            print(f"{name:<24}{monotonic() - began:7.2f} s")
        began = monotonic()
        downgrade(database, "work", NEWEST)
        print(f"{'all the way back':<24}{monotonic() - began:7.2f} s")
        database.close()


if __name__ == "__main__":
    main()
