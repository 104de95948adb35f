"""The shapes of WooCommerce REST v3 objects and webhook bodies, as tolerant as plug-ins make it necessary.

Only what an order cannot do without has a strict type. `Loose` marks values whose type changes from shop to shop
(`image: {"id": "", "src": ""}` against `{"id": 0}`, `instance_id: ""`); `connector`-side meaning is given to them in
`fields`. Reading raises nothing but `MalformedPayload`, with the path and without the value.
Source: captured bodies of 11.0.1 and 9.4.3 (facts/woocommerce.md) and https://woocommerce.github.io/woocommerce-rest-api-docs/
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from connector.errors import MalformedPayload

T = TypeVar("T")
P = TypeVar("P", bound=msgspec.Struct)

Loose = Any
Many = list[T] | dict[str, T] | str | None

_AT = re.compile(r" - at `([^`]*)`")


class Meta(msgspec.Struct):
    """One entry of `meta_data`. `value` is whatever a plug-in stored."""

    key: Loose = None
    value: Loose = None
    display_key: Loose = None
    display_value: Loose = None


class AddressBody(msgspec.Struct):
    first_name: Loose = None
    last_name: Loose = None
    company: Loose = None
    address_1: Loose = None
    address_2: Loose = None
    city: Loose = None
    state: Loose = None
    postcode: Loose = None
    country: Loose = None
    email: Loose = None
    phone: Loose = None


class LineBody(msgspec.Struct):
    id: int | str
    name: Loose = None
    parent_name: Loose = None
    product_id: Loose = None
    variation_id: Loose = None
    quantity: Loose = 1
    subtotal: Loose = None
    subtotal_tax: Loose = None
    total: Loose = None
    total_tax: Loose = None
    sku: Loose = None
    image: Loose = None
    meta_data: Many[Meta] = None


class FeeBody(msgspec.Struct):
    name: Loose = None
    total: Loose = None
    total_tax: Loose = None


class CouponLineBody(msgspec.Struct):
    code: Loose = None
    discount: Loose = None
    discount_tax: Loose = None


class TaxLineBody(msgspec.Struct):
    label: Loose = None
    rate_code: Loose = None
    rate_percent: Loose = None
    tax_total: Loose = None
    shipping_tax_total: Loose = None


class RefundBody(msgspec.Struct):
    id: int | str
    reason: Loose = None
    total: Loose = None


class FulfillmentBody(msgspec.Struct):
    """GET /orders/{id}/fulfillments, behind a feature flag since 10.1. `is_fulfilled` is true or "1"."""

    id: int | str
    status: Loose = None
    is_fulfilled: Loose = None
    date_updated: Loose = None
    date_deleted: Loose = None
    meta_data: Many[Meta] = None


class OrderBody(msgspec.Struct):
    """An order as REST v3 and its webhooks give it. `fulfillments` is merged in by our own fetch."""

    id: int | str
    status: str
    currency: str
    total: Loose
    number: Loose = None
    version: Loose = None
    order_key: Loose = None
    created_via: Loose = None
    lang: Loose = None
    customer_id: Loose = None
    customer_note: Loose = None
    prices_include_tax: Loose = False
    needs_processing: Loose = None
    needs_payment: Loose = None
    payment_method: Loose = None
    payment_method_title: Loose = None
    payment_url: Loose = None
    discount_total: Loose = None
    discount_tax: Loose = None
    shipping_total: Loose = None
    shipping_tax: Loose = None
    total_tax: Loose = None
    date_created_gmt: Loose = None
    date_modified_gmt: Loose = None
    date_paid_gmt: Loose = None
    date_completed_gmt: Loose = None
    billing: AddressBody | list[Any] | str | None = None
    shipping: AddressBody | list[Any] | str | None = None
    meta_data: Many[Meta] = None
    line_items: Many[LineBody] = None
    shipping_lines: Many[Any] = None
    fee_lines: Many[FeeBody] = None
    coupon_lines: Many[CouponLineBody] = None
    tax_lines: Many[TaxLineBody] = None
    refunds: Many[RefundBody] = None
    fulfillments: Many[FulfillmentBody] = None


class CustomerBody(msgspec.Struct):
    id: int | str
    email: Loose = None
    first_name: Loose = None
    last_name: Loose = None
    role: Loose = None
    date_created_gmt: Loose = None
    date_modified_gmt: Loose = None
    billing: AddressBody | list[Any] | str | None = None
    shipping: AddressBody | list[Any] | str | None = None
    meta_data: Many[Meta] = None


class ProductBody(msgspec.Struct):
    id: int | str
    name: Loose = None
    slug: Loose = None
    permalink: Loose = None
    type: Loose = None
    status: Loose = None
    parent_id: Loose = None
    date_created_gmt: Loose = None
    date_modified_gmt: Loose = None
    categories: Many[Any] = None
    brands: Many[Any] = None
    tags: Many[Any] = None
    images: Many[Any] = None
    stock_status: Loose = None


class CouponBody(msgspec.Struct):
    id: int | str
    code: Loose = None
    status: Loose = None
    amount: Loose = None
    discount_type: Loose = None
    date_created_gmt: Loose = None
    date_modified_gmt: Loose = None


class Glance(msgspec.Struct):
    """What tells a body's kind: an object has `id`, a signed error has `code`, an action has `action` and `arg`."""

    id: Loose = None
    code: Loose = None
    status: Loose = None
    action: Loose = None
    arg: Loose = None


class _BareId(msgspec.Struct, forbid_unknown_fields=True):
    """The whole body of a `.deleted` topic."""

    id: int | str


def is_bare_id(body: bytes) -> bool:
    """Whether the body is an id and nothing else."""
    try:
        msgspec.json.decode(body, type=_BareId)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def read(body: bytes, shape: type[P], topic: str) -> P:
    """Decode a body. Raises `MalformedPayload` naming the topic and the path of the first fault."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise _malformed(error, topic) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedPayload("not readable as JSON", topic=topic, path="$") from error


def shaped(value: object, shape: type[P], topic: str) -> P:
    """Read an object that was decoded already (a REST answer). Raises `MalformedPayload`."""
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise _malformed(error, topic) from error


def _malformed(error: msgspec.ValidationError, topic: str) -> MalformedPayload:
    message = str(error)
    found = _AT.search(message)
    return MalformedPayload(_AT.sub("", message), topic=topic, path=found.group(1) if found else "$")
