"""A WooCommerce order as our `Order`. Amounts stay in the order's own currency (multi-currency plug-ins)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from connector.errors import MalformedPayload
from connector.model import (
    AppliedDiscount,
    FinancialStatus,
    FulfillmentStatus,
    LineItem,
    Money,
    Order,
    OrderStatus,
    Shipment,
    Shop,
    TaxLine,
)
from platforms.woocommerce.fields import (
    decimal,
    email,
    ident,
    items,
    label,
    latest,
    line,
    moment,
    money,
    money_or_zero,
    share,
    text,
    truth,
    web,
)
from platforms.woocommerce.payloads import AddressBody, LineBody, OrderBody
from platforms.woocommerce.people import LOCALE_KEYS, TAGS_META, buyer, locale_of, meta_values, read_address
from platforms.woocommerce.shipments import read_shipments

DRAFTS = frozenset({"checkout-draft", "auto-draft", "draft", "new"})
CHECKOUTS = frozenset({"checkout", "store-api"})
# WooCommerce's own app for the counter, and the plug-in WCPOS.
_COUNTERS = frozenset({"pos-rest-api", "woocommerce-pos"})
ATTRIBUTION = "_wc_order_attribution_"

_STATUS = {
    "pending": OrderStatus.OPEN,
    "on-hold": OrderStatus.OPEN,
    "processing": OrderStatus.OPEN,
    "shipped": OrderStatus.OPEN,
    "partial-shipped": OrderStatus.OPEN,
    "partially-shipped": OrderStatus.OPEN,
    "completed": OrderStatus.COMPLETED,
    "delivered": OrderStatus.COMPLETED,
    "refunded": OrderStatus.COMPLETED,
    "cancelled": OrderStatus.CANCELLED,
    "failed": OrderStatus.FAILED,
    "trash": OrderStatus.DELETED,
    **dict.fromkeys(DRAFTS, OrderStatus.DRAFT),
}
# WooCommerce's own is-paid statuses, and those plug-ins put behind them.
PAID = frozenset({"processing", "completed", "shipped", "partial-shipped", "partially-shipped", "delivered"})
_FULFILLMENT = {
    "fulfilled": FulfillmentStatus.FULFILLED,
    "partially_fulfilled": FulfillmentStatus.PARTIAL,
    "unfulfilled": FulfillmentStatus.UNFULFILLED,
}
# A customer's browser is no attribute of an order; landing and referrer have fields of their own.
_LEFT_OUT = frozenset({"user_agent", "session_entry", "referrer", "session_start_time", "is_vat_exempt", *LOCALE_KEYS})
_RATES = ("_wcpay_multi_currency_order_exchange_rate", "_woocs_order_rate")
_BASE_CURRENCIES = ("_wcpay_multi_currency_order_default_currency", "_woocs_order_base_currency")
_RELATED = ("_subscription_renewal", "_subscription_resubscribe", "_subscription_switch")
_MAX_ATTRIBUTES = 50
_MAX_ATTRIBUTE = 500
_MAX_QUANTITY = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An order with the parcels known from the same body, and its status without `wc-`."""

    order: Order
    status: str
    shipments: tuple[Shipment, ...]


@dataclass(frozen=True, slots=True)
class _Prices:
    """The shop's price convention: WooCommerce gives amounts before tax, customers see `prices_include_tax`."""

    currency: str
    include_tax: bool

    def shown(self, net: Any, tax: Any) -> Money:
        amount = money_or_zero(net, self.currency)
        return amount + money_or_zero(tax, self.currency) if self.include_tax else amount


def read_order(body: OrderBody, shop: Shop) -> Snapshot:
    """Turn a body into a snapshot. Raises `MalformedPayload` where an id, date, currency or total cannot be read."""
    status = body.status.strip().lower().removeprefix("wc-")
    placed, modified = _dates(body)
    prices = _Prices(_currency(body), truth(body.prices_include_tax))
    meta = meta_values(body.meta_data)
    shippable = _needs_shipping(body)
    lines = tuple(_line(entry, index, prices, shippable) for index, entry in enumerate(items(body.line_items)))
    shipments = read_shipments(body, status, lines, placed, modified, shop)
    total = money(body.total, prices.currency, "$.total")
    refunded = _refunded(body, prices.currency)
    paid = moment(body.date_paid_gmt, "$.date_paid_gmt")
    order = Order(
        id=str(body.id),
        number=line(body.number) or str(body.id),
        status=_STATUS.get(status, OrderStatus.OTHER),
        raw_status=body.status,
        financial=_financial(status, paid, total, refunded),
        fulfillment=_fulfillment(status, meta, shippable, shipments),
        raw_fulfillment=line(meta.get("_fulfillment_status")) or "",
        placed_at=placed,
        updated_at=modified,
        paid_at=paid,
        # WooCommerce keeps no date of cancellation; the last change is the latest it can have been.
        cancelled_at=modified if status == "cancelled" else None,
        closed_at=moment(body.date_completed_gmt, "$.date_completed_gmt"),
        currency=prices.currency,
        total=total,
        refunded=refunded,
        lines=lines,
    )
    order = _with_context(_with_people(_with_amounts(order, body, prices), body, meta), body, meta, prices)
    return Snapshot(order, status, shipments)


