"""Reviews on their way to the shop: added to the effect at the last moment, so that an erased one is not published."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from connector.clock import to_text
from connector.codec import builtins
from connector.config import ShopSettings
from connector.model import Effect, EffectStatus, Event, Run, RunStatus
from connector.store import effects, reviews, runs
from connector.store.db import Tx
from flows.definition import Flow
from flows.reviews.publication import NEVER, PUBLISH, rating_of, request_of, tell


def with_reviews(
    tx: Tx, effect: Effect, now: datetime, settings: ShopSettings | None = None, base_url: str = ""
) -> Mapping[str, Any]:
    """The effect's request; a `publish_review` request gets the reviews of its order that everybody may read and that
    are not yet in the shop. What is held, or waits for its time, is told of later (`flows.reviews.publication`)."""
    if effect.request.get("do") != PUBLISH or effect.order_id is None:
        return effect.request
    waiting = [
        row
        for row in reviews.of_order(tx, effect.shop_id, effect.order_id)
        if row.shown(now) and not (row.platform_id or row.is_story or row.pushed == NEVER)
    ]
    requests = [request_of(tx, effect.shop_id, row, settings, base_url) for row in waiting]
    products = dict.fromkeys(row.product_id for row in waiting)
    ratings = [rating_of(tx, effect.shop_id, product, now) for product in products]
    return {
        **effect.request,
        "reviews": [builtins(request) for request in requests],
        "ratings": [builtins(rating) for rating in ratings],
        "revisions": {row.id: row.revision for row in waiting},
    }


def published(tx: Tx, effect: Effect, values: Mapping[str, str], now: datetime) -> None:
    """Keep what the platform calls the reviews it now has, and tell it again of what changed meanwhile."""
    told = zip(values.get("keys", "").split(), values.get("ids", "").split(), strict=False)
    revisions = dict(each.rpartition("=")[::2] for each in values.get("revisions", "").split())
    lists = dict(each.partition("=")[::2] for each in values.get("listed", "").split())
    for review_id, platform_id in told:
        revision = int(revisions.get(review_id, "1"))
        reviews.mark_published(tx, effect.shop_id, review_id, platform_id, revision)
        row = reviews.get(tx, effect.shop_id, review_id)
        if row is not None and row.revision != revision:
            tell(tx, effect.shop_id, row, now, again=":changed")
        elif row is not None:
            wrote = lists.get(row.product_id)
            if wrote is not None and wrote != ",".join(rating_of(tx, effect.shop_id, row.product_id, now).listed):
                tell(tx, effect.shop_id, row, now, again=f":{to_text(now)}")  # another was published at the same time


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
