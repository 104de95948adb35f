"""The order's body: built once, then kept true as parcels, refunds and edits change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from connector.testing.fakes.people import Article, Buyer
from connector.testing.fakes.shopify import payloads
from connector.testing.fakes.shopify.payloads import ZERO
from connector.testing.fakes.shopify.state import Discount, Json, Prices, ShopState, gid

NESTED_PARCEL_LACKS = ("email", "destination")


@dataclass(frozen=True, slots=True, kw_only=True)
class Basket:
    """What goes through the checkout. `lines` are (article, quantity)."""

    lines: Sequence[tuple[Article, int]]
    buyer: Buyer
    customer: Json | None
    shipping: Decimal = Decimal("4.90")
    shipping_title: str = "Posti"
    presentment: str | None = None
    rate: Decimal = Decimal(1)
    attributes: Mapping[str, str] = field(default_factory=dict)
    discount: Discount | None = None
    source: str = "web"
    note: str | None = None
    tags: Sequence[str] = ()
    selling_plan_id: int | None = None
    landing_site: str | None = None
    is_test: bool = False

    @property
    def subtotal(self) -> Decimal:
        """The goods in shop money before any discount, tax included."""
        return sum((article.price * quantity for article, quantity in self.lines), ZERO)

    @property
    def needs_shipping(self) -> bool:
        return any(article.requires_shipping for article, _ in self.lines)


def build(state: ShopState, basket: Basket) -> Json:
    """A new, unpaid, unfulfilled order, put into `state.orders`."""
    prices = Prices(state.currency, basket.presentment or state.currency, basket.rate)
    number = state.next_id("Order")
    sequence = state.next_order_number()
    saving = prices.round(basket.discount.saving(basket.subtotal)) if basket.discount else ZERO
    shipping = basket.shipping if basket.needs_shipping else ZERO
    postage = shipping if basket.discount and basket.discount.free_delivery else ZERO
    order: Json = {
        "id": number,
        "admin_graphql_api_id": gid("Order", number),
        **_origin(state, basket),
        **_money(state, prices, basket.subtotal, saving, shipping, postage),
        **_identity(state, basket, number, sequence),
        "line_items": _lines(state, prices, basket, saving),
        "shipping_lines": [payloads.shipping_line(state, prices, shipping, postage, basket.shipping_title)]
        if basket.needs_shipping
        else [],
        **_discounts(basket, prices, saving + postage),
        "fulfillments": [],
        "refunds": [],
        "returns": [],
        "line_item_groups": [],
        "payment_terms": None,
    }
    order["token"] = f"{number:032x}"
    order["total_weight"] = sum(line["grams"] * line["quantity"] for line in order["line_items"])
    state.orders[number] = order
    state.order_prices[number] = prices
    return order


def _origin(state: ShopState, basket: Basket) -> Json:
    return {
        "app_id": 580111,
        "browser_ip": "203.0.113.7",
        "buyer_accepts_marketing": basket.buyer.accepts_marketing,
        "cancel_reason": None,
        "cancelled_at": None,
        "cart_token": f"cart{state.next_id('Cart'):028x}",
        "checkout_token": f"{state.next_id('Checkout'):032x}",
        "client_details": {
            "accept_language": basket.buyer.locale,
            "browser_height": None,
            "browser_ip": "203.0.113.7",
            "browser_width": None,
            "session_hash": None,
            "user_agent": "Mozilla/5.0 (fake shop)",
        },
        "closed_at": None,
        "device_id": None,
        "landing_site": basket.landing_site,
        "landing_site_ref": None,
        "location_id": 73_100_000_001 if basket.source == "pos" else None,
        "merchant_business_entity_id": "MTAwMDAwMDAwMQ",
        "merchant_of_record_app_id": None,
        "po_number": None,
        "reference": None,
        "referring_site": None,
        "source_identifier": None,
        "source_name": basket.source,
        "source_url": None,
        "test": basket.is_test,
        "user_id": None,
    }


def _identity(state: ShopState, basket: Basket, number: int, sequence: int) -> Json:
    buyer = basket.buyer
    where = payloads.address(buyer)
    short = None
    if basket.customer is not None:
        short = {key: value for key, value in basket.customer.items() if key != "addresses"}
    return {
        "confirmation_number": f"K{sequence:08d}",
        "confirmed": True,
        "contact_email": buyer.email,
        "created_at": state.stamp(),
        "customer_locale": buyer.locale,
        "email": buyer.email if buyer.email is not None else "",
        "estimated_taxes": False,
        "financial_status": "pending",
        "fulfillment_status": None,
        "name": f"#{1000 + sequence}",
        "note": basket.note,
        "note_attributes": [{"name": name, "value": value} for name, value in basket.attributes.items()],
        "number": sequence,
        "order_number": 1000 + sequence,
        "order_status_url": f"https://{state.domain}/{state.shop_id}/orders/{number:032x}/authenticate?key=fake",
        "payment_gateway_names": ["bogus"],
        "phone": buyer.phone,
        "processed_at": state.stamp(),
        "tags": ", ".join(basket.tags),
        "updated_at": state.stamp(),
        "billing_address": where,
        "customer": short,
        "shipping_address": where if basket.needs_shipping else None,
    }


def _money(
    state: ShopState, prices: Prices, subtotal: Decimal, saving: Decimal, shipping: Decimal, postage: Decimal
) -> Json:
    """`saving` goes off the goods, `postage` off their delivery; `total_shipping_price_set` stays without discounts."""
    total = subtotal - saving + shipping - postage
    tax = prices.round(total - total / (1 + state.tax_rate))
    amounts = {
        "current_subtotal_price": subtotal - saving,
        "current_total_discounts": saving + postage,
        "current_total_price": total,
        "current_total_tax": tax,
        "subtotal_price": subtotal - saving,
        "total_discounts": saving + postage,
        "total_line_items_price": subtotal,
        "total_price": total,
        "total_tax": tax,
    }
    paired = {name: prices.text(amount) for name, amount in amounts.items()}
    sets = {f"{name}_set": prices.set(amount) for name, amount in amounts.items()}
    return {
        "currency": prices.shop,
        "presentment_currency": prices.presentment,
        "current_shipping_price_set": prices.set(shipping),
        "current_total_additional_fees_set": None,
        "current_total_duties_set": None,
        "duties_included": False,
        "original_total_additional_fees_set": None,
        "original_total_duties_set": None,
        "tax_exempt": False,
        "tax_lines": payloads.tax_lines(state, prices, total),
        "taxes_included": True,
        "total_cash_rounding_payment_adjustment_set": prices.set(ZERO),
        "total_cash_rounding_refund_adjustment_set": prices.set(ZERO),
        "total_outstanding": prices.text(total),
        "total_shipping_price_set": prices.set(shipping),
        "total_tip_received": prices.text(ZERO),
        **paired,
        **sets,
    }


def _lines(state: ShopState, prices: Prices, basket: Basket, saving: Decimal) -> list[Json]:
    """The lines, with the discount spread by value and the rounding left on the last."""
    rows: list[Json] = []
    left = saving
    for index, (article, quantity) in enumerate(basket.lines):
        last = index == len(basket.lines) - 1
        value = article.price * quantity
        share = left if last else prices.round(saving * value / basket.subtotal) if basket.subtotal else ZERO
        left -= share
        rows.append(payloads.line_item(state, prices, article, quantity, share, basket.selling_plan_id))
    return rows


def _discounts(basket: Basket, prices: Prices, saving: Decimal) -> Json:
    discount = basket.discount
    if discount is None:
        return {"discount_codes": [], "discount_applications": []}
    kind = "percentage" if discount.percentage is not None else "fixed_amount"
    value = discount.percentage * 100 if discount.percentage is not None else discount.amount
    if discount.free_delivery:
        kind, value = "percentage", Decimal(100)
    application = {
        "target_type": "shipping_line" if discount.free_delivery else "line_item",
        "type": "discount_code",
        "value": str(value),
        "value_type": kind,
        "allocation_method": "across",
        "target_selection": "all",
        "code": discount.code,
    }
    return {
        "discount_codes": [
            {
                "code": discount.code,
                "amount": prices.text(saving),
                "type": "shipping" if discount.free_delivery else kind,
            }
        ],
        "discount_applications": [application],
    }


def touch(state: ShopState, order: Json) -> None:
    """Mark the order changed now."""
    order["updated_at"] = state.stamp()


def mark_paid(state: ShopState, order: Json) -> None:
    order["financial_status"] = "paid"
    state.paid_at[order["id"]] = state.stamp()
    order["total_outstanding"] = state.order_prices[order["id"]].text(ZERO)
    touch(state, order)


def ship(state: ShopState, order: Json, parcel: Json) -> None:
    """Take the parcel's quantities off what is left to ship and set both statuses."""
    shipped = {line["id"]: line["quantity"] for line in parcel["line_items"]}
    for line in order["line_items"]:
        if line["id"] in shipped:
            line["fulfillable_quantity"] -= shipped[line["id"]]
            line["fulfillment_status"] = "partial" if line["fulfillable_quantity"] else "fulfilled"
    left = any(line["fulfillable_quantity"] for line in order["line_items"] if line["requires_shipping"])
    order["fulfillment_status"] = "partial" if left else "fulfilled"
    show_parcel(state, order, parcel)


