"""The preview: a page on this machine that shows any template with any order, as phones and desktops would.

It shows what merchants wrote and what customers typed, so a message stands in a frame that runs nothing and reaches
nothing but pictures (`sandbox`, Content-Security-Policy), the page itself has no script, every address begins with a
random word, and a request that names another host is refused (a web page elsewhere could have its own name point here).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import click
from flask import Flask, Response, abort, render_template_string, request

from connector.cli.context import App
from connector.clock import SystemClock
from connector.errors import TemplateError
from connector.model import Order
from connector.store import entities
from flows.render.check import purpose_of
from flows.render.context import MessageView
from flows.render.inspection import inspect
from flows.render.prepared import Parts
from flows.render.samples import samples
from flows.render.sms import fold, segments

if TYPE_CHECKING:
    from flows.render.renderer import Renderer

_DARK = re.compile(r"@media\s*\(prefers-color-scheme:\s*dark\)")
_FRAME_POLICY = "sandbox; default-src 'none'; img-src https: http: data:; style-src 'unsafe-inline'"
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'; base-uri 'none'"
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
FRAMES = ((600, "light"), (360, "light"), (600, "dark"), (360, "dark"))


@dataclass(frozen=True, slots=True)
class Wish:
    """What the page is asked to show."""

    template: str
    language: str
    sample: str
    order: str

    @classmethod
    def of(cls, asked: Mapping[str, str], renderer: Renderer) -> Wish:
        names, languages = renderer.names(), renderer.languages()
        template, language = asked.get("template", ""), asked.get("language", "")
        sample = asked.get("sample", "")
        return cls(
            template if template in names or template in renderer.sources.own_names() else names[0],
            language if language in languages else "en",
            sample if sample in samples() else "five_lines",
            asked.get("order", "")[:64],
        )


def serve(app: App, shop: str | None, renderer: Renderer, port: int) -> None:
    """Serve it until interrupted."""
    from werkzeug.serving import make_server

    word = SystemClock().token()
    server = make_server("127.0.0.1", port, preview_app(app, shop, renderer, word), threaded=True)
    click.echo(f"http://127.0.0.1:{server.server_port}/{word}/   (Ctrl-C ends it)")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.shutdown()


def preview_app(app: App, shop: str | None, renderer: Renderer, word: str) -> Flask:
    """The page as a WSGI application. `word` is what its addresses begin with."""
    web = Flask("preview", static_folder=None)

    @web.before_request
    def only_here() -> None:
        if request.host.partition(":")[0] not in {"127.0.0.1", "localhost"}:
            abort(403)

    @web.get(f"/{word}/")
    def page() -> Response:
        wish = Wish.of(request.args, renderer)
        shown = _shown(app, shop, renderer, wish)
        names = sorted({*renderer.names(), *renderer.sources.own_names()})
        html = render_template_string(
            files("connector.cli").joinpath("preview.html").read_text("utf-8"),
            wish=wish,
            names=names,
            languages=renderer.languages(),
            samples=list(samples()),
            shop=shop,
            frames=FRAMES,
            query=urlencode(asdict(wish)),
            **shown,
        )
        return Response(html, headers={**_HEADERS, "Content-Security-Policy": _PAGE_POLICY})

    @web.get(f"/{word}/frame")
    def frame() -> Response:
        parts = _shown(app, shop, renderer, Wish.of(request.args, renderer)).get("parts")
        if not isinstance(parts, Parts):
            abort(404)
        html = in_mode(parts.html, dark=request.args.get("mode") == "dark")
        return Response(html, headers={**_HEADERS, "Content-Security-Policy": _FRAME_POLICY})

    return web


def in_mode(html: str, *, dark: bool) -> str:
    """The message as in light or in dark mode, whatever the browser is in."""
    fixed = _DARK.sub("@media all" if dark else "@media not all", html)
    return fixed.replace("color-scheme: light dark", f"color-scheme: {'dark' if dark else 'light'}")


def _shown(app: App, shop: str | None, renderer: Renderer, wish: Wish) -> dict[str, object]:
    view = _view(app, shop, renderer, wish)
    if view is None:
        return {"fault": f"{shop} has no order {wish.order}"}
    try:
        parts = renderer.parts(wish.template, view)
        short = renderer.small(wish.template, "sms", view, wish.language)
    except TemplateError as error:
        return {"fault": str(error)}
    return {
        "parts": parts,
        "size": len(parts.html.encode()),
        "language": renderer.language(wish.template, wish.language, view.shop.locale),
        "findings": inspect(parts, dict(renderer.brand.readers)),
        "short": short,
        "sms": segments(fold(short)) if short else None,
    }


def _view(app: App, shop: str | None, renderer: Renderer, wish: Wish) -> MessageView | None:
    view = replace(
        samples()[wish.sample], locale=wish.language, purpose=purpose_of(wish.template), brand=renderer.brand
    )
    if shop is None:
        return view
    settings = app.whole_config.shop(shop)
    view = replace(view, shop=settings.shop, timezone=settings.shop.timezone)
    if not wish.order:
        return view
    with app.kiitos.store.work.read() as tx:
        order = entities.order_by_number(tx, shop, wish.order) or entities.order(tx, shop, wish.order)
    return None if order is None else _about(view, order)


def _about(view: MessageView, order: Order) -> MessageView:
    """The view with a real order; what has no counterpart (codes, links of pages) stays made up."""
    place = order.shipping_address or order.billing_address
    name = (order.customer.first_name if order.customer else None) or (place.first_name if place else None) or ""
    line = order.lines[0] if order.lines else None
    return replace(view, order=order, customer=order.customer, recipient_name=name, line=line, products={})
