"""Webhook bodies of 2026-10, in full.

Key sets follow Shopify's own 2026-07 examples; 2026-10 adds `selling_plan_id` to lines (shopify.md §1.1). People in
them come from `people.py` or from the test.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from connector.testing.fakes.people import Article, Buyer
from connector.testing.fakes.shopify.state import Json, Prices, ShopState, gid

ZERO = Decimal(0)


def address(buyer: Buyer) -> Json:
    return {
        "first_name": buyer.first_name or None,
        "address1": buyer.address,
        "phone": buyer.phone,
        "city": buyer.city,
        "zip": buyer.postcode,
        "province": None,
        "country": buyer.country_name,
        "last_name": buyer.last_name or None,
        "address2": None,
        "company": None,
        "latitude": None,
        "longitude": None,
        "name": buyer.name,
        "country_code": buyer.country,
        "province_code": None,
    }


def customer(state: ShopState, buyer: Buyer) -> Json:
    """A customer without tags and consent: those left the payload in 2025-01 (shopify.md §0.5)."""
    number = state.next_id("Customer")
    own = address(buyer)
    home = {
        "id": state.next_id("MailingAddress"),
        "customer_id": number,
        **{key: own[key] for key in ("first_name", "last_name", "company", "address1", "address2", "city")},
        **{key: own[key] for key in ("province", "country", "zip", "phone", "name", "province_code", "country_code")},
        "country_name": buyer.country_name,
        "default": True,
    }
    return {
        "id": number,
        "created_at": state.stamp(),
        "updated_at": state.stamp(),
        "first_name": buyer.first_name or None,
        "last_name": buyer.last_name or None,
        "state": "disabled",
        "note": None,
        "verified_email": True,
        "multipass_identifier": None,
        "tax_exempt": False,
        "email": buyer.email,
        "phone": buyer.phone,
        "currency": state.currency,
        "addresses": [home],
        "tax_exemptions": [],
        "admin_graphql_api_id": gid("Customer", number),
        "default_address": home,
    }


def tax_lines(state: ShopState, prices: Prices, gross: Decimal) -> list[Json]:
    """The tax that is inside a gross amount."""
    tax = prices.round(gross - gross / (1 + state.tax_rate))
    title = f"ALV {(state.tax_rate * 100).normalize()} %"
    line = {"price": prices.text(tax), "rate": float(state.tax_rate), "title": title}
    return [{**line, "price_set": prices.set(tax), "channel_liable": False}] if state.tax_rate else []


def line_item(
    state: ShopState, prices: Prices, article: Article, quantity: int, saving: Decimal, plan: int | None
) -> Json:
    """One line. `saving` is its part of the order's discount."""
    number = state.next_id("LineItem")
    product = state.product_of(article)
    allocation = {"amount": prices.text(saving), "amount_set": prices.set(saving), "discount_application_index": 0}
    return {
        "id": number,
        "admin_graphql_api_id": gid("LineItem", number),
        "attributed_staffs": [],
        "current_quantity": quantity,
        "fulfillable_quantity": quantity,
        "fulfillment_service": "manual",
        "fulfillment_status": None,
        "gift_card": article.is_gift_card,
        "grams": article.grams,
        "name": " - ".join(part for part in (article.title, article.variant_title) if part),
        "price": prices.text(article.price),
        "price_set": prices.set(article.price),
        "product_exists": True,
        "product_id": product["id"],
        "properties": [],
        "quantity": quantity,
        "requires_shipping": article.requires_shipping,
        "sales_line_item_group_id": None,
        "selling_plan_id": plan,
        "sku": article.sku,
        "taxable": True,
        "title": article.title,
        # Shopify leaves the line's own discount zero when a code gave it and shows the code's part as allocations.
        "total_discount": prices.text(ZERO),
        "total_discount_set": prices.set(ZERO),
        "variant_id": product["variant_id"],
        "variant_inventory_management": "shopify",
        "variant_title": article.variant_title,
        "vendor": article.vendor,
        "tax_lines": tax_lines(state, prices, article.price * quantity - saving),
        "duties": [],
        "discount_allocations": [allocation] if saving else [],
    }


