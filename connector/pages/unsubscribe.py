"""Unsubscribe: GET shows a page, POST acts. One-click POSTs (RFC 8058) carry no cookies and always get 200.

A link belongs to one address of one shop and to the purpose of the message it came in. The header's one-click POST
says nothing but `List-Unsubscribe=One-Click` and stops the whole marketing class; on the page one may choose.
"""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response, request, url_for

from connector.model import Channel, Consent, Purpose, Shop
from connector.pages.frame import application, find_link, gone, page, transact
from connector.store import consents, shops, suppressions
from connector.store.db import Tx
from connector.store.links import LinkRow
from connector.store.suppressions import SuppressionRow
from flows.people.choices import EVERYTHING, Reachable, Said, reachable, state_before, tell, withdraw
from flows.policy import UNSUBSCRIBE

UNDO = "undo"
STOPPED_HERE, RESUMED_HERE = "unsubscribe link", "unsubscribe page, undone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What an address has stopped, as a link of one purpose sees it. `locked` is what this page cannot take back: a
    bounce, a complaint, the merchant's own block."""

    all: bool
    purpose: bool
    locked: bool


def show(token: str) -> Response:
    with application().store.work.read() as tx:
        link = find_link(tx, token, "unsubscribe")
        if link is not None:
            shop, standing = shops.get(tx, link.shop_id), _standing(tx, link)
    return gone() if link is None else _page(shop, link, standing)


def act(token: str) -> Response:
    """Stop (or, from the page, restart) messages. Unknown tokens get 200 too: nobody learns which exist."""
    # Read before the transaction: a body that arrives slowly must not hold the write lock.
    scope = request.form.get("scope", EVERYTHING)

    def change(tx: Tx) -> tuple[LinkRow, Shop | None, Standing] | None:
        link = find_link(tx, token, "unsubscribe")
        if link is None:
            return None
        if scope == UNDO:
            _restart(tx, link)
        else:
            _stop(tx, link, scope if scope == link.data.get("purpose") else EVERYTHING)
        return link, shops.get(tx, link.shop_id), _standing(tx, link)

    changed = transact(change)
    if changed is None:
        return gone(200)
    link, shop, standing = changed
    return _page(shop, link, standing, undone=scope == UNDO)


def _page(shop: Shop | None, link: LinkRow, standing: Standing, *, undone: bool = False) -> Response:
    purpose = link.data.get("purpose", "")
    return page(
        "unsubscribe.html",
        shop,
        link.data.get("locale"),
        standing=standing,
        choose=url_for("pages.preferences", token=link.token),
        undone=undone and not standing.all and not standing.purpose,
        purpose=purpose if purpose != EVERYTHING else "",
    )


def _rows(tx: Tx, link: LinkRow) -> list[SuppressionRow]:
    return suppressions.find(tx, link.shop_id, link.data["address"], _channel(link))


def _channel(link: LinkRow) -> Channel:
    """The channel of the message the link came in."""
    return Channel.of(link.data.get("channel", Channel.EMAIL))


def _standing(tx: Tx, link: LinkRow) -> Standing:
    purpose = link.data.get("purpose", "")
    rows = [row for row in _rows(tx, link) if row.scope in ("all", EVERYTHING, purpose)]
    return Standing(
        all=any(row.scope in ("all", EVERYTHING) for row in rows),
        purpose=any(row.scope == purpose for row in rows),
        locked=any(row.reason != UNSUBSCRIBE for row in rows),
    )


def _stop(tx: Tx, link: LinkRow, scope: str) -> None:
    app = application()
    said = Said(STOPPED_HERE, "unsubscribed")
    withdraw(tx, app.runner, _who(tx, link), said, app.clock.now(), app.clock.new_id(), scope)


def _who(tx: Tx, link: LinkRow) -> Reachable:
    return reachable(tx, link.shop_id, _channel(link), link.data["address"])


def _restart(tx: Tx, link: LinkRow) -> None:
    """Take back what was stopped from here. It makes no consent: what held before holds again, no more than that."""
    app = application()
    now, who = app.clock.now(), _who(tx, link)
    for row in _rows(tx, link):
        if row.reason != UNSUBSCRIBE or row.scope not in (EVERYTHING, link.data.get("purpose")):
            continue
        suppressions.remove(tx, link.shop_id, who.address_key, who.channel, row.scope)
        purpose = Purpose.of(row.scope)
        before = Consent(
            channel=who.channel,
            purpose=purpose,
            state=state_before(tx, who, purpose, frozenset({STOPPED_HERE, RESUMED_HERE})),
            raw_state="resubscribed",
            at=now,
            source=RESUMED_HERE,
            address=who.address_key,
        )
        consents.record(tx, link.shop_id, before, now)
        tell(tx, app.runner, link.shop_id, before, now)
