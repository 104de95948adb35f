"""Orders, refunds and returns as the model knows them, and the events their bodies prove."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from connector.clock import to_text
from connector.model import (
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
    ShippedLine,
    Shop,
    TaxLine,
)
from platforms.shopify.customers import guest, read_address, read_customer
from platforms.shopify.payloads import orders as raw
from platforms.shopify.reading import (
    Till,
    currency,
    ident,
    money,
    pairs,
    required_id,
    required_time,
    tags,
    text,
    texts,
    time,
)
from platforms.shopify.shipments import shipment_events

# webhooks say null, partial, fulfilled, restocked; GraphQL has OrderDisplayFulfillmentStatus (2026-10)
_FULFILLMENT = {
    "": FulfillmentStatus.UNFULFILLED,
    "unfulfilled": FulfillmentStatus.UNFULFILLED,
    "in_progress": FulfillmentStatus.UNFULFILLED,
    "on_hold": FulfillmentStatus.UNFULFILLED,
    "open": FulfillmentStatus.UNFULFILLED,
    "pending": FulfillmentStatus.UNFULFILLED,
    "pending_fulfillment": FulfillmentStatus.UNFULFILLED,
    "request_declined": FulfillmentStatus.UNFULFILLED,
    "scheduled": FulfillmentStatus.UNFULFILLED,
    "partial": FulfillmentStatus.PARTIAL,
    "partially_fulfilled": FulfillmentStatus.PARTIAL,
    "fulfilled": FulfillmentStatus.FULFILLED,
    "not_required": FulfillmentStatus.NOT_REQUIRED,
    "fulfillment_not_required": FulfillmentStatus.NOT_REQUIRED,
    "restocked": FulfillmentStatus.RESTOCKED,
}

_PAID = frozenset({FinancialStatus.PAID, FinancialStatus.PARTIALLY_REFUNDED, FinancialStatus.REFUNDED})

PAID_TIME_DOUBT = timedelta(days=3)
"""Beyond it an orders/updated body no longer tells when the order was paid; see `_paid_at`."""


def read_order(payload: raw.Order, topic: str, shop: Shop) -> Order:
    """One order body as an order. Raises `MalformedPayload`."""
    order_id = required_id(payload.id, topic, "id")
    created_at = required_time(payload.created_at, topic, "created_at")
    till = _till(payload, topic, shop)
    financial = (payload.financial_status or "").lower()
    fulfillment = (payload.fulfillment_status or "").lower()
    cancelled_at, closed_at = time(payload.cancelled_at), time(payload.closed_at)
    email = text(payload.email) or text(payload.contact_email)
    status, raw_status = OrderStatus.OPEN, "open"
    if cancelled_at:
        status, raw_status = OrderStatus.CANCELLED, "cancelled"
    elif closed_at:
        status, raw_status = OrderStatus.COMPLETED, "closed"
    placed_at = time(payload.processed_at) or created_at
    updated_at = time(payload.updated_at) or created_at
    known_financial = FinancialStatus.of(financial)
    return Order(
        id=order_id,
        number=text(payload.name) or ident(payload.order_number) or order_id,
        status=status,
        raw_status=raw_status,
        financial=known_financial,
        raw_financial=financial,
        fulfillment=_FULFILLMENT.get(fulfillment, FulfillmentStatus.OTHER),
        raw_fulfillment=fulfillment,
        placed_at=placed_at,
        updated_at=updated_at,
        paid_at=_paid_at(payload, topic, placed_at, updated_at) if known_financial in _PAID else None,
        cancelled_at=cancelled_at,
        closed_at=closed_at,
        currency=till.currency,
        shop_currency=till.shop_currency,
        total=till.required(payload.total_price_set, payload.total_price, "total_price"),
        subtotal=till.read(payload.subtotal_price_set, payload.subtotal_price, "subtotal_price"),
        shipping=till.read(payload.total_shipping_price_set, None, "total_shipping_price"),
        tax=till.read(payload.total_tax_set, payload.total_tax, "total_tax"),
        tax_lines=tuple(_tax_lines(payload, till)),
        taxes_included=payload.taxes_included,
        discount=till.read(payload.total_discounts_set, payload.total_discounts, "total_discounts"),
        discounts=tuple(_discounts(payload, till)),
        refunded=_refunded(payload, till),
        customer=_buyer(payload, email, topic),
        email=email,
        phone=text(payload.phone),
        locale=text(payload.customer_locale),
        lines=tuple(_line(line, till, index) for index, line in enumerate(payload.line_items or ())),
        shipping_address=read_address(payload.shipping_address),
        billing_address=read_address(payload.billing_address),
        status_url=text(payload.order_status_url),
        source=text(payload.source_name),
        landing=text(payload.landing_site),
        referrer=text(payload.referring_site),
        checkout_token=text(payload.checkout_token),
        cart_token=text(payload.cart_token),
        attributes=pairs(payload.note_attributes),
        tags=tags(payload.tags),
        note=text(payload.note),
        company=ident(payload.company.id) if payload.company else None,
        payment_methods=texts(payload.payment_gateway_names),
        is_test=bool(payload.test),
    )


def _till(payload: raw.Order, topic: str, shop: Shop) -> Till:
    """The order's currency is the presentment currency only where the total is really given in it."""
    shop_currency = currency(payload.currency, shop.currency, topic, "currency")
    shown = payload.total_price_set.presentment_money if payload.total_price_set else None
    presented = (text(payload.presentment_currency) or "").upper()
    if shown and shown.amount is not None and presented and (shown.currency_code or "").strip().upper() == presented:
        return Till(topic, presented, shop_currency)
    return Till(topic, shop_currency, shop_currency)


