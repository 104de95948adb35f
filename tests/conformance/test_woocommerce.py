"""The conformance kit over the WooCommerce adapter; platforms/woocommerce/kit.toml says what it must know."""

from __future__ import annotations

from connector.testing import conformance_of

TestWooCommerce = conformance_of("woocommerce")
