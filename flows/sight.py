"""What one ingest has read of orders, people and runs."""

from __future__ import annotations

from connector.model import Event, Ref, Run, Shop
from connector.store import runs
from connector.store.db import Tx
from flows.situation import Situation, look


class Sight:
    """Kept while one delivery is taken in, so that its events do not ask the same things again."""

    def __init__(self, tx: Tx, shop: Shop) -> None:
        self._tx = tx
        self.shop = shop
        self._seen: dict[tuple[str | None, str | None], Situation] = {}
        self._idle: set[str] = set()
        self._entries: dict[tuple[str, str], Run] = {}

    def of(self, order_id: str | None, customer_id: str | None = None) -> Situation:
        key = (order_id, None if order_id else customer_id)
        if key not in self._seen:
            self._seen[key] = look(self._tx, self.shop, order_id, customer_id)
        return self._seen[key]

    def forget(self, order_id: str | None) -> None:
        """Look again: a programme has written something about the order."""
        self._seen.pop((order_id, None), None)

    def active(self, event: Event) -> list[Run]:
        """The runs an event may cancel or resume, read anew each time unless the order is known to have none."""
        if event.order_id is not None and event.order_id in self._idle:
            return []
        found = runs.active(
            self._tx,
            self.shop.id,
            order_id=event.order_id,
            subject=event.subject,
            email_key=event.subject.id if event.subject.kind == "person" else None,
            customer_id=event.customer_id if event.order_id is None else None,
        )
        if not found and event.order_id is not None:
            self._idle.add(event.order_id)
        return found

    def entry(self, flow_id: str, key: str, subject: Ref) -> Run | None:
        """The run that entered under this key, if any. One this ingest started may have moved since: ask `runs`."""
        order_id = subject.id if subject.kind == "order" else None
        return self._entries.get((flow_id, key)) or runs.by_entry(self._tx, self.shop.id, flow_id, key, order_id)

    def started(self, run: Run) -> None:
        self._entries[run.flow_id, run.entry_key] = run
        if run.order_id is not None:
            self._idle.discard(run.order_id)
