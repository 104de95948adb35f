"""The project's own recordings, posted over HTTP to the running product with real signatures."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connector.testing.fakes.shopify.deliveries import sign as sign_shopify
from connector.testing.fakes.woocommerce.hooks import sign as sign_woo
from connector.testing.recording import Recording, find_recordings
from connector.testing.world import SHOPIFY, SHOPIFY_DOMAIN, WOO, WOO_URL, World

ROOT = Path(__file__).parents[1] / "recordings"
RECORDINGS: dict[str, Recording] = {
    f"{found.folder.parent.parent.name}/{found.name}": found for found in find_recordings(ROOT)
}
# When the recordings' orders are placed: 09:12 in Helsinki.
FRIDAY = datetime(2026, 11, 20, 7, 13, tzinfo=UTC)


def post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """One POST as a platform makes it; the status."""
    request = urllib.request.Request(url, data=body, headers=dict(headers), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def send(world: World, name: str, *, delivery: str = "", secret: str | None = None, **changes: Any) -> int:
    """Post the recording `shopify/orders_create/guest`. `changes` replace fields of the body, before it is signed.

    `delivery` replaces Shopify's webhook id: the same news under another id is another delivery.
    """
    recording = RECORDINGS[name]
    body = recording.body
    if changes:
        body = json.dumps(json.loads(body) | changes, ensure_ascii=False).encode()
    headers = dict(recording.headers)
    if name.startswith("shopify/"):
        headers["X-Shopify-Shop-Domain"] = SHOPIFY_DOMAIN
        headers["X-Shopify-Hmac-Sha256"] = sign_shopify(secret or world.shopify.client_secret, body)
        if delivery:
            headers["X-Shopify-Webhook-Id"] = delivery
        return post(world.hook_url(SHOPIFY), body, headers)
    headers["X-WC-Webhook-Source"] = f"{WOO_URL}/"
    headers["X-WC-Webhook-Signature"] = sign_woo(secret or world.woo.webhook_secret, body)
    return post(world.hook_url(WOO), body, {k: v for k, v in headers.items() if k not in ("Host", "Connection")})


def take(world: World, *names: str, **changes: Any) -> None:
    """`send` each, all of them accepted, and let the worker see to them."""
    for name in names:
        assert send(world, name, **changes) == 200, name
    world.worker.drain()
