"""What a mail that asks for reviews shows: each product with an address for each number of stars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from connector.model import LineItem, Product
from flows.render.cleaning import clean
from flows.render.links import safe_url

STARS = ("1", "2", "3", "4", "5")
MOST = 8
"""Products of one mail: what the form shows at once."""


def review_table(
    lines: Sequence[LineItem], products: Mapping[str, Product], url: str | None, *, rewarded: bool
) -> dict[str, object]:
    """`rewarded`, and `products` by the lines: `title`, `variant_title`, `image_url` and `stars`, each with `value` and
    `url`. The address prefills the form and stores nothing."""
    first: dict[str, LineItem] = {}
    for line in lines:
        if line.product_id and not line.is_gift_card:
            first.setdefault(line.product_id, line)
    found = [_product(line, products.get(product_id), url) for product_id, line in list(first.items())[:MOST]]
    return {"rewarded": rewarded, "products": found if url else []}


def _product(line: LineItem, product: Product | None, url: str | None) -> dict[str, object]:
    begin = f"{url}?product={quote(line.product_id or '', safe='')}&rating="
    return {
        "title": clean(line.title) or "–",
        "variant_title": clean(line.variant_title),
        "image_url": safe_url(line.image_url) or (safe_url(product.image_url) if product else None),
        "stars": [{"value": value, "url": f"{begin}{value}"} for value in STARS],
    }
