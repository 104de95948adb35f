"""What else somebody may like: products that others bought with theirs, from the shop's own history.

Never what they have bought already (kept or returned), nothing the shop does not sell just now.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from connector.model import Product
from flows.background import ProductFigures

MOST = 4
_SOLD = frozenset({"", "active", "publish"})


def candidates(seeds: Sequence[str], figures: Mapping[str, ProductFigures], owned: Collection[str]) -> list[str]:
    """Product ids, the surest first. `seeds` are what they bought; of `figures` those of the seeds are looked at."""
    weights: defaultdict[str, float] = defaultdict(float)
    for seed in dict.fromkeys(seeds):
        for companion in figures[seed].companions if seed in figures else ():
            if companion.product_id not in owned:
                # Each seed votes with how much likelier it makes the other, the more buyers say so the louder.
                weights[companion.product_id] += math.log(companion.lift) * math.log1p(companion.together)
    return sorted(sorted(weights), key=lambda product: weights[product], reverse=True)


def sellable(product: Product) -> bool:
    """Whether a customer can go and buy it now, as far as the shop told."""
    sold = not product.deleted and product.in_stock is not False and product.raw_status.lower() in _SOLD
    return sold and bool(product.url)


def recommend(
    seeds: Sequence[str],
    figures: Mapping[str, ProductFigures],
    owned: Collection[str],
    known: Mapping[str, Product],
    most: int = MOST,
) -> tuple[Product, ...]:
    """At most `most` products. `known` are the shop's products by id; what it does not know is not recommended."""
    wanted = (known[each] for each in candidates(seeds, figures, owned) if each in known and each not in owned)
    return tuple([product for product in wanted if sellable(product)][:most])
