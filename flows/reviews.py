"""Reviews on their way to the shop: added to the effect at the last moment, so that an erased one is not published."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from connector.clock import to_text
from connector.codec import builtins
from connector.contracts import RatingRequest, ReviewRequest
from connector.model import Effect, EffectStatus, Event, Run, RunStatus
from connector.store import effects, reviews, runs
from connector.store.db import Tx
from flows.definition import Flow

PUBLISH = "publish_review"


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
    for review_id, platform_id in zip(values.get("keys", "").split(), values.get("ids", "").split(), strict=False):
        reviews.mark_published(tx, effect.shop_id, review_id, platform_id)


def late_publication(tx: Tx, flow_of: Callable[[Tx, Run], Flow], event: Event, shop_id: str, now: datetime) -> None:
    """A review nobody waits for any more (the flow gave up, or published an earlier one) is published all the same.

    The effect is that of the flow's own step, so a merchant who removed the step has nothing published.
    """
    late: Effect | None = None
    for run in runs.of_order(tx, shop_id, event.order_id or ""):
        flow = flow_of(tx, run)
        index = next((at for at, item in enumerate(flow.steps) if item.step.do == PUBLISH), None)
        if index is None:
            continue
        here = run.step < index or (run.step == index and run.status is not RunStatus.ACTING)
        if here and not run.status.ended:
            return  # the run comes to it
        late = publication(run, flow, flow.steps[index].id, event, now)
    if late is not None and effects.put(tx, late):
        runs.journal(tx, shop_id, late.run_id, now, late.step_id, "late_review", {"effect": late.id})


def publication(run: Run, flow: Flow, step_id: str, event: Event, now: datetime) -> Effect:
    """The effect that publishes a late review."""
    return Effect(
        shop_id=run.shop_id,
        id=f"{run.id}:{step_id}/{hashlib.sha256(event.key.encode()).hexdigest()[:12]}",
        run_id=run.id,
        flow_id=flow.id,
        version=flow.version,
        step_id=step_id,
        kind="platform",
        purpose=flow.purpose,
        request={"do": PUBLISH, "order_id": event.order_id},
        status=EffectStatus.PENDING,
        due_at=now,
        created_at=now,
        order_id=event.order_id,
        result={effects.BY_HAND: to_text(now)},
    )


def _waiting(tx: Tx, effect: Effect) -> list[reviews.ReviewRow]:
    """The order's reviews that are not in the shop, always in the same order."""
    if effect.order_id is None:
        return []
    return [row for row in reviews.of_order(tx, effect.shop_id, effect.order_id) if not row.platform_id]