def _buyer(payload: raw.Order, email: str | None, topic: str) -> Customer | None:
    """The customer; a guest (null, `{}`) is made of the order's e-mail, phone and billing name. `None` for nobody."""
    known = read_customer(payload.customer, topic)
    if known is not None:
        return known
    address = read_address(payload.billing_address) or read_address(payload.shipping_address)
    return guest(email, text(payload.phone), address, text(payload.customer_locale))


def _line(payload: raw.Line, till: Till, index: int) -> LineItem:
    path = f"line_items[{index}]."
    price = till.required(payload.price_set, payload.price, f"{path}price")
    off = _line_discount(payload, price, till, path)
    return LineItem(
        id=required_id(payload.id, till.topic, f"{path}id"),
        title=text(payload.title) or text(payload.name) or "",
        quantity=payload.quantity,
        current_quantity=payload.current_quantity,
        unit_price=price,
        total=Money(price.amount * payload.quantity - off, price.currency),
        variant_title=text(payload.variant_title),
        product_id=ident(payload.product_id),
        variant_id=ident(payload.variant_id),
        sku=text(payload.sku),
        image_url=text(payload.image_url),
        product_url=text(payload.product_url),
        requires_shipping=payload.requires_shipping is not False,
        is_gift_card=bool(payload.gift_card),
        selling_plan_id=ident(payload.selling_plan_id),
        properties=pairs(payload.properties),
    )


def _line_discount(payload: raw.Line, price: Money, till: Till, path: str) -> Decimal:
    """What the line's allocations (or, where there are none, its own discount) take off, in the price's currency."""
    parts = [
        till.read(part.amount_set, part.amount, f"{path}discount_allocations[{index}].amount")
        for index, part in enumerate(payload.discount_allocations or ())
    ] or [till.read(payload.total_discount_set, payload.total_discount, f"{path}total_discount")]
    return sum((part.amount for part in parts if part is not None and part.currency == price.currency), Decimal(0))


