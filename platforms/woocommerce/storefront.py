"""Links into a WooCommerce shop: a cart with a code, the payment of an order."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from connector.contracts import Access, LinksToPayment, LinksToShop
from connector.errors import Refused
from connector.model import Shop
from platforms.woocommerce.calls import Calls, an_object, numeric
from platforms.woocommerce.fields import truth, web


class Storefront(Calls, LinksToShop, LinksToPayment, ABC):
    """Core's own links; no plug-in is needed."""

    def discount_link(self, shop: Shop, code: str, to: str = "/") -> str | None:  # noqa: ARG002
        """`None`: WooCommerce has no address that only applies a coupon. `checkout_link` applies one with products."""
        return None

    def checkout_link(self, shop: Shop, lines: Mapping[str, int], code: str = "") -> str:
        """`/checkout-link/?products=12:1,19:2&coupon=CODE` (WooCommerce 10.0 and later); lines by product or
        variation id."""
        if not lines or any(count < 1 for count in lines.values()):
            raise Refused("a cart link needs product ids with quantities above 0", provider_code="lines")
        products = ",".join(f"{numeric(product)}:{count}" for product, count in lines.items())
        home = (shop.url or f"https://{shop.domain}").rstrip("/")
        coupon = f"&{urlencode({'coupon': code})}" if code else ""
        return f"{home}/checkout-link/?products={quote(products, safe=':,')}{coupon}"

    def payment_link(self, access: Access, order_id: str) -> str | None:
        """The order's `payment_url`, which opens for a guest too, while `needs_payment` says so."""
        order = an_object(self._api(access).get(f"orders/{numeric(order_id)}"))
        return web(order.get("payment_url")) if truth(order.get("needs_payment")) else None
