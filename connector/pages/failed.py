"""A shop's deliveries that could not be used: GET lists them, POST has one or all of them taken again.

The link is made by `kiitos deliveries page` for whoever mends what was wrong, and ends by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import request
from werkzeug.wrappers import Response as BaseResponse

from connector.clock import from_text, to_text
from connector.model import Shop
from connector.pages.frame import PREFIX, Application, application, find_link, gone, page, transact
from connector.store import deliveries, inbox, links, shops
from connector.store.db import Tx
from flows.limits.daytime import zone_of

LINK = "failed"
SHOWN = 100


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter as the page shows it. `at` is when it came, in the shop's time."""

    number: int
    topic: str
    at: str
    reason: str
    attempts: int


def new_link(app: Application, shop_id: str, life: timedelta) -> str:
    """The address of a shop's page, which works for so long."""
    now, token = app.clock.now(), app.clock.token()
    with app.store.work.transaction() as tx:
        links.put(tx, shop_id, token, LINK, {"until": to_text(now + life)}, now)
    return f"{app.config.app.base_url.rstrip('/')}{PREFIX}/failed/{token}"


def show(token: str) -> BaseResponse:
    with application().store.work.read() as tx:
        shop = _shop(tx, token)
    return gone() if shop is None else _page(shop)


def act(token: str) -> BaseResponse:
    """`delivery` is the number of one, or `all`: those that the page shows."""
    chosen = request.form.get("delivery", "")

    def replay(tx: Tx) -> tuple[Shop | None, int]:
        shop, now = _shop(tx, token), application().clock.now()
        if shop is None:
            return None, 0
        failed = [row.delivery_id for row in deliveries.failed(tx, shop.id, SHOWN)]
        taken = [each for each in failed if chosen in ("all", str(each))]
        return shop, sum(deliveries.replay(tx, shop.id, each, now) for each in taken)

    shop, count = transact(replay)
    return gone() if shop is None else _page(shop, count)


def _shop(tx: Tx, token: str) -> Shop | None:
    link = find_link(tx, token, LINK)
    if link is None or from_text(link.data["until"]) <= application().clock.now():
        return None
    return shops.get(tx, link.shop_id)


def _page(shop: Shop, replayed: int | None = None) -> BaseResponse:
    store = application().store
    with store.work.read() as tx:
        failed = deliveries.failed(tx, shop.id, SHOWN + 1)
    with store.inbox.read() as tx:
        came = {each.id: each for each in inbox.by_ids(tx, [row.delivery_id for row in failed])}
    letters = [
        Letter(
            row.delivery_id,
            came[row.delivery_id].topic if row.delivery_id in came else "",
            _local(shop, came[row.delivery_id].received_at) if row.delivery_id in came else "",
            " ".join(filter(None, (row.error_code, row.error_text))),
            row.attempts,
        )
        for row in failed
    ]
    return page("failed.html", shop, None, letters=letters[:SHOWN], more=len(letters) > SHOWN, replayed=replayed)


def _local(shop: Shop, at: datetime) -> str:
    return f"{at.astimezone(zone_of(shop.timezone)):%Y-%m-%d %H:%M}"
