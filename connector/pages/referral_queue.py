"""The page where somebody of the shop's decides about referrals that wait: GET shows them, POST decides about one.

The link is made by `kiitos referrals page` for one person, who is named with every decision; it ends by itself.
"""

from __future__ import annotations

from datetime import timedelta

from flask import Response, request

from connector.clock import from_text, to_text
from connector.model import Order, Shop
from connector.pages.frame import PREFIX, Application, application, clean, find_link, gone, page, transact
from connector.store import entities, links, referrals, shops
from connector.store.db import Tx
from connector.store.links import LinkRow
from connector.store.referrals import ReferralRow
from flows.limits.daytime import zone_of
from flows.referring.finding import WAYS
from flows.referring.queue import LONGEST_NOTE, decide

LINK = "referral_queue"
SHOWN = 50
ANSWERS = ("approve", "refuse")


def new_link(app: Application, shop_id: str, who: str, life: timedelta) -> str:
    """The address of a shop's queue for one person, which works for so long."""
    now, token = app.clock.now(), app.clock.token()
    with app.store.work.transaction() as tx:
        links.put(tx, shop_id, token, LINK, {"who": who[:120], "until": to_text(now + life)}, now)
    return f"{app.config.app.base_url.rstrip('/')}{PREFIX}/referrals/{token}"


def show(token: str) -> Response:
    with application().store.work.read() as tx:
        link = _link(tx, token)
        return gone() if link is None else _page(tx, link)


def act(token: str) -> Response:
    # Read before the transaction: a body that arrives slowly must not hold the write lock.
    chosen, note = request.form.get("referral", ""), clean(request.form.get("note", ""), LONGEST_NOTE)
    answer = request.form.get("answer", "")

    def take(tx: Tx) -> tuple[LinkRow | None, bool | None]:
        link, app = _link(tx, token), application()
        if link is None or answer not in ANSWERS:
            return link, None
        approve, who, now = answer == "approve", link.data["who"], app.clock.now()
        return link, decide(tx, app.runner, link.shop_id, chosen, now, approve=approve, by=who, note=note)

    link, done = transact(take)
    if link is None:
        return gone()
    with application().store.work.read() as tx:
        return _page(tx, link, 200 if done else 409 if done is False else 422, done=done)


def _link(tx: Tx, token: str) -> LinkRow | None:
    link = find_link(tx, token, LINK)
    fresh = link is not None and from_text(link.data["until"]) > application().clock.now()
    return link if link is not None and fresh and application().runner.catalog.knows(link.shop_id) else None


def _page(tx: Tx, link: LinkRow, status: int = 200, *, done: bool | None = None) -> Response:
    shop = shops.get(tx, link.shop_id)
    if shop is None:
        return gone()
    rows = referrals.waiting(tx, shop.id, SHOWN + 1)
    return page(
        "referral_queue.html",
        shop,
        None,
        status,
        rows=[_row(tx, shop, row) for row in rows[:SHOWN]],
        more=len(rows) > SHOWN,
        done=done,
        max_note=LONGEST_NOTE,
    )


def _row(tx: Tx, shop: Shop, row: ReferralRow) -> dict[str, object]:
    """What a person needs to tell a friend from the advocate: both sides' names and addresses, side by side."""
    order = entities.order(tx, shop.id, row.friend_order_id)
    theirs = entities.orders_of(tx, shop.id, row.advocate_email_key, limit=1)
    zone = zone_of(shop.timezone)
    return {
        "id": row.id,
        "number": order.number if order is not None else row.friend_order_id,
        "when": f"{row.created_at.astimezone(zone):%Y-%m-%d %H:%M}",
        "way": f"queue.way_{row.way if row.way in WAYS else 'code'}",
        "signs": [f"queue.{sign}" for sign in row.signs],
        "friend": _person(order, row.friend_email_key or ""),
        "advocate": _person(theirs[0] if theirs else None, row.advocate_email_key),
        "total": f"{order.total.amount:f} {order.total.currency}" if order is not None else "",
    }


def _person(order: Order | None, address: str) -> list[str]:
    place = (order.billing_address or order.shipping_address) if order is not None else None
    if place is None:
        return [address]
    name = " ".join(filter(None, (place.first_name, place.last_name)))
    town = " ".join(filter(None, (place.postcode, place.city)))
    parts = (name, address, ", ".join(place.lines), town, place.phone or "")
    return [cleaned for part in parts if (cleaned := clean(part, 200))]
