"""What a flow waits for, and until when: an order, a line of one, a person, a cart, with what is known of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from connector.clock import to_text
from connector.model import Event, Ref, email_key
from connector.store import wakeups
from connector.store.db import Tx
from connector.store.wakeups import Wakeup
from flows.definition import Flow
from flows.facts import Facts
from flows.knowing.sight import Sight
from flows.knowing.situation import Situation
from flows.knowing.subjects import person_name
from flows.limits.daytime import zone_of
from flows.triggers.forms import ZONES, CalendarTrigger, DateTrigger, SilenceTrigger
from flows.triggers.moments import calendar_moment, date_moment, read_figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiter:
    """What a flow waits for, with what is known of it."""

    subject: Ref
    situation: Situation
    order_id: str | None = None
    customer_id: str | None = None
    email: str | None = None


def trigger_key(flow: Flow) -> str:
    """A digest of what decides when the flow's wake-ups are due: rows made for another are no longer true."""
    text = json.dumps([flow.document["trigger"], flow.subject], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def waiters(flow: Flow, event: Event, sight: Sight) -> Iterator[Waiter]:
    """What the event may change the flow's waiting for."""
    schedule = flow.schedule
    if isinstance(schedule, SilenceTrigger) and event.kind not in schedule.after:
        return
    if schedule is None or (isinstance(schedule, CalendarTrigger) and event.order_id is None):
        return
    if schedule.anchor == "checkout":
        if event.subject.kind == "checkout":
            yield of_cart(event, sight)
    elif schedule.anchor == "customer":
        found = of_person(sight, event.order_id, event.customer_id, _address(event))
        if found is not None:
            yield found
    elif event.order_id is not None:
        yield from of_order(schedule.anchor, event.order_id, sight)


def _address(event: Event) -> str | None:
    return email_key(event.customer.email) if event.customer else None


def of_cart(event: Event, sight: Sight) -> Waiter:
    situation = sight.of_event(event)
    customer = situation.customer
    return Waiter(
        subject=event.subject,
        situation=situation,
        customer_id=customer.id if customer else None,
        email=customer.email_key if customer else None,
    )


def of_order(anchor: str, order_id: str, sight: Sight) -> Iterator[Waiter]:
    situation = sight.of(order_id)
    order = situation.order
    if anchor == "order" or order is None:
        yield Waiter(subject=Ref("order", order_id), situation=situation, order_id=order_id)
        return
    for line in order.lines:
        subject = Ref("line_item", f"{order_id}/{line.id}")
        yield Waiter(subject=subject, situation=sight.of_line(situation, subject), order_id=order_id)


def of_person(sight: Sight, order_id: str | None, customer_id: str | None, email: str | None) -> Waiter | None:
    if order_id is not None:
        situation = sight.of(order_id, customer_id)
        order, customer = situation.order, situation.customer
        email = email_key((order.email if order else None) or (customer.email if customer else None)) or email
        customer_id = (customer.id if customer else None) or customer_id
    situation = sight.of_person(customer_id, email)
    known = situation.customer
    email = email or (known.email_key if known else None)
    if (customer_id is None and email is None) or (known is not None and known.deleted):
        return None
    return Waiter(
        subject=Ref("customer", person_name(customer_id, email)),
        situation=situation,
        customer_id=customer_id or (known.id if known else None),
        email=email,
    )


def put_row(tx: Tx, flow: Flow, waiter: Waiter, facts: Facts, known: Wakeup | None, moment: datetime | None) -> None:
    if moment is None:
        if known is not None:
            wakeups.drop(tx, replace(known, subject=waiter.subject))
        return
    row = row_for(flow, waiter, facts, moment, known)
    if row != known:
        wakeups.put(tx, row)


def row_for(flow: Flow, waiter: Waiter, facts: Facts, moment: datetime, known: Wakeup | None) -> Wakeup:
    path = flow.schedule.path if isinstance(flow.schedule, DateTrigger) else ""
    value = facts.get(path) if path else ""
    return Wakeup(
        shop_id=facts.shop.id,
        flow_id=flow.id,
        subject=waiter.subject,
        trigger_key=trigger_key(flow),
        due_at=moment,
        moment=moment,
        origin=to_text(value) if isinstance(value, datetime) else str(value or ""),
        fired_at=known.fired_at if known else None,
        order_id=waiter.order_id,
        customer_id=waiter.customer_id,
        email_key=waiter.email,
    )


def next_moment(flow: Flow, facts: Facts, after: datetime) -> datetime | None:
    """The flow's moment for these facts: of a repeating one the first later than `after`."""
    schedule = flow.schedule
    if isinstance(schedule, CalendarTrigger):
        return calendar_moment(schedule.rule, schedule.at, zone_for(schedule.zone, facts), after)
    if not isinstance(schedule, DateTrigger) or _is_void(schedule, facts):
        return None
    span = span_of(schedule.offset, schedule.otherwise, facts)
    if span is None:
        return None
    return date_moment(schedule, facts.get(schedule.path), span, zone_for(schedule.zone, facts), after)


def span_of(span: timedelta | str, otherwise: timedelta | None, facts: Facts) -> timedelta | None:
    """The span itself, or what the figure at its path says now; `otherwise` where that is not known."""
    if isinstance(span, timedelta):
        return span
    found = read_figure(facts.get(span))
    return otherwise if found is None else found


def _is_void(schedule: DateTrigger, facts: Facts) -> bool:
    """An order that is over has no anniversary."""
    return schedule.anchor in ("order", "line_item") and (facts.order is None or facts.progress.cancelled)


def zone_for(name: str, facts: Facts) -> ZoneInfo:
    return zone_of(facts.get(f"{name}.timezone") if name in ZONES else name)
