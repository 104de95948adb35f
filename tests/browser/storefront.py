"""A shop's own site with Shopify's app proxy before us: signs each request, forwards it without cookies, and shows an
answer of Liquid inside the theme (https://shopify.dev/docs/apps/build/online-store/app-proxies).

Whether Shopify passes an answer's other headers on is not written there: here it passes all of them, which is the
harder case for a page.
"""

from __future__ import annotations

import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import requests
from flask import Flask, Response, request
from liquid import Environment
from werkzeug.serving import make_server

from connector.testing.world import SHOPIFY, SHOPIFY_DOMAIN, World
from tests.browser.conftest import Silent

PREFIX = "/apps/kiitos"
SECRET_OF_THEME = "owner@aurora.test"
"""What the theme's Liquid could tell, and a customer's name must not make it tell."""
THEME = """<!doctype html><html lang="en"><head><title>{{ shop.name }}</title><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width">
<style>body{font:16px/1.5 sans-serif;margin:0 1rem;color:#222;background:#fff} a{color:#0645ad}
a,button{display:inline-block;min-height:44px;min-width:44px} :focus-visible{outline:3px solid #0645ad}</style></head>
<body><header><p>{{ shop.name }}</p></header><main><h1>My account</h1>{{ content }}</main>
<script>document.documentElement.dataset.theme = 'runs'</script></body></html>"""
_HOPS = {"connection", "transfer-encoding", "content-length", "content-encoding", "set-cookie", "server", "date"}


def signed(world: World, customer_id: str, asked: dict[str, str]) -> str:
    base = {"shop": SHOPIFY_DOMAIN, "path_prefix": PREFIX, "timestamp": str(int(world.clock.now().timestamp()))}
    query = {**asked, **base, "logged_in_customer_id": customer_id}
    text = "".join(sorted(f"{name}={value}" for name, value in query.items()))
    signature = hmac.digest(world.shopify.client_secret.encode(), text.encode(), "sha256").hex()
    return urlencode({**query, "signature": signature})


@contextmanager
def storefront(world: World) -> Iterator[str]:
    """The shop's address. Who has the cookie `customer` is logged in as that customer."""
    kiitos, app = world.kiitos, Flask("storefront")
    key = kiitos.endpoint_key(kiitos.catalog.settings(SHOPIFY))
    theme = Environment(autoescape=False).from_string(THEME)

    @app.route(f"{PREFIX}/<path:what>", methods=["GET", "POST"])
    def forward(what: str) -> Response:
        query = signed(world, request.cookies.get("customer", ""), dict(request.args.items()))
        answer = requests.request(
            request.method,
            f"{kiitos.config.app.base_url}/p/proxy/{key}/{what}?{query}",
            data=request.get_data(),
            headers={"Accept-Language": request.headers.get("Accept-Language", "")},
            timeout=30,
            allow_redirects=False,
        )
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in _HOPS}
        if not answer.headers["Content-Type"].startswith("application/liquid"):
            return Response(answer.content, answer.status_code, headers)
        shop = {"name": "Aurora", "email": SECRET_OF_THEME}
        content = Environment(autoescape=False).from_string(answer.text).render(shop=shop)
        headers["Content-Type"] = "text/html; charset=utf-8"
        return Response(theme.render(shop=shop, content=content), answer.status_code, headers)

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
