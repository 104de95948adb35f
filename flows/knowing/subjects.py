"""Who or what a run is about, and under which key it enters: what "once" means. Pure."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from connector.errors import ConfigError
from connector.model import GUEST_PREFIX, Event, Order, Ref, Run, email_key, guest_id

if TYPE_CHECKING:
    from flows.definition import Flow

SUBJECTS = ("order", "line_item", "shipment", "customer", "checkout")
REENTRY = ("once", "per_event", "restart", "ignore", "always")
REPEATED = ("ignore", "every")
"""Re-entries that look at the entry before."""


def subjects_of(flow: Flow, event: Event, order: Order | None, person: str | None = None) -> list[Ref]:
    """What runs of this flow would be about: one thing, or every line of the order; empty when the event has none."""
    if flow.subject != "line_item":
        found = subject_of(flow, event, person)
        return [found] if found else []
    if event.subject.kind == "line_item":
        return [event.subject]  # a wake-up of one line
    return [Ref("line_item", f"{order.id}/{line.id}") for line in order.lines] if order else []


def subject_of(flow: Flow, event: Event, email_key: str | None = None) -> Ref | None:
    """What a run of this flow would be about, `None` when the event has no such thing. Of a flow about line items:
    the one an event names outright.

    A guest has no id at the platform: the run is then about `guest-` and a digest of the address.
    """
    if flow.subject in ("shipment", "line_item"):
        return _shipment_of(event) if flow.subject == "shipment" else _named(event, "line_item")
    if flow.subject == "checkout":
        return Ref("checkout", event.checkout.token) if event.checkout else _named(event, "checkout")
    if flow.subject == "order":
        order_id = event.order_id or (event.order.id if event.order else None)
        if order_id is None and event.subject.kind == "order":
            order_id = event.subject.id
        return Ref("order", order_id) if order_id else None
    return _customer_of(event, email_key)


def _named(event: Event, kind: str) -> Ref | None:
    return event.subject if event.subject.kind == kind else None


def _customer_of(event: Event, email_key: str | None) -> Ref | None:
    customer = event.customer or (event.order.customer if event.order else None)
    customer_id = event.customer_id or (customer.id if customer else None)
    if customer_id is None and event.subject.kind == "customer":
        customer_id = event.subject.id
    if customer_id:
        return Ref("customer", customer_id)
    return Ref("customer", guest_id(email_key)) if email_key else None


def _shipment_of(event: Event) -> Ref | None:
    if event.subject.kind == "shipment":
        return event.subject
    if event.shipment is not None:
        return Ref("shipment", event.shipment.id)
    return Ref("shipment", event.shipment_event.shipment_id) if event.shipment_event else None


def person_name(customer_id: str | None, email_key: str | None) -> str:
    """One person, by a digest of the address where there is one: a guest who registers later is the same."""
    return f"person/{_digest(email_key)}" if email_key else f"customer/{customer_id}"


def is_account(subject: Ref) -> bool:
    """Whether it is a customer with an account at the platform, and not a guest known by an address only."""
    return subject.kind == "customer" and not subject.id.startswith(GUEST_PREFIX)


def entry_key(flow: Flow, event: Event, subject: Ref, email_key: str | None = None, number: int = 1) -> str:
    """What is unique within (shop, flow): two entries with one key are one run.

    A customer is known by a digest of the address where there is one, so that a guest who registers later is still
    the same person; the address itself appears nowhere in the key. `number` counts the entries of a re-entry that
    looks at the one before, so that two transactions that both find none before cannot both begin one.
    """
    who = str(subject)
    if flow.subject == "customer" and email_key:
        who = f"person/{_digest(email_key)}"
    if flow.reentry == "per_event":
        return f"{who}/{event.kind}"
    if flow.reentry == "always":
        return f"{who}#{_digest(event.key)}"
    return f"{who}#{number}" if number > 1 else who


def next_number(before: Run | None) -> int:
    """The number of the entry after `before`."""
    if before is None:
        return 1
    number = before.entry_key.rpartition("#")[2]
    return int(number) + 1 if "#" in before.entry_key and number.isdecimal() else 2


def stays_out(flow: Flow, before: Run | None, now: datetime) -> tuple[str, str] | None:
    """Why a re-entry that looks at the entry before keeps this one out, as rule and value; `None` when it may enter."""
    if before is None or flow.reentry not in REPEATED:
        return None
    if not before.status.ended:
        return f"one at a time per {flow.subject}", f"under way since {before.created_at:%Y-%m-%d}"
    if flow.every is not None and now - before.created_at < flow.every:
        days = flow.every / timedelta(days=1)
        return f"once per {days:g} d and {flow.subject}", f"entered on {before.created_at:%Y-%m-%d}"
    return None


def require_subject(flow: Flow, event: Event, email_key: str | None) -> Ref:
    """`subject_of`, raising `ConfigError` where there is none."""
    subject = subject_of(flow, event, email_key)
    if subject is None:
        raise ConfigError(f"flow '{flow.id}' is about a {flow.subject}, but event '{event.kind}' names none")
    return subject


def address_in(event: Event) -> str | None:
    """The address an event itself brings, in the form joins use."""
    order, cart, customer = event.order, event.checkout, event.customer
    buyer = customer or (order.customer if order else None) or (cart.customer if cart else None)
    for email in (order.email if order else None, cart.email if cart else None, buyer.email if buyer else None):
        key = email_key(email)
        if key:
            return key
    return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def order_name(shop_id: str, order_id: str) -> str:
    """What is held while an order is taken in, or what was given for it is."""
    return f"order {shop_id} {order_id}"
