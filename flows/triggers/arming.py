"""Wake-ups made, moved and dropped by events, inside the transaction that records them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from connector.clock import from_text, to_text
from connector.model import Event, EventKind, Ref, Run, Shop
from connector.store import wakeups
from connector.store.db import Tx
from connector.store.wakeups import Wakeup
from flows.catalog import Catalog
from flows.definition import Flow
from flows.facts import Facts
from flows.knowing.sight import Sight
from flows.knowing.situation import facts_of
from flows.triggers.forms import DateTrigger, SilenceTrigger
from flows.triggers.waiting import Waiter, next_moment, of_person, put_row, row_for, span_of, trigger_key, waiters

HALF_A_YEAR = timedelta(days=183)
"""A birthday that is corrected after its greeting brings no second one."""
_OWN_KINDS = frozenset({EventKind.DATE_REACHED, EventKind.CALENDAR_REACHED, EventKind.CUSTOMER_SILENT})


def follow(
    tx: Tx,
    catalog: Catalog,
    sight: Sight,
    events: Iterable[Event],
    now: datetime,
    made_up_for: timedelta | None = None,
) -> None:
    """Make, move or drop the wake-ups that these new events concern. Costs nothing where no flow waits for time.

    `made_up_for` is how far back a moment may lie and still be told; a flow's event age limit where it is not given.
    """
    flows = catalog.scheduled(sight.shop.id)
    if not flows:
        return
    done: set[tuple[str, Ref]] = set()
    for event in events:
        if event.kind == EventKind.CUSTOMER_DELETED:
            wakeups.drop_customer(tx, sight.shop.id, event.subject.id)
        if event.kind in _OWN_KINDS:
            continue
        for flow in flows:
            spare = flow.max_age if made_up_for is None else made_up_for
            silence = isinstance(flow.schedule, SilenceTrigger)
            for waiter in waiters(flow, event, sight):
                if silence or (flow.id, waiter.subject) not in done:
                    done.add((flow.id, waiter.subject))
                    arm(tx, sight.shop, flow, waiter, now, now - spare, event.at)


def of_run(tx: Tx, catalog: Catalog, run: Run, now: datetime) -> None:
    """A record of ours about a run's person was written: what dates of theirs are counted from may have changed."""
    flows = [flow for flow in catalog.scheduled(run.shop_id) if isinstance(flow.schedule, DateTrigger)]
    theirs = [flow for flow in flows if flow.schedule is not None and flow.schedule.anchor == "customer"]
    if not theirs:
        return
    shop = catalog.settings(run.shop_id).shop
    found = of_person(Sight(tx, shop), run.order_id, run.customer_id, run.email_key)
    if found is None:
        return
    for flow in theirs:
        arm(tx, shop, flow, found, now, now - flow.max_age, now)


def arm(tx: Tx, shop: Shop, flow: Flow, waiter: Waiter, now: datetime, floor: datetime, happened_at: datetime) -> None:
    """Make, move or drop one wake-up. `floor` is the earliest moment that is still told."""
    known = _known(tx, shop, flow, waiter)
    facts = facts_of(waiter.situation, shop, flow.texts, now, b"", tx=tx)
    same = known is not None and known.trigger_key == trigger_key(flow)
    if isinstance(flow.schedule, SilenceTrigger):
        _arm_silence(tx, flow, flow.schedule, waiter, facts, known, floor, happened_at)
    elif known is not None and same and known.due_at is not None and known.moment <= now:
        pass  # it is due and about to be told; what it hangs on is read again then
    elif flow.schedule is not None and flow.schedule.repeats:
        put_row(tx, flow, waiter, facts, known, next_moment(flow, facts, _not_before(flow, known, now)))
    else:
        moment = next_moment(flow, facts, now)
        put_row(tx, flow, waiter, facts, known, moment if moment is not None and moment > floor else None)


def _known(tx: Tx, shop: Shop, flow: Flow, waiter: Waiter) -> Wakeup | None:
    """The waiter's row. One account that was known by another address before is one person with one wake-up."""
    if waiter.subject.kind != "customer":
        return wakeups.get(tx, shop.id, flow.id, waiter.subject)
    rows = wakeups.of_person(tx, shop.id, waiter.email, waiter.customer_id)
    theirs = [row for row in rows if row.flow_id == flow.id and row.subject.kind == "customer"]
    known = next((row for row in theirs if row.subject == waiter.subject), None)
    for other in (row for row in theirs if row.subject != waiter.subject):
        wakeups.drop(tx, other)
        if known is None or other.origin > known.origin:
            known = replace(other, subject=waiter.subject)
            wakeups.put(tx, known)
    return known


def _arm_silence(
    tx: Tx,
    flow: Flow,
    schedule: SilenceTrigger,
    waiter: Waiter,
    facts: Facts,
    known: Wakeup | None,
    floor: datetime,
    happened_at: datetime,
) -> None:
    origin = max(happened_at, from_text(known.origin)) if known else happened_at
    span = span_of(schedule.span, schedule.otherwise, facts)
    if span is None or (known and known.trigger_key == trigger_key(flow) and origin == from_text(known.origin)):
        return
    moment = origin + span
    told = known is not None and known.fired_at is not None and moment <= facts.now
    due = None if told or moment <= floor else moment
    row = row_for(flow, waiter, facts, moment, known)
    wakeups.move(tx, replace(row, due_at=due, origin=to_text(origin)))


def _not_before(flow: Flow, known: Wakeup | None, now: datetime) -> datetime:
    """A repeating moment comes after now, and not again soon after it was told."""
    if known is None or known.fired_at is None:
        return now
    pause = HALF_A_YEAR if isinstance(flow.schedule, DateTrigger) else timedelta()
    return max(now, known.fired_at + pause)
