"""Where a sign-up is confirmed: GET asks once more, only POST says yes. Who only follows links confirms nothing."""

from __future__ import annotations

from flask import Response
from markupsafe import Markup

from connector.model import Channel
from connector.pages.frame import application, find_link, gone, page, transact
from connector.pages.preferences import isolated
from connector.store import shops
from connector.store.db import Tx
from connector.store.links import LinkRow
from flows.people.choices import Reachable
from flows.people.signing_up import confirm, confirmed, waits
from flows.sending.composing import CONFIRM


def show(token: str) -> Response:
    with application().store.work.read() as tx:
        link = find_link(tx, token, CONFIRM)
        if link is None:
            return gone()
        done = confirmed(tx, link)
        shop = shops.get(tx, link.shop_id)
    if not done and not waits(link, application().clock.now()):
        return gone()
    return page("confirm.html", shop, link.data.get("locale"), done=done, address=_shown(link))


def act(token: str) -> Response:
    app = application()

    def take(tx: Tx) -> LinkRow | None:
        link = find_link(tx, token, CONFIRM)
        if link is None or not (confirmed(tx, link) or waits(link, app.clock.now())):
            return None
        confirm(tx, app.runner, link, app.clock.now(), app.clock.new_id())
        return link if confirmed(tx, link) else None

    link = transact(take)
    if link is None:
        return gone()
    with app.store.work.read() as tx:
        shop = shops.get(tx, link.shop_id)
    return page("confirm.html", shop, link.data.get("locale"), done=True, address=_shown(link))


def _shown(link: LinkRow) -> Markup:
    return isolated(Reachable(shop_id=link.shop_id, channel=Channel.EMAIL, address_key=link.data["address"]))
