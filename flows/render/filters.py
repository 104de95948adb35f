"""The filters templates may use beside Liquid's own: Shopify's names, our formats.

Money is a table `{amount, currency}`; times are ISO 8601 texts. Filters read `locale`, `timezone`, `lang` and
`strings` from the message's settings, which `settings_of` finds in the globals of a render.
"""

from __future__ import annotations

import json as _json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from liquid.filter import with_context
from markupsafe import Markup, escape

from flows.render import formats
from flows.render.links import safe_link, safe_url
from flows.render.strings import Strings

_ISOLATES = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
# Letters that run against a text of this direction.
_FOREIGN = {
    "ltr": re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"),
    "rtl": re.compile(r"[A-Za-z\u00c0-\u02b8\u0370-\u058f\u3040-\u9fff\uac00-\ud7a3]"),
}
_MARKUP = re.compile(r"[&<>'\"]")  # most names have none of what `escape` looks for
SETTINGS = object()  # Liquid looks up names, so no template can reach what is kept under this key


@dataclass(frozen=True, slots=True)
class Settings:
    """How a message is written: Babel locale, IANA zone, the template's language and direction, its texts."""

    locale: str
    timezone: str
    language: str
    direction: str
    strings: Strings


def settings_of(context: Any) -> Settings:
    found = context.globals[SETTINGS]
    if not isinstance(found, Settings):
        raise TypeError("the message has no settings")
    return found


def _money(value: object, context: Any, form: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, dict) or value.get("amount").__class__ is not Decimal:
        raise TypeError("expected money such as order.total")
    return formats.money_text(value["amount"], value["currency"], settings_of(context).locale, form)


@with_context
def money(value: object, *, context: Any) -> str:
    return _money(value, context, "money")


@with_context
def money_with_currency(value: object, *, context: Any) -> str:
    return _money(value, context, "with_currency")


@with_context
def money_without_currency(value: object, *, context: Any) -> str:
    return _money(value, context, "without_currency")


@with_context
def money_without_trailing_zeros(value: object, *, context: Any) -> str:
    return _money(value, context, "without_trailing_zeros")


@with_context
def date(value: object, form: object = "date", *, context: Any, format: object = None) -> str:  # noqa: A002
    """A time in the recipient's locale and the shop's zone; a text that is no time is returned as it is."""
    if value is None or value == "":
        return ""
    settings = settings_of(context)
    text = str(value)
    if not re.match(r"\d{4}-\d\d-\d\dT", text):
        return text
    return formats.date_text(text, str(format or form), settings.locale, settings.timezone)


@with_context
def t(key: object, *, context: Any, **slots: object) -> str:
    """A shared text in the template's language: `{{ 'order.items' | t: count: 3 }}`."""
    return settings_of(context).strings.text(str(key), slots, html=context.autoescape)


@with_context
def pluralize(count: object, one: object, other: object, *, context: Any) -> object:
    """`{{ 2 | pluralize: 'item', 'items' }}`; languages with more forms use `t` with `count`."""
    number = int(str(count)) if str(count).lstrip("-").isdigit() else 0
    return one if settings_of(context).strings.plural_of(number) == "one" else other


@with_context
def format_address(address: object, *, context: Any) -> str:
    """An address on lines of its own: `<br>` between them in HTML, line feeds in text."""
    if not isinstance(address, Mapping):
        return ""
    lines = [str(line) for line in address.get("display", ()) if line]
    if not context.autoescape:
        return "\n".join(lines)
    return Markup("<br />".join(escape(line) if _MARKUP.search(line) else line for line in lines))  # noqa: S704  escaped


def image_url(url: object, *sizes: object, width: object = None, height: object = None) -> str:
    """A picture's address; on Shopify's CDN in the wanted width or height (pixels). Only http and https pass."""
    text = safe_url(None if url is None else str(url))
    if not text:
        return ""
    parts = urlsplit(text)
    wanted = {name: str(int(str(size))) for name, size in (("width", width), ("height", height)) if size}
    if not wanted and sizes and (match := re.match(r"(\d+)?x(\d+)?", str(sizes[0]))):
        wanted = {name: size for name, size in zip(("width", "height"), match.groups(), strict=True) if size}
    if parts.hostname != "cdn.shopify.com" or not wanted:
        return text
    query = "&".join(filter(None, (parts.query, urlencode(wanted))))
    return urlunsplit(parts._replace(query=query))


@with_context
def link_to(text: object, url: object, *, context: Any) -> str:
    """A link; only http, https, mailto and tel addresses are linked, others leave the text alone."""
    target = safe_link(str(url))
    if not target or not context.autoescape:
        return f"{text} ({target})" if target and target != str(text) else str(text)
    return Markup('<a href="{}">{}</a>').format(target, text)


def handleize(text: object) -> str:
    """`Kesä 2026!` becomes `kesa-2026`."""
    plain = unicodedata.normalize("NFKD", str(text or "")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")


@with_context
def json(value: object, *, context: Any) -> str:
    """JSON that is safe inside a script element too: `<`, `>`, `&` as escapes."""
    text = _json.dumps(value, ensure_ascii=False, default=str)
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text) if context.autoescape else text  # noqa: S704  no markup sign is left


@with_context
def bdi(value: object, *, context: Any) -> str:
    """Keep a name or number from disturbing the direction of the text around it."""
    text = str("" if value is None else value)
    if not text.isascii():
        text = text.translate(_ISOLATES)
    if context.autoescape:
        safe = escape(text) if _MARKUP.search(text) else text
        return Markup(f"<bdi>{safe}</bdi>") if text else ""  # noqa: S704  escaped here
    return f"\u2068{text}\u2069" if _FOREIGN[settings_of(context).direction].search(text) else text


FILTERS: Mapping[str, Callable[..., object]] = {
    "money": money,
    "money_with_currency": money_with_currency,
    "money_without_currency": money_without_currency,
    "money_without_trailing_zeros": money_without_trailing_zeros,
    "date": date,
    "t": t,
    "pluralize": pluralize,
    "format_address": format_address,
    "image_url": image_url,
    "img_url": image_url,
    "link_to": link_to,
    "handleize": handleize,
    "json": json,
    "bdi": bdi,
}
