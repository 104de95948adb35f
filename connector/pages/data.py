"""What is known of a customer, for the shop's owner: GET shows what there is, POST gives the file.

A mail scanner that follows the link has fetched nothing, and each fetching stands in the request's access log.
"""

from __future__ import annotations

from flask import Response, make_response

from connector.pages.frame import application, find_link, gone, page, transact
from connector.store import privacy, shops
from connector.store.db import Tx

ROUTE = "page"


def show(token: str) -> Response:
    app = application()
    with app.store.work.read() as tx:
        link = find_link(tx, token, "data")
        if link is None or not privacy.has_export(tx, link.shop_id, link.data["request"], app.clock.now()):
            return gone()
        shop = shops.get(tx, link.shop_id)
    return page("data.html", shop, link.data.get("locale"))


def act(token: str) -> Response:
    """The zip, as long as it is kept."""
    now = application().clock.now()

    def fetch(tx: Tx) -> bytes | None:
        link = find_link(tx, token, "data")
        return privacy.fetch_export(tx, link.shop_id, link.data["request"], now, ROUTE) if link is not None else None

    found = transact(fetch)
    if found is None:
        return gone()
    answer = make_response(found)
    answer.headers["Content-Type"] = "application/zip"
    answer.headers["Content-Disposition"] = 'attachment; filename="customer-data.zip"'
    return answer
