"""Where reviews keep people; a part of `connector.store.places`."""

from __future__ import annotations

from connector.store.place import Place
from connector.store.place import words as _words

REVIEW_PLACES: tuple[Place, ...] = (
    Place(
        "review_history",
        "person_review_history",
        "erase_review_history",
        "wipe_review_history",
        _words("review_id what by_whom note rating title body author"),
        _words("seq at"),
    ),
    Place(
        "review_asks",
        "person_review_asks",
        "erase_review_asks",
        "wipe_review_asks",
        _words("ask_id product_id order_id email_key customer_id"),
        _words("asked_at"),
    ),
    Place(
        "review_photos",
        "person_review_photos",
        "erase_review_photos",
        "wipe_review_photos",
        _words("photo_id review_id picture small"),
        _words("position width height created_at"),
    ),
    Place(
        "reviews",
        "person_reviews",
        "erase_reviews",
        "wipe_reviews",
        _words(
            "review_id order_id title body author email_key rating platform_id state reasons proof video reuse_at"
            " answer source locale"
        ),
        _words(
            "product_id product_title created_at updated_at publish_at rewarded revision pushed answered_by answered_at"
        ),
    ),
)
