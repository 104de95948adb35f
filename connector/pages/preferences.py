"""The preference centre: what may come by which channel, a pause, the language, and what one may ask of one's data.

Behind the token of the unsubscribe link, which reaches the address it is about and nobody else. GET shows; each POST
does one thing and shows how it stands then, so that a reload does no more than was done already.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from babel.dates import format_date
from flask import Response, request
from markupsafe import Markup

from connector.config import ShopSettings
from connector.model import Channel, Purpose, Shop, email_key
from connector.pages.evidence import evidence
from connector.pages.frame import application, find_link, gone, language_of, languages, page, strings, transact
from connector.store import entities, preferences, privacy, shops
from connector.store.db import Tx
from connector.store.links import LinkRow
from connector.store.preferences import Preference
from flows.knowing.situation import look
from flows.limits.daytime import zone_of
from flows.people.choices import CHOICES, EVERYTHING, Choice, Reachable, Said, choices_of, choose, reachable, withdraw
from flows.people.forgetting import subject_key
from flows.sending.media import phone_of

SOURCE = "preference page"
"""The source of a decision in the ledger, and of a request for data."""
PAUSE = timedelta(days=30)
ASKED_LATELY = timedelta(days=1)
"""A request for data within this time is the same request."""
NATIVE = {"ar": "العربية", "de": "Deutsch", "en": "English", "fi": "Suomi", "ja": "日本語", "sv": "Svenska"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One channel on the page. Of a channel the link did not come in only a no is believed: `refusing`."""

    who: Reachable
    choices: tuple[Choice, ...]
    refusing: bool

    @property
    def locked(self) -> bool:
        return all(choice.locked for choice in self.choices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a link leads to. `language` is that of the page."""

    link: LinkRow
    shop: Shop
    settings: ShopSettings
    chosen: Preference
    sections: tuple[Section, ...]
    language: str

    @property
    def address_key(self) -> str:
        return self.link.data["address"]


def show(token: str) -> Response:
    with application().store.work.read() as tx:
        sight = _look(tx, token)
    return gone() if sight is None else _page(sight)


def act(token: str) -> Response:
    # Read before the transaction: a body that arrives slowly must not hold the write lock.
    form = {name: value[:400] for name, value in request.form.items()}
    do = _DEEDS.get(form.get("do", ""))

    def change(tx: Tx) -> tuple[Sight, str] | None:
        sight = _look(tx, token)
        if sight is None:
            return None
        said = do(tx, sight, form, application().clock.now()) if do is not None else ""
        return _look(tx, token) or sight, said

    changed = transact(change)
    if changed is None:
        return gone()
    sight, said = changed
    if said.startswith("erase."):
        wrong = said == "erase.wrong"
        return page("erase.html", sight.shop, sight.language, 422 if wrong else 200, wrong=wrong)
    if said == "preferences.erased":
        return page("message.html", sight.shop, sight.language, title="preferences.data.title", text=said)
    return _page(sight, said)


def _look(tx: Tx, token: str) -> Sight | None:
    link, catalog = find_link(tx, token, "unsubscribe"), application().runner.catalog
    shop = shops.get(tx, link.shop_id) if link is not None else None
    if link is None or shop is None or not catalog.knows(link.shop_id):
        return None
    settings = catalog.settings(link.shop_id)
    chosen = preferences.get(tx, shop.id, link.data["address"])
    return Sight(
        link=link,
        shop=shop,
        settings=settings,
        chosen=chosen,
        sections=tuple(_sections(tx, link, shop, settings)),
        language=language_of(chosen.locale, link.data.get("locale"), shop.locale),
    )


def _sections(tx: Tx, link: LinkRow, shop: Shop, settings: ShopSettings) -> list[Section]:
    """The link's own channel, and behind an e-mail's link the telephone of the newest order, as far as it is used."""
    channel = Channel.of(link.data.get("channel", Channel.EMAIL))
    own = reachable(tx, shop.id, channel, link.data["address"])
    found = [Section(who=own, choices=_choices(tx, shop, own, settings), refusing=False)]
    last = next(iter(entities.orders_of(tx, shop.id, own.address_key, limit=1)), None)
    if channel is not Channel.EMAIL or last is None:
        return found
    for other in (Channel.SMS, Channel.WHATSAPP):
        phone = phone_of(look(tx, shop, last.id), shop) if other in settings.channels else None
        who = reachable(tx, shop.id, other, phone) if phone else None
        choices = tuple(c for c in _choices(tx, shop, who, settings) if c.allowed) if who is not None else ()
        if who is not None and choices:
            found.append(Section(who=who, choices=choices, refusing=True))
    return found


def _choices(tx: Tx, shop: Shop, who: Reachable, settings: ShopSettings) -> tuple[Choice, ...]:
    return tuple(choices_of(tx, shop, who, settings.soft_opt_in, application().salt, application().clock.now()))


# -- what can be done --------------------------------------------------------------------------------------------------


def _save(tx: Tx, sight: Sight, form: Mapping[str, str], now: datetime) -> str:
    app = application()
    for section in sight.sections:
        if f"{section.who.channel}-shown" not in form:
            continue  # a form that was opened before this channel was known says nothing about it
        wanted = {choice.purpose: f"{section.who.channel}-{choice.purpose}" in form for choice in section.choices}
        said = Said(SOURCE, "preferences", evidence(_shown(sight, section, wanted), sight.language, sight.settings))
        if not section.refusing:
            choose(tx, app.runner, section.who, wanted, section.choices, said, now, app.clock.new_id())
            continue
        stopped = [EVERYTHING] if not any(wanted.values()) else [str(p) for p, yes in wanted.items() if not yes]
        for scope in stopped:
            withdraw(tx, app.runner, section.who, said, now, app.clock.new_id(), scope)
    return "preferences.saved"


def _shown(sight: Sight, section: Section, wanted: Mapping[Purpose, bool]) -> str:
    texts = strings(sight.language)
    asked = texts["preferences.which"].format(shop=sight.shop.name)
    boxes = (f"[{'x' if yes else ' '}] {texts[f'purpose.{purpose}']}" for purpose, yes in wanted.items())
    return f"{asked} ({section.who.channel}) {' '.join(boxes)}"


def _pause(tx: Tx, sight: Sight, form: Mapping[str, str], now: datetime) -> str:
    del form
    preferences.put(tx, sight.shop.id, sight.address_key, replace(sight.chosen, paused_until=now + PAUSE), now)
    return "preferences.paused"


def _resume(tx: Tx, sight: Sight, form: Mapping[str, str], now: datetime) -> str:
    del form
    preferences.put(tx, sight.shop.id, sight.address_key, replace(sight.chosen, paused_until=None), now)
    return "preferences.resumed"


def _speak(tx: Tx, sight: Sight, form: Mapping[str, str], now: datetime) -> str:
    wanted = form.get("language", "")
    if wanted and wanted not in languages():
        return ""
    preferences.put(tx, sight.shop.id, sight.address_key, replace(sight.chosen, locale=wanted), now)
    return "preferences.saved"


def _export(tx: Tx, sight: Sight, form: Mapping[str, str], now: datetime) -> str:
    """The shop's owner is told when it has been gathered, and answers the customer (GDPR Art. 12(3))."""
    del form
    _ask(tx, sight, privacy.EXPORT, now)
    return "preferences.exported"


def _open_erasure(tx: Tx, sight: Sight, form: Mapping[str, str], now: datetime) -> str:
    del tx, sight, form, now
    return "erase.open"


def _erase(tx: Tx, sight: Sight, form: Mapping[str, str], now: datetime) -> str:
    """A forwarded message must not be enough to delete somebody: the address, which the page does not show, is."""
    typed = form.get("address", "")
    typed = (email_key(typed) or "") if sight.sections[0].who.channel is Channel.EMAIL else "".join(typed.split())
    if typed != sight.address_key:
        return "erase.wrong"
    if _ask(tx, sight, privacy.ERASE_CUSTOMER, now):
        application().runner.forget(tx, sight.shop.id, _subject(sight), now)
    return "preferences.erased"


def _subject(sight: Sight) -> dict[str, str]:
    name = "email" if sight.sections[0].who.channel is Channel.EMAIL else "phone"
    return {name: sight.address_key}


def _ask(tx: Tx, sight: Sight, kind: str, now: datetime) -> bool:
    """Leave the request, unless the same was asked lately."""
    app, subject, shop_id = application(), _subject(sight), sight.shop.id
    key = subject_key(app.salt, shop_id, subject)
    if privacy.asked_since(tx, shop_id, kind, key, now - ASKED_LATELY):
        return False
    return privacy.ask(tx, shop_id, app.clock.new_id(), kind, SOURCE, subject, key, now)


_DEEDS: Mapping[str, Callable[[Tx, Sight, Mapping[str, str], datetime], str]] = {
    "save": _save,
    "pause": _pause,
    "resume": _resume,
    "language": _speak,
    "export": _export,
    "erase": _open_erasure,
    "erase_now": _erase,
}


# -- what is shown -----------------------------------------------------------------------------------------------------


def _page(sight: Sight, said: str = "") -> Response:
    now, until = application().clock.now(), sight.chosen.paused_until
    paused = until is not None and until > now
    zone = zone_of(sight.shop.timezone)
    return page(
        "preferences.html",
        sight.shop,
        sight.language,
        said="" if said == "preferences.paused" else said,
        sections=sight.sections,
        purposes=CHOICES,
        shown=isolated,
        paused=format_date(until.astimezone(zone), "long", locale=sight.language) if until and paused else "",
        languages=[(code, NATIVE.get(code, code)) for code in languages()],
        chosen=sight.chosen.locale,
    )


def isolated(who: Reachable) -> Markup:
    """`masked`, apart from the direction of the text around it."""
    return Markup("<bdi>{}</bdi>").format(masked(who))


def masked(who: Reachable) -> str:
    """The address so that its owner knows it and nobody else learns it.

    >>> masked(Reachable(shop_id="s", channel=Channel.EMAIL, address_key="nora@example.test"))
    'n…@example.test'
    """
    if who.channel is Channel.EMAIL:
        local, _, domain = who.address_key.rpartition("@")
        return f"{local[:1]}…@{domain}"
    return f"…{who.address_key[-3:]}"
