"""What is known about a file's damage. It stands beside the file, because the file itself cannot be trusted with it.

`work.db.damaged` holds the verdict of the check that failed, or of the query that met the damage. While it is there no
worker acts on the file, and whoever opens it next has it checked thoroughly; a file that passes (a restored backup)
loses the mark.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

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
