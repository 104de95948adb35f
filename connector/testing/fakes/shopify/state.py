"""What a fake Shopify shop remembers. Rows are kept in the shape of the webhook payloads: there is one truth."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from connector.clock import Clock
from connector.testing.fakes.people import Article

Json = dict[str, Any]

WITHOUT_DECIMALS = frozenset({"JPY", "KRW", "VND", "CLP", "ISK"})

# Where the ids of each kind begin; orders lie beyond 2**53, where a JSON number read as a double loses digits.
FIRST_ID = {
    "Order": 9_007_199_254_741_001,
    "LineItem": 15_600_000_000_001,
    "Customer": 8_100_000_000_001,
    "Fulfillment": 5_900_000_000_001,
    "FulfillmentEvent": 41_000_000_000_001,
    "Refund": 930_000_000_001,
}


@dataclass(slots=True, kw_only=True)
class Discount:
    """A basic code discount. Exactly one of `percentage` (0 to 1) and `amount` is set.

    `more` are its further codes: the same rule (and id) each with a use count of its own.
    """

    id: int
    code: str
    title: str
    starts_at: datetime
    created_at: datetime
    updated_at: datetime
    ends_at: datetime | None = None
    usage_limit: int | None = None
    once_per_customer: bool = False
    percentage: Decimal | None = None
    amount: Decimal | None = None
    free_delivery: bool = False
    product_ids: frozenset[int] = frozenset()
    minimum: Decimal | None = None
    customer_ids: frozenset[int] = frozenset()
    tags: tuple[str, ...] = ()
    used_by: list[str] = field(default_factory=list)
    more: list[Discount] = field(default_factory=list)

    def status(self, now: datetime) -> str:
        """As DiscountStatus: SCHEDULED before it starts, EXPIRED from `ends_at` on, else ACTIVE."""
        if now < self.starts_at:
            return "SCHEDULED"
        return "EXPIRED" if self.ends_at is not None and now >= self.ends_at else "ACTIVE"

    def saving(self, subtotal: Decimal) -> Decimal:
        """What it takes off a subtotal, never more than the subtotal."""
        if self.percentage is not None:
            return subtotal * self.percentage
        return min(self.amount or Decimal(0), subtotal)


@dataclass(slots=True, kw_only=True)
class CodeJob:
    """A discountRedeemCodeBulkAdd at work; `failed` gives the error's code for each code that could not be added."""

    id: int
    discount_id: int
    codes: list[str]
    created_at: datetime
    done: bool = False
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Subscription:
    """A webhook subscription made over the Admin API; `failures` counts deliveries given up in a row."""

    id: int
    topic: str
    uri: str
    created_at: datetime
    updated_at: datetime
    name: str | None = None
    filter: str | None = None
    include_fields: tuple[str, ...] = ()
    metafield_namespaces: tuple[str, ...] = ()
    api_version: str = "2026-10"
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Prices:
    """How amounts of one order are written: in the shop's money and in what the customer paid (presentment).

    `rate` is presentment units a shop unit.
    """

    shop: str
    presentment: str
    rate: Decimal = Decimal(1)

    def text(self, amount: Decimal, currency: str | None = None) -> str:
        currency = currency or self.shop
        step = Decimal(1) if currency in WITHOUT_DECIMALS else Decimal("0.01")
        return str(amount.quantize(step, ROUND_HALF_UP))

    def round(self, amount: Decimal) -> Decimal:
        return Decimal(self.text(amount))

    def set(self, amount: Decimal) -> Json:
        """`{"shop_money": {...}, "presentment_money": {...}}` for an amount in shop money."""
        paid = self.text(amount * self.rate, self.presentment)
        return {
            "shop_money": {"amount": self.text(amount), "currency_code": self.shop},
            "presentment_money": {"amount": paid, "currency_code": self.presentment},
        }


