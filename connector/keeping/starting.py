"""Opening the configured database for work: a backup first, where that is going to change its schema."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from connector.clock import Clock
from connector.config import Config
from connector.store.db import Sqlite
from connector.store.migrate import alone, applied, pending
from connector.store.store import Store

LOCK = ".starting"
"""After the name of a database that is a file: whom its processes wait for while one of them changes the schema."""


def open_store(config: Config, clock: Clock, within: float | None = None) -> Store:
    """`within` is how many seconds the check of each file may take (`Store.open`).

    Raises what `Store.open` raises, and what a backup raises: a start that cannot be taken back does not happen
    (`kiitos db upgrade --no-backup` does it all the same).

    Processes that start together wait for the first of them: what it has half made is no older version's.
    """
    with contextlib.closing(_attach(config)) as store:
        if ":memory:" not in config.app.database and _is_older(store):
            with contextlib.closing(_attach(config)) as guard, _first(guard):
                if applied(store.work, "work") and _is_older(store):
                    # Here and not above: sealing and packing cost memory that a start without an upgrade need not pay.
                    from connector.keeping.upgrading import secure

                    secure(store, config, clock)
                return _open(config, within)
    return _open(config, within)


def _attach(config: Config) -> Store:
    return Store.attach(config.app.database, inbox_url=config.app.inbox)


def _open(config: Config, within: float | None) -> Store:
    streamed = config.stream is not None
    return Store.open(config.app.database, inbox_url=config.app.inbox, within=within, streamed=streamed)


def _is_older(store: Store) -> bool:
    return any(pending(*part) for part in ((store.inbox, "inbox"), (store.work, "work")))


@contextlib.contextmanager
def _first(store: Store) -> Iterator[None]:
    """Wait for a process that is upgrading, then be the one."""
    work = store.work
    if not isinstance(work, Sqlite):
        with alone(work):
            yield
        return
    with _locked(work.path.with_name(work.path.name + LOCK)):
        yield


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    if os.name != "posix":  # no flock on Windows: there a service manager starts one after the other
        yield
        return
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
        # Gone again: who waits holds the file by its handle, and who comes later finds nothing to upgrade.
        path.unlink(missing_ok=True)
    finally:
        os.close(handle)
