"""A shop's past, read for a look back: all that is kept of a handful of people at once. Never writes. `buyers` says who
belongs together.

The tables hold things as they are now. What they were like at the time is worked out by `connector.simulate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from connector import codec
from connector.clock import from_text
from connector.model import (
    Channel,
    Checkout,
    Consent,
    ConsentState,
    Customer,
    Event,
    Order,
    Product,
    Purpose,
    Ref,
    Refund,
    Return,
    Shipment,
    ShipmentStatus,
    email_key,
)
from connector.store.db import Row, Tx
from connector.store.sql import id_list

CART = "cart:"
"""What a checkout's token begins with among orders' ids."""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """An address was not to be written to from `at` on."""

    address_key: str
    channel: Channel
    scope: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class KnownCode:
    """A code of somebody's that a friend may order with."""

    code_key: str
    advocate_email_key: str
    advocate_customer_id: str | None
    order_id: str | None
    at: datetime


@dataclass(slots=True)
class OrderPast:
    """One order with everything that followed it. `times`: parcel, state, when it was first heard of."""

    order: Order
    shipments: list[Shipment] = field(default_factory=list)
    times: dict[str, dict[str, datetime]] = field(default_factory=dict)
    refunds: list[Refund] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)
    told: list[Event] = field(default_factory=list)


@dataclass(slots=True)
class Past:
    """Everything of some people: orders by id, checkouts by `CART` and token, accounts by id, and what they said."""

    orders: dict[str, OrderPast] = field(default_factory=dict)
    carts: dict[str, Checkout] = field(default_factory=dict)
    accounts: dict[str, Customer] = field(default_factory=dict)
    consents: list[Consent] = field(default_factory=list)
    suppressed: list[Suppressed] = field(default_factory=list)
    codes: list[KnownCode] = field(default_factory=list)


def products(tx: Tx, shop_id: str) -> Iterator[Product]:
    """Everything the shop sells or sold."""
    after = ""
    while rows := tx.all("past_products", shop_id=shop_id, after_id=after, limit=1000):
        for row in rows:
            found = codec.decode(row["snapshot"], Product)
            yield replace(found, deleted=True) if row["deleted"] else found
        after = rows[-1]["product_id"]


def flow_version(tx: Tx, shop_id: str, version: str) -> str | None:
    """The text of a flow's version that people ran on, whichever flow it is of."""
    row = tx.one("past_flow_version", shop_id=shop_id, version=version)
    return row["body"] if row else None


def of_orders(tx: Tx, shop_id: str, order_ids: Sequence[str]) -> Past:
    """All that is kept of these orders and checkouts and of whose they are. A dozen reads, however many they are."""
    past = Past()
    ids = id_list(each for each in order_ids if not each.startswith(CART))
    tokens = [each.removeprefix(CART) for each in order_ids if each.startswith(CART)]
    for row in tx.all("past_checkouts", shop_id=shop_id, ids=id_list(tokens)) if tokens else ():
        past.carts[f"{CART}{row['token']}"] = codec.decode(row["snapshot"], Checkout)
    for row in tx.all("past_orders", shop_id=shop_id, ids=ids):
        past.orders[row["order_id"]] = OrderPast(codec.decode(row["snapshot"], Order))
    _add_parcels(tx, shop_id, ids, past.orders)
    for row in tx.all("past_refunds", shop_id=shop_id, ids=ids):
        if row["order_id"] in past.orders:
            past.orders[row["order_id"]].refunds.append(codec.decode(row["snapshot"], Refund))
    for row in tx.all("past_returns", shop_id=shop_id, ids=ids):
        if row["order_id"] in past.orders:
            past.orders[row["order_id"]].returns.append(codec.decode(row["snapshot"], Return))
    for row in tx.all("past_told", shop_id=shop_id, ids=ids):
        if row["order_id"] in past.orders:
            _add_told(past.orders[row["order_id"]], row)
    _add_people(tx, shop_id, past)
    return past


def _add_parcels(tx: Tx, shop_id: str, ids: str, orders: Mapping[str, OrderPast]) -> None:
    for row in tx.all("past_shipments", shop_id=shop_id, ids=ids):
        found = orders.get(row["order_id"])
        if found is not None and row["snapshot"] is not None:
            parcel = codec.decode(row["snapshot"], Shipment)
            found.shipments.append(replace(parcel, status=ShipmentStatus.of(row["status"])))
            found.times[parcel.id] = {row["status"]: from_text(row["status_since"])}
    for row in tx.all("past_shipment_times", shop_id=shop_id, ids=ids):
        found = orders.get(row["order_id"])
        if found is not None:
            found.times.setdefault(row["shipment_id"], {})[row["status"]] = from_text(row["at"])


