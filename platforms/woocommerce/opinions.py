"""Product reviews of a WooCommerce shop: `wc/v3/products/reviews` (facts/woocommerce.md section 4).

POST has no key: an exact duplicate is answered 409 and adopted. The shop works out `verified` from its own orders and
the product's rating from its approved reviews. Pictures are addresses below the words, which WordPress shows as links
(make_clickable on comment_text). There is no place for the merchant's answer: a reply is a comment of `wp/v2/comments`,
and a key of the shop signs in to routes that begin with `wc/` or `wc-` alone (class-wc-rest-authentication.php).
"""

from __future__ import annotations

import html
from abc import ABC
from typing import TYPE_CHECKING, Any

from connector.contracts import Access, PublishesReviews, ReviewRequest, RevisesReviews
from connector.errors import Refused
from platforms.woocommerce.calls import Calls, got, numeric, objects, without_html

if TYPE_CHECKING:
    from platforms.woocommerce.client import ShopApi

DUPLICATE = "woocommerce_rest_comment_duplicate"
GONE = frozenset(("woocommerce_rest_review_invalid_id", "woocommerce_rest_already_trashed"))
_PAGES = 5


class Opinions(Calls, PublishesReviews, RevisesReviews, ABC):
    """Reviews written, changed and taken away."""

    def publish_review(self, access: Access, request: ReviewRequest) -> str:
        """POST /products/reviews, shown or held for the merchant's approval. An exact duplicate (409) is adopted.

        The shop would take a rating of 6 and store `<script>` from an admin's key: both are cleaned here.
        """
        api = self._api(access)
        body = {"product_id": int(numeric(request.product_id)), **_said(request)}
        if request.again and (earlier := _written_by(api, request)):
            return self.revise_review(access, earlier, request)
        try:
            return str(got(api.post("products/reviews", body), "id"))
        except Refused as error:
            if error.provider_code != DUPLICATE:
                raise
            return _find(api, request, str(body["review"]))

    def revise_review(self, access: Access, platform_id: str, request: ReviewRequest) -> str:
        """PUT /products/reviews/ID. One that somebody deleted in the shop is written anew."""
        try:
            self._api(access).put(f"products/reviews/{numeric(platform_id)}", _said(request))
        except Refused as error:
            if error.provider_code not in GONE:
                raise
            body = {"product_id": int(numeric(request.product_id)), **_said(request)}
            return str(got(self._api(access).post("products/reviews", body), "id"))
        return platform_id

    def remove_review(self, access: Access, platform_id: str) -> None:
        """DELETE /products/reviews/ID for good: the bin would keep what its author took back."""
        try:
            self._api(access).delete(f"products/reviews/{numeric(platform_id)}", params={"force": True})
        except Refused as error:
            if error.provider_code not in GONE:
                raise


def _said(request: ReviewRequest) -> dict[str, Any]:
    words = (without_html(request.title), without_html(request.text), without_html(request.disclosure))
    parts = (*words, "\n".join(request.photos))
    return {
        "review": "\n\n".join(part for part in parts if part),
        "reviewer": html.unescape(without_html(request.author_name)) or "-",
        "reviewer_email": request.author_email,
        "rating": min(5, max(1, request.rating)),
        "status": "approved" if request.approved else "hold",
    }


def _written_by(api: ShopApi, request: ReviewRequest) -> str:
    """What the person wrote about the product before, where an earlier revision may have arrived."""
    params = {"product": request.product_id, "reviewer_email": request.author_email, "status": "all", "per_page": 100}
    found = objects(api.get("products/reviews", params=params)) if request.author_email else []
    return str(got(found[0], "id")) if found else ""


def _find(api: ShopApi, request: ReviewRequest, review: str) -> str:
    wanted = review.split()
    for page in range(1, _PAGES + 1):
        params = {"product": request.product_id, "status": "all", "per_page": 100, "page": page}
        found = objects(api.get("products/reviews", params=params))
        for entry in found:
            same_person = str(entry.get("reviewer_email", "")).lower() == request.author_email.lower()
            # Lists wrap the text in <p> and <br />: compare the words.
            if same_person and without_html(str(entry.get("review", ""))).split() == wanted:
                return str(got(entry, "id"))
        if len(found) < 100:
            break
    raise Refused("the shop calls the review a duplicate, but shows none like it", provider_code=DUPLICATE)
