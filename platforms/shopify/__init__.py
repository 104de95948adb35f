"""The Shopify platform. `platforms.shopify.adapter` is its pure half."""

from platforms.shopify.platform import Shopify

__all__ = ["Shopify"]
