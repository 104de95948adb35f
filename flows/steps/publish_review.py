"""`publish_review`: put the customer's review where the platform shows reviews."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from connector import codec
from connector.contracts import (
    Access,
    Act,
    Decision,
    Done,
    PlatformAdapter,
    PublishesReviews,
    ReviewRequest,
    Step,
    StepContext,
)


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
        return {"published": str(len(ids)), "ids": " ".join(ids)}
