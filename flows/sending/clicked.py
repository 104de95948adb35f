"""A person followed a link of a message: a sign of life, and an event that flows may wait for or begin with."""

from __future__ import annotations

from datetime import datetime

from connector.model import Channel, Customer, Effect, Event, EventKind, Ref, email_key, guest_id
from connector.store import pace, runs
from connector.store.clicks import Click
from connector.store.db import Tx
from flows.runner import Runner


def clicked(tx: Tx, runner: Runner, effect: Effect, click: Click, now: datetime) -> None:
    """Tell once a message, whoever heard of it first: a provider's own word of a click has the same key."""
    channel = Channel.of(effect.channel or Channel.EMAIL)
    key = email_key(effect.recipient) if channel is Channel.EMAIL else effect.recipient
    if not key:
        return  # forgotten meanwhile
    pace.note(tx, effect.shop_id, key, "click", click.at)
    run = runs.get(tx, effect.shop_id, effect.run_id) if effect.run_id else None
    customer_id = run.customer_id if run is not None else None
    address = (email_key(effect.recipient) if channel is Channel.EMAIL else None) or (run.email_key if run else None)
    if not (effect.order_id or customer_id or address):
        return
    told = {
        "message": effect.id,
        "flow": effect.flow_id,
        "step": effect.step_id,
        "purpose": str(effect.purpose),
        "channel": str(channel),
        "url": click.url,
    }
    nameless = address is not None and not effect.order_id and not customer_id
    event = Event(
        kind=EventKind.MESSAGE_CLICKED,
        key=f"message/{effect.id}/clicked",
        subject=_subject(effect.order_id, customer_id, address),
        at=click.at,
        order_id=effect.order_id,
        customer_id=customer_id,
        customer=Customer(id=None, email=address) if nameless else None,
        data={name: value for name, value in told.items() if value},
    )
    runner.ingest(tx, effect.shop_id, [event], now)


def _subject(order_id: str | None, customer_id: str | None, address: str | None) -> Ref:
    if order_id:
        return Ref("order", order_id)
    return Ref("customer", customer_id or guest_id(str(address)))