def _with_amounts(order: Order, body: OrderBody, prices: _Prices) -> Order:
    return replace(
        order,
        subtotal=sum((item.total for item in order.lines), Money.zero(prices.currency)),
        shipping=prices.shown(body.shipping_total, body.shipping_tax),
        tax=money_or_zero(body.total_tax, prices.currency),
        tax_lines=_tax_lines(body, prices.currency),
        taxes_included=prices.include_tax,
        discount=prices.shown(body.discount_total, body.discount_tax),
        discounts=_discounts(body, prices),
    )


def _with_people(order: Order, body: OrderBody, meta: Mapping[str, Any]) -> Order:
    billing = body.billing if isinstance(body.billing, AddressBody) else AddressBody()
    locale = locale_of(meta, body.lang)
    return replace(
        order,
        customer=buyer(body.customer_id, body.billing, locale),
        email=email(billing.email),
        phone=line(billing.phone),
        locale=locale,
        shipping_address=read_address(body.shipping),
        billing_address=read_address(body.billing),
        company=line(billing.company),
    )


def _with_context(order: Order, body: OrderBody, meta: Mapping[str, Any], prices: _Prices) -> Order:
    """Where the order came from and what hangs on it."""
    method = label(body.payment_method_title) or line(body.payment_method)
    return replace(
        order,
        shop_currency=next((code for code in (line(meta.get(key)) for key in _BASE_CURRENCIES) if code), None),
        status_url=_status_url(body),
        source=_source(body, meta),
        landing=web(meta.get(f"{ATTRIBUTION}session_entry")),
        referrer=web(meta.get(f"{ATTRIBUTION}referrer")),
        checkout_token=line(body.order_key) if line(body.created_via) in CHECKOUTS else None,
        attributes=_attributes(body, meta, prices),
        tags=tuple(tag for tag in (line(entry) for entry in items(meta.get(TAGS_META))) if tag),
        note=text(body.customer_note),
        payment_methods=(method,) if method else (),
    )


def _currency(body: OrderBody) -> str:
    code = body.currency.strip().upper()
    if len(code) != 3 or not code.isalpha() or not code.isascii():
        raise MalformedPayload("not an ISO 4217 currency", path="$.currency")
    return code


def _dates(body: OrderBody) -> tuple[datetime, datetime]:
    """Placed and modified. Only the `_gmt` fields: the others are site-local without saying so."""
    created = moment(body.date_created_gmt, "$.date_created_gmt")
    modified = moment(body.date_modified_gmt, "$.date_modified_gmt")
    placed = created or modified
    if placed is None:
        raise MalformedPayload("neither date_created_gmt nor date_modified_gmt", path="$.date_created_gmt")
    return placed, latest([modified, placed])


def _needs_shipping(body: OrderBody) -> bool:
    """An order line does not say whether its product is virtual. `needs_processing` is false only for orders of
    virtual downloads; a checkout that asked for neither shipping method nor address sold nothing to ship."""
    if body.needs_processing is False:
        return False
    asked = items(body.shipping_lines) or (isinstance(body.shipping, AddressBody) and line(body.shipping.address_1))
    return bool(asked) or line(body.created_via) not in CHECKOUTS


def _line(body: LineBody, index: int, prices: _Prices, shippable: bool) -> LineItem:
    quantity = _quantity(body.quantity, f"$.line_items[{index}].quantity")
    name = label(body.name) or ""
    parent = label(body.parent_name)
    variant = name[len(parent) :].lstrip(" -–,") if parent and name.startswith(parent) else ""
    image = body.image.get("src") if isinstance(body.image, dict) else None
    return LineItem(
        id=str(body.id),
        title=parent or name,
        variant_title=variant or None,
        quantity=quantity,
        # Not `price`: a float before tax and after discounts, rounded differently from the total.
        unit_price=share(prices.shown(body.subtotal, body.subtotal_tax), quantity),
        total=prices.shown(body.total, body.total_tax),
        product_id=ident(body.product_id),
        variant_id=ident(body.variation_id),
        sku=line(body.sku),
        image_url=web(image),
        requires_shipping=shippable,
        properties=_properties(body),
    )


def _quantity(value: Any, path: str) -> int:
    """Whole pieces. Plug-ins sell 0.5 m of cloth: that is one piece to ask a review of."""
    amount = decimal(value)
    if amount is None or abs(amount) > _MAX_QUANTITY:
        raise MalformedPayload("not a quantity", path=path)
    return math.ceil(amount)


def _properties(body: LineBody) -> tuple[tuple[str, str], ...]:
    """What the customer chose (size, engraving): the public meta of the line, as shown."""
    found = []
    for entry in items(body.meta_data):
        key, value = label(entry.display_key) or label(entry.key), label(entry.display_value) or label(entry.value)
        if key and value and not str(entry.key).startswith("_") and len(value) <= _MAX_ATTRIBUTE:
            found.append((key, value))
    return tuple(found[:_MAX_ATTRIBUTES])


