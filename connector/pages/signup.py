"""The sign-up page of a shop: one field and one box. The shop's own page may post the same form to it.

It says the same to everybody, whether the address is known or not; forms that machines filled in are thanked and
forgotten; and it is asked only so often.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from flask import Response, request

from connector.config import ShopSettings
from connector.errors import Refused
from connector.model import EventKind, email_key
from connector.pages.evidence import evidence
from connector.pages.frame import application, gone, language_of, languages, page, strings, transact
from connector.store import signups
from connector.store.db import Tx
from flows.people.signing_up import SignUp, benefit, sign_up, signup_token
from flows.render.locales import match_language, parse_locale
from flows.render.mime import ascii_address
from flows.sending.addressing import derive_token

LONGEST = 254
"""Characters of an address (RFC 5321 section 4.5.3.1)."""
WINDOW = timedelta(minutes=10)
"""In which one place may sign up `OF_ONE` addresses, and all of them together `OF_ALL` in one shop."""
OF_ONE, OF_ALL = 10, 300
TRAP = "website"
"""A field no person sees. Whoever fills it in is a machine."""


def show(token: str) -> Response:
    settings = _settings(token)
    return gone() if settings is None else _page(settings)


def act(token: str) -> Response:
    settings = _settings(token)
    if settings is None:
        return gone()
    app, address = application(), request.form.get("email", "").strip()[: LONGEST + 1]
    if request.form.get(TRAP):
        return _thank(settings, confirm=_must_confirm(settings))
    problem = "signup.address" if not _is_address(address) else "" if request.form.get("agree") else "signup.agree"
    if problem:
        return _page(settings, 422, problem, address)
    language = _language(settings)
    shown = strings(language)["signup.consent"].format(shop=settings.shop.name)
    asked = SignUp(
        shop_id=settings.shop.id,
        address=address,
        address_key=email_key(address) or "",
        locale=language,
        evidence=evidence(shown, language, settings, _origin()),
    )
    confirm = _must_confirm(settings)
    place = derive_token(app.salt, "signup place", settings.shop.id, request.remote_addr or "")

    def take(tx: Tx) -> bool:
        now = app.clock.now()
        if not signups.take(tx, settings.shop.id, {"": OF_ALL, place: OF_ONE}, WINDOW, now):
            return False
        sign_up(tx, app.runner, app.salt, asked, confirm=confirm, now=now, nonce=app.clock.new_id())
        return True

    if not transact(take):
        return _page(settings, 429, "signup.slow", address)
    return _thank(settings, confirm=confirm)


def _origin() -> str:
    """Where the form stood: our own page, or the shop's, as far as its browser says."""
    place = urlsplit(request.headers.get("Origin") or request.referrer or "")
    ours = place.netloc in ("", request.host)
    return "sign-up page" if ours or place.scheme not in ("http", "https") else f"{place.scheme}://{place.netloc}"[:200]


def _reward(settings: ShopSettings) -> str:
    return benefit(application().runner.catalog.flows(settings.shop.id))


def _settings(token: str) -> ShopSettings | None:
    """The shop whose page it is, as long as it has one and a flow that asks for confirmation."""
    app = application()
    for settings in app.config.shops.values():
        if settings.consenting.signup and signup_token(app.salt, settings.shop.id) == token:
            asks = app.runner.catalog.knows(settings.shop.id) and app.runner.catalog.triggered_by(
                settings.shop.id, EventKind.SIGNUP_REQUESTED
            )
            return settings if asks else None
    return None


def _is_address(text: str) -> bool:
    if len(text) > LONGEST or email_key(text) is None:
        return False
    try:
        return "." in ascii_address(text).rpartition("@")[2]
    except Refused:
        return False


def _must_confirm(settings: ShopSettings) -> bool:
    """By the country the visitor's browser names (`de-AT`): what the address is known for must not show."""
    wanted = (parse_locale(value) for value in request.accept_languages.values())
    country = next((locale.territory for locale in wanted if locale is not None and locale.territory), None)
    return settings.consenting.must_confirm(country)


def _language(settings: ShopSettings) -> str:
    """What the page was asked for in (`?lang=`, or a field), the visitor's own, the shop's."""
    asked = request.values.get("lang", "")[:35]
    browser = [value for value in request.accept_languages.values() if match_language(value, languages())]
    return language_of(asked, *browser, settings.shop.locale)


def _thank(settings: ShopSettings, *, confirm: bool) -> Response:
    said = "signup.mailed" if confirm else "signup.done"
    return page("signup.html", settings.shop, _language(settings), said=said)


def _page(settings: ShopSettings, status: int = 200, problem: str = "", address: str = "") -> Response:
    return page(
        "signup.html",
        settings.shop,
        _language(settings),
        status,
        said="",
        problem=problem,
        address=address,
        agreed=bool(request.form.get("agree")),
        language=_language(settings),
        trap=TRAP,
        reward=_reward(settings),
    )
