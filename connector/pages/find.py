"""The way to an order for who lost it: its number and the address it was placed with.

It says the same to everybody, whether such an order is known or not; the way is mailed to the order's own address and
never shown; forms that machines filled in are thanked and forgotten; and it is asked only so often.
"""

from __future__ import annotations

from datetime import timedelta

from flask import request
from werkzeug.wrappers import Response as BaseResponse

from connector.config import ShopSettings
from connector.model import Event, EventKind, Order, Ref, email_key
from connector.pages.frame import PREFIX, Application, application, clean, gone, language_of, languages, page, transact
from connector.store import entities, signups
from connector.store.db import Tx
from flows.render.locales import match_language
from flows.sending.addressing import derive_token

LONGEST, LONGEST_NUMBER = 254, 60
WINDOW = timedelta(minutes=10)
"""In which one place may ask `OF_ONE` times, all of them `OF_ALL` in one shop, and for one address `OF_ADDRESS`."""
OF_ONE, OF_ALL, OF_ADDRESS = 10, 300, 3
TRAP = "website"
"""A field no person sees. Whoever fills it in is a machine."""


def find_token(salt: bytes, shop_id: str) -> str:
    """What stands in the address of a shop's page."""
    return derive_token(salt, "find", shop_id)


def find_link(app: Application, shop_id: str) -> str:
    """The address of the page, to link from the shop's own help page."""
    return f"{app.config.app.base_url.rstrip('/')}{PREFIX}/find/{find_token(app.salt, shop_id)}"


def show(token: str) -> BaseResponse:
    settings = _settings(token)
    return gone() if settings is None else _page(settings)


def act(token: str) -> BaseResponse:
    settings = _settings(token)
    if settings is None:
        return gone()
    app = application()
    address = email_key(request.form.get("email", "").strip()[: LONGEST + 1])
    number = clean(request.form.get("number", ""), LONGEST_NUMBER).lstrip("#").strip()
    if request.form.get(TRAP):
        return _page(settings, said="find.mailed")
    if address is None or not number:
        return _page(settings, 422, "find.both", number, request.form.get("email", ""))
    shop_id = settings.shop.id
    place = derive_token(app.salt, "find place", shop_id, request.remote_addr or "")
    whose = derive_token(app.salt, "find address", shop_id, address)

    def take(tx: Tx) -> bool:
        now = app.clock.now()
        if not signups.take(tx, shop_id, {"find": OF_ALL, place: OF_ONE, whose: OF_ADDRESS}, WINDOW, now):
            return False
        order = entities.order_by_number(tx, shop_id, number) or entities.order_by_number(tx, shop_id, f"#{number}")
        if order is not None and _is_of(order, address):
            event = Event(
                kind=EventKind.ORDER_LINK_REQUESTED,
                key=f"order/{order.id}/link_requested/{app.clock.new_id()}",
                subject=Ref("order", order.id),
                at=now,
                order_id=order.id,
            )
            app.runner.ingest(tx, shop_id, [event], now)
        return True

    if not transact(take):
        return _page(settings, 429, "find.slow", number, request.form.get("email", ""))
    return _page(settings, said="find.mailed")


def _is_of(order: Order, address: str) -> bool:
    return address in (email_key(order.email), email_key(order.customer.email if order.customer else None))


def _settings(token: str) -> ShopSettings | None:
    """The shop whose page it is, as long as it has one and a flow that mails the way."""
    app = application()
    for settings in app.config.shops.values():
        if find_token(app.salt, settings.shop.id) == token:
            mails = app.runner.catalog.knows(settings.shop.id) and app.runner.catalog.triggered_by(
                settings.shop.id, EventKind.ORDER_LINK_REQUESTED
            )
            return settings if mails and settings.returns.enabled else None
    return None


def _page(
    settings: ShopSettings, status: int = 200, problem: str = "", number: str = "", email: str = "", said: str = ""
) -> BaseResponse:
    asked = request.values.get("lang", "")[:35]
    browser = [value for value in request.accept_languages.values() if match_language(value, languages())]
    language = language_of(asked, *browser, settings.shop.locale)
    return page(
        "find.html",
        settings.shop,
        language,
        status,
        said=said,
        problem=problem,
        number=number,
        email=email[:LONGEST],
        trap=TRAP,
        language=language,
    )
