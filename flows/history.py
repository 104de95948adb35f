"""Taking in what happened before a shop was connected: it is known from then on, and nobody hears of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connector.model import Event, Shop
from connector.store import consents, entities, events
from connector.store.db import Tx
from flows.derive import derived_events
from flows.runner import order_name
from flows.situation import look


def remember(tx: Tx, shop: Shop, arrived: Sequence[Event], live_since: datetime, now: datetime) -> int:
    """Keep the snapshots and consents; record as known what happened before `live_since`. How much was new.

    No flow starts, resumes or ends, no programme follows. What happened later is only kept as a snapshot and stays
    unrecorded: a webhook or the poll tells it to the flows, and must not find that somebody swallowed it.
    """
    tx.hold(order_name(shop.id, event.order_id) for event in arrived if event.order_id)
    entities.apply_many(tx, shop.id, arrived, now)
    old = [event for event in arrived if event.at < live_since]
    fresh = events.record_many(tx, shop.id, old, now)
    for event in old:
        if event.key in fresh and event.consent is not None:
            consents.record(tx, shop.id, event.consent, now)
    for order_id in dict.fromkeys(event.order_id for event in arrived if event.order_id):
        _remember_derived(tx, shop, order_id, live_since, now)
    return len(fresh)


def _remember_derived(tx: Tx, shop: Shop, order_id: str, live_since: datetime, now: datetime) -> None:
    """That it was sent and delivered long ago is known too, or the next webhook of the order would be the news."""
    situation = look(tx, shop, order_id)
    if situation.order is None:
        return
    found = derived_events(shop, situation.order, situation.progress, situation.shipments)
    events.record_many(tx, shop.id, [event for event in found if event.at < live_since], now)
