"""How many orders a look back has before it, counted beside it: on ten million of them a count alone takes 20 s."""

from __future__ import annotations

from datetime import datetime

from connector.store import buyers
from connector.store.store import Store

STRETCHES = 400
"""Parts of the shop's time, each counted in a read of its own: 25,000 orders each where there are ten million."""
AT_ONCE = 20_000
"""Orders counted before the look goes on: 40 ms from a cold disk. A shop with fewer is counted when first asked."""


class Census:
    """The number of orders before `until`, got to know a part at a time."""

    def __init__(self, store: Store, shop_id: str, until: datetime) -> None:
        self._store = store
        self._shop_id = shop_id
        self._until = until
        self._edges: list[datetime] | None = None
        self._counted = 0

    def total(self) -> int | None:
        """Counts on, and gives the number once it is whole; None until then."""
        with self._store.work.read() as tx:
            if self._edges is None:
                self._edges = _edges(buyers.earliest(tx, self._shop_id), self._until)
            enough = self._counted + AT_ONCE
            while len(self._edges) > 1 and self._counted < enough:
                until = self._edges.pop()
                self._counted += buyers.count(tx, self._shop_id, self._edges[-1], until)
        return None if len(self._edges) > 1 else self._counted


def _edges(first: datetime | None, until: datetime) -> list[datetime]:
    """Moments that part the time from the first order until `until`; empty where there is none."""
    if first is None or first >= until:
        return []
    step = (until - first) / STRETCHES
    return [*(first + step * number for number in range(STRETCHES)), until]
