"""What a template sees: plain tables, lists, texts and numbers, made from the model for one message.

Nothing here has methods a template could call, every address has been checked, and every name of VARIABLES is
always present (`None` where the message has none), so that a missing name is an author's slip and not bad luck.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from babel import Locale

from connector.clock import to_text
from connector.config.surveys import Stage
from connector.model import (
    Address,
    Brand,
    Customer,
    Guide,
    LineItem,
    Money,
    Order,
    Product,
    Purpose,
    Shipment,
    Shop,
)
from connector.model.colour import HEX
from flows.knowing.about import CheckoutFacts
from flows.render.asking import review_table
from flows.render.cleaning import clean
from flows.render.filters import SETTINGS, Settings
from flows.render.guides import guide_table
from flows.render.links import safe_url
from flows.render.locales import direction, format_locale
from flows.render.questions import question_table
from flows.render.strings import Strings
from flows.render.theme import DEFAULT_ACCENT, PLAIN, brand_table

VARIABLES = (
    "shop", "brand", "order", "customer", "shipment", "params", "steps", "links", "progress", "purpose", "marketing",
    "recipient_name", "first_name", "greeting_name", "locale", "lang", "timezone", "dir", "align", "align_end",
    "subject", "preheader", "event", "line", "checkout", "product", "recommendations", "guides", "survey",
    "return_steps", "review",
)  # fmt: skip
# Addresses the engine may hand in; all are always there so that templates can ask `{% if links.review %}`.
LINKS = (
    "unsubscribe", "preferences", "review", "survey", "referral", "share", "order_status", "shop", "track", "confirm",
    "push", "order_page", "case", "points",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """Everything a message may speak of.

    `locale` is BCP 47 (from `choose_locale`), `timezone` an IANA name. `steps` are results of earlier steps
    (`steps.code.code`). `links` are absolute http(s) addresses by name (see LINKS); others are dropped.
    `products` give pictures and addresses to lines, by product id. `recipient_name` is who the message greets.
    `event` is what began the run, as texts; `line` and `checkout` are what it is about, `product` what the event names;
    `recommendations` come best first; `guides` are the merchant's texts about what was bought;
    `survey` is the question that is asked, whose page is `links.survey`; `accepted` says by language how goods that may
    be returned are sent; `rewarded`: something is given for the review it asks for, `by_product`: there is room to ask
    about each product with stars of its own.
    """

    shop: Shop
    locale: str
    purpose: Purpose
    timezone: str = "UTC"
    order: Order | None = None
    customer: Customer | None = None
    shipment: Shipment | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    products: Mapping[str, Product] = field(default_factory=dict)
    recipient_name: str = ""
    progress: Mapping[str, Any] | None = None
    event: Mapping[str, str] = field(default_factory=dict)
    line: LineItem | None = None
    checkout: CheckoutFacts | None = None
    product: Product | None = None
    recommendations: Sequence[Product] = ()
    guides: Sequence[Guide] = ()
    brand: Brand = PLAIN
    survey: Stage | None = None
    accepted: Mapping[str, str] = field(default_factory=dict)
    rewarded: bool = False
    by_product: bool = True


def template_context(view: MessageView, language: str, strings: Strings) -> dict[Any, Any]:
    """The variables of one message in the template's `language` (which decides the direction of the text)."""
    flow = direction(language)
    formatting = format_locale(view.locale, language)
    links: dict[str, str | None] = dict.fromkeys(LINKS)
    links.update((name, safe_url(url)) for name, url in view.links.items())
    links["order_status"] = links["order_status"] or (safe_url(view.order.status_url) if view.order else None)
    links["shop"] = links["shop"] or safe_url(view.shop.url)
    customer = view.customer or (view.order.customer if view.order else None)
    recipient = clean(view.recipient_name)
    return {
        SETTINGS: Settings(formatting, view.timezone, language, flow, strings),
        "shop": _shop(view.shop),
        "brand": brand_table(view.brand, view.shop, language),
        "order": _order(view.order, view.products, formatting) if view.order else None,
        "customer": _customer(customer) if customer else None,
        "shipment": _shipment(view.shipment, view.order) if view.shipment else None,
        "params": dict(view.params),
        "steps": {name: dict(values) for name, values in view.steps.items()},
        "links": links,
        "progress": _plain(view.progress),
        "event": dict(view.event),
        "line": _line(view.line, view.products.get(view.line.product_id or "")) if view.line else None,
        "checkout": _checkout(view.checkout, view.products) if view.checkout else None,
        "product": _product(view.product) if view.product else None,
        "recommendations": [_product(product) for product in view.recommendations],
        "guides": [guide_table(guide, language, view.shop.locale) for guide in view.guides],
        "survey": question_table(view.survey, language, strings, view.shop, links["survey"]) if view.survey else None,
        "return_steps": clean(view.accepted.get(language)),
        "review": review_table(
            view.order.lines if view.order and view.by_product and view.purpose is Purpose.REVIEW else (),
            view.products,
            links["review"],
            rewarded=view.rewarded,
        ),
        "purpose": view.purpose.value,
        "marketing": view.purpose.needs_consent,
        "recipient_name": recipient,
        "first_name": (clean(customer.first_name) if customer else None) or recipient,
        "greeting_name": _greeting_name(language, customer, view.order) or recipient,
        "locale": view.locale,
        "lang": language,
        "timezone": view.timezone,
        **sides(language),
        "subject": "",
        "preheader": "",
    }


