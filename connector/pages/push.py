"""Notifications in the browser: the page where a person says yes to them, the service worker that shows them, and the
line a merchant pastes to lead people to the page.

Whose browser it is must be certain, as notifications tell of orders: a personal link (`links.push` of a message), or an
order and the unguessable part of its own status page's address. The browser subscribes on our origin, so the worker is
ours and the shop's site needs nothing but a link.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from flask import Response, make_response, request

from connector.config import ShopSettings
from connector.errors import Refused
from connector.model import Channel, Purpose, Shop, email_key
from connector.pages.evidence import evidence
from connector.pages.frame import (
    PREFIX,
    application,
    find_link,
    gone,
    let_script,
    page,
    strings,
    transact,
    visitor_language,
)
from connector.store import entities, push_subscriptions, shops, suppressions
from connector.store.db import Tx
from connector.store.push_subscriptions import Subscription
from flows.people.choices import Said, decide, reachable, withdraw
from flows.policy import UNSUBSCRIBE
from flows.sending.addressing import derive_token

KIND = "push"
"""Of the links that lead here."""
SOURCE = "notification page"
_LONGEST = 1000
_SECRET = 13
"""The least length of what counts as an unguessable part of an address."""
_ORDER = re.compile(r"[A-Za-z0-9_-]{1,40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who is on the page, by what they came with."""

    shop: Shop
    settings: ShopSettings
    email_key: str
    locale: str | None


# -- the page ----------------------------------------------------------------------------------------------------------


def show(token: str) -> Response:
    with application().store.work.read() as tx:
        visitor = _by_link(tx, token)
    return _page(visitor)


def act(token: str) -> Response:
    return _act(lambda tx: _by_link(tx, token))


def show_order(key: str, order_id: str) -> Response:
    with application().store.work.read() as tx:
        visitor = _by_order(tx, key, order_id)
    return _page(visitor)


def act_order(key: str, order_id: str) -> Response:
    return _act(lambda tx: _by_order(tx, key, order_id))


def _page(visitor: Visitor | None, *, stopped: bool = False) -> Response:
    key = _public_key(visitor.settings) if visitor is not None else ""
    if visitor is None or not key:
        return gone()
    let_script(back=True)
    with application().store.work.read() as tx:
        known = push_subscriptions.known(tx, visitor.shop.id, visitor.email_key)
    return page(
        "push.html",
        visitor.shop,
        visitor.locale,
        vapid=key,
        known=known,
        stopped=stopped,
        worker=f"{PREFIX}/push/worker.js",
    )


def _act(find: Any) -> Response:
    """A browser's subscription as JSON, or the form that ends all of them. An unknown link is as if it were gone."""
    told = request.get_json(silent=True) if request.is_json else None
    if told is None:
        return _stop(find)
    subscription = _read(told)
    offers = isinstance(told, dict) and told.get("offers") is True
    if subscription is None:
        return make_response("", 400)

    def change(tx: Tx) -> bool:
        visitor = find(tx)
        if visitor is None or not _public_key(visitor.settings):
            return False
        _subscribe(tx, visitor, subscription, offers=offers)
        return True

    return make_response("", 204 if transact(change) else 404)


def _stop(find: Any) -> Response:
    def change(tx: Tx) -> Visitor | None:
        visitor: Visitor | None = find(tx)
        if visitor is not None:
            app, now = application(), application().clock.now()
            push_subscriptions.stop(tx, visitor.shop.id, visitor.email_key)
            who = reachable(tx, visitor.shop.id, Channel.PUSH, visitor.email_key)
            withdraw(tx, app.runner, who, Said(SOURCE, "stopped"), now, app.clock.new_id())
        return visitor

    return _page(transact(change), stopped=True)


def _subscribe(tx: Tx, visitor: Visitor, subscription: Subscription, *, offers: bool) -> None:
    """Keep the browser. A yes to offers is a decision of its own; without one nothing about them changes."""
    app, now = application(), application().clock.now()
    push_subscriptions.put(tx, app.vault, visitor.shop.id, visitor.email_key, subscription, now)
    if not offers:
        return
    who = reachable(tx, visitor.shop.id, Channel.PUSH, visitor.email_key)
    language = visitor_language(visitor.locale, visitor.shop)
    shown = strings(language)["push.offers"].replace("{shop}", visitor.shop.name)
    said = Said(SOURCE, "subscribed", evidence(shown, language, visitor.settings))
    for row in suppressions.find(tx, visitor.shop.id, who.address_key, Channel.PUSH):
        if row.reason == UNSUBSCRIBE:
            suppressions.remove(tx, visitor.shop.id, who.address_key, Channel.PUSH, row.scope)
    decide(tx, app.runner, who, {Purpose.MARKETING: True}, said, now, app.clock.new_id())


