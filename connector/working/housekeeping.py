"""What runs beside the flows: credentials kept alive, merchants told, clicks judged."""

from __future__ import annotations

from datetime import datetime

from connector.app import Kiitos
from connector.store import connecting, notices, renewals
from connector.store.db import Tx
from connector.working.judging import Judge
from connector.working.judging import next_due as judging_due
from connector.working.notices import Notices

SWEEP_EVERY = 600.0
"""Seconds between two looks for attempts to connect that ran out."""


class Housekeeping:
    """One worker's. Costs one look when nothing is due."""

    def __init__(self, kiitos: Kiitos) -> None:
        self._store = kiitos.store
        self._clock = kiitos.clock
        self._tokens = kiitos.tokens
        self._notices = Notices(kiitos)
        self._judge = Judge(kiitos)
        self._adopted = False
        self._sweep_at = float("-inf")

    def look_again(self) -> None:
        """The configuration has changed: there may be credentials nobody keeps alive yet."""
        self._adopted = False

    def work(self) -> None:
        """Do what is due. It is never so much that a worker must come back at once."""
        if self._clock.monotonic() >= self._sweep_at:
            self._sweep()
        if not self._adopted:
            self._tokens.adopt()
            self._adopted = True
        with self._store.work.read() as tx:
            due = next_due(tx)
        if due is not None and due <= self._clock.now():
            self._tokens.keep_alive()
            self._notices.tell()
            self._judge.work()

    def _sweep(self) -> None:
        """Keys that a platform brought for an attempt nobody came back to are not kept any longer than it lasts."""
        self._sweep_at = self._clock.monotonic() + SWEEP_EVERY
        with self._store.work.transaction() as tx:
            connecting.sweep(tx, self._clock.now())


def next_due(tx: Tx) -> datetime | None:
    times = (renewals.next_due(tx), notices.next_due(tx), judging_due(tx))
    return min((at for at in times if at is not None), default=None)
