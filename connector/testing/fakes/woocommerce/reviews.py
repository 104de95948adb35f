"""Product reviews by REST (woocommerce.md §4): approved at once unless held, 409 for an exact repeat, no clamping."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from connector.testing.fakes.web import Request, Response
from connector.testing.fakes.woocommerce import listing
from connector.testing.fakes.woocommerce.answers import error, invalid_param, missing_params, ok
from connector.testing.fakes.woocommerce.state import Json

if TYPE_CHECKING:
    from connector.testing.fakes.woocommerce.shop import FakeWoo

STATUSES = ("approved", "hold", "spam", "unspam", "trash", "untrash")
REQUIRED = ("product_id", "review", "reviewer", "reviewer_email")
_TAG = re.compile(r"<[^>]*>")


def create(woo: FakeWoo, given: Json) -> Response:
    if missing := [name for name in REQUIRED if name not in given]:
        return missing_params(*missing)
    status = given.get("status", "approved")
    if status not in STATUSES:
        words = ", ".join(STATUSES[:-1]) + f", and {STATUSES[-1]}"
        return invalid_param("status", f"status is not one of {words}.", "rest_not_in_enum")
    if given["product_id"] not in woo.products:
        return error(404, "woocommerce_rest_product_invalid_id", "Invalid product ID.")
    email = str(given["reviewer_email"])
    for row in woo.reviews.values():
        same_person = email in (row["reviewer_email"],) or given["reviewer"] == row["reviewer"]
        if row["product_id"] == given["product_id"] and row["review"] == given["review"] and same_person:
            text = "Duplicate comment detected; it looks as though you&#8217;ve already said that!"
            return error(409, "woocommerce_rest_comment_duplicate", text)
    row = _row(woo, given, email, status)
    woo.reviews[row["id"]] = row
    if status == "approved":
        woo.queue.emit("product.updated", row["product_id"])
    body = linked(woo, row)
    return ok(body, 201, [("Location", body["_links"]["self"][0]["href"])])


def update(woo: FakeWoo, row: Json, given: Json) -> Response:
    row.update(
        {key: given[key] for key in ("status", "review", "reviewer", "reviewer_email", "rating") if key in given}
    )
    return ok(linked(woo, row))


def delete(woo: FakeWoo, request: Request, row: Json) -> Response:
    """Into the bin, or for good with `force`."""
    before = linked(woo, row)
    if request.last("force") in ("true", "1"):
        del woo.reviews[row["id"]]
        return ok({"deleted": True, "previous": before})
    if row["status"] == "trash":
        return error(410, "woocommerce_rest_already_trashed", "The object has already been trashed.")
    row["status"] = "trash"
    return ok(linked(woo, row))


def listed(woo: FakeWoo, request: Request) -> Response:
    """Only approved ones, unless another status (or `all`) is asked for."""
    status = request.last("status") or "approved"
    rows = [row for row in woo.reviews.values() if status in ("all", row["status"])]
    if product := request.last("product"):
        rows = [row for row in rows if str(row["product_id"]) in product.split(",")]
    if email := request.last("reviewer_email"):
        rows = [row for row in rows if row["reviewer_email"] == email]
    return listing.page(request, [linked(woo, row) for row in sorted(rows, key=lambda r: -int(r["id"]))])


def linked(woo: FakeWoo, row: Json) -> Json:
    up = [{"href": woo.link(f"products/{row['product_id']}")["href"]}]
    return woo.linked(row, "products/reviews", row["id"], up=up)


def _row(woo: FakeWoo, given: Json, email: str, status: str) -> Json:
    product = woo.products[given["product_id"]]
    face = hashlib.sha256(email.strip().lower().encode()).hexdigest()
    row: Json = {
        "id": woo.next_id("comment"),
        "date_created": None,
        "date_created_gmt": None,
        "product_id": product["id"],
        "product_name": product["name"],
        "product_permalink": product["permalink"],
        "status": "hold" if status == "hold" else status,
        "reviewer": _TAG.sub("", str(given["reviewer"])),
        "reviewer_email": email,
        "review": given["review"],
        "rating": given.get("rating", 0),
        "verified": _bought(woo, product["id"], email),
        "reviewer_avatar_urls": {
            size: f"https://secure.gravatar.com/avatar/{face}?s={size}&d=mm&r=g" for size in ("24", "48", "96")
        },
    }
    woo.set_date(row, "date_created", woo.clock.now())
    return row


def _bought(woo: FakeWoo, product_id: int, email: str) -> bool:
    """Whether a paid order of that address holds the product; guests count."""
    return any(
        order["billing"]["email"].lower() == email.lower()
        and order["status"] in ("processing", "completed")
        and any(line["product_id"] == product_id for line in order["line_items"])
        for order in woo.orders.values()
    )
