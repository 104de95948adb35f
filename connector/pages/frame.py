"""What all hosted pages share: the shop's name and colour, the visitor's language, and the security headers."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib.resources import files
from typing import Any

from flask import Response, current_app, make_response, render_template
from markupsafe import escape

from connector.clock import Clock
from connector.model import Shop

LANGUAGES = ("en", "fi")
RTL = frozenset({"ar", "he", "fa", "ur"})
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@lru_cache(maxsize=len(LANGUAGES))
def strings(language: str) -> dict[str, str]:
    """The texts of one language; all languages have the same keys (a test says so)."""
    source = files("connector.pages").joinpath("strings", f"{language}.json")
    loaded: dict[str, str] = json.loads(source.read_text(encoding="utf-8"))
    return loaded


def language_of(locale: str | None) -> str:
    """The page language nearest to a locale: `fi-FI` gives `fi`, anything we lack gives `en`."""
    short = (locale or "").replace("_", "-").split("-")[0].lower()
    return short if short in LANGUAGES else "en"


def page(template: str, shop: Shop | None, locale: str | None, status: int = 200, **values: Any) -> Response:
    """Render a hosted page. Never cached, never framed, no referrer: its address is a credential."""
    language = language_of(locale)
    clock: Clock = current_app.extensions["kiitos"].clock
    nonce = clock.token(12)

    def t(key: str, **names: Any) -> str:
        text = strings(language)[key]
        return str(escape(text).format(**{name: escape(value) for name, value in names.items()}))

    accent = shop.accent_color if shop is not None and _COLOUR.fullmatch(shop.accent_color) else "#1f5c4d"
    body = render_template(
        template,
        t=lambda key, **names: _safe(t(key, **names)),
        locale=language,
        dir="rtl" if language in RTL else "ltr",
        nonce=nonce,
        accent=accent,
        shop_name=shop.name if shop is not None else "Kiitos",
        **values,
    )
    response = make_response(body, status)
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; img-src https: data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _safe(text: str) -> Any:
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - the pattern is ours and every value in it was escaped
