"""What all hosted pages share: the shop's name and colour, the visitor's language, and the security headers."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Protocol, TypeVar, cast

from flask import Flask, Response, current_app, g, make_response, render_template, request
from markupsafe import Markup, escape
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from connector.clock import Clock
from connector.config import Config
from connector.errors import StoreCollision, StoreUnavailable
from connector.model import Brand, Shop
from connector.pages.theme import theme_of
from connector.secrets import Vault
from connector.store import links
from connector.store.db import Tx
from connector.store.links import LinkRow
from connector.store.store import Store
from flows.render.locales import FALLBACK, direction, match_language
from flows.runner import RunMoved, Runner

PREFIX = "/p"
GUARDED = (f"{PREFIX}/", "/connect", "/c/")
T = TypeVar("T")
_TOKEN = re.compile(r"[0-9a-z]{16,64}")
_MOVES = 5

# Never cached, never framed, no referrer: the address of these pages is a credential.
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}
_OF_A_PIECE = ("Cache-Control", "X-Content-Type-Options", "X-Robots-Tag")
"""What goes with a piece of the shop's own page."""


class Application(Protocol):
    """The parts of the built application that pages use."""

    config: Config
    clock: Clock
    store: Store
    vault: Vault
    runner: Runner
    salt: bytes

    def refresh(self) -> bool: ...


def application() -> Application:
    return cast("Application", current_app.extensions["kiitos"])


def transact(work: Callable[[Tx], T]) -> T:
    """Run `work` in one writing transaction, again when a run it signals was moved by somebody else meanwhile."""
    store = application().store
    for _ in range(_MOVES):
        try:
            with store.work.transaction() as tx:
                return work(tx)
        except (RunMoved, StoreCollision):
            continue
    raise StoreUnavailable(f"a run moved {_MOVES} times while a page was answering")


def find_link(tx: Tx, token: str, kind: str) -> LinkRow | None:
    """What a token of this kind stands for. Text that can be no token never reaches the database."""
    link = links.get(tx, token) if _TOKEN.fullmatch(token) else None
    return link if link is not None and link.kind == kind else None


def clean(text: str, limit: int) -> str:
    """What somebody typed, without what must not reach a database or another reader: control characters (a NUL is an
    error in PostgreSQL) and marks that turn the direction of the text around it. Line breaks are counted once, as
    the browser counts them for `maxlength`.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = (c for c in lines if c in "\n\t" or not (unicodedata.category(c) in ("Cc", "Cs") or c in _TURNING))
    return "".join(kept)[:limit].strip()


_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@cache
def languages() -> tuple[str, ...]:
    """The languages there are texts in: a folder each, a JSON file for each page, all with the same keys."""
    folder = files("connector.pages").joinpath("strings")
    return tuple(sorted(entry.name for entry in folder.iterdir() if entry.is_dir()))


@cache
def strings(language: str) -> Mapping[str, str]:
    known: dict[str, str] = {}
    for source in files("connector.pages").joinpath("strings", language).iterdir():
        known.update(json.loads(source.read_text(encoding="utf-8")))
    return known


def language_of(*sources: str | None) -> str:
    """The first source (the link, the shop, the browser) whose language we have, as in mail; `en` when none is."""
    return next((found for source in sources if (found := match_language(source, languages()))), FALLBACK)


def visitor_language(locale: str | None, shop: Shop | None) -> str:
    """The language of the link a page belongs to, of the shop, of a stranger's browser."""
    browser = () if shop is not None else request.accept_languages.values()
    return language_of(locale, shop.locale if shop is not None else None, *browser)


def page(
    template: str,
    shop: Shop | None,
    locale: str | None,
    status: int = 200,
    *,
    texts: Mapping[str, str] | None = None,
    **values: Any,
) -> Response:
    """Render a hosted page in the visitor's language. `texts` come before the pages' own strings."""
    language = visitor_language(locale, shop)
    known = {**strings(language), **(texts or {})}
    g.nonce = application().clock.token(16)

    def t(key: str, **names: Any) -> Markup:
        text = known[key]
        # The pattern is ours; Markup.format escapes every value put into it.
        return escape(text).format(**names)

    body = render_template(
        template,
        t=t,
        has=known.__contains__,
        lang=language,
        dir=direction(language),
        nonce=g.nonce,
        shop_name=shop.name if shop is not None else "",
        theme=theme_of(shop, _brand(shop)),
        **values,
    )
    return make_response(body, status)


def gone(status: int = 404) -> Response:
    """The page for links that lead nowhere (any more)."""
    return page("message.html", None, None, status, title="gone.title", text="gone.text")


def _brand(shop: Shop | None) -> Brand | None:
    catalog = application().runner.catalog
    return catalog.settings(shop.id).brand if shop is not None and catalog.knows(shop.id) else None


def guard(app: Flask) -> None:
    """Headers on every answer under `/p/` and `/connect`, and friendly pages in place of the server's own errors."""
    app.after_request(_protect)
    app.register_error_handler(HTTPException, _explain)
    app.register_error_handler(StoreUnavailable, _ask_again)


def let_frame(origins: Sequence[str]) -> None:
    """Allow these https origins, and nobody else, to show the answer to this request in a frame."""
    g.framed_by = " ".join(origins)


def let_theme() -> None:
    """The answer is a piece of the shop's own page: our rules for a page (policy, frames, referrer) would be the whole
    page's if the platform passed them on, and would forbid the theme its own style and scripts."""
    g.in_theme = True


def let_script(*, back: bool = False) -> None:
    """Allow the page's own scripts (those with the answer's nonce), and with `back` a service worker and requests to
    us; everything else stays forbidden."""
    g.scripted = "worker-src 'self'; connect-src 'self'; " if back else ""


def let_pictures() -> None:
    """Allow pictures of our own origin on the page."""
    g.pictured = True


def let_cache(seconds: int) -> None:
    """Allow the answer to be kept and listed by search engines: it says the same to everybody."""
    g.cached = seconds


def _ours() -> bool:
    return request.path.startswith(GUARDED)


def _protect(response: Response) -> Response:
    if not _ours():
        return response
    style = f"'nonce-{g.nonce}'" if "nonce" in g else "'none'"
    framed_by = g.get("framed_by", "")
    for name, value in _HEADERS.items():
        if name in _OF_A_PIECE or "in_theme" not in g:
            response.headers[name] = value
    if "in_theme" in g:
        return response
    pictures = f" 'self' {application().config.app.base_url.rstrip('/')}" if g.get("pictured") else ""
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src {style}; img-src data:{pictures}; {_scripts(style)}"
        "form-action 'self'; base-uri 'none'; frame-ancestors " + (framed_by or "'none'")
    )
    if "cached" in g:
        response.headers["Cache-Control"] = f"public, max-age={g.cached}"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        del response.headers["X-Robots-Tag"]
    if framed_by:
        del response.headers["X-Frame-Options"]
    if application().config.app.base_url.startswith("https:"):
        response.headers["Strict-Transport-Security"] = "max-age=31536000"
    return response


def _scripts(nonce: str) -> str:
    return f"script-src {nonce}; {g.scripted}" if "scripted" in g else ""


def _explain(error: HTTPException) -> BaseResponse | HTTPException:
    if not _ours() or error.response is not None:
        return error
    if error.code == 404:
        return gone()
    response = page("message.html", None, None, error.code or 500, title="problem.title", text="problem.text")
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def _ask_again(error: StoreUnavailable) -> BaseResponse:
    if not _ours():
        raise error
    response = page("message.html", None, None, 503, title="problem.title", text="problem.text")
    response.headers["Retry-After"] = "60"
    return response
