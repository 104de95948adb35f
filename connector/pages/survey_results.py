"""A shop's survey results for people of the merchant's: scores with their intervals, and what was written.

The link is made by `kiitos surveys page` and ends by itself. There is nothing to send.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import request
from werkzeug.wrappers import Response as BaseResponse

from connector.clock import from_text, to_text
from connector.model import Shop
from connector.pages.frame import PREFIX, Application, application, find_link, gone, page
from connector.store import links, shops
from connector.store.db import Tx
from flows.care.scoring import FEW, LEAST
from flows.care.survey_results import GROUPS, STAGE, report
from flows.limits.daytime import zone_of

LINK = "survey_results"
DAYS = ("30", "90", "365")


def new_link(app: Application, shop_id: str, life: timedelta) -> str:
    """The address of a shop's page, which works for so long."""
    now, token = app.clock.now(), app.clock.token()
    with app.store.work.transaction() as tx:
        links.put(tx, shop_id, token, LINK, {"until": to_text(now + life)}, now)
    return f"{app.config.app.base_url.rstrip('/')}{PREFIX}/results/{token}"


def show(token: str) -> BaseResponse:
    """`by` and `days` choose what is shown."""
    by = request.args.get("by", STAGE)
    days = request.args.get("days", "90")
    by, days = by if by in GROUPS else STAGE, days if days in DAYS else "90"
    now = application().clock.now()
    with application().store.work.read() as tx:
        shop = _shop(tx, token, now)
        if shop is None:
            return gone()
        found = report(tx, shop, by, now - timedelta(days=int(days)), now + timedelta(seconds=1))
    zone = zone_of(shop.timezone)
    return page(
        "survey_results.html",
        shop,
        None,
        results=found.results,
        comments=[(each, f"{each.at.astimezone(zone):%Y-%m-%d}") for each in found.comments],
        more=found.written - len(found.comments),
        by=by,
        groups=GROUPS,
        days=days,
        spans=DAYS,
        few=FEW,
        least=LEAST,
    )


def _shop(tx: Tx, token: str, now: datetime) -> Shop | None:
    link = find_link(tx, token, LINK)
    if link is None or from_text(link.data["until"]) <= now:
        return None
    return shops.get(tx, link.shop_id)
