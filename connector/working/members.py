"""The worker's part of the programmes: looks at those whom time alone may have changed (points released or lapsed, a
period or a grace that ends, a birthday). Due rows of an index; nothing is scanned."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from connector.app import Kiitos
from connector.config.perks import Perk
from connector.errors import StoreUnavailable
from connector.log import get_log
from connector.store import accounts, perks
from connector.store.accounts import MemberRow
from connector.store.db import Tx
from connector.working.intake import PARK, again_if_moved

log = get_log("members")

LOOKS = 50
"""People looked at in one transaction."""
FAULT_PAUSE = timedelta(hours=1)


class MemberLooks:
    """One worker's. Costs one look at an index where nobody owns anything."""

    def __init__(self, kiitos: Kiitos) -> None:
        self._kiitos = kiitos
        self._store = kiitos.store
        self._clock = kiitos.clock
        self._catalog: object = None
        self._perks: list[tuple[str, Perk]] = []

    def next_due(self, tx: Tx) -> datetime | None:
        begins = (perk.begins for _, perk in self._coming())
        return min(filter(None, (accounts.next_due(tx), *begins)), default=None)

    def _coming(self) -> list[tuple[str, Perk]]:
        """Perks that have not begun, or that nobody of this process has seen begin yet."""
        catalog = self._kiitos.catalog
        if self._catalog is not catalog:
            self._catalog = catalog
            shops = self._kiitos.config.shops.items()
            self._perks = [(shop_id, perk) for shop_id, shop in shops for perk in shop.loyalty.perks]
        return self._perks

    def _open_perks(self) -> None:
        """What has begun is looked at by everybody's row, once; what is over by nobody's."""
        now = self._clock.now()
        for shop_id, perk in [each for each in self._coming() if each[1].begins <= now]:
            if now < perk.over and self._kiitos.catalog.knows(shop_id):
                with self._store.work.transaction() as tx:
                    if not perks.is_open(tx, shop_id, perk.name, perk.begins):
                        perks.open_once(tx, shop_id, perk.name, perk.begins, now)
            self._perks.remove((shop_id, perk))

    def work(self) -> int:
        """Look at a batch of those who are due; how many."""
        self._open_perks()
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