def _greeting_name(language: str, customer: Customer | None, order: Order | None) -> str | None:
    """How a person is addressed in the language: by first name; in German by the whole name (Sie), in Japanese by the
    family name (before 様), facts/messaging.md section 6. `None` when it is not known."""
    place = (order.shipping_address or order.billing_address) if order else None
    named: Customer | Address | None = customer if customer and (customer.first_name or customer.last_name) else place
    if named is None:
        return None
    first, last = clean(named.first_name), clean(named.last_name)
    if language == "ja":
        return last or first
    return " ".join(filter(None, (first, last))) or None if language == "de" else first


def sides(language: str) -> dict[str, str]:
    """`dir` (ltr, rtl) and the sides a line begins and ends on, as the template's language has it."""
    flow = direction(language)
    start, end = ("right", "left") if flow == "rtl" else ("left", "right")
    return {"dir": flow, "align": start, "align_end": end}


def _money(money: Money | None) -> dict[str, object] | None:
    return None if money is None else {"amount": money.amount, "currency": money.currency}


def _shop(shop: Shop) -> dict[str, object]:
    return {
        "name": clean(shop.name) or shop.domain,
        "domain": shop.domain,
        "url": safe_url(shop.url),
        "support_email": clean(shop.support_email),
        "support_phone": clean(shop.support_phone),
        "address_lines": [line for line in map(clean, shop.address_lines) if line],
        "logo_url": safe_url(shop.logo_url),
        "accent_color": shop.accent_color if HEX.fullmatch(shop.accent_color) else DEFAULT_ACCENT,
        "country": shop.country,
        "currency": shop.currency,
    }


def _customer(customer: Customer) -> dict[str, object]:
    first, last = clean(customer.first_name), clean(customer.last_name)
    return {
        "first_name": first,
        "last_name": last,
        "name": " ".join(filter(None, (first, last))) or None,
        "email": clean(customer.email),
        "phone": clean(customer.phone),
        "orders_count": customer.orders_count,
        "tags": list(customer.tags or ()),
    }


_FAMILY_FIRST = ("ja", "zh", "ko", "hu")


@lru_cache(maxsize=2048)
def _country(code: str | None, locale: str) -> str | None:
    if not code:
        return None
    name = Locale.parse(locale).territories.get(code.upper())
    return str(name) if name else code


def _address(address: Address | None, locale: str) -> dict[str, object] | None:
    if address is None:
        return None
    first, last = clean(address.first_name), clean(address.last_name)
    order = (last, first) if locale.startswith(_FAMILY_FIRST) else (first, last)
    name = " ".join(filter(None, order)) or None
    lines = [line for line in map(clean, address.lines) if line]
    town = " ".join(filter(None, (clean(address.postcode), clean(address.city)))) or None
    region, company, country = clean(address.region), clean(address.company), _country(address.country, locale)
    display = [part for part in (name, company, *lines, town, region, country) if part]
    return {
        "first_name": first,
        "last_name": last,
        "name": name,
        "company": company,
        "lines": lines,
        "postcode": clean(address.postcode),
        "city": clean(address.city),
        "region": region,
        "country": country,
        "country_code": address.country,
        "phone": clean(address.phone),
        "display": display,
    }


