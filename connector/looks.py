"""The worker's part of the programmes: looks at those whom time alone may have changed (points released or lapsed, a
period or a grace that ends, a birthday). Due rows of an index; nothing is scanned."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from connector.app import Kiitos
from connector.errors import StoreUnavailable
from connector.intake import PARK, again_if_moved
from connector.log import get_log
from connector.store import accounts
from connector.store.accounts import MemberRow
from connector.store.db import Tx

log = get_log("looks")

LOOKS = 50
"""People looked at in one transaction."""
FAULT_PAUSE = timedelta(hours=1)


class Looks:
    """One worker's. Costs one look at an index where nobody owns anything."""

    def __init__(self, kiitos: Kiitos) -> None:
        self._kiitos = kiitos
        self._store = kiitos.store
        self._clock = kiitos.clock

    def next_due(self, tx: Tx) -> datetime | None:
        return accounts.next_due(tx)

    def work(self) -> int:
        """Look at a batch of those who are due; how many."""
        now = self._clock.now()
        with self._store.work.read() as tx:
            first = accounts.next_due(tx)
        if first is None or first > now:
            return 0
        try:
            return again_if_moved(lambda: self._look(LOOKS))
        except StoreUnavailable:
            raise
        except Exception as error:
            # One of them spoils the batch: the others are looked at one by one, and they are set aside for an hour.
            log.exception("looks_failed_together", error)
            return self._look_at_each()

    def _look(self, limit: int) -> int:
        now = self._clock.now()
        with self._store.work.transaction() as tx:
            due = accounts.due(tx, now, limit)
            for row in due:
                self._look_at(tx, row, now)
        return len(due)

    def _look_at(self, tx: Tx, row: MemberRow, now: datetime) -> None:
        if not self._kiitos.catalog.knows(row.shop_id):
            accounts.put_member(tx, replace(row, look_at=now + PARK))
            return
        events = self._kiitos.runner.loyalty.look(tx, row, now)
        if events:
            self._kiitos.runner.ingest(tx, row.shop_id, events, now)

    def _look_at_each(self) -> int:
        count = 0
        for _ in range(LOOKS):
            try:
                if not again_if_moved(lambda: self._look(1)):
                    break
            except StoreUnavailable:
                raise
            except Exception as error:
                now = self._clock.now()
                with self._store.work.transaction() as tx:
                    for row in accounts.due(tx, now, 1):
                        log.exception("look_failed", error, shop_id=row.shop_id)
                        accounts.put_member(tx, replace(row, look_at=now + FAULT_PAUSE))
            count += 1
        return count
