"""Which events a WooCommerce snapshot proves.

Deliveries collapse, come in any order and are built when they are sent (facts/woocommerce.md section 0), so a body
says how things are, never what happened. Every event it proves is emitted, under a key from the payload: what was
seen before is ignored by its key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from connector.clock import to_text
from connector.model import Checkout, Event, EventKind, Order, Product, Ref, Refund, Shipment, ShipmentStatus, Shop
from platforms.woocommerce.fields import ERASED_EMAIL, decimal, ident, items, label, line, moment, money_or_zero, web
from platforms.woocommerce.orders import CHECKOUTS, DRAFTS, PAID, Snapshot, read_order
from platforms.woocommerce.payloads import AddressBody, CouponBody, CustomerBody, OrderBody, ProductBody
from platforms.woocommerce.people import STAFF_ROLES, read_customer

UNKNOWN_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""`at` of a recheck or deleted account: neither body nor headers hold a time, and a pure function has no clock."""

_CHECKOUT_LINK_SINCE = 10


def order_events(body: OrderBody, shop: Shop) -> list[Event]:
    """All events of an order snapshot; a draft is a checkout at most, an order in the trash is deleted.

    What can happen to one order more than once has a date in its key: completed again, it is fulfilled anew
    (`date_completed` is set at each completion and stays through later changes). Of a cancellation no date is kept,
    so the last change stands for it: a later change of a cancelled order is `order.cancelled` once more, which
    finds nothing left to stop, while under one key for ever the second cancellation of an order taken up again
    would stop nothing. Raises `MalformedPayload`.
    """
    snapshot = read_order(body, shop)
    order = snapshot.order
    if snapshot.status in DRAFTS:
        return _checkout_events(body, order, shop)
    if snapshot.status == "trash":
        return [_of_order(order, EventKind.ORDER_DELETED, f"deleted/{to_text(order.updated_at)}", order.updated_at)]
    events = [
        _of_order(order, EventKind.ORDER_UPDATED, f"updated/{to_text(order.updated_at)}", order.updated_at),
        _of_order(order, EventKind.ORDER_CREATED, "created", order.placed_at),
    ]
    if order.paid_at is not None or snapshot.status in PAID:
        # Cash on delivery is processing without a date of payment: then the order itself is the only date known.
        events.append(_of_order(order, EventKind.ORDER_PAID, "paid", order.paid_at or order.placed_at))
    for shipment in snapshot.shipments:
        events.extend(_shipment_events(order, shipment))
    if snapshot.status == "completed":
        at = order.closed_at or order.updated_at
        when = f"/{to_text(order.closed_at)}" if order.closed_at else ""
        events.append(_of_order(order, EventKind.ORDER_FULFILLED, f"fulfilled{when}", at))
    events.extend(_refund_events(body, snapshot))
    if _was_erased(body):
        events.append(_redacted(order))
    if snapshot.status == "cancelled":
        key = f"cancelled/{to_text(order.updated_at)}"
        events.append(_of_order(order, EventKind.ORDER_CANCELLED, key, order.updated_at))
    return events


def _was_erased(body: OrderBody) -> bool:
    """Whether the merchant ran WordPress' personal data eraser over the order (facts/woocommerce.md 1.5)."""
    billing = body.billing if isinstance(body.billing, AddressBody) else AddressBody()
    return (line(billing.email) or "").lower() == ERASED_EMAIL


def _redacted(order: Order) -> Event:
    """WooCommerce has no topic for it: whoever placed the order is to be forgotten here too."""
    return Event(
        kind=EventKind.CUSTOMER_REDACTED,
        key=f"order/{order.id}/redacted",
        subject=Ref("order", order.id),
        at=order.updated_at,
        data={"orders": order.id},
    )


def _of_order(order: Order, kind: EventKind, key: str, at: datetime) -> Event:
    return Event(
        kind=kind,
        key=f"order/{order.id}/{key}",
        subject=Ref("order", order.id),
        at=at,
        order_id=order.id,
        customer_id=order.customer.id if order.customer else None,
        order=order,
    )


