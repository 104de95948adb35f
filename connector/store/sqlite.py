"""SQLite, opened through sqlite-utils, which prefers `pysqlite3`.

The SQLite of Debian and Ubuntu can lose committed pages when two connections write and checkpoint at once
(promises.md finding 2); `pysqlite3` brings a newer one.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlite_utils
from sqlite_utils.utils import sqlite3 as driver  # type: ignore[attr-defined]

from connector.errors import StoreUnavailable
from connector.store.database import Args, Database, Row, Tx
from connector.store.sql import Query

# Primary result codes (https://sqlite.org/rescode.html) that say "the file cannot be used now", not "the SQL is wrong".
_UNUSABLE = {
    5: "another process holds the write lock",
    6: "a table is locked",
    8: "the file is read-only",
    10: "reading or writing the disk failed",
    11: "the file is damaged: restore a backup",
    13: "the disk is full",
    14: "the file cannot be opened",
    15: "the lock protocol failed",
    26: "this is not a SQLite file",
}

STREAMED_PAGES = 131_072
"""Pages of the log (512 MB) after which our own connections empty it although Litestream should: it is not running, or
the disk would be full. Until then only Litestream does, or it would have to copy the whole file again
(https://litestream.io/tips/#disable-autocheckpoints-for-high-write-load-servers)."""

CHECKED_A_SECOND = 1_000_000_000
"""Bytes that `quick_check` reads a second at best: 0.72 to 0.94 GB of a file in memory (docs/performance.md)."""

_DAMAGED = frozenset({11, 26})
_INTERRUPTED = 9

# Rows of one INSERT. Each number of rows is a prepared statement of its own, of about 1 kB a row.
_ROWS_AT_ONCE = 64


class SqliteTx(Tx):
    def __init__(self, cursor: Any, queries: Mapping[str, Query]) -> None:
        super().__init__(cursor, queries)
        self._columns: dict[str, tuple[str, ...]] = {}

    def all(self, query: str, **args: Any) -> list[Row]:
        if self._waiting:
            self.flush()
        q = self._queries[query]
        cursor = self._cursor.execute(q.sql, q.bind(args))
        names = self._columns.get(query)
        if names is None:
            names = self._columns[query] = tuple(column[0] for column in cursor.description or ())
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def many(self, query: str, rows: Sequence[Args]) -> int:
        if self._waiting:
            self.flush()
        if not rows:
            return 0
        q = self._queries[query]
        if not isinstance(rows[0], tuple):
            rows = [q.bind(row) for row in rows]  # type: ignore[arg-type]
        return int(self._cursor.executemany(q.sql, rows).rowcount)


class Sqlite(Database):
    """A SQLite file in WAL mode. Writing transactions are `BEGIN IMMEDIATE`, durable when they return.

    `busy_timeout` is in seconds: how long to wait for another process's write lock.
    """

    dialect = "sqlite"
    begin_write = "BEGIN IMMEDIATE"  # plain BEGIN fails at once with SQLITE_BUSY_SNAPSHOT on read-modify-write
    begin_read = "BEGIN"

    def __init__(self, path: str | Path, *, busy_timeout: float = 5.0, synchronous: str = "FULL") -> None:
        super().__init__()
        self.path = Path(path)
        self._busy_timeout = busy_timeout
        self._synchronous = synchronous
        self.streamed = False
        """Whether Litestream copies this file, and empties its log (`STREAMED_PAGES`)."""

    @property
    def name(self) -> str:
        return self.path.name

    def open(self) -> sqlite_utils.Database:
        """A new sqlite-utils connection with our settings; the caller closes it. For inspection and backup too."""
        self._create_private()
        raw = driver.connect(
            str(self.path),
            timeout=self._busy_timeout,
            isolation_level=None,
            check_same_thread=False,  # used by one thread; closed by whoever calls close()
            cached_statements=512,
        )
        database = sqlite_utils.Database(raw, execute_plugins=False)
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={self._synchronous}",  # NORMAL loses acknowledged rows at a power cut (promises.md 1)
            "secure_delete=ON",  # erased people leave no trace in free pages (promises.md 12)
            "foreign_keys=ON",
            f"busy_timeout={int(self._busy_timeout * 1000)}",
            "journal_size_limit=67108864",
            *([f"wal_autocheckpoint={STREAMED_PAGES}"] if self.streamed else []),
        ):
            raw.execute(f"PRAGMA {pragma}").fetchall()
        return database

    def _create_private(self) -> None:
        """Put a missing file in place, readable by its owner only: it will hold people. SQLite gives -wal and -shm its
        mode (https://sqlite.org/src/file/src/os_unix.c, findCreateFileMode). What exists keeps the operator's.

        It arrives in WAL mode: of processes that turn a new file to WAL together one is told "locked", without a wait.
        """
        if self.path.exists():
            return
        with contextlib.suppress(OSError):  # SQLite says better what is wrong with the place
            handle, draft = tempfile.mkstemp(prefix=f".{self.name}-", dir=self.path.parent)  # mode 0600
            os.close(handle)
            try:
                with contextlib.closing(driver.connect(draft)) as raw:
                    raw.execute("PRAGMA journal_mode=WAL").fetchall()
                self._put_in_place(draft)
            finally:
                Path(draft).unlink()

    def _put_in_place(self, draft: str) -> None:
        try:
            os.link(draft, self.path)
        except FileExistsError:
            return  # another process was first, and its file is as good
        except OSError:  # a file system without links: private at least
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))

    def _connect(self) -> tuple[Any, Any]:
        connection = self.open().conn
        return connection, connection.cursor()

    def _tx(self, cursor: Any, queries: Mapping[str, Query]) -> Tx:
        return SqliteTx(cursor, queries)

    def append(self, query: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """One statement, which is its own transaction. The driver lets go of the interpreter's lock at every step, and
        each time a thread busy with requests takes it for a whole turn: BEGIN, a step a row and COMMIT made a commit
        under load last several times as long as the disk needs.
        """
        statement = self.queries[query].of_rows(len(rows)) if 0 < len(rows) <= _ROWS_AT_ONCE else None
        if statement is None:
            super().append(query, rows)
            return
        with self._within("", writing=True) as tx:
            tx.script(statement, [value for row in rows for value in row])

    def _fault(self, error: BaseException) -> str | None:
        if _garbled(error):
            return _UNUSABLE[11]
        if isinstance(error, driver.IntegrityError) and str(error).startswith("moved:"):
            return str(error)  # a frozen database's triggers (connector.store.moving)
        return _UNUSABLE.get(_code(error))

    def _damaged(self, error: BaseException) -> bool:
        return _garbled(error) or _code(error) in _DAMAGED

    def checkpoint(self, mode: str = "PASSIVE") -> int:
        """PASSIVE never waits; RESTART and TRUNCATE wait for readers up to the busy timeout."""
        row = self._session().connection.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
        return max(0, int(row[1]) - int(row[2]))

    def scrub(self) -> bool:
        """Empty the write-ahead log: deleted bytes are overwritten in the file (secure_delete), not in the log.

        Not where Litestream does: it reads all the time, and its copy keeps what was for as long as it is told to.
        """
        if self.streamed:
            self.checkpoint("PASSIVE")
            return True
        row = self._session().connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return int(row[0]) == 0

    def set_autocheckpoint(self, pages: int) -> None:
        """For this thread's connection: 0 leaves checkpoints to another thread (performance.md section 6)."""
        self._session().connection.execute(f"PRAGMA wal_autocheckpoint={int(pages)}").fetchall()

    @property
    def temporary(self) -> bool:
        """Whether nobody expects to find it again: it is never synced."""
        return self._synchronous == "OFF"

    def quick_check(self, within: float | None = None) -> str:
        """`ok`, or the first fault found in the file; empty when `within` seconds are not enough to say."""
        if within is not None and self.path.stat().st_size > within * CHECKED_A_SECOND:
            return ""  # it would be cut off: those seconds are for whoever waits for the first answer
        return self._check("quick_check", within)

    def integrity_check(self, within: float | None = None) -> str:
        """The same, and each index against its table. Takes ten times as long: 2.7 s for 200 MB."""
        return self._check("integrity_check", within)

    def _check(self, pragma: str, within: float | None) -> str:
        if within is None:
            return self._verdict(pragma)
        timer = threading.Timer(within, self._session().connection.interrupt)
        timer.daemon = True
        timer.start()
        try:
            return self._verdict(pragma)
        finally:
            timer.cancel()
            timer.join()  # one that is late must not interrupt the next statement

    def _verdict(self, pragma: str) -> str:
        try:
            row = self._session().connection.execute(f"PRAGMA {pragma}(1)").fetchone()
        except StoreUnavailable as error:
            return error.message.removeprefix(f"{self.name}: ")
        except (driver.DatabaseError, UnicodeDecodeError) as error:
            if _code(error) == _INTERRUPTED:
                return ""
            return self._fault(error) or str(error)
        return " ".join(str(row[0]).split())


def _code(error: BaseException) -> int:
    """The primary result code, 0 for what is no error of the driver's."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF if isinstance(error, driver.DatabaseError) else 0


def _garbled(error: BaseException) -> bool:
    """Whether the driver could not read a text as text, in the schema or in a row. It tells so without a code."""
    if isinstance(error, UnicodeDecodeError):
        return error.object.startswith(b"malformed database schema")
    return isinstance(error, driver.OperationalError) and str(error).startswith("Could not decode to UTF-8")


def sqlite_library() -> tuple[str, bool]:
    """The SQLite in use and whether it is free of the WAL-reset bug (fixed in 3.51.3, 3.50.7 and 3.44.6)."""
    version = driver.sqlite_version_info
    safe = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return driver.sqlite_version, safe