def _read(told: Any) -> Subscription | None:
    """What a browser's `PushSubscription.toJSON` says, where it may be used: a public https address, and real keys."""
    given = told.get("subscription") if isinstance(told, dict) else None
    keys = given.get("keys") if isinstance(given, dict) else None
    if not isinstance(given, dict) or not isinstance(keys, dict):
        return None
    told_parts = (given.get("endpoint"), keys.get("p256dh"), keys.get("auth"))
    endpoint, point, auth = (each if isinstance(each, str) else "" for each in told_parts)
    if len(endpoint) > _LONGEST or not endpoint.isascii() or not endpoint.isprintable():
        return None
    if _bytes(point)[:1] != b"\x04" or len(_bytes(point)) != 65 or len(_bytes(auth)) != 16:
        return None
    if not _is_public(endpoint):
        return None
    return Subscription(endpoint=endpoint, p256dh=point, auth=auth)


def _is_public(url: str) -> bool:
    # Here and not above: a server at rest does without an HTTP client.
    from connector.outside.destinations import check_url

    try:
        check_url(url)
    except Refused:
        return False
    return True


def _bytes(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))
    except (binascii.Error, ValueError):
        return b""


def _public_key(settings: ShopSettings) -> str:
    """Of the shop's push channel; empty where it has none."""
    table = application().config.channels.get(settings.channels.get("push", ""), {})
    private = table.get("private_key", "") if table.get("kind") == "webpush" else ""
    from flows.channels.webpush.vapid import Vapid  # with its channel, which has an HTTP client

    return Vapid(private).public_key if private else ""


# -- who it is ---------------------------------------------------------------------------------------------------------


def _by_link(tx: Tx, token: str) -> Visitor | None:
    link = find_link(tx, token, KIND)
    return _visitor(tx, link.shop_id, link.data["address"], link.data.get("locale")) if link is not None else None


def _by_order(tx: Tx, key: str, order_id: str) -> Visitor | None:
    """The order's buyer, shown by the address of the order's own page (`from`), whose secret part only they have."""
    shop_id = next((each for each in application().config.shops if shop_key(application().salt, each) == key), None)
    order = entities.order(tx, shop_id, order_id) if shop_id is not None and _ORDER.fullmatch(order_id) else None
    if shop_id is None or order is None or not order.email:
        return None
    if not _secrets(request.args.get("from", "")) & _secrets(order.status_url or ""):
        return None
    return _visitor(tx, shop_id, email_key(order.email) or "", order.locale)


def _visitor(tx: Tx, shop_id: str, address: str, locale: str | None) -> Visitor | None:
    settings = application().config.shops.get(shop_id)
    shop = shops.get(tx, shop_id)
    if settings is None or shop is None or not address:
        return None
    return Visitor(shop=shop, settings=settings, email_key=address, locale=locale)


def _secrets(url: str) -> set[str]:
    """The parts of an address that nobody guesses: long segments of its path, long values of its query."""
    try:
        parts = urlsplit(url[:2000])
        values = [value for _, value in parse_qsl(parts.query, max_num_fields=50)]
    except ValueError:
        return set()
    found = [*parts.path.split("/"), *values]
    return {
        each for each in found if len(each) >= _SECRET and any(letter.isdigit() or letter.isupper() for letter in each)
    }


def shop_key(salt: bytes, shop_id: str) -> str:
    """What names a shop in the merchant's line. It opens nothing by itself."""
    return derive_token(salt, "push", shop_id, length=26)


# -- the scripts -------------------------------------------------------------------------------------------------------


def worker() -> Response:
    return script_of("worker.js")


def snippet() -> Response:
    return script_of("snippet.js")


def script_of(name: str) -> Response:
    """One of our scripts, for our pages and the shop's."""
    response = make_response(files("connector.pages").joinpath("scripts", name).read_text(encoding="utf-8"))
    response.headers["Content-Type"] = "text/javascript; charset=utf-8"
    # The shop's pages, another origin, load the line's script.
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response
