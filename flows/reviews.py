"""Reviews on their way to the shop: added to the effect at the last moment, so that an erased one is not published."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connector.codec import builtins
from connector.contracts import RatingRequest, ReviewRequest
from connector.model import Effect
from connector.store import reviews
from connector.store.db import Tx


def with_reviews(tx: Tx, effect: Effect) -> Mapping[str, Any]:
    """The effect's request; a `publish_review` request gets the reviews of its order that are not yet in the shop."""
    if effect.request.get("do") != "publish_review" or effect.order_id is None:
        return effect.request
    waiting = _waiting(tx, effect)
    requests = [
        ReviewRequest(
            key=row.id,
            order_id=effect.order_id,
            product_id=row.product_id,
            rating=row.rating,
            title=row.title,
            text=row.text,
            author_name=row.author,
            author_email=row.email_key or "",
            at=row.at,
        )
        for row in waiting
    ]
    ratings = [_rating(tx, effect.shop_id, product) for product in dict.fromkeys(row.product_id for row in waiting)]
    return {
        **effect.request,
        "reviews": [builtins(request) for request in requests],
        "ratings": [builtins(rating) for rating in ratings],
    }


def _rating(tx: Tx, shop_id: str, product_id: str) -> RatingRequest:
    """The mean of every review we hold of the product, published before or just now; none is left out for its stars."""
    count, total = reviews.rating_of(tx, shop_id, product_id)
    return RatingRequest(product_id=product_id, average=Decimal(total) / max(count, 1), count=count)


def published(tx: Tx, effect: Effect, values: Mapping[str, str]) -> None:
    """Keep what the platform calls the reviews it now has; from then on they do not change here."""
    for row, platform_id in zip(_waiting(tx, effect), values.get("ids", "").split(), strict=False):
        reviews.mark_published(tx, effect.shop_id, row.id, platform_id)


def _waiting(tx: Tx, effect: Effect) -> list[reviews.ReviewRow]:
    """The order's reviews that are not in the shop, always in the same order."""
    if effect.order_id is None:
        return []
    return [row for row in reviews.of_order(tx, effect.shop_id, effect.order_id) if not row.platform_id]
