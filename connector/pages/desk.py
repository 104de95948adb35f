"""One case as the merchant's people see it: the order at hand, what was asked, the story; POST decides or answers.

The link is one person's, for one case alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from connector.model import Order, Shop
from connector.model.case import REFUSE, possible
from connector.pages.frame import application, clean, find_link, gone, let_pictures, page, transact
from connector.pages.review_photo import as_attachment
from connector.store import case_photos, cases, entities, shops
from connector.store.cases import CaseRow, Entry
from connector.store.db import Tx
from connector.store.review_photos import Photo
from flows.care import cases as acting
from flows.care.cases import DESK
from flows.care.returning import ASKED, OPENED, InShop, ask_shop, standing, wants_return
from flows.limits.daytime import zone_of

MAX_TEXT = 4000
ANSWER, ASK_SHOP = "answer", "ask_shop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A case with its order, as far as that is still known."""

    shop: Shop | None
    who: str
    case: CaseRow
    order: Order | None
    story: Sequence[Entry]
    in_shop: InShop | None
    photos: Sequence[Photo]
    token: str

    @property
    def may_ask(self) -> bool:
        """Whether the shop can be asked again for a return it did not open."""
        stuck = self.in_shop is not None and self.in_shop.state not in (ASKED, OPENED)
        return stuck and wants_return(self.case)


def show(token: str) -> BaseResponse:
    with application().store.work.read() as tx:
        sight = _sight(tx, token)
    return gone() if sight is None else _page(sight)


def photo(token: str, photo_id: str) -> BaseResponse:
    """A picture of the case, for whoever has the link; `?small` asks for the small one."""
    with application().store.work.read() as tx:
        link = find_link(tx, token, DESK)
        known = link is not None and application().runner.catalog.knows(link.shop_id)
        found = case_photos.find(tx, link.shop_id, link.data["case"], photo_id) if link is not None and known else None
    return (
        gone() if found is None else as_attachment(photo_id, found.small if "small" in request.args else found.picture)
    )


def act(token: str) -> BaseResponse:
    # Read before the transaction: a body that arrives slowly must not hold the write lock.
    action, text = request.form.get("action", ""), clean(request.form.get("text", ""), MAX_TEXT)

    def take(tx: Tx) -> tuple[Sight, str] | None:
        sight = _sight(tx, token)
        if sight is None:
            return None
        needs_words = action in (ANSWER, REFUSE)
        if needs_words and not text:
            return sight, "desk.text"
        app = application()
        now = app.clock.now()
        if action == ANSWER:
            acting.answer(tx, app.runner, sight.case, sight.who, text, now)
            return sight, ""
        if action == ASK_SHOP:
            asked = sight.may_ask and ask_shop(tx, app.runner.catalog.adapter(sight.case.shop_id), sight.case, now)
            return sight, "" if asked else "desk.late"
        allowed = action in possible(sight.case.state)
        moved = acting.act(tx, app.runner, sight.case, action, sight.who, text, now) if allowed else None
        return sight, "" if moved is not None else "desk.late"

    taken = transact(take)
    if taken is None:
        return gone()
    sight, problem = taken
    return _page(sight, problem, text) if problem else redirect(url_for("pages.desk", token=token), 303)


def _sight(tx: Tx, token: str) -> Sight | None:
    link = find_link(tx, token, DESK)
    row = cases.get(tx, link.shop_id, link.data["case"]) if link is not None else None
    if link is None or row is None or not application().runner.catalog.knows(link.shop_id):
        return None
    return Sight(
        shop=shops.get(tx, link.shop_id),
        who=link.data["who"],
        case=row,
        order=entities.order(tx, link.shop_id, row.order_id),
        story=cases.story(tx, link.shop_id, row.case_id),
        in_shop=standing(tx, row),
        photos=case_photos.of(tx, link.shop_id, row.case_id),
        token=token,
    )


def _page(sight: Sight, problem: str = "", text: str = "") -> BaseResponse:
    zone = zone_of(sight.shop.timezone if sight.shop is not None else "UTC")
    customer = sight.order.customer if sight.order is not None else None
    names = (customer.first_name, customer.last_name) if customer is not None else ()
    if sight.photos:
        let_pictures()
    return page(
        "desk.html",
        sight.shop,
        None,
        422 if problem else 200,
        case=sight.case,
        order=sight.order,
        customer=" ".join(filter(None, names)),
        story=[(entry, f"{entry.at.astimezone(zone):%Y-%m-%d %H:%M}") for entry in sight.story],
        actions=possible(sight.case.state),
        in_shop=sight.in_shop,
        may_ask=sight.may_ask,
        photos=sight.photos,
        token=sight.token,
        problem=problem,
        text=text,
        max_text=MAX_TEXT,
    )