def _add_told(found: OrderPast, row: Row) -> None:
    family, _, state = row["kind"].partition(".")
    if family != "shipment":
        found.told.append(_told(row))
        return
    times = found.times.setdefault(row["subject_id"], {})
    at = from_text(row["at"])
    times[state] = min(at, times.get(state, at))


def _told(row: Row) -> Event:
    return Event(
        kind=row["kind"],
        key=row["event_key"],
        subject=Ref(row["subject_kind"], row["subject_id"]),
        at=from_text(row["at"]),
        order_id=row["order_id"],
        customer_id=row["customer_id"],
        data=codec.decode(row["data"], dict[str, str]),
    )


def _add_people(tx: Tx, shop_id: str, past: Past) -> None:
    found = [item.order for item in past.orders.values()]
    customers = list(dict.fromkeys(who.id for who in _buyers((*found, *past.carts.values())) if who.id))
    owned: list[Order | Checkout] = [*found, *past.carts.values()]
    keys = list(dict.fromkeys(key for each in owned if (key := address_of(each))))
    for row in tx.all("past_accounts", shop_id=shop_id, ids=id_list(customers)):
        past.accounts[row["customer_id"]] = codec.decode(row["snapshot"], Customer)
    addresses = id_list(_with_accounts(keys, past.accounts.values()))
    for row in tx.all("past_consents", shop_id=shop_id, keys=addresses, ids=id_list(customers)):
        past.consents.append(_consent(row))
    for row in tx.all("past_suppressions", shop_id=shop_id, keys=addresses):
        channel = Channel.of(row["channel"])
        at = from_text(row["at"])
        past.suppressed.append(Suppressed(row["address_key"], channel, row["scope"], row["reason"], at))
    for row in tx.all("past_codes", shop_id=shop_id, keys=addresses):
        at = from_text(row["created_at"])
        owner = (row["advocate_email_key"], row["advocate_customer_id"])
        past.codes.append(KnownCode(row["code_key"], *owner, row["order_id"], at))


Said = Consent | Suppressed | KnownCode


def names_of(row: Said) -> set[str]:
    """Whose it is: the addresses and accounts it names."""
    match row:
        case Consent(address=address, customer_id=customer_id):
            return {name for name in (address, customer_id and f"c/{customer_id}") if name}
        case Suppressed(address_key=address):
            return {address}
        case KnownCode(advocate_email_key=address):
            return {address}


def part(whole: Past, ids: Iterable[str], said: Mapping[str, Sequence[Said]]) -> Past:
    """What of `whole` belongs to these orders and checkouts. `said` is everything people said, by `names_of`."""
    wanted = list(ids)
    found = Past(
        orders={each: whole.orders[each] for each in wanted if each in whole.orders},
        carts={each: whole.carts[each] for each in wanted if each in whole.carts},
    )
    names: dict[str, None] = {}
    owned: list[Order | Checkout] = [*(each.order for each in found.orders.values()), *found.carts.values()]
    for item in owned:
        customer = item.customer
        account = whole.accounts.get(customer.id) if customer is not None and customer.id else None
        if customer is not None and customer.id:
            names[f"c/{customer.id}"] = None
        if account is not None and account.id is not None:
            found.accounts[account.id] = account
        for key in (address_of(item), account.email_key if account is not None else None):
            if key:
                names[key] = None
    for row in dict.fromkeys(row for name in names for row in said.get(name, ())):
        match row:
            case Consent():
                found.consents.append(row)
            case Suppressed():
                found.suppressed.append(row)
            case KnownCode():
                found.codes.append(row)
    return found


def address_of(order: Order | Checkout) -> str | None:
    """The address an order or checkout is known by, as the store keeps it."""
    return email_key(order.email or (order.customer.email if order.customer else None))


def _buyers(found: Iterable[Order | Checkout]) -> Iterator[Customer]:
    return (each.customer for each in found if each.customer is not None)


def _with_accounts(keys: Sequence[str], accounts: Iterable[Customer]) -> list[str]:
    return list(dict.fromkeys((*keys, *(key for account in accounts if (key := account.email_key)))))


def _consent(row: Row) -> Consent:
    return Consent(
        channel=Channel.of(row["channel"]),
        purpose=Purpose.of(row["purpose"]),
        state=ConsentState.of(row["state"]),
        raw_state=row["raw_state"],
        at=from_text(row["at"]),
        source=row["source"],
        address=row["address_key"] or None,
        customer_id=row["customer_id"] or None,
        evidence=row["evidence"],
    )
