"""How complete we are: the shop's orders of the last days against ours, how each came, and how late."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from connector.app import Kiitos
from connector.contracts import ListsOrders
from connector.errors import ConfigError, Unsupported
from connector.reconciliation.taking_in import chunks
from connector.store import jobs, recoveries
from connector.store.db import Tx
from connector.store.recoveries import Arrival

SETTLE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """The window's orders. Delays are in seconds, from placing to our knowing; `missing` are ids, the first 100."""

    shop_id: str
    since: datetime
    until: datetime
    in_shop: int
    by_webhook: int
    by_poll: int
    by_sweep: int
    missing: tuple[str, ...]
    missing_count: int
    deleted_in_shop: int
    median_delay: float | None
    worst_delay: float | None


def measure(kiitos: Kiitos, shop_id: str, days: float = 7.0) -> Completeness:
    """Ask the shop for its orders and compare. Orders from before it was connected are the back-fill's, not counted.

    Raises `ConfigError` for an unknown shop, `Unsupported` when the platform cannot list orders, `Transient`,
    `AuthExpired`.
    """
    settings = kiitos.catalog.settings(shop_id)
    adapter = kiitos.registry.platform(settings.shop.platform)
    if not isinstance(adapter, ListsOrders):
        raise Unsupported(f"{settings.shop.platform} cannot list a shop's orders")
    now = kiitos.clock.now()
    with kiitos.store.work.read() as tx:
        polled = jobs.get(tx, shop_id, "poll")
    if polled is None:
        raise ConfigError(f"shop '{shop_id}' was never polled; start the worker once")
    since, until = max(now - timedelta(days=days), polled.created_at), now - SETTLE
    listed = _listed(kiitos, adapter, shop_id, since, until) if since < until else set()
    with kiitos.store.work.read() as tx:
        came = {one.order_id: one for one in recoveries.arrivals(tx, shop_id, since - SETTLE, until)}
        have = _have(tx, shop_id, listed)
    return _compared(shop_id, since, until, listed, came, have)


def _listed(kiitos: Kiitos, adapter: ListsOrders, shop_id: str, since: datetime, until: datetime) -> set[str]:
    access = kiitos.access(kiitos.catalog.settings(shop_id))
    found: set[str] = set()
    cursor: str | None = None
    while True:
        page = adapter.list_orders(access, since, until, cursor)
        found.update(mark.id for mark in page.marks)
        cursor = page.cursor
        if cursor is None:
            return found


def _have(tx: Tx, shop_id: str, listed: set[str]) -> set[str]:
    """Those of `listed` that we have."""
    return {each for chunk in chunks(sorted(listed), 500) for each in recoveries.versions(tx, shop_id, "order", chunk)}


def _compared(
    shop_id: str,
    since: datetime,
    until: datetime,
    listed: set[str],
    came: dict[str, Arrival],
    have: set[str],
) -> Completeness:
    by = Counter(came[each].via for each in listed if each in came)
    missing = sorted(listed - have)
    delays = [came[each].delay for each in listed if each in came]
    return Completeness(
        shop_id=shop_id,
        since=since,
        until=until,
        in_shop=len(listed),
        by_webhook=len(have) - by["poll"] - by["sweep"],
        by_poll=by["poll"],
        by_sweep=by["sweep"],
        missing=tuple(missing[:100]),
        missing_count=len(missing),
        deleted_in_shop=len(set(came) - listed),
        median_delay=median(delays) if delays else None,
        worst_delay=max(delays, default=None),
    )
