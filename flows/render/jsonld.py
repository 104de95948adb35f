"""What a message is about, for mail programs that show orders and parcels themselves (schema.org as JSON-LD).

Gmail reads Order and ParcelDelivery from senders that registered with Google, and lists what it requires:
https://developers.google.com/workspace/gmail/markup/reference/types/ParcelDelivery and .../types/Order. `price` and
`priceCurrency` of an Order are Google's own. Never in what needs consent (facts/messaging.md section 1.3).
"""

from __future__ import annotations

import json
from typing import Any

from connector.clock import to_text
from connector.model import Address, Money, Order, OrderStatus, Shipment
from flows.render.cleaning import clean
from flows.render.context import MessageView
from flows.render.links import safe_url

_MOST_LINES = 50


def with_markup(html: str, view: MessageView, template: str) -> str:
    """The HTML with a JSON-LD element at the end of its body; as it is where there is nothing to say."""
    told = None if view.purpose.needs_consent else markup_of(view, template)
    if told is None:
        return html
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    element = f'<script type="application/ld+json">{text}</script>'
    before, closing, after = html.rpartition("</body>")
    return f"{before}{element}{closing}{after}" if closing else html + element


def markup_of(view: MessageView, template: str) -> dict[str, Any] | None:
    """The order, or the parcel of a message about one; `None` for a message about neither."""
    order = view.order
    if order is None or not template.startswith(("order_", "shipment_", "payment_")):
        return None
    parcel = view.shipment if template.startswith("shipment_") else None
    found = _order(view, order) if parcel is None else _parcel(view, order, parcel)
    return None if found is None else {"@context": "http://schema.org", **found}


def _order(view: MessageView, order: Order) -> dict[str, Any]:
    status = "OrderCancelled" if order.status is OrderStatus.CANCELLED else "OrderProcessing"
    return _filled(
        {
            **_reference(view, order),
            "orderDate": to_text(order.placed_at),
            "orderStatus": f"http://schema.org/{status}",
            **_price(order.total),
            "url": safe_url(order.status_url),
            "acceptedOffer": [
                _filled(
                    {
                        "@type": "Offer",
                        "itemOffered": _filled(
                            {"@type": "Product", "name": clean(line.title) or "–", "sku": clean(line.sku),
                             "image": safe_url(line.image_url)}
                        ),
                        **_price(line.unit_price),
                        "eligibleQuantity": {"@type": "QuantitativeValue", "value": line.quantity},
                    }
                )
                for line in order.lines[:_MOST_LINES]
            ],
        }
    )  # fmt: skip


def _parcel(view: MessageView, order: Order, parcel: Shipment) -> dict[str, Any] | None:
    address, carrier = _address(order.shipping_address), clean(parcel.carrier)
    if address is None or carrier is None:
        return None  # Gmail wants both
    expected = parcel.estimated_delivery_at
    return _filled(
        {
            "@type": "ParcelDelivery",
            "carrier": {"@type": "Organization", "name": carrier},
            "deliveryAddress": address,
            "expectedArrivalUntil": to_text(expected) if expected else None,
            "trackingNumber": clean(parcel.tracking_numbers[0]) if parcel.tracking_numbers else None,
            "trackingUrl": safe_url(parcel.tracking_urls[0]) if parcel.tracking_urls else None,
            "itemShipped": [
                {"@type": "Product", "name": clean(line.title) or "–"} for line in order.lines[:_MOST_LINES]
            ],
            "partOfOrder": _reference(view, order),
        }
    )


def _reference(view: MessageView, order: Order) -> dict[str, Any]:
    merchant = {"@type": "Organization", "name": clean(view.shop.name) or view.shop.domain}
    return {"@type": "Order", "orderNumber": clean(order.number) or order.id, "merchant": merchant}


def _address(address: Address | None) -> dict[str, Any] | None:
    if address is None or not (address.country and address.city and address.lines):
        return None
    return _filled(
        {
            "@type": "PostalAddress",
            "name": clean(" ".join(filter(None, (address.first_name, address.last_name)))),
            "streetAddress": clean(", ".join(address.lines)),
            "addressLocality": clean(address.city),
            "addressRegion": clean(address.region) or clean(address.city),
            "postalCode": clean(address.postcode),
            "addressCountry": address.country,
        }
    )


def _price(money: Money | None) -> dict[str, str]:
    return {} if money is None else {"price": str(money.amount), "priceCurrency": money.currency}


def _filled(table: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value is not None}
