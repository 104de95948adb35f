"""A due wake-up becomes an event, in the transaction that records it. What it hangs on is read again first."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from connector.clock import from_text, to_text
from connector.model import Customer, Event, Ref, Shop, guest_id
from connector.store import entities, wakeups
from connector.store.db import Tx
from connector.store.wakeups import Wakeup
from flows.catalog import Catalog
from flows.definition import Flow
from flows.facts import Facts
from flows.knowing.sight import Sight
from flows.knowing.situation import facts_of
from flows.triggers.forms import CalendarTrigger, DateTrigger, SilenceTrigger
from flows.triggers.waiting import Waiter, next_moment, put_row, span_of, trigger_key, zone_for

_A_MOMENT = timedelta(microseconds=1)


def ring(tx: Tx, catalog: Catalog, row: Wakeup, now: datetime) -> Event | None:
    """The event a due wake-up becomes, with its row moved on; `None` where it is no longer true or was moved.

    What it hangs on is read again: a parcel that came later moves the warranty with it.
    """
    flow = next((each for each in catalog.scheduled(row.shop_id) if each.id == row.flow_id), None)
    if flow is None or flow.schedule is None or trigger_key(flow) != row.trigger_key:
        wakeups.drop(tx, row)
        return None
    shop = catalog.settings(row.shop_id).shop
    waiter = _again(tx, shop, row)
    facts = facts_of(waiter.situation, shop, flow.texts, now, b"", tx=tx)
    if isinstance(flow.schedule, SilenceTrigger):
        return _ring_silence(tx, flow, flow.schedule, facts, row, waiter)
    if not flow.schedule.repeats:
        return _ring_once(tx, flow, facts, row, waiter)
    meant = next_moment(flow, facts, row.moment - _A_MOMENT)
    if meant != row.moment or _is_gone(waiter):
        put_row(tx, flow, waiter, facts, row, None if _is_gone(waiter) else next_moment(flow, facts, now))
        return None
    # After a long sleep the days that nobody would be greeted on any more are passed over.
    following = next_moment(flow, facts, max(row.moment, now - flow.max_age))
    put_row(tx, flow, waiter, facts, replace(row, fired_at=row.moment), following)
    return _event(flow, facts, row, waiter) if _is_member(flow, facts) else None


def _ring_silence(
    tx: Tx, flow: Flow, schedule: SilenceTrigger, facts: Facts, row: Wakeup, waiter: Waiter
) -> Event | None:
    span = span_of(schedule.span, schedule.otherwise, facts)
    moment = row.moment if span is None else from_text(row.origin) + span
    if moment > facts.now:  # a figure of the shop's own that has grown since
        wakeups.put(tx, replace(row, due_at=moment, moment=moment))
        return None
    wakeups.put(tx, replace(row, due_at=None, fired_at=row.moment))
    return None if _is_gone(waiter) or _was_mistyped(tx, schedule, row) else _event(flow, facts, row, waiter)


def _was_mistyped(tx: Tx, schedule: SilenceTrigger, row: Wakeup) -> bool:
    """Whether nobody ordered under the address after all: a guest's order had it until they corrected it."""
    if row.customer_id is not None or row.email_key is None:
        return False
    of_orders = all(kind.startswith("order.") for kind in schedule.after)
    return of_orders and not entities.orders_of(tx, row.shop_id, row.email_key, limit=1)


def _ring_once(tx: Tx, flow: Flow, facts: Facts, row: Wakeup, waiter: Waiter) -> Event | None:
    moment = None if _is_gone(waiter) else next_moment(flow, facts, facts.now)
    if moment is None or moment <= facts.now:
        wakeups.drop(tx, row)
        return _event(flow, facts, replace(row, moment=moment), waiter) if moment is not None else None
    put_row(tx, flow, waiter, facts, row, moment)
    return None


def _again(tx: Tx, shop: Shop, row: Wakeup) -> Waiter:
    """What the row waits for, as it is now."""
    sight = Sight(tx, shop)
    if row.order_id is not None:
        situation = sight.of(row.order_id)
        if row.subject.kind == "line_item":
            situation = sight.of_line(situation, row.subject)
    elif row.subject.kind == "checkout":
        situation = sight.of_cart(row.subject, row.customer_id, row.email_key)
    else:
        situation = sight.of_person(row.customer_id, row.email_key)
    return Waiter(
        subject=row.subject,
        situation=situation,
        order_id=row.order_id,
        customer_id=row.customer_id,
        email=row.email_key,
    )


def _is_gone(waiter: Waiter) -> bool:
    customer, cart = waiter.situation.customer, waiter.situation.checkout
    if waiter.subject.kind == "checkout":
        return cart is None or cart.recovered
    return waiter.subject.kind == "customer" and customer is not None and customer.deleted


def _is_member(flow: Flow, facts: Facts) -> bool:
    """Whether the person is in the segment the calendar rule is for, today."""
    segment = flow.schedule.segment if isinstance(flow.schedule, CalendarTrigger) else ""
    return not segment or segment in (facts.get("customer.segments") or ())


def _event(flow: Flow, facts: Facts, row: Wakeup, waiter: Waiter) -> Event:
    schedule = flow.schedule
    assert schedule is not None  # only flows that wait have rows
    subject, customer = row.subject, None
    if subject.kind == "customer":
        subject = Ref("customer", row.customer_id or guest_id(row.email_key or ""))
        customer = Customer(id=None, email=row.email_key) if row.email_key else None
    data: dict[str, str] = {"flow": flow.id, **_said(flow, row)}
    return Event(
        kind=schedule.kind,
        key=f"{schedule.kind}/{flow.id}/{row.subject}/{_day(flow, facts, row)}",
        subject=subject,
        at=row.moment,
        order_id=row.order_id,
        customer_id=row.customer_id or (waiter.situation.customer.id if waiter.situation.customer else None),
        customer=customer,
        data=data,
    )


def _said(flow: Flow, row: Wakeup) -> dict[str, str]:
    match flow.schedule:
        case DateTrigger(path=path):
            return {"field": path, "value": row.origin}
        case CalendarTrigger(rule=rule, segment=segment):
            return {"day": rule.text, "segment": segment}
    return {"since": row.origin}


def _day(flow: Flow, facts: Facts, row: Wakeup) -> str:
    """What makes two firings one: the day on the wall there, or what a silence is counted from."""
    match flow.schedule:
        case SilenceTrigger():
            return row.origin
        case DateTrigger(at=None):
            return to_text(row.moment)
        case DateTrigger(zone=zone) | CalendarTrigger(zone=zone):
            return f"{row.moment.astimezone(zone_for(zone, facts)):%Y-%m-%d}"
    return to_text(row.moment)
