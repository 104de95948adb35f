"""A picture of a review: what everybody may read, everybody may see; the rest only with the link of whoever may.

An attachment under its own strict policy, so that nothing in it could ever run here; in a page it is a picture all the
same.
"""

from __future__ import annotations

import re

from flask import Response, make_response, request

from connector.clock import from_text
from connector.pages.frame import application, find_link, gone, let_cache
from connector.store import review_photos
from connector.store.db import Tx
from connector.store.review_photos import FoundPhoto

MODERATION = "moderation"
"""The kind of the links that lead to a shop's queue."""
_ID = re.compile(r"[0-9a-z]{16,64}")
_HOUR = 3600
"""How long others may keep it: what is withdrawn is gone everywhere after that."""


def show(photo_id: str, token: str = "") -> Response:
    """`?small` asks for the small one."""
    app = application()
    if not _ID.fullmatch(photo_id):
        return gone()
    with app.store.work.read() as tx:
        found = review_photos.find(tx, photo_id)
        allowed = found is not None and (_may(tx, token, found) if token else found.shown(app.clock.now()))
    if found is None or not allowed:
        return gone()
    answer = as_attachment(photo_id, found.small if "small" in request.args else found.picture)
    if not token:
        let_cache(_HOUR)
    return answer


def as_attachment(photo_id: str, picture: bytes) -> Response:
    answer = make_response(picture)
    answer.headers["Content-Type"] = "image/jpeg"
    answer.headers["Content-Disposition"] = f'attachment; filename="{photo_id}.jpg"'
    return answer


def _may(tx: Tx, token: str, found: FoundPhoto) -> bool:
    """Whoever wrote the review, and whoever looks after the shop's queue."""
    mine = find_link(tx, token, "review")
    if mine is not None:
        return mine.shop_id == found.shop_id and mine.data["order"] == found.order_id
    staff = find_link(tx, token, MODERATION)
    if staff is None or staff.shop_id != found.shop_id:
        return False
    return from_text(staff.data["until"]) > application().clock.now()
