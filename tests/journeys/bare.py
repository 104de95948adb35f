"""The product without its sockets: the same receiver, worker, store and flows, a channel that keeps what it is given.

For the tests that must live through the same week a hundred times. Platforms' own actions are done by stubs or by a
fake shop; everything between the webhook and the call to the outside is the product's own.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connector.app import Kiitos, build, create_app
from connector.clock import Clock
from connector.config import parse_config
from connector.contracts import Access, DiscountRef, DiscountRequest
from connector.registry import PLATFORMS, Registry
from connector.store.store import Store
from connector.testing.world import SHOPIFY, WOO, document
from flows.channels.memory import Memory
from flows.render.renderer import Renderer
from platforms.shopify.platform import Shopify
from platforms.woocommerce.platform import WooCommerce
from webhooks.receiver import receiver_of

ENVIRON = {
    "KIITOS_DATABASE": "sqlite://:memory:",
    "KIITOS_MASTER_KEY": "k1=" + base64.b64encode(b"demo master key, 32 bytes long!!").decode(),
    "KIITOS_SMTP_URL": "smtp://127.0.0.1:9",
    "SHOPIFY_CLIENT_ID": "demo-client-id",
    "SHOPIFY_CLIENT_SECRET": "demo-client-secret",
    "WOO_KEY": "ck_demo",
    "WOO_SECRET": "cs_demo",
    "WOO_WEBHOOK_SECRET": "woo-demo-webhook-secret",
}


NOBODY = "http://127.0.0.1:9"
"""Where nobody answers, and at once."""


class ShopifyWithoutTokens(Shopify):
    """Asks nobody for a token: there is no Shopify here."""

    def renewal(self, secrets: Mapping[str, str]) -> None:
        return None


class ObligingShopify(ShopifyWithoutTokens):
    """Makes every code at once; asked twice it has it already."""

    def create_discount(self, access: Access, request: DiscountRequest) -> DiscountRef:
        return DiscountRef(code=request.code, platform_id=request.code)


class ObligingWoo(WooCommerce):
    def create_discount(self, access: Access, request: DiscountRequest) -> DiscountRef:
        return DiscountRef(code=request.code, platform_id=request.code)


# Compiled templates depend on nothing in a test: made once, or each life would spend most of its time on them.
RENDERER = Renderer()
OBLIGING = Registry(extra={(PLATFORMS, "shopify"): ObligingShopify, (PLATFORMS, "woocommerce"): ObligingWoo})


def build_bare(
    clock: Clock,
    store: Store,
    *,
    registry: Registry | None = None,
    folder: Path = Path(),
    woo_url: str | None = None,
    **settings: Any,
) -> Kiitos:
    """The product on an open store. `woo_url` is where a fake WooCommerce listens; without it nothing is fetched."""
    found = document(**settings)
    found["app"]["base_url"] = "http://localhost"
    shops = found["clients"]["demo"]["shops"]
    shops["aurora"]["api_url"] = NOBODY
    shops["metsa"]["api_url"] = woo_url or NOBODY
    if woo_url is None:
        found["defaults"]["fetch_before_send"] = False
    config = parse_config(found, folder / "app.toml", ENVIRON)
    kiitos = build(config, clock=clock, store=store, registry=registry)
    kiitos.renderer = RENDERER
    return kiitos


class Door:
    """The receiver of a built product, reached without a socket."""

    def __init__(self, kiitos: Kiitos) -> None:
        self.kiitos = kiitos
        self.app = create_app(kiitos)
        self.receiver = receiver_of(self.app)
        self.receiver.start()
        self.client = self.app.test_client()
        catalog = kiitos.catalog
        self.paths = {
            shop_id: kiitos.hook_url(catalog.settings(shop_id)).removeprefix("http://localhost")
            for shop_id in (SHOPIFY, WOO)
        }

    def post(self, shop_id: str, headers: list[tuple[str, str]], body: bytes) -> int:
        kept = [(name, value) for name, value in headers if name not in ("Connection", "Host")]
        return self.client.post(self.paths[shop_id], data=body, headers=kept).status_code

    def close(self) -> None:
        self.receiver.close()


def messages_of(channel: Memory) -> Counter[str]:
    """How often each message, by its key, was taken."""
    return Counter(message.key for message in channel.messages)
