"""A WooCommerce shop that answers as the captured one and sends webhooks with its quirks."""

from connector.testing.fakes.checkout import CheckoutRefused
from connector.testing.fakes.web import Call, Trouble
from connector.testing.fakes.woocommerce.hooks import Hook, Sent
from connector.testing.fakes.woocommerce.shop import FakeWoo

__all__ = ["Call", "CheckoutRefused", "FakeWoo", "Hook", "Sent", "Trouble"]
