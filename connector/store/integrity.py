"""What is known about a file's damage. It stands beside the file, because the file itself cannot be trusted with it.

`work.db.damaged` holds the verdict of the check that failed, or of the query that met the damage. While it is there no
worker acts on the file, and whoever opens it next has it checked thoroughly; a file that passes (a restored backup)
loses the mark. `work.db.checks` counts the checks that large files passed beside the work: of the processes that were
started together one reads the file, not each of them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from connector.errors import StoreDamaged
from connector.store.sqlite import Sqlite

ADVICE = "restore a backup; nothing was sent from it"


def mark_of(database: Sqlite) -> Path:
    """Where the verdict stands, if there is one."""
    return database.path.with_name(database.path.name + ".damaged")


def examine(database: Sqlite, within: float | None = None) -> bool:
    """Check before use: quickly, or thoroughly when the file is marked. Raises `StoreDamaged`.

    False when `within` seconds were not enough to check quickly: then nothing is known yet.
    """
    mark = mark_of(database)
    marked = mark.exists()
    verdict = database.integrity_check() if marked else database.quick_check(within)
    if not verdict:
        return False
    if verdict != "ok":
        raise StoreDamaged(f"{database.name} failed its check ({verdict}); {ADVICE}", database=database.name)
    if marked:
        mark.unlink(missing_ok=True)
    return True


def condemn(database: Sqlite, verdict: str) -> None:
    """Mark the file. A disk that takes no mark is no reason to go on: the caller stops by what it knows itself."""
    with contextlib.suppress(OSError):
        mark_of(database).write_text(f"{verdict}\n", encoding="utf-8")


class Turn:
    """One process's turn at reading a large file. Without a place to count in, nothing is known of the others."""

    def __init__(self, counted: BinaryIO | None) -> None:
        self._counted = counted

    def passed(self) -> int:
        """How many checks the file passed, whoever made them."""
        if self._counted is None:
            return 0
        self._counted.seek(0)
        told = self._counted.read(20)
        return int(told) if told.isdigit() else 0

    def add(self) -> None:
        """One more."""
        if self._counted is not None:
            more = self.passed() + 1
            self._counted.seek(0)
            self._counted.write(b"%d" % more)


@contextlib.contextmanager
def turn(database: Sqlite, *, wait: bool = True) -> Iterator[Turn]:
    """Until it ends the others wait; one that dies holds up nobody. Without `wait` only to see the count."""
    path = database.path.with_name(database.path.name + ".checks")
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        yield Turn(None)  # a folder that takes no file: each process reads for itself
        return
    with os.fdopen(handle, "r+b", buffering=0) as counted:
        if wait:
            _lock(handle)
        yield Turn(counted)


def _lock(handle: int) -> None:
    if os.name == "posix":  # no flock on Windows: there each process reads for itself
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX)
