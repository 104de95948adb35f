"""An order in the words of Vendure's Admin API, as the plug-in pushes it and as a query fetches it.

Ids are text or numbers, amounts whole numbers of minor units (`DefaultMoneyStrategy`: hundredths, for every currency),
times ISO 8601 in UTC (docs.vendure.io/reference/graphql-api/admin/object-types#order).
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from connector.errors import MalformedPayload

Id = int | str
Kind = TypeVar("Kind")


class Part(msgspec.Struct, rename="camel"):
    """Vendure writes camelCase."""


class Buyer(Part):
    id: Id | None = None
    first_name: str | None = None
    last_name: str | None = None
    email_address: str | None = None
    phone_number: str | None = None


class Place(Part):
    full_name: str | None = None
    company: str | None = None
    street_line1: str | None = None
    street_line2: str | None = None
    city: str | None = None
    province: str | None = None
    postal_code: str | None = None
    country_code: str | None = None
    phone_number: str | None = None


class Named(Part):
    id: Id | None = None


class Variant(Part):
    id: Id
    name: str
    sku: str | None = None
    product: Named | None = None


class Line(Part):
    id: Id
    quantity: int
    prorated_unit_price_with_tax: int
    prorated_line_price_with_tax: int
    product_variant: Variant
    order_placed_quantity: int | None = None


class Refunded(Part):
    id: Id
    state: str
    total: int
    created_at: str
    updated_at: str
    reason: str | None = None


class Payment(Part):
    id: Id
    state: str
    amount: int
    created_at: str
    updated_at: str
    method: str | None = None
    refunds: list[Refunded] | None = None


class ShippedPart(Part):
    order_line_id: Id
    quantity: int


class Parcel(Part):
    id: Id
    state: str
    created_at: str
    updated_at: str
    method: str | None = None
    tracking_code: str | None = None
    lines: list[ShippedPart] | None = None


class Discount(Part):
    description: str | None = None
    amount_with_tax: int | None = None


class OrderBody(Part):
    id: Id
    code: str
    state: str
    created_at: str
    updated_at: str
    currency_code: str
    total_with_tax: int
    sub_total_with_tax: int | None = None
    shipping_with_tax: int | None = None
    order_placed_at: str | None = None
    coupon_codes: list[str] | None = None
    customer: Buyer | None = None
    shipping_address: Place | None = None
    billing_address: Place | None = None
    discounts: list[Discount] | None = None
    lines: list[Line] | None = None
    payments: list[Payment] | None = None
    fulfillments: list[Parcel] | None = None


class Envelope(Part):
    """What `verify` looks at."""

    topic: str
    shop: str


class Delivery(Envelope):
    order: OrderBody


def read(body: bytes, kind: type[Kind]) -> Kind:
    """The body as `kind`. Raises `MalformedPayload` with the path of the first fault, never a value."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedPayload(str(error)) from None


def as_order(found: Any) -> OrderBody:
    """An order that was fetched, from parsed JSON. Raises `MalformedPayload`."""
    try:
        return msgspec.convert(found, OrderBody)
    except (msgspec.ValidationError, RecursionError) as error:
        raise MalformedPayload(str(error)) from None
