"""What an order of Vendure means in Kiitos' words. Pure; raises only `MalformedPayload`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from connector.clock import from_text, to_text
from connector.errors import MalformedPayload
from connector.model import (
    Address,
    AppliedDiscount,
    Customer,
    Event,
    EventKind,
    FinancialStatus,
    FulfillmentStatus,
    LineItem,
    Money,
    Order,
    OrderStatus,
    Ref,
    Refund,
    Shipment,
    ShipmentStatus,
    ShippedLine,
)
from kiitos_vendure.payloads import Buyer, Id, Line, OrderBody, Parcel, Place, Refunded

# docs.vendure.io/guides/core-concepts/orders: the states of the default order process.
STATUS = {
    "Draft": OrderStatus.DRAFT,
    "AddingItems": OrderStatus.DRAFT,
    "ArrangingPayment": OrderStatus.DRAFT,
    "PaymentAuthorized": OrderStatus.OPEN,
    "PaymentSettled": OrderStatus.OPEN,
    "PartiallyShipped": OrderStatus.OPEN,
    "Shipped": OrderStatus.OPEN,
    "PartiallyDelivered": OrderStatus.OPEN,
    "Delivered": OrderStatus.COMPLETED,
    "Modifying": OrderStatus.OPEN,
    "ArrangingAdditionalPayment": OrderStatus.OPEN,
    "Cancelled": OrderStatus.CANCELLED,
}
FULFILLMENT = {
    "PartiallyShipped": FulfillmentStatus.PARTIAL,
    "Shipped": FulfillmentStatus.FULFILLED,
    "PartiallyDelivered": FulfillmentStatus.FULFILLED,
    "Delivered": FulfillmentStatus.FULFILLED,
}
PARCEL = {
    "Created": ShipmentStatus.LABEL,
    "Pending": ShipmentStatus.LABEL,
    "Shipped": ShipmentStatus.SHIPPED,
    "Delivered": ShipmentStatus.DELIVERED,
    "Cancelled": ShipmentStatus.CANCELLED,
}


def order_events(body: OrderBody) -> tuple[Event, ...]:
    """Every event the picture proves; `()` for a cart. Keys come from the order, so a repetition changes nothing."""
    if body.order_placed_at is None:
        return ()
    order = _order(body)
    events = [
        _of(order, EventKind.ORDER_UPDATED, f"updated/{_mark(body, order)}", order.updated_at),
        _of(order, EventKind.ORDER_CREATED, "created", order.placed_at),
    ]
    if order.paid_at is not None:
        events.append(_of(order, EventKind.ORDER_PAID, "paid", order.paid_at))
    for number, parcel in enumerate(body.fulfillments or ()):
        events.extend(_parcel_events(order, _shipment(order, parcel, f"order.fulfillments.{number}")))
    if order.fulfillment is FulfillmentStatus.FULFILLED:
        events.append(_of(order, EventKind.ORDER_FULFILLED, "fulfilled", order.updated_at))
    events.extend(_refund_event(order, refund, path) for refund, path in _refunds(body))
    if order.status is OrderStatus.CANCELLED:
        events.append(_of(order, EventKind.ORDER_CANCELLED, "cancelled", order.updated_at))
    return tuple(events)


def _order(body: OrderBody) -> Order:
    refunded = sum((refund.total for refund, _ in _refunds(body)), 0)
    return Order(
        id=_id(body.id, "order.id"),
        number=body.code,
        status=STATUS.get(body.state, OrderStatus.OTHER),
        raw_status=body.state,
        financial=_financial(body, refunded),
        fulfillment=FULFILLMENT.get(body.state, FulfillmentStatus.UNFULFILLED),
        placed_at=_time(body.order_placed_at or body.created_at, "order.orderPlacedAt"),
        updated_at=max(_times(body)),
        paid_at=_paid_at(body),
        currency=_currency(body),
        total=_money(body.total_with_tax, body),
        subtotal=None if body.sub_total_with_tax is None else _money(body.sub_total_with_tax, body),
        shipping=None if body.shipping_with_tax is None else _money(body.shipping_with_tax, body),
        refunded=_money(refunded, body) if refunded else None,
        taxes_included=True,
        customer=_customer(body.customer),
        email=_text(body.customer.email_address) if body.customer else None,
        phone=_phone(body),
        lines=tuple(_line(line, body, f"order.lines.{number}") for number, line in enumerate(body.lines or ())),
        shipping_address=_address(body.shipping_address),
        billing_address=_address(body.billing_address),
        discounts=tuple(AppliedDiscount(code=code) for code in body.coupon_codes or () if code),
        payment_methods=tuple(text for payment in body.payments or () if (text := _text(payment.method))),
        source="web",
    )


def _times(body: OrderBody) -> Iterator[datetime]:
    """When each part changed: Vendure leaves the order's own `updatedAt` alone when only a parcel moves."""
    yield _time(body.updated_at, "order.updatedAt")
    yield _time(body.order_placed_at or body.created_at, "order.orderPlacedAt")
    for number, payment in enumerate(body.payments or ()):
        yield _time(payment.updated_at, f"order.payments.{number}.updatedAt")
    for number, parcel in enumerate(body.fulfillments or ()):
        yield _time(parcel.updated_at, f"order.fulfillments.{number}.updatedAt")
    for refund, path in _refunds(body):
        yield _time(refund.updated_at, f"{path}.updatedAt")


