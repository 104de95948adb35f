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


@with_context
def time_tag(value: object, form: object = "date", *, context: Any, format: object = None) -> str:  # noqa: A002
    """A `<time>` element with the moment for machines; in text the moment alone."""
    shown = date(value, form, context=context, format=format)
    if not context.autoescape or not shown:
        return str(shown)
    return Markup('<time datetime="{}">{}</time>').format(str(value), shown)


@with_context
def weight_with_unit(grams: object, unit: object = None, *, context: Any) -> str:
    """Grams as kilograms, or in the unit named (`g`, `kg`, `lb`, `oz`), in the recipient's numbers."""
    text = str(grams)
    if not re.fullmatch(r"\d{1,12}(\.\d{1,6})?", text):
        return ""
    name = str(unit or "kg")
    if name not in _GRAMS:
        raise ValueError(f"no unit '{name}'; use one of {', '.join(_GRAMS)}")
    amount = Decimal(text) / _GRAMS[name]
    return f"{formats.number_text(amount, settings_of(context).locale)}\u00a0{name}"


_GRAMS = {"g": Decimal(1), "kg": Decimal(1000), "lb": Decimal("453.59237"), "oz": Decimal("28.349523125")}

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
    "product_img_url": image_url,
    "time_tag": time_tag,
    "weight_with_unit": weight_with_unit,
    "link_to": link_to,
    "handleize": handleize,
    "json": json,
    "bdi": bdi,
}

# Shopify's own that make no sense outside its themes, or have no meaning in a mail: told apart from slips.
# https://shopify.dev/docs/api/liquid/filters
UNSUPPORTED: Mapping[str, str] = {
    **dict.fromkeys(("asset_url", "asset_img_url", "global_asset_url", "shopify_asset_url", "file_url", "file_img_url",
                     "inline_asset_content", "stylesheet_tag", "script_tag", "preload_tag"),
                    "a message has no theme files; write the picture's whole address"),
    **dict.fromkeys(("payment_type_svg_tag", "payment_type_img_url", "payment_button", "payment_terms",
                     "shopify_qr_code"), "mail clients show no such picture; order.payment_methods has the names"),
    **dict.fromkeys(("structured_data",), "switch order_markup on instead"),
    **dict.fromkeys(("customer_login_link", "customer_logout_link", "customer_register_link", "within", "sort_by",
                     "default_pagination", "highlight", "highlight_active_tag", "link_to_tag", "link_to_add_tag",
                     "link_to_remove_tag", "link_to_type", "link_to_vendor", "url_for_type", "url_for_vendor",
                     "unit_price_with_measurement", "metafield_tag", "metafield_text", "placeholder_svg_tag",
                     "font_face", "font_modify", "font_url", "media_tag", "video_tag", "model_viewer_tag",
                     "external_video_tag", "external_video_url", "image_tag", "img_tag", "hmac_sha1", "hmac_sha256",
                     "md5", "sha1", "sha256", "login_button", "avatar"), "it belongs to pages of a theme"),
    **dict.fromkeys(("color_to_rgb", "color_to_hsl", "color_to_hex", "color_extract", "color_brightness",
                     "color_modify", "color_lighten", "color_darken", "color_saturate", "color_desaturate",
                     "color_mix", "color_contrast", "color_difference", "brightness_difference"),
                    "write the colour, or use {{ theme.text }} and {{ brand.accent }}"),
    "safe": "it would switch off escaping",
    "base64_decode": "it would bring back text that is not escaped",
    "base64_url_safe_decode": "it would bring back text that is not escaped",
    "escapejs": "a message runs no script",
}  # fmt: skip
