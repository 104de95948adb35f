"""Checkouts, products, discount codes, the shop itself and the app."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from connector.clock import to_text
from connector.errors import MalformedPayload
from connector.model import Checkout, Event, EventKind, LineItem, Product, Ref, Shop
from platforms.shopify.customers import guest, read_address, read_customer
from platforms.shopify.payloads import shop as raw
from platforms.shopify.reading import currency, ident, money, pairs, required_id, tags, text, texts, time


def _token(payload: raw.Checkout, topic: str) -> str:
    """The checkout's key: `token`, or what stood for it before 2026-04."""
    found = text(payload.token) or text(payload.cart_token) or ident(payload.id)
    if found is None:
        raise MalformedPayload("a checkout without a token", topic=topic, path="token")
    return found


def read_checkout(payload: raw.Checkout, topic: str, otherwise: datetime, shop: Shop) -> Checkout:
    """One checkout body. Its amounts come without sets and are taken to be in the presentment currency."""
    paid_in = text(payload.presentment_currency) or payload.currency
    code = currency(paid_in, shop.currency, topic, "presentment_currency")
    started_at = time(payload.created_at) or otherwise
    email, phone, locale = text(payload.email), text(payload.phone), text(payload.customer_locale)
    address = read_address(payload.billing_address) or read_address(payload.shipping_address)
    return Checkout(
        token=_token(payload, topic),
        currency=code,
        started_at=started_at,
        updated_at=time(payload.updated_at) or started_at,
        completed_at=time(payload.completed_at),
        email=email,
        phone=phone,
        locale=locale,
        customer=read_customer(payload.customer, topic) or guest(email, phone, address, locale),
        lines=tuple(_line(line, index, code, topic) for index, line in enumerate(payload.line_items or ())),
        total=money(payload.total_price, code, topic, "total_price"),
        recovery_url=text(payload.abandoned_checkout_url),
        discount_codes=texts(item.code for item in payload.discount_codes or ()),
    )


def _line(payload: raw.CheckoutLine, index: int, code: str, topic: str) -> LineItem:
    path = f"line_items[{index}].price"
    price = money(payload.price, code, topic, path)
    if price is None:
        raise MalformedPayload("an amount is missing", topic=topic, path=path)
    total = money(payload.line_price, code, topic, f"line_items[{index}].line_price")
    return LineItem(
        id=text(payload.key) or str(index),
        title=text(payload.presentment_title) or text(payload.title) or "",
        quantity=payload.quantity,
        unit_price=price,
        total=total or price * payload.quantity,
        variant_title=text(payload.variant_title),
        product_id=ident(payload.product_id),
        variant_id=ident(payload.variant_id),
        sku=text(payload.sku),
        requires_shipping=payload.requires_shipping is not False,
        is_gift_card=bool(payload.gift_card),
        properties=pairs(payload.properties),
    )


def checkout_events(payload: raw.Checkout, topic: str, otherwise: datetime, shop: Shop) -> list[Event]:
    """checkouts/create and update: that it was started, and what it is now."""
    checkout = read_checkout(payload, topic, otherwise, shop)
    return [
        _checkout_event(
            EventKind.CHECKOUT_UPDATED, f"updated/{to_text(checkout.updated_at)}", checkout, checkout.updated_at
        ),
        _checkout_event(EventKind.CHECKOUT_STARTED, "started", checkout, checkout.started_at),
    ]


def checkout_deleted(payload: raw.Checkout, topic: str, at: datetime, shop: Shop) -> Event:
    """checkouts/delete: the body is a remnant without times."""
    checkout = replace(read_checkout(payload, topic, at, shop), updated_at=at, deleted=True)
    return _checkout_event(EventKind.CHECKOUT_DELETED, "deleted", checkout, at)


def _checkout_event(kind: str, key: str, checkout: Checkout, at: datetime) -> Event:
    return Event(
        kind=kind,
        key=f"checkout/{checkout.token}/{key}",
        subject=Ref("checkout", checkout.token),
        at=at,
        customer_id=checkout.customer.id if checkout.customer else None,
        checkout=checkout,
    )