def _financial(body: OrderBody, refunded: int) -> FinancialStatus:
    settled = sum(payment.amount for payment in body.payments or () if payment.state == "Settled")
    if refunded:
        return FinancialStatus.REFUNDED if refunded >= settled else FinancialStatus.PARTIALLY_REFUNDED
    if settled >= body.total_with_tax and body.payments:
        return FinancialStatus.PAID
    if settled:
        return FinancialStatus.PARTIALLY_PAID
    authorized = any(payment.state == "Authorized" for payment in body.payments or ())
    return FinancialStatus.AUTHORIZED if authorized else FinancialStatus.PENDING


def _paid_at(body: OrderBody) -> datetime | None:
    """When the last of the payments that settle the total was made."""
    settled = [payment for payment in body.payments or () if payment.state == "Settled"]
    if not settled or sum(payment.amount for payment in settled) < body.total_with_tax:
        return None
    return max(_time(payment.created_at, "order.payments.createdAt") for payment in settled)


def _refunds(body: OrderBody) -> Iterator[tuple[Refunded, str]]:
    for number, payment in enumerate(body.payments or ()):
        for place, refund in enumerate(payment.refunds or ()):
            if refund.state == "Settled":
                yield refund, f"order.payments.{number}.refunds.{place}"


def _refund_event(order: Order, refund: Refunded, path: str) -> Event:
    at = _time(refund.updated_at, f"{path}.updatedAt")
    found = Refund(
        id=_id(refund.id, f"{path}.id"),
        order_id=order.id,
        at=at,
        amount=Money(Decimal(refund.total).scaleb(-2), order.currency),
        reason=_text(refund.reason),
    )
    return Event(
        kind=EventKind.REFUND_CREATED,
        key=f"refund/{found.id}",
        subject=Ref("refund", found.id),
        at=at,
        order_id=order.id,
        customer_id=order.customer.id if order.customer else None,
        order=order,
        refund=found,
    )


def _line(line: Line, body: OrderBody, path: str) -> LineItem:
    variant = line.product_variant
    return LineItem(
        id=_id(line.id, f"{path}.id"),
        title=variant.name,
        quantity=line.order_placed_quantity or line.quantity,
        current_quantity=line.quantity,
        unit_price=_money(line.prorated_unit_price_with_tax, body),
        total=_money(line.prorated_line_price_with_tax, body),
        product_id=_text(variant.product.id) if variant.product else None,
        variant_id=_id(variant.id, f"{path}.productVariant.id"),
        sku=_text(variant.sku),
    )


def _customer(buyer: Buyer | None) -> Customer | None:
    if buyer is None:
        return None
    return Customer(
        id=_text(buyer.id),
        email=_text(buyer.email_address),
        phone=_text(buyer.phone_number),
        first_name=_text(buyer.first_name),
        last_name=_text(buyer.last_name),
    )


