"""Keeping segments: who is to be looked at after news, and what a look finds.

News only marks the person (`note`, in the transaction that takes it in; nothing at all in a shop without segments).
The look itself comes right after, or when time alone may have changed something (`look`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from connector.model import (
    Buyer,
    Customer,
    Event,
    EventKind,
    Order,
    Ref,
    Shop,
    buyer_of,
    email_key,
    guest_id,
)
from connector.store import entities, purchases, standings
from connector.store.db import Tx
from connector.store.standings import Standing
from flows.facts import Facts
from flows.knowing.acquaintance import Acquaintance
from flows.people.segments import Segment, next_look

_NO_NEWS = frozenset({EventKind.CUSTOMER_REDACTED, EventKind.SEGMENT_ENTERED, EventKind.SEGMENT_LEFT})
"""Of somebody forgotten nothing is to be known; our own word about a person is no news of them."""


def note(tx: Tx, shop_id: str, arrived: Iterable[Event], now: datetime, *, quiet: bool = False) -> None:
    """Mark everybody whose standing the events may change. Before their snapshots are taken in: an order that now names
    somebody else is one less for whoever it named before."""
    for buyer in dict.fromkeys(buyer for event in arrived for buyer in _named(tx, shop_id, event) if buyer):
        standings.touch(tx, shop_id, buyer, now, quiet=quiet)


def note_buyer(tx: Tx, shop_id: str, buyer: Buyer, now: datetime) -> None:
    """Mark one person of whom we wrote something down ourselves: segments may ask about it."""
    if buyer:
        standings.touch(tx, shop_id, buyer, now, quiet=False)


def _named(tx: Tx, shop_id: str, event: Event) -> Iterator[Buyer]:
    if event.kind in _NO_NEWS:
        return
    if event.order is not None or event.kind == EventKind.ORDER_DELETED:
        order_id = event.order.id if event.order is not None else event.subject.id
        yield from _of_order(entities.order(tx, shop_id, order_id), event.order)
    if event.customer is not None:
        yield Buyer(event.customer.email_key, event.customer.id)
    if event.consent is not None:
        email = event.consent.address if event.consent.channel.by_email else None
        yield Buyer(email_key(email), event.consent.customer_id)
    if event.kind in (EventKind.CUSTOMER_TAGGED, EventKind.CUSTOMER_UNTAGGED):
        yield Buyer(None, event.customer_id)


def _of_order(known: Order | None, told: Order | None) -> Iterator[Buyer]:
    """The buyers of an order whose figures change; none when the snapshot says nothing new of who or how much."""
    same = known is not None and told is not None and known.customer == told.customer
    if same and known is not None and told is not None and known.status == told.status:
        same = buyer_of(known) == buyer_of(told) and purchases.dump(known) == purchases.dump(told)
        if same:
            return
    for order in (known, told):
        if order is not None:
            yield buyer_of(order)


def look(
    tx: Tx,
    shop: Shop,
    segments: Sequence[Segment],
    loud: Collection[str],
    standing: Standing,
    now: datetime,
    new_id: Callable[[], str],
) -> list[Event]:
    """Look at one person: keep what they have entered and left, and when to look again. The events are for the caller
    to take in, in this transaction; `loud` are the segments whose changes are news at all."""
    buyer, account = _who(tx, shop, standing.buyer)
    if buyer.name != standing.buyer.name:
        standings.remove(tx, shop.id, standing.buyer.name)
    customer = account or _guest(tx, shop, buyer)
    known = Acquaintance(tx, shop, buyer, now, customer.phone)
    facts = Facts(now=now, shop=shop, customer=customer, background=known)
    inside = standings.segments_of(tx, shop.id, buyer.name)
    events: list[Event] = []
    for segment in segments:
        holds = segment.holds(facts)
        if holds == (segment.name in inside):
            continue
        if holds:
            moved = standings.enter(tx, shop.id, segment.name, buyer.name, now)
        else:
            moved = standings.leave(tx, shop.id, segment.name, buyer.name)
        if moved and segment.name in loud and not standing.quiet:
            events.append(_event(segment.name, new_id(), buyer, account, customer, now, entered=holds))
    again = next_look(segments, facts, known.shop().quintiles)
    if again is not None or standing.look_at is not None:
        standings.looked(tx, shop.id, buyer, now, again)
    return events


def _who(tx: Tx, shop: Shop, buyer: Buyer) -> tuple[Buyer, Customer | None]:
    """The person by their address where the account has one, so that nobody stands in two places."""
    account = entities.customer(tx, shop.id, buyer.customer_id) if buyer.customer_id else None
    if buyer.email_key is None:
        return Buyer(account.email_key if account else None, buyer.customer_id), account
    if account is None or account.deleted or account.email_key != buyer.email_key:
        account = entities.customer_by_email(tx, shop.id, buyer.email_key)
    return Buyer(buyer.email_key, account.id if account else buyer.customer_id), account


def _guest(tx: Tx, shop: Shop, buyer: Buyer) -> Customer:
    """Somebody without an account, as they last ordered."""
    last = next(iter(entities.orders_of(tx, shop.id, buyer.email_key, limit=1)), None) if buyer.email_key else None
    named = last.customer if last is not None and last.customer is not None else None
    found = named or Customer(id=buyer.customer_id)
    return Customer(
        id=found.id,
        email=(last.email if last else None) or found.email or buyer.email_key,
        phone=found.phone or (last.phone if last else None),
        first_name=found.first_name,
        last_name=found.last_name,
        locale=found.locale or (last.locale if last else None),
        tags=found.tags,
        default_address=found.default_address or (last.shipping_address if last else None),
    )


def _event(
    segment: str,
    change_id: str,
    buyer: Buyer,
    account: Customer | None,
    customer: Customer,
    now: datetime,
    *,
    entered: bool,
) -> Event:
    """The change is stored with it, so it needs no key that is found again: somebody may leave and come back within a
    moment. An account is named; only a guest is brought along: no snapshot of ours must pass for the platform's."""
    kind = EventKind.SEGMENT_ENTERED if entered else EventKind.SEGMENT_LEFT
    customer_id = account.id if account is not None else None
    subject = Ref("customer", customer_id or guest_id(buyer.name))
    return Event(
        kind=kind,
        key=f"{kind}/{segment}/{change_id}",
        subject=subject,
        at=now,
        customer_id=customer_id,
        customer=None if account is not None else replace(customer, id=None),
        data={"segment": segment},
    )
