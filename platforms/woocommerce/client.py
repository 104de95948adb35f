"""The REST client: the PyPI package `woocommerce` for addresses and calls, `connector.http` for everything on the wire.

`woocommerce.API` 3.0.0 builds the URL and gives the verbs, but its one private request function cannot be used: 5 s
time-out, no retries, `include=[21,22]` read as 22 by PHP, a redirected POST repeated as GET (200, nothing written),
secrets written into the caller's parameters, HTML pages handed on as answers (all measured, facts/woocommerce.md
section 5; tests/platforms/woocommerce/test_client.py has a test a row). `ShopApi` is that class with that one function
replaced.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
import requests
import woocommerce

from connector import codec
from connector.clock import Clock
from connector.contracts import Access
from connector.errors import AuthExpired, ConfigError, KiitosError, Refused, Transient
from connector.http import USER_AGENT, Http, error_for, retry_after

TIMEOUT = (10.0, 60.0)
"""Seconds to connect and to answer. A batch or a slow shared host needs the minute (facts section 5)."""

WAKE_TIMEOUT = (3.05, 5.0)
TURNS = 2
"""Requests at a time to one shop."""

_CODE = re.compile(r"[A-Za-z0-9_.-]{1,80}", re.ASCII)
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


def shop_address(access: Access) -> str:
    """Where the shop's API is: https, except for a shop on this machine (tests, the demo).

    Raises `ConfigError`: over http WooCommerce ignores keys without a word and answers 401 (facts section 3).
    """
    shop = access.shop
    address = (access.base_url or shop.url or f"https://{shop.domain}").strip().rstrip("/")
    address = re.sub(r"/wp-json(?:/.*)?\Z", "", address)
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError as error:
        raise ConfigError("the shop's url is no address", where=f"shops.{shop.id}.url") from error
    if parts.scheme == "http" and _loopback(host) and not access.public_only:
        return address
    if parts.scheme != "https" or not host or parts.username is not None:
        raise ConfigError(
            "WooCommerce takes API keys over https only: write the shop's url as https://...",
            where=f"shops.{shop.id}.url",
        )
    return address


def _loopback(host: str) -> bool:
    return (
        host in ("localhost", "::1")
        or host.endswith(".localhost")
        or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None
    )


class Rows(NamedTuple):
    """A page of a list."""

    rows: list[dict[str, Any]]
    total: int | None


class ShopApi(woocommerce.API):  # type: ignore[misc]
    """`get`, `post`, `put` and `delete` of one shop, answering decoded JSON; `rows` adds how many there are.

    `public_only`: a merchant named the address (`connector.outside.destinations`).

    Two calls at a time at most (one of them a catching-up job's): shared hosting serves few PHP processes, and a busy
    one delays the shop's own webhooks.
    Raises `Transient` (GET is repeated a few times first), `AuthExpired` and `Refused`, whose `provider_code` is
    WooCommerce's own `code`.
    """

    def __init__(self, address: str, key: str, secret: str, clock: Clock, *, public_only: bool = False) -> None:
        super().__init__(address, key, secret, timeout=TIMEOUT, user_agent=USER_AGENT, version="wc/v3")
        self._http = Http(
            clock, timeout=TIMEOUT, pool=TURNS, headers={"Accept": "application/json"}, public_only=public_only
        )
        self._clock = clock
        self._turn = threading.BoundedSemaphore(TURNS)

    def _API__request(  # noqa: N802 - the name Python gives the package's private method, which this replaces
        self, method: str, endpoint: str, data: object | None, params: Mapping[str, object] | None = None
    ) -> Any:
        return _json(self._exchange(method, endpoint, data, params))

    def rows(self, endpoint: str, params: Mapping[str, object], patience: float | None = None) -> Rows:
        """GET a list. The total is the shop's word (X-WP-Total), `None` where it says nothing.

        With `patience`, seconds to connect and to answer, there is no second try.
        """
        response = self._exchange("GET", endpoint, None, params, patience)
        answer, total = _json(response), response.headers.get("X-WP-Total", "")
        found = [row for row in answer if isinstance(row, dict)] if isinstance(answer, list) else []
        return Rows(found, int(total) if total.isascii() and total.isdecimal() else None)

    def wake(self) -> None:
        """Let the shop run what its queue holds: without visitors nothing else would (facts section 0.8).

        Raises `Transient` only when the shop asks us to wait.
        """
        try:
            url = f"{self.url.rstrip('/')}/wp-cron.php?doing_wp_cron"
            self._http.call("GET", url, reads=False, timeout=WAKE_TIMEOUT, allow_redirects=False)
        except KiitosError as error:
            # A courtesy: any request to PHP wakes a sleeping cron too, and the poll itself is one. But a shop that
            # asks us to wait must not be asked the next thing at once.
            if isinstance(error, Transient) and error.retry_after is not None:
                raise

    def _exchange(
        self,
        method: str,
        endpoint: str,
        data: object | None,
        params: Mapping[str, object] | None,
        patience: float | None = None,
    ) -> requests.Response:
        url: str = self._API__get_url(endpoint.strip("/"))
        options: dict[str, Any] = {
            "params": {name: parameter(value) for name, value in (params or {}).items() if value is not None},
            "auth": (self.consumer_key, self.consumer_secret),
            "allow_redirects": method in _READS,
        }
        if data is not None:
            options["data"] = codec.encode(plain(data))
            options["headers"] = {"Content-Type": "application/json; charset=utf-8"}
        reads = method in _READS
        with self._turn:
            return self._http.call(
                method,
                url,
                reads=reads,
                patience=patience,
                classify=lambda answer: self._fault(answer, wrote=not reads),
                **options,
            )

    def index(self) -> Any:
        """The site's REST index: name, time zone, namespaces. Open to everybody, so it is asked without keys."""
        with self._turn:
            return _json(
                self._http.call(
                    "GET", f"{self.url.rstrip('/')}/wp-json/", classify=lambda answer: self._fault(answer, wrote=False)
                )
            )

    def _fault(self, response: requests.Response, *, wrote: bool) -> KiitosError | None:
        """The error an answer stands for, or `None` for a JSON answer below 300 and for redirected writes."""
        status = response.status_code
        place = f"{response.request.method} {response.request.path_url.partition('?')[0]} answered {status}"
        if 300 <= status < 400:
            return None
        if not _is_json(response):
            return self._page_instead(response, place, wrote=wrote)
        if status < 300:
            return None
        code = _error_code(response)
        if status in (401, 403):
            return AuthExpired(f"{place} ({code}): the API key is wrong, read-only or its user lost the right")
        if status in (400, 404, 409, 413) or code.startswith("woocommerce_rest_"):
            return Refused(f"{place} ({code})", provider_code=code)
        return error_for(response, wrote=wrote, now=self._clock.now())

    def _page_instead(self, response: requests.Response, place: str, *, wrote: bool) -> KiitosError:
        """An HTML page came: maintenance mode, a PHP crash, a firewall, or permalinks that hide the API.

        None of them says anything about the object asked for: a 404 page must not delete an order.
        """
        status = response.status_code
        if status == 401:
            return AuthExpired(f"{place} with a page: a password protects the whole site")
        hint = "a maintenance, firewall or error page"
        if status < 300:
            hint = "the site's own page: set permalinks to anything but 'Plain', or exempt /wp-json/ from caches"
        return Transient(
            f"{place} with no JSON: {hint}",
            retry_after=retry_after(response.headers, self._clock.now()),
            maybe_done=wrote and (status < 300 or status in (500, 502, 504)),
        )

    def close(self) -> None:
        self._http.close()


def _is_json(response: requests.Response) -> bool:
    return "json" in response.headers.get("Content-Type", "").partition(";")[0].lower()


def _json(response: requests.Response) -> Any:
    try:
        return msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        method = response.request.method or ""
        place = f"{method} {response.request.path_url.partition('?')[0]}"
        raise Transient(f"{place}: the answer is broken JSON", maybe_done=method not in _READS) from error


def _error_code(response: requests.Response) -> str:
    """WooCommerce's word for the error. `code` may be a number (fulfillments say 0); what is odd becomes the status."""
    try:
        body = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        body = None
    code = str(body.get("code", "")) if isinstance(body, dict) else ""
    return code if _CODE.fullmatch(code) else str(response.status_code)


def parameter(value: object) -> str:
    """One query parameter. Lists are comma-joined (PHP keeps only the last of repeated ones), a time is naive GMT
    (`dates_are_gmt=true` goes with it; with a Z it would be read wrongly, facts section 2)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(parameter(item) for item in value)
    return str(value)


def plain(value: object) -> object:
    """A request body in types JSON and WooCommerce share: Decimal as text.

    A datetime is refused with TypeError: WooCommerce reads body dates as site-local, so the caller must write them.
    """
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime | float):
        raise TypeError("write dates and amounts as text: WooCommerce reads dates as site-local time")
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


class Connections:
    """One `ShopApi` a shop, made on first use and again when the shop's keys or address change."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[tuple[str, str, str, bool], ShopApi]] = {}
        self._guard = threading.Lock()

    def to(self, access: Access) -> ShopApi:
        """The shop's API. Raises `AuthExpired` when no key is stored, `ConfigError` for an unusable address."""
        key, secret = access.secrets.get("consumer_key"), access.secrets.get("consumer_secret")
        if not key or not secret:
            raise AuthExpired(f"shop {access.shop.id} has no consumer_key and consumer_secret: connect it again")
        wanted = (shop_address(access), key, secret, access.public_only)
        with self._guard:
            kept = self._kept.get(access.shop.id)
            if kept is None or kept[0] != wanted:
                if kept is not None:
                    kept[1].close()
                kept = (wanted, ShopApi(*wanted[:3], clock=access.clock, public_only=access.public_only))
                self._kept[access.shop.id] = kept
            return kept[1]
