"""The Shopify adapter against the conformance kit."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from connector.contracts import PlatformAdapter
from connector.model import Shop
from connector.testing import PlatformConformance
from platforms.shopify import Shopify

SHOP = Shop(
    id="shop-1",
    client_id="client-1",
    platform="shopify",
    domain="tuoksu-demo.myshopify.com",
    name="Tuoksu",
    url="https://tuoksu.example",
)


class TestShopify(PlatformConformance):
    recordings = Path(__file__).parents[1] / "recordings" / "shopify"
    shop = SHOP
    signature_header = "x-shopify-hmac-sha256"
    topic_header = "x-shopify-topic"
    shop_header = "x-shopify-shop-domain"
    delivery_header = "x-shopify-webhook-id"
    hosts = (
        "myshopify.com",
        "posti.fi",
    )
    repeat_refused = ("x-shopify-topic", "x-shopify-shop-domain")
    exchanges = Path(__file__).parents[1] / "exchanges" / "shopify"
    credentials: ClassVar = {"access_token": "kit-access-token"}
    foreign_shop = "somebody-else.myshopify.com"

    def make_adapter(self) -> PlatformAdapter:
        return Shopify()
