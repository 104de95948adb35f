"""WooCommerce: its webhooks in our words, and what we can do to a shop."""

from platforms.woocommerce.adapter import WooCommerceAdapter
from platforms.woocommerce.platform import WooCommerce

__all__ = ["WooCommerce", "WooCommerceAdapter"]
