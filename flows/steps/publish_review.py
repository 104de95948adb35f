"""`publish_review`: put the customer's review where the platform shows reviews."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from connector import codec
from connector.contracts import (
    Access,
    Act,
    Decision,
    Done,
    PlatformAdapter,
    PublishesRatings,
    PublishesReviews,
    RatingRequest,
    ReviewRequest,
    Step,
    StepContext,
)
from connector.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishReview(Step):
    """Publish the reviews of the run's order, each once, whatever their rating.

    No capability is demanded: on a platform without a place for reviews they stay on the hosted page, and the outcome
    says `published = "0"`. The step names the order; whoever carries the effect out adds `reviews`, a list of
    `ReviewRequest` in JSON form, at the last moment, so that a review edited or erased in between is not published
    as it was.
    """

    do: ClassVar[str] = "publish_review"

    def start(self, ctx: StepContext) -> Decision:
        order_id = ctx.get("order.id")
        if not order_id:
            return Done("skipped", {"reason": "there is no order the review belongs to"})
        return Act("platform", {"do": self.do, "order_id": order_id})

    def perform(
        self,
        adapter: PlatformAdapter,
        access: Access,
        request: Mapping[str, Any],
        key: str,  # noqa: ARG002 - each review has its own key
    ) -> Mapping[str, str]:
        if not isinstance(adapter, PublishesReviews):
            return {"published": "0", "reason": f"platform '{adapter.name}' has no place for reviews"}
        reviews = [codec.convert(item, ReviewRequest) for item in request.get("reviews", ())]
        ids = [adapter.publish_review(access, review) for review in reviews]
        values = {"published": str(len(ids)), "ids": " ".join(ids), "keys": " ".join(review.key for review in reviews)}
        values["revisions"] = " ".join(f"{name}={count}" for name, count in request.get("revisions", {}).items())
        if isinstance(adapter, PublishesRatings):
            told = dict(zip((review.key for review in reviews), ids, strict=True))
            ratings = [codec.convert(item, RatingRequest).with_ids(told) for item in request.get("ratings", ())]
            values["listed"] = " ".join(f"{rating.product_id}={','.join(rating.listed)}" for rating in ratings)
            values |= _rated(adapter, access, ratings)
        return values


def _rated(adapter: PublishesRatings, access: Access, ratings: Sequence[RatingRequest]) -> dict[str, str]:
    """Ratings follow the reviews where the merchant lets us write them. A refusal (a scope that is missing, a product
    that is gone) is told in the outcome: the reviews are published, which is what the customer was promised."""
    try:
        for rating in ratings:
            adapter.publish_rating(access, rating)
    except Refused as refused:
        return {"rated": "0", "rating_refused": refused.provider_code or refused.code}
    return {"rated": str(len(ratings))}
