"""Products over REST: for lines whose order did not bring a picture along."""

from __future__ import annotations

from collections.abc import Sequence

from connector.contracts import Access, FetchesProducts
from connector.model import Event, EventKind, Ref
from platforms.woocommerce.calls import Calls
from platforms.woocommerce.events import product_events
from platforms.woocommerce.fields import ident
from platforms.woocommerce.payloads import ProductBody, shaped


class Goods(Calls, FetchesProducts):
    most_products = 100

    def fetch_products(self, access: Access, product_ids: Sequence[str]) -> Sequence[Event]:
        """`GET products?include=`; what the shop does not name is gone or in the bin."""
        wanted = [each for each in product_ids if each.isascii() and each.isdecimal()][: self.most_products]
        if not wanted:
            return ()
        params = {"include": wanted, "per_page": self.most_products}
        answer = self._api(access).rows("products", params, access.patience).rows
        # Filtered again here: WooCommerce ignores a parameter it does not know and would answer with any products.
        found = {number: body for body in answer if (number := ident(body.get("id"))) in wanted}
        events = [event for body in found.values() for event in product_events(shaped(body, ProductBody, "products"))]
        return (*events, *(_gone(access, product_id) for product_id in wanted if product_id not in found))


def _gone(access: Access, product_id: str) -> Event:
    return Event(
        kind=EventKind.PRODUCT_DELETED,
        key=f"product/{product_id}/deleted",
        subject=Ref("product", product_id),
        at=access.clock.now(),
    )
