"""Products read over GraphQL: webhooks about orders carry no pictures (facts/shopify.md section 1.2)."""

from __future__ import annotations

from collections.abc import Sequence

from connector.contracts import Access, FetchesProducts
from connector.errors import MalformedPayload
from connector.model import Event
from platforms.shopify.calls import Calls, gid
from platforms.shopify.listed import listed_product_events
from platforms.shopify.shop_topics import product_deleted

TOPIC = "fetch/products"


class Goods(Calls, FetchesProducts):
    most_products = 100

    def fetch_products(self, access: Access, product_ids: Sequence[str]) -> Sequence[Event]:
        """One `nodes` query (100 points at most). Needs the scope read_products; without it `Refused`."""
        wanted = [each for each in product_ids if each.isascii() and each.isdecimal()][: self.most_products]
        if not wanted:
            return ()
        data = self._client.query(access, "products_read", {"ids": [gid("Product", each) for each in wanted]})
        nodes = data.get("nodes")
        if not isinstance(nodes, list) or len(nodes) != len(wanted):
            raise MalformedPayload("an answer of another shape than asked for", topic=TOPIC, path="nodes")
        now = access.clock.now()
        return tuple(
            event
            for product_id, node in zip(wanted, nodes, strict=True)
            for event in (listed_product_events(node, access.shop) if node else (product_deleted(product_id, now),))
        )
