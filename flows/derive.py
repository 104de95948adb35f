"""What no platform says outright: that the whole order left, that all of it arrived.

A parcel counts while it lives (it was not cancelled). Every number is worked out anew from the snapshots, so the same
snapshots give the same answer in whatever order they came.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from datetime import datetime

from connector.model import (
    Event,
    EventKind,
    FinancialStatus,
    FulfillmentStatus,
    Order,
    OrderStatus,
    Ref,
    Refund,
    Return,
    Shipment,
    ShipmentStatus,
    Shop,
)
from flows.facts import Progress

Times = Mapping[str, Mapping[str, datetime]]
"""Shipment id to status to the first time it was seen in that status."""

_OVER = frozenset({OrderStatus.CANCELLED, OrderStatus.FAILED, OrderStatus.DELETED})
_CALLED_OFF = frozenset({"declined", "cancelled", "canceled"})
_STILL = frozenset({ShipmentStatus.LABEL, ShipmentStatus.OTHER, ShipmentStatus.CANCELLED})
COUNTER = "pos"
"""`Order.source` of a purchase at the counter, on both platforms: the customer leaves with the goods."""


def derive(
    order: Order,
    shipments: Sequence[Shipment],
    times: Times,
    refunds: Sequence[Refund],
    returns: Sequence[Return],
    reviewed_at: datetime | None,
    shop: Shop,
) -> Progress:
    """How far the order has come."""
    live = [parcel for parcel in shipments if parcel.status is not ShipmentStatus.CANCELLED]
    delivered = [parcel for parcel in live if parcel.status is ShipmentStatus.DELIVERED]
    shipped_at = _shipped_at(order, live, times)
    refunded = bool(refunds) or bool(order.refunded) or order.financial in _REFUNDED
    return Progress(
        shipped_at=shipped_at,
        delivered_at=_delivered_at(order, live, times, shipped_at),
        last_shipment_at=max((parcel.created_at for parcel in live), default=None),
        parcels=len(live),
        delivered_parcels=len(delivered),
        refunded=refunded,
        fully_refunded=_fully_refunded(order, refunds),
        returned=_returned(live, returns),
        cancelled=order.status in _OVER or order.cancelled_at is not None,
        reviewed_at=reviewed_at,
        abroad=_abroad(order, shop),
    )


_REFUNDED = frozenset({FinancialStatus.REFUNDED, FinancialStatus.PARTIALLY_REFUNDED})


def _shipped_at(order: Order, live: Sequence[Shipment], times: Times) -> datetime | None:
    if not _all_sent(order, live):
        return None
    if live:
        return max(_left_at(parcel, times) for parcel in live)
    if order.source == COUNTER:
        return order.placed_at
    if not order.needs_shipping and order.paid_at is not None:
        return order.paid_at
    return order.closed_at or order.updated_at


def _all_sent(order: Order, live: Sequence[Shipment]) -> bool:
    if order.fulfillment is FulfillmentStatus.FULFILLED or order.status is OrderStatus.COMPLETED:
        return True
    if not order.needs_shipping:
        return bool(order.lines) and order.financial is FinancialStatus.PAID
    if not live:
        return False
    if not all(parcel.lines for parcel in live):
        # A tracking number without its lines (most WooCommerce plugins) stands for the whole order,
        # unless the shop itself says that only a part left.
        return order.fulfillment is not FulfillmentStatus.PARTIAL
    sent: Counter[str] = Counter()
    for parcel in live:
        for line in parcel.lines:
            sent[line.line_id] += line.quantity
    return all(
        sent[line.id] >= _wanted(line.quantity, line.current_quantity) for line in order.lines if line.requires_shipping
    )


def _wanted(ordered: int, current: int | None) -> int:
    return ordered if current is None else current


def _left_at(parcel: Shipment, times: Times) -> datetime:
    """The first word that the parcel moves; a label printed is not yet a parcel on its way."""
    moved = [at for status, at in times.get(parcel.id, {}).items() if ShipmentStatus.of(status) not in _STILL]
    return min(moved, default=parcel.created_at)


def _delivered_at(order: Order, live: Sequence[Shipment], times: Times, shipped_at: datetime | None) -> datetime | None:
    if shipped_at is None:
        return None
    if _in_hand(order, live):
        return shipped_at
    if not live or any(parcel.status is not ShipmentStatus.DELIVERED for parcel in live):
        return None
    return max(times.get(parcel.id, {}).get(ShipmentStatus.DELIVERED, parcel.updated_at) for parcel in live)


def _in_hand(order: Order, live: Sequence[Shipment]) -> bool:
    """Bought at the counter or downloaded: nothing travels, so it arrived when it was handed over."""
    travels = any(parcel.tracking_numbers or parcel.tracking_urls for parcel in live)
    digital = bool(order.lines) and not order.needs_shipping
    return (digital or order.source == COUNTER) and not travels


def _fully_refunded(order: Order, refunds: Sequence[Refund]) -> bool:
    if order.financial is FinancialStatus.REFUNDED:
        return True
    if order.refunded is not None and order.refunded.currency == order.total.currency and order.total:
        return order.total <= order.refunded
    amounts = [refund.amount for refund in refunds]
    known = [money.amount for money in amounts if money is not None and money.currency == order.total.currency]
    return bool(order.total) and len(known) == len(amounts) > 0 and sum(known) >= order.total.amount


def _returned(live: Sequence[Shipment], returns: Sequence[Return]) -> bool:
    asked = any(item.raw_status.lower() not in _CALLED_OFF for item in returns)
    return asked or any(parcel.status is ShipmentStatus.RETURNED for parcel in live)


def _abroad(order: Order, shop: Shop) -> bool:
    country = order.shipping_address.country if order.shipping_address else None
    return bool(country and shop.country) and country != shop.country


def derived_events(
    shop: Shop, order: Order, progress: Progress, shipments: Sequence[Shipment], known: Container[str] = ()
) -> list[Event]:
    """`order.shipped` and `order.delivered`, as far as they are true now; none of an order that is over, none whose
    key is `known`.

    Keys hold a digest of the live parcels: cancel and ship again, and both can happen anew.
    """
    if progress.cancelled or (progress.shipped_at is None and progress.delivered_at is None):
        return []
    live = sorted(parcel.id for parcel in shipments if parcel.status is not ShipmentStatus.CANCELLED)
    digest = hashlib.sha256("\n".join(live).encode()).hexdigest()[:10]
    found = (
        (EventKind.ORDER_SHIPPED, f"order/{order.id}/shipped/{digest}", progress.shipped_at),
        (EventKind.ORDER_DELIVERED, f"order/{order.id}/delivered/{digest}", progress.delivered_at),
    )
    data = {"parcels": str(progress.parcels), "shop_country": shop.country or ""}
    return [
        Event(
            kind=kind,
            key=key,
            subject=Ref("order", order.id),
            at=at,
            order_id=order.id,
            customer_id=order.customer.id if order.customer else None,
            order=order,
            data=data,
        )
        for kind, key, at in found
        if at is not None and key not in known
    ]
