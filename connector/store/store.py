"""The store: the working database and the inbox beside it."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path

from connector.errors import ConfigError
from connector.store import integrity
from connector.store.db import Database, Sqlite
from connector.store.migrate import migrate as migrate_schema
from connector.store.migrate import verify
from connector.store.statistics import keep_statistics


class Store:
    """Two databases: `inbox` (the receiver appends) and `work` (everything else).

    On SQLite they are two files, so that receiver and worker never wait for one another's write lock. On PostgreSQL
    both are the same database, so that a delivery and its place in the queue commit together.
    """

    def __init__(self, work: Database, inbox: Database) -> None:
        self.work = work
        self.inbox = inbox
        self.dialect = work.dialect
        self.unchecked: list[Sqlite] = []

    @classmethod
    def open(
        cls,
        url: str,
        *,
        inbox_url: str | None = None,
        migrate: bool = True,
        check: bool = True,
        within: float | None = None,
        streamed: bool = False,
    ) -> Store:
        """Open by URL: `sqlite:///var/work.db`, `sqlite:////absolute/work.db`, `postgresql://...`, or
        `sqlite://:memory:` (temporary files that vanish with the store; for tests).

        `check` runs SQLite's `quick_check` on existing files; where `within` seconds are not enough for one, it is
        left in `unchecked`, for `connector.working.integrity.check_the_rest`. `streamed`: Litestream empties the logs.
        Without `migrate` the schema must be current. Raises `StoreUnavailable` for a damaged or unusable database,
        `ConfigError` for an unknown URL or a schema of another version.
        """
        store = cls.attach(url, inbox_url=inbox_url)
        if streamed:
            store.leave_logs()
        try:
            if store.dialect == "postgres":
                from connector.store.postgres_snapshots import require_whole

                require_whole(store.work)  # type: ignore[arg-type]
            store._prepare(migrate=migrate, check=check, within=within)
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def attach(cls, url: str, *, inbox_url: str | None = None) -> Store:
        """`open` without looking at what is there: for those who look themselves (`kiitos db`)."""
        if url.startswith(("postgresql://", "postgres://")):
            if inbox_url is not None:
                raise ConfigError("with PostgreSQL the inbox lives in the same database; remove the inbox address")
            # Here and not above: the driver costs 70 ms and 5 MB that an installation on SQLite need not pay.
            from connector.store.postgres import Postgres

            store = cls(Postgres(url), Postgres(url))
        elif url in ("sqlite://:memory:", "sqlite:///:memory:"):
            store = cls._temporary()
        else:
            path = _path(url)
            store = cls(Sqlite(path), Sqlite(_path(inbox_url) if inbox_url else path.with_name("inbox.db")))
        return store

    @classmethod
    def _temporary(cls) -> Store:
        folder = Path(tempfile.mkdtemp(prefix="kiitos-"))
        store = cls(*(Sqlite(folder / name, synchronous="OFF") for name in ("work.db", "inbox.db")))
        weakref.finalize(store, shutil.rmtree, folder, ignore_errors=True)
        return store

    def _prepare(self, *, migrate: bool, check: bool, within: float | None = None) -> None:
        for database in self.files():
            if check and database.path.exists() and not integrity.examine(database, within):
                self.unchecked.append(database)
        act = migrate_schema if migrate else verify
        act(self.inbox, "inbox")
        act(self.work, "work")
        if migrate:
            for database in self.files():
                keep_statistics(database)
        if isinstance(self.inbox, Sqlite):
            self._align_inbox()

    def files(self) -> list[Sqlite]:
        """The databases that are files; none on PostgreSQL."""
        return [database for database in (self.work, self.inbox) if isinstance(database, Sqlite)]

    def leave_logs(self) -> None:
        """Litestream empties the write-ahead logs: for connections that are opened from now on."""
        for database in self.files():
            database.streamed = True

    def bring_up(self) -> None:
        """Migrate both to this program's schema."""
        self._prepare(migrate=True, check=False)

    def _align_inbox(self) -> None:
        """Never hand out ids again that the worker has passed, should an older copy of the inbox be restored alone."""
        with self.work.read() as tx:
            row = tx.one("cursor_get")
        if row is not None:
            with self.inbox.transaction() as tx:
                tx.run("inbox_align", last_id=row["last_id"])

    def close(self) -> None:
        """Close all connections of all threads."""
        self.work.close()
        self.inbox.close()


def _path(url: str) -> Path:
    prefix = "sqlite:///"
    if not url.startswith(prefix) or len(url) == len(prefix):
        raise ConfigError(
            "a database address starts with sqlite:/// or postgresql://, for example sqlite:///var/work.db"
        )
    path = Path(url.removeprefix(prefix))
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"the folder {path.parent} cannot be made ({error.strerror})", where=url) from error
    return path