def _phone(body: OrderBody) -> str | None:
    given = body.shipping_address.phone_number if body.shipping_address else None
    return _text(given) or (_text(body.customer.phone_number) if body.customer else None)


def _address(place: Place | None) -> Address | None:
    if place is None:
        return None
    first, _, last = (_text(place.full_name) or "").rpartition(" ")
    return Address(
        first_name=first or None,
        last_name=last or None,
        company=_text(place.company),
        lines=tuple(text for text in (_text(place.street_line1), _text(place.street_line2)) if text),
        city=_text(place.city),
        region=_text(place.province),
        postcode=_text(place.postal_code),
        country=_text(place.country_code),
        phone=_text(place.phone_number),
    )


def _shipment(order: Order, parcel: Parcel, path: str) -> Shipment:
    titles = {line.id: line.title for line in order.lines}
    lines = [(_text(part.order_line_id), part.quantity) for part in parcel.lines or ()]
    return Shipment(
        id=_id(parcel.id, f"{path}.id"),
        order_id=order.id,
        status=PARCEL.get(parcel.state, ShipmentStatus.OTHER),
        raw_status=parcel.state,
        created_at=_time(parcel.created_at, f"{path}.createdAt"),
        updated_at=_time(parcel.updated_at, f"{path}.updatedAt"),
        carrier=_text(parcel.method),
        tracking_numbers=tuple(text for text in [_text(parcel.tracking_code)] if text),
        lines=tuple(ShippedLine(line_id=each, quantity=n, title=titles.get(each, "")) for each, n in lines if each),
    )


def _parcel_events(order: Order, shipment: Shipment) -> Iterator[Event]:
    """A parcel is news once it left: in Vendure it exists from the packing on."""
    left = (ShipmentStatus.SHIPPED, ShipmentStatus.DELIVERED)
    states = [
        ("created", EventKind.SHIPMENT_CREATED, shipment.status in left),
        ("delivered", EventKind.SHIPMENT_DELIVERED, shipment.status is ShipmentStatus.DELIVERED),
        ("cancelled", EventKind.SHIPMENT_CANCELLED, shipment.status is ShipmentStatus.CANCELLED),
    ]
    for state, kind, happened in states:
        if happened:
            yield Event(
                kind=kind,
                key=f"shipment/{shipment.id}/{state}",
                subject=Ref("shipment", shipment.id),
                at=shipment.updated_at,
                order_id=order.id,
                customer_id=order.customer.id if order.customer else None,
                order=order,
                shipment=shipment,
            )


def _of(order: Order, kind: EventKind, what: str, at: datetime) -> Event:
    return Event(
        kind=kind,
        key=f"order/{order.id}/{what}",
        subject=Ref("order", order.id),
        at=at,
        order_id=order.id,
        customer_id=order.customer.id if order.customer else None,
        order=order,
        customer=order.customer,
    )


def _mark(body: OrderBody, order: Order) -> str:
    """The state told, in short: SQLite's times are whole seconds, within which a parcel may leave and arrive."""
    parcels = [(str(parcel.id), parcel.state) for parcel in body.fulfillments or ()]
    told = f"{body.state}\n{parcels}\n{order.financial}"
    return f"{to_text(order.updated_at)}/{hashlib.sha256(told.encode()).hexdigest()[:8]}"


def _currency(body: OrderBody) -> str:
    return _money(0, body).currency


def _money(amount: int, body: OrderBody) -> Money:
    try:
        return Money(Decimal(amount).scaleb(-2), body.currency_code)
    except (TypeError, ArithmeticError):
        raise MalformedPayload("not a currency", path="order.currencyCode") from None


def _id(value: Id, path: str) -> str:
    found = _text(value)
    if found is None:
        raise MalformedPayload("an empty id", path=path)
    return found


def _text(value: Id | None) -> str | None:
    """Text without spaces around it; nothing for null and for what is empty."""
    return str(value).strip() or None if value is not None else None


def _time(value: str, path: str) -> datetime:
    try:
        return from_text(value)
    except (ValueError, TypeError, OverflowError):
        raise MalformedPayload("not a time", path=path) from None
