"""Invented Shopify orders, pre-signed and framed into one file for the load generator.

The event id of a delivery is a header outside the signature, so a set of signed bodies is enough for any number of
new deliveries. End to end a body counts once (the same order is the same event): ask for as many as are sent.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import struct
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

SEED = 7
SECRET = b"bench-webhook-secret-not-a-real-one"
SHOP_DOMAIN = "kiitos-bench.myshopify.com"
API_VERSION = "2026-07"
TOPIC = "orders/create"
MAGIC = b"KBC1"
LINES_PER_ORDER = 5

_FIRST = ("Aino", "Eero", "Hilla", "Joel", "Kaisa", "Lumi", "Mikael", "Noora", "Oskar", "Petra", "Rasmus", "Sanni")
_LAST = ("Aalto", "Halonen", "Järvi", "Koskela", "Laine", "Mäkinen", "Niemi", "Ojala", "Peltola", "Salo", "Virta")
_STREETS = ("Esimerkkikatu", "Mallitie", "Koekuja", "Näytepolku", "Harjoituskatu")
_CITIES = (("Helsinki", "00100"), ("Tampere", "33100"), ("Turku", "20100"), ("Oulu", "90100"), ("Kuopio", "70100"))
_THINGS = ("mug", "lamp", "blanket", "kettle", "notebook", "backpack", "candle", "chair", "scarf", "teapot", "rug")
_LOOKS = ("birch", "cobalt", "linen", "moss", "oak", "pearl", "rust", "slate", "wool", "amber")

_Json = dict[str, Any]


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _price_set(cents: int) -> _Json:
    one = {"amount": _money(cents), "currency_code": "EUR"}
    return {"shop_money": one, "presentment_money": dict(one)}


def _address(chance: random.Random, first: str, last: str) -> _Json:
    city, code = chance.choice(_CITIES)
    return {
        "first_name": first,
        "address1": f"{chance.choice(_STREETS)} {chance.randint(1, 99)}",
        "phone": None,
        "city": city,
        "zip": code,
        "province": None,
        "country": "Finland",
        "last_name": last,
        "address2": None,
        "company": None,
        "latitude": None,
        "longitude": None,
        "name": f"{first} {last}",
        "country_code": "FI",
        "province_code": None,
    }


def _line(chance: random.Random, number: int) -> _Json:
    title = f"{chance.choice(_LOOKS).title()} {chance.choice(_THINGS)}"
    price, quantity, kind = chance.randint(490, 14900), chance.randint(1, 3), chance.randint(100_000, 999_999)
    return {
        "id": 9_000_000_000_000 + number,
        "admin_graphql_api_id": f"gid://shopify/LineItem/{9_000_000_000_000 + number}",
        "attributed_staffs": [],
        "current_quantity": quantity,
        "fulfillable_quantity": quantity,
        "fulfillment_service": "manual",
        "fulfillment_status": None,
        "gift_card": False,
        "grams": chance.randint(50, 4000),
        "name": f"{title} - Standard",
        "price": _money(price),
        "price_set": _price_set(price),
        "product_exists": True,
        "product_id": 7_000_000_000_000 + kind,
        "properties": [],
        "quantity": quantity,
        "requires_shipping": True,
        "sales_line_item_group_id": None,
        "sku": f"SKU-{kind}",
        "taxable": True,
        "title": title,
        "total_discount": "0.00",
        "total_discount_set": _price_set(0),
        "variant_id": 8_000_000_000_000 + kind,
        "variant_inventory_management": "shopify",
        "variant_title": "Standard",
        "vendor": "Kiitos Bench Goods",
        "tax_lines": [],
        "duties": [],
        "discount_allocations": [],
    }


def _tax_line(cents: int) -> _Json:
    return {
        "channel_liable": False,
        "price": _money(cents),
        "price_set": _price_set(cents),
        "rate": 0.255,
        "title": "ALV",
    }


def _customer(number: int, first: str, last: str, email: str, address: _Json) -> _Json:
    customer_id = 5_000_000_000_000 + number
    return {
        "id": customer_id,
        "created_at": None,
        "updated_at": None,
        "first_name": first,
        "last_name": last,
        "state": "disabled",
        "note": None,
        "verified_email": True,
        "multipass_identifier": None,
        "tax_exempt": False,
        "email": email,
        "phone": None,
        "currency": "EUR",
        "tax_exemptions": [],
        "admin_graphql_api_id": f"gid://shopify/Customer/{customer_id}",
        "default_address": {
            **address,
            "id": 6_000_000_000_000 + number,
            "customer_id": customer_id,
            "country_name": "Finland",
            "default": True,
        },
    }


def _shipping_line(number: int, cents: int) -> _Json:
    return {
        "id": 4_000_000_000_000 + number,
        "carrier_identifier": None,
        "code": "Standard",
        "current_discounted_price_set": _price_set(cents),
        "discounted_price": _money(cents),
        "discounted_price_set": _price_set(cents),
        "is_removed": False,
        "phone": None,
        "price": _money(cents),
        "price_set": _price_set(cents),
        "requested_fulfillment_service_id": None,
        "source": "shopify",
        "title": "Parcel to a pick-up point",
        "tax_lines": [],
        "discount_allocations": [],
    }


def _totals(goods: int, shipping: int) -> _Json:
    total, tax = goods + shipping, (goods + shipping) * 255 // 1255
    sets = {
        "current_subtotal_price": goods,
        "current_total_discounts": 0,
        "current_total_price": total,
        "current_total_tax": tax,
        "subtotal_price": goods,
        "total_discounts": 0,
        "total_line_items_price": goods,
        "total_price": total,
        "total_tax": tax,
    }
    plain = {name: _money(cents) for name, cents in sets.items()}
    return plain | {
        **{f"{name}_set": _price_set(cents) for name, cents in sets.items()},
        "current_shipping_price_set": _price_set(shipping),
        "total_shipping_price_set": _price_set(shipping),
        "total_cash_rounding_payment_adjustment_set": _price_set(0),
        "total_cash_rounding_refund_adjustment_set": _price_set(0),
        "total_outstanding": "0.00",
        "total_tip_received": "0.00",
        "tax_lines": [_tax_line(tax)],
    }


def email_of(number: int) -> str:
    """The recipient of order `number`: how a message at the sink is traced back to its webhook."""
    return f"order-{number:06d}@example.com"


def order(chance: random.Random, number: int, at: datetime) -> _Json:
    """One paid order of five lines in the shape of an orders/create body, API 2026-07 (data/shopify/webhooks)."""
    first, last, email = chance.choice(_FIRST), chance.choice(_LAST), email_of(number)
    order_id, when, address = (
        3_000_000_000_000 + number,
        at.isoformat(timespec="seconds"),
        _address(chance, first, last),
    )
    lines = [_line(chance, number * LINES_PER_ORDER + k) for k in range(LINES_PER_ORDER)]
    goods = sum(round(float(line["price"]) * 100) * line["quantity"] for line in lines)
    token = f"{chance.getrandbits(128):032x}"
    return {
        "id": order_id,
        "admin_graphql_api_id": f"gid://shopify/Order/{order_id}",
        "app_id": 580111,
        "browser_ip": None,
        "buyer_accepts_marketing": chance.random() < 0.4,
        "cancel_reason": None,
        "cancelled_at": None,
        "cart_token": None,
        "checkout_token": f"{chance.getrandbits(128):032x}",
        "client_details": None,
        "closed_at": None,
        "confirmation_number": f"B{number:08d}",
        "confirmed": True,
        "contact_email": email,
        "created_at": when,
        "currency": "EUR",
        "current_total_additional_fees_set": None,
        "current_total_duties_set": None,
        "customer_locale": "en",
        "device_id": None,
        "discount_codes": [],
        "duties_included": False,
        "email": email,
        "estimated_taxes": False,
        "financial_status": "paid",
        "fulfillment_status": None,
        "landing_site": "/",
        "landing_site_ref": None,
        "location_id": None,
        "merchant_business_entity_id": None,
        "merchant_of_record_app_id": None,
        "name": f"#B{number:06d}",
        "note": None,
        "note_attributes": [],
        "number": number + 1,
        "order_number": number + 1001,
        "original_total_additional_fees_set": None,
        "original_total_duties_set": None,
        "order_status_url": f"https://shop.example.com/1/orders/{token}/authenticate?key={token[:16]}",
        "payment_gateway_names": ["bogus"],
        "phone": None,
        "po_number": None,
        "presentment_currency": "EUR",
        "processed_at": when,
        "reference": None,
        "referring_site": None,
        "source_identifier": None,
        "source_name": "web",
        "source_url": None,
        "tags": "",
        "tax_exempt": False,
        "taxes_included": True,
        "test": False,
        "token": token,
        **_totals(goods, 490),
        "total_weight": sum(line["grams"] * line["quantity"] for line in lines),
        "updated_at": when,
        "user_id": None,
        "billing_address": address,
        "customer": _customer(number, first, last, email, address),
        "discount_applications": [],
        "fulfillments": [],
        "line_items": lines,
        "payment_terms": None,
        "refunds": [],
        "shipping_address": address,
        "shipping_lines": [_shipping_line(number, 490)],
        "returns": [],
        "line_item_groups": [],
    }


def bodies(count: int, at: datetime, *, seed: int = SEED) -> Iterator[bytes]:
    """`count` distinct JSON bodies of about 10 KB. The same arguments give the same bytes.

    `at` is the time of the newest order (aware); an order older than the flows' age limit starts nothing, so a run
    passes the present hour.
    """
    chance = random.Random(seed)
    for number in range(count):
        when = at - timedelta(seconds=number % 600)
        yield json.dumps(order(chance, number, when), separators=(",", ":"), ensure_ascii=False).encode()


def sign(body: bytes, secret: bytes = SECRET) -> bytes:
    """The value of X-Shopify-Hmac-Sha256."""
    return base64.b64encode(hmac.new(secret, body, hashlib.sha256).digest())


def write(path: Path, all_bodies: Sequence[bytes], secret: bytes = SECRET) -> None:
    """Frame: "KBC1", u32 count, then per body u32 length, u8 signature length, signature, body (little endian)."""
    part = path.with_suffix(".part")
    with part.open("wb") as out:
        out.write(MAGIC + struct.pack("<I", len(all_bodies)))
        for body in all_bodies:
            signature = sign(body, secret)
            out.write(struct.pack("<IB", len(body), len(signature)) + signature + body)
    part.rename(path)


def read(path: Path) -> list[tuple[bytes, bytes]]:
    """The (signature, body) pairs of a framed file. Raises `ValueError` when it is not one."""
    data = path.read_bytes()
    if data[:4] != MAGIC:
        raise ValueError(f"{path}: not a corpus file; delete it and run again")
    (count,), at, pairs = struct.unpack_from("<I", data, 4), 8, []
    for _ in range(count):
        length, signature_length = struct.unpack_from("<IB", data, at)
        at += 5
        pairs.append((data[at : at + signature_length], data[at + signature_length : at + signature_length + length]))
        at += signature_length + length
    if at != len(data):
        raise ValueError(f"{path}: the corpus file is cut short; delete it and run again")
    return pairs


def cached(directory: Path, count: int, at: datetime) -> Path:
    """The framed file for `count` orders of the hour of `at`; made when it is not there, older hours removed."""
    hour = at.replace(minute=0, second=0, microsecond=0)
    path = directory / f"corpus-{SEED}-{count}-{hour:%Y%m%d%H}.kbc"
    if not path.exists():
        for old in directory.glob(f"corpus-{SEED}-{count}-*.kbc"):
            old.unlink()
        write(path, list(bodies(count, hour)))
    return path
