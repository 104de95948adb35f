"""Orders, customers, products and checkouts as the platform last described them. What ships is in `parcels`.

Webhooks come late, twice and out of order: the newest `updated_at` wins, of equals the one that came later;
of an order's the one in which more has been done (paid, sent, refunded, cancelled), because Shopify's times are a
second fine and one purchase makes three snapshots within it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

from connector import codec
from connector.clock import from_text, to_text
from connector.model import (
    Checkout,
    Customer,
    Event,
    EventKind,
    FulfillmentStatus,
    Order,
    OrderStatus,
    Product,
    email_key,
)
from connector.store import purchases
from connector.store.db import Row, Tx
from connector.store.parcels import (
    put_refund,
    put_return,
    put_shipment,
    put_shipment_event,
    refunds,
    returns,
    shipment,
    shipment_delivered_at,
    shipment_times,
    shipments,
)
from connector.store.sql import id_list

__all__ = [
    "apply",
    "apply_many",
    "checkout",
    "customer",
    "customer_by_email",
    "order",
    "order_by_number",
    "orders_of",
    "products",
    "refunds",
    "returns",
    "shipment",
    "shipment_delivered_at",
    "shipment_times",
    "shipments",
]

_TOMBSTONES = {
    EventKind.ORDER_DELETED: "order_delete",
    EventKind.CUSTOMER_DELETED: "customer_delete",
    EventKind.PRODUCT_DELETED: "product_delete",
    EventKind.CHECKOUT_DELETED: "checkout_delete",
}

_TAGGING = frozenset({EventKind.CUSTOMER_TAGGED, EventKind.CUSTOMER_UNTAGGED})

_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def apply(tx: Tx, shop_id: str, event: Event, now: datetime) -> None:
    """Keep every snapshot the event carries, and what a deletion tells."""
    apply_many(tx, shop_id, (event,), now)


@dataclass(frozen=True, slots=True)
class Followers:
    """Whether an order has parcels, refunds and returns, and when it was last reviewed."""

    shipments: bool
    refunds: bool
    returns: bool
    reviewed_at: datetime | None


def followers(tx: Tx, shop_id: str, order_id: str) -> Followers:
    """What followed an order, in one question; the things themselves are then read only where there are any."""
    known: dict[tuple[str, str], Followers] = tx.recall("order_followers")
    if (shop_id, order_id) not in known:
        row = tx.one("order_followers", shop_id=shop_id, order_id=order_id)
        assert row is not None  # the query always gives one row
        known[shop_id, order_id] = _followers(row)
    return known[shop_id, order_id]


def _followers(row: Row) -> Followers:
    reviewed = row["reviewed_at"]
    return Followers(
        bool(row["shipments"]), bool(row["refunds"]), bool(row["returns"]), from_text(reviewed) if reviewed else None
    )


def foresee(tx: Tx, shop_id: str, order_ids: Iterable[str]) -> None:
    """Read at once the orders a batch is going to look at, and what followed them."""
    orders, known = tx.recall("order_get"), tx.recall("order_followers")
    wanted = id_list(order_ids)
    for row in tx.all("order_of_ids", shop_id=shop_id, ids=wanted):
        key = (shop_id, row["order_id"])
        orders[key] = row if row["updated_at"] is not None else None
        known[key] = _followers(row)


def foresee_customers(tx: Tx, shop_id: str, customer_ids: Iterable[str]) -> None:
    """Read at once the customers a batch is going to look at."""
    known, wanted = tx.recall("customer_get"), list(customer_ids)
    known.update(((shop_id, customer_id), None) for customer_id in wanted)
    for row in tx.all("customer_of_ids", shop_id=shop_id, ids=id_list(wanted)) if wanted else ():
        known[shop_id, row["customer_id"]] = _customer(row)


def apply_many(tx: Tx, shop_id: str, events: Iterable[Event], now: datetime) -> None:
    """The same for the events of one delivery: a snapshot that several of them share is written once."""
    last_order: Order | None = None
    tx.forget("situation")
    for event in events:
        if event.order is not None and event.order is not last_order:
            last_order = event.order
            _put_order(tx, shop_id, event.order)
        if event.customer is not None:
            _put_customer(tx, shop_id, event.customer, event.at)
        if event.product is not None:
            tx.forget("product_by_ids")
            _put_product(tx, shop_id, event.product, event.at)
        if event.checkout is not None:
            _put_checkout(tx, shop_id, event.checkout)
        if event.shipment is not None:
            put_shipment(tx, shop_id, event.shipment)
        if event.shipment_event is not None:
            put_shipment_event(tx, shop_id, event.shipment_event)
        if event.refund is not None:
            put_refund(tx, shop_id, event.refund)
        if event.return_ is not None:
            put_return(tx, shop_id, event.return_)
        if event.kind in _TAGGING and event.customer_id is not None:
            _retag(tx, shop_id, event.customer_id, event)
        tombstone = _TOMBSTONES.get(event.kind)  # type: ignore[call-overload]
        if tombstone is not None:
            tx.forget("product_by_ids")
            tx.forget("order_get")
            tx.forget("customer_get")
            tx.forget("purchase_of_buyer")
            # Some platforms tell only that it is gone (1970 stands for no time): that is newer than all that is known.
            at = event.at if event.at > _NO_TIME else now
            tx.run(tombstone, shop_id=shop_id, id=event.subject.id, at=to_text(at))


def _put_order(tx: Tx, shop_id: str, order: Order) -> None:
    buyer = order.customer
    row = {"updated_at": to_text(order.updated_at), "snapshot": codec.encode_text(order), "deleted": 0}
    if _is_old(order, row, _order_row(tx, shop_id, order.id)):
        return
    tx.recall("order_get")[shop_id, order.id] = row
    tx.later(
        "order_put",
        shop_id=shop_id,
        order_id=order.id,
        number=order.number,
        email_key=email_key(order.email or (buyer.email if buyer else None)),
        customer_id=buyer.id if buyer else None,
        placed_at=to_text(order.placed_at),
        updated_at=row["updated_at"],
        snapshot=row["snapshot"],
        bought=purchases.dump(order),
    )
    tx.forget("purchase_of_buyer")
    if buyer is not None and buyer.tags is not None:
        _learn(tx, shop_id, buyer)


def _is_old(order: Order, row: Row, known: Row | None) -> bool:
    """Whether what is stored stays. The statement says the same of times, for what another transaction wrote since."""
    if known is None or row["updated_at"] > known["updated_at"]:
        return False
    if row["updated_at"] < known["updated_at"] or known["deleted"]:
        return True
    # orders/create retried after orders/paid of the same second must not make the order unpaid again
    return row["snapshot"] != known["snapshot"] and _steps_done(_read_order(known["snapshot"])) > _steps_done(order)


def is_newer(order: Order, known: Order) -> bool:
    """Whether a snapshot takes the place of one that is not a tombstone: the rule of `_is_old` for what is at hand."""
    if order.updated_at != known.updated_at:
        return order.updated_at > known.updated_at
    return _steps_done(known) <= _steps_done(order)


def _steps_done(order: Order) -> int:
    """How far an order has come: of two snapshots of one second the further one is the newer."""
    sent = order.fulfillment in (FulfillmentStatus.PARTIAL, FulfillmentStatus.FULFILLED)
    whole = order.fulfillment is FulfillmentStatus.FULFILLED
    steps = (order.paid_at, order.closed_at, order.cancelled_at, sent, whole, order.refunded)
    return sum(bool(step) for step in steps)


def _put_customer(tx: Tx, shop_id: str, customer: Customer, at: datetime) -> None:
    if customer.id is None:
        return  # a guest is known by the order's address only
    if None in (customer.tags, customer.orders_count, customer.total_spent):
        known = _known_customer(tx, shop_id, customer.id)
        customer = completed(customer, known) if known else customer
    tx.recall("customer_get").pop((shop_id, customer.id), None)
    tx.later(
        "customer_put",
        shop_id=shop_id,
        customer_id=customer.id,
        email_key=customer.email_key,
        updated_at=to_text(customer.updated_at or at),
        snapshot=codec.encode_text(customer),
    )


def completed(customer: Customer, known: Customer) -> Customer:
    """The customer with what this snapshot does not say and another did (Shopify's webhooks carry no tags)."""
    return replace(
        customer,
        tags=known.tags if customer.tags is None else customer.tags,
        orders_count=known.orders_count if customer.orders_count is None else customer.orders_count,
        total_spent=known.total_spent if customer.total_spent is None else customer.total_spent,
        birthday=known.birthday if customer.birthday is None else customer.birthday,
    )


def _known_customer(tx: Tx, shop_id: str, customer_id: str | None) -> Customer | None:
    return customer(tx, shop_id, customer_id) if customer_id else None


def _learn(tx: Tx, shop_id: str, buyer: Customer) -> None:
    """An order that was read over the API tells its customer's tags; the next webhook about the order will not."""
    known = _known_customer(tx, shop_id, buyer.id)
    if known is None:
        _put_customer(tx, shop_id, replace(buyer, updated_at=None), _NO_TIME)
    elif known.tags != buyer.tags:
        _amend(tx, shop_id, replace(known, tags=buyer.tags))


def _retag(tx: Tx, shop_id: str, customer_id: str, event: Event) -> None:
    """Tags put on or taken off an account that is known, in the order we hear of it."""
    known = _known_customer(tx, shop_id, customer_id)
    if known is None:
        return
    named = [tag for text in event.data.get("tags", "").split(",") if (tag := text.strip())]
    kept = [tag for tag in known.tags or () if tag not in named]
    added = named if event.kind == EventKind.CUSTOMER_TAGGED else []
    _amend(tx, shop_id, replace(known, tags=(*kept, *added)))


def _amend(tx: Tx, shop_id: str, customer: Customer) -> None:
    tx.recall("customer_get").pop((shop_id, customer.id), None)
    tx.later("customer_amend", shop_id=shop_id, customer_id=customer.id, snapshot=codec.encode_text(customer))


def _put_product(tx: Tx, shop_id: str, product: Product, at: datetime) -> None:
    tx.later(
        "product_put",
        shop_id=shop_id,
        product_id=product.id,
        updated_at=to_text(product.updated_at or at),
        deleted=int(product.deleted),
        snapshot=codec.encode_text(product),
    )


def _put_checkout(tx: Tx, shop_id: str, checkout: Checkout) -> None:
    tx.later(
        "checkout_put",
        shop_id=shop_id,
        token=checkout.token,
        updated_at=to_text(checkout.updated_at),
        deleted=int(checkout.deleted),
        snapshot=codec.encode_text(checkout),
    )


def order(tx: Tx, shop_id: str, order_id: str) -> Order | None:
    """The order; one that was deleted has `OrderStatus.DELETED` (`None` when it was never seen alive)."""
    return _order(_order_row(tx, shop_id, order_id))


def _order_row(tx: Tx, shop_id: str, order_id: str) -> Row | None:
    known: dict[tuple[str, str], Row | None] = tx.recall("order_get")
    if (shop_id, order_id) not in known:
        known[shop_id, order_id] = tx.one("order_get", shop_id=shop_id, order_id=order_id)
    return known[shop_id, order_id]


def order_by_number(tx: Tx, shop_id: str, number: str) -> Order | None:
    """By the number the customer knows; deleted orders are not found."""
    return _order(tx.one("order_by_number", shop_id=shop_id, number=number))


def orders_of(tx: Tx, shop_id: str, email_key: str, limit: int = 50) -> list[Order]:
    """A person's orders, newest first, without deleted ones."""
    rows = tx.all("order_of_email", shop_id=shop_id, email_key=email_key, limit=limit)
    return [found for row in rows if (found := _order(row)) is not None]


def _order(row: Row | None) -> Order | None:
    if row is None or row["snapshot"] is None:
        return None
    found = _read_order(row["snapshot"])
    return replace(found, status=OrderStatus.DELETED) if row["deleted"] else found


@lru_cache(maxsize=512)
def _read_order(snapshot: str) -> Order:
    # An order is read again and again while its messages are prepared. Kept by its very text, so it cannot be stale.
    return codec.decode(snapshot, Order)


def customer(tx: Tx, shop_id: str, customer_id: str) -> Customer | None:
    """The customer; `deleted` is set when the platform said so."""
    known: dict[tuple[str, str], Customer | None] = tx.recall("customer_get")
    if (shop_id, customer_id) not in known:
        row = tx.one("customer_get", shop_id=shop_id, customer_id=customer_id)
        known[shop_id, customer_id] = _customer(row)
    return known[shop_id, customer_id]


def customer_by_email(tx: Tx, shop_id: str, email_key: str) -> Customer | None:
    """The customer with this address, the newest of several; deleted ones are not found."""
    return _customer(tx.one("customer_by_email", shop_id=shop_id, email_key=email_key))


def _customer(row: Row | None) -> Customer | None:
    if row is None or row["snapshot"] is None:
        return None
    found = codec.decode(row["snapshot"], Customer)
    return replace(found, deleted=True) if row["deleted"] else found


def products(tx: Tx, shop_id: str, ids: Sequence[str]) -> dict[str, Product]:
    """Those of `ids` that are known, by id; `deleted` is set when the platform said so."""
    known: dict[tuple[str, str], Product | None] = tx.recall("product_by_ids")  # a batch of orders wants the same ones
    missing = [wanted for wanted in dict.fromkeys(ids) if (shop_id, wanted) not in known]
    if missing:
        known.update(((shop_id, wanted), None) for wanted in missing)
        for row in tx.all("product_by_ids", shop_id=shop_id, ids=codec.encode_text(missing)):
            product = codec.decode(row["snapshot"], Product)
            known[shop_id, row["product_id"]] = replace(product, deleted=True) if row["deleted"] else product
    return {wanted: found for wanted in ids if (found := known[shop_id, wanted]) is not None}


def checkout(tx: Tx, shop_id: str, token: str) -> Checkout | None:
    """The checkout; `deleted` is set when the platform said so."""
    row = tx.one("checkout_get", shop_id=shop_id, token=token)
    if row is None or row["snapshot"] is None:
        return None
    found = codec.decode(row["snapshot"], Checkout)
    return replace(found, deleted=True) if row["deleted"] else found
