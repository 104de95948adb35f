"""Orders, and what hangs on them: lines, fulfillments, refunds, returns."""

from __future__ import annotations

from typing import Any

import msgspec

from platforms.shopify.payloads.common import Amount, Count, Customer, DiscountCode, Id, MaybeAddress, MoneySet, Named


class Allocation(msgspec.Struct):
    amount: Amount | None = None
    amount_set: MoneySet | None = None


class Line(msgspec.Struct):
    """`image_url` and `product_url` are in no webhook: our own GraphQL reading fills them."""

    id: Id
    quantity: Count
    title: str | None = None
    name: str | None = None
    price: Amount | None = None
    price_set: MoneySet | None = None
    variant_title: str | None = None
    product_id: Id | None = None
    variant_id: Id | None = None
    sku: str | None = None
    requires_shipping: bool | None = None
    gift_card: bool | None = None
    current_quantity: Count | None = None
    selling_plan_id: Id | None = None
    total_discount: Amount | None = None
    total_discount_set: MoneySet | None = None
    discount_allocations: list[Allocation] | None = None
    properties: list[Named] | dict[str, Any] | None = None
    image_url: str | None = None
    product_url: str | None = None


class ShippedLine(msgspec.Struct):
    id: Id
    quantity: Count | None = None
    title: str | None = None


class CarrierEvent(msgspec.Struct):
    """A fulfillment event; `fulfillment_id` and `order_id` are required where it stands alone."""

    id: Id
    status: str | None = None
    fulfillment_id: Id | None = None
    order_id: Id | None = None
    happened_at: str | None = None
    created_at: str | None = None
    message: str | None = None
    city: str | None = None
    country: str | None = None
    estimated_delivery_at: str | None = None


class Fulfillment(msgspec.Struct):
    """`events` and `estimated_delivery_at` are in no webhook: our own GraphQL reading fills them."""

    id: Id
    created_at: str
    order_id: Id | None = None
    status: str | None = None
    shipment_status: str | None = None
    updated_at: str | None = None
    name: str | None = None
    tracking_company: str | None = None
    tracking_number: str | None = None
    tracking_numbers: list[str | None] | None = None
    tracking_url: str | None = None
    tracking_urls: list[str | None] | None = None
    line_items: list[ShippedLine] | None = None
    events: list[CarrierEvent] | None = None
    estimated_delivery_at: str | None = None


class Transaction(msgspec.Struct):
    kind: str | None = None
    status: str | None = None
    amount: Amount | None = None
    currency: str | None = None


class RefundLine(msgspec.Struct):
    line_item_id: Id | None = None
    quantity: Count | None = None
    line_item: ShippedLine | None = None
    subtotal_set: MoneySet | None = None
    total_tax_set: MoneySet | None = None


class Adjustment(msgspec.Struct):
    amount_set: MoneySet | None = None
    tax_amount_set: MoneySet | None = None


class Refund(msgspec.Struct):
    id: Id
    order_id: Id | None = None
    created_at: str | None = None
    processed_at: str | None = None
    note: str | None = None
    transactions: list[Transaction] | None = None
    refund_line_items: list[RefundLine] | None = None
    order_adjustments: list[Adjustment] | None = None


class DiscountApplication(msgspec.Struct):
    type: str | None = None
    title: str | None = None
    description: str | None = None


class TaxLine(msgspec.Struct):
    title: str | None = None
    price: Amount | None = None
    price_set: MoneySet | None = None
    rate: Amount | None = None


class Company(msgspec.Struct):
    id: Id | None = None


class Order(msgspec.Struct):
    """`paid_at` is in no webhook: our own GraphQL reading takes it from the transactions."""

    id: Id
    created_at: str
    total_price: Amount
    updated_at: str | None = None
    processed_at: str | None = None
    cancelled_at: str | None = None
    closed_at: str | None = None
    paid_at: str | None = None
    name: str | None = None
    order_number: Id | None = None
    currency: str | None = None
    presentment_currency: str | None = None
    financial_status: str | None = None
    fulfillment_status: str | None = None
    total_price_set: MoneySet | None = None
    subtotal_price: Amount | None = None
    subtotal_price_set: MoneySet | None = None
    total_shipping_price_set: MoneySet | None = None
    total_tax: Amount | None = None
    total_tax_set: MoneySet | None = None
    total_discounts: Amount | None = None
    total_discounts_set: MoneySet | None = None
    taxes_included: bool | None = None
    tax_lines: list[TaxLine] | None = None
    discount_codes: list[DiscountCode] | None = None
    discount_applications: list[DiscountApplication] | None = None
    customer: Customer | None = None
    email: str | None = None
    contact_email: str | None = None
    phone: str | None = None
    customer_locale: str | None = None
    line_items: list[Line] | None = None
    shipping_address: MaybeAddress = None
    billing_address: MaybeAddress = None
    fulfillments: list[Fulfillment] | None = None
    refunds: list[Refund] | None = None
    order_status_url: str | None = None
    source_name: str | None = None
    landing_site: str | None = None
    referring_site: str | None = None
    checkout_token: str | None = None
    cart_token: str | None = None
    note_attributes: list[Named] | None = None
    tags: str | list[str] | None = None
    note: str | None = None
    company: Company | None = None
    payment_gateway_names: list[str | None] | None = None
    test: bool | None = None


class OnlyId(msgspec.Struct):
    id: Id


class OrderEdit(msgspec.Struct):
    id: Id
    order_id: Id
    created_at: str | None = None
    committed_at: str | None = None


class OrderEdited(msgspec.Struct):
    order_edit: OrderEdit


class ReturnedOrder(msgspec.Struct):
    id: Id


class FulfillmentLine(msgspec.Struct):
    line_item: ShippedLine | None = None


class ReturnLine(msgspec.Struct):
    quantity: Count | None = None
    fulfillment_line_item: FulfillmentLine | None = None


class Return(msgspec.Struct):
    """`order_id` in some topics, `order` in others."""

    id: Id
    status: str | None = None
    order_id: Id | None = None
    order: ReturnedOrder | None = None
    return_line_items: list[ReturnLine] | None = None
