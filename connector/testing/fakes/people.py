"""Invented buyers and goods both fake shops understand. Domains are reserved ones (RFC 2606)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """Somebody who orders. `email` and `phone` may be missing: a guest at a counter has neither.

    `accepts_marketing` is the tick at the checkout; `locale` is BCP 47 as the storefront reports it.
    """

    first_name: str = ""
    last_name: str = ""
    email: str | None = None
    phone: str | None = None
    locale: str = "fi"
    country: str = "FI"
    country_name: str = "Finland"
    city: str = "Helsinki"
    address: str = "Keksittykatu 1"
    postcode: str = "00100"
    accepts_marketing: bool = False

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """Something to sell. `price` includes tax and is in the shop's currency."""

    title: str
    price: Decimal
    sku: str
    variant_title: str | None = None
    vendor: str = "Keksitty Oy"
    product_type: str = ""
    requires_shipping: bool = True
    is_gift_card: bool = False
    grams: int = 300


AINO = Buyer(first_name="Aino", last_name="Mäkinen-Öhman", email="aino@example.test", phone="+358401234567")
EERO = Buyer(first_name="Eero", last_name="Virtanen", email="eero@example.test", accepts_marketing=True)
YUKI = Buyer(
    first_name="雪",
    last_name="田中",
    email="yuki@example.test",
    locale="ja",
    country="JP",
    country_name="Japan",
    city="渋谷区",
    address="神宮前1-2-3",
    postcode="150-0001",
)
LAYLA = Buyer(
    first_name="ليلى",
    last_name="الحسن",
    email="layla@example.test",
    locale="ar",
    country="JO",
    country_name="Jordan",
    city="عمّان",
    address="شارع الملكة رانيا 5",
    postcode="11118",
)
NO_EMAIL = Buyer(first_name="Vieras", last_name="Ostaja", email=None, phone="+358409999999")

MUG = Article(title='Kahvimuki "Äiti & Isä" 3 dl ☕', price=Decimal("12.50"), sku="MUG-1", product_type="Muki")
BEANS = Article(title="Kahvipapu 250 g", price=Decimal("7.33"), sku="BEAN-250", product_type="Kahvi")
SHIRT = Article(title="T-paita / Tシャツ / قميص", price=Decimal("24.90"), sku="TS-M", variant_title="M / Sininen")
EBOOK = Article(title="E-kirja: Kahvin historia", price=Decimal("9.99"), sku="EBOOK", requires_shipping=False)
