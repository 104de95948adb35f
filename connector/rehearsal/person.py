"""What may happen in a rehearsal to the customer apart from orders: account, cart, segments, points, events told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from connector.clock import to_text
from connector.errors import ConfigError
from connector.model import Checkout, Customer, Event, EventKind, Ref
from connector.rehearsal.life import Life

_CART = "t1"


def account(life: Life, rest: str, now: datetime) -> list[Event]:
    """`customer`: the account, as the test's `customer` says it is."""
    del rest
    return [_told(life.person(), EventKind.CUSTOMER_CREATED, now)]


def birthday(life: Life, rest: str, now: datetime) -> list[Event]:
    """`birthday 1990-03-05`: another one than before."""
    life.about["birthday"] = rest
    return [_told(life.person(), EventKind.CUSTOMER_UPDATED, now)]


def account_deleted(life: Life, rest: str, now: datetime) -> list[Event]:
    del rest
    return [replace(_told(life.person(), EventKind.CUSTOMER_DELETED, now), customer=None)]


def checkout(life: Life, rest: str, now: datetime) -> list[Event]:
    """`checkout`: begun, with what an order would hold; `checkout updated`: looked at again."""
    del rest
    return [_of_cart(_cart(life, now), EventKind.CHECKOUT_STARTED, now)]


def checkout_updated(life: Life, rest: str, now: datetime) -> list[Event]:
    del rest
    return [_of_cart(_cart(life, now), EventKind.CHECKOUT_UPDATED, now)]


def checkout_deleted(life: Life, rest: str, now: datetime) -> list[Event]:
    del rest
    return [replace(_of_cart(_cart(life, now), EventKind.CHECKOUT_DELETED, now), checkout=None)]


def entered(life: Life, rest: str, now: datetime) -> list[Event]:
    """`entered vip`: the customer is a member of the segment from now on."""
    return [_about(life, EventKind.SEGMENT_ENTERED, now, segment=rest)]


def left(life: Life, rest: str, now: datetime) -> list[Event]:
    return [_about(life, EventKind.SEGMENT_LEFT, now, segment=rest)]


def tier(life: Life, rest: str, now: datetime) -> list[Event]:
    """`tier gold`."""
    return [_about(life, EventKind.TIER_CHANGED, now, tier=rest)]


def points(life: Life, rest: str, now: datetime) -> list[Event]:
    """`points 120`: the balance is now so many."""
    return [_about(life, EventKind.POINTS_CHANGED, now, balance=rest)]


def told(life: Life, rest: str, now: datetime) -> list[Event]:
    """`event custom.fitting size=42 shop=Turku`: about the last order, or the customer where there is none yet."""
    kind, *pairs = rest.split()
    data = dict(pair.partition("=")[::2] for pair in pairs)
    order = life.last_order()
    if order is None:
        return [_about(life, kind, now, **data)]
    return [replace(life.of_order(order, kind, f"{kind}/{to_text(now)}", now), data=data)]


def _about(life: Life, kind: str, now: datetime, **data: str) -> Event:
    """An event about the person alone, who is brought along: the account as it stands, or a guest's address."""
    return replace(_told(life.person(), kind, now), data=data)


def _told(person: Customer, kind: str, now: datetime) -> Event:
    return Event(
        kind=kind,
        key=f"customer/{person.id}/{kind}/{to_text(now)}",
        subject=Ref("customer", person.id or "guest"),
        at=now,
        customer_id=person.id,
        customer=replace(person, updated_at=now) if person.id else person,
    )


def _cart(life: Life, now: datetime) -> Checkout:
    person, order = life.person(), life.imagined(now)
    if order.email is None:
        raise ConfigError("a checkout without an address is nobody's; leave out order.email = false")
    begun = life.carts.setdefault(_CART, now)
    return Checkout(
        token=_CART,
        currency=order.currency,
        started_at=begun,
        updated_at=now,
        email=order.email,
        locale=order.locale,
        customer=person if person.id else None,
        lines=order.lines,
        total=order.total,
        recovery_url=f"https://rehearsal.example/checkouts/{_CART}",
    )


def _of_cart(cart: Checkout, kind: EventKind, now: datetime) -> Event:
    return Event(
        kind=kind,
        key=f"checkout/{cart.token}/{kind}/{to_text(now)}",
        subject=Ref("checkout", cart.token),
        at=now,
        customer_id=cart.customer.id if cart.customer else None,
        checkout=cart,
    )
