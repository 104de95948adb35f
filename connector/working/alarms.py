"""The worker's part of wake-ups: those that are due become events, and new flows get theirs, a slice at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from connector.app import Kiitos
from connector.errors import StoreUnavailable
from connector.log import get_log
from connector.model import Event
from connector.store import wakeups
from connector.store.db import Tx
from connector.store.wakeups import Wakeup
from connector.working.intake import PARK, again_if_moved
from flows.knowing.subjects import order_name
from flows.triggers import past, ringing

log = get_log("alarms")

RING = 100
"""Wake-ups told in one transaction."""
FAULT_PAUSE = timedelta(hours=1)


class Alarms:
    """One worker's. Costs nothing while no shop has a flow that waits for time."""

    def __init__(self, kiitos: Kiitos) -> None:
        self._kiitos = kiitos
        self._store = kiitos.store
        self._clock = kiitos.clock
        self._planned = False
        self._open = True

    def look_again(self) -> None:
        """The configuration has changed: flows may be new, edited, or switched off."""
        self._planned = False

    def work(self) -> int:
        """Make or remove one slice of wake-ups; 1 where there may be more to do, else 0."""
        if not self._planned:
            self._plan()
        if not self._open:
            return 0
        now = self._clock.now()
        with self._store.work.transaction() as tx:
            arming = wakeups.next_arming(tx)
            if arming is not None:
                past.make_slice(tx, self._kiitos.catalog, arming, now)
        self._open = arming is not None
        return int(self._open)

    def _plan(self) -> None:
        catalog, shop_ids = self._kiitos.catalog, list(self._kiitos.config.shops)
        with self._store.work.read() as tx:
            rows = wakeups.armings(tx)
        if not past.is_planned(rows, catalog, shop_ids):
            with self._store.work.transaction() as tx:
                past.begin(tx, catalog, shop_ids, self._clock.now())
        self._planned = self._open = True

    def ring(self) -> int:
        """Tell what is due; how many were looked at."""
        if not self._kiitos.catalog.all_scheduled:
            return 0
        try:
            return again_if_moved(self._ring)
        except StoreUnavailable:
            raise
        except Exception as error:
            # One of them spoils the batch: the others are told one by one, and it is looked at again later.
            log.exception("wakeups_failed_together", error)
            return self._ring_each()

    def _ring(self) -> int:
        now = self._clock.now()
        with self._store.work.transaction() as tx:
            due = wakeups.due(tx, now, RING)
            self._tell(tx, due, now)
        return len(due)

    def _tell(self, tx: Tx, due: Sequence[Wakeup], now: datetime) -> None:
        by_shop: dict[str, list[Event]] = {}
        for row in due:
            if not self._kiitos.catalog.knows(row.shop_id):
                wakeups.defer(tx, row, now + PARK)
                continue
            # Whoever takes the order in just now may move this very row: it is still there at the next tick.
            if row.order_id and not tx.try_hold(order_name(row.shop_id, row.order_id)):
                continue
            event = ringing.ring(tx, self._kiitos.catalog, row, now)
            if event is not None:
                by_shop.setdefault(row.shop_id, []).append(event)
        for shop_id, events in sorted(by_shop.items()):
            self._kiitos.runner.ingest(tx, shop_id, events, now)

    def _ring_each(self) -> int:
        now = self._clock.now()
        with self._store.work.read() as tx:
            due = wakeups.due(tx, now, RING)
        for row in due:
            try:
                again_if_moved(lambda row=row: self._ring_one(row, now))  # type: ignore[misc]
            except StoreUnavailable:
                raise
            except Exception as error:
                log.exception("wakeup_failed", error, shop_id=row.shop_id, flow_id=row.flow_id)
                with self._store.work.transaction() as tx:
                    wakeups.defer(tx, row, now + FAULT_PAUSE)
        return len(due)

    def _ring_one(self, row: Wakeup, now: datetime) -> None:
        with self._store.work.transaction() as tx:
            found = wakeups.get(tx, row.shop_id, row.flow_id, row.subject)
            if found is not None and found.due_at is not None and found.due_at <= now:
                self._tell(tx, [found], now)
