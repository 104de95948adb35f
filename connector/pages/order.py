"""The page of one order: its parcels, what is still to come, when, help, and what to do with what was bought.

Whoever has the link sees it, so it names nobody: no name, no address, no sum, no payment (`flows.parcels.following`).
It is read only; what the platform sends of the order shows the next time it is opened.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

from flask import Response, url_for

from connector.config import ShopSettings
from connector.model import Guide, Shop
from connector.pages.frame import application, find_link, gone, page, visitor_language
from connector.store import shops
from flows.parcels.following import Following, Parcel
from flows.parcels.transit import Expected
from flows.parcels.whereabouts import following, guides_of
from flows.render.formats import date_text, zone
from flows.render.guides import guide_table
from flows.render.links import safe_url
from flows.render.locales import format_locale

KIND = "order"
"""The kind of the links that lead here."""


def show(token: str) -> Response:
    app = application()
    now = app.clock.now()
    with app.store.work.read() as tx:
        link = find_link(tx, token, KIND)
        settings = app.config.shops.get(link.shop_id) if link is not None else None
        shop = shops.get(tx, link.shop_id) if link is not None else None
        if link is None or settings is None or shop is None or not settings.growth.order_page:
            return gone()
        found = following(tx, shop, link.data["order"], now)
        if found is None:
            return gone()
        known, seen = found
        guides = guides_of(tx, shop, known, settings.guides)
    locale = link.data.get("locale")
    words = _Words(locale, shop)
    return page(
        "order.html",
        shop,
        locale,
        seen=seen,
        moments=[(moment, words.when(moment.at)) for moment in reversed(seen.moments)],
        parcels=[(parcel, words.expected(parcel.expected)) for parcel in seen.parcels],
        expected=words.expected(seen.expected),
        guides=_guides(guides, words.language, shop),
        contact=_contact(settings, shop),
        returns=url_for("pages.case", token=token) if settings.returns.enabled else "",
        one=_is_one(seen),
    )


class _Words:
    """Times as the reader writes them."""

    def __init__(self, locale: str | None, shop: Shop) -> None:
        self.language = visitor_language(locale, shop)
        self._locale = format_locale(locale or shop.locale, self.language)
        self._zone = shop.timezone

    def when(self, at: datetime) -> tuple[str, str]:
        """For people, and for machines (ISO 8601)."""
        return date_text(at.isoformat(), "datetime", self._locale, self._zone), at.isoformat()

    def day(self, day: date) -> str:
        noon = datetime.combine(day, time(12), zone(self._zone))
        return date_text(noon.isoformat(), "full", self._locale, self._zone)

    def expected(self, found: Expected | None) -> dict[str, Any] | None:
        if found is None:
            return None
        return {
            "first": self.day(found.first),
            "last": self.day(found.last),
            "one": found.first == found.last,
            "told": found.told,
        }


def _guides(guides: Sequence[Guide], language: str, shop: Shop) -> list[dict[str, object]]:
    return [guide_table(guide, language, shop.locale) for guide in guides]


def _contact(settings: ShopSettings, shop: Shop) -> dict[str, str | None]:
    return {
        "email": shop.support_email or settings.reply_to,
        "phone": shop.support_phone,
        "url": safe_url(shop.url) or f"https://{shop.domain}",
    }


def _is_one(seen: Following) -> Parcel | None:
    """The only parcel of an order of which nothing is still to come: it needs no number."""
    return seen.parcels[0] if len(seen.parcels) == 1 and not seen.to_come else None
