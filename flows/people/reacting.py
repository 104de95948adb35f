"""Signs of life: what a person does that shows they still care. An order is one by itself, opening a mail is none."""

from __future__ import annotations

from connector.model import Event, EventKind, email_key
from connector.store import pace
from connector.store.db import Tx
from flows.knowing.situation import Situation

SIGNS_OF_LIFE = frozenset({str(EventKind.REVIEW_SUBMITTED), "survey.answered"})
"""Kinds of events by which somebody answered. Clicks are noted where they are counted (`connector.store.pace.note`)."""


def note_sign(tx: Tx, shop_id: str, event: Event, situation: Situation) -> None:
    """Remember that the person behind the event reacted."""
    order, customer = situation.order, situation.customer
    address = email_key(order.email if order else None) or email_key(customer.email if customer else None)
    if address is not None:
        pace.note(tx, shop_id, address, str(event.kind), event.at)