def _line(line: LineItem, product: Product | None) -> dict[str, object]:
    quantity = line.current_quantity if line.current_quantity is not None else line.quantity
    return {
        "id": line.id,
        "title": clean(line.title) or "–",
        "variant_title": clean(line.variant_title),
        "quantity": quantity,
        "ordered_quantity": line.quantity,
        "unit_price": _money(line.unit_price),
        "total": _money(line.total),
        "sku": clean(line.sku),
        "product_id": line.product_id,
        "image_url": safe_url(line.image_url) or (safe_url(product.image_url) if product else None),
        "url": safe_url(line.product_url) or (safe_url(product.url) if product else None),
        "is_gift_card": line.is_gift_card,
        "properties": [
            {"name": clean(name) or "", "value": clean(value) or ""}
            for name, value in line.properties
            if not name.startswith("_")  # Shopify: private to apps, never shown
        ],
    }


def _order(order: Order, products: Mapping[str, Product], locale: str) -> dict[str, object]:
    delivery = _address(order.shipping_address, locale)
    same = order.billing_address == order.shipping_address
    billing = delivery if same else _address(order.billing_address, locale)
    return {
        "id": order.id,
        "number": clean(order.number) or order.id,
        "placed_at": to_text(order.placed_at),
        "status": order.status.value,
        "financial": order.financial.value,
        "fulfillment": order.fulfillment.value,
        "currency": order.currency,
        "total": _money(order.total),
        "subtotal": _money(order.subtotal),
        "shipping": _money(order.shipping),
        "tax": _money(order.tax),
        "tax_lines": [{"title": clean(tax.title) or "", "amount": _money(tax.amount)} for tax in order.tax_lines],
        "taxes_included": order.taxes_included,
        "discount": _money(order.discount),
        "discounts": [
            {"code": clean(item.code), "title": clean(item.title) or clean(item.code), "amount": _money(item.amount)}
            for item in order.discounts
        ],
        "refunded": _money(order.refunded),
        "lines": [_line(line, products.get(line.product_id or "")) for line in order.lines],
        "needs_shipping": order.needs_shipping,
        "shipping_address": delivery,
        "billing_address": billing,
        "payment_methods": [text for text in map(clean, order.payment_methods) if text],
        "note": clean(order.note),
        "email": clean(order.email),
        "phone": clean(order.phone),
        "status_url": safe_url(order.status_url),
        "tags": list(order.tags),
        "attributes": {name: clean(value) for name, value in order.attributes},
    }


def _shipment(shipment: Shipment, order: Order | None) -> dict[str, object]:
    titles = {line.id: clean(line.title) for line in order.lines} if order else {}
    urls: Sequence[str | None] = [safe_url(url) for url in shipment.tracking_urls]
    trackings = [
        {"number": clean(number), "url": urls[index] if index < len(urls) else None}
        for index, number in enumerate(shipment.tracking_numbers)
    ]
    lines = [
        {"title": clean(line.title) or titles.get(line.line_id) or "–", "quantity": line.quantity}
        for line in shipment.lines
    ]
    expected = shipment.estimated_delivery_at
    return {
        "id": shipment.id,
        "number": clean(shipment.number),
        "status": shipment.status.value,
        "carrier": clean(shipment.carrier),
        "trackings": trackings,
        "tracking_url": next((url for url in urls if url), None),
        "lines": lines,
        "created_at": to_text(shipment.created_at),
        "estimated_delivery_at": to_text(expected) if expected else None,
    }


def _product(product: Product) -> dict[str, object]:
    return {
        "id": product.id,
        "title": clean(product.title) or "–",
        "url": safe_url(product.url),
        "image_url": safe_url(product.image_url),
    }


def _checkout(checkout: CheckoutFacts, products: Mapping[str, Product]) -> dict[str, object]:
    return {
        "url": safe_url(checkout.url),
        "total": _money(checkout.total),
        "lines": [_line(line, products.get(line.product_id or "")) for line in checkout.lines],
    }


def _plain(value: Any) -> Any:
    """Tables, lists, texts and numbers only; anything else as its text."""
    if value is None or isinstance(value, (bool, int, str)):
        return unicodedata.normalize("NFC", value) if isinstance(value, str) else value
    if isinstance(value, Money):
        return _money(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return to_text(value) if hasattr(value, "astimezone") else str(value)
