"""What belongs to no customer and no order: credentials kept alive, merchants told."""

from __future__ import annotations

from datetime import datetime

from connector.app import Kiitos
from connector.notices import Notices
from connector.store import notices, renewals
from connector.store.db import Tx


class Housekeeping:
    """One worker's. Costs one look when nothing is due."""

    def __init__(self, kiitos: Kiitos) -> None:
        self._store = kiitos.store
        self._clock = kiitos.clock
        self._tokens = kiitos.tokens
        self._notices = Notices(kiitos)
        self._adopted = False

    def look_again(self) -> None:
        """The configuration has changed: there may be credentials nobody keeps alive yet."""
        self._adopted = False

    def work(self) -> None:
        """Do what is due. It is never so much that a worker must come back at once."""
        if not self._adopted:
            self._tokens.adopt()
            self._adopted = True
        with self._store.work.read() as tx:
            due = next_due(tx)
        if due is not None and due <= self._clock.now():
            self._tokens.keep_alive()
            self._notices.tell()


def next_due(tx: Tx) -> datetime | None:
    times = (renewals.next_due(tx), notices.next_due(tx))
    return min((at for at in times if at is not None), default=None)