def _tax_lines(payload: raw.Order, till: Till) -> Iterator[TaxLine]:
    for index, line in enumerate(payload.tax_lines or ()):
        amount = till.read(line.price_set, line.price, f"tax_lines[{index}].price")
        if amount is not None:
            yield TaxLine(
                title=text(line.title) or "", amount=amount, rate=None if line.rate is None else str(line.rate)
            )


def _discounts(payload: raw.Order, till: Till) -> Iterator[AppliedDiscount]:
    """Codes first, then automatic ones. A code's amount has no set: it is told only where there is one currency."""
    single = till.currency == till.shop_currency
    for index, item in enumerate(payload.discount_codes or ()):
        if code := text(item.code):
            amount = till.read(None, item.amount, f"discount_codes[{index}].amount") if single else None
            yield AppliedDiscount(code=code, amount=amount)
    for applied in payload.discount_applications or ():
        if applied.type and applied.type != "discount_code":
            yield AppliedDiscount(code="", title=text(applied.title) or text(applied.description))


def refund_amount(payload: raw.Refund, till: Till, path: str = "") -> Money | None:
    """The money a refund moves: its refund transactions that succeeded or are under way.

    Where those are in another currency than the order's, the refunded lines and adjustments (told in both) are
    summed. `None` where neither tells. A refund without transactions moves no money: zero.
    """
    total = Money.zero(till.currency)
    moved = [t for t in payload.transactions or () if t.kind == "refund" and t.status in ("success", "pending")]
    for index, moving in enumerate(moved):
        moved_in = currency(moving.currency, till.shop_currency, till.topic, f"{path}transactions[{index}].currency")
        if moved_in != till.currency:
            return _refund_by_lines(payload, till, path)
        where = f"{path}transactions[{index}].amount"
        total = total + (money(moving.amount, moved_in, till.topic, where) or Money.zero(moved_in))
    return total


def _refund_by_lines(payload: raw.Refund, till: Till, path: str) -> Money | None:
    total, told = Money.zero(till.currency), False
    parts = [(s, 1) for line in payload.refund_line_items or () for s in (line.subtotal_set, line.total_tax_set)]
    parts += [(s, -1) for item in payload.order_adjustments or () for s in (item.amount_set, item.tax_amount_set)]
    for money_set, sign in parts:
        found = till.read(money_set, None, f"{path}refund_line_items")
        if found is not None and found.currency == total.currency:
            total, told = total + found * Decimal(sign), True
    return total if told else None


def _refunded(payload: raw.Order, till: Till) -> Money | None:
    """The sum of all refunds; `None` when one of them cannot be told."""
    total = Money.zero(till.currency)
    for index, refund in enumerate(payload.refunds or ()):
        amount = refund_amount(refund, till, f"refunds[{index}].")
        if amount is None:
            return None
        total = total + amount
    return total


def refund_event(payload: raw.Refund, order_id: str, till: Till, otherwise: datetime, path: str = "") -> Event:
    """One refund: `refund/{id}`."""
    refund_id = required_id(payload.id, till.topic, f"{path}id")
    at = time(payload.processed_at) or time(payload.created_at) or otherwise
    lines = tuple(
        ShippedLine(line_id=line_id, quantity=line.quantity or 0, title=text(item.title) or "" if item else "")
        for line in payload.refund_line_items or ()
        for item in (line.line_item,)
        if (line_id := ident(line.line_item_id) or (ident(item.id) if item else None))
    )
    refund = Refund(
        id=refund_id,
        order_id=order_id,
        at=at,
        amount=refund_amount(payload, till, path),
        reason=text(payload.note),
        lines=lines,
    )
    return Event(
        kind=EventKind.REFUND_CREATED,
        key=f"refund/{refund_id}",
        subject=Ref("refund", refund_id),
        at=at,
        order_id=order_id,
        refund=refund,
    )