def _refunded(body: OrderBody, currency: str) -> Money:
    """The total does not shrink when money goes back: refunds are negative texts of their own."""
    amounts = (abs(money_or_zero(refund.total, currency).amount) for refund in items(body.refunds))
    return sum((Money(amount, currency) for amount in amounts), Money.zero(currency))


def _financial(status: str, paid: datetime | None, total: Money, refunded: Money) -> FinancialStatus:
    if status == "refunded" or (refunded and total <= refunded):
        return FinancialStatus.REFUNDED
    if refunded:
        return FinancialStatus.PARTIALLY_REFUNDED
    if paid is not None or status in PAID:
        return FinancialStatus.PAID
    if status == "cancelled":
        return FinancialStatus.VOIDED
    return FinancialStatus.PENDING if status in _STATUS else FinancialStatus.OTHER


def _fulfillment(
    status: str, meta: Mapping[str, Any], shippable: bool, shipments: tuple[Shipment, ...]
) -> FulfillmentStatus:
    """The fulfillment feature's own word first, then the order's status, then what the parcels let us know."""
    told = _FULFILLMENT.get(line(meta.get("_fulfillment_status")) or "")
    if told is not None:
        return told
    if not shippable:
        return FulfillmentStatus.NOT_REQUIRED
    if status in ("completed", "shipped", "delivered"):
        return FulfillmentStatus.FULFILLED
    return FulfillmentStatus.PARTIAL if shipments else FulfillmentStatus.UNFULFILLED


def _tax_lines(body: OrderBody, currency: str) -> tuple[TaxLine, ...]:
    return tuple(
        TaxLine(
            title=label(tax.label) or label(tax.rate_code) or "",
            amount=money_or_zero(tax.tax_total, currency) + money_or_zero(tax.shipping_tax_total, currency),
            rate=text(tax.rate_percent),
        )
        for tax in items(body.tax_lines)
    )


def _discounts(body: OrderBody, prices: _Prices) -> tuple[AppliedDiscount, ...]:
    """Coupons, and fees below zero, which is how plug-ins give automatic discounts."""
    coupons = [
        AppliedDiscount(code=line(coupon.code) or "", amount=prices.shown(coupon.discount, coupon.discount_tax))
        for coupon in items(body.coupon_lines)
    ]
    fees = [(label(fee.name), prices.shown(fee.total, fee.total_tax)) for fee in items(body.fee_lines)]
    return (*coupons, *(AppliedDiscount(code="", amount=-cost, title=name) for name, cost in fees if cost.amount < 0))


def _source(body: OrderBody, meta: Mapping[str, Any]) -> str | None:
    """`created_via` (checkout, store-api, rest-api ...) with `pos` for the counter, the word flows ask for; a
    subscription's follow-up order says so instead."""
    related = next((key for key in _RELATED if text(meta.get(key))), None)
    if related:
        return related.removeprefix("_")
    created_via = line(body.created_via)
    return "pos" if created_via in _COUNTERS else created_via


def _status_url(body: OrderBody) -> str | None:
    """The order's "received" page, which its key opens for guests too; known from the pay link's address."""
    url = web(body.payment_url)
    if url is None or "/order-pay/" not in url:
        return None
    return url.replace("/order-pay/", "/order-received/", 1).replace("?pay_for_order=true&", "?", 1)


def _attributes(body: OrderBody, meta: Mapping[str, Any], prices: _Prices) -> tuple[tuple[str, str], ...]:
    """Order attribution (`utm_source` ...), extra checkout fields, public meta, fees, the exchange rate and,
    while the order is unpaid, the link to pay it (`payment_url`)."""
    found: dict[str, str | None] = {}
    for key, value in meta.items():
        if key.startswith(ATTRIBUTION):
            name = key.removeprefix(ATTRIBUTION)
            found[name] = None if name in _LEFT_OUT else line(value)
        elif key.startswith("_wc_other/"):
            found[key.removeprefix("_wc_other/")] = line(value)
        elif not key.startswith("_") and key not in _LEFT_OUT:
            found[line(key) or ""] = line(value)
    found["exchange_rate"] = next((rate for rate in (line(meta.get(key)) for key in _RATES) if rate), None)
    found["subscription_id"] = next((value for value in (line(meta.get(key)) for key in _RELATED) if value), None)
    for fee in items(body.fee_lines):
        cost = prices.shown(fee.total, fee.total_tax)
        if cost.amount > 0:
            found[f"fee: {label(fee.name) or ''}"] = str(cost.amount)
    if truth(body.needs_payment):
        found["payment_url"] = web(body.payment_url)
    kept = ((key, value) for key, value in found.items() if key and value and len(value) <= _MAX_ATTRIBUTE)
    return tuple(sorted(kept))[:_MAX_ATTRIBUTES]
