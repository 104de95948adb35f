"""Whether a process can do its work now: the database answers with the schema of this program, the disk has room."""

from __future__ import annotations

import shutil
from pathlib import Path

from connector.errors import KiitosError
from connector.log import get_log
from connector.store.migrate import verify
from connector.store.sqlite import Sqlite
from connector.store.store import Store
from connector.working import standstill

LEAST_FREE = 256 * 1024 * 1024
"""Bytes on the database's disk below which nothing new should be begun (as webhooks.settings.min_free)."""
log = get_log("watching")


def readiness(store: Store, least_free: int = LEAST_FREE) -> dict[str, bool]:
    """The single checks: `database`, `schema`, `released` (neither restored and held, nor being moved), `space`."""
    found = {"database": False, "schema": False, "released": False, "space": has_space(store, least_free)}
    try:
        with store.work.read() as tx:
            found["released"] = standstill.read(tx) is None
        found["database"] = True
        verify(store.work, "work")
        verify(store.inbox, "inbox")
        found["schema"] = True
    except KiitosError as error:
        log.error("not_ready", code=error.code, reason=error.message)
    return found


def has_space(store: Store, least_free: int = LEAST_FREE) -> bool:
    """Whether the disks of SQLite's files have room; a PostgreSQL server sees to its own."""
    folders: set[Path] = {each.path.parent for each in (store.work, store.inbox) if isinstance(each, Sqlite)}
    return all(shutil.disk_usage(folder).free >= least_free for folder in folders)