class ShopState:
    """Rows by numeric id. Every reader and writer holds `lock`: requests come in threads."""

    def __init__(
        self,
        clock: Clock,
        domain: str,
        *,
        name: str = "Keksitty kauppa",
        currency: str = "EUR",
        timezone: str = "Europe/Helsinki",
        country: str = "FI",
        locale: str = "fi",
        tax_rate: Decimal = Decimal("0.255"),
        email: str = "kauppa@example.com",
    ) -> None:
        self.clock = clock
        self.domain = domain
        self.name = name
        self.currency = currency
        self.timezone = ZoneInfo(timezone)
        self.country = country
        self.locale = locale
        self.tax_rate = tax_rate
        self.email = email
        self.shop_id = 90_100_200_300
        self.app_id = 77001
        self.lock = threading.RLock()
        self.orders: dict[int, Json] = {}
        self.fulfillments: dict[int, Json] = {}
        self.fulfillment_events: dict[int, Json] = {}
        self.refunds: dict[int, Json] = {}
        self.customers: dict[int, Json] = {}
        self.consents: dict[int, Json] = {}
        self.customer_tags: dict[int, list[str]] = {}
        self.products: dict[int, Json] = {}
        self.cdn = "https://cdn.shopify.com/s/files/1/0001"
        self.discounts: dict[int, Discount] = {}
        self.code_jobs: dict[int, CodeJob] = {}
        self.credit_accounts: dict[int, Json] = {}
        self.gift_cards: dict[int, Json] = {}
        self.returns: dict[int, Json] = {}
        self.sms_consents: dict[int, Json] = {}
        self.metaobjects: dict[int, Json] = {}
        self.metafields: dict[tuple[str, str, str], Json] = {}
        self.subscriptions: dict[int, Subscription] = {}
        self.order_prices: dict[int, Prices] = {}
        self.paid_at: dict[int, str] = {}
        self.listed_from: dict[int, datetime] = {}
        self._issued: Counter[str] = Counter()

    def next_id(self, kind: str) -> int:
        self._issued[kind] += 1
        return FIRST_ID.get(kind, 1_000_000_000_000) + self._issued[kind] * 37

    def next_order_number(self) -> int:
        self._issued["order number"] += 1
        return self._issued["order number"]

    def stamp(self, at: datetime | None = None) -> str:
        """A time as payloads carry it: the shop's zone with its offset, whole seconds."""
        return (at or self.clock.now()).astimezone(self.timezone).isoformat(timespec="seconds")

    def add_product(self, article: Article) -> Json:
        """Put an article on sale; its row (`id`, `variant_id`, `article`)."""
        with self.lock:
            number = self.next_id("Product")
            handle = "-".join(part for part in article.title.lower().split() if part.isalnum()) or article.sku.lower()
            row: Json = {
                "id": number,
                "variant_id": self.next_id("ProductVariant"),
                "handle": handle,
                "article": article,
                "created_at": self.stamp(),
                "updated_at": self.stamp(),
                "tags": [],
                "picture": None if article.is_gift_card else f"{self.cdn}/files/{handle}.png?v={number}",
            }
            self.products[number] = row
            return row

    def product_of(self, article: Article) -> Json:
        """The row of an article, put on sale when it is not yet."""
        known = next((row for row in self.products.values() if row["article"] == article), None)
        return known or self.add_product(article)

    def app_namespace(self, namespace: str | None) -> str:
        """`$app` and no namespace at all mean the app's own one."""
        own = f"app--{self.app_id}"
        return own if namespace in (None, "", "$app") else str(namespace).replace("$app:", f"{own}--")

    def customer_by_email(self, email: str | None) -> Json | None:
        wanted = (email or "").strip().lower()
        return next((c for c in self.customers.values() if wanted and (c["email"] or "").lower() == wanted), None)

    def discount_by_code(self, code: str) -> Discount | None:
        """Codes are compared without case (shopify.md §3)."""
        every = (each for rule in self.discounts.values() for each in (rule, *rule.more))
        return next((each for each in every if each.code.lower() == code.lower()), None)


def gid(kind: str, number: int) -> str:
    """A global id.

    >>> gid("Order", 7)
    'gid://shopify/Order/7'
    """
    return f"gid://shopify/{kind}/{number}"
