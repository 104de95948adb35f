"""Once a day everything that is kept no longer goes, in small pieces. How long what is kept: `[app.retention]`.

A worker that dies in a pass begins it anew: pages that were done are found done.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from connector.app import Kiitos
from connector.clock import from_text, to_text
from connector.config.referrals import LONGEST_WINDOW
from connector.log import get_log
from connector.store import keeping, meta, restored, shops

EVERY = timedelta(hours=20)
"""Between the beginnings of two passes: a worker that is restarted each night still keeps to a day."""
LOOK = 600.0
"""Seconds between two looks whether a pass is due."""
SLICE = 0.1
"""Seconds of one piece of a pass, after which others have their turn at the database."""
VISITS = LONGEST_WINDOW
"""How long a friend's visit may lead to an order at most."""
NO_STATE = 2**62
"""Above every state's number."""
_BEGAN = "retention/began"

log = get_log("retention")


class Retention:
    """One worker's. `work()` does a piece; `True` when there is more to do."""

    def __init__(self, kiitos: Kiitos) -> None:
        self._kiitos = kiitos
        self._store = kiitos.store
        self._clock = kiitos.clock
        self._pass: Iterator[None] | None = None

    def work(self) -> bool:
        if self._pass is None:
            if not self._is_due():
                return False
            self._pass = self._pieces(self._clock.now())
        began = self._clock.monotonic()
        for _ in self._pass:
            if self._clock.monotonic() - began >= SLICE:
                return True
        self._pass = None
        log.info("retention_done")
        return False

    def _is_due(self) -> bool:
        now = self._clock.now()
        with self._store.work.transaction() as tx:
            last = meta.get(tx, _BEGAN)
            if last is not None and timedelta() <= now - from_text(last) < EVERY:
                return False
            meta.put(tx, _BEGAN, to_text(now), now)
        return True

    def _pieces(self, now: datetime) -> Iterator[None]:
        """Everything, a page between two stops."""
        keep = self._kiitos.config.app.seeing.retention
        if keep.webhooks is not None:
            place: int | None = 0
            while place is not None:
                place = keeping.webhooks(self._store, now - keep.webhooks, place)
                yield
        with self._store.work.transaction() as tx:
            # As long as the send ledger itself: what left before a restore was due before it, so its turn has come.
            restored.prune(tx, now - self._kiitos.config.backup.ledger_keep)
            names = [shop.id for shop in shops.all(tx)]
        for shop_id in names:
            yield from self._of_shop(shop_id, now)

    def _of_shop(self, shop_id: str, now: datetime) -> Iterator[None]:
        keep, store = self._kiitos.config.app.seeing.retention, self._store
        if keep.messages is not None:
            at: str | None = ""
            while at is not None:
                at = keeping.messages(store, shop_id, now - keep.messages, at)
                yield
            at = ""
            while at is not None:
                at = keeping.subjects(store, shop_id, now - keep.messages, at)
                yield
        if keep.events is not None:
            key: str | None = ""
            while key is not None:
                key = keeping.events(store, shop_id, now - keep.events, key)
                yield
            # Whom a longer rest is promised is spared the question as long; of a shop in no file nobody is asked.
            known = self._kiitos.config.shops.get(shop_id)
            rest = max(keep.events, known.reviews.again_after if known else timedelta())
            ask: str | None = ""
            while ask is not None:
                ask = keeping.review_asks(store, shop_id, now - rest, ask)
                yield
        if keep.ip is not None:
            seq: int | None = -1
            while seq is not None:
                seq = keeping.addresses(store, shop_id, now - keep.ip, seq)
                yield
        while keeping.visits(store, shop_id, now - keep.ip if keep.ip is not None else None, now - VISITS):
            yield
        if keep.audit is not None:
            while keeping.audit(store, shop_id, now - keep.audit):
                yield
            below: int | None = NO_STATE
            while below is not None:
                below = keeping.states(store, shop_id, now - keep.audit, below)
                yield
        if keep.photos is not None:
            while keeping.case_photos(store, shop_id, now - keep.photos):
                yield
        if keep.traces is not None:
            while keeping.traces(store, shop_id, now - keep.traces):
                yield
