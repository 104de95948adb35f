"""The nightly sweep: the orders of seven days, ours against the shop's. It finds what no change will ever tell.

WooCommerce says nothing when an order is deleted for good, and Shopify's orders/delete can be lost like any other.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from connector.contracts import ListsChanges, ListsOrders, Snapshot
from connector.errors import Refused
from connector.log import get_log
from connector.model import EventKind
from connector.reconciliation.assignment import Assignment, Outcome
from connector.reconciliation.taking_in import Tally, chunks, take_in, unknown
from connector.store import recoveries

log = get_log("reconciliation")

WINDOW = timedelta(days=7)
SETTLE = timedelta(minutes=15)
"""Orders younger than this may still be on their way."""
MOST_LOOKS = 500
"""Orders looked up one by one in a night because a list did not show them."""
HOUR = 3
"""The shop's own hour of the night."""


def sweep(work: Assignment) -> Outcome:
    """Compare ids, read what is missing or older than the shop's, and look for what the shop no longer has."""
    adapter = work.adapter
    assert isinstance(adapter, ListsOrders)
    now = work.clock.now()
    since, until = max(now - WINDOW, work.live_since), now - SETTLE
    tally = Tally()
    listed = _compare(work, adapter, since, until, tally) if since < until else set()
    deleted = _look_for_deleted(work, adapter, listed, since, until, tally) if since < until else 0
    report = {**tally.as_report(), "deleted": deleted}
    log.info("swept", shop_id=work.shop.id, **report)
    due = next_night(work.clock.now(), work.shop.timezone, work.clock.random())
    return Outcome(state=work.state, due_at=due, report=report)


def _compare(work: Assignment, adapter: ListsOrders, since: datetime, until: datetime, tally: Tally) -> set[str]:
    listed: set[str] = set()
    cursor: str | None = None
    while True:
        page = adapter.list_orders(work.access, since, until, cursor)
        listed.update(mark.id for mark in page.marks)
        tally.listed = len(listed)
        with work.kiitos.store.work.read() as tx:
            wanted = unknown(tx, work.shop.id, "order", page.marks)
        for chunk in chunks(wanted):
            take_in(work, "order", _read(work, adapter, [mark.id for mark in chunk]), tally)
        work.advance()
        cursor = page.cursor
        if cursor is None:
            return listed


def _read(work: Assignment, adapter: ListsOrders, ids: list[str]) -> list[Snapshot]:
    if isinstance(adapter, ListsChanges):
        return list(adapter.read_changed(work.access, "order", ids))
    return [Snapshot(id=each, events=adapter.read_unlisted(work.access, each)) for each in ids]


def _look_for_deleted(
    work: Assignment, adapter: ListsOrders, listed: set[str], since: datetime, until: datetime, tally: Tally
) -> int:
    """Ours that the shop's list did not show, each looked at: an empty list alone deletes nothing."""
    with work.kiitos.store.work.read() as tx:
        absent = [each for each in recoveries.placed(tx, work.shop.id, since, until) if each not in listed]
    deleted = 0
    for order_id in absent[:MOST_LOOKS]:
        try:
            events = adapter.read_unlisted(work.access, order_id)
        except Refused as error:
            take_in(work, "order", [Snapshot(id=order_id, fault=error.provider_code or error.code)], tally)
            continue
        deleted += any(event.kind == EventKind.ORDER_DELETED for event in events)
        take_in(work, "order", [Snapshot(id=order_id, events=events)], tally)
    return deleted


def next_night(now: datetime, zone: str, chance: float) -> datetime:
    """Three to four in the next night of the shop, spread by `chance` (0 to 1): not all shops at once."""
    local = now.astimezone(ZoneInfo(zone))
    at = local.replace(hour=HOUR, minute=int(chance * 60), second=0, microsecond=0)
    if at <= local:
        at = (at.replace(tzinfo=None) + timedelta(days=1)).replace(tzinfo=local.tzinfo)
    return at.astimezone(now.tzinfo)