def _paid_at(payload: raw.Order, topic: str, placed_at: datetime, updated_at: datetime) -> datetime | None:
    """When a paid order was paid, `None` where the body leaves it in doubt.

    orders/paid tells it by its own time. Other bodies say only that it is paid by now: for an order that was placed
    within `PAID_TIME_DOUBT` the time of purchase is near enough. An older one may have been paid a month ago or this
    minute, and a wrong time under the key `order/{id}/paid` would hide the right one; orders/paid or the next fetch
    (which reads the transactions) tells it.
    """
    told = time(payload.paid_at)
    if told:
        return told
    if topic == "orders/paid":
        return updated_at
    return placed_at if updated_at - placed_at <= PAID_TIME_DOUBT else None


def order_events(payload: raw.Order, topic: str, shop: Shop) -> list[Event]:
    """Every event an order body proves, the snapshot first."""
    order = read_order(payload, topic, shop)
    events = [
        _order_event(EventKind.ORDER_UPDATED, f"updated/{to_text(order.updated_at)}", order, order.updated_at),
        _order_event(EventKind.ORDER_CREATED, "created", order, order.placed_at),
    ]
    if order.paid_at:
        events.append(_order_event(EventKind.ORDER_PAID, "paid", order, order.paid_at))
    for index, fulfillment in enumerate(payload.fulfillments or ()):
        events.extend(shipment_events(fulfillment, order.id, topic, f"fulfillments[{index}]."))
    if order.fulfillment is FulfillmentStatus.FULFILLED:
        parcels = [event.at for event in events if event.kind == EventKind.SHIPMENT_CREATED]
        events.append(
            _order_event(EventKind.ORDER_FULFILLED, "fulfilled", order, max(parcels, default=order.updated_at))
        )
    if payload.refunds:
        till = _till(payload, topic, shop)
        for index, refund in enumerate(payload.refunds):
            events.append(refund_event(refund, order.id, till, order.updated_at, f"refunds[{index}]."))
    if order.cancelled_at:
        events.append(_order_event(EventKind.ORDER_CANCELLED, "cancelled", order, order.cancelled_at))
    return _once(events)


def _once(events: list[Event]) -> list[Event]:
    """A body that lists a parcel or refund twice still tells each event once."""
    return list({event.key: event for event in reversed(events)}.values())[::-1]


def _order_event(kind: str, key: str, order: Order, at: datetime) -> Event:
    return Event(
        kind=kind,
        key=f"order/{order.id}/{key}",
        subject=Ref("order", order.id),
        at=at,
        order_id=order.id,
        customer_id=order.customer.id if order.customer else None,
        order=order,
    )


def link_requested(payload: raw.Order, topic: str, shop: Shop, at: datetime) -> list[Event]:
    """orders/link_requested: the customer asks for a new link to the order; the body is the whole order.

    shopify.dev/changelog/posts/introducing-the-orderslinkrequested-webhook-topic. Each request is an event of its own,
    told apart by the delivery's trigger time: the order itself does not change.
    """
    events = order_events(payload, topic, shop)
    order = events[0].order
    if order is not None:
        events.append(_order_event(EventKind.ORDER_LINK_REQUESTED, f"link_requested/{to_text(at)}", order, at))
    return events


def order_edited(payload: raw.OrderEdit, topic: str, otherwise: datetime) -> Event:
    """orders/edited tells what was changed, not what the order is now."""
    order_id = required_id(payload.order_id, topic, "order_edit.order_id")
    edit_id = required_id(payload.id, topic, "order_edit.id")
    return Event(
        kind=EventKind.ORDER_EDITED,
        key=f"order/{order_id}/edited/{edit_id}",
        subject=Ref("order", order_id),
        at=time(payload.committed_at) or time(payload.created_at) or otherwise,
        order_id=order_id,
    )


def order_deleted(order_id: str, at: datetime) -> Event:
    """orders/delete carries only the id."""
    return Event(
        kind=EventKind.ORDER_DELETED,
        key=f"order/{order_id}/deleted",
        subject=Ref("order", order_id),
        at=at,
        order_id=order_id,
    )
