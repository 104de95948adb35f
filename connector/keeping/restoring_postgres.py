"""A backup of a PostgreSQL store put back into an empty database."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from connector.clock import Clock
from connector.config import Config
from connector.errors import ConfigError
from connector.keeping.backup import opened
from connector.keeping.restoring import Outcome, known_here, take_in
from connector.log import get_log
from connector.secrets import Vault
from connector.store.postgres import Postgres
from connector.store.postgres_snapshots import put_back, read_only, require_empty
from connector.store.store import Store

log = get_log("restore")


def restore_postgres(config: Config, clock: Clock, name: str, vault: Vault, folders: Sequence[Path]) -> Outcome:
    """See `connector.keeping.restoring.restore`. The database is read-only for everybody else until it is held."""
    with (
        contextlib.closing(Postgres(config.app.database)) as database,
        opened(config.backup, name, Path(tempfile.gettempdir())) as (manifest, content),
    ):
        if manifest.dialect != "postgres":
            raise ConfigError(
                "this is a backup of a SQLite installation; restore it there and move it: kiitos db copy",
                where="app.database",
            )
        known_here(manifest)
        require_empty(database)
        with read_only(database, manifest.name) as ours:
            put_back(ours, content, dict(manifest.migrations), shutil.which("pg_restore"))
            store = Store(ours, ours)
            store.bring_up()
            told = take_in(store, vault, clock, manifest.name, manifest.taken_at, folders, config.ledger_keep)
    log.warning("restored", backup=manifest.name, **told.counts, gaps=list(told.gaps))
    return Outcome(manifest=manifest, **told.counts, gaps=told.gaps, at=told.at, inbox="the backup's", aside=())
