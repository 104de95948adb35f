"""Making deliveries durable: one thread, one connection, commits shared by whoever came meanwhile.

The thread is the event loop's where there is one and the inbox is a file: a batch is what came while each turn of the
loop brought something, and nothing is handed from thread to thread (docs/adr/0008). Else it is the writer's own:
PostgreSQL is waited for.

No lingering: a batch is what queued up while the last commit ran, so a lone request waits for one commit and a burst
shares them. On a disk with 2 ms syncs that is 23 times a commit a request (facts/performance.md §1a). Rows leave the
queue one by one with popleft: swapping the list for a new one would lose a row appended between the swap and the
wake-up, and acknowledge it.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable

from connector import tracing
from connector.clock import Clock
from connector.errors import StoreUnavailable
from connector.log import get_log
from connector.metrics import Metrics
from connector.store import inbox
from connector.store.db import Sqlite
from connector.store.inbox import NewDelivery
from connector.store.store import Store
from webhooks.settings import ReceiverSettings

LINGER = 0.002
"""Seconds a batch may grow on an event loop that always finds something to do: an answer is not due sooner on a slow
disk, and on a quick one this much work is worth a commit."""
ROW_OVERHEAD = 512  # headers, keys and index of a row; only the order of magnitude matters

# Called once, in the thread that commits: with True when the row is durable and False when it could not be stored.
Waiter = Callable[[bool], object]
Pending = tuple[NewDelivery, Waiter]

log = get_log("webhooks.writer")


class DeliveryWriter:
    """Stores deliveries in groups. `submit` may be called from any thread; each waiter is called exactly once.

    `committed_bytes` counts the body bytes made durable, for whoever decides about checkpoints; `healthy` is whether
    the last commit succeeded.
    """

    def __init__(self, store: Store, clock: Clock, settings: ReceiverSettings, metrics: Metrics) -> None:
        self._inbox = store.inbox
        self._clock = clock
        self._settings = settings
        self._metrics = metrics
        self._queue: deque[Pending] = deque()
        self._lock = threading.Lock()
        # Held while the thread sleeps, let go by whoever has news for it. A wake-up by an Event takes 18 µs of CPU,
        # by a lock 13, and rows that come one by one need one each.
        self._bell = threading.Lock()
        self._bell.acquire()
        self._asleep = False
        self._rows = 0
        self._bytes = 0
        self._closing = False
        self._autocheckpoint = True
        self._tuned = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._arrivals: Callable[[], int] = lambda: 0
        self.committed_bytes = 0
        self.healthy = True

    @property
    def depth(self) -> int:
        """Rows waiting or being committed."""
        return self._rows

    def submit(self, delivery: NewDelivery, waiter: Waiter) -> bool:
        """Queue a delivery. `False`, and the waiter untouched, when the queue is full or the writer has stopped."""
        size = len(delivery.body) + ROW_OVERHEAD
        with self._lock:
            limits = self._settings
            if self._closing or self._rows >= limits.queue_rows or self._bytes + size > limits.queue_bytes:
                return False
            self._rows += 1
            self._bytes += size
            self._queue.append((delivery, waiter))
            self._ring()
        return True

    def leave_checkpoints(self) -> None:
        """Call before `start`: another thread checkpoints, so this connection must not."""
        self._autocheckpoint = False

    @property
    def shares_loop(self) -> bool:
        """Whether it commits, and calls its waiters, in an event loop's thread."""
        return self._loop is not None

    def start(self, loop: asyncio.AbstractEventLoop | None = None, arrivals: Callable[[], int] = lambda: 0) -> None:
        """Commit in a thread of its own, or in that of the running `loop` if the inbox is a file on this machine.

        `arrivals` is a number that rises whenever a connection or bytes come in: the loop takes new connections one a
        turn, and a commit between each two would be a commit a delivery.
        """
        if loop is not None and isinstance(self._inbox, Sqlite):
            with self._lock:
                self._loop, self._arrivals, self._asleep = loop, arrivals, True
                if self._queue:
                    self._ring()
            return
        self._thread = threading.Thread(target=self._run, name="inbox-writer", daemon=True)
        self._thread.start()

    def close(self, timeout: float = 15.0) -> None:
        """Refuse new rows, commit what is queued, stop. Idempotent; logs when it takes too long. Where it shares an
        event loop, to be called in the loop's thread, or after its end."""
        with self._lock:
            self._closing = True
            self._ring()
        if self._thread is not None:
            self._thread.join(timeout)
            if self._thread.is_alive():
                log.error("writer_still_busy", rows=self._rows)
        elif self._loop is not None:
            while self._queue:
                self._commit(self._take())

    def _ring(self) -> None:
        """Have the queue looked at. The lock must be held."""
        if not self._asleep:
            return
        self._asleep = False
        if self._loop is None:
            self._bell.release()
        elif asyncio._get_running_loop() is self._loop:
            self._loop.call_soon(self._gather, self._loop, -1, self._loop.time())
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._gather, self._loop, -1, self._loop.time())

    def _gather(self, loop: asyncio.AbstractEventLoop, seen: int, began: float) -> None:
        """Commit one batch once a turn of the loop has brought nothing new, then let it see to its other business."""
        arrived = self._arrivals()
        if arrived != seen and len(self._queue) < self._settings.batch_rows and loop.time() - began < LINGER:
            loop.call_soon(self._gather, loop, arrived, began)
            return
        if self._queue:
            self._commit(self._take())
        with self._lock:
            self._asleep = not self._queue
        if not self._asleep:
            loop.call_soon(self._gather, loop, -1, loop.time())

    def _run(self) -> None:
        while True:
            if self._queue:
                self._commit(self._take())
                continue
            with self._lock:  # submit appends under the lock, so nothing can slip in between the two looks
                if self._queue:
                    continue
                if self._closing:
                    return
                self._asleep = True
            self._bell.acquire()

    def _take(self) -> list[Pending]:
        batch: list[Pending] = []
        size = 0
        for _ in range(min(len(self._queue), self._settings.batch_rows)):
            size += len(self._queue[0][0].body) + ROW_OVERHEAD
            if batch and size > self._settings.batch_bytes:
                break
            batch.append(self._queue.popleft())
        return batch

    def _commit(self, batch: list[Pending]) -> None:
        began = self._clock.monotonic()
        if tracing.on():
            _begun(batch)
        try:
            if not self._tuned:
                self._tune()
            inbox.append(self._inbox, [delivery for delivery, _ in batch])
        except Exception as error:  # noqa: BLE001 - every waiter must hear; a dead thread strands them
            self._fail(batch, error)
            return
        self._metrics.commit_seconds.observe(self._clock.monotonic() - began)
        self._metrics.batch_rows.observe(len(batch))
        self.healthy = True
        self._settle(batch, stored=True)

    def _tune(self) -> None:
        if not self._autocheckpoint and isinstance(self._inbox, Sqlite):
            self._inbox.set_autocheckpoint(0)
        self._tuned = True

    def _fail(self, batch: list[Pending], error: Exception) -> None:
        """A store that cannot write fails the whole batch; any other fault is one row's, found by halving."""
        if len(batch) > 1 and not isinstance(error, StoreUnavailable):
            middle = len(batch) // 2
            self._commit(batch[:middle])
            self._commit(batch[middle:])
            return
        self.healthy = not isinstance(error, StoreUnavailable)
        self._metrics.failed_rows.inc(len(batch))
        first = batch[0][0]
        log.exception("not_stored", error, rows=len(batch), shop_id=first.shop_id, topic=first.topic)
        self._settle(batch, stored=False)

    def _settle(self, batch: list[Pending], *, stored: bool) -> None:
        if tracing.on():
            _ended(batch, stored=stored)
        size = sum(len(delivery.body) + ROW_OVERHEAD for delivery, _ in batch)
        with self._lock:
            self._rows -= len(batch)
            self._bytes -= size
        if stored:
            self.committed_bytes += size
        for _, waiter in batch:
            try:
                waiter(stored)
            except Exception as error:  # one client's trouble must not keep the news from the others
                log.exception("waiter_raised", error)


def _begun(batch: list[Pending]) -> None:
    """The spans `store` of deliveries that began a trace."""
    for delivery, _ in batch:
        context = delivery.headers.get(tracing.HEADER, "")
        if context:
            tracing.begin("store", f"store/{context}", context, rows=len(batch))


def _ended(batch: list[Pending], *, stored: bool) -> None:
    for delivery, _ in batch:
        context = delivery.headers.get(tracing.HEADER, "")
        for key in (f"store/{context}", context):
            tracing.end(key, "stored" if stored else "not stored", failed=not stored)
