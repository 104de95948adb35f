"""A new SQLite database of a test gets the newest schema as a copy of one that was really migrated in this process.

Thirty migrations cost 50 ms and as many commits, thousands of times in a run. Only where the product migrates a file
that is empty; processes of their own, PostgreSQL and every test of migrations itself do it the product's way.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from connector.store import store as opening
from connector.store.db import Database, Sqlite
from connector.store.migrate import migrate
from connector.store.statistics import keep_statistics

Migrate = Callable[[Database, str], list[str]]


@contextmanager
def copied_schemas() -> Iterator[None]:
    """Within, `Store.open` copies what it would migrate from nothing."""
    with tempfile.TemporaryDirectory(prefix="kiitos-schema-") as folder:
        models: dict[str, Sqlite] = {}

        def copied(database: Database, component: str) -> list[str]:
            if not isinstance(database, Sqlite) or not _is_empty(database):
                return migrate(database, component)
            if component not in models:
                models[component] = model = Sqlite(Path(folder) / f"{component}.db", synchronous="OFF")
                migrate(model, component)
                keep_statistics(model)
            _connection(models[component]).backup(_connection(database))
            return []

        opening.migrate_schema, real = copied, opening.migrate_schema
        try:
            yield
        finally:
            opening.migrate_schema = real
            for model in models.values():
                model.close()


def _is_empty(database: Sqlite) -> bool:
    return not _connection(database).execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()


def _connection(database: Sqlite) -> Any:
    return database._session().connection