def _shipment_events(order: Order, shipment: Shipment) -> list[Event]:
    """Created, its state beyond shipped, and updated, keyed by what is told: an order's later change is no news of
    its parcels, and a corrected tracking number is news although no date says so."""
    told = f"{shipment.status}\n{shipment.carrier}\n{shipment.number}\n{shipment.tracking_urls}"
    states = [
        ("created", EventKind.SHIPMENT_CREATED, shipment.created_at),
        (f"updated/{hashlib.sha256(told.encode()).hexdigest()[:12]}", EventKind.SHIPMENT_UPDATED, shipment.updated_at),
    ]
    kind = EventKind.of(f"shipment.{shipment.status}")
    if kind is not EventKind.OTHER and shipment.status is not ShipmentStatus.SHIPPED:
        states.append((str(shipment.status), kind, shipment.updated_at))
    return [
        Event(
            kind=kind,
            key=f"shipment/{shipment.id}/{state}",
            subject=Ref("shipment", shipment.id),
            at=at,
            order_id=order.id,
            customer_id=order.customer.id if order.customer else None,
            order=order,
            shipment=shipment,
        )
        for state, kind, at in states
    ]


def _refund_events(body: OrderBody, snapshot: Snapshot) -> list[Event]:
    """One event a refund. The order says neither when it was made nor for which lines."""
    order = snapshot.order
    events = []
    for entry in items(body.refunds):
        amount = money_or_zero(entry.total, order.currency)
        refund = Refund(
            id=str(entry.id),
            order_id=order.id,
            at=order.updated_at,
            amount=-amount if amount.amount < 0 else amount,
            reason=label(entry.reason),
        )
        events.append(
            Event(
                kind=EventKind.REFUND_CREATED,
                key=f"refund/{refund.id}",
                subject=Ref("refund", refund.id),
                at=refund.at,
                order_id=order.id,
                customer_id=order.customer.id if order.customer else None,
                order=order,
                refund=refund,
            )
        )
    return events


def _checkout_events(body: OrderBody, order: Order, shop: Shop) -> list[Event]:
    """A draft of the block checkout, kept by shops before 10.8 as soon as an e-mail was typed.

    Drafts made by the REST API are strays of refused orders (an invalid coupon) and mean nothing.
    """
    token = line(body.order_key)
    if token is None or order.email is None or order.source not in CHECKOUTS:
        return []
    checkout = Checkout(
        token=token,
        currency=order.currency,
        started_at=order.placed_at,
        updated_at=order.updated_at,
        email=order.email,
        phone=order.phone,
        locale=order.locale,
        customer=order.customer,
        lines=order.lines,
        total=order.total,
        recovery_url=_recovery_url(body, order, shop),
        discount_codes=tuple(discount.code for discount in order.discounts if discount.code),
    )
    states = (
        (EventKind.CHECKOUT_STARTED, "started", checkout.started_at),
        (EventKind.CHECKOUT_UPDATED, f"updated/{to_text(checkout.updated_at)}", checkout.updated_at),
    )
    return [
        Event(
            kind=kind,
            key=f"checkout/{token}/{state}",
            subject=Ref("checkout", token),
            at=at,
            customer_id=order.customer.id if order.customer else None,
            checkout=checkout,
        )
        for kind, state, at in states
    ]


def _recovery_url(body: OrderBody, order: Order, shop: Shop) -> str | None:
    """Core's link that fills the cart again (`/checkout-link/`, WooCommerce 10.0 and later)."""
    major = (line(body.version) or "").partition(".")[0]
    if not (major.isdecimal() and len(major) < 4 and int(major) >= _CHECKOUT_LINK_SINCE) or not web(shop.url):
        return None
    wanted = [(item.variant_id or item.product_id, item.quantity) for item in order.lines]
    products = ",".join(f"{quote(product)}:{quantity}" for product, quantity in wanted if product and quantity > 0)
    return f"{(shop.url or '').rstrip('/')}/checkout-link/?products={products}" if products else None