def shipping_line(state: ShopState, prices: Prices, price: Decimal, saving: Decimal, title: str) -> Json:
    left = price - saving
    allocation = {"amount": prices.text(saving), "amount_set": prices.set(saving), "discount_application_index": 0}
    return {
        "id": state.next_id("ShippingLine"),
        "carrier_identifier": None,
        "code": title,
        "current_discounted_price_set": prices.set(left),
        "discounted_price": prices.text(left),
        "discounted_price_set": prices.set(left),
        "is_removed": False,
        "phone": None,
        "price": prices.text(price),
        "price_set": prices.set(price),
        "requested_fulfillment_service_id": None,
        "source": "shopify",
        "title": title,
        "tax_lines": tax_lines(state, prices, left),
        "discount_allocations": [allocation] if saving else [],
    }


# Lines inside parcels and refunds are shorter than those of the order.
ONLY_IN_ORDERS = ("attributed_staffs", "current_quantity", "sales_line_item_group_id", "selling_plan_id")


def _short(row: Json, **changes: object) -> Json:
    return {key: value for key, value in {**row, **changes}.items() if key not in ONLY_IN_ORDERS}


def fulfillment(
    state: ShopState, order: Json, lines: Sequence[tuple[Json, int]], company: str, number: str, url: str
) -> Json:
    """A parcel. `lines` are rows of the order with the quantity in the parcel."""
    fulfillment_id = state.next_id("Fulfillment")
    return {
        "id": fulfillment_id,
        "order_id": order["id"],
        "status": "success",
        "created_at": state.stamp(),
        "service": "manual",
        "updated_at": state.stamp(),
        "tracking_company": company or None,
        "shipment_status": None,
        "location_id": 73_100_000_001,
        "origin_address": None,
        "email": order["email"],
        "destination": order["shipping_address"],
        "line_items": [_short(row, quantity=quantity) for row, quantity in lines],
        "tracking_number": number or None,
        "tracking_numbers": [number] if number else [],
        "tracking_url": url or None,
        "tracking_urls": [url] if url else [],
        "receipt": {},
        "name": f"{order['name']}.{len(order['fulfillments']) + 1}",
        "admin_graphql_api_id": gid("Fulfillment", fulfillment_id),
    }


def fulfillment_event(state: ShopState, parcel: Json, status: str, message: str, eta: str | None) -> Json:
    number = state.next_id("FulfillmentEvent")
    target = parcel["destination"] or {}
    return {
        "id": number,
        "fulfillment_id": parcel["id"],
        "status": status,
        "message": message or None,
        "happened_at": state.stamp(),
        "city": target.get("city"),
        "province": None,
        "country": target.get("country_code"),
        "zip": target.get("zip"),
        "address1": None,
        "latitude": None,
        "longitude": None,
        "shop_id": state.shop_id,
        "created_at": state.stamp(),
        "updated_at": state.stamp(),
        "estimated_delivery_at": eta,
        "order_id": parcel["order_id"],
        "admin_graphql_api_id": gid("FulfillmentEvent", number),
    }


def refund(
    state: ShopState, order: Json, lines: Sequence[tuple[Json, int, Decimal]], amount: Decimal, note: str
) -> Json:
    """Money back. `lines` are (row, quantity, gross value); what `amount` adds beyond them is an adjustment."""
    prices = state.order_prices[order["id"]]
    number = state.next_id("Refund")
    beyond = amount - sum((value for _, _, value in lines), ZERO)
    return {
        "id": number,
        "order_id": order["id"],
        "created_at": state.stamp(),
        "note": note,
        "user_id": 90_000_000_001,
        "processed_at": state.stamp(),
        "duties": [],
        "total_duties_set": prices.set(ZERO),
        "return": None,
        "refund_shipping_lines": [],
        "restock": bool(lines),
        "admin_graphql_api_id": gid("Refund", number),
        "order_adjustments": [_adjustment(state, order, number, beyond)] if beyond else [],
        "refund_line_items": [_refund_line(state, prices, *entry) for entry in lines],
        "transactions": [_refund_transaction(state, order, prices, amount)] if amount else [],
    }


