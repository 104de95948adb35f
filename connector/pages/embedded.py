"""Pages of ours inside the shop's own site: what the platform's signed proxy shows in the theme (Shopify renders an
answer of `application/liquid` inside the shop's layout, https://shopify.dev/docs/apps/build/online-store/app-proxies).

`points`, `share` and `orders` of whoever the platform says is logged in, and nothing of anybody else. They are HTML
without a form, and without a script but for the one that copies a code or link: what changes something is done on the
hosted page, whose address is shown where its owner was sent it before. Whatever a person wrote stands in it with its
braces as entities: in Liquid they would be commands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from babel.dates import format_date
from babel.numbers import format_currency, format_decimal
from flask import Response, make_response, render_template
from markupsafe import Markup, escape

from connector.contracts import ProxyVisit
from connector.model import Customer, Shop
from connector.pages.frame import application, language_of, let_theme, strings
from connector.pages.referral_share import COPIER, friend_page
from connector.store import accounts, entities, links, preferences, referrals
from connector.store.db import Tx
from flows.limits.daytime import zone_of
from flows.render.links import safe_url
from flows.render.locales import direction
from flows.sending.addressing import derive_token
from flows.value.showing import account_of

ORDERS = 5
"""The newest ones are shown."""
LIQUID = "application/liquid; charset=utf-8"


def show(tx: Tx, shop: Shop, visit: ProxyVisit, what: str) -> Response:
    """The page `what` for this visit. Raises `KeyError` for a page that is none."""
    gather = PAGES[what]
    person = entities.customer(tx, shop.id, visit.customer_id) if visit.customer_id else None
    known = person if person is not None and person.email_key else None
    chosen = preferences.get(tx, shop.id, known.email_key or "").locale if known is not None else None
    language = language_of(chosen, known.locale if known is not None else None, shop.locale)
    texts = strings(language)

    def t(key: str, **names: Any) -> Markup:
        return escape(texts[key]).format(**names)

    values = gather(tx, shop, known, language) if known is not None else {}
    body = render_template(
        "embedded.html", t=t, lang=language, dir=direction(language), what=what, known=known is not None, **values
    )
    let_theme()
    response = make_response(body.replace("{", "&#123;").replace("}", "&#125;"))
    response.headers["Content-Type"] = LIQUID
    return response


def _points(tx: Tx, shop: Shop, person: Customer, language: str) -> Mapping[str, Any]:
    app, address = application(), person.email_key or ""
    programme = app.runner.catalog.settings(shop.id).loyalty
    holder = accounts.find(tx, shop.id, person.id, address)
    account = account_of(tx, shop, programme, holder, app.clock.now(), lines=0)
    level = account.level
    missing = ""
    if level is not None and level.next:
        spend = programme.measure == "spend"
        missing = (
            format_currency(level.missing, shop.currency, locale=language)
            if spend
            else format_decimal(level.missing, locale=language)
        )
    return {
        "usable": format_decimal(account.usable, locale=language),
        "pending": format_decimal(sum(account.opening.values()), locale=language) if account.opening else "",
        "level": level,
        "missing": missing,
        "address": _known_page(tx, shop, "loyalty", address),
    }


def _share(tx: Tx, shop: Shop, person: Customer, language: str) -> Mapping[str, Any]:
    del language
    code = referrals.code_of(tx, shop.id, person.email_key or "")
    if code is None:
        return {"code": ""}
    return {
        "code": code.code_key,
        "friend": friend_page(tx, shop, code.code_key),
        "address": _known_page(tx, shop, "share", code.code_key),
        "copier": application().config.app.base_url.rstrip("/") + COPIER,
    }


def _orders(tx: Tx, shop: Shop, person: Customer, language: str) -> Mapping[str, Any]:
    zone = zone_of(shop.timezone)
    found = []
    for order in entities.orders_of(tx, shop.id, person.email_key or "", limit=ORDERS):
        day = format_date(order.placed_at.astimezone(zone), "long", locale=language)
        page = _known_page(tx, shop, "order", order.id) or safe_url(order.status_url) or ""
        found.append((order.number, day, page))
    return {"orders": found}


def _known_page(tx: Tx, shop: Shop, kind: str, about: str) -> str:
    """A page of this person's that a message has led to before; a look here makes none."""
    app = application()
    token = derive_token(app.salt, "link", shop.id, kind, about)
    return f"{app.config.app.base_url}/p/{kind}/{token}" if links.get(tx, token) is not None else ""


PAGES: Mapping[str, Callable[[Tx, Shop, Customer, str], Mapping[str, Any]]] = {
    "points": _points,
    "share": _share,
    "orders": _orders,
}
