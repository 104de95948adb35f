"""A WooCommerce shop over HTTP: the REST API of 11.0.1 on loopback, its keys, its bad days."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from typing import Any
from urllib.parse import urlsplit

from connector.clock import Clock
from connector.testing.fakes.weather import Weather
from connector.testing.fakes.web import Call, LoopbackServer, Request, Response, Trouble
from connector.testing.fakes.woocommerce import answers, authorize, routes
from connector.testing.fakes.woocommerce import settings as settings_of
from connector.testing.fakes.woocommerce.hooks import Sent
from connector.testing.fakes.woocommerce.life import USUAL_TOPICS, WooLife
from connector.testing.fakes.woocommerce.state import Json, texture

# Routes that end in a call of the shop to somebody else: they must not hold the shop's lock meanwhile.
CALLS_OUT = ("/wp-json/wc/v3/webhooks", f"{authorize.PATH}/access_granted")

_SCRIPT = re.compile(r"</?script[^>]*>", re.IGNORECASE)
_LONE_AMPERSAND = re.compile(r"&(?!#?\w+;)")


class FakeWoo(WooLife):
    """One shop. Use in a `with` statement; `url` is then where it listens (`Access.base_url`), `home` its public URL.

    Accepts Basic authentication, although a real shop ignores it over http (woocommerce.md §3), the key and secret in
    the query, and OAuth 1.0a by its `oauth_consumer_key` alone: the signature is not checked.
    `permissions` is `read_write` or `read`. `order_actions = False` is a shop before 9.8.
    With `webhook_secret` and `connect(url)` the usual webhooks are made.
    """

    def __init__(
        self,
        clock: Clock,
        url: str,
        consumer_key: str,
        consumer_secret: str,
        webhook_secret: str = "",
        timezone: str = "Europe/Helsinki",
        *,
        permissions: str = "read_write",
        port: int = 0,
        **settings: Any,
    ) -> None:
        super().__init__(clock, url, timezone, **settings)
        self.keys: dict[str, tuple[str, str]] = {}
        self.consumer_key = consumer_key
        self.consumer_secret = consumer_secret
        self.webhook_secret = webhook_secret
        self.permissions = permissions
        self.settings = settings_of.stock("FI", f"post@{urlsplit(url).hostname}")
        self.cron = True
        self.store_id = hashlib.sha256(url.encode()).hexdigest()[:32]
        self.admin = authorize.Admin()
        self.maintenance = False
        self.order_actions = True
        self.mails: list[tuple[int, str, str]] = []
        self.slow_seconds = 0.0
        self.weather = Weather(clock=clock, seed=2)
        self.queue.loses, self.queue.reaches = self.weather.loses, self.weather.reaches
        self.visitors = True
        self._woken = False
        self.troubles: list[Trouble] = []
        self.calls: list[Call] = []
        self.gaps: list[str] = []
        self._server = LoopbackServer(self._answer, port)

    # --- running ---

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def __enter__(self) -> FakeWoo:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """`http://127.0.0.1:<port>`: what stands for the shop's public address."""
        return self._server.url

    @property
    def api_url(self) -> str:
        """The same as `url`, named for what goes into the setting `api_url` of a shop."""
        return self._server.url

    def connect(self, delivery_url: str) -> None:
        """Make the usual webhooks to this address, with the shop's webhook secret."""
        self.create_webhooks(delivery_url, self.webhook_secret, USUAL_TOPICS)

    def deliver(self, **knobs: Any) -> list[Sent]:
        """As `WooLife.deliver`; without `visitors` only when a request has come since the last time, for WP-Cron runs
        only then (woocommerce.md §0.8)."""
        if not self.visitors and not self._woken:
            return []
        self._woken = False
        return super().deliver(**knobs)

    def trouble(self, *troubles: Trouble) -> None:
        """Let the next requests to the API go wrong, one each."""
        self.troubles.extend(troubles)

    def add_note(self, order_id: int, text: str, *, customer: bool = False) -> Json:
        """Write an order note; a customer's note is mailed by the shop, which leaves a private note saying so."""
        with self.lock:
            row = self._note(order_id, text, customer)
            self.queue.emit("action.woocommerce_order_note_added", row["id"])
            if customer:
                self.queue.pending += [
                    (hook.id, {"order_id": order_id, "customer_note": text})
                    for hook in self.queue.hooks.values()
                    if hook.topic == "action.woocommerce_new_customer_note" and hook.status == "active"
                ]
                self._note(order_id, 'Email "Customer note" sent.', False)
            return row

    def _note(self, order_id: int, text: str, customer: bool) -> Json:
        row: Json = {"id": self.next_id("comment"), "author": "WooCommerce"}
        self.set_date(row, "date_created", self.clock.now())
        row.update(note=cleaned(text), customer_note=customer)
        self.notes[order_id].append(row)
        return row

    def issue_key(self, permissions: str) -> tuple[int, str, str]:
        """A fresh key beside the first one: its number, key and secret."""
        key, secret = (f"{kind}_{hashlib.sha1(self.clock.token().encode()).hexdigest()}" for kind in ("ck", "cs"))
        self.keys[key] = (secret, permissions)
        return self.next_id("key"), key, secret

    # --- HTTP ---

    def _answer(self, request: Request) -> Response:
        with self.lock:
            trouble = self.troubles.pop(0) if self.troubles else self.weather.trouble()
            self._woken = True
        if self.slow_seconds > 0:
            threading.Event().wait(self.slow_seconds)
        if self.maintenance:
            response = answers.maintenance()
        elif trouble.status:
            headers = [("Retry-After", trouble.retry_after)] if trouble.retry_after else []
            response = answers.page(trouble.status, "trouble on demand", "", headers)
        elif request.path.startswith(CALLS_OUT):
            response = self._route(request)
        else:
            with self.lock:
                response = self._route(request)
        with self.lock:
            self.calls.append(Call(request.method, request.path, response.status, self.clock.now()))
        return Response(response.status, drop=True) if trouble.drop else response

    def _route(self, request: Request) -> Response:
        if request.path.startswith(authorize.PATH):
            return authorize.answer(self, request)
        if request.path.rstrip("/") == "/wp-json":
            return answers.ok(self._index())
        if request.path == "/wp-cron.php":
            return Response(200, b"", answers.HTML_TYPE)
        if not request.path.startswith("/wp-json/wc/v3"):
            return answers.no_route()
        return self._refusal(request) or routes.dispatch(self, request)

    def _refusal(self, request: Request) -> Response | None:
        """Why the caller may not, or `None`. A wrong key looks like no key; a wrong secret is named (§3)."""
        key, secret = _credentials(request)
        known = {self.consumer_key: (self.consumer_secret, self.permissions), **self.keys}.get(key or "")
        if known is None:
            if request.method != "GET":
                return answers.error(
                    401, "woocommerce_rest_cannot_create", "Sorry, you are not allowed to create resources."
                )
            single = request.path.rstrip("/").rsplit("/", 1)[-1].isdigit()
            what = "view this resource" if single else "list resources"
            return answers.error(401, "woocommerce_rest_cannot_view", f"Sorry, you cannot {what}.")
        if secret is not None and secret != known[0]:
            return answers.error(401, "woocommerce_rest_authentication_error", "Consumer secret is invalid.")
        if request.method != "GET" and known[1] == "read":
            text = "The API key provided does not have write permissions."
            return answers.error(401, "woocommerce_rest_authentication_error", text)
        return None

    def _index(self) -> Json:
        offset = self.clock.now().astimezone(self.timezone).utcoffset()
        return {
            "name": texture(self.name),
            "description": "",
            "url": self.home,
            "home": self.home,
            "gmt_offset": offset.total_seconds() / 3600 if offset else 0,
            "timezone_string": self.timezone.key,
            "namespaces": ["oembed/1.0", "wc/v3", "wc/v1", "wc/store/v1", "wp/v2"],
            "authentication": {},
            "routes": {},
        }


def cleaned(note: str) -> str:
    """A note as WordPress keeps it: scripts lose their tags, lone ampersands become entities (rest/174)."""
    return _LONE_AMPERSAND.sub("&amp;", _SCRIPT.sub("", note))


def _credentials(request: Request) -> tuple[str | None, str | None]:
    """Key and secret as given; the secret is `None` for OAuth, where only a signature comes."""
    header = request.headers.get("authorization", "")
    if header.startswith("Basic "):
        try:
            key, _, secret = base64.b64decode(header[6:]).decode().partition(":")
        except ValueError:
            return None, None
        return key, secret
    if request.last("consumer_key"):
        return request.last("consumer_key"), request.last("consumer_secret") or ""
    return request.last("oauth_consumer_key"), None
