"""The conformance kit over the WooCommerce recordings."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from connector.contracts import PlatformAdapter
from connector.model import Shop
from connector.testing import PlatformConformance
from platforms.woocommerce import WooCommerce


class TestWooCommerce(PlatformConformance):
    recordings = Path(__file__).parents[1] / "recordings" / "woocommerce"
    shop = Shop(
        id="shop-1",
        client_id="demo",
        platform="woocommerce",
        domain="kauppa.example.test",
        name="Kauppa",
        url="https://kauppa.example.test",
        timezone="Europe/Helsinki",
    )
    signature_header = "x-wc-webhook-signature"
    topic_header = "x-wc-webhook-topic"
    shop_header = "x-wc-webhook-source"
    delivery_header = "x-wc-webhook-delivery-id"
    hosts = (
        "secure.gravatar.com",
        "posti.fi",
    )
    repeat_refused = ("x-wc-webhook-topic", "x-wc-webhook-signature")
    exchanges = Path(__file__).parents[1] / "exchanges" / "woocommerce"
    credentials: ClassVar = {"consumer_key": "ck_kit", "consumer_secret": "cs_kit"}
    unknown_topic = "subscription.created"

    def make_adapter(self) -> PlatformAdapter:
        return WooCommerce()
