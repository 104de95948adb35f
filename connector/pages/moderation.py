"""A shop's reviews for whoever looks after them: GET shows what waits and what is new, POST decides.

The link is made by `kiitos reviews page` and ends by itself; decisions carry the name it was made for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from flask import request
from werkzeug.wrappers import Response as BaseResponse

from connector.clock import from_text, to_text
from connector.model import Shop
from connector.pages.frame import PREFIX, Application, application, clean, find_link, gone, let_pictures, page, transact
from connector.pages.review_photo import MODERATION
from connector.store import links, review_photos, reviews, shops
from connector.store.db import Tx
from connector.store.reviews import ReviewRow, ReviewState
from flows.reviews import reviewing

SHOWN = 50
NEWEST = 20
MAX_REASON = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Whose queue it is, and who sits at it."""

    shop: Shop
    who: str


def new_link(app: Application, shop_id: str, who: str, life: timedelta) -> str:
    """The address of a shop's page, which works for so long."""
    now, token = app.clock.now(), app.clock.token()
    with app.store.work.transaction() as tx:
        links.put(tx, shop_id, token, MODERATION, {"until": to_text(now + life), "who": who}, now)
    return f"{app.config.app.base_url.rstrip('/')}{PREFIX}/moderation/{token}"


def show(token: str) -> BaseResponse:
    with application().store.work.read() as tx:
        desk = _desk(tx, token)
    return gone() if desk is None else _page(desk, token)


def act(token: str) -> BaseResponse:
    """`do` is approve, hide (with `text` as the reason) or answer (with `text`); `review` says which."""
    what, named = request.form.get("do", ""), request.form.get("review", "")
    text = clean(request.form.get("text", ""), reviewing.LONGEST_ANSWER)

    def decide(tx: Tx) -> tuple[Desk | None, str]:
        desk = _desk(tx, token)
        row = reviews.get(tx, desk.shop.id, named) if desk is not None else None
        if desk is None or row is None:
            return desk, "moderation.gone"
        return desk, _decided(tx, desk, row, what, text)

    desk, said = transact(decide)
    return gone() if desk is None else _page(desk, token, said, named, text)


def _decided(tx: Tx, desk: Desk, row: ReviewRow, what: str, text: str) -> str:
    app = application()
    shop_id, now = desk.shop.id, app.clock.now()
    if what == "approve":
        done = reviewing.show(tx, app.runner, shop_id, row, desk.who, now)
    elif what == "hide" and not text:
        return "moderation.reason_missing"
    elif what == "hide":
        done = reviewing.hide(tx, app.runner, shop_id, row, desk.who, text[:MAX_REASON], now)
    elif what == "answer":
        done = reviewing.answer(tx, app.runner, shop_id, row, text, desk.who, now)
    else:
        return "moderation.gone"
    return "moderation.done" if done else "moderation.nothing"


def _desk(tx: Tx, token: str) -> Desk | None:
    link = find_link(tx, token, MODERATION)
    if link is None or from_text(link.data["until"]) <= application().clock.now():
        return None
    shop = shops.get(tx, link.shop_id)
    known = application().runner.catalog.knows(link.shop_id)
    return Desk(shop=shop, who=link.data["who"]) if shop is not None and known else None


def _page(desk: Desk, token: str, said: str = "", named: str = "", text: str = "") -> BaseResponse:
    app = application()
    unhappy = app.runner.catalog.settings(desk.shop.id).reviews.unhappy
    with app.store.work.read() as tx:
        held = reviews.in_state(tx, desk.shop.id, ReviewState.HELD, SHOWN)
        new = reviews.newest(tx, desk.shop.id, NEWEST)
        photos = review_photos.of(tx, desk.shop.id, [row.id for row in (*held, *new)])
    let_pictures()
    held.sort(key=lambda row: (not 0 < row.rating <= unhappy, row.at))
    status = 422 if said == "moderation.reason_missing" else 200
    return page(
        "moderation.html",
        desk.shop,
        None,
        status,
        held=held,
        new=new,
        photos=photos,
        unhappy=unhappy,
        token=token,
        said=said,
        named=named,
        typed=text if status == 422 else "",
        max_reason=MAX_REASON,
        max_answer=reviewing.LONGEST_ANSWER,
    )
