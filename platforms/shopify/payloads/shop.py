"""Checkouts, products, discount codes, the shop and the app."""

from __future__ import annotations

from typing import Any

import msgspec

from platforms.shopify.payloads.common import Amount, Count, Customer, DiscountCode, Id, MaybeAddress, Named


class CheckoutLine(msgspec.Struct):
    quantity: Count
    key: str | None = None
    title: str | None = None
    presentment_title: str | None = None
    variant_title: str | None = None
    price: Amount | None = None
    line_price: Amount | None = None
    product_id: Id | None = None
    variant_id: Id | None = None
    sku: str | None = None
    requires_shipping: bool | None = None
    gift_card: bool | None = None
    properties: list[Named] | dict[str, Any] | None = None


class Checkout(msgspec.Struct):
    """`token` is the key since 2026-04; before, checkouts/delete carried only `id` and `cart_token`."""

    token: str | None = None
    id: Id | None = None
    cart_token: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    completed_at: str | None = None
    currency: str | None = None
    presentment_currency: str | None = None
    total_price: Amount | None = None
    email: str | None = None
    phone: str | None = None
    customer_locale: str | None = None
    customer: Customer | None = None
    billing_address: MaybeAddress = None
    shipping_address: MaybeAddress = None
    line_items: list[CheckoutLine] | None = None
    discount_codes: list[DiscountCode] | None = None
    abandoned_checkout_url: str | None = None


class Image(msgspec.Struct):
    src: str | None = None


class Variant(msgspec.Struct):
    inventory_quantity: Any = None
    inventory_policy: Any = None
    inventory_management: Any = "shopify"


class Product(msgspec.Struct):
    id: Id
    title: str | None = None
    updated_at: str | None = None
    handle: str | None = None
    product_type: str | None = None
    vendor: str | None = None
    status: str | None = None
    tags: str | list[str] | None = None
    image: Image | None = None
    images: list[Image] | None = None
    variants: list[Variant] | None = None


class RedeemCode(msgspec.Struct):
    id: Id
    code: str


class RedeemCodeChange(msgspec.Struct):
    admin_graphql_api_id: str
    redeem_code: RedeemCode
    updated_at: str | None = None


class ShopDetails(msgspec.Struct):
    """The Shop resource of shop/update and app/uninstalled."""

    id: Id
    name: str | None = None
    domain: str | None = None
    myshopify_domain: str | None = None
    currency: str | None = None
    iana_timezone: str | None = None
    primary_locale: str | None = None
    country_code: str | None = None
    updated_at: str | None = None


class Scopes(msgspec.Struct):
    shop_id: Id
    previous: list[str] | None = None
    current: list[str] | None = None
    updated_at: str | None = None


class ShopIdentity(msgspec.Struct):
    """The keys that name the shop in the bodies that have them; read while verifying."""

    shop_domain: str | None = None
    myshopify_domain: str | None = None
    domain: str | None = None
