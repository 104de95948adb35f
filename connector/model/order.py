"""Orders and what follows them. Snapshots as the platform last described them; newest `updated_at` wins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connector.model.changing import quick
from connector.model.enums import FinancialStatus, FulfillmentStatus, OrderStatus, ShipmentStatus
from connector.model.money import Money
from connector.model.party import Address, Customer


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class LineItem:
    """One line as sold. `quantity` as ordered; `current_quantity` after edits and refunds, where known.

    `total` is what the line cost after its discounts (tax as in the shop's prices).
    """

    id: str
    title: str
    quantity: int
    unit_price: Money
    total: Money
    variant_title: str | None = None
    product_id: str | None = None
    variant_id: str | None = None
    sku: str | None = None
    image_url: str | None = None
    product_url: str | None = None
    requires_shipping: bool = True
    is_gift_card: bool = False
    current_quantity: int | None = None
    selling_plan_id: str | None = None
    properties: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedDiscount:
    """A discount on the order. `code` is empty for automatic ones."""

    code: str
    amount: Money | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxLine:
    title: str
    amount: Money
    rate: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order in the currency the customer paid in (presentment), with the raw statuses kept.

    `attributes` are the cart attributes / note attributes / order attribution that came with it;
    `source` is the sales channel as the platform names it (`web`, `pos`, `subscription_contract`, `checkout` ...).
    """

    id: str
    number: str
    status: OrderStatus
    raw_status: str
    financial: FinancialStatus
    fulfillment: FulfillmentStatus
    placed_at: datetime
    updated_at: datetime
    currency: str
    total: Money
    raw_financial: str = ""
    raw_fulfillment: str = ""
    paid_at: datetime | None = None
    cancelled_at: datetime | None = None
    closed_at: datetime | None = None
    customer: Customer | None = None
    email: str | None = None
    phone: str | None = None
    locale: str | None = None
    lines: tuple[LineItem, ...] = ()
    shipping_address: Address | None = None
    billing_address: Address | None = None
    subtotal: Money | None = None
    shipping: Money | None = None
    tax: Money | None = None
    tax_lines: tuple[TaxLine, ...] = ()
    taxes_included: bool | None = None
    discount: Money | None = None
    discounts: tuple[AppliedDiscount, ...] = ()
    refunded: Money | None = None
    shop_currency: str | None = None
    status_url: str | None = None
    source: str | None = None
    landing: str | None = None
    referrer: str | None = None
    checkout_token: str | None = None
    cart_token: str | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    note: str | None = None
    company: str | None = None
    payment_methods: tuple[str, ...] = ()
    is_test: bool = False

    @property
    def needs_shipping(self) -> bool:
        return any(line.requires_shipping for line in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedLine:
    line_id: str
    quantity: int
    title: str = ""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """One parcel (a Shopify fulfillment, a WooCommerce fulfillment or tracking entry)."""

    id: str
    order_id: str
    status: ShipmentStatus
    raw_status: str
    created_at: datetime
    updated_at: datetime
    number: str | None = None
    carrier: str | None = None
    tracking_numbers: tuple[str, ...] = ()
    tracking_urls: tuple[str, ...] = ()
    lines: tuple[ShippedLine, ...] = ()
    estimated_delivery_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentEvent:
    """A carrier's word about a parcel. May arrive before the parcel itself."""

    id: str
    shipment_id: str
    order_id: str
    status: ShipmentStatus
    raw_status: str
    at: datetime
    message: str | None = None
    city: str | None = None
    country: str | None = None
    estimated_delivery_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """Money going back. `amount` may be `None` where the platform tells only that there was one."""

    id: str
    order_id: str
    at: datetime
    amount: Money | None = None
    reason: str | None = None
    lines: tuple[ShippedLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """Goods going back, before or without a refund."""

    id: str
    order_id: str
    raw_status: str
    at: datetime
    lines: tuple[ShippedLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """`in_stock` says whether one can be bought at this moment, `None` where the platform has not told."""

    id: str
    title: str
    updated_at: datetime | None = None
    url: str | None = None
    handle: str | None = None
    image_url: str | None = None
    product_type: str | None = None
    vendor: str | None = None
    tags: tuple[str, ...] = ()
    raw_status: str = ""
    in_stock: bool | None = None
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """A cart that may be abandoned. Keyed by `token`: Shopify checkouts have no id since 2026-04."""

    token: str
    currency: str
    started_at: datetime
    updated_at: datetime
    email: str | None = None
    phone: str | None = None
    locale: str | None = None
    customer: Customer | None = None
    lines: tuple[LineItem, ...] = ()
    total: Money | None = None
    recovery_url: str | None = None
    completed_at: datetime | None = None
    discount_codes: tuple[str, ...] = ()
    deleted: bool = False
