"""Orders, customers and refunds as WooCommerce writes them: net amounts in lines, tax beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from connector.testing.fakes.people import Article, Buyer
from connector.testing.fakes.woocommerce.state import SYMBOLS, VERSION, Json, WooState, money

ZERO = Decimal(0)
PAID = ("processing", "completed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cart:
    """What goes through the checkout. `shipping` is net, as WooCommerce keeps it."""

    lines: Sequence[tuple[Article, int]]
    buyer: Buyer
    customer_id: int = 0
    status: str = "processing"
    created_via: str = "store-api"
    shipping: Decimal = Decimal("4.90")
    shipping_title: str = "Posti"
    payment: tuple[str, str] = ("bacs", "Tilisiirto")
    coupon: Json | None = None
    currency: str | None = None
    note: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def free_shipping(self) -> bool:
        """In a zone whose free shipping asks for a coupon that allows it, which the buyer then takes."""
        return self.coupon is not None and bool(self.coupon.get("free_shipping"))

    @property
    def gross(self) -> Decimal:
        """The goods with tax, before any coupon."""
        return sum((article.price * quantity for article, quantity in self.lines), ZERO)


@dataclass(frozen=True, slots=True)
class _Part:
    """A net amount and its tax, each rounded."""

    net: Decimal
    tax: Decimal

    @classmethod
    def of_gross(cls, state: WooState, gross: Decimal) -> _Part:
        net = Decimal(money(gross / (1 + state.tax_rate)))
        return cls(net, gross - net)

    @classmethod
    def of_net(cls, state: WooState, net: Decimal) -> _Part:
        return cls(net, Decimal(money(net * state.tax_rate)))


def address(buyer: Buyer, *, billing: bool) -> Json:
    row = {
        "first_name": buyer.first_name,
        "last_name": buyer.last_name,
        "company": "",
        "address_1": buyer.address,
        "address_2": "",
        "city": buyer.city,
        "state": "",
        "postcode": buyer.postcode,
        "country": buyer.country,
    }
    if billing:
        row["email"] = buyer.email or ""
    return {**row, "phone": buyer.phone or ""}


def customer(state: WooState, buyer: Buyer) -> Json:
    number = state.next_id("customer")
    order = ("first_name", "last_name", "company", "address_1", "address_2", "city", "postcode", "country", "state")
    billing, shipping = address(buyer, billing=True), address(buyer, billing=False)
    row: Json = {
        "id": number,
        **dict.fromkeys(("date_created", "date_created_gmt", "date_modified", "date_modified_gmt")),
        "email": buyer.email,
        "first_name": buyer.first_name,
        "last_name": buyer.last_name,
        "role": "customer",
        "username": (buyer.email or "").split("@")[0],
        "billing": {key: billing[key] for key in (*order, "email", "phone")},
        "shipping": {key: shipping[key] for key in (*order, "phone")},
        "is_paying_customer": False,
        "avatar_url": "https://secure.gravatar.com/avatar/0?s=96&d=mm&r=g",
        "meta_data": [],
    }
    state.set_date(row, "date_created", state.clock.now())
    state.touch(row)
    return row


def build(state: WooState, cart: Cart) -> Json:
    """A new order, put into `state.orders`. Nothing is announced here."""
    number = state.next_id("post")
    needs_shipping = any(article.requires_shipping for article, _ in cart.lines)
    off = _saving(cart)
    lines = _lines(state, cart, off)
    shipping = _Part.of_net(state, cart.shipping if needs_shipping and not cart.free_shipping else ZERO)
    cart_tax = sum((Decimal(line["total_tax"]) for line in lines), ZERO)
    goods = sum((Decimal(line["total"]) for line in lines), ZERO)
    discount = _Part.of_gross(state, off)
    total = goods + cart_tax + shipping.net + shipping.tax
    key = f"wc_order_{state.clock.token(8)[:13]}"
    row: Json = {
        "id": number,
        "parent_id": 0,
        "status": cart.status,
        "currency": cart.currency or state.currency,
        "version": VERSION,
        "prices_include_tax": True,
        "date_created": None,
        "date_modified": None,
        "discount_total": money(discount.net),
        "discount_tax": money(discount.tax),
        "shipping_total": money(shipping.net),
        "shipping_tax": money(shipping.tax),
        "cart_tax": money(cart_tax),
        "total": money(total),
        "total_tax": money(cart_tax + shipping.tax),
        "customer_id": cart.customer_id,
        "order_key": key,
        "billing": address(cart.buyer, billing=True),
        "shipping": address(cart.buyer, billing=False) if needs_shipping else _nowhere(),
        "payment_method": cart.payment[0],
        "payment_method_title": cart.payment[1],
        "transaction_id": "",
        "customer_ip_address": "203.0.113.7",
        "customer_user_agent": "Mozilla/5.0 (fake shop)",
        "created_via": cart.created_via,
        "customer_note": cart.note,
        "date_completed": None,
        "date_paid": None,
        "cart_hash": "",
        "number": str(number),
        "meta_data": [],
        "line_items": lines,
        "tax_lines": [_tax_line(state, cart_tax, shipping.tax)] if state.tax_rate else [],
        "shipping_lines": [_shipping_line(state, cart, shipping)] if needs_shipping else [],
        "fee_lines": [],
        "coupon_lines": [_coupon_line(state, cart.coupon, discount)] if cart.coupon else [],
        "refunds": [],
        "payment_url": f"{state.home}/checkout/order-pay/{number}/?pay_for_order=true&key={key}",
        "is_editable": False,
        "needs_payment": False,
        "needs_processing": needs_shipping,
        **dict.fromkeys(("date_created_gmt", "date_modified_gmt", "date_completed_gmt", "date_paid_gmt")),
        "currency_symbol": SYMBOLS.get(cart.currency or state.currency, ""),
    }
    state.write_meta(row, [{"key": name, "value": value} for name, value in cart.meta.items()])
    state.set_date(row, "date_created", state.clock.now())
    state.touch(row)
    enter_status(state, row, cart.status)
    state.orders[number] = row
    state.notes[number] = []
    return row


def _nowhere() -> Json:
    return address(Buyer(country="", city="", address="", postcode=""), billing=False)


def _saving(cart: Cart) -> Decimal:
    """What the coupon takes off the gross goods."""
    if cart.coupon is None:
        return ZERO
    amount = Decimal(cart.coupon["amount"])
    if cart.coupon["discount_type"] == "percent":
        return Decimal(money(cart.gross * amount / 100))
    return min(amount, cart.gross)


def _lines(state: WooState, cart: Cart, off: Decimal) -> list[Json]:
    rows: list[Json] = []
    left = off
    for index, (article, quantity) in enumerate(cart.lines):
        gross = article.price * quantity
        last = index == len(cart.lines) - 1
        share = left if last else Decimal(money(off * gross / cart.gross)) if cart.gross else ZERO
        left -= share
        rows.append(_line(state, article, quantity, gross, share))
    return rows


def _line(state: WooState, article: Article, quantity: int, gross: Decimal, off: Decimal) -> Json:
    product = state.product_of(article)
    full, paid = _Part.of_gross(state, gross), _Part.of_gross(state, gross - off)
    return {
        "id": state.next_id("item"),
        "name": product["name"],
        "product_id": product["id"],
        "variation_id": 0,
        "quantity": quantity,
        "tax_class": "",
        "subtotal": money(full.net),
        "subtotal_tax": money(full.tax),
        "total": money(paid.net),
        "total_tax": money(paid.tax),
        "taxes": [{"id": 1, "total": money(paid.tax), "subtotal": money(full.tax)}] if state.tax_rate else [],
        "meta_data": [_item_meta(state, "_reduced_stock", str(quantity))] if article.requires_shipping else [],
        "sku": article.sku,
        "global_unique_id": "",
        "price": round(float((gross - off) / (1 + state.tax_rate) / quantity), 7),
        "image": {"id": "", "src": ""},
        "parent_name": None,
    }


def _item_meta(state: WooState, key: str, value: str) -> Json:
    return {
        "id": state.next_id("item meta"),
        "key": key,
        "value": value,
        "display_key": key,
        "display_value": value,
    }


def _tax_line(state: WooState, cart_tax: Decimal, shipping_tax: Decimal) -> Json:
    return {
        "id": state.next_id("item"),
        "rate_code": "FI-ALV 25,5 %-1",
        "rate_id": 1,
        "label": "ALV 25,5 %",
        "compound": False,
        "tax_total": money(cart_tax),
        "shipping_tax_total": money(shipping_tax),
        "rate_percent": float(state.tax_rate * 100),
        "meta_data": [],
    }


def _shipping_line(state: WooState, cart: Cart, part: _Part) -> Json:
    return {
        "id": state.next_id("item"),
        "method_title": "Free shipping" if cart.free_shipping else cart.shipping_title,
        "method_id": "free_shipping" if cart.free_shipping else "flat_rate",
        "instance_id": "1",
        "total": money(part.net),
        "total_tax": money(part.tax),
        "taxes": [{"id": 1, "total": money(part.tax), "subtotal": ""}],
        "tax_status": "taxable",
        "meta_data": [],
    }


def _coupon_line(state: WooState, coupon: Json, discount: _Part) -> Json:
    amount = float(coupon["amount"])
    nominal = int(amount) if amount.is_integer() else amount
    info = f'[{coupon["id"]},"{coupon["code"]}","{coupon["discount_type"]}",{nominal}]'
    return {
        "id": state.next_id("item"),
        "code": coupon["code"],
        "discount": money(discount.net),
        "discount_tax": money(discount.tax),
        "meta_data": [_item_meta(state, "coupon_info", info)],
        "discount_type": coupon["discount_type"],
        "nominal_amount": nominal,
        "free_shipping": bool(coupon.get("free_shipping")),
    }


def enter_status(state: WooState, order: Json, status: str) -> None:
    """Set the status and the dates that come with it; saved again in the same status, it keeps its dates
    (WC_Order::set_status acts on transitions only)."""
    before, order["status"] = order["status"], status
    if status in PAID and order["date_paid"] is None:
        state.set_date(order, "date_paid", state.clock.now())
    if status == "completed" and (before != status or order["date_completed"] is None):
        state.set_date(order, "date_completed", state.clock.now())
    order["needs_payment"] = status in ("pending", "failed") and Decimal(order["total"]) > 0
    order["is_editable"] = status in ("pending", "on-hold", "auto-draft")


def refund(
    state: WooState, order: Json, amount: Decimal, reason: str, lines: Sequence[tuple[Json, int]], *, full: bool
) -> Json:
    """The refund object, and its short form in the order."""
    number = state.next_id("post")
    items = [_refund_line(state, line, quantity) for line, quantity in lines]
    tax = sum((Decimal(item["total_tax"]) for item in items), ZERO)
    row: Json = {
        "id": number,
        "date_created": None,
        "date_created_gmt": None,
        "amount": money(amount),
        "reason": reason,
        "refunded_by": 1,
        "refunded_payment": False,
        "meta_data": [{"id": state.next_id("meta"), "key": "_refund_type", "value": "full" if full else "partial"}],
        "line_items": items,
        "shipping_lines": [],
        "tax_lines": [_tax_line(state, tax, ZERO)] if items and state.tax_rate else [],
        "fee_lines": [],
    }
    state.set_date(row, "date_created", state.clock.now())
    state.refunds[number] = {**row, "parent_id": order["id"]}
    short = {"id": number, "reason": reason, "total": money(-amount), "total_tax": money(tax)}
    order["refunds"].insert(0, short)
    state.touch(order)
    return row


def _refund_line(state: WooState, line: Json, quantity: int) -> Json:
    share = Decimal(quantity) / Decimal(line["quantity"])
    amounts = {key: money(-Decimal(line[key]) * share) for key in ("subtotal", "subtotal_tax", "total", "total_tax")}
    meta = _item_meta(state, "_refunded_item_id", str(line["id"]))
    taxes = [{"id": 1, "total": amounts["total_tax"], "subtotal": amounts["subtotal_tax"]}]
    changes = {"id": state.next_id("item"), "quantity": -quantity, "taxes": taxes, "meta_data": [meta]}
    return {**line, **amounts, **changes}


def refunded(order: Json) -> Decimal:
    """What went back so far."""
    return -sum((Decimal(entry["total"]) for entry in order["refunds"]), ZERO)
