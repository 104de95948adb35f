"""Taking in what happened before a shop was connected: it is known from then on, and nobody hears of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from connector.clock import to_text
from connector.model import Event, EventKind, Ref, Run, RunStatus, Shop, email_key
from connector.store import consents, entities, events, runs
from connector.store.db import Tx
from flows.catalog import Catalog
from flows.definition import Flow, entry_key
from flows.derive import derived_events
from flows.facts import event_facts
from flows.knowing.sight import Sight
from flows.knowing.situation import look
from flows.knowing.subjects import order_name
from flows.people import membership
from flows.triggers import arming

RECENT = timedelta(days=30)
"""Orders this young may still be edited into the sight of a flow that greets orders."""


def remember(
    tx: Tx, catalog: Catalog, shop: Shop, arrived: Sequence[Event], live_since: datetime, now: datetime
) -> int:
    """Keep the snapshots and consents; record as known what happened before `live_since`. How much was new.

    No flow starts, resumes or ends, no programme follows. What happened later is only kept as a snapshot and stays
    unrecorded: a webhook or the poll tells it to the flows, and must not find that somebody swallowed it.
    """
    tx.hold(order_name(shop.id, event.order_id) for event in arrived if event.order_id)
    if catalog.segments(shop.id):
        membership.note(tx, shop.id, arrived, now, quiet=True)
    entities.apply_many(tx, shop.id, arrived, now)
    old = [event for event in arrived if event.at < live_since]
    fresh = events.record_many(tx, shop.id, old, now)
    for event in old:
        if event.key in fresh and event.consent is not None:
            consents.record(tx, shop.id, event.consent, now)
    for event in old:
        if event.key in fresh and event.kind == EventKind.ORDER_CREATED and now - event.at < RECENT:
            _spend(tx, catalog, shop, event, now)
    for order_id in dict.fromkeys(event.order_id for event in arrived if event.order_id):
        _remember_derived(tx, shop, order_id, live_since, now)
    # What is past starts nothing, but its anniversaries, birthdays and silences are still to come.
    known = [event for event in old if event.key in fresh]
    arming.follow(tx, catalog, Sight(tx, shop), known, now, made_up_for=timedelta())
    return len(fresh)


def _spend(tx: Tx, catalog: Catalog, shop: Shop, event: Event, now: datetime) -> None:
    """A flow that would have greeted the order had its chance before we came: an edit of today must not greet it.

    Kept as an ended run under the flow's own entry key, so that "why was nothing sent" has an answer.
    """
    for flow in catalog.triggered_by(shop.id, event.kind):
        if flow.subject != "order" or flow.reentry != "once" or event.order_id is None:
            continue
        run = never_begun(shop.id, flow, event, event.order_id, now)
        if runs.start(tx, run):
            catalog.pin(tx, shop.id, flow, now)
            detail = {"event": str(event.kind), "rule": "placed after the shop was connected", "saw": to_text(event.at)}
            runs.journal(tx, shop.id, run.id, now, "", "not_started", detail)


def never_begun(shop_id: str, flow: Flow, event: Event, order_id: str, now: datetime) -> Run:
    """The ended run that takes the place of one a flow would have begun for an order from before our time."""
    subject = Ref("order", order_id)
    return Run(
        shop_id=shop_id,
        id=f"history-{flow.id}-{order_id}",
        flow_id=flow.id,
        version=flow.version,
        subject_kind=subject.kind,
        subject_id=subject.id,
        entry_key=entry_key(flow, event, subject),
        status=RunStatus.EXITED,
        step=0,
        created_at=now,
        updated_at=now,
        order_id=order_id,
        customer_id=event.customer_id,
        email_key=email_key(event.order.email) if event.order else None,
        event=event_facts(event),
        reason=runs.NEVER,
    )


def _remember_derived(tx: Tx, shop: Shop, order_id: str, live_since: datetime, now: datetime) -> None:
    """That it was sent and delivered long ago is known too, or the next webhook of the order would be the news."""
    situation = look(tx, shop, order_id)
    if situation.order is None:
        return
    found = derived_events(shop, situation.order, situation.progress, situation.shipments)
    events.record_many(tx, shop.id, [event for event in found if event.at < live_since], now)
