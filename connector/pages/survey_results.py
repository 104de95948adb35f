"""A shop's survey results for people of the merchant's: scores with their intervals, what was written, and who gave a
low score and waits for somebody: the one thing to send says that it was seen to.

The link is made by `kiitos surveys page`, or goes with the mail about a low score, and ends by itself.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import request
from werkzeug.wrappers import Response as BaseResponse

from connector.clock import from_text, to_text
from connector.pages.frame import PREFIX, Application, application, find_link, gone, page, transact
from connector.store import entities, links, shops
from connector.store.db import Tx
from connector.store.links import LinkRow
from flows.care import low_scores
from flows.care.scoring import FEW, LEAST
from flows.care.survey_results import GROUPS, LINK, STAGE, report
from flows.limits.daytime import zone_of

DAYS = ("30", "90", "365")
WAITING = 100
"""Low scores shown at once, the oldest first."""


def new_link(app: Application, shop_id: str, life: timedelta) -> str:
    """The address of a shop's page, which works for so long."""
    now, token = app.clock.now(), app.clock.token()
    with app.store.work.transaction() as tx:
        links.put(tx, shop_id, token, LINK, {"until": to_text(now + life)}, now)
    return f"{app.config.app.base_url.rstrip('/')}{PREFIX}/results/{token}"


def show(token: str) -> BaseResponse:
    """`by` and `days` choose what is shown."""
    return _page(token)


def act(token: str) -> BaseResponse:
    """Somebody has taken care of whoever gave the low score `task`."""
    # Read before the transaction: a body that arrives slowly must not hold the write lock.
    task_id = request.form.get("task", "")

    def take(tx: Tx) -> bool | None:
        now = application().clock.now()
        link = _link(tx, token, now)
        if link is None:
            return None
        return low_scores.close(tx, link.shop_id, task_id, now, f"{link.data.get('who', 'the results page')}, approved")

    done = transact(take)
    return gone() if done is None else _page(token, 200 if done else 409, done)


def _page(token: str, status: int = 200, done: bool | None = None) -> BaseResponse:
    by = request.args.get("by", STAGE)
    days = request.args.get("days", "90")
    by, days = by if by in GROUPS else STAGE, days if days in DAYS else "90"
    now = application().clock.now()
    with application().store.work.read() as tx:
        link = _link(tx, token, now)
        shop = shops.get(tx, link.shop_id) if link is not None else None
        if shop is None:
            return gone()
        waiting = low_scores.waiting(tx, application().runner, shop.id, now, WAITING)
        numbers = {row.ask_id: _number(tx, shop.id, row.order_id) for _, row in waiting}
        found = report(tx, shop, by, now - timedelta(days=int(days)), now + timedelta(seconds=1))
    zone = zone_of(shop.timezone)

    def day(at: datetime) -> str:
        return f"{at.astimezone(zone):%Y-%m-%d}"

    return page(
        "survey_results.html",
        shop,
        None,
        status,
        done=done,
        waiting=[(hold.hold_id, row, numbers[row.ask_id], day(hold.since), day(hold.until)) for hold, row in waiting],
        results=found.results,
        comments=[(each, day(each.at)) for each in found.comments],
        more=found.written - len(found.comments),
        by=by,
        groups=GROUPS,
        days=days,
        spans=DAYS,
        few=FEW,
        least=LEAST,
    )


def _link(tx: Tx, token: str, now: datetime) -> LinkRow | None:
    link = find_link(tx, token, LINK)
    fresh = link is not None and from_text(link.data["until"]) > now
    return link if link is not None and fresh and application().runner.catalog.knows(link.shop_id) else None


def _number(tx: Tx, shop_id: str, order_id: str) -> str:
    order = entities.order(tx, shop_id, order_id) if order_id else None
    return order.number if order is not None else ""
