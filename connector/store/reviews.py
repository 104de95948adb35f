"""What customers said about products, kept even where the platform has no place for reviews."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from connector.clock import from_text, to_text
from connector.store.db import Tx


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """A review. `rating` counts from 1 to 5; `platform_id` is empty until the platform has it."""

    id: str
    order_id: str
    product_id: str
    rating: int
    title: str
    text: str
    author: str
    email_key: str | None
    at: datetime
    platform_id: str


def save(
    tx: Tx,
    shop_id: str,
    order_id: str,
    product_id: str,
    rating: int,
    title: str,
    text: str,
    author: str,
    email_key: str | None,
    now: datetime,
) -> str:
    """Keep a review and return its id: one per order and product; a second one replaces it until it is published."""
    review_id = f"{order_id}-{product_id}"
    tx.run(
        "review_save",
        shop_id=shop_id,
        review_id=review_id,
        order_id=order_id,
        product_id=product_id,
        rating=rating,
        title=title,
        body=text,
        author=author,
        email_key=email_key,
        now=to_text(now),
    )
    return review_id


def of_order(tx: Tx, shop_id: str, order_id: str) -> list[ReviewRow]:
    """Oldest first."""
    return [
        ReviewRow(
            id=row["review_id"],
            order_id=row["order_id"],
            product_id=row["product_id"],
            rating=row["rating"],
            title=row["title"],
            text=row["body"],
            author=row["author"],
            email_key=row["email_key"],
            at=from_text(row["created_at"]),
            platform_id=row["platform_id"],
        )
        for row in tx.all("review_of_order", shop_id=shop_id, order_id=order_id)
    ]


def rating_of(tx: Tx, shop_id: str, product_id: str) -> tuple[int, int]:
    """How many reviews of the product there are, and their stars in all."""
    row = tx.one("review_rating", shop_id=shop_id, product_id=product_id)
    return (int(row["reviews"]), int(row["stars"] or 0)) if row else (0, 0)


def mark_published(tx: Tx, shop_id: str, review_id: str, platform_id: str) -> None:
    """The platform has it under `platform_id`; from now on it does not change here."""
    tx.run("review_publish", shop_id=shop_id, review_id=review_id, platform_id=platform_id)
