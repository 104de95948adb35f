"""Forgetting a person at once: nothing of theirs goes on, nothing begins again, and the erasure itself is asked for.

What takes longer (rows, stored deliveries, files) is done by `connector.privacy` from the request that is left here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from connector.model import Channel, Event, EventKind, email_key
from connector.store import people, privacy, suppressions
from connector.store.db import Tx
from connector.store.people import Person

REQUESTS = {
    EventKind.DATA_REQUESTED: privacy.EXPORT,
    EventKind.CUSTOMER_REDACTED: privacy.ERASE_CUSTOMER,
    EventKind.SHOP_REDACTED: privacy.ERASE_SHOP,
}
_SUBJECT = ("email", "phone", "customer_id", "orders")


def find_person(tx: Tx, shop_id: str, subject: Mapping[str, str]) -> Person:
    """Whom a request's subject (`email`, `phone`, `customer_id`, `orders` by comma) means."""
    orders = [order for order in subject.get("orders", "").split(",") if order]
    return people.find(
        tx,
        shop_id,
        email=subject.get("email"),
        phone=subject.get("phone"),
        customer_id=subject.get("customer_id"),
        orders=orders,
    )


def erasure_keys(salt: bytes, person: Person) -> list[str]:
    """The keyed hashes under which a forgotten person is still recognised."""
    named = {
        "email": person.emails,
        "phone": person.phones,
        "customer": person.customers,
        "order": person.orders,
        "code": person.codes,
    }
    return [
        privacy.key_of(salt, person.shop_id, kind, value) for kind, values in named.items() for value in sorted(values)
    ]


def seal_suppressions(tx: Tx, salt: bytes, person: Person) -> None:
    """Whoever said no, or cannot be reached, is not written to after they were forgotten either: of each row of theirs
    a hash stays. Before their rows are erased."""
    for kind, addresses in (("email", person.emails), ("phone", person.phones)):
        for address in sorted(addresses):
            key = privacy.sealed_key(salt, person.shop_id, kind, address)
            for channel in Channel:
                for row in suppressions.find(tx, person.shop_id, address, channel):
                    suppressions.add(tx, person.shop_id, key, channel, row.scope, row.reason, row.at)


def subject_key(salt: bytes, shop_id: str, subject: Mapping[str, str]) -> str:
    """One key for the audit trail, by the strongest name that was given."""
    for kind, name in (("customer", "customer_id"), ("email", "email"), ("phone", "phone"), ("order", "orders")):
        value = subject.get(name)
        if value:
            return privacy.key_of(salt, shop_id, kind, (email_key(value) or value) if kind == "email" else value)
    return ""


def subject_of(event: Event) -> dict[str, str]:
    """Whom a compliance event is about, in the words of a request's subject."""
    subject = {name: event.data[name] for name in _SUBJECT if event.data.get(name)}
    if event.customer_id:
        subject.setdefault("customer_id", event.customer_id)
    return subject


def ask_for(tx: Tx, salt: bytes, shop_id: str, event: Event, now: datetime, person: Person | None = None) -> None:
    """Leave the request that a compliance event of the platform makes.

    `person` is who was found behind it: an eraser run in the shop itself names an order and nobody, and a moment later
    the order's own snapshot does not tell either.
    """
    kind, subject = REQUESTS[EventKind(event.kind)], subject_of(event)
    if person is not None and person.emails:
        subject.setdefault("email", min(person.emails))
    privacy.ask(tx, shop_id, event.key, kind, "webhook", subject, subject_key(salt, shop_id, subject), now)


def without_forgotten(tx: Tx, salt: bytes, shop_id: str, events: Sequence[Event]) -> Sequence[Event] | None:
    """The events that may be taken in; `None` where they are about somebody who was forgotten since they happened.

    Whoever was forgotten and comes back with a new order is a customer again, for that order.
    """
    for event in events if privacy.anybody(tx, shop_id) else ():
        named = _names(event)
        if not named:
            continue
        forgotten = privacy.erased_at(tx, shop_id, (privacy.key_of(salt, shop_id, *name) for name in named))
        if forgotten is not None and _since(event) <= forgotten:
            return None
    return events


def foresee(tx: Tx, salt: bytes, shop_id: str, events: Sequence[Event]) -> None:
    """Ask at once what `without_forgotten` is about to ask of each delivery of a batch."""
    privacy.foresee(tx, shop_id, (privacy.key_of(salt, shop_id, *name) for event in events for name in _names(event)))


def _names(event: Event) -> set[tuple[str, str]]:
    order, cart, customer = event.order, event.checkout, event.customer
    if event.kind in REQUESTS:
        return set()  # asked once more: to be answered, not to be ignored
    buyer = customer or (order.customer if order else None) or (cart.customer if cart else None)
    emails = {email_key(order.email if order else None), email_key(cart.email if cart else None)}
    emails.add(buyer.email_key if buyer else None)
    found = {("email", email) for email in emails if email}
    if event.order_id:
        found.add(("order", event.order_id))
    if buyer is not None and buyer.id and order is None:
        found.add(("customer", buyer.id))
    return found


def _since(event: Event) -> datetime:
    """When what the event tells of began: a forgotten order stays forgotten, however late it changes."""
    if event.order is not None:
        return event.order.placed_at
    if event.checkout is not None:
        return event.checkout.started_at
    if event.customer is not None and event.customer.created_at is not None:
        return event.customer.created_at
    return event.at
