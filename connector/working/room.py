"""A worker stops before it claims when its disk is nearly full (promise R11).

What was sent must be written down. A batch that is begun while there is room and ends when there is none would leave
messages that nobody knows to be sent. So nothing is begun below `LEAST`, and work goes on by itself when there is room.
"""

from __future__ import annotations

import shutil

from connector.log import get_log
from connector.store.store import Store

LEAST = 32 * 1024 * 1024
"""Bytes: a batch of a hundred large messages, once in the write-ahead log and once in the file."""

log = get_log("room")


class Room:
    """One worker's. `enough()` before each tick."""

    def __init__(self, store: Store, least: int = LEAST) -> None:
        self._folders = [database.path.parent for database in store.files() if not database.temporary]
        self._least = least
        self._low = False

    def enough(self) -> bool:
        """Whether there is room to write down what would be done now. PostgreSQL's disk is not asked."""
        free = min((shutil.disk_usage(folder).free for folder in self._folders), default=self._least)
        if (free < self._least) is not self._low:
            self._low = not self._low
            if self._low:
                log.error("disk_nearly_full", free_bytes=free, needed_bytes=self._least, act="make room on the disk")
            else:
                log.warning("disk_has_room_again", free_bytes=free)
        return not self._low
