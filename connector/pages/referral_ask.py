"""The page where customers ask for their own link: one field.

The link goes by mail to customers of the shop, and nowhere else; everybody is told the same, whether the address is
known or not. Forms that machines filled in are thanked and forgotten, and it is asked only so often.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from flask import Response, request

from connector.config import ShopSettings
from connector.contracts import FREE_DELIVERY
from connector.model import Customer, Event, EventKind, Ref, email_key
from connector.pages.frame import PREFIX, Application, application, gone, language_of, languages, page, transact
from connector.pages.referral import mark_device
from connector.pages.typed import PACE, read_address
from connector.store import entities, referrals, signups
from connector.store.db import Tx
from flows.referring.marking import device_of, place_of
from flows.render.locales import match_language
from flows.sending.addressing import derive_token

OF_ONE, OF_ALL = 10, 300
"""Questions that one place, and all of a shop, may ask in ten minutes."""
TRAP = "website"


def address_of(app: Application, shop_id: str) -> str:
    """The page of a shop, as long as it has one; empty otherwise."""
    settings = app.config.shop(shop_id)
    base = f"{app.config.app.base_url.rstrip('/')}{PREFIX}/refer/"
    return base + _token(app, shop_id) if _asks(app, settings) else ""


def show(token: str) -> Response:
    settings = _settings(token)
    return gone() if settings is None else _page(settings)


def act(token: str) -> Response:
    settings = _settings(token)
    if settings is None:
        return gone()
    typed = request.form.get("email", "").strip()[:255]
    address = read_address(typed)
    if request.form.get(TRAP):
        return _page(settings, said=True)
    if address is None:
        return _page(settings, 422, problem="refer.address", typed=typed)
    app, shop_id = application(), settings.shop.id

    def take(tx: Tx) -> bool:
        now = app.clock.now()
        place = place_of(app.salt, shop_id, request.remote_addr)
        if not signups.take(tx, shop_id, {"refer": OF_ALL, f"refer {place}": OF_ONE}, PACE, now):
            return False
        _ask(tx, app, settings, address, now)
        return True

    if not transact(take):
        return _page(settings, 429, problem="refer.slow", typed=typed)
    answer = _page(settings, said=True)
    if settings.referrals.does("same_device") != "off":
        # Whoever asks for a link is its advocate: their own browser is no friend's. The mark tells nobody who is known.
        mark_device(answer, device_of(app.salt, shop_id, email_key(address) or ""))
    return answer


def _ask(tx: Tx, app: Application, settings: ShopSettings, address: str, now: datetime) -> None:
    """One mail a day and address, to customers only."""
    shop_id, key = settings.shop.id, email_key(address) or ""
    known = entities.customer_by_email(tx, shop_id, key)
    orders = entities.orders_of(tx, shop_id, key, limit=1)
    if not orders and (known is None or known.deleted):
        return
    whose = hashlib.sha256(key.encode()).hexdigest()[:20]
    mine = referrals.code_of(tx, shop_id, key)
    customer = known or (orders[0].customer if orders else None)
    event = Event(
        kind=EventKind.REFERRAL_ASKED,
        key=f"referral-ask/{whose}/{now:%Y-%m-%d}",
        subject=Ref("person", key),
        at=now,
        customer=Customer(id=None, email=address, locale=_language(settings), first_name=_first_name(customer)),
        data={"code": mine.code_key} if mine is not None else {},
    )
    app.runner.ingest(tx, shop_id, [event], now)


def _first_name(customer: Customer | None) -> str | None:
    return customer.first_name if customer is not None else None


def _settings(token: str) -> ShopSettings | None:
    app = application()
    for settings in app.config.shops.values():
        if _asks(app, settings) and _token(app, settings.shop.id) == token:
            return settings
    return None


def _asks(app: Application, settings: ShopSettings) -> bool:
    catalog, shop_id = app.runner.catalog, settings.shop.id
    wanted = settings.referrals.ask and catalog.knows(shop_id)
    return wanted and bool(catalog.triggered_by(shop_id, EventKind.REFERRAL_ASKED))


def _token(app: Application, shop_id: str) -> str:
    return derive_token(app.salt, "refer", shop_id)


def _language(settings: ShopSettings) -> str:
    asked = request.values.get("lang", "")[:35]
    browser = [value for value in request.accept_languages.values() if match_language(value, languages())]
    return language_of(asked, *browser, settings.shop.locale)


def _page(
    settings: ShopSettings, status: int = 200, *, said: bool = False, problem: str = "", typed: str = ""
) -> Response:
    terms, language = application().runner.programmes.referring.terms(settings.shop.id), _language(settings)
    return page(
        "referral_ask.html",
        settings.shop,
        language,
        status,
        said=said,
        problem=problem,
        typed=typed,
        language=language,
        benefit=terms.friend,
        delivery=terms.friend == FREE_DELIVERY,
        trap=TRAP,
    )
