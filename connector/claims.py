"""Which deliveries a worker of this machine has claimed, so that those of a dead one need not wait for their lease.

A payload that kills the worker takes its batch's neighbours with it: counted as tried, they would wait half a minute
for the lease to end. Each worker therefore keeps one small file beside its ledger (`connector.ledger`), locked while it
lives, with the batch it is at. Whoever finds one that nobody holds any more makes its deliveries due at once. They were
tried, so they are taken one by one, and the deadly one takes nobody along a second time. That one waits for its lease
every time, so that a worker that is started anew is not killed in a circle.

There are ids in it and nothing else. It is written to the page cache: after a power cut the lease decides.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from connector.clock import to_text
from connector.log import get_log
from connector.store import deliveries
from connector.store.deliveries import Claimed
from connector.store.store import Store

if sys.platform != "win32":
    import fcntl

_SUFFIX = ".claims"
_LONGEST = 1 << 20
"""Bytes; a batch of a hundred has five thousand."""
LOOK_AFTER = 2.0
"""Seconds between two looks for dead workers' files."""

log = get_log("claims")


class Claims:
    """One worker's file. Without a folder, or where files cannot be locked, it keeps nothing and finds nothing."""

    def __init__(self, folder: Path | None = None, worker: str = "") -> None:
        self._folder = folder if os.name == "posix" else None
        self._path = self._folder / f"{worker}{_SUFFIX}" if self._folder is not None else None
        self._fd = -1

    def begin(self, batch: Sequence[Claimed], until: datetime) -> None:
        """These are claimed until then. One by itself is not noted: it has no neighbours."""
        if self._folder is None or len(batch) < 2:
            return
        rows = [(item.delivery.shop_id, item.delivery.id) for item in batch]
        text = json.dumps({"until": to_text(until), "claimed": rows})
        try:
            if self._fd < 0:
                self._open(self._folder)
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, text.encode("utf-8"), 0)
        except OSError as error:
            log.error("claims_not_written", folder=str(self._folder), error=type(error).__name__)

    def clear(self) -> None:
        """What is taken together is done; whatever is left is taken alone."""
        if self._fd >= 0:
            with contextlib.suppress(OSError):  # rows that are done are nobody's claim any more
                os.ftruncate(self._fd, 0)

    def close(self) -> None:
        """The worker ends. Idempotent."""
        if self._fd >= 0 and self._path is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = -1

    def release(self, store: Store, now: datetime) -> int:
        """Make due what dead workers of this machine had claimed together; how many deliveries.

        Raises `StoreUnavailable`; then their files stay for the next look."""
        total = 0
        for until, rows in self._left_behind():
            with store.work.transaction() as tx:
                released = sum(deliveries.release(tx, *row, until, now) for row in rows)
            if released:
                log.info("dead_worker_released", deliveries=released)
            total += released
        return total

    def _open(self, folder: Path) -> None:
        assert self._path is not None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        while self._fd < 0:
            opened = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(opened, fcntl.LOCK_EX)
            if os.fstat(opened).st_nlink == 0:  # another took it for a dead one's before it was locked
                os.close(opened)
            else:
                self._fd = opened

    def _left_behind(self) -> Iterator[tuple[str, list[tuple[str, int]]]]:
        """Until when and which, of each file nobody holds; it is removed once the caller asks for the next."""
        if self._folder is None:
            return
        for path in self._folder.glob(f"*{_SUFFIX}"):
            if path == self._path and self._fd >= 0:
                continue
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                found = _parse(file.read(_LONGEST))
                if found is not None:
                    yield found
                path.unlink(missing_ok=True)


def _parse(data: bytes) -> tuple[str, list[tuple[str, int]]] | None:
    """`None` for an empty file, and for one that was cut off in the middle: then the lease decides."""
    try:
        told = json.loads(data.decode("utf-8"))
        return str(told["until"]), [(str(shop_id), int(delivery_id)) for shop_id, delivery_id in told["claimed"]]
    except (ValueError, KeyError, TypeError):
        return None