def product_event(payload: raw.Product, topic: str, otherwise: datetime, shop: Shop) -> Event:
    """products/create and update. products/update also fires on each order: the key makes that one event."""
    product_id = required_id(payload.id, topic, "id")
    at = time(payload.updated_at) or otherwise
    handle = text(payload.handle)
    images = [image for image in (payload.image, *(payload.images or ())) if image and text(image.src)]
    product = Product(
        id=product_id,
        title=text(payload.title) or "",
        updated_at=at,
        handle=handle,
        url=f"{(shop.url or f'https://{shop.domain}').rstrip('/')}/products/{handle}" if handle else None,
        image_url=text(images[0].src) if images else None,
        in_stock=_in_stock(payload.variants or []),
        product_type=text(payload.product_type),
        vendor=text(payload.vendor),
        tags=tags(payload.tags),
        raw_status=(payload.status or "").lower(),
    )
    key = f"product/{product_id}/updated/{to_text(at)}"
    return Event(kind=EventKind.PRODUCT_UPDATED, key=key, subject=Ref("product", product_id), at=at, product=product)


def _in_stock(variants: list[raw.Variant]) -> bool | None:
    """Whether any variant can be bought; `None` where no quantities are told. One that nobody counts always can."""
    told = [one for one in variants if isinstance(one.inventory_quantity, int) or one.inventory_management is None]
    if not told:
        return None
    return any(
        one.inventory_management is None or one.inventory_policy == "continue" or one.inventory_quantity > 0
        for one in told
    )


def product_deleted(product_id: str, at: datetime) -> Event:
    """products/delete carries only the id."""
    return Event(
        kind=EventKind.PRODUCT_DELETED,
        key=f"product/{product_id}/deleted",
        subject=Ref("product", product_id),
        at=at,
        product=Product(id=product_id, title="", updated_at=at, deleted=True),
    )


def redeem_code_event(payload: raw.RedeemCodeChange, topic: str, otherwise: datetime) -> Event:
    """discounts/redeemcode_added and _removed: `data` has the code and the ids of it and its discount."""
    discount_id = required_id(payload.admin_graphql_api_id, topic, "admin_graphql_api_id")
    code_id = required_id(payload.redeem_code.id, topic, "redeem_code.id")
    added = topic.endswith("added")
    return Event(
        kind=EventKind.DISCOUNT_ADDED if added else EventKind.DISCOUNT_REMOVED,
        key=f"discount/{discount_id}/{code_id}/{'added' if added else 'removed'}",
        subject=Ref("discount", discount_id),
        at=time(payload.updated_at) or otherwise,
        data={"code": payload.redeem_code.code, "code_id": code_id, "discount_id": discount_id},
    )


def shop_event(payload: raw.ShopDetails, topic: str, otherwise: datetime, triggered: datetime | None) -> Event:
    """shop/update and app/uninstalled: both bodies are the shop.

    A shop may install and uninstall again without changing: an uninstall is told apart by its trigger time.
    """
    shop_id = required_id(payload.id, topic, "id")
    at = time(payload.updated_at) or otherwise
    details = {
        "name": payload.name,
        "domain": payload.domain,
        "myshopify_domain": payload.myshopify_domain,
        "currency": payload.currency,
        "timezone": payload.iana_timezone,
        "locale": payload.primary_locale,
        "country": payload.country_code,
        "triggered_at": to_text(triggered) if triggered and topic == "app/uninstalled" else None,
    }
    uninstalled = topic == "app/uninstalled"
    if uninstalled:
        at = triggered or at
    return Event(
        kind=EventKind.APP_UNINSTALLED if uninstalled else EventKind.SHOP_UPDATED,
        key=f"{'app' if uninstalled else 'shop'}/{shop_id}/{'uninstalled' if uninstalled else 'updated'}/{to_text(at)}",
        subject=Ref("shop", shop_id),
        at=at,
        data={name: found for name, value in details.items() if (found := text(value))},
    )


def scopes_event(payload: raw.Scopes, topic: str, otherwise: datetime) -> Event:
    """app/scopes_update: `data` has what was and what is granted, comma-separated."""
    shop_id = required_id(payload.shop_id, topic, "shop_id")
    at = time(payload.updated_at) or otherwise
    return Event(
        kind=EventKind.APP_SCOPES_UPDATED,
        key=f"app/{shop_id}/scopes/{to_text(at)}",
        subject=Ref("shop", shop_id),
        at=at,
        data={"previous": ",".join(texts(payload.previous)), "current": ",".join(texts(payload.current))},
    )
