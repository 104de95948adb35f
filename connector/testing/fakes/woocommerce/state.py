"""What a fake WooCommerce remembers: rows as the REST API shows them, without their links.

Shapes follow WooCommerce 11.0.1 with HPOS, tax included in prices, one tax rate (woocommerce.md).
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from connector.clock import Clock
from connector.testing.fakes.people import Article

Json = dict[str, Any]

VERSION = "11.0.1"
ALL_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
STATUSES = ("pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed", "checkout-draft")
WRITABLE_STATUSES = ("auto-draft", *STATUSES)
SYMBOLS = {"EUR": "€", "USD": "$", "JPY": "¥", "GBP": "£", "SEK": "kr"}


def php_json(value: Any) -> bytes:
    """JSON as PHP's json_encode writes it: pure ASCII, slashes escaped. All 212 captured bodies have this form."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).replace("/", "\\/").encode("ascii")


def texture(text: str) -> str:
    """A title as WordPress stores it: ampersands become entities."""
    return text.replace("&", "&amp;")


def money(amount: Decimal) -> str:
    """Two decimals whatever the currency: decimals are a setting of the shop (woocommerce.md §3)."""
    return str(amount.quantize(Decimal("0.01"), ROUND_HALF_UP))


def as_meta(value: Any) -> Any:
    """A meta value as it comes back: booleans and numbers become text, lists and objects stay."""
    if isinstance(value, bool):
        return "1" if value else ""
    return str(value) if isinstance(value, (int, float)) else value


class WooState:
    """Rows by id. Orders, products, coupons and refunds share one space of numbers, as posts do."""

    def __init__(
        self,
        clock: Clock,
        home: str,
        timezone: str,
        *,
        name: str = "Keksitty verkkokauppa",
        currency: str = "EUR",
        tax_rate: Decimal = Decimal("0.255"),
        language: str = "fi",
    ) -> None:
        self.clock = clock
        self.home = home.rstrip("/")
        self.timezone = ZoneInfo(timezone)
        self.name = name
        self.currency = currency
        self.tax_rate = tax_rate
        self.language = language
        self.lock = threading.RLock()
        self.orders: dict[int, Json] = {}
        self.refunds: dict[int, Json] = {}
        self.products: dict[int, Json] = {}
        self.coupons: dict[int, Json] = {}
        self.customers: dict[int, Json] = {}
        self.notes: dict[int, list[Json]] = {}
        self.reviews: dict[int, Json] = {}
        self.fulfillments: dict[int, list[Json]] = {}
        self.unlisted: set[int] = set()
        self.features = ["analytics", "order_attribution", "custom_order_tables"]
        self._issued: Counter[str] = Counter({"post": 10, "customer": 1})

    def next_id(self, kind: str) -> int:
        self._issued[kind] += 1
        return self._issued[kind]

    # --- time ---

    def local(self, at: datetime) -> str:
        """Site-local, without offset: `date_created`."""
        return at.astimezone(self.timezone).strftime("%Y-%m-%dT%H:%M:%S")

    def gmt(self, at: datetime) -> str:
        """GMT, without Z: `date_created_gmt`."""
        return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")

    def set_date(self, row: Json, name: str, at: datetime | None) -> None:
        """Write both forms of a date."""
        row[name] = self.local(at) if at else None
        row[f"{name}_gmt"] = self.gmt(at) if at else None

    def touch(self, row: Json) -> None:
        self.set_date(row, "date_modified", self.clock.now())

    # --- links and meta ---

    def link(self, path: str, methods: tuple[str, ...] = ALL_METHODS) -> Json:
        return {"href": f"{self.home}/wp-json/wc/v3/{path}", "targetHints": {"allow": list(methods)}}

    def linked(self, row: Mapping[str, Any], path: str, number: int, **more: Any) -> Json:
        """The row with its `_links`, as every answer and delivery carries them."""
        collection = {"href": f"{self.home}/wp-json/wc/v3/{path}"}
        return {**row, "_links": {"self": [self.link(f"{path}/{number}")], "collection": [collection], **more}}

    def write_meta(self, row: Json, entries: list[Json]) -> None:
        """Add, replace (by id or key) or delete (`value: null`) entries of `meta_data`; sorted by key when read."""
        meta: list[Json] = row["meta_data"]
        for entry in entries:
            known = next(
                (m for m in meta if ("id" in entry and m["id"] == entry["id"]) or m["key"] == entry.get("key")), None
            )
            if known is not None and entry.get("value") is None:
                meta.remove(known)
            elif known is not None:
                known["value"] = as_meta(entry["value"])
            elif entry.get("value") is not None and entry.get("key"):
                meta.append({"id": self.next_id("meta"), "key": entry["key"], "value": as_meta(entry["value"])})
        meta.sort(key=lambda m: str(m["key"]))

    # --- goods ---

    def product_of(self, article: Article) -> Json:
        """The product of an article, put on sale when it is not yet."""
        known = next((p for p in self.products.values() if p["sku"] == article.sku), None)
        return known or self.add_product(article)

    def add_product(self, article: Article) -> Json:
        number = self.next_id("post")
        slug = "-".join(part for part in article.title.lower().split() if part.isalnum()) or article.sku.lower()
        price = money(article.price)
        row: Json = {
            "id": number,
            "name": texture(article.title),
            "slug": slug,
            "permalink": f"{self.home}/product/{slug}/",
            **dict.fromkeys(("date_created", "date_created_gmt", "date_modified", "date_modified_gmt")),
            "type": "simple",
            "status": "publish",
            "featured": False,
            "catalog_visibility": "visible",
            "description": "",
            "short_description": "",
            "sku": article.sku,
            "price": price,
            "regular_price": price,
            "sale_price": "",
            **dict.fromkeys(("date_on_sale_from", "date_on_sale_from_gmt", "date_on_sale_to", "date_on_sale_to_gmt")),
            "on_sale": False,
            "purchasable": True,
            "total_sales": 0,
            "virtual": not article.requires_shipping,
            "downloadable": False,
            "downloads": [],
            "download_limit": -1,
            "download_expiry": -1,
            "external_url": "",
            "button_text": "",
            "tax_status": "taxable",
            "tax_class": "",
            "manage_stock": article.requires_shipping,
            "stock_quantity": 100 if article.requires_shipping else None,
            "backorders": "no",
            "backorders_allowed": False,
            "backordered": False,
            "low_stock_amount": None,
            "sold_individually": False,
            "weight": str(Decimal(article.grams) / 1000),
            "dimensions": {"length": "", "width": "", "height": ""},
            "shipping_required": article.requires_shipping,
            "shipping_taxable": article.requires_shipping,
            "shipping_class": "",
            "shipping_class_id": 0,
            "reviews_allowed": True,
            "average_rating": "0",
            "rating_count": 0,
            "upsell_ids": [],
            "cross_sell_ids": [],
            "parent_id": 0,
            "purchase_note": "",
            "categories": [{"id": 15, "name": article.product_type or "Uncategorized", "slug": "uncategorized"}],
            **{key: [] for key in ("brands", "tags", "images", "attributes", "default_attributes", "variations")},
            "grouped_products": [],
            "menu_order": 0,
            "price_html": f"<bdi>{price}</bdi>",
            "related_ids": [],
            "meta_data": [],
            "stock_status": "instock",
            "has_options": False,
            "post_password": "",
            "global_unique_id": "",
        }
        self.set_date(row, "date_created", self.clock.now())
        self.touch(row)
        self.products[number] = row
        return row