def show_parcel(state: ShopState, order: Json, parcel: Json) -> None:
    """Put the parcel as it is now into the order's list, without what the nested form lacks."""
    nested = {key: value for key, value in parcel.items() if key not in NESTED_PARCEL_LACKS}
    known = [row["id"] for row in order["fulfillments"]]
    if parcel["id"] in known:
        order["fulfillments"][known.index(parcel["id"])] = nested
    else:
        order["fulfillments"].append(nested)
    touch(state, order)


def take_back(state: ShopState, order: Json, refund: Json, amount: Decimal) -> None:
    """Apply a refund: quantities, current totals, financial status."""
    prices = state.order_prices[order["id"]]
    for entry in refund["refund_line_items"]:
        line = next(row for row in order["line_items"] if row["id"] == entry["line_item_id"])
        line["current_quantity"] -= entry["quantity"]
    left = max(ZERO, Decimal(order["current_total_price"]) - amount)
    goods = sum((Decimal(str(e["subtotal"])) for e in refund["refund_line_items"]), ZERO)
    for name, value in (
        ("current_total_price", left),
        ("current_total_tax", prices.round(left - left / (1 + state.tax_rate))),
        ("current_subtotal_price", max(ZERO, Decimal(order["current_subtotal_price"]) - goods)),
    ):
        order[name] = prices.text(value)
        order[f"{name}_set"] = prices.set(value)
    order["financial_status"] = "refunded" if left == ZERO else "partially_refunded"
    order["refunds"].append(refund)
    touch(state, order)
