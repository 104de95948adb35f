"""The page a friend lands on: the code, and the way to the shop with the code already applied where it can be."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, request

from connector.pages.frame import page
from connector.store import links, shops


def routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/friend/<token>", "friend", show, methods=["GET"])


def show(token: str) -> Response:
    app = current_app.extensions["kiitos"]
    with app.store.work.read() as tx:
        link = links.get(tx, token)
        if link is None or link.kind != "referral":
            return page("gone.html", None, request.accept_languages.best_match(["en", "fi"]), 404)
        shop = shops.get(tx, link.shop_id)
    target = link.data.get("url") or (shop.url if shop else "") or ""
    return page("referral.html", shop, link.data.get("locale"), code=link.data["code"], shop_url=target)
