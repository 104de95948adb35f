"""Connecting a WooCommerce store: approval in its own screens (wc-auth), or keys made by hand.

wc-auth's callback is an unsigned POST that does not name the shop (facts/woocommerce.md section 4): it proves nothing.
What it brings is kept unused until the browser is back with `success=1` and the declared store answers to the keys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, ClassVar
from urllib.parse import quote, urlencode, urlsplit

from connector.contracts import (
    Access,
    Begun,
    ChecksConnection,
    Connected,
    ConnectField,
    ConnectRequest,
    ConnectReturn,
    ConnectsStores,
    ConnectWay,
    FieldKind,
    Finding,
    Inbound,
    Redirect,
)
from connector.errors import ConnectRefused

APPROVE, KEYS = "approve", "keys"
SCOPE = "read_write"
LARGEST_CALLBACK = 4096

_KEY = re.compile(r"ck_[0-9A-Za-z]{4,80}", re.ASCII)
_SECRET = re.compile(r"cs_[0-9A-Za-z]{4,80}", re.ASCII)
_TAIL = re.compile(r"/(?:wp-(?:admin|json|login\.php)|wc-auth)(?:/.*)?\Z")
_URL = ConnectField(name="url", kind=FieldKind.URL, example="https://shop.example.com")


class WooCommerceConnecting(ConnectsStores, ChecksConnection):
    """What the platform `woocommerce` tells the connect pages and `kiitos shops`."""

    ticket_in: ClassVar[str] = "user_id"
    credential_names: ClassVar[Sequence[str]] = ("consumer_key", "consumer_secret", "webhook_secret")
    lasting_secrets: ClassVar[Sequence[str]] = ("webhook_secret",)

    def ways(self) -> Sequence[ConnectWay]:
        return (
            ConnectWay(name=APPROVE, fields=(_URL,), needs_browser=True),
            ConnectWay(
                name=KEYS,
                fields=(
                    _URL,
                    ConnectField(name="consumer_key", kind=FieldKind.SECRET, example="ck_…"),
                    ConnectField(name="consumer_secret", kind=FieldKind.SECRET, example="cs_…"),
                ),
            ),
        )

    def wording(self, language: str) -> Mapping[str, str]:
        return _wording(language)

    def begin(self, request: ConnectRequest) -> Begun:
        """Find the store's API first: permalinks, maintenance and wrong addresses show before anybody approves."""
        from platforms.woocommerce import standing  # requests: only a connection needs it

        declared = store_address(request.values.get("url", ""), public_only=request.public_only)
        if request.way == KEYS:
            key, secret = (request.values.get(name, "").strip() for name in ("consumer_key", "consumer_secret"))
            if not _KEY.fullmatch(key):
                raise ConnectRefused("key_shape", "no consumer key", field="consumer_key")
            if not _SECRET.fullmatch(secret):
                raise ConnectRefused("secret_shape", "no consumer secret", field="consumer_secret")
            return standing.prove(request, standing.find_api(request, declared), key, secret)
        if not request.callback_url.startswith("https://"):
            # The shop refuses any other callback with a page of its own (facts section 4).
            raise ConnectRefused("needs_https", "wc-auth calls back over https only; set app.base_url to https://")
        address = standing.find_api(request, declared)
        # Plain ASCII: everything behind an & is lost in the shop's own chain of redirects.
        name = re.sub(r"[^A-Za-z0-9 ._-]", "", request.app_name).strip() or "Kiitos"
        query = urlencode(
            {
                "app_name": name,
                "scope": SCOPE,
                "user_id": request.ticket,
                "return_url": request.return_url,
                "callback_url": request.callback_url,
            },
            quote_via=quote,
        )
        return Redirect(url=f"{address}/wc-auth/v1/authorize?{query}", keep={"address": address})

    def receive(self, request: ConnectRequest, inbound: Inbound) -> Mapping[str, str]:
        """The keys as the shop's server posts them; the shop deletes the fresh key when this refuses it."""
        content_type = (inbound.one("content-type") or "").partition(";")[0].strip().lower()
        if content_type != "application/json" or len(inbound.body) > LARGEST_CALLBACK:
            raise ConnectRefused("callback_shape", "wc-auth posts a short JSON object")
        try:
            body = json.loads(inbound.body)
        except (ValueError, RecursionError):
            raise ConnectRefused("callback_shape", "wc-auth posts JSON") from None
        if not isinstance(body, dict):
            raise ConnectRefused("callback_shape", "wc-auth posts an object")
        key, secret = body.get("consumer_key"), body.get("consumer_secret")
        if not (isinstance(key, str) and _KEY.fullmatch(key) and isinstance(secret, str) and _SECRET.fullmatch(secret)):
            raise ConnectRefused("callback_shape", "the callback carries no keys")
        if body.get("user_id") != request.ticket:
            raise ConnectRefused("callback_ticket", "the callback is about another attempt")
        if body.get("key_permissions") != SCOPE:
            raise ConnectRefused("read_only", "the key may not write")
        return {"consumer_key": key, "consumer_secret": secret}

    def finish(self, returned: ConnectReturn) -> Connected:
        from platforms.woocommerce import standing

        if returned.query.get("success") != "1":
            raise ConnectRefused("declined", "the merchant declined")
        address = returned.keep.get("address", "")
        key, secret = (returned.received.get(name, "") for name in ("consumer_key", "consumer_secret"))
        if not (address and key and secret):
            raise ConnectRefused("no_keys", "the shop's server brought no keys")
        return standing.prove(returned.request, address, key, secret)

    def check(self, access: Access) -> Sequence[Finding]:
        from platforms.woocommerce import standing

        return standing.check(access)


@cache
def _wording(language: str) -> Mapping[str, str]:
    folder = files("platforms.woocommerce").joinpath("strings")
    source = folder.joinpath(f"{language if language in ('en', 'fi') else 'en'}.json")
    loaded: dict[str, Any] = json.loads(source.read_text(encoding="utf-8"))
    return loaded


def store_address(typed: str, *, public_only: bool) -> str:
    """The store's address as merchants type it: `shop.example`, with /wp-admin behind it, with a slash at the end.

    https, except for this machine where that is allowed. Raises `ConnectRefused` for anything else.
    """
    text = typed.strip()
    if not text:
        raise ConnectRefused("address_missing", "no address", field="url")
    if "://" not in text:
        text = f"https://{text}"
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").rstrip("."), parts.port
        host = host.encode("idna").decode("ascii") if not host.isascii() else host
    except (ValueError, UnicodeError):
        raise ConnectRefused("address_shape", "no address", field="url") from None
    if parts.username is not None or parts.password is not None or not _is_host(host):
        raise ConnectRefused("address_shape", "no address of a store", field="url")
    local = not public_only and (host in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None)
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise ConnectRefused("address_not_https", "WooCommerce takes keys over https only", field="url")
    path = _TAIL.sub("", parts.path).rstrip("/")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{f':{port}' if port else ''}{path}"


def _is_host(host: str) -> bool:
    return re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?|[0-9a-f:.]{2,45}", host) is not None