def customer_events(body: CustomerBody) -> list[Event]:
    """An account: created (not for people who run the shop) and updated. Raises `MalformedPayload`."""
    customer = read_customer(body)
    states = []
    if customer.created_at is not None and (line(body.role) or "customer") not in STAFF_ROLES:
        states.append((EventKind.CUSTOMER_CREATED, "created", customer.created_at))
    if customer.updated_at is not None:
        states.append((EventKind.CUSTOMER_UPDATED, f"updated/{to_text(customer.updated_at)}", customer.updated_at))
    return [
        Event(
            kind=kind,
            key=f"customer/{customer.id}/{state}",
            subject=Ref("customer", customer.id or ""),
            at=at,
            customer_id=customer.id,
            customer=customer,
        )
        for kind, state, at in states
    ]


def customer_deleted(customer_id: str) -> Event:
    """The account is gone for good: WordPress gives no user id twice."""
    return Event(
        kind=EventKind.CUSTOMER_DELETED,
        key=f"customer/{customer_id}/deleted",
        subject=Ref("customer", customer_id),
        at=UNKNOWN_TIME,
        customer_id=customer_id,
    )


def product_events(body: ProductBody) -> list[Event]:
    """A product. A variation is none: its parent's own delivery tells what customers see. Raises `MalformedPayload`."""
    if line(body.type) == "variation" or ident(body.parent_id):
        return []
    updated = moment(body.date_modified_gmt, "$.date_modified_gmt") or moment(
        body.date_created_gmt, "$.date_created_gmt"
    )
    images = [image.get("src") for image in items(body.images) if isinstance(image, dict)]
    product = Product(
        id=str(body.id),
        title=label(body.name) or "",
        updated_at=updated,
        url=web(body.permalink),
        handle=line(body.slug),
        image_url=next((url for url in map(web, images) if url), None),
        product_type=next(iter(_names(body.categories)), None),
        vendor=next(iter(_names(body.brands)), None),
        tags=tuple(_names(body.tags)),
        raw_status=line(body.status) or "",
        in_stock=None if body.stock_status is None else line(body.stock_status) != "outofstock",
    )
    at = updated or UNKNOWN_TIME
    return [
        Event(
            kind=EventKind.PRODUCT_UPDATED,
            key=f"product/{product.id}/updated/{to_text(at)}",
            subject=Ref("product", product.id),
            at=at,
            product=product,
        )
    ]


def _names(terms: object) -> list[str]:
    names = (label(term.get("name")) for term in items(terms) if isinstance(term, dict))
    return [name for name in names if name]


def coupon_events(body: CouponBody) -> list[Event]:
    """A published coupon is a discount that exists; its use is told by orders only. Raises `MalformedPayload`."""
    code = line(body.code)
    if code is None or line(body.status) not in (None, "publish"):
        return []
    created = moment(body.date_created_gmt, "$.date_created_gmt") or UNKNOWN_TIME
    amount = decimal(body.amount)
    told = {"code": code, "type": line(body.discount_type) or "", "amount": "" if amount is None else str(amount)}
    return [
        Event(
            kind=EventKind.DISCOUNT_ADDED,
            key=f"discount/{body.id}/added",
            subject=Ref("discount", str(body.id)),
            at=created,
            data=told,
        )
    ]


def recheck(resource: str, resource_id: str | None, happened: str, delivery: str, reason: str) -> Event:
    """Look at the object again: the delivery itself is no fact. `data` holds `resource`, `id` ("" when the body did
    not say which) and `reason`.

    Each delivery asks for one look, so its `dedup_key` is part of the key. Two occasions within one second are one
    delivery; what a lost delivery would have asked for, only the object's next change makes good.
    """
    asked = hashlib.sha256(delivery.encode()).hexdigest()[:16]
    told: Mapping[str, str] = {"resource": resource, "id": resource_id or "", "reason": reason}
    return Event(
        kind=EventKind.RESOURCE_RECHECK,
        key=f"{resource}/{resource_id or 'unknown'}/recheck/{happened}/{asked}",
        subject=Ref(resource, resource_id or "unknown"),
        at=UNKNOWN_TIME,
        order_id=resource_id if resource == "order" else None,
        data=told,
    )
