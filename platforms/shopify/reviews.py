"""Reviews as metaobjects of the app, type `$app:review` (Admin API 2026-10: metaobjectUpsert, metaobjectDelete).

They are declared in the app's shopify.app.toml (`platforms.shopify.app_file`), publishable, and read by themes. The
standard `product_review` is for approved partners only (facts/shopify.md). A shop whose app was declared before reviews
had answers, pictures and a disclosure gets the rest until the app is deployed anew.
"""

from __future__ import annotations

import json
from abc import ABC
from typing import Any

from connector.clock import to_text
from connector.contracts import Access, PublishesReviews, ReviewRequest, RevisesReviews
from connector.errors import Refused
from platforms.shopify.calls import Calls, digest, gid, made_id

TYPE = "$app:review"
UNDECLARED = "UNDEFINED_OBJECT_FIELD"
GONE = "RECORD_NOT_FOUND"


class Reviews(Calls, PublishesReviews, RevisesReviews, ABC):
    """Needs `write_metaobjects`."""

    def publish_review(self, access: Access, request: ReviewRequest) -> str:
        """metaobjectUpsert, active or a draft, under a handle made of the key: a repeat meets itself.

        The author's e-mail stays with us: metaobjects may be shown in the storefront.
        """
        more = _later_fields(request)
        try:
            return self._upsert(access, request, {**_fields(request), **more})
        except Refused as error:
            if error.provider_code != UNDECLARED or not more:
                raise
            return self._upsert(access, request, _fields(request))

    def revise_review(self, access: Access, platform_id: str, request: ReviewRequest) -> str:  # noqa: ARG002 - the handle
        """The same as publishing: the handle finds it, and makes it anew where it was deleted."""
        return self.publish_review(access, request)

    def remove_review(self, access: Access, platform_id: str) -> None:
        """metaobjectDelete."""
        try:
            self._client.mutate(access, "review_delete", {"id": gid("Metaobject", platform_id)})
        except Refused as error:
            if error.provider_code != GONE:
                raise

    def _upsert(self, access: Access, request: ReviewRequest, fields: dict[str, str]) -> str:
        variables: dict[str, Any] = {
            "handle": {"type": TYPE, "handle": f"review-{digest(request.key)}"},
            "review": {
                "fields": [{"key": name, "value": value} for name, value in fields.items()],
                "capabilities": {"publishable": {"status": "ACTIVE" if request.approved else "DRAFT"}},
            },
        }
        made = self._client.mutate(access, "review_upsert", variables).get("metaobject")
        return made_id(made, "review_upsert")


def _fields(request: ReviewRequest) -> dict[str, str]:
    rating = {"scale_min": "1.0", "scale_max": "5.0", "value": f"{request.rating}.0"}
    return {
        "product": gid("Product", request.product_id),
        "rating": json.dumps(rating),
        "title": request.title,
        "body": request.text,
        "author": request.author_name,
        "submitted_at": to_text(request.at),
    }


def _later_fields(request: ReviewRequest) -> dict[str, str]:
    """Those that came later, where there is something to say: a review that was edited must lose its old pictures."""
    told = request.disclosure or request.answer or request.verified or request.photos or request.approved
    if not told:
        return {}
    return {
        "disclosure": request.disclosure,
        "answer": request.answer,
        "verified": "true" if request.verified else "false",
        "photos": json.dumps(list(request.photos)),
    }