def _refund_line(state: ShopState, prices: Prices, row: Json, quantity: int, value: Decimal) -> Json:
    tax = value - value / (1 + state.tax_rate)
    return {
        "id": state.next_id("RefundLineItem"),
        "quantity": quantity,
        "line_item_id": row["id"],
        "location_id": 73_100_000_001,
        "restock_type": "return",
        # Numbers where everything else is text: so Shopify sends them (shopify.md §6).
        "subtotal": float(prices.text(value)),
        "total_tax": float(prices.text(tax)),
        "subtotal_set": prices.set(value),
        "total_tax_set": prices.set(tax),
        "line_item": _short(row),
    }


def _adjustment(state: ShopState, order: Json, refund_id: int, amount: Decimal) -> Json:
    prices = state.order_prices[order["id"]]
    return {
        "id": state.next_id("OrderAdjustment"),
        "order_id": order["id"],
        "refund_id": refund_id,
        "kind": "refund_discrepancy",
        "reason": "Refund discrepancy",
        "amount": prices.text(-amount),
        "amount_set": prices.set(-amount),
        "tax_amount": prices.text(ZERO),
        "tax_amount_set": prices.set(ZERO),
    }


def _refund_transaction(state: ShopState, order: Json, prices: Prices, amount: Decimal) -> Json:
    number = state.next_id("OrderTransaction")
    none_left = {"amount": "0.0", "currency": prices.shop}
    return {
        "id": number,
        "order_id": order["id"],
        "kind": "refund",
        "gateway": "bogus",
        "status": "success",
        "message": "Refunded",
        "created_at": state.stamp(),
        "test": False,
        "authorization": None,
        "location_id": None,
        "user_id": 90_000_000_001,
        "parent_id": None,
        "processed_at": state.stamp(),
        "device_id": None,
        "error_code": None,
        "source_name": "web",
        "receipt": {},
        "amount": prices.text(amount * prices.rate, prices.presentment),
        "currency": prices.presentment,
        "payment_id": f"{order['name']}.2",
        "total_unsettled_set": {"presentment_money": none_left, "shop_money": none_left},
        "manual_payment_gateway": True,
        "amount_rounding": None,
        "admin_graphql_api_id": gid("OrderTransaction", number),
    }


def shop(state: ShopState) -> Json:
    """The body of shop/update and app/uninstalled."""
    name, code = "Finland", state.country
    empty = ("province", "source", "phone", "latitude", "longitude", "address2", "province_code")
    unset = ("auto_configure_tax_inclusivity", "tax_shipping", "county_taxes", "google_apps_domain")
    money = f"{{{{amount}}}} {state.currency}"
    return {
        "id": state.shop_id,
        "name": state.name,
        "email": state.email,
        "domain": state.domain,
        "country": code,
        "address1": "Keksittykatu 1",
        "zip": "00100",
        "city": "Helsinki",
        "primary_locale": state.locale,
        "created_at": state.stamp(),
        "updated_at": state.stamp(),
        "country_code": code,
        "country_name": name,
        "currency": state.currency,
        "customer_email": state.email,
        "timezone": "(GMT+02:00) Helsinki",
        "iana_timezone": state.timezone.key,
        "shop_owner": "Keksi Kauppias",
        **{f"{key}_format": money for key in ("money", "money_with_currency", "money_in_emails")},
        "money_with_currency_in_emails_format": money,
        "weight_unit": "kg",
        "taxes_included": True,
        "plan_display_name": "Basic",
        "plan_name": "basic",
        "has_discounts": True,
        "has_gift_cards": False,
        "myshopify_domain": state.domain,
        "google_apps_login_enabled": None,
        "eligible_for_payments": True,
        "requires_extra_payments_agreement": False,
        "password_enabled": False,
        "has_storefront": True,
        "finances": True,
        "primary_location_id": 73_100_000_001,
        "checkout_api_supported": True,
        "multi_location_enabled": True,
        "setup_required": False,
        "pre_launch_enabled": False,
        "enabled_presentment_currencies": [state.currency],
        "marketing_sms_consent_enabled_at_checkout": False,
        "transactional_sms_disabled": False,
        **dict.fromkeys((*empty, *unset)),
    }
