"""The conformance kit over the Shopify adapter; platforms/shopify/kit.toml says what it must know."""

from __future__ import annotations

from connector.testing import conformance_of

TestShopify = conformance_of("shopify")
