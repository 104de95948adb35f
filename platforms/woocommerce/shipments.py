"""Parcels of a WooCommerce order. Core has none; three places tell of them (facts/woocommerce.md sections 6 and 7):

* the order meta `_wc_shipment_tracking_items` of Shipment Tracking, Advanced Shipment Tracking (AST) and
  WooCommerce Shipping,
* the fulfillments of WooCommerce 10.1 and later (a feature flag), which only a fetch brings along,
* the order statuses `shipped`, `partial-shipped` and `delivered` some plug-ins add.

`completed` is none of them: virtual and paid-on-delivery orders get there at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from connector.model import LineItem, Shipment, ShipmentStatus, ShippedLine, Shop
from platforms.woocommerce.fields import ident, items, label, latest, line, loose_moment, truth, web
from platforms.woocommerce.payloads import FulfillmentBody, OrderBody
from platforms.woocommerce.people import meta_values

TRACKING_META = "_wc_shipment_tracking_items"

STATUS_OF_ORDER = {
    "shipped": ShipmentStatus.SHIPPED,
    "partial-shipped": ShipmentStatus.SHIPPED,
    "partially-shipped": ShipmentStatus.SHIPPED,
    "delivered": ShipmentStatus.DELIVERED,
}


class _Parcels:
    """Reads the parcels of one order snapshot."""

    def __init__(self, order: OrderBody, status: str, placed: datetime, modified: datetime, shop: Shop) -> None:
        self._order_id = str(order.id)
        self._raw_status = order.status
        self._state = STATUS_OF_ORDER.get(status, ShipmentStatus.SHIPPED)
        self._placed = placed
        self._modified = modified
        self._timezone = shop.timezone

    def tracked(self, entry: Mapping[str, Any], titles: Mapping[str, str]) -> Shipment | None:
        """One entry of the tracking meta. Its `date_shipped` is often only a day, so never before the order."""
        number = line(entry.get("tracking_number"))
        url = web(entry.get("custom_tracking_link")) or web(entry.get("ast_tracking_link"))
        own_id = line(entry.get("tracking_id"))
        if not (number or url or own_id):
            return None
        key = own_id or hashlib.sha256(f"{number}\n{url}".encode()).hexdigest()[:16]
        shipped = latest([loose_moment(entry.get("date_shipped"), self._timezone) or self._modified, self._placed])
        return Shipment(
            id=f"tracking-{self._order_id}-{key}",
            order_id=self._order_id,
            status=self._state,
            raw_status=self._raw_status if self._state is ShipmentStatus.DELIVERED else "shipped",
            created_at=shipped,
            updated_at=latest([shipped, self._modified]),
            number=number,
            carrier=_carrier(entry),
            tracking_numbers=(number,) if number else (),
            tracking_urls=(url,) if url else (),
            lines=_listed(entry.get("products_list"), titles),
        )

    def fulfilled(self, body: FulfillmentBody, titles: Mapping[str, str]) -> Shipment | None:
        """One fulfillment; a draft (not fulfilled yet) or a deleted one is no parcel."""
        if not truth(body.is_fulfilled) or loose_moment(body.date_deleted, self._timezone):
            return None
        meta = meta_values(body.meta_data)
        updated = loose_moment(body.date_updated, self._timezone)
        created = loose_moment(meta.get("_date_fulfilled"), self._timezone) or updated or self._modified
        number, url = line(meta.get("_tracking_number")), web(meta.get("_tracking_url"))
        raw = line(body.status) or "fulfilled"
        known = ShipmentStatus.of(raw)
        status = self._state if known is ShipmentStatus.OTHER else known
        return Shipment(
            id=f"fulfillment-{body.id}",
            order_id=self._order_id,
            status=status,
            raw_status=raw,
            created_at=latest([created, self._placed]),
            updated_at=latest([created, updated, self._placed]),
            number=number,
            carrier=label(meta.get("_shipment_provider")),
            tracking_numbers=(number,) if number else (),
            tracking_urls=(url,) if url else (),
            lines=_listed(meta.get("_items"), titles),
        )

    def told_by_status(self) -> Shipment:
        """The one parcel an order without tracking has, when only its status says that it left."""
        return Shipment(
            id=f"status-{self._order_id}",
            order_id=self._order_id,
            status=self._state,
            raw_status=self._raw_status,
            created_at=self._modified,
            updated_at=self._modified,
        )


def read_shipments(
    order: OrderBody, status: str, lines: tuple[LineItem, ...], placed: datetime, modified: datetime, shop: Shop
) -> tuple[Shipment, ...]:
    """The parcels a snapshot proves; `status` is the order's own, lower case and without `wc-`.

    A fulfillment with the number of a tracking entry is the same parcel, and keeps the id it was first seen under.
    """
    parcels = _Parcels(order, status, placed, modified, shop)
    titles = {item.id: item.title for item in lines}
    found: dict[str, Shipment] = {}
    for entry in tracking_entries(meta_values(order.meta_data).get(TRACKING_META)):
        tracked = parcels.tracked(entry, titles)
        if tracked is not None:
            found.setdefault(tracked.id, tracked)
    numbers = {shipment.number for shipment in found.values() if shipment.number}
    for body in items(order.fulfillments):
        fulfilled = parcels.fulfilled(body, titles)
        if fulfilled is not None and fulfilled.number not in numbers:
            found.setdefault(fulfilled.id, fulfilled)
    if not found and status in STATUS_OF_ORDER:
        told = parcels.told_by_status()
        found[told.id] = told
    return tuple(found.values())


def tracking_entries(value: Any) -> list[Mapping[str, Any]]:
    """The entries of the tracking meta, which some plug-ins store as JSON text."""
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return []
    return [entry for entry in items(value) if isinstance(entry, dict)]


def _carrier(entry: Mapping[str, Any]) -> str | None:
    keys = ("custom_tracking_provider", "formatted_tracking_provider", "tracking_provider")
    return next((name for name in (label(entry.get(key)) for key in keys) if name), None)


def _listed(value: Any, titles: Mapping[str, str]) -> tuple[ShippedLine, ...]:
    """What is in the parcel: AST's `products_list` and the fulfillments' `_items` name order lines and quantities."""
    found = []
    for entry in tracking_entries(value):
        line_id = ident(entry.get("item_id"))
        quantity = ident(entry.get("qty"))
        if line_id and quantity and quantity.isdecimal() and len(quantity) <= 9:
            found.append(ShippedLine(line_id=line_id, quantity=int(quantity), title=titles.get(line_id, "")))
    return tuple(found)
