"""Unsubscribe: GET shows a page, POST acts. One-click POSTs (RFC 8058) carry no cookies and always get 200."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, request

from connector.model import Channel, Consent, ConsentState, Event, EventKind, Purpose, Ref
from connector.pages.frame import page
from connector.store import consents, links, shops, suppressions
from connector.store.db import Tx
from connector.store.links import LinkRow


def routes(blueprint: Blueprint) -> None:
    blueprint.add_url_rule("/unsubscribe/<token>", "unsubscribe", show, methods=["GET"])
    blueprint.add_url_rule("/unsubscribe/<token>", "unsubscribe_post", act, methods=["POST"])


def show(token: str) -> Response:
    app = current_app.extensions["kiitos"]
    with app.store.work.read() as tx:
        link = links.get(tx, token)
        if link is None or link.kind != "unsubscribe":
            return page("gone.html", None, request.accept_languages.best_match(["en", "fi"]), 404)
        shop = shops.get(tx, link.shop_id)
        stopped = suppressions.find(tx, link.shop_id, link.data["address"], Channel.EMAIL)
    done = any(row.reason == "unsubscribe" for row in stopped)
    return page(
        "unsubscribe.html",
        shop,
        link.data.get("locale"),
        state="done" if done else "ask",
        purpose=link.data.get("purpose", ""),
    )


def act(token: str) -> Response:
    """Stop (or, from the page, restart) messages. Unknown tokens get 200 too: nobody learns which exist."""
    app = current_app.extensions["kiitos"]
    scope = request.form.get("scope", "marketing")
    with app.store.work.transaction() as tx:
        link = links.get(tx, token)
        if link is None or link.kind != "unsubscribe":
            return page("gone.html", None, request.accept_languages.best_match(["en", "fi"]), 200)
        shop = shops.get(tx, link.shop_id)
        if scope == "undo":
            _restart(tx, link)
        else:
            _stop(tx, link, scope if scope == link.data.get("purpose") else "marketing")
    return page(
        "unsubscribe.html",
        shop,
        link.data.get("locale"),
        state="undone" if scope == "undo" else "done",
        purpose=link.data.get("purpose", ""),
    )


def _stop(tx: Tx, link: LinkRow, scope: str) -> None:
    app = current_app.extensions["kiitos"]
    now = app.clock.now()
    address = link.data["address"]
    suppressions.add(tx, link.shop_id, address, Channel.EMAIL, scope, "unsubscribe", now)
    purpose = Purpose.of(scope)
    consent = Consent(
        channel=Channel.EMAIL,
        purpose=purpose,
        state=ConsentState.WITHDRAWN,
        raw_state="unsubscribed",
        at=now,
        source="unsubscribe link",
        address=address,
    )
    event = Event(
        kind=EventKind.CONSENT_WITHDRAWN,
        key=f"consent/{address}/email/{purpose}/withdrawn/{app.clock.new_id()}",
        subject=Ref("person", address),
        at=now,
        consent=consent,
    )
    app.runner.ingest(tx, link.shop_id, [event], now)


def _restart(tx: Tx, link: LinkRow) -> None:
    app = current_app.extensions["kiitos"]
    now = app.clock.now()
    address = link.data["address"]
    for row in suppressions.find(tx, link.shop_id, address, Channel.EMAIL):
        if row.reason != "unsubscribe":
            continue
        suppressions.remove(tx, link.shop_id, address, Channel.EMAIL, row.scope)
        consents.record(
            tx,
            link.shop_id,
            Consent(
                channel=Channel.EMAIL,
                purpose=Purpose.of(row.scope),
                state=ConsentState.GRANTED,
                raw_state="resubscribed",
                at=now,
                source="unsubscribe page, undone",
                address=address,
            ),
            now,
        )
