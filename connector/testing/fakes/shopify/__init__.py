"""A Shopify shop that executes GraphQL against the real 2026-10 Admin schema and sends signed webhooks."""

from connector.testing.fakes.checkout import CheckoutRefused
from connector.testing.fakes.shopify.deliveries import Delivery
from connector.testing.fakes.shopify.schema import FakeUnavailable, find_schema
from connector.testing.fakes.shopify.shop import FakeShopify
from connector.testing.fakes.web import Call, Trouble

__all__ = ["Call", "CheckoutRefused", "Delivery", "FakeShopify", "FakeUnavailable", "Trouble", "find_schema"]
