"""Checkpoints of the inbox's write-ahead log, beside the writer instead of inside its commits.

With SQLite's own autocheckpoint every thousandth page makes one commit pay for all: p99 of 28 to 35 ms instead of 7
(facts/performance.md §1 finding 4). PASSIVE never waits for anybody but never empties the log either while commits keep
coming, so above a cap, and when nothing is happening, RESTART does.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from connector.clock import Clock
from connector.log import get_log
from connector.metrics import Metrics
from connector.store.db import Sqlite, sqlite_library
from connector.store.store import Store
from webhooks.settings import ReceiverSettings
from webhooks.writer import DeliveryWriter

READER_PATIENCE_MS = 100
BLOCKED_PAUSE = 1.0

log = get_log("webhooks.checkpoint")


class Checkpointer:
    """A thread on SQLite, nothing on PostgreSQL.

    Nothing either on a SQLite library with the WAL-reset bug (promises.md finding 2): there the writer keeps its
    autocheckpoint, so that one connection both writes and checkpoints; and nothing where Litestream empties the log.
    `path` is the inbox's file, if it is one.
    """

    def __init__(
        self, store: Store, writer: DeliveryWriter, clock: Clock, settings: ReceiverSettings, metrics: Metrics
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._settings = settings
        self._metrics = metrics
        self._database = store.inbox if isinstance(store.inbox, Sqlite) else None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._connection: Any = None
        self._seen = 0
        self._done = 0
        self.path: Path | None = self._database.path if self._database else None

    def start(self) -> None:
        """Start the thread where one is needed."""
        if self._database is None or self._database.streamed:
            return
        version, safe = sqlite_library()
        if not safe:
            log.warning("old_sqlite", version=version, advice="install pysqlite3: checkpoints stay in the writer")
            return
        self._writer.leave_checkpoints()
        self._thread = threading.Thread(target=self._run, name="inbox-checkpoints", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop after a last checkpoint, so that a backup or a restart finds a short log. Idempotent."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=15)

    def wal_bytes(self) -> int:
        """The size of the log's file: its highest mark since it was last cut."""
        if self.path is None:
            return 0
        try:
            return self.path.with_name(self.path.name + "-wal").stat().st_size
        except FileNotFoundError:
            return 0

    def _run(self) -> None:
        pause = self._settings.checkpoint_interval
        while not self._stop.wait(pause):
            mode = self._due()
            done = self._checkpoint(mode) if mode else True
            pause = self._settings.checkpoint_interval if done else BLOCKED_PAUSE
        self._checkpoint("PASSIVE")
        if self._connection is not None:
            self._connection.close()

    def _due(self) -> str:
        committed = self._writer.committed_bytes
        idle, self._seen = committed == self._seen, committed
        waiting = committed - self._done
        if not waiting:
            return ""
        if self.wal_bytes() > self._settings.wal_cap:
            return "RESTART"
        if waiting >= self._settings.checkpoint_bytes:
            return "RESTART" if idle else "PASSIVE"
        return ""

    def _checkpoint(self, mode: str) -> bool:
        """Whether it came as far as its mode can. A fault is logged: a full disk must not end the thread that will be
        needed after it."""
        began, committed = self._clock.monotonic(), self._writer.committed_bytes
        try:
            busy = self._execute(f"wal_checkpoint({mode})")
        except Exception as error:
            log.exception("checkpoint_failed", error, mode=mode)
            return False
        self._metrics.checkpoint_seconds.labels(mode).observe(self._clock.monotonic() - began)
        if not busy:
            self._done = committed
        return not busy

    def _execute(self, pragma: str) -> bool:
        if self._connection is None:
            assert self._database is not None
            self._connection = self._database.open()
            # RESTART keeps the write lock while it waits for readers: a backup must not stop the receiver.
            self._connection.conn.execute(f"PRAGMA busy_timeout={READER_PATIENCE_MS}").fetchall()
        return bool(self._connection.conn.execute(f"PRAGMA {pragma}").fetchone()[0])
