"""The page a friend lands on: the code, and the way to the shop with the code already applied where it can be."""

from __future__ import annotations

from flask import Response

from connector.pages.frame import application, find_link, gone, page
from connector.store import shops
from flows.render.links import safe_url


def show(token: str) -> Response:
    with application().store.work.read() as tx:
        link = find_link(tx, token, "referral")
        shop = shops.get(tx, link.shop_id) if link is not None else None
    if link is None:
        return gone()
    target = safe_url(link.data.get("url")) or (safe_url(shop.url or f"https://{shop.domain}") if shop else None)
    return page("referral.html", shop, link.data.get("locale"), code=link.data["code"], target=target)
