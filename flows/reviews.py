"""Reviews on their way to the shop: added to the effect at the last moment, so that an erased one is not published."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector.codec import builtins
from connector.contracts import ReviewRequest
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
    return {**effect.request, "reviews": [builtins(request) for request in requests]}


def published(tx: Tx, effect: Effect, values: Mapping[str, str]) -> None:
    """Keep what the platform calls the reviews it now has; from then on they do not change here."""
    for row, platform_id in zip(_waiting(tx, effect), values.get("ids", "").split(), strict=False):
        reviews.mark_published(tx, effect.shop_id, row.id, platform_id)


def _waiting(tx: Tx, effect: Effect) -> list[reviews.ReviewRow]:
    """The order's reviews that are not in the shop, always in the same order."""
    if effect.order_id is None:
        return []
    return [row for row in reviews.of_order(tx, effect.shop_id, effect.order_id) if not row.platform_id]
