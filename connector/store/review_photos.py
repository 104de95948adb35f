"""Pictures of reviews: JPEG as we made it anew, in the database: every web machine and every backup has them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from connector import codec
from connector.clock import from_text, to_text
from connector.store.db import Tx
from connector.store.reviews import ReviewState

_ALWAYS = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """A picture of a review, as JPEG; its id is unguessable. The bytes are empty where only lists are asked."""

    id: str
    width: int
    height: int
    picture: bytes = field(default=b"", repr=False)
    small: bytes = field(default=b"", repr=False)


def add(tx: Tx, shop_id: str, review_id: str, position: int, photo: Photo, now: datetime) -> None:
    tx.run(
        "review_photo_put",
        shop_id=shop_id,
        photo_id=photo.id,
        review_id=review_id,
        position=position,
        width=photo.width,
        height=photo.height,
        picture=photo.picture,
        small=photo.small,
        now=to_text(now),
    )


def drop(tx: Tx, shop_id: str, review_id: str, photo_id: str) -> None:
    tx.run("review_photo_drop", shop_id=shop_id, review_id=review_id, photo_id=photo_id)


def drop_all(tx: Tx, shop_id: str, review_id: str) -> None:
    tx.run("review_photos_drop", shop_id=shop_id, review_id=review_id)


def of(tx: Tx, shop_id: str, reviews: Iterable[str]) -> dict[str, list[Photo]]:
    """Which pictures each review has, in order, without the pictures themselves."""
    found: dict[str, list[Photo]] = {}
    for row in tx.all("review_photos_of", shop_id=shop_id, reviews=codec.encode_text(list(reviews))):
        photo = Photo(id=row["photo_id"], width=row["width"], height=row["height"])
        found.setdefault(row["review_id"], []).append(photo)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPhoto:
    """A picture with what decides who may see it."""

    shop_id: str
    order_id: str
    shown_from: datetime | None
    picture: bytes = field(repr=False)
    small: bytes = field(repr=False)

    def shown(self, now: datetime) -> bool:
        return self.shown_from is not None and self.shown_from <= now


def find(tx: Tx, photo_id: str) -> FoundPhoto | None:
    """A picture by its unguessable id."""
    row = tx.one("review_photo_get", photo_id=photo_id)
    if row is None:
        return None
    published = row["state"] == ReviewState.PUBLISHED
    since = from_text(row["publish_at"]) if row["publish_at"] else _ALWAYS
    return FoundPhoto(
        shop_id=row["shop_id"],
        order_id=row["order_id"],
        shown_from=since if published else None,
        picture=bytes(row["picture"]),
        small=bytes(row["small"]),
    )
