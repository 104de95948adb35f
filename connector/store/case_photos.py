"""Pictures of returns and complaints: JPEG as we made it anew, for the merchant's people alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connector.clock import to_text
from connector.store.db import Tx
from connector.store.review_photos import Photo


def add(tx: Tx, shop_id: str, case_id: str, photos: Sequence[Photo], now: datetime) -> None:
    """Keep them in this order."""
    for position, photo in enumerate(photos):
        tx.run(
            "case_photo_put",
            shop_id=shop_id,
            photo_id=photo.id,
            case_id=case_id,
            position=position,
            width=photo.width,
            height=photo.height,
            picture=photo.picture,
            small=photo.small,
            now=to_text(now),
        )


def of(tx: Tx, shop_id: str, case_id: str) -> list[Photo]:
    """Which there are, in order, without the pictures themselves."""
    rows = tx.all("case_photos_of", shop_id=shop_id, case_id=case_id)
    return [Photo(id=row["photo_id"], width=row["width"], height=row["height"]) for row in rows]


def find(tx: Tx, shop_id: str, case_id: str, photo_id: str) -> Photo | None:
    """One with its bytes; `None` where the case has no such picture."""
    row = tx.one("case_photo_get", shop_id=shop_id, photo_id=photo_id)
    if row is None or row["case_id"] != case_id:
        return None
    picture, small = bytes(row["picture"]), bytes(row["small"])
    return Photo(id=photo_id, width=row["width"], height=row["height"], picture=picture, small=small)
